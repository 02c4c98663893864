"""One read, one delivery: over TLS that is real, in memory, whatever way the bytes are cut."""

from __future__ import annotations

import random
from typing import Any

import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, KeyPair, PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.gathering import Gathering
from chatlog.network.pacing import Paced, Pacer
from chatlog.network.tls import tls_wrapper

AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("chat.example")
#: About what one read of a socket brings at most.
READ = 65536


class Inner(Protocol):
    """Takes down what is delivered, and what happens."""

    transport: Any

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lost: list[Failure] = []
        self.on_data: Any = lambda data: None

    def dataReceived(self, data: bytes) -> None:
        assert not self.lost
        self.got.append(data)
        self.on_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(reason)


class Wire(StringTransport):
    """A transport that can be aborted."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""


class GatheringCase(SynchronousTestCase):
    """A client and a server with their handshake done."""

    paced = True

    def setUp(self) -> None:
        self.clock = Clock()
        path = self.mktemp()
        AUTHORITY.cert_pem.write_to_path(path)
        chain = ISSUED.cert_chain_pems[0].bytes()
        key = ISSUED.private_key_pem.bytes()
        certificate = PrivateCertificate.loadPEM(key + chain)
        assert isinstance(certificate.privateKey, KeyPair)
        options = CertificateOptions(
            privateKey=certificate.privateKey.original, certificate=certificate.original
        )
        accepting: Any = TLSMemoryBIOFactory(options, False, Factory.forProtocol(Protocol), self.clock)
        self.server: Any = accepting.buildProtocol(None)
        self.from_server = Wire()
        self.server.makeConnection(self.from_server)
        self.inner = Inner()
        factory: Any = ClientFactory()
        factory.buildProtocol = lambda addr: self.inner
        wrapped = tls_wrapper("chat.example", path)(factory)
        self.pacer = Pacer(self.clock)
        outer: Any = Paced(wrapped, self.pacer) if self.paced else wrapped
        self.client: Any = outer.buildProtocol(None)
        self.from_client = Wire()
        self.client.makeConnection(self.from_client)
        for _ in range(4):
            for wire, other in ((self.from_client, self.server), (self.from_server, self.client)):
                data = wire.value()
                wire.clear()
                if data:
                    other.dataReceived(data)

    def sent(self, *messages: bytes) -> bytes:
        """What the server sends for these messages, each in a TLS record of its own."""
        for message in messages:
            self.server.write(message)
            self.clock.advance(0)
        data: bytes = self.from_server.value()
        self.from_server.clear()
        return data


class DeliveryTests(GatheringCase):
    def test_one_read(self) -> None:
        """What came with one read is delivered together."""
        self.client.dataReceived(self.sent(b"one\n", b"two\n", b"three\n"))
        self.assertEqual(self.inner.got, [b"one\ntwo\nthree\n"])
        self.client.dataReceived(self.sent(b"four\n"))
        self.assertEqual(self.inner.got[1:], [b"four\n"])

    def test_transport(self) -> None:
        """The protocol speaks to TLS itself, with nothing in between."""
        self.assertIsInstance(self.inner.transport, TLSMemoryBIOProtocol)

    def test_record_in_two_reads(self) -> None:
        """A record that is not whole yet is delivered with the read that completes it."""
        data = self.sent(b"one\n", b"two\n")
        self.client.dataReceived(data[:-3])
        self.assertEqual(self.inner.got, [b"one\n"])
        self.client.dataReceived(data[-3:])
        self.assertEqual(self.inner.got, [b"one\n", b"two\n"])

    def test_message_that_fills_reads(self) -> None:
        """One that is longer than a read is delivered read by read, to the byte."""
        message = random.Random(1).randbytes(3 * READ)
        data = self.sent(message)
        for start in range(0, len(data), READ):
            self.client.dataReceived(data[start : start + READ])
        self.assertEqual(b"".join(self.inner.got), message)
        self.assertLessEqual(len(self.inner.got), len(data) // READ + 1)

    @given(
        st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.integers(0, 10**6).map(random.Random)
    )
    @settings(max_examples=40, deadline=None)
    def test_any_cut(self, messages: list[bytes], chance: random.Random) -> None:
        """However the bytes are cut into reads, all arrive, in order, and at most once a read."""
        self.inner.got.clear()
        rest = self.sent(*messages)
        reads = 0
        while rest:
            size = chance.randint(1, len(rest))
            self.client.dataReceived(rest[:size])
            rest, reads = rest[size:], reads + 1
        self.assertEqual(b"".join(self.inner.got), b"".join(messages))
        self.assertLessEqual(len(self.inner.got), reads)

    def test_byte_by_byte(self) -> None:
        """Nor does a byte at a time lose anything."""
        for byte in self.sent(b"one\n", b"two\n"):
            self.client.dataReceived(bytes([byte]))
        self.assertEqual(self.inner.got, [b"one\n", b"two\n"])


class EndTests(GatheringCase):
    """A connection that ends while there is something to be delivered."""

    def test_goodbye_behind_messages(self) -> None:
        """What came before the goodbye in the same read is delivered, and before the end."""
        self.server.write(b"one\n")
        self.clock.advance(0)
        self.server.write(b"two\n")
        self.server.loseConnection()
        self.clock.advance(0)
        self.client.dataReceived(self.from_server.value())
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.inner.got, [b"one\ntwo\n"])
        self.assertEqual(len(self.inner.lost), 1)

    def test_garbage_behind_messages(self) -> None:
        """So is what came before something that is no TLS."""
        self.client.dataReceived(self.sent(b"one\n", b"two\n") + b"garbage, and enough of it")
        self.assertEqual(self.inner.got, [b"one\ntwo\n"])
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.inner.lost), 1)

    def test_end_of_the_connection(self) -> None:
        """A connection that breaks takes nothing with it that had come whole."""
        data = self.sent(b"one\n", b"two\n", b"three\n")
        self.client.dataReceived(data[:-1])
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.inner.got, [b"one\ntwo\n"])

    def test_abort_in_a_delivery(self) -> None:
        """A protocol that aborts gets nothing more, not even with the read that follows."""
        self.inner.on_data = lambda data: self.inner.transport.abortConnection()
        self.client.dataReceived(self.sent(b"one\n", b"two\n"))
        self.assertTrue(self.from_client.aborted)
        self.client.dataReceived(self.sent(b"three\n"))
        self.client.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual((self.inner.got, len(self.inner.lost)), ([b"one\ntwo\n"], 1))

    def test_protocol_that_breaks(self) -> None:
        """A protocol that raises still gets connectionLost, and no data twice."""

        def broken(data: bytes) -> None:
            raise ValueError(data)

        self.inner.on_data = broken
        self.assertRaises(ValueError, self.client.dataReceived, self.sent(b"one\n"))
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((self.inner.got, len(self.inner.lost)), ([b"one\n"], 1))


class PausedTests(GatheringCase):
    def test_pacing(self) -> None:
        """A paced connection is paused by a read, and that read is delivered whole all the same."""
        self.client.begin_pacing()
        self.client.dataReceived(self.sent(b"one\n", b"two\n"))
        self.assertEqual(self.inner.got, [b"one\ntwo\n"])
        self.assertEqual(self.from_client.producerState, "paused")
        self.pacer.tick()
        self.assertEqual(self.from_client.producerState, "producing")

    def test_paused_in_a_delivery(self) -> None:
        """A protocol that pauses the connection has what had been read by then."""
        self.inner.on_data = lambda data: self.inner.transport.pauseProducing()
        self.client.dataReceived(self.sent(b"one\n", b"two\n"))
        self.assertEqual(self.inner.got, [b"one\ntwo\n"])
        self.assertEqual(self.from_client.producerState, "paused")


class NothingBelowTests(GatheringCase):
    """Without pacing the end of a read is not reported."""

    paced = False

    def test_as_it_comes(self) -> None:
        """Then every record is delivered as it comes."""
        self.client.dataReceived(self.sent(b"one\n", b"two\n"))
        self.assertEqual(self.inner.got, [b"one\n", b"two\n"])


class FactoryTests(SynchronousTestCase):
    def test_factory_without_a_protocol(self) -> None:
        """A factory that builds no protocol has none here either."""
        factory: Any = ClientFactory()
        factory.buildProtocol = lambda addr: None
        self.assertIsNone(Gathering(factory).buildProtocol(None))
