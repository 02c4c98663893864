"""When a room was recorded at all costs nothing to know where it has files, and little where it has none."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.day_book import DayBook
from chatlog.archive.gaps import Gap
from chatlog.archive.recordings import BETWEEN, NO_LONGER, Recordings
from chatlog.store.directory_store import DirectoryStore
from chatlog.uploader.manifest_rows import LOST, HeadRow, RoomRow, Row, Span, encoded
from tests.archive.world import MIDNIGHT, ROOM, World, said
from tests.upkeep.test_expire import Cutting

HOUR, DAY = 3600.0, 86400.0


class RecordingsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp(), MIDNIGHT + 3 * DAY)
        self.counted = Cutting(DirectoryStore(self.world.archive))

    def files(self, *hours: int) -> None:
        for hour in hours:
            at = MIDNIGHT + hour * HOUR
            self.world.put(at, [said(at, "hi"), said(at + 1800.0, "there")])

    def manifest(self, since: float, until: float, *rows: Row, instance: str = "main") -> None:
        """One of some hours after midnight."""
        start = MIDNIGHT + since * HOUR
        head = HeadRow(start, MIDNIGHT + until * HOUR, "1", instance)
        name = f"{instance}_202512{29 + int(since // 24)}_{int(since % 24):02}00.jsonl"
        key = f"manifest/2025/12/{29 + int(since // 24)}/{name}"
        self.world.store.put_new(key, b"".join(encoded(row) for row in (head, *rows)), {})

    def opened(self) -> Recordings:
        self.world.store = self.counted  # type: ignore[assignment]
        archive = self.world.opened()
        now = lambda: self.world.now  # noqa: E731
        return Recordings(archive.parts, DayBook(archive.store, now), archive.retention, now)

    def gaps(self, since: float, until: float, *known: Gap) -> list[tuple[float, float, str]]:
        found = self.opened().gaps(ROOM, MIDNIGHT + since * HOUR, MIDNIGHT + until * HOUR, known)
        return [
            (round((gap.since - MIDNIGHT) / HOUR, 2), round((gap.until - MIDNIGHT) / HOUR, 2), gap.reason)
            for gap in found
        ]

    def reads(self) -> list[str]:
        """What was read or listed of manifests, and read of records."""
        return [
            key
            for name, key in self.counted.calls
            if key.startswith("manifest/") or (name == "read" and key.startswith("2025"))
        ]


class CostTests(RecordingsCase):
    def test_a_busy_room(self) -> None:
        """Where files follow each other, and go on behind the time, none of them is read, and no manifest."""
        self.files(*range(48))
        self.assertEqual(self.gaps(2, 40), [])
        self.assertEqual(self.reads(), [])

    def test_up_to_the_last_record(self) -> None:
        """Nor is one where the time ends with the last record."""
        self.files(*range(10))
        self.assertEqual(self.gaps(2, 9.5), [])
        self.assertEqual([key for key in self.reads() if key.startswith("manifest/")], [])

    def test_told_by_a_gap_record(self) -> None:
        """Where a gap record tells all of a time without files, neither is a manifest."""
        self.files(0, 1, *range(20, 30))
        hole = Gap(MIDNIGHT + 1.5 * HOUR, MIDNIGHT + 20 * HOUR, "restart")
        self.assertEqual(self.gaps(1, 29, hole), [(1.5, 20.0, "restart")])
        self.assertEqual([key for key in self.reads() if key.startswith("manifest/")], [])

    def test_a_quiet_room(self) -> None:
        """Manifests are read once for all questions about a day."""
        self.files(0, 12)
        for hour in range(24):
            self.manifest(hour, hour + 1, RoomRow(*ROOM, HOUR, 0.0, ""))
        recordings = self.opened()
        for _ in range(3):
            found = recordings.gaps(ROOM, MIDNIGHT, MIDNIGHT + DAY, ())
            self.assertEqual(found, [])
        self.assertEqual(len([key for key in self.reads() if "/main_" in key]), 24)


class SpansTests(RecordingsCase):
    """What rows of manifests say."""

    def put_row(
        self, seconds: float, missing: float, reason: str, spans: tuple[Span, ...] | None = None
    ) -> None:
        gaps = ((0.0, missing),) if spans is not None and missing else ()
        self.manifest(12, 13, RoomRow(*ROOM, seconds, missing, reason, spans=spans, gaps=gaps))

    def test_rows(self) -> None:
        """A room came in an hour, left in it, was handed over, was missing at its end, or all the time."""
        table: list[tuple[float, float, str, tuple[Span, ...] | None, list[tuple[float, float, str]]]] = [
            (HOUR, 0.0, "", None, [(0.5, 12.0, BETWEEN), (13.0, 40.0, BETWEEN)]),
            (1800.0, 0.0, "", None, [(0.5, 12.5, BETWEEN), (13.0, 40.0, BETWEEN)]),
            (1800.0, 0.0, "removed", None, [(0.5, 12.0, BETWEEN), (12.5, 40.0, BETWEEN)]),
            (1800.0, 0.0, "handed over", ((900.0, 2700.0),), [(0.5, 12.25, BETWEEN), (12.75, 40.0, BETWEEN)]),
            (2700.0, 900.0, "", None, [(0.5, 12.0, BETWEEN), (13.0, 40.0, BETWEEN)]),
            (
                2700.0,
                900.0,
                "full",
                None,
                [(0.5, 12.0, BETWEEN), (12.75, 13.0, "full"), (13.0, 40.0, BETWEEN)],
            ),
            (0.0, HOUR, "full", None, [(0.5, 12.0, BETWEEN), (12.0, 13.0, "full"), (13.0, 40.0, BETWEEN)]),
            (
                1800.0,
                1800.0,
                "full",
                ((1800.0, 3600.0),),
                [(0.5, 12.0, BETWEEN), (12.0, 12.5, "full"), (13.0, 40.0, BETWEEN)],
            ),
        ]
        for seconds, missing, reason, spans, found in table:
            self.setUp()
            self.files(0, 40)
            self.put_row(seconds, missing, reason, spans)
            self.assertEqual(self.gaps(0, 40.4), found, (seconds, missing, reason))

    def test_recorders_that_take_turns(self) -> None:
        """A room that was handed over was recorded by one of them at any time."""
        self.files(0)
        self.manifest(0, 12, RoomRow(*ROOM, 12 * HOUR, 0.0, ""), instance="a")
        self.manifest(12, 24, RoomRow(*ROOM, 12 * HOUR, 0.0, ""), instance="b")
        self.assertEqual(self.gaps(0, 30), [(24.0, 30.0, NO_LONGER)])

    def test_young(self) -> None:
        """Of the time in which a manifest may still come nobody says that it was not recorded, and nobody
        that it was."""
        self.files(0)
        for hours, found, is_known in ((2, [], False), (3, [(0.5, 0.5, NO_LONGER)], True)):
            self.world.now = MIDNIGHT + hours * HOUR + 60.0
            end = (self.world.now - MIDNIGHT) / HOUR
            expected = [] if not found else [(0.5, round(end - LOST / HOUR, 2), NO_LONGER)]
            self.assertEqual(self.gaps(0, end), expected)
            self.assertEqual(self.opened().is_known(ROOM, MIDNIGHT + 0.51 * HOUR), is_known)
            self.assertTrue(self.opened().is_known(ROOM, MIDNIGHT + 0.4 * HOUR))

    def test_at_midnight(self) -> None:
        """A day is told of as soon as the manifest of its last hour is there."""
        self.files(0)
        self.world.now = MIDNIGHT + DAY + 60.0
        self.assertFalse(self.opened().is_known(ROOM, MIDNIGHT + DAY))
        self.manifest(23, 24, RoomRow(*ROOM, HOUR, 0.0, ""))
        self.assertTrue(self.opened().is_known(ROOM, MIDNIGHT + DAY))


class LongTests(RecordingsCase):
    def test_many_quiet_nights(self) -> None:
        """A question about weeks reads the manifests of some days alone, and finds the longest hole."""
        self.world.now = MIDNIGHT + 80 * DAY
        for day in range(60):
            if not 20 <= day < 30:
                self.files(*(24 * day + hour for hour in (10, 12, 14, 16, 18)))
        for day in range(60):
            if not 20 <= day < 30:
                since = MIDNIGHT + day * DAY
                month = "2025/12" if day < 3 else ("2026/01" if day < 34 else "2026/02")
                number = day + 29 if day < 3 else (day - 2 if day < 34 else day - 33)
                name = f"main_{month.replace('/', '')}{number:02}_0000.jsonl"
                rows = HeadRow(since, since + DAY, "1", "main"), RoomRow(*ROOM, DAY, 0.0, "")
                data = b"".join(encoded(row) for row in rows)
                self.world.store.put_new(f"manifest/{month}/{number:02}/{name}", data, {})
        found = self.gaps(0, 59 * 24)
        self.assertEqual(found, [(20 * 24.0, 30 * 24.0, BETWEEN)])
        self.assertLess(len({key for key in self.reads() if "/main_" in key}), 30)
