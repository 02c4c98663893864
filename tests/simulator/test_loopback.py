"""The servers on real sockets: over TLS, and closed in the middle of traffic, everything arrives."""

from __future__ import annotations

import json
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatlog.simulator.certificates import loopback_certificate
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.oracle import Oracle
from chatlog.simulator.traffic import Traffic
from chatlog.simulator.twitch import SimulatedTwitch
from chatlog.simulator.twitch_chat import TwitchChat


class Reader(Protocol):
    """Joins a room and keeps what it gets; ``joined`` and ``ended`` fire once."""

    transport: Any

    def __init__(self) -> None:
        self.got = b""
        self.joined: Deferred[None] | None = Deferred()
        self.ended: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(
            b"CAP REQ :twitch.tv/tags twitch.tv/commands\r\nNICK justinfan1\r\nJOIN #alpha\r\n"
        )

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        if self.joined is not None and b"ROOMSTATE" in self.got:
            joined, self.joined = self.joined, None
            joined.callback(None)

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.ended.callback(None)


class LoopbackTests(TestCase):
    timeout = 20

    async def closed_in_traffic(self, encrypted: bool) -> tuple[bytes, list[dict[str, Any]]]:
        """(what a client got, what was sent) when the server closes right behind a burst."""
        path, ca_file = self.mktemp(), self.mktemp()
        oracle = Oracle(path)
        traffic = Traffic(reactor, time.time, TwitchChat("1"), KickChat("1"), oracle)
        server = SimulatedTwitch(reactor, traffic)
        tls = loopback_certificate(ca_file).options() if encrypted else None
        endpoint: Any = HostnameEndpoint(reactor, "127.0.0.1", server.listen(0, tls))
        if encrypted:
            with open(ca_file, "rb") as file:
                authority = Certificate.loadPEM(file.read())
            endpoint = wrapClientTLS(optionsForClientTLS("127.0.0.1", trustRoot=authority), endpoint)
        reader = await endpoint.connect(Factory.forProtocol(Reader))
        await reader.joined
        traffic.say("twitch", "alpha", 3000, traffic.chat("twitch").ordinary)
        await server.finish()
        await reader.ended
        oracle.close()
        with open(path, encoding="utf-8") as file:
            return reader.got, [json.loads(line) for line in file]

    def check(self, encrypted: bool) -> Deferred[None]:
        async def run() -> None:
            got, entries = await self.closed_in_traffic(encrypted)
            ids = [
                line.split(b";id=")[1][:36].decode() for line in got.split(b"\r\n") if b" PRIVMSG " in line
            ]
            self.assertEqual(ids, [entry["id"] for entry in entries if entry.get("id")])
            self.assertEqual(len(ids), 3000)
            self.assertEqual(entries[-1]["note"], "closed")

        return Deferred.fromCoroutine(run())

    def test_tls(self) -> Deferred[None]:
        """Over TLS, certificate checked: what was said before a close in good order arrives whole."""
        return self.check(True)

    def test_plain(self) -> Deferred[None]:
        """The same without TLS."""
        return self.check(False)
