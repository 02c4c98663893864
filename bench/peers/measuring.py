"""One run: the simulator, one program that reads its rooms, and a window in which its CPU is measured."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from bench.peers.building import Workshop
from bench.peers.clients import Client
from bench.peers.results import Result
from chatlog.simulator.recordings import in_directory, in_spool
from tests.processes import Failed, Process, Simulator, Stage, wait_for

#: Seconds within which all rooms must be joined.
_JOINING = 90.0
#: Seconds after the window in which a program may read what it has not read yet.
_GRACE = 3.0


class Load(NamedTuple):
    """Rooms, messages a second over all of them, and the seconds of the window."""

    rooms: int
    rate: float
    seconds: float


def measure(load: Load, stage: Stage, client: Client | None, workshop: Workshop) -> Result:
    """Run a client, or the recorder if it is None. Raises Failed."""
    most = round(load.seconds + _JOINING + 60)
    simulator = stage.simulator(
        rate=load.rate,
        kick_share=0,
        spread="even",
        channels=load.rooms,
        own_records=True,
        tame=True,
        tick=0.001,
        seed=7,
        duration=most,
    )
    process = _recorder(load, stage) if client is None else _client(load, stage, client, workshop, most)
    wait_for("all rooms joined", partial(_all_joined, simulator, process, load.rooms), _JOINING, 0.5)
    time.sleep(3)
    began, cpu = time.time(), process.cpu()
    time.sleep(load.seconds)
    if not process.alive:
        raise Failed(f"{process.name} ended with {process.popen.returncode}: {process.output()[-500:]}")
    ended, cpu = time.time(), process.cpu() - cpu
    time.sleep(_GRACE)
    memory = process.peak()
    _end(process)
    simulator.end(limit=30)
    sent = set(sent_between(simulator.oracle, began, ended))
    ids = _recorded(stage) if client is None else _written(stage.home / "output.jsonl")
    return Result(process.name, load.rate, len(sent), len(sent.intersection(ids)), cpu, memory)


def _end(process: Process) -> None:
    """End it in the way that makes it write what it has."""
    if process.popen.stdin is None:
        status = process.end(limit=60)
    else:
        process.popen.stdin.close()
        try:
            status = process.popen.wait(30)
        except subprocess.TimeoutExpired:
            raise Failed(f"{process.name} did not end within 30 s") from None
    if status not in (0, -signal.SIGTERM):
        raise Failed(f"{process.name} ended with {status}: {process.output()[-500:]}")


def _recorder(load: Load, stage: Stage) -> Process:
    channels = [f"room{n}" for n in range(1, load.rooms + 1)]
    twitch = {"channels": channels, "joins_per_10s": 2000}
    stage.config({"twitch": twitch, "kick": {"channels": []}, "http": {"listen": "127.0.0.1:0"}})
    return stage.daemon()


def _client(load: Load, stage: Stage, client: Client, workshop: Workshop, most: int) -> Process:
    command, environ = workshop.command(client)
    simulator = stage.simulators[-1]
    command += [f"127.0.0.1:{simulator.ports['twitch']}", str(simulator.ca_file), str(load.rooms), str(most)]
    command.append(str(stage.home / "output.jsonl"))
    environ["NODE_EXTRA_CA_CERTS"] = str(simulator.ca_file)
    log = stage.home / "client.log"
    process = Process(client.name, command, log, environ, stdin=subprocess.PIPE)
    stage.running.append(process)
    return process


def _all_joined(simulator: Simulator, process: Process, rooms: int) -> bool:
    if not process.alive:
        raise Failed(f"{process.name} ended with {process.popen.returncode}: {process.output()[-500:]}")
    return simulator.oracle.read_bytes().count(b'"note":"joined"') >= rooms


def sent_between(oracle: Path, began: float, ended: float) -> Iterator[str]:
    """The ids of the chat messages that were sent between two times, in seconds since the epoch. The few that
    have no id do not count."""
    with open(oracle, "rb") as file:
        for line in file:
            if b'"type":"message"' in line:
                event = orjson.loads(line)
                if event["id"] and began <= event["at"] / 1000 < ended:
                    yield event["id"]


def _written(path: Path) -> Iterator[str]:
    with open(path, "rb") as file:
        for line in file:
            yield orjson.loads(line).get("id", "")


def _recorded(stage: Stage) -> Iterator[str]:
    archive, spool = stage.home / "archive", stage.home / "data"
    for recording in (*in_directory(str(archive)), *in_spool(str(spool))):
        for line in recording.lines():
            if b'"type":"message"' in line:
                yield orjson.loads(line)["id"]
