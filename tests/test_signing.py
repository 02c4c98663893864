"""Signatures: what is signed can be checked with the public key alone, and nothing else passes for it."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from chatlog.signing import Signer, is_signed, private_bytes, public_key

#: The first test vector of RFC 8032, section 7.1.
PRIVATE = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
DIGEST = "ab" * 32


def pem(kind: str, head: str, body: str) -> str:
    text = base64.b64encode(bytes.fromhex(head + body)).decode()
    return f"-----BEGIN {kind} KEY-----\n{text}\n-----END {kind} KEY-----\n"


class SigningTests(SynchronousTestCase):
    def test_signed(self) -> None:
        """Whoever has the public key can tell that the digest was signed; the same signature comes each
        time."""
        signer = Signer(PRIVATE)
        self.assertEqual(signer.name, PUBLIC)
        signature = signer.sign("manifest", DIGEST)
        self.assertEqual(signature, Signer(PRIVATE).sign("manifest", DIGEST))
        self.assertTrue(is_signed(PUBLIC, signature, "manifest", DIGEST))

    def test_nothing_else_passes(self) -> None:
        """Another digest, purpose, key or signature is none, whatever it looks like."""
        signature = Signer(PRIVATE).sign("manifest", DIGEST)
        other = Signer("11" * 32).name
        for signer, text, purpose, digest in (
            (PUBLIC, signature, "manifest", "ac" * 32),
            (PUBLIC, signature, "receipt", DIGEST),
            (other, signature, "manifest", DIGEST),
            (PUBLIC, signature[:-1] + "0", "manifest", DIGEST),
            (PUBLIC, signature.upper(), "manifest", DIGEST),
            (PUBLIC, "", "manifest", DIGEST),
            (PUBLIC, "00" * 64, "manifest", DIGEST),
            ("ed25519:" + "ff" * 32, signature, "manifest", DIGEST),
            ("", signature, "manifest", DIGEST),
            ("somebody", signature, "manifest", DIGEST),
        ):
            self.assertFalse(is_signed(signer, text, purpose, digest), (signer, text))

    def test_forms(self) -> None:
        """Keys are hex, or the PEM that openssl writes, with its lines or without."""
        private = pem("PRIVATE", "302e020100300506032b657004220420", PRIVATE)
        for text in (PRIVATE, PRIVATE.upper(), private, "".join(private.splitlines()[1:-1])):
            self.assertEqual(Signer(text).name, PUBLIC)
        public = pem("PUBLIC", "302a300506032b6570032100", PUBLIC.removeprefix("ed25519:"))
        for text in (PUBLIC, PUBLIC.upper().replace("ED25519", "ed25519"), public, f" {PUBLIC}\n"):
            self.assertEqual(public_key(text), PUBLIC)

    def test_no_keys(self) -> None:
        """What is no key is refused, and the error does not repeat it."""
        for text in ("", "secret", PRIVATE[:-1], PRIVATE + "00", PUBLIC, "é", "QUJD", PRIVATE[:-1] + "g"):
            error = self.assertRaises(ValueError, private_bytes, text)
            if text:
                self.assertNotIn(text, str(error))
        # A private key is not taken for a public one.
        for text in (PRIVATE, pem("PRIVATE", "302e020100300506032b657004220420", PRIVATE)):
            error = self.assertRaises(ValueError, public_key, text)
            self.assertNotIn(PRIVATE, str(error))

    def test_not_shown(self) -> None:
        """A signer shows its public key and never the private one."""
        self.assertNotIn(PRIVATE, repr(Signer(PRIVATE)))
        self.assertIn(PUBLIC, repr(Signer(PRIVATE)))
