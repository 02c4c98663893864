"""What it saves that one read over TLS is one delivery: CPU a message from the socket to the record.

    python -m bench.reading [messages]

A server's TLS records, one for each message, come in reads of so many; once what TLS delivers is handed on
together, once as it comes. Prints microseconds of CPU a message, the best of several runs, both ways in turn:
pacing, TLS, the protocol and the intake of Twitch, without sockets and files.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from typing import Any

import trustme
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from bench.lanes import Drain, surroundings
from bench.parse_twitch import sample_line
from chatlog.config.settings import TwitchSettings
from chatlog.network.pacing import Paced, Pacer
from chatlog.network.tls import tls_wrapper
from chatlog.rooms.subscriptions import Room
from chatlog.twitch.client import TwitchProtocol
from chatlog.twitch.intake import Intake

RUNS = 5
HOST = "chat.example"


class Owner:
    """Owns a connection that is never welcomed."""

    number = 1

    def ignored(self, *arguments: object) -> None:
        """Nothing is answered."""

    welcomed = acknowledged = refused = parted = asked_to_leave = ended = ignored

    def is_delivered_elsewhere(self, name: str) -> bool:
        """Nothing is."""
        return False


class Wire:
    """A client and a server in memory, with their handshake done. ``gathering``: what one read brought is
    delivered together."""

    def __init__(self, authority: trustme.CA, ca_file: str, gathering: bool) -> None:
        around = surroundings()
        self.counters = around.counters
        self._clock = Clock()
        rooms = {f"channel{n}": Room(f"channel{n}", Drain(), "1") for n in range(100)}
        intake = Intake(rooms, Drain(), around)
        owner: Any = Owner()
        issued = authority.issue_cert(HOST)
        pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
        certificate: Any = PrivateCertificate.loadPEM(pem)
        options = CertificateOptions(
            privateKey=certificate.privateKey.original, certificate=certificate.original
        )
        accepting: Any = TLSMemoryBIOFactory(options, False, Factory.forProtocol(Protocol), self._clock)
        self._server = accepting.buildProtocol(None)
        factory: Any = ClientFactory()
        factory.buildProtocol = lambda addr: TwitchProtocol(
            owner, intake, TwitchSettings(("a",)), self._clock, time.time
        )
        paced: Any = Paced(tls_wrapper(HOST, ca_file)(factory), Pacer(self._clock))
        self.client = paced.buildProtocol(None)
        if not gathering:
            # Nothing tells that a read has been handled.
            self.client.after_each_read = None
        self._sent, sent = StringTransport(), StringTransport()
        self._server.makeConnection(self._sent)
        self.client.makeConnection(sent)
        for _ in range(4):
            for wire, other in ((sent, self._server), (self._sent, self.client)):
                data = wire.value()
                wire.clear()
                if data:
                    other.dataReceived(data)

    def read(self, lines: list[bytes]) -> bytes:
        """The bytes of one read that brings these lines, each in a TLS record."""
        for line in lines:
            self._server.write(line + b"\r\n")
            self._clock.advance(0)
        data: bytes = self._sent.value()
        self._sent.clear()
        return data


def cost(wire: Wire, lines: list[bytes], at_once: int) -> float:
    """Microseconds of CPU a message."""
    reads = [wire.read(lines[n : n + at_once]) for n in range(0, len(lines), at_once)]
    began = time.process_time()
    for read in reads:
        wire.client.dataReceived(read)
    took = time.process_time() - began
    if wire.counters.received != len(lines):
        raise SystemExit(f"{wire.counters.received} of {len(lines)} messages arrived")
    return took / len(lines) * 1e6


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    chance = random.Random(1)
    lines = [sample_line(chance, n) for n in range(count)]
    authority = trustme.CA()
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(authority.cert_pem.bytes())
        file.flush()
        for at_once in (1, 5, 40, 120):
            both: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(RUNS):
                for gathering, found in both.items():
                    found.append(cost(Wire(authority, file.name, gathering), lines, at_once))
            apart, together = min(both[False]), min(both[True])
            print(
                f"{at_once:4} messages a read: {apart:5.1f} us as they come, {together:5.1f} us together, "
                f"ratio {together / apart:.2f}"
            )


if __name__ == "__main__":
    main()
