"""Manifests as a chain: each has the digest of the rows of the one before it, and may be signed.

The digest is the SHA-256 of all rows but that of the signature, each with its newline. So a person who
changes a row has to change every later manifest of the instance too, and needs the key if they are signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from chatlog.chunks import lines_of
from chatlog.naming import ManifestName, parse_manifest_name
from chatlog.signing import Signer, is_signed
from chatlog.store.dated_folders import days
from chatlog.store.store import Store
from chatlog.uploader.manifest_rows import LONGEST_ROW, SignatureRow, encoded, parsed
from chatlog.uploader.packing import unpacked

#: The purpose of signatures of manifests.
PURPOSE = "manifest"
#: The newest days with manifests in which an instance's latest one is searched.
_DAYS = 62
_SUFFIXES = (".gz", ".zst")


class Sealed:
    """The lines of a manifest: those of its rows, then that of the signature if there is a ``signer``.
    ``digest`` is that of the rows once all lines were read."""

    def __init__(self, rows: Iterable[bytes], signer: Signer | None) -> None:
        self._rows = rows
        self._signer = signer
        self.digest = ""

    def __iter__(self) -> Iterator[bytes]:
        found = hashlib.sha256()
        for row in self._rows:
            found.update(row)
            yield row
        self.digest = found.hexdigest()
        if self._signer is not None:
            yield encoded(SignatureRow(self._signer.name, self._signer.sign(PURPOSE, self.digest)))


class Reading:
    """Computes the digest of a manifest that is read row by row."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()
        self.signature: SignatureRow | None = None

    def take(self, line: bytes) -> object:
        """The next line, without its newline; returns its row, as ``parsed`` does. Raises ValueError, also
        for a row behind the signature."""
        if self.signature is not None:
            raise ValueError("it goes on behind its signature")
        row = parsed(line)
        if isinstance(row, SignatureRow):
            self.signature = row
        else:
            self._found.update(line)
            self._found.update(b"\n")
        return row

    @property
    def digest(self) -> str:
        """The digest of the rows so far."""
        return self._found.hexdigest()

    @property
    def is_genuine(self) -> bool:
        """Whether there is a signature, and it is that of these rows."""
        row = self.signature
        return row is not None and is_signed(row.signer, row.signature, PURPOSE, self.digest)


def digest_of(chunks: Iterable[bytes]) -> str:
    """The digest of a manifest, from its bytes. Raises ValueError if they are none."""
    reading = Reading()
    for line, whole in lines_of(chunks, LONGEST_ROW):
        if not whole:
            raise ValueError("it is cut off")
        reading.take(line)
    return reading.digest


def latest_of(keys: Iterable[str], instance: str) -> str:
    """The latest of these names or keys of manifests that is one of the instance (``main`` if it has no
    name); ``""`` if none is."""
    found: list[tuple[str, int, str]] = []
    for key in keys:
        with suppress(ValueError):
            name = name_in(key)
            if (name.instance or "main") == instance:
                found.append((name.minute, name.n, key))
    return max(found, default=("", 0, ""))[2]


def name_in(key: str) -> ManifestName:
    """The name in the key of a manifest. Raises ValueError."""
    return parse_manifest_name(key.removesuffix(suffix_of(key)).rpartition("/")[2])


def suffix_of(key: str) -> str:
    """The suffix of a compressed manifest's key; ``""`` if it is not compressed."""
    return next((end for end in _SUFFIXES if key.endswith(end)), "")


def latest_in(store: Store, instance: str) -> str:
    """The digest of the instance's latest manifest in the store; ``""`` if there is none, or none that can be
    read. Searches the newest days only. Raises StoreError."""
    for day in islice(days(store, "manifest/", newest_first=True), _DAYS):
        key = latest_of((head.key for head in store.list(f"manifest/{day}/")), instance)
        if key:
            with suppress(ValueError):
                return digest_of(unpacked(store.read(key), suffix_of(key)))
            return ""
    return ""
