"""A recorder with rooms and connections that a test makes come and go, and the status of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chatlog.config.settings import RecorderSettings, Settings
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.connection import Connection
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room
from chatlog.status.status import Status
from chatlog.status.vitals import Vitals
from chatlog.timeline.timelines import Timelines
from tests.played import Played
from tests.recording import HALF_PAST_TEN, Recording

__all__ = ["HALF_PAST_TEN", "Scene", "Uploads"]


@dataclass
class Uploads:
    """What an uploader says of itself."""

    waiting_files: int = 0
    waiting_bytes: int = 0
    oldest_waiting: float | None = None
    in_flight: int = 0
    quarantined: int = 0
    state: str = "ok"
    last_error: str = ""
    remedy: str = ""
    quarantined_files: Sequence[tuple[str, int, str, int, float]] = ()
    last_success: float | None = None


class Scene:
    """``rooms`` are the names of Twitch rooms. Time passes by ``advance``, in steps of half a second."""

    def __init__(
        self,
        rooms: int = 3,
        wall: float = HALF_PAST_TEN,
        uploader: Callable[[Scene], Any] | None = None,
        **settings: Any,
    ) -> None:
        """``uploader`` makes the one that is asked, of a scene with clock and counters. Without it that is
        ``uploads``."""
        self.recording = Recording(wall=wall).start()
        self.clock = self.recording.clock
        self.counters = self.recording.counters
        self.recorder = self.recording.recorder
        self.uploads = Uploads()
        self.played = Played(self.now)
        self.pool = self.new_pool("twitch")
        self.pools = {"twitch": self.pool}
        self.missing: dict[str, dict[str, str]] = {"kick": {}}
        self.timelines = Timelines(self.now, self.keys)
        self.cpu = 0.0
        #: Bytes free and in all.
        self.space = (600_000_000, 1_000_000_000)
        self.space_error: OSError | None = None
        self.settings = Settings(recorder=RecorderSettings(directory="/data"), **settings)
        self.status = Status(
            self.settings,
            self.recording.environment,
            self.recorder,
            self.uploads if uploader is None else uploader(self),
            self,
            self.timelines,
            Acknowledged(self.recording.files, "/data"),
            Vitals(self.clock, lambda: self.cpu, space=self._space),
        )
        for n in range(rooms):
            self.add(f"room{n}")

    def new_pool(self, platform: str) -> Pool:
        def added(platform: str, room: Room) -> None:
            room.timeline = self.timelines.of((platform, room.name))

        return self.played.pool(self.recording.environment, platform=platform, added=added)

    def keys(self) -> set[tuple[str, str]]:
        """The rooms that are to be recorded."""
        rooms: list[tuple[str, Iterable[str]]] = [*self.missing.items()]
        rooms += [(platform, pool.rooms) for platform, pool in self.pools.items()]
        return {(platform, name) for platform, names in rooms for name in names}

    @property
    def links(self) -> list[Connection]:
        return self.played.connections

    def _space(self, directory: str) -> tuple[int, int]:
        assert directory == "/data"
        if self.space_error is not None:
            raise self.space_error
        return self.space

    def now(self) -> float:
        return self.recording.now()

    def add(self, name: str, platform: str = "twitch") -> None:
        self.pools[platform].add(Room(name, self.recorder.room(platform, name), f"id of {name}"))

    def start(self) -> Scene:
        for pool in self.pools.values():
            pool.startService()
        self.status.startService()
        return self

    def stop(self) -> None:
        self.status.stopService()
        for pool in self.pools.values():
            pool.stopService()

    def advance(self, seconds: float) -> None:
        self.recording.advance(seconds)

    def recorded(self) -> Scene:
        """Every connection is up, and every room acknowledged."""
        for pool in self.pools.values():
            for link in pool.connections:
                self.up(link)
        return self

    def up(self, link: Connection) -> None:
        self.played.recorded(link)

    def down(self, link: Connection, reason: str = "connection lost", ago: float = 0.0) -> None:
        self.played.down(link, self.now() - ago, reason)

    def say(self, room: str, lines: int = 1) -> None:
        """So many messages arrive in a room; they are written at the next tick."""
        for n in range(lines):
            self.recorder.room("twitch", room).append(b'{"message":"%d"}\n' % n)

    def facts(self, rooms: bool = False) -> dict[str, Any]:
        return self.status.snapshot(rooms)

    def room(self, name: str, platform: str = "twitch") -> dict[str, Any]:
        found = self.status.room(platform, name)
        assert found is not None
        return found

    def platform(self) -> dict[str, Any]:
        found: dict[str, Any] = self.facts()["platforms"][0]
        return found
