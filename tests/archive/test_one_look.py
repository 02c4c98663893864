"""A question about many rooms looks at a store that is far away once: whatever happens there meanwhile, each
record is found once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.bundles import Bundles
from chatlog.archive.listings import Room
from chatlog.archive.opening import Archive
from chatlog.archive.overview import Overview
from chatlog.archive.question import Question
from chatlog.naming import BundleName
from chatlog.record import from_json
from chatlog.store.directory_store import DirectoryStore
from chatlog.uploader.bundle_table import Slice, table_bytes
from tests.archive.world import MIDNIGHT, World, said
from tests.upkeep.test_expire import Cutting

HOUR, DAY = 3600.0, 86400.0
ROOMS: list[Room] = [("twitch", name) for name in ("a", "b", "c", "d", "e")]
#: The day before, the one after it, and half an hour of a third.
SINCE, UNTIL = MIDNIGHT - DAY, MIDNIGHT + DAY


class Look:
    """A question about all rooms, which were looked at as a whole."""

    def __init__(
        self,
        archive: Archive,
        is_indexed: Callable[[str], bool] = lambda day: False,
        since: float = SINCE,
    ) -> None:
        self._reader = archive.reader
        self._since = since
        self._moment = archive.reader.moment()
        archive.parts.list_ahead(since, UNTIL, self._moment, is_indexed)

    def of(self, room: Room) -> list[str]:
        answer = self._reader.ask(Question(room, self._since, UNTIL, moment=self._moment))
        found = [from_json(found.line)["message"] for found in answer]
        assert not answer.report.unread, answer.report.unread
        return found


class OneLookCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp(), MIDNIGHT + DAY + 1800.0)
        self.paths: dict[Room, list[str]] = {}
        for room in ROOMS:
            for day in (-1, 0):
                for hour in (1, 2):
                    at = MIDNIGHT + day * DAY + hour * HOUR
                    path = self.world.put(at, [said(at, f"{room[1]} {day} {hour}")], room=room)
                    self.paths.setdefault(room, []).append(path)
        self.counted = Cutting(DirectoryStore(self.world.archive))
        self.world.store = self.counted  # type: ignore[assignment]
        self.archive = self.world.opened()

    def expected(self, room: Room) -> list[str]:
        return [f"{room[1]} {day} {hour}" for day in (-1, 0) for hour in (1, 2)]

    def lists(self) -> Counter[str]:
        """How often each prefix was listed since the last time."""
        asked = [key for name, key in self.counted.calls if name in ("list", "folders")]
        found = Counter(key for key in asked if not key.startswith("optout"))
        self.counted.calls.clear()
        return found


class RequestTests(OneLookCase):
    def test_however_long_it_takes(self) -> None:
        """Each day is listed once, and the bundles of each month, though minutes go by from room to room and
        none of the days is over for long."""
        look = Look(self.archive)
        days = ["2025/12/27/", "2025/12/28/", "2025/12/29/", "2025/12/30/"]
        self.assertEqual(self.lists(), Counter([*days, "bundle/2025/12/"]))
        for room in ROOMS:
            self.assertEqual(look.of(room), self.expected(room))
            self.world.now += 100.0
        self.assertEqual(self.lists(), Counter())

    def test_the_next_one(self) -> None:
        """The next question lists again what may have changed: days of which all is not stored yet."""
        self.world.now = MIDNIGHT + 2.5 * DAY
        Look(self.archive)
        self.lists()
        self.world.now += 30.0
        look = Look(self.archive)
        # Older days do not change by themselves.
        days = ["2025/12/29/", "2025/12/30/"]
        self.assertEqual(self.lists(), Counter([*days, "bundle/2025/12/"]))
        at = MIDNIGHT + 3 * HOUR
        self.world.put(at, [said(at, "late")], room=ROOMS[0])
        self.assertEqual(look.of(ROOMS[0]), self.expected(ROOMS[0]))
        self.world.now += 60.0
        self.assertEqual(Look(self.archive).of(ROOMS[0]), [*self.expected(ROOMS[0]), "late"])

    def test_a_moment_later(self) -> None:
        """What was seen a moment before a question is good enough for it, as long as that takes."""
        Look(self.archive)
        self.world.now += 3.0
        self.lists()
        look = Look(self.archive)
        for room in ROOMS:
            self.world.now += 100.0
            self.assertEqual(look.of(room), self.expected(room))
        self.assertEqual(self.lists(), Counter())

    def test_a_young_archive(self) -> None:
        """Of a month of a single room only the days are listed that the archive has, and the one after it."""
        question = Question(ROOMS[0], UNTIL - 30 * DAY, UNTIL)
        self.assertEqual(len(list(self.archive.reader.ask(question))), 4)
        listed = self.lists()
        self.assertEqual(len([key for key in listed if key.endswith("twitch/a/")]), 3, listed)
        # All rooms together: each day once, and the bundles of two months.
        look = Look(self.archive, since=UNTIL - 30 * DAY)
        self.assertEqual(len(self.lists()), 32 + 2)
        self.assertEqual(look.of(ROOMS[1]), self.expected(ROOMS[1]))
        self.assertEqual(self.lists(), Counter())

    def test_a_single_room(self) -> None:
        """What was listed for a question is not listed again for a part of it, but for the next one."""
        for times in (1, 2):
            moment = self.archive.reader.moment()
            for _ in range(3):
                question = Question(ROOMS[0], SINCE, UNTIL, moment=moment)
                self.assertEqual(len(list(self.archive.reader.ask(question))), 4)
                self.world.now += 100.0
            self.assertEqual(self.lists()["2025/12/29/twitch/a/"], 1, times)

    def test_too_many_files(self) -> None:
        """Of more files than fit into memory the latest are kept."""
        overview = Overview(self.counted, Bundles(self.counted), lambda: self.world.now, 15)
        days = ["2025-12-28", "2025-12-29"]
        overview.list_days(days, days)
        kept = [seen.objects(ROOMS[0]) for day in days if (seen := overview.of_day(day)) is not None]
        self.assertEqual([None if own is None else len(own) for own in kept], [None, 2])
        overview.list_days(days[:1], days[:1])
        overview.list_days(days[1:], days[1:])
        kept = [seen.objects(ROOMS[0]) for day in days if (seen := overview.of_day(day)) is not None]
        self.assertEqual([None if own is None else len(own) for own in kept], [None, 2])

    def test_the_first_day(self) -> None:
        """Since when a room is recorded takes few requests, also of many days, and none for days of which it
        is known that the room has nothing."""
        self.assertEqual(self.archive.parts.first_day(ROOMS[0]), "2025-12-28")
        self.assertEqual(self.lists()["2025/12/29/twitch/a/"], 0)
        moment = self.archive.reader.moment()
        Look(self.archive)
        self.lists()
        self.assertIsNone(self.archive.parts.first_day(("twitch", "nobody"), moment))
        self.assertEqual(sum(self.lists().values()), 0)


class MeanwhileTests(OneLookCase):
    """Something happens between the look and a room's turn."""

    def assert_all(self, look: Look) -> None:
        for room in ROOMS:
            self.assertEqual(sorted(look.of(room)), sorted(self.expected(room)))

    def test_uploaded(self) -> None:
        """A file that was in the spool at the look is found in the store."""
        at = MIDNIGHT + 5 * HOUR
        line = said(at, "uploaded")
        spooled = self.world.spooled("sealed", at, [line])
        look = Look(self.archive)
        self.world.put(at, [line])
        os.unlink(spooled)
        self.lists()
        self.assertEqual(look.of(ROOMS[0]), [*self.expected(ROOMS[0]), "uploaded"])
        self.assertEqual(self.lists()["2025/12/29/twitch/a/"], 1)
        # Only that room's day is listed again.
        for room in ROOMS[1:]:
            self.assertEqual(look.of(room), self.expected(room))
        self.assertEqual(self.lists(), Counter())

    def test_erased(self) -> None:
        """What was replaced is read in its new place, and once."""
        look = Look(self.archive)
        at = MIDNIGHT + HOUR
        self.world.put(at, [said(at, "a 0 1")], n=2)
        os.unlink(self.paths[ROOMS[0]][2])
        self.assert_all(look)

    def test_bundled(self) -> None:
        """What went into a bundle is read there, and once: before the objects are deleted, and after."""
        for whole in (True, False):
            self.setUp()
            look = Look(self.archive)
            for room, paths in self.paths.items():
                self.bundle(room, paths)
                for path in paths[not whole :]:
                    os.unlink(path)
            self.assert_all(look)
            self.world.now += 60.0
            self.assert_all(Look(self.archive))

    def bundle(self, room: Room, paths: list[str]) -> None:
        bundle = BundleName("202512", *room).key(".zst")
        slices, data = [], b""
        for path in paths:
            own = Path(path).read_bytes()
            slices.append(Slice("/".join(Path(path).parts[-6:]), bundle, len(data), len(own)))
            data += own
        DirectoryStore(self.world.archive).put_new(bundle, data + table_bytes(slices), {})
