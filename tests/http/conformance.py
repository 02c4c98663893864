"""Does the API do what its description says? Schemathesis makes up requests, right ones and wrong ones, and
looks at what a real daemon answers.

    python -m tests.http.conformance PATH_OF_SCHEMATHESIS [OPTION...]

Options are passed on to ``schemathesis run``.
"""

from __future__ import annotations

import re
import subprocess
import sys

from tests.processes import Stage

TOKEN = "token-of-the-conformance-run"


def run(program: str, options: list[str], stage: Stage) -> int:
    """The exit status of Schemathesis, or 1 if the daemon had something to complain about."""
    stage.simulator(rate=20, duration=600)
    stage.config(
        {
            "http": {"listen": "127.0.0.1:0", "token": TOKEN},
            "twitch": {"channels": ["room1", "room2"], "joins_per_10s": 2000},
            "kick": {"channels": ["room3"]},
        }
    )
    daemon = stage.daemon()
    port = int(re.findall(r"\d+", daemon.says(r"page at http://127.0.0.1:\d+/"))[-1])
    daemon.says(r"recording 2 of 2 rooms")
    address = f"http://127.0.0.1:{port}"
    command = [program, "run", f"{address}/api/v1/openapi.json", "--url", address, "--checks", "all"]
    # A stream never ends; what it holds is tested by itself.
    command += ["--exclude-path-regex", "/live$", "--header", f"Authorization: Bearer {TOKEN}"]
    status = subprocess.run([*command, *options], check=False, timeout=900, cwd=stage.home).returncode
    said = daemon.output()
    troubles = [line for line in said.splitlines() if "Traceback" in line or "while answering" in line]
    if not daemon.alive or troubles or TOKEN in said:
        sys.stdout.write(f"the daemon: {said[-5000:]}\n")
        return 1
    daemon.end(limit=60)
    return status


def main() -> int:
    """Run on a stage and leave nothing behind."""
    stage = Stage()
    try:
        return run(sys.argv[1], sys.argv[2:], stage)
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
