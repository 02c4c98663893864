"""One server of ``bench.stores`` on trial: the recorder stores into it for some minutes, everything that was
sent is compared with everything that is there, and an object that is changed has to be found out."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import zstandard

from bench.stores.bucket import Bucket, open_bucket
from bench.stores.servers import PREFIX, Place, Server
from chatlog.simulator.certificates import loopback_certificate
from tests.processes import Failed, Process, Stage, wait_for

ROOMS, KICK_ROOMS = 6, 2
#: Seconds by which the clocks of the last runs are ahead: the hour is over there, its manifest is due, and
#: the second one names what the first run stored.
AHEAD = (3600, 7200)
_FAULTS = ("lost", "hidden", "doubled", "altered", "invalid", "unknown", "out_of_order")


@dataclass
class Outcome:
    """What became of a trial. ``faults`` is empty if all went well; ``skipped`` says why there was none."""

    name: str
    version: str = ""
    said: str = ""
    sent: int = 0
    recorded: int = 0
    objects: int = 0
    verified: bool = False
    named: bool = False
    faults: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything arrived, and the changed object was found out."""
        return not self.skipped and not self.faults and self.verified and self.named

    def row(self) -> str:
        """Its row in the table."""
        if self.skipped:
            return f"| {self.name} | - | | | | | not run: {self.skipped} |"
        verify = "0, nothing is wrong" if self.verified else "complains"
        told = "named" if self.named else "not named"
        outcome = "passed" if self.passed else f"NOT PASSED: {'; '.join(self.faults)[:300]}"
        cells = (self.name, self.version, str(self.sent), str(self.recorded), str(self.objects))
        return f"| {' | '.join(cells)} | {verify}; {told} | {outcome} |"


#: The head of the table of outcomes.
HEAD = """\
| store | version | events sent | in the bucket | objects | `verify`; then a changed object | outcome |
| --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True, slots=True)
class Load:
    """How long chat is recorded, in seconds; how much there is, in messages a second over all rooms; how
    long a file is written to at most."""

    seconds: float = 120.0
    rate: float = 60.0
    rotate: int = 15


class Trial:
    """The trial of one server. It owns the processes that it starts, and ends all of them."""

    def __init__(self, server: Server, program: list[str], load: Load, keep: str = "") -> None:
        self._server = server
        self._program = program
        self._load = load
        self._keep = keep

    def run(self, outcome: Outcome) -> None:
        """Do everything, and write down in ``outcome`` what was seen. Raises nothing that a server, or the
        recorder on it, is the cause of."""
        with ExitStack() as stack:
            stage = Stage(self._keep)
            stack.callback(stage.close)
            try:
                bucket, place = self._serve(stage, stack)
                self._record(stage, place, outcome)
                self._judge(stage, bucket, outcome)
                environ = self._server.recorder_environ(place)
                outcome.verified = self._verify(stage, environ, outcome)
                self._tamper(stage, bucket, environ, outcome)
            except Failed as error:
                outcome.faults.append(_line(str(error)))
            except Exception as error:
                outcome.faults.append(_line(f"{type(error).__name__}: {error}"))

    # -- the server ----------------------------------------------------------------------------------

    def _serve(self, stage: Stage, stack: ExitStack) -> tuple[Bucket, Place]:
        """Start the server and make the bucket."""
        authority = stage.home / "ca.pem"
        loopback_certificate(str(authority))
        home = stage.home / "server"
        home.mkdir()
        ports = free_ports(self._server.ports)
        place = Place(home, ports, Path(f"{authority}.server"), authority)
        # Ends by itself, should this process be killed.
        limit = f"{self._load.seconds + 400:.0f}"
        command = ["timeout", "--kill-after=5", limit, *self._program, *self._server.command(place)]
        log = stage.home / "server.log"
        process = Process(self._server.name, command, log, dict(self._server.environ))
        stack.callback(_end, process)

        def listening() -> bool:
            if not process.alive:
                raise Failed(f"{self._server.name} ended: {process.output()[-500:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", place.port)) == 0

        wait_for(f"{self._server.name} listens", listening, 60)
        bucket = open_bucket(self._server, place)
        wait_for(f"{self._server.name} makes a bucket", lambda: _made(bucket, process), 60, 1.0)
        return bucket, place

    # -- the recorder ----------------------------------------------------------------------------------

    def _record(self, stage: Stage, place: Place, outcome: Outcome) -> None:
        """Record what the simulator says, until everything of it has left the spool, the manifest too."""
        load = self._load
        simulator = stage.simulator(
            rate=load.rate, kick_share=0.3, channels=ROOMS, seed=3, duration=round(load.seconds + 120)
        )
        stage.config(
            {
                "twitch": {"channels": [f"room{n}" for n in range(1, ROOMS + 1)]},
                "kick": {"channels": [f"room{n}" for n in range(1, KICK_ROOMS + 1)]},
                "recorder": {"directory": str(stage.home / "data"), "rotate_interval": f"{load.rotate}s"},
                "uploader": {"compression": "zstd"},
                **self._server.settings(place),
            }
        )
        environ = self._server.recorder_environ(place)
        daemon = stage.daemon(environ=environ)
        daemon.says(r"recording \d+ of \d+ rooms", 60)
        time.sleep(load.seconds)
        simulator.end()
        # What was said last is read with the next tick.
        time.sleep(2)
        outcome.said = said_of_store(daemon.output())
        _stop(daemon)
        self._finish(stage, environ)
        for log in sorted(stage.home.glob("daemon-*.log")):
            outcome.faults += troubles(log.read_text("utf-8", "replace"))

    def _finish(self, stage: Stage, environ: dict[str, str]) -> None:
        """Let further runs bring the rest to the store, and the manifests of the hours."""
        shift = stage.home / "shift"
        for ahead in AHEAD:
            shift.write_text(str(ahead))
            daemon = stage.daemon(module="bench.shifted", environ={**environ, "CHATLOG_SHIFT": str(shift)})
            try:
                daemon.says("storing in ", 60)
                wait_for("an empty spool", partial(_is_drained, stage, daemon), 90, 0.2)
            except Failed:
                waiting = ", ".join(stage.local_files()[:3])
                raise Failed(f"{waiting} wait for ever: {last_complaint(daemon.output())}") from None
            finally:
                if daemon.alive:
                    _stop(daemon)

    # -- what is there -----------------------------------------------------------------------------------

    def _judge(self, stage: Stage, bucket: Bucket, outcome: Outcome) -> None:
        """Compare what was sent with what is in the bucket."""
        objects = stage.home / "objects"
        for key in bucket.all_keys():
            path = objects / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bucket.get(key))
        found = stage.judge(objects, "--gaps")
        outcome.sent, outcome.recorded = found["sent"], found["recorded"]
        outcome.objects = found["files"]
        outcome.faults += [f"{found[fault]} {fault.replace('_', ' ')}" for fault in _FAULTS if found[fault]]
        if found["duplicate_names"]:
            outcome.faults.append(f"names used twice: {found['duplicate_names'][:3]}")
        if not found["recorded"]:
            outcome.faults.append("nothing is in the bucket")
        strangers = [key for key in bucket.all_keys() if key.endswith("chatlog-probe")]
        outcome.faults += [f"{key} was left behind" for key in strangers]

    def _verify(self, stage: Stage, environ: dict[str, str], outcome: Outcome) -> bool:
        """Whether ``chatlog verify`` has nothing to complain about, and looked at everything."""
        status, lines = run_verify(stage, environ)
        summary = lines[-1] if lines else {}
        looked = summary.get("objects") == outcome.objects and not summary.get("pending")
        if status or not looked:
            outcome.faults.append(_line(f"verify ended with {status}: {lines[-3:]}"))
        return status == 0 and looked

    def _tamper(self, stage: Stage, bucket: Bucket, environ: dict[str, str], outcome: Outcome) -> None:
        """Change one letter of what somebody said, and pack it again: only the digest can tell."""
        for key in sorted(key for key in bucket.all_keys() if f"{PREFIX}/manifest/" not in key):
            changed = changed_object(bucket.get(key))
            if changed is not None:
                break
        else:
            raise Failed("there is no object that could be changed")
        bucket.put(key, changed)
        status, lines = run_verify(stage, environ)
        named = [line for line in lines if line.get("kind") == "problem"]
        kinds = [line["problem"] for line in named if key == f"{PREFIX}/{line['key']}"]
        found = status == 1 and len(named) == 1 and kinds == ["altered-object"]
        if not found:
            outcome.faults.append(_line(f"verify after the change ended with {status}: {named[:3]}"))
        outcome.named = found


def run_verify(stage: Stage, environ: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of ``chatlog verify --json``, and what it says."""
    program = [sys.executable, "-c", "from chatlog.cli import main; main()"]
    command = [*program, "verify", "--json", "--config", str(stage.home / "chatlog.yaml")]
    process = Process("verify", command, stage.home / "verify.log", environ, stdout=subprocess.PIPE)
    try:
        output, _ = process.popen.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.communicate()
        raise Failed("verify did not end within 120 s") from None
    lines = [json.loads(line) for line in output.splitlines()]
    return process.popen.returncode, lines or [{"said": process.output()[-500:]}]


def changed_object(data: bytes) -> bytes | None:
    """A zstd object with other words in it and as valid as before; None if nothing in it can be changed."""
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    found = re.search(rb'"message":"([a-zA-Z])', plain)
    if found is None:
        return None
    at = found.start(1)
    other = b"x" if plain[at : at + 1] != b"x" else b"y"
    return zstandard.ZstdCompressor(6).compress(plain[:at] + other + plain[at + 1 :])


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()


def said_of_store(log: str) -> str:
    """What a recorder's log says of its store when it has found out."""
    found = re.search(r"(?m)storing in .*$", log)
    return found[0].strip() if found else ""


def last_complaint(log: str) -> str:
    """The latest that the uploader complained of in a log, or else its last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    loud = [line for line in lines if re.search(r"(WARN|ERROR|CRITICAL) +uploader", line)]
    return (loud or lines or ["it says nothing"])[-1][-300:]


def troubles(log: str) -> list[str]:
    """What must not be in the log of a recorder whose store is well."""
    found = []
    if "Traceback" in log:
        found.append(_line(log[log.index("Traceback") :][:400]))
    found += [_line(line) for line in log.splitlines() if "STORE_" in line and " is over" not in line][:3]
    return found


def _is_drained(stage: Stage, daemon: Process) -> bool:
    """Whether nothing is left in the spool but the recorder's own notes."""
    if not daemon.alive:
        raise Failed("the recorder ended by itself")
    return not stage.local_files() and not list((stage.home / "data" / "manifest").glob("*"))


def _made(bucket: Bucket, process: Process) -> bool:
    """Whether the bucket could be made: a server may listen before it is ready."""
    if not process.alive:
        raise Failed(f"{process.name} ended: {process.output()[-500:]}")
    try:
        bucket.make()
    except Exception as error:
        if "AlreadyOwnedByYou" in str(error) or "AlreadyExists" in str(error):
            return True
        (process.log.parent / "make.log").write_text(f"{error}\n")
        return False
    return True


def _stop(daemon: Process) -> None:
    status = daemon.end(signal.SIGTERM)
    if status != -signal.SIGTERM:
        raise Failed(f"the recorder ended with {status}: {daemon.output()[-500:]}")


def _end(process: Process) -> None:
    """End a server; ``timeout``, below which it runs, hands the signal on."""
    if process.alive:
        process.end(signal.SIGTERM, 20)


def _line(text: str) -> str:
    return " ".join(text.split())[:400].replace("|", "/")
