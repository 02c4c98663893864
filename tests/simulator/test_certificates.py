"""The certificates that the simulator makes: good for loopback, and kept from run to run."""

from __future__ import annotations

import contextlib
import os
import ssl
import stat
from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.certificates import loopback_certificate


class CertificateTests(SynchronousTestCase):
    def shake_hands(self, ca_file: str, name: str) -> None:
        """A TLS handshake in memory of a client that trusts ``ca_file`` only."""
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(ca_file + ".server")
        client_context = ssl.create_default_context(cafile=ca_file)
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for side in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()

    def test_valid_for_loopback(self) -> None:
        """A client that trusts the written authority accepts the server by name and by address, and by
        no other name."""
        ca_file = os.path.join(self.mktemp(), "ca.pem")
        loopback_certificate(ca_file)
        for name in ("localhost", "127.0.0.1"):
            self.shake_hands(ca_file, name)
        self.assertRaises(ssl.SSLCertVerificationError, self.shake_hands, ca_file, "example.net")

    def test_kept(self) -> None:
        """The next run uses the same authority, so that clients which trust it still do."""
        ca_file = self.mktemp()
        first = loopback_certificate(ca_file)
        self.assertEqual(loopback_certificate(ca_file).dump(), first.dump())

    def test_made_anew(self) -> None:
        """Certificates that are about to expire, or cannot be read, are replaced."""
        ca_file = self.mktemp()
        first = loopback_certificate(ca_file, datetime.now(UTC) - timedelta(days=89))
        second = loopback_certificate(ca_file)
        self.assertNotEqual(second.dump(), first.dump())
        with open(ca_file, "w") as file:
            file.write("nonsense")
        self.assertNotEqual(loopback_certificate(ca_file).dump(), second.dump())
        self.shake_hands(ca_file, "localhost")

    def test_key_is_private(self) -> None:
        """Only the owner can read the key, and it is not in the file of the authority."""
        ca_file = self.mktemp()
        loopback_certificate(ca_file)
        self.assertEqual(stat.S_IMODE(os.stat(ca_file + ".server").st_mode), 0o600)
        with open(ca_file) as file:
            self.assertNotIn("PRIVATE", file.read())
