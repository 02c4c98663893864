"""Rooms and their subscriptions: what is known of a room from all its connections together."""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.connection import Connection
from chatlog.rooms.subscriptions import Room, State, Subscription
from tests.fakes import environment
from tests.played import nothing

#: The time of day at clock 0.
EPOCH = 1_700_000_000.0


class RoomCase(SynchronousTestCase):
    """One room on connections 1, 2, ..."""

    def setUp(self) -> None:
        self.around = environment(Clock())
        self.room = Room("ann", records=None)  # type: ignore[arg-type]

    def connection(self, number: int) -> Connection:
        """A connection that nobody opens."""
        unused: Any = None
        return Connection(number, 0, "twitch", self.around, unused, nothing, False)  # type: ignore[arg-type]

    def subscribe(self, since: float | None = None) -> Subscription:
        """The room on one more connection, which has delivered it since then; None: it does not."""
        subscription = Subscription(self.room, self.connection(len(self.room.subscriptions) + 1))
        subscription.connection.carry(subscription)
        self.room.subscriptions.append(subscription)
        if since is not None:
            subscription.acknowledged(since, EPOCH + since)
        return subscription


class StateTests(RoomCase):
    """The state that is shown of a room."""

    def test_best_of_all(self) -> None:
        """A room is in the best state that it has on any connection; one that is on none is wanted."""
        self.assertIs(self.room.state, State.WANTED)
        best = [State.RECORDED, State.REQUESTED, State.WANTED, State.SILENT, State.REFUSED]
        one, other = self.subscribe(), self.subscribe()
        for at, state in enumerate(best):
            for worse in best[at:]:
                for first, second in ((one, other), (other, one)):
                    first.enter(state)
                    second.enter(worse)
                    self.assertIs(self.room.state, state)

    def test_reason(self) -> None:
        """The server's words are told as long as they hold, whichever connection they came on."""
        self.subscribe(1.0)
        other = self.subscribe()
        self.assertEqual(self.room.reason, "")
        other.failed(State.REFUSED, "msg_banned")
        self.assertEqual(self.room.reason, "msg_banned")
        other.enter(State.WANTED)
        self.assertEqual(self.room.reason, "")

    def test_tries(self) -> None:
        """Failures in a row are counted, also when the room moves to another connection meanwhile; an
        acknowledgement ends the row."""
        old = self.subscribe()
        self.assertEqual(old.tries, 0)
        old.failed(State.SILENT, "x")
        old.failed(State.REFUSED, "y")
        self.assertEqual(old.tries, 2)
        new = Subscription(self.room, self.connection(2), replaces=old)
        self.assertEqual((new.tries, new.replaces), (2, old))
        new.acknowledged(1.0, EPOCH)
        self.assertEqual((new.tries, new.state, new.since, new.since_by_day), (0, State.RECORDED, 1.0, EPOCH))

    def test_timers_of_an_earlier_state(self) -> None:
        """Every change of state has a number of its own, and takes the subscription out of the queue."""
        subscription = self.subscribe()
        self.assertFalse(subscription.queued)
        turns = [subscription.turn]
        for state in (State.REQUESTED, State.WANTED, State.REQUESTED, State.RECORDED):
            subscription.queued = True
            subscription.enter(state)
            self.assertFalse(subscription.queued)
            turns.append(subscription.turn)
        self.assertEqual(len(set(turns)), len(turns))


class ConnectionsTests(RoomCase):
    """What the single connections have of a room."""

    def test_since_when(self) -> None:
        """Since when a connection has had the room is known for each one that delivers it, and for no
        other."""
        for since in (None, 5.0, 7.0, None):
            self.subscribe(since)
        self.assertEqual(
            [self.room.recorded_since(number) for number in (1, 2, 3, 4, 5)],
            [-math.inf, 5.0, 7.0, -math.inf, -math.inf],
        )
        self.room.subscriptions[1].enter(State.WANTED)
        self.assertEqual(self.room.recorded_since(2), -math.inf)

    def test_elsewhere(self) -> None:
        """A room is delivered elsewhere if any other connection delivers it."""
        one = self.subscribe(5.0)
        self.assertFalse(self.room.is_delivered_elsewhere(1))
        self.assertTrue(self.room.is_delivered_elsewhere(2))
        other = self.subscribe()
        self.assertFalse(self.room.is_delivered_elsewhere(1))
        other.acknowledged(6.0, EPOCH)
        one.enter(State.WANTED)
        self.assertTrue(self.room.is_delivered_elsewhere(1))

    def test_move(self) -> None:
        """A subscription that moves is on its new connection and on no other; it may stay where it is."""
        subscription = self.subscribe()
        old, new = subscription.connection, self.connection(2)
        subscription.move(old)
        self.assertEqual((subscription.connection, old.subscriptions), (old, {"ann": subscription}))
        subscription.move(new)
        self.assertEqual(
            (subscription.connection, old.subscriptions, new.subscriptions), (new, {}, {"ann": subscription})
        )


class LostTests(RoomCase):
    """What is missing when a connection turns out to have delivered nothing for a while."""

    def test_only_connection(self) -> None:
        """Without another connection the room is missing since then, but not before it was acknowledged;
        nothing is kept of what the connection had."""
        for since, at, expected in ((5.0, 10.0, 10.0), (12.0, 10.0, 12.0)):
            self.setUp()
            one = self.subscribe(since)
            self.assertEqual(self.room.lost(one, at, 20.0), ([], expected))
            self.assertIs(one.state, State.WANTED)
            self.assertIsNone(self.room.intervals)

    def test_another_has_it(self) -> None:
        """What another connection delivers is not missing, from its acknowledgement on."""
        for since, expected in ((5.0, []), (10.0, []), (15.0, [(10.0, 15.0)])):
            self.setUp()
            one = self.subscribe(5.0)
            self.subscribe(since)
            self.assertEqual(self.room.lost(one, 10.0, 20.0), (expected, None))

    def test_another_had_it(self) -> None:
        """What another had until it was lost itself is not missing, although it is gone by now; what neither
        had is, each part for itself, up to the one that lasts."""
        one, other = self.subscribe(5.0), self.subscribe(5.0)
        self.assertEqual(self.room.lost(other, 12.0, 13.0), ([], None))
        other.acknowledged(14.0, EPOCH)
        self.assertEqual(self.room.lost(other, 16.0, 17.0), ([], None))
        self.assertEqual(self.room.lost(one, 10.0, 20.0), ([(12.0, 14.0)], 16.0))

    def test_had_until_now(self) -> None:
        """If another had the room up to this moment and has lost it now, nothing is missing before."""
        one, other = self.subscribe(5.0), self.subscribe(5.0)
        self.assertEqual(self.room.lost(other, 20.0, 20.0), ([], None))
        self.assertEqual(self.room.lost(one, 10.0, 20.0), ([], 20.0))

    def test_time_of_day(self) -> None:
        """The gap begins at the time of day that the clock stands for now. A room that is missing since its
        acknowledgement is missing since the last byte, if the clock stood still meanwhile because the machine
        slept; never from before the acknowledgement."""
        one = self.subscribe()
        one.acknowledged(5.0, EPOCH + 5.0)
        for since, at, slept, expected in (
            # It was recorded for a while.
            (8.0, EPOCH + 8.0, 0.0, EPOCH + 8.0),
            (8.0, EPOCH + 1.0, 60.0, EPOCH + 68.0),
            # Nothing came after its acknowledgement.
            (5.0, EPOCH + 5.0, 0.0, EPOCH + 5.0),
            (5.0, EPOCH + 1.0, 60.0, EPOCH + 5.0),
            (5.0, EPOCH + 30.0, 60.0, EPOCH + 30.0),
            (5.0, EPOCH + 90.0, 60.0, EPOCH + 65.0),
        ):
            self.assertEqual(one.missing_from(since, at, EPOCH + slept), expected, (since, at, slept))
