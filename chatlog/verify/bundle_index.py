"""The part of the index of an archive that is about bundles: the objects in them, and the bundles that are
gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from chatlog.uploader.manifest_rows import BundledRow, ExpiredRow, ReplacedRow

_TABLES = """
    create table slices (key text, bundle text, offset, bytes, sha256, at, primary key (key, bundle))
        without rowid;
    create index bundles on slices (bundle, offset);
    create table known_bundles (bundle text primary key) without rowid;
    create table gone_bundles (key text primary key, what, manifest, request) without rowid;
"""


class BundleIndex:
    """The bundles in the database of an ``ArchiveIndex``, whose objects it looks up."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._base.executescript(_TABLES)

    def add(self, row: BundledRow, at: float) -> None:
        """Add an object in a bundle. ``at`` is the end of the period of the manifest with this row."""
        self._base.execute("insert or ignore into known_bundles values (?)", tuple(texts(row.bundle)))
        self._base.execute(
            "insert into slices values (?, ?, ?, ?, ?, ?) on conflict do update set offset = "
            "excluded.offset, bytes = excluded.bytes, sha256 = excluded.sha256, at = excluded.at "
            "where excluded.at >= at",
            (*texts(row.key, row.bundle), row.offset, row.bytes, row.sha256, at),
        )

    def add_gone(self, row: ReplacedRow | ExpiredRow, manifest: str) -> None:
        """Add a row about a bundle that is gone: its objects that are still wanted are in another one."""
        what = "replaced" if isinstance(row, ReplacedRow) else "expired"
        request = row.request if isinstance(row, ReplacedRow) else ""
        self._base.execute(
            "insert or replace into gone_bundles values (?, ?, ?, ?)",
            (*texts(row.key), what, *texts(manifest, request)),
        )

    def unasked(self) -> Iterator[tuple[str, str, str]]:
        """Key, manifest and request of the bundles that were replaced without a known request."""
        yield from self._base.execute(
            "select key, manifest, request from gone_bundles where what = 'replaced' "
            "and request not in (select request from requests) order by key"
        )

    def why_gone(self, bundle: str) -> str:
        """``replaced`` or ``expired`` if a bundle is known to be gone, else ``""``."""
        found = self._base.execute("select what from gone_bundles where key = ?", (bundle,)).fetchone()
        return "" if found is None else str(found[0])

    def settle(self) -> None:
        """Assign each object to one bundle; objects with different bytes are different ones. Call this once
        all manifests were added."""
        # Prefer bundles that are not gone, and of those the latest. A later manifest may still name a bundle
        # that was replaced before.
        self._base.execute(
            "delete from slices where bundle in (select key from gone_bundles) and exists ("
            "select 1 from slices as other where other.key = slices.key and other.sha256 = slices.sha256 "
            "and other.bundle not in (select key from gone_bundles))"
        )
        self._base.execute(
            "delete from slices where exists (select 1 from slices as other where other.key = slices.key "
            "and other.sha256 = slices.sha256 and (other.at, other.bundle) > (slices.at, slices.bundle))"
        )

    def bundles(self) -> Iterator[str]:
        """The keys of the bundles with an object that is nowhere else."""
        for (key,) in self._base.execute(
            "select distinct bundle from slices join objects on objects.key = slices.key "
            "where objects.gone = 'bundled' order by bundle"
        ).fetchall():
            yield key

    def end_of(self, bundle: str) -> int | None:
        """The offset at which the last object in a bundle ends; None if no manifest names objects in it."""
        found = self._base.execute("select max(offset + bytes) from slices where bundle = ?", (bundle,))
        end: int | None = found.fetchone()[0]
        return end

    def is_known(self, bundle: str) -> bool:
        """Whether a manifest names objects that are, or were, in the bundle."""
        found = self._base.execute("select 1 from known_bundles where bundle = ?", (bundle,))
        return found.fetchone() is not None

    def has_live(self, bundle: str) -> bool:
        """Whether an object is in this bundle and nowhere else."""
        return next(self.slices(bundle), None) is not None

    def slices(self, bundle: str) -> Iterator[BundledRow]:
        """The objects in a bundle, in its order."""
        for key, offset, size, sha256 in self._base.execute(
            "select slices.key, offset, slices.bytes, slices.sha256 from slices join objects "
            "on objects.key = slices.key where bundle = ? and objects.gone = 'bundled' order by offset",
            (bundle,),
        ).fetchall():
            yield BundledRow(key, bundle, offset, size, sha256)


def texts(*found: str) -> Iterator[str]:
    """The texts without lone surrogates, which SQLite does not store."""
    return (text.encode("utf-8", "replace").decode() for text in found)
