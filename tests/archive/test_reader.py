"""Whoever asks for a room and a time gets every record of it once, in order, and is told what is missing."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.gaps import Gap
from chatlog.archive.matching import Filter, FilterError
from chatlog.archive.question import Cancelled, Question
from chatlog.files import OsFiles
from chatlog.record import from_json
from tests.archive.world import MIDNIGHT, ROOM, World, gap, said

HOUR = 3600.0


class WorldTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp())


class OrderTests(WorldTestCase):
    def test_compressions_of_one_day(self) -> None:
        """A day whose objects are compressed in different ways is one day."""
        for hour, suffix in enumerate(("", ".gz", ".zst")):
            at = MIDNIGHT + hour * HOUR
            self.world.put(at, [said(at + n, f"{hour}:{n}") for n in range(3)], suffix)
        wanted = [f"{hour}:{n}" for hour in range(3) for n in range(3)]
        self.assertEqual(self.world.texts(Question(ROOM)), wanted)
        self.assertEqual(self.world.texts(Question(ROOM, newest=True)), wanted[::-1])

    def test_files_of_one_minute(self) -> None:
        """The files of a minute come in the order of their numbers, also where an earlier version made the
        first of them."""
        for n in range(1, 12):
            self.world.put(MIDNIGHT, [said(MIDNIGHT, str(n))], n=n, old=1 < n < 5)
        wanted = [str(n) for n in range(1, 12)]
        self.assertEqual(self.world.texts(Question(ROOM)), wanted)
        self.assertEqual(self.world.texts(Question(ROOM, newest=True)), wanted[::-1])

    def test_ends_of_a_range(self) -> None:
        """A range has its beginning in it and its end not."""
        self.world.put(MIDNIGHT, [said(MIDNIGHT + n, str(n)) for n in range(5)])
        self.assertEqual(self.world.texts(Question(ROOM, MIDNIGHT + 1, MIDNIGHT + 3)), ["1", "2"])

    def test_a_file_of_the_evening_before(self) -> None:
        """What was said after midnight is found in the file that was begun before it."""
        start = MIDNIGHT - 1800.0
        self.world.put(start, [said(start + n * 60, str(n)) for n in range(60)])
        self.assertEqual(self.world.texts(Question(ROOM, MIDNIGHT, MIDNIGHT + 120)), ["30", "31"])

    def test_ties_are_in_the_order_of_arrival(self) -> None:
        """What was said in the same millisecond stays in the order in which it came."""
        self.world.put(MIDNIGHT, [said(MIDNIGHT, str(n)) for n in range(50)])
        wanted = [str(n) for n in range(50)]
        self.assertEqual(self.world.texts(Question(ROOM)), wanted)
        self.assertEqual(self.world.texts(Question(ROOM, newest=True)), wanted[::-1])

    def test_what_was_filled_in_later(self) -> None:
        """What came back of a gap stands where it was said, also when its file was begun later."""
        late = MIDNIGHT + HOUR
        self.world.put(MIDNIGHT, [said(MIDNIGHT + n, f"a{n}") for n in range(3)])
        back = [said(MIDNIGHT + 10 + n, f"b{n}", received=late + 60) for n in range(3)]
        self.world.put(late, [said(late, "c0"), *back, gap(MIDNIGHT + 3, late), said(late + 61, "c1")])
        wanted = ["a0", "a1", "a2", "b0", "b1", "b2", "c0", "", "c1"]
        self.assertEqual(sorted(self.world.texts(Question(ROOM)), key=wanted.index), wanted)
        times = [found.time for found in self.world.reader().ask(Question(ROOM))]
        self.assertEqual(times, sorted(times))
        self.assertEqual(self.world.texts(Question(ROOM, MIDNIGHT + 9, MIDNIGHT + 20)), ["b0", "b1", "b2"])

    @settings(max_examples=40, deadline=None)
    @given(st.randoms(use_true_random=False))
    def test_any_world(self, chance: random.Random) -> None:
        """However records are spread over files, recorders and places: each once, in order."""
        world = World(self.mktemp())
        at = MIDNIGHT
        events = []
        for n in range(chance.randrange(1, 120)):
            at += chance.choice((0.0, 0.001, 1.0, 40.0, 900.0))
            events.append((at, f"m{n}"))
        for instance in ("", "b")[: chance.randrange(1, 3)]:
            lines = [
                (time, said(time, text, id=text, received=time + chance.random() * 5))
                for time, text in events
            ]
            lines.sort(key=lambda item: item[0] + chance.random() * 4)
            cuts = sorted(chance.sample(range(len(lines) + 1), min(len(lines), 3)))
            for n, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(lines)], strict=True), 1):
                if start < end:
                    part = [line for _, line in lines[start:end]]
                    suffix = chance.choice(("", ".gz", ".zst"))
                    world.put(min(time for time, _ in lines[start:end]), part, suffix, instance, n)
        first, last = sorted(chance.choice([time for time, _ in events]) for _ in range(2))
        wanted = [(time, text) for time, text in events if first <= time < last]
        found = [
            from_json(found.line)["message"] for found in world.reader().ask(Question(ROOM, first, last))
        ]
        self.assertEqual(sorted(found), sorted(text for _, text in wanted))
        times = dict((text, time) for time, text in events)
        self.assertEqual([times[text] for text in found], sorted(times[text] for text in found))
        newest = world.texts(Question(ROOM, first, last, newest=True))
        self.assertEqual(
            [times[text] for text in newest], sorted((times[text] for text in found), reverse=True)
        )


class CopiesTests(WorldTestCase):
    def test_two_recorders(self) -> None:
        """What two recorders of a room have written is there once; what was said twice is there twice."""
        for instance in ("", "b"):
            late = 0.0 if instance else 0.3
            lines = [
                said(MIDNIGHT, "hello", id="1", received=MIDNIGHT + late),
                said(MIDNIGHT + 1, "no id", received=MIDNIGHT + 1 + late),
                said(MIDNIGHT + 2, "twice", received=MIDNIGHT + 2 + late),
                said(MIDNIGHT + 2, "twice", received=MIDNIGHT + 2 + late),
            ]
            self.world.put(MIDNIGHT, lines, instance=instance)
        self.assertEqual(sorted(self.world.texts(Question(ROOM))), ["hello", "no id", "twice", "twice"])

    def test_at_other_times(self) -> None:
        """An event without an id and without a time of its own has that of its arrival, which differs between
        recorders. It is there once all the same; if it happened twice, twice, and what only one of them has
        heard is there."""
        for instance, late, heard in (("", 0.0, (1, 2, 20)), ("b", 0.4, (1, 2, 60)), ("c", 0.9, (1, 20))):
            times = [MIDNIGHT + second + late for second in heard]
            lines = [said(time, "mode changed", received=time) for time in times]
            self.world.put(MIDNIGHT, lines, instance=instance)
        for newest in (False, True):
            self.assertEqual(len(self.world.texts(Question(ROOM, newest=newest))), 4, newest)

    def test_a_file_that_was_stored_twice(self) -> None:
        """What a crash has left in two files is there once."""
        lines = [said(MIDNIGHT + n, str(n), id=f"id{n}") for n in range(3)]
        self.world.put(MIDNIGHT, lines)
        self.world.put(MIDNIGHT, lines, n=2)
        self.assertEqual(self.world.texts(Question(ROOM)), ["0", "1", "2"])


class SpoolTests(WorldTestCase):
    def test_every_place(self) -> None:
        """What is not stored yet is there as well, to the last whole line."""
        world = self.world
        world.put(MIDNIGHT, [said(MIDNIGHT, "stored")])
        world.spooled("packed", MIDNIGHT + 60, [said(MIDNIGHT + 60, "packed")], ".zst")
        world.spooled("sealed", MIDNIGHT + 120, [said(MIDNIGHT + 120, "sealed")])
        line = said(MIDNIGHT + 180, "open")
        world.spooled("open", MIDNIGHT + 180, [line, line[:40]])
        self.assertEqual(world.texts(Question(ROOM)), ["stored", "packed", "sealed", "open"])

    def test_in_two_places_at_once(self) -> None:
        """A file that is seen in two places is read once."""
        world = self.world
        for area in ("open", "sealed"):
            world.spooled(area, MIDNIGHT, [said(MIDNIGHT, "hello")])
        world.put(MIDNIGHT, [said(MIDNIGHT, "hello")])
        self.assertEqual(world.texts(Question(ROOM)), ["hello"])

    def test_files_that_move_on_meanwhile(self) -> None:
        """A file that moves on between being seen and being read is found where it has gone."""
        steps = [("open", ""), ("sealed", ""), ("packed", ".zst"), ("", ".zst")]
        for first, then in combinations(range(len(steps)), 2):
            world = World(self.mktemp())
            lines = [said(MIDNIGHT + n, str(n)) for n in range(3)]
            old = world.spooled(steps[first][0], MIDNIGHT, lines, steps[first][1])
            area, suffix = steps[then]

            def move(
                world: World = world,
                old: str = old,
                area: str = area,
                suffix: str = suffix,
                lines: list[bytes] = lines,
            ) -> None:
                os.unlink(old)
                if area:
                    world.spooled(area, MIDNIGHT, lines, suffix)
                else:
                    world.put(MIDNIGHT, lines, suffix)

            world.files = Moving(move)
            self.assertEqual(world.texts(Question(ROOM)), ["0", "1", "2"], (first, then))


class Moving(OsFiles):
    """Files that are moved on before the first of them is opened."""

    def __init__(self, move: Callable[[], None]) -> None:
        super().__init__()
        self._moves = [move]

    def open_read(self, path: str) -> int:
        while self._moves:
            self._moves.pop()()
        return super().open_read(path)


class MissingTests(WorldTestCase):
    def test_a_gap_is_told(self) -> None:
        """A gap of the range is told with its cause, cut to the range."""
        lines = [said(MIDNIGHT, "a"), gap(MIDNIGHT + 10, MIDNIGHT + 70), said(MIDNIGHT + 70, "b")]
        self.world.put(MIDNIGHT, lines)
        answer = self.world.reader().ask(Question(ROOM, MIDNIGHT, MIDNIGHT + 60))
        self.assertEqual(len(list(answer)), 1)
        self.assertEqual(answer.report.gaps, [Gap(MIDNIGHT + 10, MIDNIGHT + 60, "connection lost", 0)])

    def test_a_day_that_is_all_gap(self) -> None:
        """A day in the middle of a gap of days is told to be missing, and not to be silent."""
        day = 86400.0
        self.world.put(MIDNIGHT, [said(MIDNIGHT, "before")])
        end = MIDNIGHT + 5 * day
        self.world.put(end, [gap(MIDNIGHT + 1, end, "restart"), said(end, "after")])
        answer = self.world.reader().ask(Question(ROOM, MIDNIGHT + 2 * day, MIDNIGHT + 3 * day))
        self.assertEqual(list(answer), [])
        self.assertEqual(answer.report.gaps, [Gap(MIDNIGHT + 2 * day, MIDNIGHT + 3 * day, "restart", 0)])

    def test_a_gap_of_one_of_two_recorders(self) -> None:
        """What one of two recorders has missed is missing only where the other missed it too."""
        late = said(MIDNIGHT + 95, "b")
        self.world.put(MIDNIGHT, [said(MIDNIGHT, "a"), gap(MIDNIGHT + 10, MIDNIGHT + 70), late])
        other = [said(MIDNIGHT, "a"), gap(MIDNIGHT + 60, MIDNIGHT + 90, "closed by the server"), late]
        self.world.put(MIDNIGHT, other, instance="b")
        answer = self.world.reader().ask(Question(ROOM, MIDNIGHT, MIDNIGHT + 100))
        list(answer)
        self.assertEqual([gap[:2] for gap in answer.report.gaps], [(MIDNIGHT + 60, MIDNIGHT + 70)])

    def test_a_damaged_object(self) -> None:
        """A damaged object is named, and all others are read."""
        for hour in range(3):
            at = MIDNIGHT + hour * HOUR
            path = self.world.put(at, [said(at, str(hour))])
            if hour == 1:
                with open(path, "r+b") as file:
                    file.write(b"damaged!")
        answer = self.world.reader().ask(Question(ROOM))
        self.assertEqual([from_json(found.line)["message"] for found in answer], ["0", "2"])
        self.assertEqual(
            [unread.name for unread in answer.report.unread],
            ["2025/12/29/twitch/a/twitch_a_20251229_0100.jsonl.zst"],
        )

    def test_a_limit_of_what_is_read(self) -> None:
        """An answer that ends at its limit says so, and where to go on: then everything comes, and once."""
        for hour in range(5):
            at = MIDNIGHT + hour * HOUR
            self.world.put(at, [said(at + n * 60, f"{hour}:{n}" + "x" * 100) for n in range(50)])
        for newest in (False, True):
            texts, answers, edge = [], 0, None
            while True:
                since, until = (0.0, edge or MIDNIGHT * 2) if newest else (edge or 0.0, MIDNIGHT * 2)
                answer = self.world.reader().ask(
                    Question(ROOM, since, until, newest=newest, most_bytes=20_000)
                )
                texts += [from_json(found.line)["message"] for found in answer]
                answers += 1
                if not answer.report.stopped:
                    break
                self.assertIn("limit", answer.report.stopped)
                edge = answer.report.reached
            self.assertEqual(len(texts), 250)
            self.assertEqual(len(set(texts)), 250)
            self.assertGreater(answers, 1)

    def test_nobody_waits(self) -> None:
        """An answer that nobody waits for ends."""
        self.world.put(MIDNIGHT, [said(MIDNIGHT, "a")])
        answer = self.world.reader().ask(Question(ROOM))
        answer.cancel()
        self.assertRaises(Cancelled, list, answer)


class FilterTests(WorldTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.put(
            MIDNIGHT,
            [
                said(MIDNIGHT, "Hello \u00c4rger", "ann", badges="moderator/1,subscriber/12"),
                said(MIDNIGHT + 1, 'ann said "hello"', "bob", badges="subscriber/3"),
                said(MIDNIGHT + 2, "goodbye 42", "cat", username="bob"),
                gap(MIDNIGHT + 3, MIDNIGHT + 4),
            ],
        )

    def ask(self, **wanted: object) -> list[str]:
        return self.world.texts(Question(ROOM, filter=Filter(**wanted)))  # type: ignore[arg-type]

    def test_filters(self) -> None:
        """Each filter finds its records and no other."""
        for wanted, found in (
            ({"text": "hello"}, [0, 1]),
            ({"text": "\u00e4RGER"}, [0]),
            ({"text": '"HELLO"'}, [1]),
            ({"text": "ann"}, [1]),
            ({"regex": r"\d+$"}, [2]),
            ({"regex": "^HELLO"}, [0]),
            ({"users": ("bob",)}, [1]),
            ({"users": ("id:c1", "ann")}, [0, 2]),
            ({"types": ("gap",)}, [3]),
            ({"types": ("message",), "text": "goodbye"}, [2]),
            ({"badge": "subscriber"}, [0, 1]),
            ({"badge": "subscriber/12"}, [0]),
            ({"badge": "subscriber", "without": "moderator"}, [1]),
            ({"users": ("nobody",)}, []),
        ):
            texts = ["Hello \u00c4rger", 'ann said "hello"', "goodbye 42", ""]
            self.assertEqual(self.ask(**wanted), [texts[n] for n in found], wanted)

    def test_a_pattern_that_is_none(self) -> None:
        """A pattern that cannot be compiled is refused in a sentence."""
        for pattern in ("(", "(?=x)", "a" * 501, "(x{1000}){1000}"):
            error = self.assertRaises(FilterError, self.ask, regex=pattern)
            self.assertNotIn("Traceback", str(error))

    def test_a_pattern_that_would_hang_others(self) -> None:
        """A pattern that takes other engines for ever is answered."""
        self.world.put(MIDNIGHT + HOUR, [said(MIDNIGHT + HOUR, "a" * 400 + "!")])
        self.assertEqual(self.ask(regex="^(a+)+$"), [])
