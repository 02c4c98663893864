"""Building the programs, in a directory that is no part of the checkout, each within a limit of time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.peers.clients import CARGO, CLIENTS, GO, NPM, PIP, PIP_PACKAGE, SOURCES, Client
from bench.stores.install import Unavailable
from tests.processes import ROOT

_HERE = Path(__file__).resolve().parent
#: What ``timeout`` ends with when the time was over.
_TIMED_OUT = 124


def cache_directory() -> Path:
    """Where the programs are kept from one run to the next."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "chatlog-peers"


class Workshop:
    """Builds below ``root``. A build may take ``limit`` seconds, and uses ``jobs`` processors. ``find`` gives
    the path of a tool, None if there is none."""

    def __init__(
        self,
        root: Path,
        limit: float = 900.0,
        jobs: int = 1,
        find: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self._root = root
        self._limit = limit
        self._jobs = jobs
        self._find = find

    def build(self, tool: str) -> None:
        """Build the programs of a tool, unless they are there and made of the present sources. Raises
        Unavailable."""
        needed = {NPM: ("npm", "node"), PIP: ()}.get(tool, (tool,))
        for name in needed:
            if self._find(name) is None:
                raise Unavailable(f"there is no {name} here")
        place = self._root / tool
        place.mkdir(parents=True, exist_ok=True)
        built = place / "built"
        if _copy_changed(tool, place):
            built.unlink(missing_ok=True)
        if built.exists() and built.read_text() == _recipe(tool):
            return
        self._run(tool, place)
        built.write_text(_recipe(tool))

    def command(self, client: Client) -> tuple[list[str], dict[str, str]]:
        """What starts a program that is built, and what it needs in its environment."""
        place = self._root / client.tool
        if client.tool == PIP:
            path = f"{ROOT}{os.pathsep}{place / 'packages'}"
            return [sys.executable, "-m", "bench.peers.irc_client"], {"PYTHONPATH": path}
        if client.tool == NPM:
            return ["node", str(place / client.program)], {"NODE_ENV": "production"}
        return [str(place / "target" / client.program)], {}

    def _run(self, tool: str, place: Path) -> None:
        command = ["timeout", "--kill-after=10", f"{self._limit:.0f}", "nice", "-n", "10"]
        command += self._commands(tool, place)
        log = place / "build.log"
        flags = f"{os.environ.get('GOFLAGS', '')} -p={self._jobs} -buildvcs=false".strip()
        with open(log, "wb") as output:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "GOFLAGS": flags, "CARGO_TARGET_DIR": str(place / "target")},
                cwd=place,
                check=False,
            ).returncode
        if status == _TIMED_OUT:
            raise Unavailable(f"{tool} did not build it within {self._limit:.0f} s")
        if status != 0:
            last = log.read_text("utf-8", "replace").strip().splitlines()
            raise Unavailable(f"{tool} cannot build it: {last[-1][:200] if last else 'it says nothing'}")

    def _commands(self, tool: str, place: Path) -> list[str]:
        if tool == GO:
            return ["go", "build", "-o", str(place / "target" / "peers"), "."]
        if tool == CARGO:
            return ["cargo", "build", "--release", "--jobs", str(self._jobs)]
        if tool == NPM:
            return ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
        packages = str(place / "packages")
        return [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--upgrade",
            "--target",
            packages,
            PIP_PACKAGE,
        ]


def tools(clients: tuple[Client, ...] = CLIENTS) -> list[str]:
    """The tools that the clients need, each once."""
    return list(dict.fromkeys(client.tool for client in clients))


def _recipe(tool: str) -> str:
    """What a build is made of besides its sources."""
    return f"{PIP_PACKAGE} {sys.version_info[:2]}" if tool == PIP else tool


def _copy_changed(tool: str, place: Path) -> bool:
    """Copy the sources that the place does not have; whether there were any."""
    if tool not in SOURCES:
        return False
    changed = False
    source = _HERE / SOURCES[tool]
    for path in sorted(source.rglob("*")):
        target = place / path.relative_to(source)
        if path.is_file() and not (target.exists() and target.read_bytes() == path.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            changed = True
    return changed
