"""From a server's name to its addresses, of every family."""

from __future__ import annotations

import socket
from itertools import zip_longest
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer

from chatlog.network.errors import CannotConnect

#: Seconds after which a look-up that has not ended is taken for lost, and the next one asks anew.
LOST_AFTER = 120.0


class Names:
    """Looks names up with the resolver of the reactor, which is the system's unless somebody installed
    another. Connections that ask for a name while it is being looked up share the answer, so that name
    servers that hang do not fill the reactor's few threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._under_way: dict[str, tuple[float, list[Deferred[list[str]]]]] = {}

    def addresses(self, host: str) -> Deferred[list[str]]:
        """The addresses of ``host`` in the order in which they are to be tried: as the system sorts them,
        but with the families taking turns. Fires with none if there are none. Fails with CannotConnect
        for what cannot be a name."""
        if is_address(host):
            # In an address of the web the sign before a zone is written %25 (RFC 6874).
            return succeed([host.replace("%25", "%")])
        try:
            # The resolver would do the same in a thread, and never come back if it fails.
            host.encode("idna")
        except UnicodeError:
            return fail(CannotConnect(f"{host} cannot be the name of a server"))
        answer: Deferred[list[str]] = Deferred()
        now = self._reactor.seconds()
        begun, waiting = self._under_way.get(host, (0.0, []))
        if waiting and now - begun < LOST_AFTER:
            waiting.append(answer)
            return answer
        waiting = [answer]
        self._under_way[host] = (now, waiting)

        def ended(found: list[str]) -> None:
            if self._under_way.get(host, (0.0, []))[1] is waiting:
                del self._under_way[host]
            for waiter in waiting:
                waiter.callback(list(found))

        self._reactor.nameResolver.resolveHostName(_Receiver(ended), host)
        return answer


def is_address(host: str) -> bool:
    """Whether ``host`` is an IP address, as opposed to a name. One of IPv6 may have a zone (``%eth0``)."""
    return isIPAddress(host, socket.AF_INET) or isIPv6Address(host)


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what one look-up finds."""

    def __init__(self, ended: Any) -> None:
        self._ended = ended
        self._families: dict[type, dict[str, None]] = {}

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing is done before it has ended."""

    def addressResolved(self, address: Any) -> None:
        if not isinstance(address, (IPv4Address, IPv6Address)):
            return
        host = address.host
        zone = getattr(address, "scopeID", 0)
        if zone and "%" not in host:
            # A link-local address means nothing without its interface.
            host = f"{host}%{zone}"
        self._families.setdefault(type(address), {})[host] = None

    def resolutionComplete(self) -> None:
        # RFC 8305, section 4: the families in turn, so that one that leads nowhere costs one delay.
        turns = zip_longest(*self._families.values())
        self._ended([host for turn in turns for host in turn if host is not None])
