"""One read, one delivery: a protocol above TLS gets all data of one socket read in one piece.

TLS delivers each TLS record by itself, and a server often sends each message in a record of its own. Work
that should run once a read would then run once a message. So a protocol sits above TLS and keeps the data of
TLS until the wrapper below TLS (``pacing``) says that its read is finished. It keeps data no longer than
that, and delivers everything before the end of the connection. Without such a wrapper, data is delivered at
once.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure


class Gathered(Protocol):
    """Sits between TLS and the protocol ``inner``, whose transport is that of TLS."""

    transport: Any

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._parts: list[bytes] = []
        # Data is delivered at once unless the wrapper below reports the ends of reads.
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]

    def connectionMade(self) -> None:
        # TLS passes attributes of the wrapper below through.
        after_each_read = getattr(self.transport, "after_each_read", None)
        if after_each_read is not None:
            self.dataReceived = self._parts.append  # type: ignore[method-assign,assignment]
            after_each_read(self.deliver)
        self._inner.makeConnection(self.transport)

    def deliver(self) -> None:
        """A read has ended: deliver its data."""
        parts = self._parts
        if parts:
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The connection may end within a read, and TLS may deliver more data at the end.
        try:
            self.deliver()
        finally:
            self._inner.connectionLost(reason)


class Gathering(WrappingFactory):
    """Puts a Gathered around the protocols of a factory."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else Gathered(inner)
