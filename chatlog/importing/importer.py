"""Imports unit by unit: compares each room and day with the archive, and stores the rest.

If an import is interrupted, the next one finds the objects that were stored, and its manifest names them. So
an import may be ended at any moment and begun again, and each line is stored once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from chatlog.archive import lines
from chatlog.archive.notices import what_is_wrong
from chatlog.archive.opening import Archive
from chatlog.archive.question import Question
from chatlog.importing.book import Book
from chatlog.importing.items import BY_ID, BY_MILLISECOND, BY_SECOND, Room, by_id, by_text
from chatlog.importing.source import ImportReport, Unit
from chatlog.importing.staging import Staging
from chatlog.naming import FileName, import_instance, is_import
from chatlog.signing import Signer
from chatlog.store.store import StoreError
from chatlog.uploader.deposit import Deposit
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.uploader.packing import ContentsReader, pack_data, unpacked

_DAY = 86400.0


class Importer:
    """Imports into ``archive``. ``suffix`` is that of the compression, ``largest`` the most bytes of an
    object before compression. ``step(report)`` is called now and then. With ``dry`` nothing is written.
    ``signer`` signs the manifests."""

    def __init__(
        self,
        archive: Archive,
        suffix: str,
        largest: int,
        began: float,
        now: Callable[[], float],
        step: Callable[[ImportReport], object] = lambda report: None,
        dry: bool = False,
        signer: Signer | None = None,
    ) -> None:
        self._archive = archive
        self._suffix = suffix
        self._largest = largest
        self._began = began
        self._step = step
        self._dry = dry
        self._staging = Staging()
        self._deposit = Deposit(archive.store)
        self._book = Book(archive.store, self._staging, suffix, began, now, signer)
        self._refused = False

    def run(self, units: Iterable[Unit], report: ImportReport) -> None:
        """Import all units. Raises StoreError, and the exceptions of the units; the objects stored by then
        are named by a manifest."""
        if not self._dry:
            self._archive.store.prepare()
        try:
            self._book.read()
            try:
                for unit in units:
                    done = self._staging.finished(unit.label, unit.signature) if unit.signature else None
                    if done is not None:
                        report.skipped += 1
                        report.lines_before += done
                    else:
                        self._import(unit, report)
                    self._step(report)
            finally:
                if not self._dry:
                    self._book.write()
        finally:
            self._staging.close()

    def _import(self, unit: Unit, report: ImportReport) -> None:
        lines_before, missed_before = report.lines, report.missed
        new = 0
        self._refused = False
        self._staging.clear()
        for _ in self._staging.add(unit.items(report)):
            self._step(report)
        for room, day in self._staging.days():
            new += self._import_day(room, day, report)
            self._step(report)
        if not self._dry and not self._refused:
            # A unit of which something was missed has no signature: the next import reads it again, and
            # reports it again.
            signature = unit.signature if report.missed == missed_before else ""
            self._book.finished(unit.label, signature, report.lines - lines_before, new)

    # -- a room and a day ----------------------------------------------------------------------------

    def _import_day(self, room: Room, day: str, report: ImportReport) -> int:
        if not self._read_known(room, day, report):
            return 0
        new = 0
        instance = ""
        for piece in self._pieces(self._staging.new(room, day)):
            new += len(piece)
            if not self._dry:
                instance = instance or import_instance(self._began, self._staging.layer(room, day))
                self._store(room, instance, piece)
            self._step(report)
        report.imported += new
        report.there += self._staging.count(room, day) - new
        report.rooms["/".join(room)] += new
        return new

    def _read_known(self, room: Room, day: str, report: ImportReport) -> bool:
        """Read what the archive has of the room and day; False if that fails."""
        since = lines.seconds(f"{day}T00:00:00Z")
        if not self._dry:
            self._adopt(room, day, since)
        answer = self._archive.reader.ask(Question(room, since, since + _DAY))
        found = (found.line for found in answer)
        self._staging.know(_identities(found, self._staging.sorts(room, day)))
        if answer.report.unread:
            self._refused = True
            report.unread_files += 1
            report.problem(
                f"in the archive, {what_is_wrong(answer.report.unread[0])}. Nothing is imported of "
                f"{'/'.join(room)} on {day}, for it could be there already; `chatlog verify` says more"
            )
        return not answer.report.unread

    def _adopt(self, room: Room, day: str, since: float) -> None:
        """Name the objects of imports that ended before they could name them."""
        for named in list(self._archive.catalog.objects(room, since, since + _DAY)):
            name, suffix = named.name, named.suffix
            key = name.key(suffix=suffix)
            if not is_import(name.instance) or self._staging.is_named(key):
                continue
            digest, reader, size = hashlib.sha256(), ContentsReader(), 0
            try:
                data = b"".join(self._archive.catalog.chunks(named))
                digest.update(data)
                size = len(data)
                for chunk in unpacked([data], suffix):
                    reader.feed(chunk)
            except (StoreError, ValueError):
                # The reader finds the damage as well, and reports it.
                continue
            contents = reader.contents()
            self._book.stored(
                ObjectRow(key, size, digest.hexdigest(), contents.lines, contents.first, contents.last)
            )

    def _pieces(self, found: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
        """The lines of one object after the other: those of an hour, up to the limit."""
        piece: list[tuple[str, bytes]] = []
        size = 0
        for time, line in found:
            if piece and (time[:13] != piece[0][0][:13] or size + len(line) > self._largest):
                yield piece
                piece, size = [], 0
            piece.append((time, line))
            size += len(line)
        if piece:
            yield piece

    def _store(self, room: Room, instance: str, piece: list[tuple[str, bytes]]) -> None:
        time = piece[0][0]
        minute = f"{time[:4]}{time[5:7]}{time[8:10]}_{time[11:13]}{time[14:16]}"
        packed = pack_data(b"".join(line for _, line in piece), self._suffix)
        stored, _ = self._deposit.put(FileName(*room, minute, instance), packed)
        self._archive.catalog.forget(room, minute)
        self._book.stored(
            ObjectRow(stored.key, stored.bytes, stored.sha256, stored.lines, stored.first, stored.last)
        )


def _identities(found: Iterable[bytes], sorts: set[int]) -> Iterator[bytes]:
    """The identities of the archive's lines, of the given sorts."""
    texts = [by for by in (BY_MILLISECOND, BY_SECOND) if by in sorts]
    for line in found:
        kind, id = lines.identity(line)
        if id and BY_ID in sorts:
            yield by_id(kind.decode("ascii"), id.decode("utf-8", "replace"))
        if not texts and (id or kind):
            continue
        record = lines.record_of(line)
        if record is None or not isinstance(record.get("timestamp"), str):
            continue
        if not id and BY_ID in sorts and record.get("id"):
            # The id is escaped.
            yield by_id(str(record.get("type")), str(record["id"]))
        for by in texts:
            yield by_text(record, by)
