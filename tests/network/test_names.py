"""Names and addresses of servers, as people write them."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.names import Names


class AddressTests(SynchronousTestCase):
    """What needs no name server."""

    def test_zones(self) -> None:
        """The zone of an address may be written as in a terminal or as in an address of the web."""
        names = Names(MemoryReactorClock())
        for host, found in (
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("fe80::1%25eth0", "fe80::1%eth0"),
            ("::1", "::1"),
            ("192.0.2.1", "192.0.2.1"),
        ):
            self.assertEqual(self.successResultOf(names.addresses(host)), [found])
