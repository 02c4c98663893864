"""Resolves a host name to its addresses, IPv4 and IPv6."""

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

#: A look-up that takes longer than this (seconds) counts as lost; the next request starts a new one.
LOST_AFTER = 120.0


class Names:
    """Resolves names with the reactor's resolver, usually the system's. Requests for a name that is being
    resolved share one look-up, so that name servers that hang do not occupy all of the reactor's threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._under_way: dict[str, tuple[float, list[Deferred[list[str]]]]] = {}

    def addresses(self, host: str) -> Deferred[list[str]]:
        """The addresses of ``host`` in the order in which they are tried: the system's order, with IPv4 and
        IPv6 alternating. The list is empty if there are none. Fails with CannotConnect if ``host`` cannot be
        a host name."""
        if is_address(host):
            # In a URL the % before a zone is written %25 (RFC 6874).
            return succeed([host.replace("%25", "%")])
        try:
            # The resolver does this in a thread, and never answers if it fails.
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
    """Whether ``host`` is an IP address and not a name. An IPv6 address may have a zone (``%eth0``)."""
    return isIPAddress(host, socket.AF_INET) or isIPv6Address(host)


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects the addresses of one look-up."""

    def __init__(self, ended: Any) -> None:
        self._ended = ended
        self._families: dict[type, dict[str, None]] = {}

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing to do."""

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
        # RFC 8305, section 4: the families alternate, so that an unreachable family costs only one delay.
        turns = zip_longest(*self._families.values())
        self._ended([host for turn in turns for host in turn if host is not None])
