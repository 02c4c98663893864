"""One read, one delivery: what speaks over TLS gets what came with one read of the socket together.

TLS hands every TLS record up by itself, and a server that sends each message at its own time sends each in a
record of its own; then everything that is meant to run once a read runs once a message. So a protocol lies
between TLS and what speaks over it, and keeps what TLS delivers until the wrapper below TLS (``pacing``) says
that its read has been handled. Nothing is kept for longer than that, and what came before the end of a
connection is delivered before the end. Where nothing below says so, everything is delivered as it comes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure


class Gathered(Protocol):
    """Lies between TLS and ``inner``, which has the transport of TLS as its own."""

    transport: Any

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._parts: list[bytes] = []
        # As it comes, until it is known that somebody below tells the end of a read.
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]

    def connectionMade(self) -> None:
        # Through TLS to the wrapper below it.
        after_each_read = getattr(self.transport, "after_each_read", None)
        if after_each_read is not None:
            self.dataReceived = self._parts.append  # type: ignore[method-assign,assignment]
            after_each_read(self.deliver)
        self._inner.makeConnection(self.transport)

    def deliver(self) -> None:
        """A read has been handled: hand on what came with it."""
        parts = self._parts
        if parts:
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The end may come in the middle of a read, and TLS may have found more when it came.
        try:
            self.deliver()
        finally:
            self._inner.connectionLost(reason)


class Gathering(WrappingFactory):
    """Puts a Gathered around what a factory builds."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else Gathered(inner)
