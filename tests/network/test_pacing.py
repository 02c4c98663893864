"""Paced reading: nothing is lost, reordered or delayed for longer than a tick."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network import pacing
from chatlog.network.pacing import FULL_READ, Paced, Pacer


class Taker(Protocol):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.taken.append(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.lost = True


class Kernel(StringTransport):
    """A transport that holds what arrives until it is read, at most FULL_READ bytes a read."""

    def __init__(self) -> None:
        super().__init__()
        self.held = b""
        self.on_resume: Callable[[], object] = lambda: None
        self.reader: Any = None

    def resumeProducing(self) -> None:
        self.on_resume()
        super().resumeProducing()

    def doRead(self) -> None:
        """One read, whoever is paused."""
        if self.held:
            data, self.held = self.held[:FULL_READ], self.held[FULL_READ:]
            self.reader.dataReceived(data)

    def turn(self) -> None:
        """What one turn of the reactor does: one read, if anybody reads."""
        if self.producerState == "producing":
            self.doRead()


class PacingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)

    def connect(self) -> tuple[Kernel, Any, Taker]:
        taker = Taker()
        factory = Factory.forProtocol(lambda: taker)
        factory.noisy = False
        protocol = Paced(factory, self.pacer).buildProtocol(None)
        transport = Kernel()
        transport.reader = protocol
        protocol.makeConnection(transport)
        return transport, protocol, taker

    def test_reads_as_it_comes_until_pacing_begins(self) -> None:
        """Handshakes and logins are not slowed down."""
        transport, _, taker = self.connect()
        for n in range(3):
            transport.held = b"%d" % n
            transport.turn()
        self.assertEqual(taker.taken, [b"0", b"1", b"2"])

    def test_read_now(self) -> None:
        """What has arrived can be had before the tick, to its last byte; the connection stays paused."""
        transport, _, taker = self.connect()
        pacing.read_now(taker.transport)
        self.assertEqual(taker.taken, [])
        pacing.begin(taker.transport)
        transport.held = b"a" * FULL_READ + b"b"
        pacing.read_now(taker.transport)
        self.assertEqual(b"".join(taker.taken), b"a" * FULL_READ + b"b")
        self.assertEqual(transport.producerState, "paused")
        pacing.read_now(taker.transport)
        pacing.read_now(StringTransport())
        self.assertEqual(len(taker.taken), 2)

    def test_one_read_a_tick(self) -> None:
        """A paced connection is read when the tick begins, everything that came in between at once
        and in its order."""
        transport, _, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn()
        self.assertEqual(taker.taken, [])
        self.pacer.tick()
        transport.turn()
        for piece in (b"b", b"c", b"d"):
            transport.held += piece
            transport.turn()
        self.assertEqual(taker.taken, [b"a"])
        self.pacer.tick()
        transport.turn()
        self.assertEqual(taker.taken, [b"a", b"bcd"])

    def test_older_connections_first(self) -> None:
        """Connections are read in the same order at every tick, the older ones first: in an overlap the
        old connection has what was said before the new one joined."""
        order: list[int] = []
        connections = [self.connect() for _ in range(50)]
        for number, (transport, _, taker) in enumerate(connections):
            pacing.begin(taker.transport)
            transport.held = b"a"
            transport.turn()
            transport.on_resume = partial(order.append, number)
        for _ in range(2):
            order.clear()
            self.pacer.tick()
            self.assertEqual(order, list(range(50)))
            for transport, _, _ in connections:
                transport.held = b"b"
                transport.turn()

    def test_a_new_connection_waits_for_the_older_ones(self) -> None:
        """What a connection brings right after its login is not read before what an older one still
        holds: when one takes over from another, chat stays in its order."""
        old, new = self.connect(), self.connect()
        order: list[str] = []
        for name, (transport, _, taker) in (("old", old), ("new", new)):
            pacing.begin(taker.transport)
            transport.held = b"a"
            transport.turn()
            transport.on_resume = partial(order.append, name)
            self.assertEqual(taker.taken, [])
        self.pacer.tick()
        self.assertEqual(order, ["old", "new"])

    def test_burst_is_read_to_its_end_at_once(self) -> None:
        """Megabytes that arrive together do not wait for tick after tick."""
        transport, _, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = bytes(range(256)) * 20_000
        burst = transport.held
        self.pacer.tick()
        for _ in range(len(burst) // FULL_READ + 1):
            transport.turn()
        self.assertEqual(b"".join(taker.taken), burst)
        self.assertEqual(transport.producerState, "paused")

    def test_a_busy_connection_is_read_in_between(self) -> None:
        """A connection that brings more than the kernel can hold until the next tick is read again
        before that, more often the more it brings; a quiet one is not."""
        transport, _, taker = self.connect()
        quiet, _, quiet_taker = self.connect()
        for each in (taker, quiet_taker):
            pacing.begin(each.transport)
        transport.held, quiet.held = b"x" * 60_000, b"y" * 1000
        for _ in range(2):
            transport.turn()
            quiet.turn()
        self.clock.advance(0.5)
        self.pacer.tick()
        transport.held, quiet.held = b"x" * 60_000, b"y" * 1000
        transport.turn()
        quiet.turn()
        self.assertEqual(transport.producerState, "paused")
        # Two thirds of what came in half a second have come again after a third of a second.
        self.clock.advance(0.34)
        transport.held, quiet.held = b"z" * 40_000, b"y"
        transport.turn()
        quiet.turn()
        self.assertEqual(taker.taken[-1], b"z" * 40_000)
        self.assertEqual(quiet_taker.taken[-1], b"y" * 1000)
        self.assertEqual(transport.producerState, "paused")

    def test_no_read_is_left_behind(self) -> None:
        """A busy connection that goes leaves no timer."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        self.clock.advance(0.5)
        self.pacer.tick()
        transport.held = b"x" * 60_000
        transport.turn()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_connection_is_forgotten(self) -> None:
        """A connection that goes while it is paused is neither kept nor resumed."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(taker.lost)
        self.pacer.tick()
        self.assertEqual(transport.producerState, "paused")

    def test_closing_reads_again(self) -> None:
        """A close that waits for the peer's answer gets to read it."""
        transport, _, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn()
        assert taker.transport is not None
        taker.transport.loseConnection()
        transport.held += b"bye"
        transport.turn()
        self.assertEqual(taker.taken, [b"abye"])

    def test_drain_reads_what_the_kernel_holds(self) -> None:
        """Before a stop everything that has arrived is read, more than one read's worth included."""
        transport, _, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"x" + b"y" * (FULL_READ * 3 + 5)
        done = Deferred.fromCoroutine(self.pacer.drain(limit=60.0))
        for _ in range(20):
            transport.turn()
            self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(len(b"".join(taker.taken)), 1 + FULL_READ * 3 + 5)

    def test_drain_is_bounded(self) -> None:
        """A server that never stops sending cannot hold up the stop."""
        transport, _, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"x"
        transport.turn()
        done = Deferred.fromCoroutine(self.pacer.drain(limit=0.25))
        for _ in range(60):
            transport.held = b"y" * FULL_READ
            transport.turn()
            self.clock.advance(0.01)
        self.successResultOf(done)

    def test_transport_without_pacing(self) -> None:
        """A connection that is not wrapped works as before."""
        pacing.begin(StringTransport())
        pacing.end(StringTransport())
