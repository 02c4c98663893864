"""``python -m bench.cluster_member FILE``: a member of a cluster without platforms, for ``cluster_bounds``.

All of ``chatlog/cluster`` runs as in a recorder, with a real engine. In place of the platforms, a room is
recorded ``ACKNOWLEDGED`` seconds after it was asked for. When each room is recorded here stands in the log.
Commands are lines of the standard input: ``say`` (answered by a line of JSON), ``watch``, ``drain``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, succeed
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineReceiver

from chatlog.config.engine_address import read_engine
from chatlog.config.platform import Channel
from chatlog.config.settings import ClusterSettings, RecorderSettings, Settings, TwitchSettings
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.network.dialing import Network
from chatlog.platforms import registered
from chatlog.rooms.room_list import RoomList
from chatlog.rooms.subscriptions import State
from chatlog.services import OwnedThreads
from chatlog.timeline.timelines import Timelines
from chatlog.twitch.platform import TWITCH

#: Seconds until a room that was asked for is recorded.
ACKNOWLEDGED = 0.05
#: Seconds between two looks at how long the reactor was held up.
_WATCH = 0.02
reactor: Any = installed


def resident() -> float:
    """The resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Pool:
    """The rooms that are asked for or recorded."""

    def __init__(self) -> None:
        self.rooms: dict[str, Any] = {}
        self.is_elsewhere: Any = None

    def hurry(self, names: Any) -> None:
        """Nothing waits here."""

    def share_requests(self, among: int) -> None:
        """Nothing is limited here."""


class Listening:
    """In place of the platforms."""

    def __init__(self, log: Path, timelines: Timelines) -> None:
        self.pools: dict[str, Any] = {"twitch": Pool()}
        self._timelines = timelines
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._asked: list[str] = []
        self._lines: list[str] = []

    def add(self, platform: str, channel: Channel) -> None:
        """Record a room soon."""
        name = TWITCH.name_of(channel)
        timeline = self._timelines.of((platform, name))
        self.pools[platform].rooms[name] = SimpleNamespace(state=State.WANTED, timeline=timeline)
        if not self._asked:
            reactor.callLater(ACKNOWLEDGED, self._acknowledge)
        self._asked.append(name)

    def _acknowledge(self) -> None:
        asked, self._asked = self._asked, []
        for name in asked:
            room = self.pools["twitch"].rooms.get(name)
            if room is not None and room.state is State.WANTED:
                room.state = State.RECORDED
                room.timeline.began(time.time())
                self._note("+", name)

    def remove(self, platform: str, name: str) -> None:
        """Record a room no longer."""
        room = self.pools[platform].rooms.pop(name, None)
        self._timelines.remove((platform, name))
        if room is not None and room.state is State.RECORDED:
            self._note("-", name)

    def _note(self, sign: str, name: str) -> None:
        if not self._lines:
            reactor.callLater(0, self._write)
        self._lines.append(f"{time.time():.3f} {sign} {name}\n")

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        os.write(self._log, "".join(lines).encode())


class Nothing:
    """In place of the coverage journal, the recorder, the uploader and the manifest, which have nothing to
    do."""

    waits = False
    trouble = fatal = cluster = ""
    open_files = buffered_bytes = waiting_files = in_flight = 0

    def settle(self) -> None:
        """All is known."""

    def rotate_now(self) -> None:
        """There are no files."""

    def hurry(self) -> None:
        """There is nothing to upload."""

    def close(self) -> Deferred[None]:
        """There is no manifest."""
        return succeed(None)


class CountedCalls:
    """An engine whose calls are counted."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name not in ("put", "read", "rooms", "change", "give_back", "leave"):
            return found

        def call(*arguments: Any) -> Any:
            self.count += 1
            return found(*arguments)

        return call


class Process(LineReceiver):
    """The process: it does what it is told."""

    delimiter = b"\n"

    def __init__(self, options: dict[str, Any]) -> None:
        reactor.seconds = time.monotonic
        self._longest = 0.0
        self._at = 0.0
        self._watch = LoopingCall(self._look)
        disk = OwnedThreads("disk", 1, reactor.callFromThread)
        environment = Environment(reactor, time.time, OsFiles(), disk)
        registry = registered(TWITCH)
        section = ClusterSettings(
            "bounds", read_engine(options["engine"]), options["replicas"], options["capacity"]
        )
        rooms = tuple(f"room{number}" for number in range(options["rooms"]))
        directory = options["directory"]
        settings = Settings(
            options["name"], {"twitch": TwitchSettings(rooms)}, RecorderSettings(directory), cluster=section
        )
        configured = RoomList(environment.files, directory, settings, registry)
        before = resident()
        from chatlog.cluster.engines import open_engine
        from chatlog.cluster.wiring import Cluster

        self._engine: Any = CountedCalls(open_engine(section.engine, section.name, Network(reactor)))
        cluster = Cluster(settings, section, environment, registry, self._engine)
        timelines = Timelines(time.time, cluster.rooms)
        self._listening: Any = Listening(Path(options["log"]), timelines)
        nothing: Any = Nothing()
        written = nothing, nothing, nothing
        self._joined = cluster.join(configured, self._listening, timelines, nothing, written)
        self._before = before
        self._joined.rooms.load()
        timelines.start(None)
        self._joined.service.startService()

    def lineReceived(self, line: bytes) -> None:
        """A command."""
        if line == b"say":
            self.sendLine(json.dumps(self._state()).encode())
        elif line == b"watch":
            self._at = time.thread_time()
            self._watch.start(_WATCH)
        elif line == b"drain":
            self._joined.draining.end(reactor.stop)

    def connectionLost(self, reason: object = None) -> None:
        """Nobody is there who could say more."""
        if reactor.running:
            reactor.stop()

    def _look(self) -> None:
        # Time of the processor: others may have it meanwhile.
        now = time.thread_time()
        self._longest, self._at = max(self._longest, now - self._at), now

    def _state(self) -> dict[str, Any]:
        service = self._joined.service
        lives = service.member.lives.values()
        rooms = self._listening.pools["twitch"].rooms.values()
        longest, self._longest = self._longest, 0.0
        assignment, me = service.member.assignment, service.member.myself.name
        return {
            "members": sorted([*service.member.roster.present, me]),
            "share": -1 if assignment is None else assignment.loads.get(me, 0),
            "list": len(service.shared.rooms),
            "recorded": sum(1 for room in rooms if room.state is State.RECORDED),
            "moving": sum((life.starting | life.withdrawn | life.leaving).bit_count() for life in lives),
            "away": service.member.away,
            "calls": self._engine.count,
            "longest": longest,
            "memory": resident() - self._before,
        }


def main(path: str) -> None:
    """Run until the standard input ends."""
    StandardIO(Process(json.loads(Path(path).read_text("utf-8"))))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
