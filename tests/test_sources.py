"""Platforms whose rooms come and go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.recorder.buffers import KEPT, RoomBuffers
from chatlog.sources import Platforms, Shared, Source
from tests.fakes import environment


class FakePlatform:
    """Its rooms are names."""

    def settings(self) -> object:
        return None

    def source(self, settings: object, shared: Shared) -> Source:
        rooms: dict[str, Any] = {}
        records = shared.records_of("toy")
        pool: Any = SimpleNamespace(rooms=rooms)
        return Source(
            Service(),
            pool,
            lambda name: rooms.setdefault(name, records(name)),
            lambda name: rooms.pop(name, None),
            {},
        )


class RoomsTests(SynchronousTestCase):
    """What is kept of rooms that were removed."""

    def setUp(self) -> None:
        self.clock, self.buffers = Clock(), RoomBuffers()
        nothing: Any = None
        shared = Shared(environment(self.clock), nothing, "/data", nothing, self.buffers, nothing)
        registry: Any = {"toy": FakePlatform()}
        settings: Any = SimpleNamespace(platforms={})
        self.platforms = Platforms(registry, settings, shared, MultiService(), ())
        self.platforms.add("toy", "stays")

    def test_rooms_come_and_go(self) -> None:
        """However many rooms are added and removed over the years, only those of the last day take memory
        besides those that are recorded."""
        for hour in range(1000):
            self.platforms.add("toy", f"r{hour}")
            self.clock.advance(3600)
            self.platforms.remove("toy", f"r{hour}")
            self.buffers.forget(self.clock.seconds())
        self.assertEqual(len(self.buffers), 1 + KEPT / 3600)

    def test_dismissed(self) -> None:
        """A room that was in no pool, and of which a last gap was written, takes no memory either."""
        self.platforms.dismissed = self.buffers.room
        self.platforms.remove("toy", "gone")
        self.assertEqual(len(self.buffers), 2)
        self.clock.advance(KEPT)
        self.buffers.forget(self.clock.seconds())
        self.assertEqual([room.channel for room in self.buffers], ["stays"])

    def test_back_again(self) -> None:
        """A room that comes back is never forgotten, and has its figures of before."""
        before = self.buffers.room("toy", "stays")
        self.platforms.remove("toy", "stays")
        self.clock.advance(KEPT - 1)
        self.buffers.forget(self.clock.seconds())
        self.platforms.add("toy", "stays")
        self.clock.advance(KEPT)
        self.buffers.forget(self.clock.seconds())
        self.assertIs(self.buffers.room("toy", "stays"), before)
