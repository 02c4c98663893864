"""An archive and a spool made of records that a test knows, in a directory of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from chatlog.archive.catalog import Catalog
from chatlog.archive.compacted import MOST_ROWS, Compacted
from chatlog.archive.file_cache import FileCache
from chatlog.archive.index_lookup import Index
from chatlog.archive.opening import Archive
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.retention import Retention
from chatlog.archive.room_files import Parts
from chatlog.archive.tailing import Tail
from chatlog.archive.waiting_manifests import WaitingManifests
from chatlog.files import Files, OsFiles
from chatlog.naming import FileName, utc_minute
from chatlog.record import encode_full, from_json, rfc3339
from chatlog.rooms.gap import gap_line
from chatlog.store.directory_store import DirectoryStore
from chatlog.suppression.book import Book, read_list
from chatlog.suppression.hidden import Hidden
from chatlog.suppression.names import Key
from chatlog.timeline.timeline import Gap
from chatlog.uploader.packing import packer

#: 2025-12-29T00:00:00Z.
MIDNIGHT = 1766966400.0
ROOM = ("twitch", "a")
#: The key of the opt-out list.
KEY = Key("ab" * 32)


def said(
    at: float, text: str, user: str = "ann", id: str = "", received: float | None = None, **details: object
) -> bytes:
    """A message's line, sent at ``at`` and received then or later."""
    arrived = rfc3339(round((at if received is None else received) * 1000))
    time = rfc3339(round(at * 1000))
    return encode_full(
        time,
        "a",
        user,
        user[:1] + "1",
        text,
        "message",
        id,
        "twitch",
        "7",
        arrived,
        {"command": "PRIVMSG", **details},
    )


def gap(since: float, until: float, reason: str = "connection lost") -> bytes:
    """A gap record's line."""
    return gap_line(encode_full, "twitch", "a", "7", Gap(since, until, reason))


class World:
    """An archive at ``root``/archive and a spool at ``root``/spool; for its reader it is ``now``."""

    def __init__(self, root: str, now: float = MIDNIGHT + 40 * 86400.0) -> None:
        self.archive, self.spool = os.path.join(root, "archive"), os.path.join(root, "spool")
        self.now = now
        self._elapsed = self._pace = 0.0
        self.retention = Retention()
        #: Whether nothing is shown while the opt-out list cannot be applied.
        self.strict = False
        #: Whether an index is used.
        self.with_index = False
        #: Whether Parquet is used besides.
        self.with_parquet = False
        #: The most rows that are taken from it.
        self.most_rows = MOST_ROWS
        for area in ("open", "sealed", "packed"):
            os.makedirs(os.path.join(self.spool, area))
        os.makedirs(self.archive)
        self.store = DirectoryStore(self.archive)
        self.files: Files = OsFiles()

    def put(
        self,
        at: float,
        lines: Iterable[bytes],
        suffix: str = ".zst",
        instance: str = "",
        n: int = 1,
        room: tuple[str, str] = ROOM,
        old: bool = False,
    ) -> str:
        """An object begun at ``at``, with a name as ``old`` versions made it or as they are made today; its
        path."""
        key = FileName(*room, utc_minute(at), instance, n, old).key(suffix=suffix)
        return self._write(os.path.join(self.archive, key), lines, suffix)

    def spooled(self, area: str, at: float, lines: Iterable[bytes], suffix: str = "") -> str:
        """A file of the spool begun at ``at``; its path."""
        name = FileName(*ROOM, utc_minute(at))
        return self._write(os.path.join(self.spool, area, f"{name}{suffix}"), lines, suffix)

    def _write(self, path: str, lines: Iterable[bytes], suffix: str) -> str:
        packing = packer(suffix)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(packing.compress(b"".join(lines)) + packing.flush())
        return path

    def opt_out(self, id: str, *names: str, channel: str = "", platform: str = "twitch") -> None:
        """Put a person on the opt-out list, which readers see ten seconds later."""
        Book(self.store, KEY).add(platform, id, names, channel)

    def opened(self, clock: Callable[[], float] | None = None) -> Archive:
        """The archive, with nothing of it known yet."""
        now = clock or (lambda: self.now)
        catalog = Catalog(self.store, now)
        parts = Parts(catalog, self.files, self.spool)
        hidden = Hidden(lambda: (read_list(self.store, KEY), ""), self.strict, now)
        tail = Tail(self.files, self.spool, parts, hidden)
        cache = FileCache(self.store, os.path.join(os.path.dirname(self.archive), "cache"), 64 << 20)
        index = Index(self.store, cache, now) if self.with_index else None
        compacted = Compacted(self.store, cache, now, most_rows=self.most_rows) if self.with_parquet else None
        reader = Reader(parts, now, self._clock, hidden, index, compacted)
        return Archive(
            self.store,
            catalog,
            parts,
            reader,
            tail,
            self.retention,
            hidden,
            WaitingManifests(self.files, self.spool),
        )

    def slowly(self, seconds: float) -> None:
        """From now on reading a piece takes so long."""
        self._pace = seconds

    def _clock(self) -> float:
        self._elapsed += self._pace
        return self._elapsed

    def reader(self) -> Reader:
        return self.opened().reader

    def texts(self, question: Question) -> list[str]:
        """The messages that answer a question, in order."""
        return [from_json(found.line)["message"] for found in self.reader().ask(question)]
