"""Signs digests, and checks who signed them: Ed25519 (RFC 8032).

A private key is 64 hex digits, as of ``openssl rand -hex 32``, or the output of ``openssl genpkey -algorithm
ed25519``. A public key is written ``ed25519:`` and 64 hex digits, so nobody mistakes one for the other.
"""

from __future__ import annotations

import base64
import re
from typing import Protocol

#: The beginning of a public key.
PREFIX = "ed25519:"
_HEX = re.compile(r"[0-9a-fA-F]{64}\Z")
_PUBLIC = re.compile(r"ed25519:[0-9a-fA-F]{64}\Z")
_SIGNATURE = re.compile(r"[0-9a-f]{128}\Z")
#: The DER of an Ed25519 key up to its 32 bytes (RFC 8410): private, and public.
_PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC_DER = bytes.fromhex("302a300506032b6570032100")
_ARMOUR = re.compile(r"-----(?:BEGIN|END) (?:PRIVATE|PUBLIC) KEY-----|\s")


class Signer:
    """Signs with one private key, which it does not show."""

    __slots__ = ("_key", "name")

    def __init__(self, private: str) -> None:
        """Raises ValueError if the text is no private key; the error does not repeat it."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = Ed25519PrivateKey.from_private_bytes(private_bytes(private))
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        #: The public key.
        self.name = f"{PREFIX}{public.hex()}"

    def __repr__(self) -> str:
        return f"<Signer {self.name}>"

    def sign(self, purpose: str, digest: str) -> str:
        """The signature of a digest, in hex; the same one every time. ``purpose`` names the kind of digest: a
        signature for one purpose is not valid for another."""
        return self._key.sign(_statement(purpose, digest)).hex()


def private_bytes(text: str) -> bytes:
    """The 32 bytes of a private key. Raises ValueError, without the text."""
    if _HEX.match(text.strip()):
        return bytes.fromhex(text)
    wrong = "is not an Ed25519 key: 64 hexadecimal digits, as openssl rand -hex 32 prints them"
    return _of_der(text, _PRIVATE_DER, wrong)


def public_key(text: str) -> str:
    """A public key as it is written here: ``ed25519:`` and hex, or PEM. Raises ValueError."""
    text = text.strip()
    if _PUBLIC.match(text):
        return text.lower()
    wrong = f"is no public key; write {PREFIX} and 64 hex digits, or give the file of a PEM"
    return f"{PREFIX}{_of_der(text, _PUBLIC_DER, wrong).hex()}"


class Revealing(Protocol):
    """A private key that is not shown."""

    def reveal(self) -> str:
        """The key."""


def signer_of(key: Revealing | None) -> Signer | None:
    """The signer with the configured key; None if no key is configured."""
    return None if key is None else Signer(key.reveal())


def _of_der(text: str, head: bytes, wrong: str) -> bytes:
    try:
        found = base64.b64decode(_ARMOUR.sub("", text), validate=True)
    except ValueError:
        found = b""
    if len(found) != len(head) + 32 or not found.startswith(head):
        raise ValueError(wrong)
    return found[len(head) :]


def is_signed(signer: str, signature: str, purpose: str, digest: str) -> bool:
    """Whether ``signature`` is that of the public key ``signer`` for the digest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not _PUBLIC.match(signer) or not _SIGNATURE.match(signature):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.removeprefix(PREFIX)))
        key.verify(bytes.fromhex(signature), _statement(purpose, digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def _statement(purpose: str, digest: str) -> bytes:
    return f"chatlog {purpose} {digest}".encode("ascii")
