"""A connection that comes back by itself: its states, and what it reports in each of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.closing import Closing
from chatlog.rooms.connection import TABLE, UP, Connection, Phase, Step
from chatlog.rooms.subscriptions import Room, State, Subscription
from tests.fakes import environment
from tests.played import Wire


class Events:
    """Takes down what a connection reports."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def welcomed(self, connection: Connection) -> None:
        self.calls.append(("welcomed",))

    def lost(self, connection: Connection, at: float, reason: str) -> None:
        self.calls.append(("lost", at, reason))

    def acknowledged(self, connection: Connection, name: str) -> None:
        self.calls.append(("acknowledged", name))

    def refused(self, connection: Connection, name: str, reason: str) -> None:
        self.calls.append(("refused", name, reason))

    def parted(self, connection: Connection, name: str) -> None:
        self.calls.append(("parted", name))

    def retiring(self, connection: Connection) -> None:
        self.calls.append(("retiring",))


class ConnectionCase(SynchronousTestCase):
    """A connection whose far end the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)

    def make(self, phase: Phase = Phase.PLANNED, relieves: bool = False) -> Connection:
        """A connection that has come to that state."""
        self.events = Events()
        self.wire: Any = Wire(self.clock.seconds)
        around = environment(self.clock)
        connection = Connection(1, 0, "twitch", around, self.events, lambda _: self.wire, relieves)
        steps = {
            Phase.CONNECTING: [Step.OPEN],
            Phase.ONLINE: [Step.OPEN, Step.WELCOME],
            Phase.RETIRING: [Step.OPEN, Step.WELCOME, Step.RETIRE],
            Phase.CLOSING: [Step.OPEN, Step.WELCOME, Step.CLOSE],
            Phase.CLOSED: [Step.CLOSE],
        }
        for step in steps.get(phase, []):
            self.do(connection, step)
        self.assertIs(connection.phase, phase)
        self.events.calls.clear()
        return connection

    def do(self, connection: Connection, step: Step) -> None:
        """Let this happen to the connection."""
        if step is Step.OPEN:
            connection.open()
        elif step is Step.WELCOME:
            self.wire.welcomed_at = self.clock.seconds()
            connection.welcomed()
        elif step is Step.LOSE:
            gone: Any = Wire(self.clock.seconds)
            gone.welcomed_at, gone.last, gone.answers = self.wire.welcomed_at, 990.0, self.wire.answers
            self.wire.welcomed_at = None
            connection.ended(gone, "gone", Closing.BACK_OFF)
        elif step is Step.RETIRE:
            connection.asked_to_leave()
        elif step is Step.CLOSE:
            self.successResultOf(connection.close())


class TableTests(ConnectionCase):
    """Every state, and everything that may happen in it."""

    def test_every_step(self) -> None:
        """A connection goes where the table leads, and stays where it is when the table names nothing."""
        for phase in Phase:
            for step in Step:
                connection = self.make(phase)
                self.do(connection, step)
                self.assertIs(connection.phase, TABLE.get((phase, step), phase), (phase, step))
                self.assertEqual(connection.up, connection.phase in UP)

    def test_reports(self) -> None:
        """The welcome, a loss and the wish to leave are reported once, and only where they mean something."""
        expected = {
            (Phase.CONNECTING, Step.WELCOME): ("welcomed",),
            (Phase.ONLINE, Step.LOSE): ("lost", 990.0, "gone"),
            (Phase.ONLINE, Step.RETIRE): ("retiring",),
            (Phase.RETIRING, Step.LOSE): ("lost", 990.0, "reconnect"),
            (Phase.CLOSING, Step.LOSE): ("lost", 1000.0, "restart"),
        }
        for phase in Phase:
            for step in Step:
                self.do(self.make(phase), step)
                wanted = expected.get((phase, step))
                self.assertEqual(self.events.calls, [wanted] if wanted else [], (phase, step))

    def test_closed_is_the_end(self) -> None:
        """Whatever happens to a connection that was closed, it stays so; each way out of a state is named."""
        self.assertEqual([phase for phase, _ in TABLE if phase is Phase.CLOSED], [])
        self.assertEqual({phase for phase, _ in TABLE}, set(Phase) - {Phase.CLOSED})

    def test_goodbye_without_an_answer(self) -> None:
        """A server that does not answer the goodbye was perhaps dead: nothing is sure after its last byte."""
        connection = self.make(Phase.CLOSING)
        self.wire.answers = False
        self.do(connection, Step.LOSE)
        self.assertEqual(self.events.calls, [("lost", 990.0, "connection lost")])

    def test_retires_without_coming_back(self) -> None:
        """What retires is not connected again when the server closes it."""
        self.make(Phase.RETIRING)
        self.assertIn(("come back no more",), self.wire.calls)


class LeaveTests(ConnectionCase):
    """A server that asks to reconnect."""

    def test_asked_before_the_welcome(self) -> None:
        """Before its welcome there is nothing to move; afterwards it moves at the next check."""
        connection = self.make(Phase.CONNECTING)
        self.wire.welcomed_at = 0.0
        connection.asked_to_leave()
        self.assertIs(connection.phase, Phase.CONNECTING)
        connection.welcomed()
        connection.check()
        self.assertIs(connection.phase, Phase.RETIRING)

    def test_asked_again(self) -> None:
        """A connection that is itself there because the server has asked stays for a few seconds."""
        connection = self.make(Phase.ONLINE, relieves=True)
        connection.asked_to_leave()
        self.clock.advance(4)
        connection.check()
        self.assertIs(connection.phase, Phase.ONLINE)
        self.clock.advance(1)
        connection.check()
        self.assertEqual((connection.phase, self.events.calls), (Phase.RETIRING, [("retiring",)]))


class ElsewhereTests(ConnectionCase):
    """Whether what breaks off here is whole somewhere else."""

    def carried(self, *connections: Connection) -> Room:
        room = Room("ann", records=None)  # type: ignore[arg-type]
        for connection in connections:
            subscription = Subscription(room, connection)
            subscription.enter(State.RECORDED)
            room.subscriptions.append(subscription)
            connection.carry(subscription)
        return room

    def test_one_connection(self) -> None:
        """It is not, where no other connection delivers the room."""
        connection = self.make(Phase.ONLINE)
        self.carried(connection)
        for name in ("ann", ""):
            self.assertFalse(connection.is_delivered_elsewhere(name))

    def test_two_connections(self) -> None:
        """It is, where another delivers it: the room that is named, or else every room."""
        connection = self.make(Phase.ONLINE)
        other = Connection(2, 1, "twitch", environment(self.clock), self.events, lambda _: self.wire)
        room = self.carried(connection, other)
        for name in ("ann", ""):
            self.assertTrue(connection.is_delivered_elsewhere(name))
        room.subscriptions[1].enter(State.SILENT)
        self.assertFalse(connection.is_delivered_elsewhere(""))

    def test_no_room_left(self) -> None:
        """What retires and has no room left has nothing that is only here; a connection that has none yet
        may be told something."""
        self.assertTrue(self.make(Phase.RETIRING).is_delivered_elsewhere(""))
        self.assertFalse(self.make(Phase.ONLINE).is_delivered_elsewhere(""))
