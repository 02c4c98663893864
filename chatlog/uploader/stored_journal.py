"""The file of the state with the objects that are stored and in no manifest yet.

    {"from": T, "previous": D}                           what follows was stored in the period that began at
                                                         T, after the manifest whose digest is D
    {"previous": D}                                      that digest, found out later
    {"kind": "object", "key", "bytes", ..}               a row for every object
    {"kind": "bundled", "key", "in", ..}                 a row for every object that was stored in a bundle
    {"manifest": NAME, "until": T, "rows": [{..}, ..]}   the period is over; its other rows, the head first

A file of recordings is removed only once the row of its object is on the disk here. Once the entry that ends
a period is on the disk, all of the period's manifest is: it can be written to ``manifest/`` again and again,
with the same bytes, until this file begins with the next period. So no row is ever lost, and a period never
has two manifests. Everything here blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

from chatlog.chunks import chunks_of, gathered
from chatlog.files import Files, NotCertain, replace_file
from chatlog.record import to_line
from chatlog.signing import Signer
from chatlog.state.state_file import StateFile
from chatlog.uploader.deposit import Stored
from chatlog.uploader.manifest_chain import Sealed, digest_of, latest_of
from chatlog.uploader.manifest_rows import BundledRow, HeadRow, ObjectRow, RoomRow, fields, name_of, row_of

#: Bytes to reserve: uploads empty a full disk, and each of them needs a row here.
RESERVE = 1 << 20


class Ended(NamedTuple):
    """A period that is over and has no manifest yet. ``name``: the manifest's file name. ``until``: when the
    period ended. ``rows``: the manifest's rows besides those of objects. ``number``: that of the entry that
    ended the period."""

    name: str
    until: float
    rows: list[Any]
    number: int


class StoredJournal:
    """The stored objects of one spool. ``append`` may be called from any thread at any time, the other
    methods by one thread at a time. Every method may raise OSError, and can then be called again."""

    def __init__(self, files: Files, directory: str, signer: Signer | None = None) -> None:
        self._files = files
        self._signer = signer
        self._manifests = f"{directory}/manifest"
        self._file = StateFile(files, directory, "stored", RESERVE)
        self._lock = threading.Lock()
        self._opened = False
        # Whether the disk has refused to keep appended lines.
        self._distrusted = False
        # Digests of the rows of the present period that are on the disk.
        self._known: set[bytes] = set()
        self._since: float | None = None
        self._ended: Ended | None = None
        # The digest of the manifest before the next one; None if it is not known yet whether there is one.
        self._previous: str | None = None

    def stored(self, stored: Stored) -> None:
        """Write down a verified object, before its file is removed: an uploader's ``on_stored``. Raises
        OSError if the file has to stay. A second call for the same object changes nothing."""
        if stored.content == "data":
            self.append(
                ObjectRow(stored.key, stored.bytes, stored.sha256, stored.lines, stored.first, stored.last)
            )
        rows: list[ObjectRow | BundledRow] = []
        for each in stored.inside:
            rows.append(ObjectRow(each.key, each.bytes, each.sha256, each.lines, each.first, each.last))
            rows.append(BundledRow(each.key, stored.key, each.offset, each.bytes, each.sha256))
        if rows:
            self.append(*rows)

    def open(self) -> float | None:
        """Read the state of an earlier run. Returns when the present period began, None if that is not
        known."""
        with self._lock:
            self._open()
        self._file.reserve_space()
        return self._since

    def _open(self) -> None:
        """Read the file, and make sure that it is on the disk."""
        if self._opened:
            return
        self._known.clear()
        self._since = self._ended = self._previous = None
        for number, entry in self._file.read():
            self._apply(number, entry)
        if self._distrusted or not self._files.exists(self._file.path):
            self._file.replace(entry for _, entry in self._file.read())
        else:
            # The last lines of a killed process may not be on the disk yet.
            self._file.sync()
        self._distrusted = False
        self._opened = True

    def _apply(self, number: int, entry: Any) -> None:
        """Apply one entry. If a period was ended twice without a manifest in between, the second end
        counts."""
        if (row := _of_object(entry)) is not None:
            self._known.add(_digest(row))
            return
        with suppress(KeyError, TypeError, ValueError):
            if "manifest" in entry:
                self._ended = Ended(
                    str(entry["manifest"]), float(entry["until"]), list(entry["rows"]), number
                )
                self._since = self._ended.until
                self._previous = None
                self._known.clear()
                return
            if "from" in entry:
                self._since = float(entry["from"])
            self._previous = str(entry["previous"]) if "previous" in entry else None

    def append(self, *rows: ObjectRow | BundledRow) -> None:
        """Write objects down, with one sync. When this returns, their rows are on the disk."""
        with self._lock:
            self._open()
            new = {digest: row for row in rows if (digest := _digest(row)) not in self._known}
            if new:
                self._add(*map(fields, new.values()))
                self._known.update(new)

    def _add(self, *entries: object) -> int:
        """Append entries and force them to the disk; the number of the last."""
        number = self._file.append(*entries)
        try:
            self._file.sync()
        except OSError:
            # The system may have dropped lines that it could not write; only a new file can be trusted.
            self._opened, self._distrusted = False, True
            raise
        return number

    # -- manifests -----------------------------------------------------------------------------------

    @property
    def is_linked(self) -> bool:
        """Whether it is known which manifest the next one follows. It is not known if the spool is new, or
        was written by a version without chains."""
        return self._previous is not None or self._ended is not None

    def link_to_waiting(self, instance: str) -> None:
        """If a manifest of the instance waits for its upload, the next one follows the latest of these."""
        with self._lock:
            self._open()
            if self.is_linked or not self._files.exists(self._manifests):
                return
            name = latest_of(self._files.names(self._manifests), instance)
            if name:
                with (
                    suppress(ValueError),
                    closing(chunks_of(self._files, f"{self._manifests}/{name}")) as chunks,
                ):
                    self._link(digest_of(chunks))

    def link(self, digest: str) -> None:
        """The next manifest follows the one with this digest, ``""`` if it begins a chain. Does nothing if
        the next one is known to follow another."""
        with self._lock:
            self._open()
            if not self.is_linked:
                self._link(digest)

    def _link(self, digest: str) -> None:
        self._add({"previous": digest})
        self._previous = digest

    def finish(self, head: HeadRow, rooms: Iterable[RoomRow]) -> None:
        """End the period of ``head``: its manifest lists the objects stored until now, and these rooms. When
        this returns, that is on the disk, and objects stored later belong to the next period. Does nothing if
        an earlier call ended the period already and failed after that."""
        with self._lock:
            self._open()
            if self._ended is not None:
                return
            head = head._replace(new_spool=self._since is None, previous=self._previous or "")
            name = name_of(head)
            while self._files.exists(f"{self._manifests}/{name}"):
                name = name.numbered(name.n + 1)
            rows = [fields(head), *map(fields, rooms)]
            entry = {"manifest": str(name), "until": head.until, "rows": rows}
            self._apply(self._add(entry), entry)

    def publish(self) -> str | None:
        """Write the finished manifest, if there is one, to ``manifest/``, where it waits for its upload.
        Returns its name."""
        with self._lock:
            self._open()
        ended = self._ended
        if ended is None:
            return None
        self._files.make_directories(self._manifests)
        sealed = Sealed(map(to_line, self._rows(ended)), self._signer)
        replace_file(self._files, f"{self._manifests}/{ended.name}", gathered(sealed))
        with self._lock:
            later = (entry for number, entry in self._file.read() if number > ended.number)
            try:
                self._file.replace(chain([{"from": ended.until, "previous": sealed.digest}], later))
            except NotCertain:
                # If the old file comes back, so does its manifest, with the same bytes. Rows appended to the
                # new file would be lost.
                self._opened, self._distrusted = False, True
            self._ended, self._previous = None, sealed.digest
        self._file.reserve_space()
        return ended.name

    def _rows(self, ended: Ended) -> Iterator[Any]:
        """The rows of the manifest of ``ended``."""
        head, *rooms = ended.rows
        yield head
        seen = set()
        for number, entry in self._file.read():
            row = _of_object(entry) if number < ended.number else None
            if row is not None and (digest := _digest(row)) not in seen:
                seen.add(digest)
                yield entry
        yield from rooms


def _of_object(entry: Any) -> ObjectRow | BundledRow | None:
    with suppress(ValueError):
        row = row_of(entry)
        if isinstance(row, ObjectRow | BundledRow):
            return row
    return None


def _digest(row: ObjectRow | BundledRow) -> bytes:
    where = f" in {row.bundle}" if isinstance(row, BundledRow) else ""
    return blake2b(f"{row.key}{where}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
