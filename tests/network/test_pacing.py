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

    def resumeProducing(self) -> None:
        self.on_resume()
        super().resumeProducing()

    def turn(self, protocol: Any) -> None:
        """What one turn of the reactor does: one read, if anybody reads."""
        if self.held and self.producerState == "producing":
            data, self.held = self.held[:FULL_READ], self.held[FULL_READ:]
            protocol.dataReceived(data)


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
        protocol.makeConnection(transport)
        return transport, protocol, taker

    def test_reads_as_it_comes_until_pacing_begins(self) -> None:
        """Handshakes and logins are not slowed down."""
        transport, protocol, taker = self.connect()
        for n in range(3):
            transport.held = b"%d" % n
            transport.turn(protocol)
        self.assertEqual(taker.taken, [b"0", b"1", b"2"])

    def test_one_read_a_tick(self) -> None:
        """A paced connection is read when the tick begins, everything that came in between at once
        and in its order."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn(protocol)
        self.assertEqual(taker.taken, [])
        self.pacer.tick()
        transport.turn(protocol)
        for piece in (b"b", b"c", b"d"):
            transport.held += piece
            transport.turn(protocol)
        self.assertEqual(taker.taken, [b"a"])
        self.pacer.tick()
        transport.turn(protocol)
        self.assertEqual(taker.taken, [b"a", b"bcd"])

    def test_older_connections_first(self) -> None:
        """Connections are read in the same order at every tick, the older ones first: in an overlap the
        old connection has what was said before the new one joined."""
        order: list[int] = []
        connections = [self.connect() for _ in range(50)]
        for number, (transport, protocol, taker) in enumerate(connections):
            pacing.begin(taker.transport)
            transport.held = b"a"
            transport.turn(protocol)
            transport.on_resume = partial(order.append, number)
        for _ in range(2):
            order.clear()
            self.pacer.tick()
            self.assertEqual(order, list(range(50)))
            for transport, protocol, _ in connections:
                transport.held = b"b"
                transport.turn(protocol)

    def test_a_new_connection_waits_for_the_older_ones(self) -> None:
        """What a connection brings right after its login is not read before what an older one still
        holds: when one takes over from another, chat stays in its order."""
        old, new = self.connect(), self.connect()
        order: list[str] = []
        for name, (transport, protocol, taker) in (("old", old), ("new", new)):
            pacing.begin(taker.transport)
            transport.held = b"a"
            transport.turn(protocol)
            transport.on_resume = partial(order.append, name)
            self.assertEqual(taker.taken, [])
        self.pacer.tick()
        self.assertEqual(order, ["old", "new"])

    def test_burst_is_read_to_its_end_at_once(self) -> None:
        """Megabytes that arrive together do not wait for tick after tick."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = bytes(range(256)) * 20_000
        burst = transport.held
        self.pacer.tick()
        for _ in range(len(burst) // FULL_READ + 1):
            transport.turn(protocol)
        self.assertEqual(b"".join(taker.taken), burst)
        self.assertEqual(transport.producerState, "paused")

    def test_a_busy_connection_is_read_in_between(self) -> None:
        """A connection that brings more than the kernel can hold until the next tick is read again
        before that, more often the more it brings; a quiet one is not."""
        transport, protocol, taker = self.connect()
        quiet, quiet_protocol, quiet_taker = self.connect()
        for each in (taker, quiet_taker):
            pacing.begin(each.transport)
        transport.held, quiet.held = b"x" * 60_000, b"y" * 1000
        for _ in range(2):
            transport.turn(protocol)
            quiet.turn(quiet_protocol)
        self.clock.advance(0.5)
        self.pacer.tick()
        transport.held, quiet.held = b"x" * 60_000, b"y" * 1000
        transport.turn(protocol)
        quiet.turn(quiet_protocol)
        self.assertEqual(transport.producerState, "paused")
        # Two thirds of what came in half a second have come again after a third of a second.
        self.clock.advance(0.34)
        transport.held, quiet.held = b"z" * 40_000, b"y"
        transport.turn(protocol)
        quiet.turn(quiet_protocol)
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
        transport.turn(protocol)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_connection_is_forgotten(self) -> None:
        """A connection that goes while it is paused is neither kept nor resumed."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn(protocol)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(taker.lost)
        self.pacer.tick()
        self.assertEqual(transport.producerState, "paused")

    def test_closing_reads_again(self) -> None:
        """A close that waits for the peer's answer gets to read it."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"a"
        transport.turn(protocol)
        assert taker.transport is not None
        taker.transport.loseConnection()
        transport.held += b"bye"
        transport.turn(protocol)
        self.assertEqual(taker.taken, [b"abye"])

    def test_drain_reads_what_the_kernel_holds(self) -> None:
        """Before a stop everything that has arrived is read, more than one read's worth included."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"x" + b"y" * (FULL_READ * 3 + 5)
        done = Deferred.fromCoroutine(self.pacer.drain(limit=60.0))
        for _ in range(20):
            transport.turn(protocol)
            self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(len(b"".join(taker.taken)), 1 + FULL_READ * 3 + 5)

    def test_drain_is_bounded(self) -> None:
        """A server that never stops sending cannot hold up the stop."""
        transport, protocol, taker = self.connect()
        pacing.begin(taker.transport)
        transport.held = b"x"
        transport.turn(protocol)
        done = Deferred.fromCoroutine(self.pacer.drain(limit=0.25))
        for _ in range(60):
            transport.held = b"y" * FULL_READ
            transport.turn(protocol)
            self.clock.advance(0.01)
        self.successResultOf(done)

    def test_transport_without_pacing(self) -> None:
        """A connection that is not wrapped works as before."""
        pacing.begin(StringTransport())
        pacing.end(StringTransport())
