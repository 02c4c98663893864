"""Finds the lines of an archive that are about one person, without parsing the others.

A line is examined if it has the person's id, a name, or a whole line in base64 in it. Then the rules of
``chatlog.redaction`` decide what belongs to the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from chatlog.archive import lines
from chatlog.record import from_json
from chatlog.redaction import Person, redacted_line

#: Bytes of every line that repeats a whole line or frame.
_WHOLE = b"raw_base64"
#: Bytes of notices about deleted and pinned messages.
_ABOUT_MESSAGES = (b'"type":"delete"', b"deleted", b"pinned")
#: Up to so many messages are looked for by their ids.
_FEW = 8
_PLAIN = re.compile(r"[0-9a-z_-]+")


class Change(NamedTuple):
    """A line of a block with something of the person: its beginning and end, and its rest; None if nothing is
    left."""

    start: int
    end: int
    rest: bytes | None


@dataclass(slots=True)
class Facts:
    """Facts about the person from lines: ids and names that belong together, and the ids of messages."""

    ids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)

    def add(self, other: Facts) -> None:
        """Add the facts from other lines."""
        self.ids |= other.ids
        self.names |= other.names
        self.messages |= other.messages


class PersonSearch:
    """Finds the lines of ``person`` from ``since`` to before ``until``, both as in lines. ``asked``: names
    whose ids are to be found out. May be used by several threads."""

    def __init__(
        self,
        person: Person,
        since: bytes = b"",
        until: bytes = b"~",
        asked: frozenset[str] = frozenset(),
    ) -> None:
        self.person = person
        self.since = since
        self.until = until
        self.asked = asked
        #: Every line of the person has one of these in it: of the first in this spelling, of the others in
        #: any case.
        self._exact = (_WHOLE, *_ids(person))
        self._folded = tuple(sorted(set(_names(person))))
        self._quoted = [f'"{one}"'.encode() for one in (person.id, *person.names) if one]

    def knowing(self, facts: Facts) -> PersonSearch:
        """The same search with the names, messages and id that were found; the same object if nothing is
        new."""
        person = self.person
        known = replace(
            person,
            id=person.id or next(iter(facts.ids), ""),
            names=person.names | facts.names,
            messages=person.messages | facts.messages,
        )
        return self if known == person else PersonSearch(known, self.since, self.until, self.asked)

    def changes(self, block: bytes, facts: Facts | None = None) -> Iterator[Change]:
        """The lines of a block of whole lines with something of the person, in order. Adds to ``facts``."""
        end = 0
        for start in self._starts(block):
            if start < end:
                continue
            end = block.find(b"\n", start) + 1 or len(block)
            line = block[start:end]
            if not self.since <= lines.timestamp(line) < self.until:
                continue
            if facts is not None:
                self._learn(line, facts)
            rest = self._rest(line)
            if rest is not line:
                yield Change(start, end, rest)

    def _rest(self, line: bytes) -> bytes | None:
        rest = redacted_line(line, self.person)
        if rest is line and any(name in line.lower() for name in self._quoted) and not _is_record(line):
            # Half a record, with the person's id or name in it.
            return None
        return rest

    def _starts(self, block: bytes) -> list[int]:
        """The beginnings of lines that may have something of the person."""
        if b"" in self._folded:
            return [0, *(match.end() for match in re.finditer(rb"\n(?=.)", block))]
        starts: set[int] = set()
        _find(block, self._exact, starts)
        if self._folded:
            _find(block.lower(), self._folded, starts)
        return sorted(starts)

    def _learn(self, line: bytes, facts: Facts) -> None:
        try:
            record = from_json(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        id, name = record.get("user_id"), record.get("username")
        if not isinstance(id, str) or not isinstance(name, str) or not id:
            return
        if name.lower() in self.asked:
            facts.ids.add(id)
        if id == self.person.id:
            if name:
                facts.names.add(name.lower())
            # A deletion on Kick has nothing of the author but the message's id.
            if record.get("platform") == "kick" and isinstance(message := record.get("id"), str) and message:
                facts.messages.add(message)


def _find(block: bytes, needles: Iterable[bytes], starts: set[int]) -> None:
    """Add the beginnings of lines that have one of the needles in them."""
    for needle in needles:
        at = block.find(needle)
        while at >= 0:
            starts.add(block.rfind(b"\n", 0, at) + 1)
            end = block.find(b"\n", at)
            at = block.find(needle, end) if end >= 0 else -1


def _ids(person: Person) -> Iterator[bytes]:
    """Bytes that have one spelling: of ids."""
    if person.id:
        yield person.id.encode()
    if len(person.messages) > _FEW:
        yield from _ABOUT_MESSAGES
    else:
        yield from (message.encode() for message in person.messages)


def _names(person: Person) -> Iterator[bytes]:
    """Bytes that may be in any case: of names; ``b""`` if every line has to be examined."""
    for name in person.names:
        # Other characters may be escaped.
        yield max(_PLAIN.findall(name.lower()), key=len, default="").encode()


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(from_json(line), dict)
    except (ValueError, RecursionError):
        return False


def rewritten(blocks: Iterable[bytes], search: PersonSearch) -> tuple[bytes, int]:
    """The rest of an object, and how many of its lines were changed."""
    pieces: list[bytes] = []
    redacted = 0
    for block in blocks:
        at = 0
        for change in search.changes(block):
            pieces.append(block[at : change.start])
            at = change.end
            if change.rest is not None:
                redacted += 1
                pieces.append(change.rest)
        pieces.append(block[at:])
    return b"".join(pieces), redacted
