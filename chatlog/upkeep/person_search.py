"""Finds the lines of an archive that are about one person, without parsing the others.

A line is looked at closely if it has the person's id, a name, or a whole line in base64 in it. The rules that
decide then what is the person's are those of ``chatlog.redaction``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from chatlog.archive import lines
from chatlog.record import from_json
from chatlog.redaction import Person, redacted_line

#: What every line has in it that repeats a whole line or frame.
_WHOLE = b"base64"
#: What the notices of deleted and pinned messages have in them.
_ABOUT_MESSAGES = (b'"type":"delete"', b"deleted", b"pinned")
#: Up to so many messages are looked for by their ids.
_FEW = 8
_PLAIN = re.compile(r"[0-9a-z_-]+")


class Change(NamedTuple):
    """A line of a block that is the person's: where it begins and ends, and what is left of it; None if
    nothing is."""

    start: int
    end: int
    rest: bytes | None


@dataclass(slots=True)
class Facts:
    """What the lines say of the person: ids and names that belong together, and the ids of messages."""

    ids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)

    def add(self, other: Facts) -> None:
        """Add what other lines say."""
        self.ids |= other.ids
        self.names |= other.names
        self.messages |= other.messages


class PersonSearch:
    """Finds the lines of ``person`` from ``since`` to before ``until``, both as in lines. With ``by_name``
    only the ids of who has one of the names are found, and no changes. May be used by several threads."""

    def __init__(
        self, person: Person, since: bytes = b"", until: bytes = b"~", by_name: bool = False
    ) -> None:
        self.person = person
        self.since = since
        self.until = until
        #: Whether only the id is looked for, and nothing is changed yet.
        self.by_name = by_name
        found = _names(person) if by_name else _needles(person)
        self._needles = tuple(sorted(set(found)))
        self._quoted = [f'"{one}"'.encode() for one in (person.id, *person.names) if one]

    def knowing(self, facts: Facts) -> PersonSearch:
        """The same with what was found: of names and messages; the id if there is one."""
        person = self.person
        known = replace(
            person,
            id=person.id or next(iter(facts.ids), ""),
            names=person.names | facts.names,
            messages=person.messages | facts.messages,
        )
        return PersonSearch(known, self.since, self.until)

    def changes(self, block: bytes, facts: Facts | None = None) -> Iterator[Change]:
        """The lines of a block of whole lines that are the person's, in order. ``facts`` is told of them."""
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
            if self.by_name:
                continue
            rest = self._rest(line)
            if rest is not line:
                yield Change(start, end, rest)

    def _rest(self, line: bytes) -> bytes | None:
        rest = redacted_line(line, self.person)
        if rest is line and any(name in line.lower() for name in self._quoted) and not _is_record(line):
            # Half a record, with something of theirs in what is left of it.
            return None
        return rest

    def _starts(self, block: bytes) -> list[int]:
        """Where the lines begin that have a needle in them."""
        if b"" in self._needles:
            return [0, *(match.end() for match in re.finditer(rb"\n(?=.)", block))]
        folded = block.lower()
        starts: set[int] = set()
        for needle in self._needles:
            at = folded.find(needle)
            while at >= 0:
                starts.add(folded.rfind(b"\n", 0, at) + 1)
                end = folded.find(b"\n", at)
                at = folded.find(needle, end) if end >= 0 else -1
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
        if self.by_name and name.lower() in self.person.names:
            facts.ids.add(id)
        if id == self.person.id:
            if name:
                facts.names.add(name.lower())
            # A deletion on Kick has nothing of the author but the message's id.
            if record.get("platform") == "kick" and isinstance(message := record.get("id"), str) and message:
                facts.messages.add(message)


def _names(person: Person) -> Iterator[bytes]:
    for name in person.names:
        # Whatever is not plain may be written in another way.
        yield max(_PLAIN.findall(name.lower()), key=len, default="").encode()


def _needles(person: Person) -> Iterator[bytes]:
    """What every line of the person has one of in it, in lower case; ``b""`` if nothing is known."""
    yield _WHOLE
    if person.id:
        yield person.id.lower().encode()
    yield from _names(person)
    if len(person.messages) > _FEW:
        yield from _ABOUT_MESSAGES
    else:
        yield from (message.lower().encode() for message in person.messages)


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(from_json(line), dict)
    except (ValueError, RecursionError):
        return False


def rewritten(blocks: Iterable[bytes], search: PersonSearch) -> tuple[bytes, int]:
    """What is left of an object, and how many of its lines were changed."""
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
