"""The part of the index of an archive that is about keys of several objects.

No recorder uses a key twice. Two recorders with one name, a spool that was lost, or a backup that was put
back may: then an object is in a bundle, and another one has its key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.verify.bundle_index import texts

_TABLE = """
    create table others (key text, bytes, sha256, lines, first, last, manifest text, gone default '',
        primary key (key, sha256)) without rowid;
"""


class Namesake(NamedTuple):
    """A further object of a key: ``manifest`` names it. ``bundle``: the bundle that has it, ``""`` if none
    has. ``first_bundle``: that of the object that the main index has under this key."""

    row: ObjectRow
    manifest: str
    bundle: str
    first_bundle: str


class Namesakes:
    """The further objects, in the database of an ``ArchiveIndex``."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._base.executescript(_TABLE)

    def add(self, row: ObjectRow, manifest: str) -> None:
        """Add an object whose key is known with other bytes."""
        values = (*texts(row.key), *row[1:], *texts(manifest))
        self._base.execute("insert or ignore into others values (?, ?, ?, ?, ?, ?, ?, '')", values)

    def settle(self) -> None:
        """Mark the objects that are gone, and give the main index, of the objects of a key, one that is in a
        bundle, or else one that is not gone. Call this once all manifests were added."""
        self._base.execute(
            "update others set gone = coalesce((select what from gone where gone.key = others.key "
            "and gone.sha256 = others.sha256 order by what = 'bundled' limit 1), '')"
        )
        for (key,) in self._base.execute("select distinct key from others").fetchall():
            self._settle(key)

    def _settle(self, key: str) -> None:
        rows = self._base.execute(
            "select key, bytes, sha256, lines, first, last, '' as manifest, coalesce((select what from gone "
            "where gone.key = objects.key and gone.sha256 = objects.sha256 order by what = 'bundled' "
            "limit 1), '') from objects where key = ? union all select * from others where key = ?",
            (key, key),
        ).fetchall()
        first = min(rows, key=lambda row: ("bundled", "", "replaced", "expired").index(row[7]))
        if first is rows[0]:
            return
        self._base.execute("delete from others where key = ? and sha256 = ?", (key, first[2]))
        self._base.execute(
            "update objects set bytes = ?, sha256 = ?, lines = ?, first = ?, last = ? where key = ?",
            (*first[1:6], key),
        )
        self._base.execute(
            "insert or ignore into others values (?, ?, ?, ?, ?, ?, ?, ?)",
            (*rows[0][:6], first[6], rows[0][7]),
        )

    def __iter__(self) -> Iterator[Namesake]:
        """The further objects that should be there."""
        bundle = (
            "coalesce((select bundle from slices where slices.key = {0}.key and slices.sha256 = {0}.sha256 "
            "limit 1), '')"
        )
        for row in self._base.execute(
            "select others.key, others.bytes, others.sha256, others.lines, others.first, others.last, "
            f"manifest, {bundle.format('others')}, {bundle.format('objects')} "
            "from others join objects on objects.key = others.key "
            "where others.gone in ('', 'bundled') and objects.gone in ('', 'bundled') order by others.key"
        ).fetchall():
            yield Namesake(ObjectRow(*row[:6]), *row[6:])

    def object(self, key: str, sha256: str) -> ObjectRow | None:
        """The row of a further object with these bytes."""
        found = self._base.execute(
            "select key, bytes, sha256, lines, first, last from others where key = ? and sha256 = ?",
            (*texts(key), sha256),
        ).fetchone()
        return None if found is None else ObjectRow(*found)
