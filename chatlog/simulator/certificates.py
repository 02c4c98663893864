"""A certificate authority for tests, and its certificate for loopback."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.ssl import PrivateCertificate

#: Certificates with fewer days left are replaced.
_LEAST_DAYS = 2
_DAYS = 90


def loopback_certificate(ca_file: str, now: datetime | None = None) -> PrivateCertificate:
    """A certificate for localhost, 127.0.0.1 and ::1, signed by the authority in ``ca_file`` (PEM).

    Both are made if they are not there or nearly over; the certificate and its key stay beside the
    authority in ``{ca_file}.server``, readable by the owner only, so that the next run uses them again
    and clients that trust the authority still do.
    """
    now = now or datetime.now(UTC)
    own = ca_file + ".server"
    try:
        with open(ca_file, "rb") as file:
            authority = x509.load_pem_x509_certificate(file.read())
        with open(own, "rb") as file:
            pem = file.read()
        if authority.not_valid_after_utc - now > timedelta(days=_LEAST_DAYS):
            return _load(pem)
    except (OSError, ValueError):
        pass
    authority_pem, pem = make_certificates(now)
    os.makedirs(os.path.dirname(os.path.abspath(ca_file)), exist_ok=True)
    with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    with open(ca_file, "wb") as file:
        file.write(authority_pem)
    return _load(pem)


def _load(pem: bytes) -> PrivateCertificate:
    certificate: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return certificate


def make_certificates(now: datetime) -> tuple[bytes, bytes]:
    """(authority, key and certificate for loopback), PEM."""
    until = now + timedelta(days=_DAYS)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chatlog simulator, for tests only")])
    authority = (
        _begin(issuer, issuer, authority_key, now, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        _begin(subject, issuer, key, now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), private + certificate.public_bytes(pem)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
