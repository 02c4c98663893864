"""Reads a room's day for the index: who wrote, which words were said, and the facts of each file.

Most lines are taken apart by a pattern; a line of another form is parsed. Nothing that a search would find
(see ``chatlog.archive.matching``) is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chatlog.archive import lines
from chatlog.archive.blocks import whole_lines
from chatlog.archive.catalog import Catalog
from chatlog.archive.damage import contents, records_alone
from chatlog.archive.gaps import Gap, gaps_in
from chatlog.archive.index_coverage import IndexedFile, as_json, day_as_json, digest_of, short_name, whole_day
from chatlog.archive.listings import DAY, LATE
from chatlog.archive.room_files import Part
from chatlog.archive.streams import time_reached
from chatlog.index.sets import Room
from chatlog.index.words import words_of
from chatlog.index.writing import Stage
from chatlog.naming import utc_minute
from chatlog.store.store import CORRUPT, MISSING, StoreError

#: People and words that are held in memory at a time.
MOST = 150_000
#: The form of most lines, up to the message.
_LINE = re.compile(
    rb'\{"timestamp":"[^"\\]*",(?:"channel":"[^"\\]*",)?(?:"username":"([^"\\]*)",)?'
    rb'(?:"user_id":"([^"\\]*)",)?(?:"message":"([^"\\]*)",)?"type":"[a-z]+"'
)


class _Odd(Exception):
    """The file has a name that Parquet cannot have."""


def add_unit(stage: Stage, catalog: Catalog, room: Room, day: str, parts: Sequence[Part]) -> int:
    """Read the parts of a room's day; returns their bytes, unpacked. A damaged file is noted as such, and
    every search reads it. Raises StoreError if a file cannot be fetched."""
    unit = _Unit(stage, room, int(day[8:]))
    files: list[tuple[Part, IndexedFile]] = []
    digests = {}
    elsewhere: dict[Part, tuple[bytes, bytes]] = {}
    size = 0
    for part in parts:
        digest = hashlib.sha256()
        times: list[bytes] = []
        reached, gaps, read = _read(unit, _blocks(catalog, part, digest), day, times)
        if times:
            elsewhere[part] = min(times), max(times)
        size += read
        # Files that share a name are always read.
        files.append((part, IndexedFile(part.suffix, part.size, None if part.copy else reached, gaps)))
        digests[f"{short_name(part)}{part.suffix}"] = digest.hexdigest()
    unit.flush()
    sources = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(digests.items()))
    stage.add_day(
        room,
        day,
        listing=digest_of(part for part, _ in files),
        known=day_as_json(None if _is_astray(day, elsewhere, parts) else whole_day(files)),
        files=as_json({short_name(part): covered for part, covered in files}),
        digest=hashlib.sha256(sources.encode()).hexdigest(),
    )
    return size


def _is_astray(day: str, elsewhere: Mapping[Part, tuple[bytes, bytes]], parts: Iterable[Part]) -> bool:
    """Whether files have records of other days that a reader of those days would miss (see
    ``listings.within``): they were filled in after a long gap, or written by a wrong clock. ``elsewhere``: by
    file, the first and the last time of such records."""
    since = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    before, midnight, after = (lines.time_bytes(since + n * DAY) for n in (-1, 1, 2))
    soon = utc_minute(since + LATE)
    last: dict[str, tuple[str, int]] = {}
    for part in parts:
        last[part.name.instance] = max(last.get(part.name.instance, part.order), part.order)
    return any(
        first < before
        or end >= after
        or (first < lines.time_bytes(since) and part.minute > soon)
        or (end >= midnight and part.order < last[part.name.instance])
        for part, (first, end) in elsewhere.items()
    )


def _read(
    unit: _Unit, blocks: Iterator[bytes], day: str, elsewhere: list[bytes]
) -> tuple[bytes | None, tuple[Gap, ...], int]:
    """Read a file. The first and the last times of records of other days are added to ``elsewhere``."""
    begin = f'{{"timestamp":"{day}'.encode()
    gaps: list[Gap] = []
    reached, size = b"", 0
    try:
        for block in blocks:
            size += len(block)
            unit.take(block)
            gaps += gaps_in(block)
            reached = max(reached, time_reached(block))
            if block.count(b"\n" + begin) + block.startswith(begin) < block.rstrip(b"\n").count(b"\n") + 1:
                times = map(lines.timestamp, block.split(b"\n"))
                others = [time for time in times if time and not time.startswith(begin[-10:])]
                elsewhere += [min(others), max(others)] if others else []
    except (ValueError, _Odd):
        return None, (), size
    except StoreError as error:
        if error.kind not in (CORRUPT, MISSING):
            raise
        return None, (), size
    return reached, tuple(gaps), size


def _blocks(catalog: Catalog, part: Part, digest: Any) -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        for chunk in catalog.chunks(part.named):
            digest.update(chunk)
            yield chunk

    blocks = whole_lines(contents(chunks(), part.suffix), False)
    return blocks if part.suffix else records_alone(blocks)


class _Unit:
    """The people and words of a room's day."""

    def __init__(self, stage: Stage, room: Room, day: int) -> None:
        self._stage = stage
        self._room = room
        self._day = day
        self._people: set[tuple[bytes, bytes]] = set()
        self._words: set[str] = set()

    def take(self, block: bytes) -> None:
        """Take a block of whole lines. Raises _Odd."""
        people, form = self._people, _LINE.match
        said: list[bytes] = []
        for line in block.split(b"\n"):
            match = form(line)
            if match is None:
                if line:
                    self._parsed(line, said)
                continue
            name, id, message = match.groups(b"")
            people.add((id, name))
            if message:
                said.append(message)
        self._words |= words_of(said)
        if len(self._people) > MOST or len(self._words) > MOST:
            self.flush()

    def _parsed(self, line: bytes, said: list[bytes]) -> None:
        record = lines.record_of(line)
        if record is None:
            return
        id, name = (record.get(key) for key in ("user_id", "username"))
        self._people.add((_bytes(id), _bytes(name)))
        plain, message = lines.plain_message(line), record.get("message")
        if plain is not None:
            # The search compares this text first.
            said.append(plain)
        elif isinstance(message, str):
            said.append(message.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Stage what was found so far."""
        people = {(_text(id), _text(name)) for id, name in self._people if id or name}
        self._stage.add_people(self._room, self._day, people)
        self._stage.add_words(self._room, self._day, self._words)
        self._people.clear()
        self._words = set()


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        return b""
    if "\0" in value:
        raise _Odd
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _Odd from None


def _text(value: bytes) -> str:
    # A line that is no JSON in UTF-8 is never found.
    return value.decode("utf-8", "replace").replace("\0", "\ufffd")
