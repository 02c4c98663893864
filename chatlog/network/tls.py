"""TLS for clients: the certificates of the system, and one more authority where the user names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.SSL import Context
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer


@implementer(IOpenSSLTrustRoot)
class _WithAuthority:
    """What the system trusts, and the authorities in ``ca_file`` (PEM)."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file

    def _addCACertsToContext(self, context: Context) -> None:
        platformTrust()._addCACertsToContext(context)
        context.load_verify_locations(self._ca_file)


class CertificateAuthorityError(Exception):
    """The file of certificate authorities cannot be used; the text says why."""


def tls_wrapper(host: str, ca_file: str | None) -> Callable[[IProtocolFactory], Any]:
    """A function that puts TLS around a client factory, with the server's certificate checked against
    ``host``. Raises CertificateAuthorityError when ``ca_file`` cannot be read."""
    if ca_file is None:
        options = optionsForClientTLS(host)
    else:
        try:
            with open(ca_file, "rb") as file:
                load_pem_x509_certificates(file.read())
        except (OSError, ValueError) as error:
            raise CertificateAuthorityError(
                f"{ca_file}: no certificate authority can be read from it ({error})"
            ) from error
        options = optionsForClientTLS(host, trustRoot=_WithAuthority(ca_file))

    def wrap(factory: IProtocolFactory) -> Any:
        return TLSMemoryBIOFactory(options, True, factory)

    return wrap
