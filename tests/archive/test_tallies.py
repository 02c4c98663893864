"""The gaps of a room, found file by file and kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.question import Question
from chatlog.archive.tallies import Tallies
from tests.archive.world import MIDNIGHT, ROOM, World, gap, said

HOUR = 3600.0
#: The minutes of a day in which a gap begins, and how long it lasts.
_GAPS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 90)), max_size=5)
_MINUTES = st.tuples(st.integers(0, 400), st.integers(1, 400))


class GapTests(SynchronousTestCase):
    def fill(self, world: World, instance: str, gaps: list[tuple[int, int]]) -> None:
        """Six hours of a recorder, a file each; a gap's record is in the file of its end."""
        ends = sorted((start + length, start) for start, length in gaps)
        for hour in range(7):
            begun = MIDNIGHT + hour * HOUR
            lines = [said(begun, "hello", id=f"{hour}")]
            lines += [
                gap(MIDNIGHT + 60.0 * start, MIDNIGHT + 60.0 * end, f"of {instance}")
                for end, start in ends
                if end // 60 == hour
            ]
            world.put(begun, lines, instance=instance)

    @given(_GAPS, _GAPS, _MINUTES)
    def test_the_reader_finds_the_same(
        self, one: list[tuple[int, int]], other: list[tuple[int, int]], minutes: tuple[int, int]
    ) -> None:
        """What a page or a header says to be missing is what a log says, whatever the recorders missed."""
        world = World(self.mktemp())
        self.fill(world, "one", one)
        self.fill(world, "two", other)
        archive = world.opened()
        since = MIDNIGHT + 60.0 * minutes[0]
        until = since + 60.0 * minutes[1]
        answer = archive.reader.ask(Question(ROOM, since, until))
        for _ in answer:
            pass
        tallies = Tallies(archive.parts)
        self.assertEqual(tallies.gaps(ROOM, since, until, lambda size: None), answer.report.gaps)

    def test_a_file_is_read_once(self) -> None:
        """Files in the store never change: for the gaps of a day that is asked for again, nothing is read."""
        world = World(self.mktemp())
        self.fill(world, "", [(70, 20)])
        tallies = Tallies(world.opened().parts)
        read: list[int] = []
        first = tallies.gaps(ROOM, MIDNIGHT, MIDNIGHT + 24 * HOUR, read.append)
        self.assertEqual([found.reason for found in first], ["of "])
        self.assertGreater(sum(read), 0)
        read.clear()
        self.assertEqual(tallies.gaps(ROOM, MIDNIGHT, MIDNIGHT + 24 * HOUR, read.append), first)
        self.assertEqual(read, [])

    def test_a_damaged_file_hides_no_other(self) -> None:
        """The gaps of the files that can be read are found."""
        world = World(self.mktemp())
        self.fill(world, "", [(70, 20), (200, 10)])
        with open(world.put(MIDNIGHT + HOUR, [gap(MIDNIGHT, MIDNIGHT + 1)]), "r+b") as file:
            file.truncate(15)
        tallies = Tallies(world.opened().parts)
        found = tallies.gaps(ROOM, MIDNIGHT, MIDNIGHT + 24 * HOUR, lambda size: None)
        self.assertEqual([each.since for each in found], [MIDNIGHT + 200 * 60.0])
