"""Real processes on loopback: the simulator, the daemon and an S3 server. All of them are ended with the
stage they play on, and by themselves after a while."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from chatlog.simulator.recordings import SPOOL_PARTS

ROOT = Path(__file__).resolve().parent.parent
#: Credentials that the S3 server takes; any would do.
KEYS = {"access_key_id": "testing", "secret_access_key": "testing-secret"}

_S3 = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]), verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


class Failed(Exception):
    """A process did not do what it should; the text holds its last words."""


def wait_for(what: str, check: Callable[[], Any], limit: float = 30.0, every: float = 0.05) -> Any:
    """The first true result of ``check``. Raises Failed when there is none within ``limit`` seconds."""
    end = time.monotonic() + limit
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"not within {limit:.0f} s: {what}")
        time.sleep(every)


class Process:
    """A process with its output in a file."""

    def __init__(
        self, name: str, arguments: list[str], log: Path, environ: dict[str, str], **more: Any
    ) -> None:
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                arguments,
                stdout=more.pop("stdout", output),
                stderr=output,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                **{"stdin": subprocess.DEVNULL, "cwd": log.parent, **more},
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        """All it has said so far."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def says(self, pattern: str, limit: float = 30.0, after: int = 0) -> str:
        """Wait until its output, from the character ``after`` on, matches; the match."""

        def look() -> str:
            found = re.search(pattern, self.output()[after:])
            if found is None and not self.alive:
                raise Failed(f"{self.name} ended with {self.popen.returncode}: {self.output()[-2000:]}")
            return found[0] if found else ""

        try:
            return str(wait_for(pattern, look, limit))
        except Failed as error:
            raise Failed(f"{self.name}: {error}: {self.output()[-3000:]}") from None

    def cpu(self) -> float:
        """Seconds of CPU time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Its resident memory in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def peak(self) -> float:
        """The most resident memory it had, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def send(self, number: int) -> None:
        """Send it a signal; fine if it is gone."""
        if self.alive:
            self.popen.send_signal(number)

    def end(self, number: int = signal.SIGTERM, limit: float = 15.0) -> int:
        """End it with a signal; its exit status."""
        self.send(number)
        try:
            return self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise Failed(f"{self.name} did not end within {limit:.0f} s") from None


class Simulator(Process):
    """The look-alike servers. ``options`` are those of ``python -m chatlog.simulator``, without the
    dashes in front."""

    def __init__(self, home: Path, number: int, options: dict[str, Any], ports: dict[str, int]) -> None:
        self.oracle = home / f"oracle-{number}.jsonl"
        self.ca_file = home / "ca.pem"
        ports_file = home / f"ports-{number}.json"
        arguments = [sys.executable, "-m", "chatlog.simulator", "--ports", str(ports_file)]
        arguments += ["--oracle", str(self.oracle), "--ca", str(self.ca_file)]
        for platform in ("twitch", "kick"):
            arguments += [f"--{platform}-port", str(ports.get(platform, 0))]
        for name, value in {"duration": 300, **options}.items():
            flag = f"--{name.replace('_', '-')}"
            arguments += [flag] if value is True else [flag, str(value)]
        super().__init__("simulator", arguments, home / f"simulator-{number}.log", {})

        def listening() -> Any:
            if not self.alive:
                raise Failed(f"the simulator ended: {self.output()[-2000:]}")
            return ports_file.exists() and ports_file.read_text().strip()

        self.ports: dict[str, int] = json.loads(wait_for("the simulator's ports", listening))


class Stage:
    """A directory and what runs in it. ``close`` ends everything and, unless ``keep``, removes it."""

    def __init__(self, keep: str = "") -> None:
        self.home = Path(keep or tempfile.mkdtemp(prefix="chatlog-stage-"))
        self.home.mkdir(parents=True, exist_ok=True)
        self.keep = bool(keep)
        self.running: list[Process] = []
        self.simulators: list[Simulator] = []
        self.daemons = 0
        self.endpoint = ""
        self._s3: Process | None = None

    def close(self) -> None:
        """End every process that was started here."""
        for process in self.running:
            if process.alive:
                process.popen.kill()
            process.popen.wait()
            for stream in (process.popen.stdin, process.popen.stdout):
                if stream is not None:
                    stream.close()
        if not self.keep:
            shutil.rmtree(self.home, ignore_errors=True)

    def simulator(self, **options: Any) -> Simulator:
        """Start the simulator; a further one takes the ports of the one before."""
        ports = self.simulators[-1].ports if self.simulators else {}
        started = Simulator(self.home, len(self.simulators) + 1, options, ports)
        self.simulators.append(started)
        self.running.append(started)
        return started

    def s3(self, bucket: str = "chatlog", port: int = 0) -> str:
        """Start an S3 server that keeps objects in memory and make the bucket; its address."""
        arguments = [sys.executable, "-c", _S3, str(port)]
        process = Process(
            "s3", arguments, self.home / "s3.log", {}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.running.append(process)
        self._s3 = process
        assert process.popen.stdout is not None
        port = process.popen.stdout.readline().decode().strip()
        if not port:
            raise Failed(f"no S3 server: {process.output()[-2000:]}")
        self.endpoint = f"http://127.0.0.1:{port}"
        self.store(bucket)
        return self.endpoint

    def store(self, bucket: str = "chatlog", make: bool = True) -> Any:
        """The bucket, as a boto3 resource."""
        import boto3  # type: ignore[import-untyped]

        resource = boto3.resource(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS["access_key_id"],
            aws_secret_access_key=KEYS["secret_access_key"],
        )
        if make:
            resource.create_bucket(Bucket=bucket)
        return resource.Bucket(bucket)

    def fetch(self, bucket: str = "chatlog") -> Path:
        """Every object of the bucket as a file under ``objects``, for the judge."""
        target = self.home / "objects"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for found in self.store(bucket, make=False).objects.all():
            path = target / found.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(found.get()["Body"].read())
        return target

    def config(self, settings: dict[str, Any]) -> Path:
        """Write chatlog.yaml; what is not given points to the simulator and to this directory."""
        whole: dict[str, Any] = {
            "recorder": {"directory": str(self.home / "data")},
            "archive": {"directory": str(self.home / "archive")},
            "http": {"listen": None},
        }
        if self.simulators:
            last = self.simulators[-1]
            scheme = "irc" if "--plain" in last.popen.args else "ircs"  # type: ignore[operator]
            whole["twitch"] = {
                "server": f"{scheme}://127.0.0.1:{last.ports['twitch']}",
                "channels": ["room1"],
            }
            if scheme == "ircs":
                whole["twitch"]["ca_file"] = str(last.ca_file)
            whole["kick"] = {
                "server": f"ws://127.0.0.1:{last.ports['kick']}/app/demo",
                "lookup": f"http://127.0.0.1:{last.ports['kick']}/api/v2/channels/{{slug}}",
                "channels": [],
            }
        for section, values in settings.items():
            if values is None:
                whole.pop(section, None)
            elif isinstance(values, dict):
                whole[section] = {**whole.get(section, {}), **values}
            else:
                whole[section] = values
        if "s3" in settings:
            whole.pop("archive")
        path = self.home / "chatlog.yaml"
        path.write_text(yaml.safe_dump(whole))
        return path

    def s3_settings(self, bucket: str = "chatlog") -> dict[str, Any]:
        """The section ``s3`` for the server that was started."""
        return {"bucket": bucket, "endpoint": self.endpoint, **KEYS}

    def daemon(
        self,
        arguments: list[str] | None = None,
        prefix: list[str] | None = None,
        module: str = "",
        environ: dict[str, str] | None = None,
    ) -> Process:
        """Start twistd with the configuration written last; ``prefix`` is a command that starts it, and
        ``module`` one that takes twistd's place. ``environ`` is added to the environment."""
        self.daemons += 1
        program = ["-m", module] if module else ["-c", _TWISTD]
        command = [*(prefix or []), sys.executable, *program, "-n", "--pidfile=", "chatlog"]
        if arguments is None:
            arguments = ["--config", str(self.home / "chatlog.yaml")]
        log = self.home / f"daemon-{self.daemons}.log"
        process = Process("chatlog", command + arguments, log, environ or {})
        self.running.append(process)
        return process

    def judge(self, archive: Path | None = None, *options: str) -> dict[str, Any]:
        """What the judge says of the archive, and of what is still in the spool, or in those that the options
        name."""
        arguments = [sys.executable, "-m", "chatlog.simulator.judge", "--json"]
        for simulator in self.simulators:
            arguments += ["--oracle", str(simulator.oracle)]
        where = archive or self.home / "archive"
        if where.exists():
            arguments += ["--archive", str(where)]
        spool = self.home / "data"
        if "--spool" not in options and any((spool / part).is_dir() for part in SPOOL_PARTS):
            arguments += ["--spool", str(self.home / "data")]
        done = subprocess.run(
            [*arguments, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        if done.returncode == 2:
            raise Failed(done.stderr)
        return dict(json.loads(done.stdout))

    def local_files(self) -> list[str]:
        """Names of the recordings that are not only in the store."""
        data = self.home / "data"
        areas = [data / area for area in ("open", "sealed", "packed")]
        return sorted(path.name for area in areas if area.exists() for path in area.iterdir())


def on_stage(play: Callable[[Stage], int], keep: str = "") -> int:
    """What ``play`` returns for a stage that is closed afterwards; 2 if a process did not do what it should,
    and then its last words are printed."""
    # Where SIGINT is ignored, as in a job in the background, the processes would ignore it too. And they end
    # with this one, whatever ends it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    stage = Stage(keep)
    try:
        return play(stage)
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        stage.close()


_TWISTD = """
import sys
from twisted.scripts.twistd import run
sys.argv[0] = "twistd"
run()
"""
