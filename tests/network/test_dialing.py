"""Connecting by name: all addresses of all families, and the calls of a factory."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NotConnectingError,
    UserError,
)
from twisted.internet.protocol import Protocol, ReconnectingClientFactory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.addresses import NEXT_AFTER, OF_NO_USE
from chatlog.network.dialing import Connector, Network
from chatlog.network.names import LOST_AFTER

WITHIN = 20.0


class Resolver:
    """Knows what the test lets it know, and may be slow. ``asked`` are the names."""

    def __init__(self) -> None:
        self.known: dict[str, list[Any]] = {}
        self.asked: list[str] = []
        self.waiting: list[Any] | None = None

    def resolveHostName(self, receiver: Any, name: str) -> None:
        self.asked.append(name)
        if self.waiting is None:
            self.answer(receiver, name)
        else:
            self.waiting.append(lambda: self.answer(receiver, name))

    def answer(self, receiver: Any, name: str) -> None:
        for address in self.known.get(name, []):
            receiver.addressResolved(address)
        receiver.resolutionComplete()


class Reactor(MemoryReactorClock):
    """With a resolver of the test's own."""

    def __init__(self) -> None:
        super().__init__()
        self.resolver = Resolver()
        self.nameResolver: Any = self.resolver


class Factory(ReconnectingClientFactory):
    """Records its calls."""

    noisy = False
    jitter: Any = None
    factor = 1.0

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.wants = True
        self.built: list[Any] = []

    def startFactory(self) -> None:
        self.calls.append("start")

    def stopFactory(self) -> None:
        self.calls.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.calls.append("connecting")

    def buildProtocol(self, addr: Any) -> Any:
        protocol = Protocol()
        self.built.append(protocol)
        return protocol if self.wants else None

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.calls.append(f"failed: {reason.value}")
        self.error = reason.value
        super().clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.calls.append("lost")
        super().clientConnectionLost(connector, reason)


def v4(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 0)


def v6(host: str, zone: int = 0) -> IPv6Address:
    return IPv6Address("TCP", host, 0, 0, zone)


class DialCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = Reactor()
        self.factory = Factory(self.reactor)
        self.network = Network(self.reactor)

    def dial(self, *addresses: Any, host: str = "chat.example") -> Connector:
        self.reactor.resolver.known["chat.example"] = list(addresses)
        return self.network.speaking("ircs").connectTCP(host, 6697, self.factory, WITHIN)

    def tried(self) -> list[str]:
        """The addresses that were tried, in order."""
        return [client[0] for client in self.reactor.tcpClients]

    def refuse(self, number: int, error: Exception | None = None) -> None:
        """The attempt of that number fails."""
        reason = Failure(error or ConnectionRefusedError())
        self.reactor.tcpClients[number][2].clientConnectionFailed(None, reason)

    def accept(self, number: int) -> Any:
        """The attempt of that number succeeds; what lies on its transport."""
        protocol = self.reactor.tcpClients[number][2].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def given_up(self) -> list[str]:
        """The addresses whose attempts were given up."""
        return [
            client[0]
            for client, connector in zip(self.reactor.tcpClients, self.reactor.connectors, strict=True)
            if connector.stoppedConnecting
        ]


class AddressesTests(DialCase):
    """Which addresses are tried, and when."""

    def test_one_address(self) -> None:
        """A name with one address of either family is connected to."""
        for address in (v4("192.0.2.1"), v6("2001:db8::1")):
            self.setUp()
            self.dial(address)
            self.assertEqual(self.tried(), [address.host])
            self.accept(0)
            self.assertEqual(self.factory.calls, ["start", "connecting"])
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_dead_first_address(self) -> None:
        """One that does not answer is not waited for: the next is tried beside it, and the first that is
        there wins. The other attempt is given up."""
        self.dial(v6("2001:db8::1"), v6("2001:db8::2"), v4("192.0.2.1"))
        self.assertEqual(self.tried(), ["2001:db8::1"])
        self.reactor.advance(NEXT_AFTER)
        self.assertEqual(self.tried(), ["2001:db8::1", "192.0.2.1"])
        self.accept(1)
        self.assertEqual(len(self.factory.built), 1)
        self.assertEqual(self.given_up(), ["2001:db8::1"])
        self.reactor.advance(WITHIN)
        self.assertEqual(len(self.tried()), 2)
        self.assertEqual(self.factory.calls, ["start", "connecting"])

    def test_slow_first_address(self) -> None:
        """The first may still win after others were tried."""
        self.dial(v4("192.0.2.1"), v4("192.0.2.2"))
        self.reactor.advance(NEXT_AFTER)
        self.accept(0)
        self.assertEqual(self.given_up(), ["192.0.2.2"])

    def test_refused_first_address(self) -> None:
        """One that refuses makes room for the next at once."""
        self.dial(v4("192.0.2.1"), v4("192.0.2.2"))
        self.refuse(0)
        self.assertEqual(self.tried(), ["192.0.2.1", "192.0.2.2"])

    def test_addresses_that_say_nothing(self) -> None:
        """An address that takes connections which then come to nothing does not hide the others: whoever has
        to connect again soon tries those first, each in turn. Later the order is as it was."""
        connector = self.dial(v6("2001:db8::1"), v4("192.0.2.1"), v6("2001:db8::2"))
        self.factory.stopTrying()
        first, second, third = "2001:db8::1", "192.0.2.1", "2001:db8::2"
        for address in (first, second, third, first, second):
            self.assertEqual(self.tried()[-1], address)
            self.accept(-1).connectionLost(Failure(ConnectionLost()))
            self.reactor.advance(20)
            connector.connect()
        self.accept(-1).connectionLost(Failure(ConnectionLost()))
        self.reactor.advance(OF_NO_USE)
        connector.connect()
        self.assertEqual(self.tried()[-1], first)

    def test_same_address_twice(self) -> None:
        """An address that is given twice is tried once."""
        self.dial(v4("192.0.2.1"), v4("192.0.2.1"))
        self.refuse(0)
        self.assertEqual(self.factory.calls[2:3], ["failed: connection refused"])

    def test_literals(self) -> None:
        """IP addresses are used directly, without a look-up."""
        for host in ("192.0.2.1", "::1", "2001:db8::1", "fe80::1%lo"):
            self.setUp()
            self.dial(host=host)
            self.assertEqual((self.tried(), self.reactor.resolver.asked), ([host], []))

    def test_zone(self) -> None:
        """A link-local address keeps the interface that the resolver names."""
        self.dial(v6("fe80::1", 3))
        self.assertEqual(self.tried(), ["fe80::1%3"])

    def test_names_of_containers(self) -> None:
        """A name with an underscore, which the DNS does not have but Docker does, is looked up like any
        other; so is one in its IDNA form."""
        for name in ("chat_sim_1", "xn--bcher-kva.example", "r3---sn.example"):
            self.dial(host=name)
        self.assertEqual(
            self.reactor.resolver.asked, ["chat_sim_1", "xn--bcher-kva.example", "r3---sn.example"]
        )


class ReasonTests(DialCase):
    """Why there is no connection."""

    def why(self) -> str:
        self.assertIsInstance(self.factory.error, ConnectError)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1, "only the next attempt is waited for")
        return str(self.factory.error)

    def test_no_address(self) -> None:
        """A name without addresses is reported as that, by its name."""
        self.dial()
        self.assertEqual(
            self.why(), "the name chat.example has no address, or the name servers do not answer"
        )

    def test_no_name(self) -> None:
        """A text that cannot be a name is reported as that, and occupies no thread."""
        for host in ("a..b", "x" * 64 + ".example"):
            self.setUp()
            self.dial(host=host)
            self.assertIn("cannot be the name of a server", self.why())
            self.assertEqual(self.reactor.resolver.asked, [])

    def test_all_refuse(self) -> None:
        """An error that all addresses share is reported once."""
        self.dial(v4("192.0.2.1"), v6("2001:db8::1"))
        self.refuse(0)
        self.refuse(1)
        self.assertEqual(self.why(), "connection refused (all 2 addresses)")

    def test_each_its_own(self) -> None:
        """Different errors are all reported."""
        self.dial(v6("2001:db8::1"), v4("192.0.2.1"))
        error = ConnectError(osError=101, string="Network is unreachable")
        self.refuse(0, error)
        self.refuse(1)
        self.assertEqual(self.why(), "connection refused, this machine has no route to it (all 2 addresses)")

    def test_time_is_for_all(self) -> None:
        """Twenty seconds are for all addresses together, however many there are, and looking up."""
        self.reactor.resolver.waiting = []
        self.dial(*(v4(f"192.0.2.{n}") for n in range(1, 41)))
        self.reactor.advance(5)
        self.reactor.resolver.waiting.pop()()
        self.reactor.pump([0.25] * 60)
        self.assertEqual(self.why(), "no answer from any of 40 addresses of chat.example within 20 s")
        self.assertLess(len(self.tried()), 20)
        self.assertEqual(self.given_up(), self.tried())

    def test_name_servers_that_hang(self) -> None:
        """They are reported as that."""
        self.reactor.resolver.waiting = []
        self.dial()
        self.reactor.advance(WITHIN)
        self.assertEqual(self.why(), "no answer from the name servers about chat.example within 20 s")


class LookUpTests(DialCase):
    """Looking names up."""

    def test_shared(self) -> None:
        """However many connections want a name, it is looked up once at a time, and all get the answer,
        but for those that have given up."""
        self.reactor.resolver.waiting = []
        connectors = [self.dial(v4("192.0.2.1")) for _ in range(20)]
        connectors[0].stopConnecting()
        self.assertEqual(self.reactor.resolver.asked, ["chat.example"])
        self.reactor.resolver.waiting.pop()()
        self.assertEqual(self.tried(), ["192.0.2.1"] * 19)
        self.dial(v4("192.0.2.1"))
        self.assertEqual(len(self.reactor.resolver.asked), 2)

    def test_lost(self) -> None:
        """A look-up that never ends does not keep later ones from being made."""
        self.reactor.resolver.waiting = []
        self.dial(v4("192.0.2.1"))
        self.reactor.pump([1.0] * int(LOST_AFTER + 10))
        self.assertEqual(len(self.reactor.resolver.asked), 2)
        lost, asked = self.reactor.resolver.waiting
        lost()
        asked()


class ConnectorTests(DialCase):
    """The calls of a factory, like those of the reactor's connector."""

    def test_connected_and_lost(self) -> None:
        """The protocol's connectionLost comes before the factory's, which reconnects after its own delay."""
        connector = self.dial(v4("192.0.2.1"))
        outer = self.accept(0)
        (inner,) = self.factory.built
        ends: list[str] = []

        def ended(reason: Failure) -> None:
            ends.extend(["inner", *self.factory.calls[2:]])

        inner.connectionLost = ended
        self.assertEqual(connector.state, "connected")
        outer.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(ends, ["inner"])
        self.assertEqual(self.factory.calls, ["start", "connecting", "lost", "stop"])
        self.reactor.advance(1)
        self.assertEqual(len(self.tried()), 2)
        self.assertEqual(self.factory.calls[4:], ["start", "connecting"])

    def test_bytes(self) -> None:
        """What arrives goes to the protocol, which has the transport itself."""
        self.dial(v4("192.0.2.1"))
        (outer,) = (self.accept(0),)
        got: list[bytes] = []
        self.setUp()
        self.factory.buildProtocol = lambda addr: inner  # type: ignore[method-assign]
        inner: Any = Protocol()
        inner.dataReceived = got.append
        self.dial(v4("192.0.2.1"))
        outer = self.accept(0)
        outer.dataReceived(b"x")
        self.assertEqual(got, [b"x"])
        self.assertIs(type(inner.transport), StringTransport)

    def test_stopped_while_connecting(self) -> None:
        """Whenever it is stopped, nothing stays behind, and the factory is called once."""
        for lookups in (True, False):
            self.setUp()
            if lookups:
                self.reactor.resolver.waiting = []
            connector = self.dial(v4("192.0.2.1"), v4("192.0.2.2"))
            self.factory.continueTrying = 0
            connector.disconnect()
            self.assertIsInstance(self.factory.error, UserError)
            self.assertEqual(len(self.factory.calls), 4)
            self.assertEqual(self.given_up(), self.tried())
            if lookups:
                self.reactor.resolver.waiting.pop()()
            self.reactor.advance(WITHIN * 2)
            self.assertEqual(self.factory.built, [])
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.assertEqual(len(self.factory.calls), 4)
            self.assertRaises(NotConnectingError, connector.stopConnecting)

    def test_stop_trying(self) -> None:
        """The factory's own way to stop works as with any connector."""
        self.dial()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.factory.stopTrying()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_disconnect(self) -> None:
        """A connection that stands is closed in good order."""
        connector = self.dial(v4("192.0.2.1"))
        self.accept(0)
        connector.disconnect()
        self.assertTrue(self.factory.built[0].transport.disconnecting)

    def test_factory_without_a_protocol(self) -> None:
        """A factory that builds no protocol has a connection that failed."""
        self.factory.wants = False
        self.dial(v4("192.0.2.1"))
        self.reactor.tcpClients[0][2].buildProtocol(None)
        self.assertTrue(self.factory.calls[2].startswith("failed: "))

    def test_twice(self) -> None:
        """A connected connector cannot be connected again."""
        connector = self.dial(v4("192.0.2.1"))
        self.assertRaises(RuntimeError, connector.connect)
