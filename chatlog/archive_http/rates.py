"""How much one address may ask for: a bucket of requests that fills again by and by."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

#: Requests that an address may make at once, and those that it may make each second from then on.
BURST = 500
PER_SECOND = 50.0
#: Requests that one counts for which looks through the whole archive.
SLOW = 10
#: Addresses that are remembered. One that is forgotten begins anew.
ADDRESSES = 10_000
#: Of an IPv6 address a customer has at least so many bits.
_NETWORK = 64


class Rates:
    """The buckets of all addresses. ``seconds()`` is the clock."""

    def __init__(self, seconds: Callable[[], float], burst: int = BURST, rate: float = PER_SECOND) -> None:
        self._seconds = seconds
        self._burst = float(burst)
        self._rate = rate
        # What is left for an address, and since when; the one asked for last is the last.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, cost: int = 1) -> int:
        """Take a request of an address, which counts as ``cost``. Gives 0, or the seconds after which it may
        come again, and then it is not taken."""
        now = self._seconds()
        left, since = self._left.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= cost
        self._left[address] = left - cost if allowed else left, now
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((cost - left) / self._rate))


def address_of(request: Any) -> str:
    """Whose request it is: an address, or an IPv6 network. A proxy on this machine tells for whom it asks."""
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
