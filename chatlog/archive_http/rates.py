"""Limits the requests of each address: a bucket of requests that fills again over time."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

#: The requests that an address may make at once, and then in each second.
BURST = 500
PER_SECOND = 50.0
#: The cost of a request that reads the whole archive.
SLOW = 10
#: The cost of a code to opt out with.
CODE = 50
#: The most addresses that are kept. A dropped one begins with a full bucket.
ADDRESSES = 10_000
#: The bits of an IPv6 address that identify a customer's network.
_NETWORK = 64


class Rates:
    """The buckets of all addresses. ``seconds()`` is the clock."""

    def __init__(self, seconds: Callable[[], float], burst: int = BURST, rate: float = PER_SECOND) -> None:
        self._seconds = seconds
        self._burst = float(burst)
        self._rate = rate
        # For each address, its requests left and since when; the latest address is last.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, cost: int = 1) -> int:
        """Count a request of an address as ``cost``. Returns 0 if it is allowed, else the seconds after which
        the address may ask again."""
        now = self._seconds()
        left, since = self._left.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= cost
        self._left[address] = left - cost if allowed else left, now
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((cost - left) / self._rate))


def address_of(request: Any) -> str:
    """The client of a request: an address, or an IPv6 network. A proxy on this machine names its client."""
    peer = request.transport.getPeer() if request.transport is not None else None
    host = str(getattr(peer, "host", ""))
    if _is_loopback(host) and (forwarded := request.getHeader("x-forwarded-for")):
        host = forwarded.rpartition(",")[2].strip()[:100]
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), _NETWORK), strict=False))
    return str(found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
