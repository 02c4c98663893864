"""What is wrong with TLS, in words."""

from __future__ import annotations

from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.tls import tls_wrapper, trouble


class TroubleTests(SynchronousTestCase):
    def test_words(self) -> None:
        """Of what the library says the operator gets what is wrong, on one line."""
        refused = Error([("SSL routines", "", "certificate verify failed")])
        several = Error([("x", "y", "bad\nrecord"), ("SSL routines", "", "wrong version number")])
        for error, words in (
            (refused, "certificate verify failed"),
            (several, "bad\\nrecord, wrong version number"),
            (Error([]), "TLS"),
            (Error(), "TLS"),
            (ValueError("another host"), "another host"),
        ):
            self.assertEqual(trouble(Failure(error)), words)

    def test_other_losses(self) -> None:
        """A connection that is only lost has nothing to do with TLS."""
        for error in (ConnectionLost(), ConnectionDone(), ConnectionAborted()):
            self.assertEqual(trouble(Failure(error)), "")


class NameTests(SynchronousTestCase):
    def test_dot_at_the_end(self) -> None:
        """A server is asked for by its name without the dot that may end it, which no certificate has."""
        for host in ("server.example.net", "server.example.net."):
            transport = StringTransport()
            protocol = tls_wrapper(host, None)(Factory.forProtocol(Protocol)).buildProtocol(None)
            protocol.makeConnection(transport)
            hello = transport.value()
            self.assertIn(b"server.example.net", hello)
            self.assertNotIn(b"server.example.net.", hello)
            protocol.connectionLost(Failure(ConnectionDone()))
