"""Gaps whose records wait: how many there are, what is noted of them, and what the next process finds."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.state.journal import LARGEST, Journal
from chatlog.timeline.timeline import Gap
from chatlog.twitch.deferred_gaps import DeferredGaps
from tests.fakes import MemoryFiles, environment
from tests.state import entries

LAST = 253402300799.0


class DeferredGapsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.clock = Clock()

    def opened(self) -> DeferredGaps:
        return DeferredGaps(Journal(environment(self.clock, files=self.files), "/data", "deferred"))

    def found(self, *noted: Any) -> list[tuple[str, Gap]]:
        """What the next process finds if these entries were noted."""
        self.files = MemoryFiles()
        journal = Journal(environment(self.clock, files=self.files), "/data", "deferred")
        journal.begin(lambda: noted, lambda: None)
        return list(self.opened().earlier())

    def test_waiting(self) -> None:
        """Each gap has a number from 1 on; it waits until its record was handed over, and is noted as done
        once that is in a file, and no sooner."""
        gaps = self.opened()
        gaps.begin()
        self.assertEqual(len(gaps), 0)
        numbers = [gaps.put(room, Gap(1.0, 2.0, "lost")) for room in ("ann", "bob", "eve")]
        self.assertEqual((numbers, len(gaps)), ([1, 2, 3], 3))
        gaps.done(2)
        self.assertEqual(len(gaps), 2)
        gaps.flushed(complete=False, last=False)
        self.assertEqual([room for room, _ in self.opened().earlier()], ["ann", "bob", "eve"])
        gaps.flushed(complete=True, last=False)
        self.assertEqual(len(gaps), 2)
        self.assertEqual([room for room, _ in self.opened().earlier()], ["ann", "eve"])
        self.assertEqual(entries(self.files, "deferred")[-1], {"done": [2]})

    def test_long(self) -> None:
        """What was noted of gaps that are done is forgotten as soon as it is longer than LARGEST."""
        gaps = self.opened()
        gaps.begin()
        gone = Gap(1.0, 2.0, "x" * 200)
        numbers = [gaps.put("ann", gone) for _ in range(LARGEST // 250)]
        last = gaps.put("bob", gone)
        for number in numbers:
            gaps.done(number)
        gaps.flushed(complete=True, last=False)
        self.assertEqual([entry["deferred"] for entry in entries(self.files, "deferred")], [last])

    def test_nothing_to_note(self) -> None:
        """Flushes without a record that waited note nothing."""
        gaps = self.opened()
        gaps.begin()
        gaps.put("ann", Gap(1.0, 2.0, "lost"))
        before = entries(self.files, "deferred")
        for complete in (True, False, True):
            gaps.flushed(complete, last=False)
        self.assertEqual(entries(self.files, "deferred"), before)

    def test_bounds(self) -> None:
        """What no record can hold, and what contradicts itself, is passed over; the rest is found, each gap
        once."""
        good = {"deferred": 1, "room": "ann", "from": 0.0, "to": LAST, "reason": "x"}
        self.assertEqual(self.found(good), [("ann", Gap(0.0, LAST, "x"))])
        self.assertEqual(self.found(good, {**good, "deferred": 2}), [("ann", Gap(0.0, LAST, "x"))])
        for wrong in (
            {"from": -0.5},
            {"from": 5.0, "to": 4.0},
            {"to": LAST + 1.0},
            {"from": "x"},
            {"from": None},
            {"deferred": "x"},
            {"done": 5},
        ):
            other = {**good, "deferred": 2, "room": "bob", "from": 0.5}
            self.assertEqual(len(self.found({**good, **wrong}, other)), 1, wrong)
        self.assertEqual(self.found(good, {"done": [1, 7]}), [])

    def test_reasons(self) -> None:
        """Of a server's text, the first two hundred characters are kept, and none that cannot be written."""
        gaps = self.opened()
        gaps.begin()
        gaps.put("ann", Gap(1.0, 2.0, "é" * 150 + "x" * 100))
        gaps.put("bob", Gap(1.0, 2.0, "\ud800"))
        reasons = [gap.reason for _, gap in self.opened().earlier()]
        self.assertEqual(reasons, ["é" * 150 + "x" * 50, "?"])
