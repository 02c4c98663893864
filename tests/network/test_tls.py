"""What is wrong with TLS, in words."""

from __future__ import annotations

from OpenSSL.SSL import Error
from service_identity import VerificationError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.tls import tls_wrapper, trouble


class TroubleTests(SynchronousTestCase):
    def test_words(self) -> None:
        """The operator reads what is wrong in our words, and behind them the library's, on one line. What
        they mean is not known of all."""
        refused = Error([("SSL routines", "", "certificate verify failed")])
        several = Error([("x", "y", "bad\nrecord"), ("SSL routines", "", "wrong version number")])
        for error, words in (
            (refused, "its certificate is not trusted [certificate verify failed]"),
            (several, "it does not speak TLS as this machine does [bad\\nrecord, wrong version number]"),
            (Error([("", "", "a new sort of error")]), "TLS failed [a new sort of error]"),
            (Error([]), "TLS failed"),
            (Error(), "TLS failed"),
            (ValueError("another host"), "TLS failed [another host]"),
        ):
            self.assertEqual(trouble(Failure(error)), words)

    def test_another_name(self) -> None:
        """So with a certificate that is right and another server's."""
        said = trouble(Failure(VerificationError([])))
        self.assertTrue(said.startswith("its certificate is for another name ["), said)
        self.assertTrue(said.isprintable())

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
