"""Files that come into a spool and leave it while an archive is read for years."""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.room_files import Parts
from chatlog.archive.spooled import Spooled
from chatlog.naming import FileName
from tests.fakes import MemoryFiles

ROOM = "twitch", "ann"
#: The minute of a file.
HOUR = "20251229_{:02}00"


class FakeCatalog:
    """Notes what is to be listed anew."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def forget(self, room: tuple[str, str], minute: str) -> None:
        self.forgotten.append(f"{room[1]} {minute}")

    def list_ahead(self, *of: object) -> None:
        """Nothing."""

    def objects(self, *of: object) -> list[Any]:
        return []


class SpooledTests(SynchronousTestCase):
    """An archive beside a recorder."""

    def setUp(self) -> None:
        self.catalog, self.files = FakeCatalog(), MemoryFiles()
        self.parts = Parts(cast(Any, self.catalog), self.files, "/data")

    def look(self) -> None:
        """Somebody asks about many rooms."""
        self.parts.list_ahead(0.0, 1.0, 1, lambda day: True)

    def test_come_and_go(self) -> None:
        """However many files have been in the spool, those that are there are remembered, also if nobody asks
        for their rooms; each of the others is looked for in the store once."""
        for number in range(1000):
            path = f"/data/sealed/twitch_room{number}_{HOUR.format(number % 24)}.jsonl"
            self.files.put(path, b"")
            self.look()
            self.assertEqual(len(self.parts.spooled), 1)
            self.files.remove(path)
        self.look()
        self.assertEqual(len(self.parts.spooled), 0)
        self.assertEqual(len(self.catalog.forgotten), 1000)

    def test_one_room(self) -> None:
        """The same for who asks for single rooms only."""
        for hour in range(24):
            self.files.put(f"/data/open/twitch_ann_{HOUR.format(hour)}.jsonl", b"")
            self.parts.of_room(ROOM, 0.0, 1.0)
            self.files.rename(f"/data/open/twitch_ann_{HOUR.format(hour)}.jsonl", "/data/open/elsewhere.tmp")
        self.parts.of_room(ROOM, 0.0, 1.0)
        self.assertEqual(len(self.parts.spooled), 0)
        self.assertEqual(self.catalog.forgotten, [f"ann {HOUR.format(hour)}" for hour in range(24)])

    def test_seen_by_another(self) -> None:
        """What another thread has seen while the spool was listed is not gone, and is missed once it is."""
        spooled, name = Spooled(cast(Any, self.catalog)), FileName(*ROOM, HOUR.format(5))
        before = spooled.before()
        spooled.saw(spooled.of(ROOM), {ROOM: [name]})
        spooled.saw(before, {})
        self.assertEqual((len(spooled), self.catalog.forgotten), (1, []))
        spooled.saw(spooled.before(), {})
        self.assertEqual((len(spooled), self.catalog.forgotten), (0, [f"ann {name.minute}"]))
