"""The problems that a verification finds: every way in which an archive can be broken, none in a good one."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import FileName
from chatlog.record import encode_basic, encode_full
from chatlog.rooms.gap import gap_line
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import (
    ARCHIVED,
    CLOCK,
    CORRUPT,
    OBJECT,
    REFUSED,
    TRANSIENT,
    UNSUPPORTED,
    Head,
    StoreError,
)
from chatlog.timeline.timeline import Gap
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem
from chatlog.verify.index_rows import RoomDayRow
from chatlog.verify.object_check import Named, RoomDayCheck
from chatlog.verify.scope import Scope, Watcher
from chatlog.verify.verify import Verification
from tests.sample_archive import HOUR, MIDNIGHT, Archive, message

#: Two days later.
LATER = MIDNIGHT + 48 * HOUR


class Told(Watcher):
    """Records its calls."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.read = 0

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def reading(self, size: int) -> None:
        self.read += size


class VerifyCase(SynchronousTestCase):
    suffix = ".zst"

    def setUp(self) -> None:
        self.archive = Archive(self.mktemp(), self.suffix)
        self.now = MIDNIGHT + 4 * HOUR + 60
        self.rooms: list[RoomDayRow] = []
        self.reasons: dict[str, float] = {}

    def look(self, store: Any = None, **scope: Any) -> list[Problem]:
        """All problems of the archive, sorted."""
        told = Told()
        index = ArchiveIndex()
        self.addCleanup(index.close)
        store = store or DirectoryStore(self.archive.root)
        self.slept: list[float] = []
        self.run_ = Verification(store, Scope(**scope), index, told, self.now, self.slept.append)
        self.totals = self.run_.run()
        self.rooms = list(index.rooms())
        self.reasons = dict(index.reasons())
        self.assertEqual(sum(self.totals.problems.values()), len(told.problems))
        self.read = told.read
        self.notes = told.notes
        return sorted(told.problems)

    def only(self, **scope: Any) -> Problem:
        """The one problem that there is."""
        problems = self.look(**scope)
        self.assertEqual(len(problems), 1, problems)
        return problems[0]


class WholeTests(VerifyCase):
    def test_whole(self) -> None:
        """An archive as a recorder leaves it is fine: what was stored after the latest manifest is in none
        yet. How much there is, is counted."""
        self.archive.fill()
        self.assertEqual(self.look(), [])
        self.assertTrue(self.totals.fine)
        self.assertEqual((self.totals.manifests, self.totals.objects, self.totals.pending), (4, 8, 2))
        self.assertEqual(self.totals.lines, 160)
        self.assertEqual(self.read, sum(row.bytes for row in self.archive.objects))

    def stored_late(self, row: ObjectRow, at: float) -> None:
        """The store says that the object came then."""
        os.utime(self.archive.path(row.key), (at, at))

    def test_stored_late(self) -> None:
        """A file that could only be stored hours after it was finished is in none before the next hour; if it
        is not in that one either, that is a problem."""
        for hour in range(3):
            self.archive.manifest(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, [])
        row = self.archive.store(MIDNIGHT + HOUR, "a", [message(1, "a", MIDNIGHT + HOUR)])
        self.stored_late(row, MIDNIGHT + 3 * HOUR + 600)
        self.now = MIDNIGHT + 3 * HOUR + 1800
        self.assertEqual((self.look(), self.totals.pending), ([], 1))
        self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, [])
        self.now = MIDNIGHT + 5 * HOUR + 1200
        self.assertEqual([problem.kind for problem in self.look()], ["unnamed-object"])

    def test_files_of_a_day(self) -> None:
        """Nor does anybody have to know for how long files were written to."""
        for hour in range(24):
            self.archive.manifest(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, [])
        row = self.archive.store(MIDNIGHT, "a", [message(1, "a", MIDNIGHT)])
        self.stored_late(row, MIDNIGHT + 24 * HOUR + 5)
        self.now = MIDNIGHT + 24 * HOUR + 1800
        self.assertEqual((self.look(), self.totals.pending), ([], 1))

    def test_compressions(self) -> None:
        """The same with gzip, and without compression."""
        for suffix in (".gz", ""):
            self.archive = Archive(self.mktemp(), suffix)
            self.archive.fill()
            self.assertEqual(self.look(), [])
            self.assertEqual(self.totals.lines, 160)

    def test_names_of_earlier_versions(self) -> None:
        """An archive in which an earlier version numbered some files, in its own way, is as good; what is
        wrong with these files is found."""
        rows = [
            self.archive.store(MIDNIGHT, "a", self.archive.messages("a", MIDNIGHT), n=n, old=n == 2)
            for n in (1, 2, 3)
        ]
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, rows)
        self.assertEqual((self.look(), self.totals.lines), ([], 60))
        os.remove(self.archive.path(rows[1].key))
        self.assertEqual([problem.kind for problem in self.look()], ["missing-object"])

    def test_empty(self) -> None:
        """Nothing at all is no problem."""
        self.assertEqual(self.look(), [])

    def test_strangers(self) -> None:
        """Files that no recorder made are counted and left alone."""
        self.archive.fill()
        self.archive.put("README.txt", b"mine")
        self.archive.put("2025/12/29/twitch/a/twitch_b_20251229_0000.jsonl", b"not here")
        self.archive.put("manifest/2025/12/29/notes.txt", b"mine")
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.unknown_files, 3)

    def test_away_and_back(self) -> None:
        """A recorder that was away has one manifest for all that time, so no manifest is missing."""
        row = self.archive.store(MIDNIGHT, "a", self.archive.messages("a", MIDNIGHT))
        self.archive.manifest(MIDNIGHT, MIDNIGHT + 30 * HOUR, [row])
        self.archive.manifest(MIDNIGHT + 30 * HOUR, MIDNIGHT + 31 * HOUR, [])
        self.assertEqual(self.look(), [])
        # Half of it on each day.
        rooms = {(row.channel, row.day): row.recorded for row in self.rooms}
        self.assertEqual(rooms["a", "2025-12-29"], 24 * HOUR)
        self.assertEqual(rooms["a", "2025-12-30"], 7 * HOUR)


class BrokenTests(VerifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.manifests = self.archive.fill()
        self.row = self.archive.objects[2]

    def test_deleted_object(self) -> None:
        """An object that was deleted is missed."""
        os.unlink(self.archive.path(self.row.key))
        found = self.only()
        self.assertEqual((found.kind, found.key), ("missing-object", self.row.key))

    def test_flipped_byte(self) -> None:
        """A byte that changed is found, wherever it is."""
        whole = self.archive.read(self.row.key)
        for place in (4, len(whole) // 2, len(whole) - 1):
            data = bytearray(whole)
            data[place] ^= 1
            self.archive.put(self.row.key, bytes(data))
            problems = self.look()
            self.assertIn(("altered-object", self.row.key), [problem[:2] for problem in problems], place)

    def test_flipped_byte_without_compression(self) -> None:
        """Without compression a changed letter makes another valid record, and the digest shows it."""
        self.archive = Archive(self.mktemp(), "")
        self.archive.fill()
        row = self.archive.objects[0]
        self.archive.put(row.key, self.archive.read(row.key).replace(b'"ann"', b'"bob"', 1))
        self.assertEqual(self.only()[:2], ("altered-object", row.key))

    def test_other_size(self) -> None:
        """An object that became longer is found without being read."""
        self.archive.put(self.row.key, self.archive.read(self.row.key) + b"more")
        found = self.only(read=False)
        self.assertEqual(found.kind, "altered-object")
        self.assertEqual(self.read, 0)

    def test_doubled_line(self) -> None:
        """A record that is there twice on a day is found and both places are named, in one object or in
        two, also if the manifest knows the objects as they are."""
        doubled = message(20, "a", MIDNIGHT)
        self.archive.objects[2] = self.archive.store(
            MIDNIGHT + HOUR, "a", [message(900, "a", MIDNIGHT), doubled]
        )
        self.archive.manifest(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR, self.archive.objects[2:4])
        found = self.only()
        self.assertEqual(found[:3], ("duplicate", self.row.key, 2))
        self.assertIn("id-20 is in twitch_a_20251229_0000.jsonl.zst:1 already", found.what)

    def test_truncated_zstd(self) -> None:
        """A compressed object that is cut off is found as such, even if it was stored like that."""
        self.archive.put(self.row.key, self.archive.read(self.row.key)[:-20])
        kinds = [problem.kind for problem in self.look()]
        self.assertEqual(kinds, ["altered-object", "unreadable-object"])
        data = self.archive.read(self.row.key)
        self.archive.suffix = ""
        row = self.archive.store(MIDNIGHT + HOUR, "a", [data])
        self.archive.suffix = ".zst"
        os.unlink(self.archive.path(row.key))
        named = row._replace(key=self.row.key)
        self.archive.manifest(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR, [named, self.archive.objects[3]])
        self.assertEqual(self.only().kind, "unreadable-object")

    def test_missing_manifest(self) -> None:
        """A manifest that was deleted is missed, whichever it is; what only it named is listed."""
        for index, manifest in enumerate(self.manifests):
            data = self.archive.read(manifest)
            os.unlink(self.archive.path(manifest))
            self.now = LATER
            found = self.look(until=date(2025, 12, 29))
            kinds = {problem.kind for problem in found}
            if 0 < index < 3:
                self.assertIn("missing-manifest", kinds, index)
                hole = next(problem for problem in found if problem.kind == "missing-manifest")
                self.assertIn(f"T0{index}:00:00Z to 2025-12-29T0{index + 1}:00:00Z", hole.what)
            if index > 0:
                unnamed = [problem.key for problem in found if problem.kind == "unnamed-object"]
                for row in self.archive.objects[2 * index - 2 : 2 * index]:
                    self.assertIn(row.key, unnamed, index)
            self.archive.put(manifest, data)

    def test_no_manifests(self) -> None:
        """Without any manifest, what is older than two hours is in none."""
        for manifest in self.manifests:
            os.unlink(self.archive.path(manifest))
        kinds = [problem.kind for problem in self.look()]
        self.assertEqual(kinds, ["unnamed-object"] * 4)
        self.assertEqual(self.totals.pending, 4)

    def test_unnamed_object(self) -> None:
        """An object that no manifest names is reported if its hour has a manifest."""
        row = self.archive.store(MIDNIGHT + 60, "a", [message(901, "a", MIDNIGHT)])
        self.assertEqual(self.only()[:2], ("unnamed-object", row.key))

    def test_broken_manifest(self) -> None:
        """A damaged manifest is reported with the row, and the rows before it still count."""
        for data in (b"", b"\x28\xb5\x2f\xfd garbage", self.archive.read(self.manifests[2])[:-9]):
            self.archive.put(self.manifests[2], data)
            kinds = [problem.kind for problem in self.look()]
            self.assertIn("invalid-manifest", kinds)

    def test_manifests_that_disagree(self) -> None:
        """Two manifests that give one object other bytes cannot both be right."""
        other = self.row._replace(sha256="0" * 64)
        self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, [*self.archive.objects[4:6], other])
        self.assertEqual(self.only().kind, "invalid-manifest")

    def test_hostile_manifest(self) -> None:
        """A manifest that names something outside of the archive leads nowhere."""
        for key in ("../../etc/passwd", "/etc/passwd", "2025/12/29/twitch/a/../../x.jsonl"):
            row = self.row._replace(key=key)
            self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, [*self.archive.objects[4:6], row])
            self.assertEqual(self.only().kind, "invalid-manifest")

    def test_numbers_without_sense(self) -> None:
        """A manifest with absurd numbers is a damaged one."""
        rows = [*self.archive.objects[4:6], self.row._replace(lines=1 << 63)]
        self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, rows)
        self.assertEqual(self.only().kind, "invalid-manifest")


class LineTests(VerifyCase):
    """What is in an object."""

    suffix = ""

    def lines(self, *lines: bytes, channel: str = "a", platform: str = "twitch") -> list[Problem]:
        row = self.archive.store(MIDNIGHT, channel, list(lines), platform)
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, [row])
        return self.look()

    def test_invalid_lines(self) -> None:
        """Every line that is not a record of the room is reported, with its number and the reason."""
        good = message(1, "a", MIDNIGHT)
        record = orjson.loads(good)
        cases: list[tuple[bytes, str]] = [
            (b"\n", "an empty line"),
            (b"{]\n", "no JSON"),
            (b"[1]\n", "no JSON object"),
            (b"[" * 100_000 + b"\n", ""),
            (good.replace(b'"username"', b'"user"'), "other keys"),
            (orjson.dumps({**record, "more": 1}) + b"\n", "other keys"),
            (
                orjson.dumps({**record, "timestamp": "2025-13-01T00:00:00.000Z"}) + b"\n",
                "timestamp is not a time",
            ),
            (orjson.dumps({**record, "timestamp": 5}) + b"\n", "timestamp is not text"),
            (orjson.dumps({**record, "received": "today"}) + b"\n", "received is not a time"),
            (orjson.dumps({**record, "channel": "b"}) + b"\n", "another channel"),
            (orjson.dumps({**record, "platform": "kick"}) + b"\n", "another platform"),
            (orjson.dumps({**record, "type": "huh"}) + b"\n", "unknown type"),
            (orjson.dumps({**record, "details": []}) + b"\n", "details is not an object"),
            (orjson.dumps({**record, "user_id": 7}) + b"\n", "user_id is not text"),
            (orjson.dumps({**record, "type": "gap", "id": ""}) + b"\n", "a gap without"),
            (good[:-1], "no end"),
        ]
        for line, what in cases:
            problems = self.lines(message(0, "a", MIDNIGHT), line)
            self.assertEqual([problem[::2] for problem in problems], [("invalid-line", 2)], line[:80])
            self.assertIn(what, problems[0].what)

    def test_many_invalid_lines(self) -> None:
        """Of thousands of invalid lines a few are reported and all are counted."""
        row = self.archive.store(MIDNIGHT, "a", [b"?\n"] * 5000)
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, [row])
        told = Told()
        index = ArchiveIndex()
        self.addCleanup(index.close)
        run = Verification(DirectoryStore(self.archive.root), Scope(), index, told, self.now)
        self.assertEqual(run.run().problems["invalid-line"], 5000)
        self.assertEqual(len(told.problems), 10)

    def test_odd_records(self) -> None:
        """Half characters, texts with line separators and the records of basic detail are records."""
        odd: Any = ("2025-12-29T00:00:00.000Z", "a", "ann", "1", "\ud800 \u2028 \x85")
        more: Any = ("message", "x", "twitch", "7", "2025-12-29T00:00:00.000Z", {})
        self.assertEqual(self.lines(encode_full(*odd, *more), encode_basic(*odd, *more)), [])
        self.assertEqual(self.totals.lines, 2)

    def test_basic_detail_knows_no_doubles(self) -> None:
        """Without ids the same line twice may be true: one person says the same word twice within a second,
        and a platform that tells the second only gives both one time."""
        for time in ("2025-12-29T00:00:00.000Z", "2025-12-29T00:00:00.123Z"):
            self.archive = Archive(self.mktemp(), "")
            line = encode_basic(time, "a", "x", "1", "hi", "message", "", "", "", "", {})
            self.assertEqual(self.lines(*[line] * 30), [])

    def test_object_twice_in_basic_detail(self) -> None:
        """A whole object with the same lines as another of its instance is a double all the same; that of
        another instance is a copy, and a few lines in common are nothing."""
        for count, instance, kinds in ((20, "", ["duplicate"]), (20, "b", []), (9, "", [])):
            self.archive = Archive(self.mktemp(), "")
            lines = [
                encode_basic(
                    f"2025-12-29T00:00:{n:02}.000Z", "a", "x", "1", "hi", "message", "", "", "", "", {}
                )
                for n in range(count)
            ]
            row = self.archive.store(MIDNIGHT, "a", lines)
            self.archive.instance = instance
            again = self.archive.store(MIDNIGHT + 60, "a", lines)
            self.archive.instance = ""
            self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, [row, again])
            self.assertEqual([problem.kind for problem in self.look()], kinds, (count, instance))

    def test_copies_are_no_doubles(self) -> None:
        """Two instances that record one room have its events twice, which is meant so; one that has an event
        twice is told, by its own objects."""
        lines = self.archive.messages("a", MIDNIGHT, 5)
        rows = [self.archive.store(MIDNIGHT, "a", lines)]
        self.archive.instance = "b"
        rows += [self.archive.store(MIDNIGHT, "a", lines), self.archive.store(MIDNIGHT + 60, "a", lines[:2])]
        self.archive.instance = ""
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, rows)
        found = self.look()
        self.assertEqual([(problem.kind, problem.key) for problem in found], [("duplicate", rows[2].key)] * 2)
        self.assertIn("twitch_a_20251229_0000_b.jsonl:1 already", found[0].what)
        self.assertEqual(self.totals.copies, 5)

    def test_what_is_no_double(self) -> None:
        """Events that may well look the same are no doubles: settings of a room, bans, which have no id on
        Twitch, Kick's ids that are not the event's own, and a deletion of what was said."""

        def line(kind: str, id: str, platform: str, **details: Any) -> bytes:
            time = "2025-12-29T00:00:00.000Z"
            return encode_full(time, "a", "x", "1", "", kind, id, platform, "7", time, details)

        settings = line("room", "", "twitch", slow="0")
        ban = line("ban", "", "twitch", **{"tmi-sent-ts": "1"})
        self.assertEqual(self.lines(settings, settings, ban, ban), [])
        self.archive = Archive(self.mktemp(), "")
        poll = line("poll", "77", "kick")
        self.assertEqual(
            self.lines(
                poll, poll, line("message", "9", "kick"), line("delete", "9", "kick"), platform="kick"
            ),
            [],
        )


class CoverageTests(VerifyCase):
    def test_coverage(self) -> None:
        """Seconds recorded and missing come from the manifests, gaps and their reasons from the records."""
        self.archive.fill(4, missing=30.0)
        self.assertEqual(self.look(), [])
        a, b = self.rooms
        self.assertEqual(a, RoomDayRow("twitch", "a", "2025-12-29", 4 * HOUR, 0.0, 0, 0.0))
        self.assertEqual(b, RoomDayRow("twitch", "b", "2025-12-29", 4 * HOUR - 120, 120.0, 4, 120.0))
        self.assertEqual(a.coverage, 1.0)
        self.assertEqual(self.reasons, {"connection lost": 120.0})

    def test_gap_over_midnight(self) -> None:
        """A gap over midnight counts for both days with its seconds, and once as a gap."""
        hole = Gap(MIDNIGHT + 23 * HOUR, MIDNIGHT + 25 * HOUR, "restart")
        line = gap_line(encode_full, "twitch", "a", "7", hole)
        row = self.archive.store(MIDNIGHT + 25 * HOUR, "a", [line])
        self.archive.manifest(MIDNIGHT, MIDNIGHT + 26 * HOUR, [row])
        self.now = MIDNIGHT + 26 * HOUR
        self.assertEqual(self.look(), [])
        a = [row for row in self.rooms if row.channel == "a"]
        self.assertEqual([(row.day, row.gaps, row.gap_seconds) for row in a], [
            ("2025-12-29", 1, HOUR), ("2025-12-30", 0, HOUR)
        ])  # fmt: skip

    def test_endless_gap(self) -> None:
        """A gap record of thousands of years does not count, and takes no time."""
        hole = Gap(-30610224000.0, 253402300799.0, "clock")
        row = self.archive.store(MIDNIGHT, "a", [gap_line(encode_full, "twitch", "a", "7", hole)])
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, [row])
        self.assertEqual(self.look(), [])
        self.assertEqual(self.reasons, {})


class ScopeTests(VerifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.archive.fill(30)
        self.now = MIDNIGHT + 30 * HOUR + 60

    def test_days(self) -> None:
        """Only the requested days are checked, with objects of these days that were stored later."""
        self.assertEqual(self.look(until=date(2025, 12, 29)), [])
        self.assertEqual(self.totals.objects, 48)
        self.assertEqual({row.day for row in self.rooms}, {"2025-12-29"})
        self.assertEqual(self.look(since=date(2025, 12, 30)), [])
        self.assertEqual(self.totals.objects, 12)
        self.assertEqual(self.look(since=date(2025, 12, 28), until=date(2025, 12, 28)), [])
        self.assertEqual(self.totals.objects, 0)

    def test_rooms(self) -> None:
        """Only the requested rooms are checked."""
        os.unlink(self.archive.path(self.archive.objects[0].key))
        self.assertEqual(self.look(rooms=frozenset({("twitch", "b")})), [])
        self.assertEqual(self.totals.objects, 30)
        self.assertEqual({row.channel for row in self.rooms}, {"b"})
        self.assertEqual(self.only(rooms=frozenset({("twitch", "a")})).kind, "missing-object")

    def test_deleted_on_another_day(self) -> None:
        """What is missing on another day is not this day's problem."""
        os.unlink(self.archive.path(self.archive.objects[0].key))
        self.assertEqual(self.look(since=date(2025, 12, 30)), [])


class Faulty(DirectoryStore):
    """Fails ``times`` times, at every third of its objects' bytes."""

    def __init__(self, root: str, kind: str, times: int) -> None:
        super().__init__(root)
        self.kind = kind
        self.left = times
        #: Whether objects can be read at all.
        self.reads = True

    def read(self, key: str) -> Iterator[bytes]:
        for chunk in super().read(key):
            yield chunk[: len(chunk) // 2]
            if not self.reads:
                raise StoreError("no answer", self.kind)
            if self.left:
                self.left -= 1
                raise StoreError("no answer", self.kind)
            yield chunk[len(chunk) // 2 :]

    def list(self, prefix: str = "") -> Iterator[Head]:
        for number, head in enumerate(super().list(prefix)):
            if self.left and number == 2:
                self.left -= 1
                raise StoreError("no answer", self.kind)
            yield head


class StoreTests(VerifyCase):
    def test_passing_trouble(self) -> None:
        """A store that fails now and then is asked again, and nothing counts twice."""
        self.archive.fill(4, missing=30.0)
        self.assertEqual(self.look(Faulty(self.archive.root, TRANSIENT, 3)), [])
        self.assertEqual((self.totals.objects, self.totals.lines), (8, 164))
        self.assertEqual(len(self.slept), 3)
        self.assertEqual(self.rooms[1].missing, 120.0)
        self.assertEqual(self.rooms[1].gaps, 4)

    def test_store_that_is_away(self) -> None:
        """A store that cannot be listed any more ends the look; so does one that is found to be so while
        objects are read."""
        self.archive.fill()
        self.assertRaises(StoreError, self.look, Faulty(self.archive.root, TRANSIENT, 99))
        self.assertRaises(StoreError, self.look, Unlisted(self.archive.root))
        self.assertRaises(StoreError, self.look, Leaving(self.archive.root, Leaving.refusal))
        self.assertEqual(self.slept, [])
        self.assertRaises(StoreError, self.look, Leaving(self.archive.root, Leaving.silence))
        # Nobody waits for the hundredth object as long as for the first.
        self.assertLess(len(self.slept), 20)

    def test_lists_of_another_kind(self) -> None:
        """Lists that are in no order, that repeat keys or leave some out keep no object from being looked at,
        once."""
        self.archive.fill(4, missing=30.0)
        before = self.look()
        counts = (self.totals.objects, self.totals.lines, self.totals.bytes)
        for odd in (
            lambda heads: reversed(heads),
            lambda heads: heads + heads[3:],
            lambda heads: heads[2:],
        ):
            self.assertEqual(self.look(Listing(self.archive.root, odd)), before)
            self.assertEqual((self.totals.objects, self.totals.lines, self.totals.bytes), counts)

    def test_altered_and_left_out(self) -> None:
        """An object that a list leaves out is checked all the same."""
        self.archive.fill()
        key = self.archive.objects[0].key
        with open(self.archive.path(key), "ab") as file:
            file.write(b"x")
        store = Listing(self.archive.root, lambda heads: [head for head in heads if head.key != key])
        self.assertEqual({problem.key for problem in self.look(store)}, {key})


class Listing(DirectoryStore):
    """Makes something else of its lists of objects."""

    def __init__(self, root: str, odd: Callable[[list[Head]], Iterable[Head]]) -> None:
        super().__init__(root)
        self._odd = odd

    def list(self, prefix: str = "") -> Iterator[Head]:
        heads = super().list(prefix)
        return heads if prefix == "manifest/" else iter(self._odd([*heads]))


class Unlisted(DirectoryStore):
    """Lists nothing."""

    def list(self, prefix: str = "") -> Iterator[Head]:
        raise StoreError("403 AccessDenied: no s3:ListBucket", REFUSED)


class Leaving(DirectoryStore):
    """Lists everything, and is away, or refuses everything, from when the first object is read."""

    refusal = StoreError("403 InvalidAccessKeyId", REFUSED, "403", of_all=True)
    silence = StoreError("no answer", TRANSIENT)

    def __init__(self, root: str, error: StoreError) -> None:
        super().__init__(root)
        self.error = error
        self.away = False

    def read(self, key: str) -> Iterator[bytes]:
        self.away |= not key.startswith("manifest/")
        if self.away:
            raise self.error
        return super().read(key)

    def list(self, prefix: str = "") -> Iterator[Head]:
        if self.away:
            raise self.error
        return super().list(prefix)


class Withholding(DirectoryStore):
    """Does not give one object: ``error`` is what it says; ``begun``: after a part of it."""

    def __init__(self, root: str, key: str, error: StoreError, begun: bool) -> None:
        super().__init__(root)
        self.key = key
        self.error = error
        self.begun = begun

    def read(self, key: str) -> Iterator[bytes]:
        for chunk in super().read(key):
            if key == self.key:
                if self.begun:
                    yield chunk[: len(chunk) // 2]
                raise self.error
            yield chunk

    def head(self, key: str) -> Head | None:
        if key == self.key:
            raise self.error
        return super().head(key)


class OneObjectTests(VerifyCase):
    """An error of one object concerns that object only: it is named, and all others are checked."""

    errors = (
        StoreError("403 InvalidObjectState: wrong class", REFUSED, "403", "restore the object first"),
        StoreError("403 AccessDenied: this one", OBJECT, "403", of_all=True),
        StoreError("403 AccessDenied: Access Denied", REFUSED, "403 AccessDenied"),
        StoreError("no answer in time", TRANSIENT, "timeout"),
        StoreError("500 InternalError", TRANSIENT, "500 InternalError"),
        StoreError("its bytes are not those of its digest", CORRUPT),
        StoreError("the clock is wrong", CLOCK),
        StoreError("501 NotImplemented", UNSUPPORTED),
        StoreError("403 InvalidObjectState: wrong class", ARCHIVED, "403", "restore it first"),
    )

    def test_object(self) -> None:
        """Whatever the store says of it, at once or in the middle of it."""
        self.archive.fill()
        key = self.archive.objects[2].key
        for error in self.errors:
            for begun in (False, True):
                [found] = self.look(Withholding(self.archive.root, key, error, begun))
                self.assertEqual((found.kind, found.key, found.line), ("unread-object", key, 0), error)
                self.assertIn(str(error), found.what)
                self.assertTrue(found.what.endswith(error.remedy), error)
                self.assertEqual((self.totals.objects, self.totals.lines), (8, 140))

    def test_manifest(self) -> None:
        """The same for a manifest: nothing that it may have named is called unnamed, and no manifest is
        called missing."""
        manifests = self.archive.fill()
        for error in self.errors:
            [found] = self.look(Withholding(self.archive.root, manifests[1], error, True))
            self.assertEqual((found.kind, found.key), ("unread-object", manifests[1]), error)
            self.assertEqual((self.totals.lines, self.totals.unattested), (160, 2))

    def test_object_that_is_missing(self) -> None:
        """If the store does not say whether a named object exists, that is reported as unread."""
        self.archive.fill()
        key = self.archive.objects[2].key
        os.unlink(self.archive.path(key))
        [found] = self.look(Withholding(self.archive.root, key, self.errors[2], False))
        self.assertEqual((found.kind, found.key), ("unread-object", key))

    def test_object_of_doubles(self) -> None:
        """An object that cannot be read once more, to say where its doubles are, is named."""
        row = self.archive.store(MIDNIGHT, "a", self.archive.messages("a", MIDNIGHT) * 2)
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, [row])
        found = self.look(Once(self.archive.root))
        self.assertEqual([(problem.kind, problem.key) for problem in found], [("unread-object", row.key)])

    def test_no_answer(self) -> None:
        """An object whose answer does not come is waited for twice, not four times: that is minutes each."""
        self.archive.fill()
        key = self.archive.objects[2].key
        for error, tries in ((self.errors[3], 1), (self.errors[4], 3)):
            self.look(Withholding(self.archive.root, key, error, False))
            self.assertEqual(len(self.slept), tries)

    def test_many(self) -> None:
        """Many of them cost no time each: a store that lists is asked once for each of the rest."""
        self.archive.fill(20)
        store = Faulty(self.archive.root, TRANSIENT, 0)
        store.reads = False
        found = self.look(store, at_once=1)
        self.assertEqual({problem.kind for problem in found}, {"unread-object"})
        self.assertEqual(len(found), 60)
        self.assertEqual(len(self.slept), 9)


class Once(DirectoryStore):
    """Gives every object once."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.given: set[str] = set()

    def read(self, key: str) -> Iterator[bytes]:
        if key in self.given:
            raise StoreError("403 AccessDenied", REFUSED)
        self.given.add(key)
        return super().read(key)


class LostSpoolTests(VerifyCase):
    def test_before_the_first_manifest(self) -> None:
        """A spool that was lost before it made any manifest leaves objects that none can name."""
        self.archive.store(MIDNIGHT, "a", self.archive.messages("a", MIDNIGHT))
        later = self.archive.store(MIDNIGHT + 2 * HOUR, "a", self.archive.messages("a", MIDNIGHT))
        os.utime(self.archive.path(later.key), (MIDNIGHT + 3 * HOUR, MIDNIGHT + 3 * HOUR))
        self.archive.manifest(MIDNIGHT + HOUR / 2, MIDNIGHT + HOUR, [], new_spool=True)
        for hour in range(1, 5):
            self.archive.manifest(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, [])
        self.now = LATER
        self.assertEqual(self.only()[:2], ("unnamed-object", later.key))
        self.assertEqual((self.totals.unattested, self.notes), (1, []))

    def test_new_chain(self) -> None:
        """A recorder whose spool was lost begins a new chain of manifests: that is told as such, and what it
        stored last is neither missing nor unnamed. What was stored at another time is."""
        before = self.archive.fill(2)
        self.assertEqual(len(before), 2)
        began = MIDNIGHT + 2.4 * HOUR
        for at in (MIDNIGHT + 2 * HOUR, began):
            self.archive.store(at, "a", self.archive.messages("a", at))
        manifest = self.archive.manifest(began, MIDNIGHT + 3 * HOUR, [], new_spool=True)
        self.now = LATER
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.unattested, 4)
        [note] = self.notes
        for words in ("instance main", "lost its spool", "2025-12-29T02:00:00Z and 2025-12-29T02:24:00Z"):
            self.assertIn(words, note)
        row = self.archive.store(MIDNIGHT + 10 * HOUR, "a", self.archive.messages("a", MIDNIGHT))
        self.assertEqual(self.only()[:2], ("unnamed-object", row.key))
        os.unlink(self.archive.path(row.key))
        os.unlink(self.archive.path(manifest))
        self.archive.manifest(began, MIDNIGHT + 3 * HOUR, [])
        self.assertIn("missing-manifest", [problem.kind for problem in self.look()])


class Endless:
    """A store with one object of ``lines`` lines, which is nowhere as a whole."""

    def __init__(self, lines: int) -> None:
        self.lines = lines

    def read(self, key: str) -> Iterator[bytes]:
        for start in range(0, self.lines, 1000):
            yield b"".join(message(n, "a", MIDNIGHT) for n in range(start, start + 1000))


class MemoryTests(SynchronousTestCase):
    def test_memory(self) -> None:
        """An object is never held as a whole: besides a piece of it, a record takes eight bytes."""
        name = FileName("twitch", "a", "20251229_0000")

        def peak(lines: int) -> int:
            store: Any = Endless(lines)
            tracemalloc.start()
            found = RoomDayCheck(store, [Named(name.key(), name, 0, None)]).run()
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertEqual((found.lines, found.counts.total()), (lines, 0))
            return most

        peak(1000)
        grown = peak(60_000) - peak(20_000)
        self.assertLess(grown, 40_000 * 16)
