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
