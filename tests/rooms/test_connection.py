"""A connection that comes back by itself: its states, and what it reports in each of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
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
        self.counters = Counters()
        around = environment(self.clock, counters=self.counters)
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


class ReportTests(ConnectionCase):
    """What is told, counted and logged of a connection."""

    def failed(self, connection: Connection, reason: str, closing: Closing = Closing.BACK_OFF) -> list[Any]:
        """An attempt fails; the events of the log."""
        with capturedLogs() as logged:
            connection.ended(None, reason, closing)
        return list(logged)

    def test_rooms(self) -> None:
        """What the server says of a room is passed on in its words."""
        connection = self.make(Phase.ONLINE)
        connection.acknowledged("ann")
        connection.refused("bob", "msg_banned")
        connection.parted("cid")
        self.assertEqual(
            self.events.calls, [("acknowledged", "ann"), ("refused", "bob", "msg_banned"), ("parted", "cid")]
        )

    def test_counted(self) -> None:
        """Connections are counted once they are welcomed, and once such a one is lost; attempts that fail
        are neither."""
        connection = self.make(Phase.CONNECTING)
        self.failed(connection, "cannot connect: refused")
        unwelcomed: Any = Wire(self.clock.seconds)
        connection.ended(unwelcomed, "login refused", Closing.REFUSED)
        self.assertEqual((self.counters.connects, self.counters.disconnects), ({}, {}))
        for times in (1, 2):
            self.do(connection, Step.WELCOME)
            self.assertEqual(self.counters.connects, {"twitch": times})
            self.do(connection, Step.LOSE)
            self.assertEqual(self.counters.disconnects, {"twitch": times})

    def test_trouble(self) -> None:
        """Why there is no connection is known, and is one line of the log until it is another reason. Once it
        is welcomed there is no trouble any more, and another line says so."""
        connection = self.make(Phase.CONNECTING)
        self.assertEqual((connection.trouble, connection.refused_login), ("", False))
        for reason, lines in (("one", 1), ("one", 0), ("other", 1), ("one", 1)):
            logged = self.failed(connection, reason)
            self.assertEqual([event["log_level"] for event in logged], [LogLevel.warn] * lines)
            self.assertEqual((connection.trouble, connection.refused_login), (reason, False))
        with capturedLogs() as back:
            self.do(connection, Step.WELCOME)
        self.assertEqual((connection.trouble, len(back)), ("", 1))
        self.do(connection, Step.LOSE)
        self.assertEqual(connection.trouble, "gone")

    def test_welcomed_at_once(self) -> None:
        """A connection that had no trouble is not said to be back."""
        connection = self.make(Phase.CONNECTING)
        with capturedLogs() as logged:
            self.do(connection, Step.WELCOME)
        self.assertEqual(logged, [])

    def test_login_refused(self) -> None:
        """A login that the server refuses is an error until it takes one."""
        connection = self.make(Phase.CONNECTING)
        [event] = self.failed(connection, "login refused: x", Closing.REFUSED)
        self.assertEqual((event["log_level"], connection.refused_login), (LogLevel.error, True))
        self.do(connection, Step.WELCOME)
        self.assertFalse(connection.refused_login)
        self.do(connection, Step.LOSE)
        self.failed(connection, "login refused: x", Closing.REFUSED)
        self.failed(connection, "cannot connect: y")
        self.assertFalse(connection.refused_login)

    def test_meant_to_end(self) -> None:
        """A connection that ends because it is meant to is no trouble."""
        for phase in (Phase.RETIRING, Phase.CLOSING):
            connection = self.make(phase)
            with capturedLogs() as logged:
                self.do(connection, Step.LOSE)
            self.assertEqual((connection.phase, connection.trouble, logged), (Phase.CLOSED, "", []))

    def test_late(self) -> None:
        """If the last byte was late, nothing is sure after it was sent."""
        connection = self.make(Phase.ONLINE)
        gone: Any = Wire(self.clock.seconds)
        gone.welcomed_at, gone.last, gone.late = 0.0, 990.0, 2.0
        connection.ended(gone, "gone", Closing.BACK_OFF)
        self.assertEqual(self.events.calls, [("lost", 988.0, "gone")])

    def test_endless_goodbye(self) -> None:
        """Where nobody waits any longer for the end of a connection, nothing is sure after its last byte."""
        connection = self.make(Phase.ONLINE)
        self.wire.endless, self.wire.last = True, 995.0
        waiting = connection.close()
        self.assertNoResult(waiting)
        waiting.cancel()
        self.successResultOf(waiting)
        self.assertIs(connection.phase, Phase.CLOSED)
        self.assertEqual(self.events.calls, [("lost", 995.0, "connection lost")])

    def test_nothing_left_to_lose(self) -> None:
        """A connection that has ended meanwhile, or was never welcomed, loses nothing then."""
        for phase, expected in ((Phase.ONLINE, [("lost", 1000.0, "restart")]), (Phase.CONNECTING, [])):
            connection = self.make(phase)
            self.wire.endless, self.wire.welcomed_at = True, 0.0
            waiting = connection.close()
            if phase is Phase.ONLINE:
                self.do(connection, Step.LOSE)
            waiting.cancel()
            self.successResultOf(waiting)
            self.assertEqual((connection.phase, self.events.calls), (Phase.CLOSED, expected))


class CommandTests(ConnectionCase):
    """What the pool asks of a connection."""

    def test_passed_on(self) -> None:
        """It is asked of the server on the connection that there is."""
        connection = self.make(Phase.ONLINE)
        self.wire.calls.clear()
        connection.subscribe(["ann", "bob"])
        connection.unsubscribe("ann")
        connection.read_now()
        connection.check()
        self.assertEqual(self.wire.calls, [("ask", "ann", "bob"), ("leave", "ann"), ("read",), ("check",)])
        self.wire.last, self.wire.late = 993.0, 1.5
        self.assertEqual(connection.heard(), (7.0, 1.5))

    def test_no_connection(self) -> None:
        """Where there is none, there is nobody to ask, and nothing is late."""
        for phase in (Phase.PLANNED, Phase.CONNECTING):
            connection = self.make(phase)
            self.wire.calls.clear()
            connection.subscribe(["ann"])
            connection.unsubscribe("ann")
            connection.read_now()
            connection.check()
            self.assertEqual((connection.heard(), self.wire.calls), ((0.0, 0.0), []))

    def test_drop(self) -> None:
        """A room that has another subscription on the connection by now keeps it."""
        connection = self.make()
        room = Room("ann", records=None)  # type: ignore[arg-type]
        old, new = Subscription(room, connection), Subscription(room, connection)
        connection.drop(old)
        connection.carry(old)
        connection.carry(new)
        connection.drop(old)
        self.assertEqual(connection.subscriptions, {"ann": new})
        connection.drop(new)
        self.assertEqual(connection.subscriptions, {})


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

    def test_told_once(self) -> None:
        """The log says once that the server asks, however often it does."""
        connection = self.make(Phase.ONLINE, relieves=True)
        with capturedLogs() as logged:
            for _ in range(3):
                connection.asked_to_leave()
        self.assertEqual(len(logged), 1)

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

    def carried(self, *connections: Connection, name: str = "ann") -> Room:
        room = Room(name, records=None)  # type: ignore[arg-type]
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
        other = Connection(2, 1, "twitch", environment(self.clock), self.events, lambda _: self.wire, False)
        room = self.carried(connection, other)
        for name in ("ann", ""):
            self.assertTrue(connection.is_delivered_elsewhere(name))
        only_here = self.carried(connection, name="bob")
        self.assertEqual(
            [connection.is_delivered_elsewhere(name) for name in ("ann", "bob", "")], [True, False, False]
        )
        connection.drop(only_here.subscriptions[0])
        room.subscriptions[1].enter(State.SILENT)
        self.assertFalse(connection.is_delivered_elsewhere(""))

    def test_no_room_left(self) -> None:
        """What retires and has no room left has nothing that is only here; a connection that has none yet
        may be told something."""
        self.assertTrue(self.make(Phase.RETIRING).is_delivered_elsewhere(""))
        self.assertFalse(self.make(Phase.ONLINE).is_delivered_elsewhere(""))
