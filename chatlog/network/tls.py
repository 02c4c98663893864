"""TLS for clients: the system's certificates, an extra authority if the user names one, and error texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.SSL import Context
from OpenSSL.SSL import Error as OpenSSLError
from service_identity import CertificateError, VerificationError
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.network.gathering import Gathering
from chatlog.printable import printable


@implementer(IOpenSSLTrustRoot)
class _WithAuthority:
    """The authorities that the system trusts, and those in ``ca_file`` (PEM)."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file

    def _addCACertsToContext(self, context: Context) -> None:
        platformTrust()._addCACertsToContext(context)
        context.load_verify_locations(self._ca_file)


class CertificateAuthorityError(Exception):
    """The file with certificate authorities cannot be used. The text says why."""


#: The library's words, and their meaning. The words change with its releases; words that are in no row are
#: quoted after a text of ours.
_MEANINGS = (
    (re.compile(r"certificate|verif|self.signed|issuer", re.IGNORECASE), "its certificate is not trusted"),
    (
        re.compile(r"version|record|http.?request|protocol|packet|handshake|alert|cipher", re.IGNORECASE),
        "it does not speak TLS as this machine does",
    ),
)
_OTHER = "TLS failed"
_OTHER_NAME = (CertificateError, VerificationError)


def trouble(reason: Failure) -> str:
    """The trouble with TLS that ended a connection, such as a certificate or a server without TLS, followed
    by the library's own words; ``""`` if TLS was not the cause."""
    if reason.check(ConnectionDone, ConnectionLost, ConnectionAborted):
        return ""
    error = reason.value
    if isinstance(error, OpenSSLError):
        entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
        # Each entry is (library, function, reason).
        said = printable(", ".join(str(entry[-1]) for entry in entries if entry), 300)
        meaning = next((words for pattern, words in _MEANINGS if pattern.search(said)), _OTHER)
        return f"{meaning} [{said}]" if said else meaning
    said = printable(reason.getErrorMessage(), 300)
    meaning = "its certificate is for another name" if isinstance(error, _OTHER_NAME) else _OTHER
    return f"{meaning} [{said}]" if said else meaning


def client_options(host: str, ca_file: str | None) -> Any:
    """The options of Twisted's TLS connections: the server's certificate is checked against ``host``. Raises
    CertificateAuthorityError if ``ca_file`` cannot be read."""
    # Names in certificates and in RFC 6066 have no final dot, addresses no zone.
    host = host.partition("%")[0].removesuffix(".")
    if ca_file is None:
        return optionsForClientTLS(host)
    try:
        with open(ca_file, "rb") as file:
            load_pem_x509_certificates(file.read())
    except (OSError, ValueError) as error:
        # The rest of the message is advice for programmers.
        why = str(error).partition(". See ")[0]
        raise CertificateAuthorityError(
            f"{ca_file}: no certificate can be read from it; it has to be PEM, which begins with "
            f"-----BEGIN CERTIFICATE----- ({why})"
        ) from error
    return optionsForClientTLS(host, trustRoot=_WithAuthority(ca_file))


def tls_wrapper(host: str, ca_file: str | None) -> Callable[[IProtocolFactory], Any]:
    """A function that puts TLS around a client factory. The server's certificate is checked against ``host``,
    and the data of one read is delivered in one piece. Raises CertificateAuthorityError if ``ca_file`` cannot
    be read."""
    options = client_options(host, ca_file)

    def wrap(factory: IProtocolFactory) -> Any:
        return TLSMemoryBIOFactory(options, True, Gathering(factory))

    return wrap
