"""The entries of the journal of the coverage: how they are written, and what the next run reads in them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.journal.evidence import NONE, Evidence
from chatlog.journal.snapshots import DRIFT, EarlierRun, RoomSnapshot, flush_entry, head, replay
from chatlog.timeline.timeline import RoomTimeline
from chatlog.timeline.timelines import CoverageTotals, Past

A, B = ("twitch", "a"), ("twitch", "b")
#: 2023-11-14, in seconds since the epoch.
START = 1_700_000_000.0
#: A time with more digits than are kept, and that time as it is kept.
EXACT, KEPT = START + 0.12345, START + 0.123


def entry(*rooms: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A flush at START + 10 of a process that began at START; what is None in ``more`` it does not say."""
    said = {"alive": START + 10.0, "durable": START + 10.0, "boot": "x", "since": START, "rooms": [*rooms]}
    return {key: value for key, value in (said | more).items() if value is not None}


def recorded(room: str = "a", since: float = START + 1.0, **more: Any) -> dict[str, Any]:
    """A room that is recorded."""
    return {"platform": "twitch", "room": room, "recorded": since} | more


def read(*entries: Any, boot: str = "x") -> EarlierRun:
    """What a run on the same start of the machine reads."""
    return replay(enumerate(entries, 1), boot)


class WritingTests(SynchronousTestCase):
    """What is in an entry."""

    def test_milliseconds(self) -> None:
        """Every time is kept to the millisecond."""
        gap = (EXACT, EXACT + 1.0)
        kept = [KEPT, KEPT + 1.0]
        snapshot = RoomSnapshot(
            *(EXACT, True, "", 1.23456, EXACT),
            Evidence(((1, EXACT), (2, 0)), (gap,)),
            *(EXACT, (gap,), ((EXACT, EXACT + 1.0, 0.56789),)),
        )
        totals = CoverageTotals("twitch", "a", 5.43219, 0.98765, "removed", spans=(gap,), gaps=(gap,))
        found = flush_entry(
            *(EXACT, EXACT + 1.0),
            [(A, snapshot), (B, RoomSnapshot(EXACT, False, "gone"))],
            {("twitch", 1): EXACT, ("twitch", 2): None},
            {A: Past(totals, EXACT)},
            {"twitch": 1.23456},
            **head("x", EXACT),
        )
        past = {"recorded": 5.432, "missing": 0.988, "reason": "removed", "spans": [kept], "gaps": [kept]}
        room = recorded(since=KEPT) | {"removed": KEPT, "past": past, "lost": 1.235, "begun": KEPT}
        room |= {"heard": KEPT, "links": [(1, KEPT), 2], "spans": [kept], "holes": [kept]}
        self.assertEqual(
            found,
            {
                **{"alive": KEPT, "durable": KEPT + 1.0, "boot": "x", "since": KEPT},
                "late": {"twitch": 1.235},
                "rooms": [
                    room | {"closed": [[*kept, 0.568]]},
                    {"platform": "twitch", "room": "b", "missing": KEPT, "reason": "gone"},
                ],
                "links": [
                    {"platform": "twitch", "link": 1, "heard": KEPT},
                    {"platform": "twitch", "link": 2},
                ],
            },
        )

    def test_nothing_to_say(self) -> None:
        """What there is nothing to say of is not in the entry."""
        self.assertEqual(flush_entry(START, START, [], {}), {"alive": START, "durable": START})
        found = flush_entry(START, START, [(A, RoomSnapshot(START + 1.0, True)), (B, None)], {})
        self.assertEqual(found["rooms"], [recorded(), {"platform": "twitch", "room": "b"}])
        past = Past(CoverageTotals("twitch", "b", 5.0, 1.0, "removed"), START)
        found = flush_entry(START, START, [(B, None)], {}, {B: past})
        fields = {"recorded": 5.0, "missing": 1.0, "reason": "removed"}
        self.assertEqual(
            found["rooms"], [{"platform": "twitch", "room": "b", "removed": START, "past": fields}]
        )

    def test_long_reason(self) -> None:
        """Of a reason, which is often in a server's words, 200 characters are kept."""
        for reason in ("x" * 200, "x" * 201, "x" * 9000):
            [room] = flush_entry(START, START, [(A, RoomSnapshot(START, False, reason))], {})["rooms"]
            self.assertEqual(room["reason"], "x" * 200)


class SnapshotTests(SynchronousTestCase):
    """What a snapshot means for the next run."""

    def test_since_when_it_is_missing(self) -> None:
        """A room that was recorded is missing since the end of the process, or since it was certainly
        recorded last, and never since before it was recorded; one that was missing keeps its reason."""
        for snapshot, end, expected in (
            (RoomSnapshot(5.0, True), 20.0, (20.0, "restart")),
            (RoomSnapshot(30.0, True), 20.0, (30.0, "restart")),
            (RoomSnapshot(5.0, True), None, (5.0, "restart")),
            (RoomSnapshot(5.0, True, heard=10.0), 20.0, (10.0, "restart")),
            (RoomSnapshot(5.0, True, heard=30.0), 20.0, (20.0, "restart")),
            (RoomSnapshot(5.0, True, heard=1.0), 20.0, (5.0, "restart")),
            (RoomSnapshot(5.0, True, heard=10.0), None, (5.0, "restart")),
            (RoomSnapshot(5.0, False, "gone", heard=10.0), 20.0, (5.0, "gone")),
        ):
            self.assertEqual(snapshot.missing_since(end), expected, snapshot)

    def test_a_time_in_the_future(self) -> None:
        """A gap that would begin more than two seconds from now has a wrong clock as its reason."""
        for ahead, reason in (
            (-1.0, "restart"),
            (0.0, "restart"),
            (DRIFT, "restart"),
            (DRIFT + 0.5, "clock"),
        ):
            timeline = RoomTimeline()
            RoomSnapshot(START, True).resume(timeline, START + 50.0 + ahead, START, START + 50.0)
            self.assertEqual((timeline.missing_since, timeline.reason), (START + 50.0 + ahead, reason))

    def test_seconds_lost(self) -> None:
        """What the earlier run lost in the period counts in it: since the period began, or since the room was
        recorded for the first time; where it is told when, just then."""
        for snapshot, since, expected in (
            (RoomSnapshot(5.0, True, lost=4.0), 5.0, (4.0, 2.0)),
            (RoomSnapshot(5.0, True, lost=4.0, first=10.0), 5.0, (4.0, 4.0)),
            (RoomSnapshot(5.0, True, lost=4.0, closed=((5.0, 9.0, 4.0),)), 5.0, (4.0, 0.0)),
            (RoomSnapshot(5.0, True), 5.0, (0.0, 0.0)),
        ):
            timeline = RoomTimeline()
            snapshot.resume(timeline, 15.0, since, 15.0)
            self.assertEqual((timeline.closed(5.0, 15.0), timeline.closed(10.0, 15.0)), expected, snapshot)
            self.assertEqual(timeline.first, snapshot.first)

    def test_idle_connections(self) -> None:
        """Times in which only idle connections had the room are missing; the last of them, if it reaches the
        end, moves the beginning of the restart's gap."""
        snapshot = RoomSnapshot(5.0, True, evidence=Evidence(((1, 0.0),)))
        snapshot.judge({1: 12.0}, 20.0)
        self.assertEqual((snapshot.heard, snapshot.gaps, snapshot.evidence), (12.0, (), NONE))
        snapshot = RoomSnapshot(5.0, True, heard=8.0, evidence=Evidence(((1, 0.0),)))
        snapshot.judge({1: 12.0}, 20.0)
        self.assertEqual(snapshot.heard, 8.0)
        snapshot = RoomSnapshot(5.0, True, evidence=Evidence(((1, 0.0), (2, 15.0))))
        snapshot.judge({1: 12.0, 2: None}, 20.0)
        self.assertEqual((snapshot.heard, snapshot.gaps), (None, ((12.0, 15.0),)))
        snapshot = RoomSnapshot(5.0, True, evidence=Evidence(((1, 0.0),)))
        snapshot.judge({1: None}, 20.0)
        self.assertEqual((snapshot.heard, snapshot.gaps), (None, ()))


class ReadingTests(SynchronousTestCase):
    """What the next run reads."""

    def test_nothing(self) -> None:
        """No entry says nothing, and then nothing is known of any platform."""
        earlier = read()
        self.assertEqual(earlier, EarlierRun())
        self.assertIsNone(earlier.heard_until("twitch"))

    def test_end(self) -> None:
        """On the same start of the machine everything that was in files is there, else only what was on the
        disk; a system that does not tell its starts apart counts as started anew. What arrives late was sent
        before."""
        said = entry(recorded(), durable=START + 8.0, late={"twitch": 1.5, "kick": 99.0, "x": -1, "y": "z"})
        for boot, written, end in (("x", "x", 10.0), ("y", "x", 8.0), ("", "", 8.0), ("", "x", 8.0)):
            earlier = read(said | {"boot": written}, boot=boot)
            self.assertEqual((earlier.end, earlier.durable), (START + end, START + 8.0), (boot, written))
            heard = [earlier.heard_until(platform) for platform in ("twitch", "kick", "x", "y", "z")]
            self.assertEqual(heard, [START + end - late for late in (1.5, 3.0, 0.0, 0.0, 0.0)])

    def test_entry_without_times(self) -> None:
        """An entry that does not say until when it holds leaves that as it was; one that stands alone says
        nothing of the end."""
        rooms = {"rooms": [recorded("b", links=[1])], "links": [{"platform": "twitch", "link": 1}]}
        earlier = read(entry(recorded()), rooms)
        self.assertEqual((earlier.end, list(earlier.rooms)), (START + 10.0, [A, B]))
        earlier = read(rooms)
        self.assertEqual((earlier.end, list(earlier.rooms)), (None, [B]))
        self.assertEqual(earlier.rooms[B].evidence, Evidence(((1, 0.0),)))

    def test_entry_with_everything(self) -> None:
        """Rooms that an entry with all rooms does not name are forgotten, recorded or removed; and so are
        idle connections."""
        gone = {
            "platform": "twitch",
            "room": "c",
            "removed": START + 2.0,
            "past": {"recorded": 1, "missing": 0},
        }
        idle = {"platform": "twitch", "link": 1, "heard": START + 3.0}
        first = entry(recorded(links=[1]), recorded("b"), gone, links=[idle])
        self.assertEqual((set(read(first).rooms), len(read(first).removed)), ({A, B}, 1))
        self.assertEqual(read(first).rooms[A].heard, START + 3.0)
        earlier = read(first, entry(recorded(links=[1]), all=True, boot=None, since=None))
        self.assertEqual((set(earlier.rooms), earlier.removed), ({A}, {}))
        self.assertIsNone(earlier.rooms[A].heard)

    def test_next_period(self) -> None:
        """With a new period what was lost in the one before, and who was removed in it, is forgotten, and
        also that a room was recorded for the first time in it."""
        gone = {
            "platform": "twitch",
            "room": "c",
            "removed": START + 2.0,
            "past": {"recorded": 1, "missing": 0},
        }
        closed = [[START + 2.0, START + 3.0, 1.0]]
        first = entry(
            recorded(lost=1.0, closed=closed, begun=START + 1.0), recorded("b", begun=START + 9.0), gone
        )
        for since, lost, fields, begun in (
            (None, 1.0, ((START + 2.0, START + 3.0, 1.0),), START + 1.0),
            (START + 1.0, 0.0, (), None),
            (START + 5.0, 0.0, (), None),
        ):
            earlier = read(first, entry(since=since, boot=None))
            room = earlier.rooms[A]
            self.assertEqual((room.lost, room.closed, room.first), (lost, fields, begun), since)
            self.assertEqual(earlier.rooms[B].first, START + 9.0)
            self.assertEqual(len(earlier.removed), since is None)
            self.assertEqual(earlier.since, START if since is None else since)

    def test_after_the_end(self) -> None:
        """What happened to a known room after the last moment that was kept counts as not having happened; a
        room that came then is one that is missing."""
        later = entry(recorded(since=START + 9.0), recorded("b", START + 9.0), durable=START + 8.0)
        earlier = read(entry(recorded(), durable=START + 5.0), later, boot="another start")
        self.assertEqual([earlier.rooms[key].since for key in (A, B)], [START + 1.0, START + 9.0])
        removed = {"platform": "twitch", "room": "a", "removed": START + 9.0}
        removed["past"] = {"recorded": 8.0, "missing": 0.0}
        earlier = read(entry(recorded()), entry(removed, durable=START + 8.0), boot="another start")
        self.assertEqual((list(earlier.rooms), earlier.removed), ([A], {}))
        earlier = read(entry(recorded()), entry(removed))
        self.assertEqual((list(earlier.rooms), list(earlier.removed)), ([], [A]))
        self.assertEqual(earlier.removed[A].until, START + 9.0)

    def test_missing_entries(self) -> None:
        """Entries behind one that is missing are not believed, up to one with everything; one that was
        written twice is."""
        first, second, third = (
            entry(recorded(name, START + at)) for name, at in (("a", 1.0), ("b", 2.0), ("c", 3.0))
        )
        for entries, rooms in (
            ([(1, first), (2, second)], "ab"),
            ([(1, first), (1, second)], "ab"),
            ([(1, first), (3, second)], "a"),
            ([(1, first), (3, second), (4, third)], "a"),
            ([(2, first)], ""),
            ([(1, first), (3, second | {"all": True}), (4, third)], "bc"),
            ([(1, first), (2, "nonsense"), (3, third)], "a"),
        ):
            found = "".join(name for _, name in replay(entries, "x").rooms)
            self.assertEqual(found, rooms, [number for number, _ in entries])

    def test_all_that_a_room_has(self) -> None:
        """Everything that was written of a room is read again."""
        gap = (START + 2.0, START + 3.0)
        for snapshot in (
            RoomSnapshot(START + 1.0, True, first=START + 1.0, heard=START + 4.0, gaps=(gap,)),
            RoomSnapshot(START + 1.0, True, lost=1.5, closed=((*gap, 1.0),)),
            RoomSnapshot(START + 1.0, False, "refused: gone"),
        ):
            said = flush_entry(START + 10.0, START + 10.0, [(A, snapshot)], {}, **head("x", START))
            self.assertEqual(read(said).rooms, {A: snapshot})
        totals = CoverageTotals("twitch", "a", 5.0, 1.0, "removed", spans=(gap,), gaps=())
        past = Past(totals, START + 5.0)
        said = flush_entry(START + 10.0, START + 10.0, [(A, None)], {}, {A: past}, **head("x", START))
        self.assertEqual((read(said).rooms, read(said).removed), ({}, {A: past}))

    def test_what_is_none(self) -> None:
        """What somebody else has written there is left out, and hurts nothing: times before 1970 and after
        the year 9999, text for numbers, rooms that are no objects."""
        wrong: Any
        for wrong in (-1, 253402300800, "1", None, True, [], float("nan")):
            earlier = read(entry(recorded(since=wrong), recorded("b", lost=wrong, begun=wrong, heard=wrong)))
            self.assertEqual(list(earlier.rooms), [B] if wrong is not True else [A, B], wrong)
        last = 253402300799.0
        self.assertEqual(read(entry(recorded("b", begun=last))).rooms[B].first, last)
        self.assertEqual(read(entry(recorded("b", begun=0))).rooms[B].first, 0.0)
        for rooms in ("x", 5, {"a": 1}, ["a", 5, None]):
            self.assertEqual(read(entry() | {"rooms": rooms, "links": rooms}).rooms, {})
        odd = recorded(spans=[[1, 2, 3], "x", [1], [1, "2"], [4, 5]], holes=[[6, 7], [8]], closed=[[1, 2]])
        room = read(entry(odd | {"links": ["1", [2], [3, 4]]})).rooms[A]
        self.assertEqual((room.gaps[:1], room.closed), (((6.0, 7.0),), ()))
        past = {"platform": "twitch", "room": "c", "removed": START + 2.0}
        for wrong in ("x", None, 5):
            self.assertEqual(read(entry(past | {"past": wrong})).removed, {})
        [fields] = read(entry(past | {"past": {"reason": "x" * 999, "spans": "no"}})).removed.values()
        self.assertEqual(fields.totals, CoverageTotals("twitch", "c", 0.0, 0.0, "x" * 200, spans=()))
