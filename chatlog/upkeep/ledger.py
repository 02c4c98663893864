"""Writes manifests about what upkeep does to an archive, before it does it.

    manifest/{kind}/{year}/{month}/upkeep{kind}_{YYYYMMDD_HHMM}[n{n}].jsonl[.gz|.zst]

Each kind (``erasure``, ``bundle``, ``expiry``) is a chain by itself, signed as those of recorders are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from chatlog import __version__
from chatlog.chunks import lines_of
from chatlog.naming import ManifestName, upkeep_instance, utc_minute
from chatlog.signing import Signer
from chatlog.store.dated_folders import months
from chatlog.store.store import Store
from chatlog.uploader.deposit import Deposit
from chatlog.uploader.manifest_chain import Reading, Sealed, latest_of, name_in, suffix_of
from chatlog.uploader.manifest_rows import LONGEST_ROW, HeadRow, Row, encoded
from chatlog.uploader.packing import pack_data, unpacked

ERASURE, BUNDLE, EXPIRY = "erasure", "bundle", "expiry"


class Before(NamedTuple):
    """The manifest before the next one: its key, its rows, and the digest of them."""

    key: str
    rows: list[Row]
    digest: str

    @property
    def until(self) -> float:
        """The end of its period."""
        return next((row.until for row in self.rows if isinstance(row, HeadRow)), 0.0)


class Ledger:
    """The manifests of one kind. ``suffix`` is that of their compression; ``now()`` is the time of day. The
    lock of the archive protects them. Every method may raise StoreError."""

    def __init__(
        self, store: Store, kind: str, suffix: str, signer: Signer | None, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._kind = kind
        self._suffix = suffix
        self._signer = signer
        self._now = now
        self._deposit = Deposit(store)

    def write(self, rows: Iterable[Row]) -> str:
        """Write rows as a manifest. Returns its key, once the store has proven to have it."""
        before = self.latest()
        now = round(self._now(), 3)
        since = min(before.until, now) if before is not None else now
        # If the manifest before cannot be read, a new chain begins.
        digest = before.digest if before is not None else ""
        instance = upkeep_instance(self._kind)
        head = HeadRow(since, now, __version__, instance, new_spool=before is None, previous=digest)
        sealed = Sealed([encoded(head), *map(encoded, rows)], self._signer)
        packed = pack_data(b"".join(sealed), self._suffix)
        name = ManifestName(utc_minute(now), instance, kind=self._kind)
        if before is not None and (last := name_in(before.key)).minute == name.minute:
            # The compression of the one before may be another.
            name = name.numbered(last.n + 1)
        stored, _ = self._deposit.put(name, packed, "manifest")
        return stored.key

    def latest(self) -> Before | None:
        """The latest manifest of this kind; None if there is none, or none that can be read."""
        key = self._latest_key()
        if not key:
            return None
        reading = Reading()
        rows: list[Row] = []
        with suppress(ValueError):
            for line, whole in lines_of(unpacked(self._store.read(key), suffix_of(key)), LONGEST_ROW):
                if not whole:
                    return None
                row = reading.take(line)
                if isinstance(row, tuple):
                    rows.append(row)  # type: ignore[arg-type]
            return Before(key, rows, reading.digest)
        return None

    def _latest_key(self) -> str:
        above = f"manifest/{self._kind}/"
        for month in months(self._store, above, newest_first=True):
            keys = (head.key for head in self._store.list(f"{above}{month}/"))
            if found := latest_of(keys, upkeep_instance(self._kind)):
                return found
        return ""
