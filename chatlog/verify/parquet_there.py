"""Compares the Parquet in the store with the notes of ``chatlog compact``, and with the objects. Needs no
DuckDB; ``chatlog compact --check`` compares every record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date
from functools import partial

from chatlog.archive.catalog import Catalog
from chatlog.archive.parquet_sources import ParquetFile, SourceNotes, names_of
from chatlog.archive.room_files import Parts
from chatlog.counted import many
from chatlog.files import OsFiles
from chatlog.naming import parse_name
from chatlog.parquet.footer import TAIL, footer_size, value_of
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.gone_check import STILL_THERE
from chatlog.verify.object_check import why_unread
from chatlog.verify.patience import Patience, StoreAway
from chatlog.verify.scope import Scope, Watcher

DAY = 86400.0
_KEY = re.compile(r"parquet/date=(\d{4}-\d\d-\d\d)/platform=([^/]+)/channel=([^/]+)/[^/]+\.parquet\Z")
_AGAIN = "chatlog compact makes it again"
_SUFFIX = re.compile(r"(.+?)(\.zst|\.gz|)\Z")


class ParquetThere:
    """The Parquet of one archive. ``report`` takes a problem: its kind, the key, and what is wrong."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        index: ArchiveIndex,
        now: float,
        report: Callable[[str, str, str], object],
        watcher: Watcher,
    ) -> None:
        self._store = store
        self._scope = scope
        self._index = index
        self._report = report
        self._watcher = watcher
        self._parts = Parts(Catalog(store, lambda: now), OsFiles())
        # Files whose objects have changed since they were made.
        self._stale = 0

    def check(self, patience: Patience, reading: Callable[[int], object]) -> None:
        """Check all files. ``reading(size)`` is called for the bytes that were read. Raises StoreAway."""
        listed = patience.ask(lambda: list(self._store.list("parquet/")))
        by_day: dict[str, list[tuple[Head, tuple[str, str]]]] = {}
        for head in listed:
            match = _KEY.match(head.key)
            if match is None or not self._scope.has_room(match[2], match[3]):
                continue
            if self._scope.since.isoformat() <= match[1] <= self._scope.until.isoformat():
                by_day.setdefault(match[1], []).append((head, (match[2], match[3])))
        for text, files in sorted(by_day.items()):
            try:
                day = date.fromisoformat(text)
            except ValueError:
                continue
            made = SourceNotes(self._store, day).files
            for head, room in files:
                damage = partial(self._damage, head, made.get(head.key), reading)
                self._check(head, day, room, made.get(head.key), partial(patience.ask, damage))
        if self._stale:
            self._watcher.note(
                f"{many(self._stale, 'file')} of Parquet {'does' if self._stale == 1 else 'do'} not have "
                "what the objects have by now: the next chatlog compact makes them again"
            )

    def _check(
        self,
        head: Head,
        day: date,
        room: tuple[str, str],
        made: ParquetFile | None,
        damage: Callable[[], str],
    ) -> None:
        try:
            what = damage()
        except StoreAway:
            raise
        except StoreError as error:
            if error.kind != MISSING:
                self._report("unread-object", head.key, why_unread(error))
            return
        if what:
            self._report("altered-object", head.key, f"{what}; {_AGAIN}")
            return
        if made is None:
            # There is no note, because compact was killed, or it cannot be read.
            self._stale += 1
        elif made.names != names_of(self._parts.of_room(room, _midnight(day), _midnight(day) + DAY)):
            self._stale += 1

    def _damage(self, head: Head, made: ParquetFile | None, reading: Callable[[int], object]) -> str:
        """What is wrong with the bytes; ``""`` if nothing is. Looks for erased objects as well."""
        if made is not None and head.size != made.size:
            return f"{many(head.size, 'byte')}, and {made.size:,} were stored"
        digest, tail = hashlib.sha256(), b""
        if self._scope.read:
            for chunk in self._store.read(head.key):
                digest.update(chunk)
                reading(len(chunk))
                tail = (tail + chunk)[-max(TAIL, 1 << 22) :]
            if made is not None and digest.hexdigest() != made.sha256:
                return "its bytes are not those that were stored"
        else:
            tail = self._tail(head, TAIL)
        try:
            if footer_size(tail) > len(tail):
                tail = self._tail(head, footer_size(tail))
            self._look_for_erased(head.key, value_of(tail, "chatlog.sources"))
        except ValueError as error:
            return str(error)
        return ""

    def _tail(self, head: Head, size: int) -> bytes:
        offset = max(head.size - size, 0)
        return b"".join(self._store.read_range(head.key, offset, head.size - offset))

    def _look_for_erased(self, key: str, sources: object) -> None:
        for source in sources if isinstance(sources, list) else []:
            match = _SUFFIX.match(str(source[0])) if isinstance(source, list) and source else None
            if match is None:
                continue
            name = parse_name(match[1])
            gone = self._index.why_gone(name.key(suffix=match[2]))
            if gone in STILL_THERE:
                what = f"it was made of {source[0]}, which was {gone}: what is gone may be in it"
                self._report("not-erased", key, f"{what}; {_AGAIN}")
                return


def _midnight(day: date) -> float:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY
