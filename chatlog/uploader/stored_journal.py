"""Which objects have been stored and are in no manifest yet, on the disk: what a manifest is made of.

    {"from": T}                                          what follows was stored in the period that began at T
    {"kind": "object", "key", "bytes", ..}               a row for every object
    {"manifest": NAME, "until": T, "rows": [{..}, ..]}   the period is over; its other rows, the head first

A file of recordings is only removed once its object's row is on the disk here. Once the end of a period is,
all of its manifest is: it can be written to ``manifest/`` again and again, with the same bytes, until this
file begins with the next period. So no row is ever in no file, and a period never has two manifests.
Everything here blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

from chatlog.files import Files, NotCertain, replace_file
from chatlog.record import to_line
from chatlog.state.state_file import StateFile
from chatlog.uploader.deposit import Stored
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, fields, name_of, row_of

#: Bytes put by: a full disk becomes less full by uploads, and they need a row each.
RESERVE = 1 << 20
_BUFFER = 1 << 16


class Ended(NamedTuple):
    """A period that is over and has no manifest yet: the name and the rows that its manifest will have
    besides the objects' rows, when it ended, and the number of the entry that says so."""

    name: str
    until: float
    rows: list[Any]
    number: int


class StoredJournal:
    """The objects of one spool. ``append`` may be called from any thread at any time; the rest is called by
    one at a time. Every method may raise OSError, and can then be called again."""

    def __init__(self, files: Files, directory: str) -> None:
        self._files = files
        self._directory = directory
        self._manifests = f"{directory}/manifest"
        self._file = StateFile(files, directory, "stored", RESERVE)
        self._lock = threading.Lock()
        self._opened = False
        # Whether the disk has refused to keep what was appended.
        self._distrusted = False
        # Digests of the keys of the present period that are on the disk.
        self._known: set[bytes] = set()
        self._since: float | None = None
        self._ended: Ended | None = None

    def stored(self, stored: Stored) -> None:
        """Write down a verified object, before its file goes: an uploader's ``on_stored``. Raises OSError to
        keep the file. An object that is written down already stays so."""
        if stored.content == "data":
            self.append(
                ObjectRow(stored.key, stored.bytes, stored.sha256, stored.lines, stored.first, stored.last)
            )

    def open(self) -> float | None:
        """Take up what an earlier run has left; since when the present period has been going on, None if the
        state does not know."""
        with self._lock:
            self._open()
        self._file.restock()
        return self._since

    def _open(self) -> None:
        """Read the file, and make sure that it is on the disk."""
        if self._opened:
            return
        self._known.clear()
        self._since = self._ended = None
        for number, entry in self._file.read():
            self._take(number, entry)
        if self._distrusted or not self._files.exists(self._file.path):
            self._file.replace(entry for _, entry in self._file.read())
        else:
            # What a killed process wrote may be on no disk yet.
            self._file.sync()
        self._distrusted = False
        self._opened = True

    def _take(self, number: int, entry: Any) -> None:
        """What an entry says. Of two ends that nothing was done about between, the second counts."""
        if (row := _object(entry)) is not None:
            self._known.add(_digest(row.key))
            return
        with suppress(KeyError, TypeError, ValueError):
            if "manifest" in entry:
                self._ended = Ended(
                    str(entry["manifest"]), float(entry["until"]), list(entry["rows"]), number
                )
                self._since = self._ended.until
                self._known.clear()
            else:
                self._since = float(entry["from"])

    def append(self, row: ObjectRow) -> None:
        """Write the object down. When this returns its row outlives everything."""
        digest = _digest(row.key)
        with self._lock:
            self._open()
            if digest not in self._known:
                self._add(fields(row))
                self._known.add(digest)

    def _add(self, entry: object) -> int:
        """Append an entry and force it to the disk; its number."""
        number = self._file.append(entry)
        try:
            self._file.sync()
        except OSError:
            # The system forgets what it could not keep; only a new file can be trusted.
            self._opened, self._distrusted = False, True
            raise
        return number

    # -- manifests -----------------------------------------------------------------------------------

    def finish(self, head: HeadRow, rooms: Iterable[RoomRow]) -> None:
        """The period that ``head`` is about is over: its manifest has the objects stored until now, and these
        rooms. That is safe on the disk then, and what is stored later belongs to the next period. Does
        nothing if that was done by an earlier call that failed after it."""
        with self._lock:
            self._open()
            if self._ended is not None:
                return
            head = head._replace(new_spool=self._since is None)
            self._files.make_directories(self._manifests)
            name = name_of(head)
            while self._files.exists(f"{self._manifests}/{name}"):
                name = name.numbered(name.n + 1)
            rows = [fields(head), *map(fields, rooms)]
            entry = {"manifest": str(name), "until": head.until, "rows": rows}
            self._take(self._add(entry), entry)

    def publish(self) -> str | None:
        """Let the manifest that is finished, if there is one, wait for its upload; its name."""
        with self._lock:
            self._open()
        ended = self._ended
        if ended is None:
            return None
        self._files.make_directories(self._manifests)
        replace_file(self._files, f"{self._manifests}/{ended.name}", _parts(self._rows(ended)))
        with self._lock:
            later = (entry for number, entry in self._file.read() if number > ended.number)
            try:
                self._file.replace(chain([{"from": ended.until}], later))
            except NotCertain:
                # If the old file comes back, so does its manifest, with the same bytes; rows would not.
                self._opened, self._distrusted = False, True
            self._ended = None
        self._file.restock()
        return ended.name

    def _rows(self, ended: Ended) -> Iterator[Any]:
        """The rows of its manifest."""
        head, *rooms = ended.rows
        yield head
        seen = set()
        for number, entry in self._file.read():
            row = _object(entry) if number < ended.number else None
            if row is not None and (digest := _digest(row.key)) not in seen:
                seen.add(digest)
                yield entry
        yield from rooms


def _object(entry: Any) -> ObjectRow | None:
    with suppress(ValueError):
        row = row_of(entry)
        if isinstance(row, ObjectRow):
            return row
    return None


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _parts(rows: Iterable[Any]) -> Iterator[bytes]:
    """The lines of the rows, several at a time."""
    part = bytearray()
    for row in rows:
        part += to_line(row)
        if len(part) >= _BUFFER:
            yield bytes(part)
            part.clear()
    yield bytes(part)
