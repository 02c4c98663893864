"""Numbers of names: the same name never comes twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import FileName
from chatlog.spool.numbering import Numbering


class NumberingTests(SynchronousTestCase):
    """``Numbering``."""

    def test_first_of_a_minute(self) -> None:
        """The first file of a room in a minute needs no number; the next ones are counted."""
        numbering = Numbering()
        self.assertEqual(numbering.after("20251229_1030", "", 0), 1)
        numbering.used("20251229_1030", 1)
        self.assertEqual(numbering.after("20251229_1030", "20251229_1030", 1), 2)
        # Another room.
        self.assertEqual(numbering.after("20251229_1030", "20251229_1029", 7), 1)
        self.assertEqual(numbering.after("20251229_1031", "20251229_1030", 2), 1)

    def test_numbers_stay_small(self) -> None:
        """A number is no larger than it has to be: one above those of its minute, whatever was used in
        others, and in whatever order they came to light."""
        for seen, taken in (
            ([("20251229_1030", 5), ("20251229_1030", 3)], 5),
            ([("20251229_1029", 9), ("20251229_1030", 3)], 3),
            ([("20251229_1030", 3), ("20251229_1029", 9)], 3),
            ([("20251229_1030", 3), ("20251229_1029", 2)], 3),
            ([("20251229_1029", 9)], 0),
        ):
            numbering = Numbering()
            for minute, n in seen:
                numbering.used(minute, n)
            self.assertEqual(numbering.after("20251229_1030", "", 0), taken + 1, seen)

    def test_clock_that_went_back(self) -> None:
        """In minutes that come a second time every number is above all that were ever used; the numbers do
        not grow from minute to minute, and once the clock has caught up they are small again."""
        numbering = Numbering()
        numbering.used("20251229_1030", 7)
        numbering.used("20251229_1100", 2)
        for minute, n in (("1029", 8), ("1030", 8), ("1031", 8), ("1030", 9), ("1100", 3), ("1101", 1)):
            self.assertEqual(numbering.after(f"20251229_{minute}", "", 0), n, minute)
            numbering.used(f"20251229_{minute}", n)

    def test_nothing_used(self) -> None:
        """Before the first name there is nothing to note."""
        numbering = Numbering()
        self.assertEqual(numbering.note(), {})
        numbering.used("20251229_1030", 1)
        self.assertEqual(numbering.note(), {"minute": "20251229_1030", "n": 1, "top": 1})

    def test_next_process(self) -> None:
        """After a restart in the same minute numbers go on above those used before; in the next
        minute they start anew."""
        earlier = Numbering()
        earlier.used("20251229_1030", 3)
        numbering = Numbering()
        numbering.read(earlier.note())
        self.assertEqual(numbering.after("20251229_1030", "", 0), 4)
        self.assertEqual(numbering.after("20251229_1031", "", 0), 1)

    def test_files_on_the_disk(self) -> None:
        """Without a note the names of the files that are there still count."""
        numbering = Numbering()
        numbering.saw(FileName("twitch", "one", "20251229_1030", n=5))
        self.assertEqual(numbering.after("20251229_1030", "", 0), 6)

    def test_broken_note(self) -> None:
        """What is no note, and an empty one, says nothing."""
        minute = {"minute": "20251229_1030"}
        odd = {**minute, "n": "one", "top": 5}, {"minute": "x", "n": 5, "top": 5}
        for note in ({}, minute, *odd, [5], None, 5):
            numbering = Numbering()
            numbering.read(note)
            self.assertEqual(numbering.after("20251229_1030", "", 0), 1)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans()), min_size=1, max_size=40))
    def test_never_twice(self, steps: list[tuple[int, int, bool]]) -> None:
        """However the clock jumps between minutes, whichever rooms open files, and wherever the
        process is started anew, no room gets the same minute and number twice."""
        numbering = Numbering()
        last: dict[int, tuple[str, int]] = {}
        names: set[tuple[int, str, int]] = set()
        for minute_number, room, restart in steps:
            if restart:
                note = numbering.note()
                numbering = Numbering()
                numbering.read(note)
                last = {}
            minute = f"20251229_10{minute_number:02d}"
            n = numbering.after(minute, *last.get(room, ("", 0)))
            numbering.used(minute, n)
            last[room] = (minute, n)
            self.assertNotIn((room, minute, n), names)
            names.add((room, minute, n))
