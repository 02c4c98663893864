"""Files of one name with different bytes: none hides another, whoever reads."""

from __future__ import annotations

import os
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.matching import Filter
from chatlog.archive.question import Question
from chatlog.naming import FileName, utc_minute
from chatlog.record import from_json
from chatlog.uploader.bundle_table import Slice, table_bytes
from tests.archive.world import MIDNIGHT, ROOM, World, gap, said

TEN = MIDNIGHT + 10 * 3600.0
KEY = FileName(*ROOM, utc_minute(TEN)).key(suffix=".zst")
MONTH = "bundle/2025/12/twitch/a/twitch_a_202512{}.jsonl.zst"
MINUTES = "bundle/2025/12/29/10/main_20251229_1000{}.jsonl.zst"


class SameNameTests(SynchronousTestCase):
    """An object, and bundles with objects of its name."""

    def setUp(self) -> None:
        self.world = World(self.mktemp())
        self.numbers = count(1)

    def lines(self, *texts: str) -> list[bytes]:
        return [said(TEN + n, text, id=f"id-{text}") for n, text in enumerate(texts)]

    def object(self, lines: list[bytes], suffix: str = ".zst") -> None:
        path = os.path.join(self.world.archive, KEY.replace(".zst", suffix))
        if os.path.exists(path):
            os.unlink(path)
        self.world.put(TEN, lines, suffix)

    def bundle(self, bundle: str, lines: list[bytes]) -> None:
        """A bundle with an object of the same name."""
        other = World(self.mktemp())
        other.put(TEN, lines)
        data = b"".join(other.store.read(KEY))
        self.world.store.put_new(bundle, data + table_bytes([Slice(KEY, bundle, 0, len(data))]), {})

    def texts(self, newest: bool = False) -> list[str]:
        answer = self.world.reader().ask(Question(ROOM, newest=newest))
        found = [from_json(found.line).get("message") for found in answer]
        self.assertEqual(answer.report.unread, [])
        return found[::-1] if newest else found

    def test_an_object_and_a_slice(self) -> None:
        """Both are read, of the same size or not, and what is in both comes once."""
        for one, other in ((("a", "b"), ("c", "a")), (("a", "b", "x"), ("c",)), (("a",), ("b",))):
            for bundle in (MONTH, MINUTES):
                self.setUp()
                self.object(self.lines(*one))
                self.bundle(bundle.format(""), self.lines(*other))
                for newest in (False, True):
                    self.assertEqual(sorted(self.texts(newest)), sorted({*one, *other}), (one, other))

    def test_two_bundles(self) -> None:
        """Two bundles with one name and different bytes are both read, and an object of that name too."""
        self.bundle(MONTH.format(""), self.lines("a"))
        self.bundle(MINUTES.format(""), self.lines("b"))
        self.bundle(MINUTES.format("-2"), self.lines("c"))
        self.assertEqual(sorted(self.texts()), ["a", "b", "c"])
        self.object(self.lines("d"))
        self.assertEqual(sorted(self.texts()), ["a", "b", "c", "d"])

    def test_compressions(self) -> None:
        """One name with and without compression is two objects."""
        self.object(self.lines("a"))
        self.object(self.lines("b"), ".gz")
        self.object(self.lines("c", "a"), "")
        self.assertEqual(sorted(self.texts()), ["a", "b", "c"])

    def test_the_spool(self) -> None:
        """A file that a recorder writes under a name that is taken in the store is read as well."""
        for area, suffix in (("open", ""), ("sealed", ""), ("packed", ".zst")):
            self.setUp()
            self.object(self.lines("a"))
            self.world.spooled(area, TEN, self.lines("b"), suffix)
            self.assertEqual(sorted(self.texts()), ["a", "b"], area)

    def test_without_ids_and_with_gaps(self) -> None:
        """What has no id, and gaps, are in the answer once if both have them, and of both if they differ."""
        same = [said(TEN, "same"), gap(TEN + 5, TEN + 9), said(TEN + 30, "end")]
        self.object([*same[:2], said(TEN + 20, "one"), same[2]])
        self.bundle(MONTH.format(""), [*same[:2], gap(TEN + 21, TEN + 23), said(TEN + 25, "other"), same[2]])
        answer = self.world.reader().ask(Question(ROOM, MIDNIGHT, MIDNIGHT + 86400.0))
        found = [from_json(each.line) for each in answer]
        self.assertEqual(
            [each["message"] for each in found if each["type"] == "message"], ["same", "one", "other", "end"]
        )
        self.assertEqual(sum(each["type"] == "gap" for each in found), 2)
        # Beside the second gap the other one has the room.
        self.assertEqual([(each.since, each.until) for each in answer.report.gaps], [(TEN + 5, TEN + 9)])

    def test_they_move_while_they_are_read(self) -> None:
        """Of several, one that goes into a bundle meanwhile is found there, and the others are not forgotten
        for it; one that was erased meanwhile is followed to what is left of it."""
        for erased in (False, True):
            self.setUp()
            self.world.put(MIDNIGHT, [said(MIDNIGHT, "first"), said(MIDNIGHT + 600, "next")])
            self.object(self.lines("a", "b"))
            self.bundle(MONTH.format(""), self.lines("c", "d", "e"))
            answer = iter(self.world.reader().ask(Question(ROOM)))
            found = [from_json(next(answer).line)["message"]]
            if erased:
                self.world.put(TEN, self.lines("a"), n=2)
            else:
                self.bundle(MINUTES.format(""), self.lines("a", "b"))
            self.world.store.delete(KEY)
            found += [from_json(each.line)["message"] for each in answer]
            self.assertEqual(sorted(found), [*("acde" if erased else "abcde"), "first", "next"])

    def test_search(self) -> None:
        """A search finds what is only in one of them."""
        self.object(self.lines("needle"))
        self.bundle(MONTH.format(""), self.lines("straws"))
        for text in ("needle", "straw"):
            self.assertEqual(
                len(list(self.world.reader().ask(Question(ROOM, filter=Filter(text=text))))), 1, text
            )
