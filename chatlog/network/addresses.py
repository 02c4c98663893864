"""Connects to a host name by the first of its addresses that answers ("happy eyeballs", RFC 8305).

Twisted's HostnameEndpoint does nearly this. But it refuses names with an underscore, which Docker gives to
containers; it drops the zone of a link-local address; it waits before the next address even if one has
refused at once; and its time limit is for each address.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.network.errors import CannotConnect, words
from chatlog.network.names import Names

#: Seconds until the next address is tried while the one before has not answered. RFC 8305 has 0.25.
NEXT_AFTER = 0.25
#: The most addresses of one name that are tried.
MOST = 16
#: A new connection within so many seconds means that the last one was of no use, so its address is tried
#: last. An address may accept connections and then stay silent, as behind a tunnel that loses large packets.
OF_NO_USE = 300.0


@implementer(IStreamClientEndpoint)
class NamedEndpoint:
    """Connects to ``host``, a name or an address. ``timeout`` is in seconds, for the look-up and all
    addresses together. Fails with CannotConnect. A cancelled attempt leaves nothing open. Addresses of recent
    connections are tried last."""

    def __init__(self, reactor: Any, names: Names, host: str, port: int, timeout: float) -> None:
        self._reactor = reactor
        self._names = names
        self._host = host
        self._port = port
        self._timeout = timeout
        # The time of the latest connection by each address.
        self._used: dict[str, float] = {}

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Fires with the protocol that ``factory`` built, once it is connected."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        end = self._reactor.seconds() + self._timeout
        lookup = self._names.addresses(self._host)
        try:
            addresses = await lookup.addTimeout(self._timeout, self._reactor)
        except TimeoutError:
            raise CannotConnect(
                f"no answer from the name servers about {self._host} within {self._timeout:.0f} s"
            ) from None
        if not addresses:
            raise CannotConnect(f"the name {self._host} has no address, or the name servers do not answer")
        addresses = self._sorted(addresses)
        attempts = _Attempts(self._reactor, addresses[:MOST], self._port, factory, self._timeout)
        try:
            left = max(0.0, end - self._reactor.seconds())
            protocol = await attempts.connected.addTimeout(left, self._reactor)
            self._used[attempts.address] = self._reactor.seconds()
            return protocol
        except TimeoutError:
            count = len(addresses)
            where = self._host if count == 1 else f"any of {count} addresses of {self._host}"
            raise CannotConnect(f"no answer from {where} within {self._timeout:.0f} s") from None

    def _sorted(self, addresses: list[str]) -> list[str]:
        since = self._reactor.seconds() - OF_NO_USE
        self._used = {
            address: at for address, at in self._used.items() if at > since and address in addresses
        }
        return sorted(addresses, key=lambda address: self._used.get(address, float("-inf")))


class _Attempts:
    """Tries the addresses in order, each NEXT_AFTER seconds after the one before, or as soon as that one has
    failed. ``connected`` fires with the first connection. The other attempts are given up then, and when
    ``connected`` is cancelled."""

    def __init__(
        self, reactor: Any, addresses: list[str], port: int, factory: IProtocolFactory, timeout: float
    ) -> None:
        self._reactor = reactor
        self._left = deque(addresses)
        self._count = len(addresses)
        self._port = port
        self._factory = factory
        self._timeout = timeout
        self._under_way: list[Deferred[IProtocol]] = []
        self._why: dict[str, None] = {}
        self._next: IDelayedCall | None = None
        self._over = False
        #: The address of the connection.
        self.address = ""
        self.connected: Deferred[IProtocol] = Deferred(lambda _: self._end())
        self._try_next()

    def _try_next(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        address = self._left.popleft()
        endpoint = TCP6ClientEndpoint if isIPv6Address(address) else TCP4ClientEndpoint
        if self._left:
            self._next = self._reactor.callLater(NEXT_AFTER, self._try_next)
        attempt = endpoint(self._reactor, address, self._port, self._timeout).connect(self._factory)
        self._under_way.append(attempt)
        attempt.addCallbacks(
            self._succeeded, self._failed, callbackArgs=(attempt, address), errbackArgs=(attempt,)
        ).addErrback(self._broken)

    def _succeeded(self, protocol: IProtocol, attempt: Deferred[IProtocol], address: str) -> None:
        self._under_way.remove(attempt)
        self.address = address
        self._end()
        self.connected.callback(protocol)

    def _failed(self, failure: Failure, attempt: Deferred[IProtocol]) -> None:
        if self._over:
            return
        self._under_way.remove(attempt)
        self._why[words(failure.value)] = None
        if self._left:
            self._try_next()
        elif not self._under_way:
            self._end()
            # Sorted, so that the same causes give the same text at every attempt.
            why = ", ".join(sorted(self._why))
            self.connected.errback(
                CannotConnect(why if self._count == 1 else f"{why} (all {self._count} addresses)")
            )

    def _broken(self, failure: Failure) -> None:
        if not self._over:
            self._end()
            self.connected.errback(failure)

    def _end(self) -> None:
        self._over = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        under_way, self._under_way = self._under_way, []
        for attempt in under_way:
            attempt.cancel()
