"""Filters, and finding their records in blocks of lines without parsing the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from chatlog.archive import lines as line_parts
from chatlog.archive.folding import FoldedText

#: The most characters of a text or pattern.
LONGEST_TEXT = 500
#: The most bytes of a compiled pattern; a larger one is refused.
_PATTERN_MEMORY = 8 << 20


class FilterError(ValueError):
    """The filter is not valid; the message says why."""


class Pattern(Protocol):
    """A compiled regular expression."""

    def search(self, text: bytes) -> object:
        """The match; None if there is none."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions for a record. All given ones have to hold; of ``users`` and of ``types``, one has to
    match.

    ``text``: found in any case. ``regex``: in RE2's syntax. ``users``: names in lower case, or ``id:1234``.
    ``ids``: the ids of records. ``badge`` and ``without``: the names of badges (``moderator``,
    ``subscriber/12``).
    """

    text: str = ""
    regex: str = ""
    users: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    badge: str = ""
    without: str = ""
    ids: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether every record matches."""
        return self == Filter()


class Matcher:
    """Finds the records of a filter. Raises FilterError if the filter is not valid."""

    def __init__(self, filter: Filter) -> None:
        self._filter = filter
        self._text = FoldedText(filter.text) if filter.text else None
        self._regex = compiled(filter.regex) if filter.regex else None
        self._names = {user for user in filter.users if not user.startswith("id:")}
        self._ids = {user[3:] for user in filter.users if user.startswith("id:")}
        self._needles = self._choose_needles()
        if len(filter.text) > LONGEST_TEXT:
            raise FilterError(f"a text of more than {LONGEST_TEXT} characters cannot be searched for")

    def _choose_needles(self) -> list[bytes]:
        """Byte strings of which every matching line contains one; the rarest that are known."""
        if self._filter.ids:
            return [b'"id":' + orjson.dumps(id) for id in self._filter.ids]
        if self._filter.users:
            names = [b'"username":' + orjson.dumps(name) for name in self._names]
            return names + [b'"user_id":' + orjson.dumps(id) for id in self._ids]
        if self._filter.types and "message" not in self._filter.types:
            return [b'"type":' + orjson.dumps(type) for type in self._filter.types]
        return []

    def find(self, block: bytes, since: bytes, until: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The time and the line of every matching record of the block, in the order of the block, from
        ``since`` to before ``until``. A block consists of whole lines."""
        timestamp = line_parts.timestamp
        has = None if self._filter.everything else self._has
        for line in self._candidates(block):
            if not line:
                continue
            if has is None:
                time = timestamp(line)
                if since <= time < until:
                    yield time, line
            elif self._may_have(line):
                time = timestamp(line)
                if since <= time < until and has(line):
                    yield time, line

    def _candidates(self, block: bytes) -> Iterator[bytes]:
        if self._needles:
            starts: Iterable[int] = sorted(
                {start for needle in self._needles for start in _starts(block, needle)}
            )
        elif self._text is not None:
            starts = self._text.lines(block)
        else:
            yield from block.split(b"\n")
            return
        for start in starts:
            end = block.find(b"\n", start)
            yield block[start : end if end >= 0 else len(block)]

    def _may_have(self, line: bytes) -> bool:
        """This rejects most lines, at a fraction of the cost of parsing them."""
        if self._regex is None and self._text is None:
            return True
        message = line_parts.plain_message(line)
        if message is None:
            return True
        if self._text is not None and not self._text.within(message.decode("utf-8", "replace")):
            return False
        return self._regex is None or self._regex.search(message) is not None

    def _has(self, line: bytes) -> bool:
        record = line_parts.record_of(line)
        if record is None:
            return False
        wanted = self._filter
        if wanted.ids and not _one_of(record.get("id"), wanted.ids):
            return False
        if wanted.users and not self._is_by(record):
            return False
        if wanted.types and not _one_of(record.get("type", "message"), wanted.types):
            return False
        said = record.get("message")
        text = said if isinstance(said, str) else ""
        if self._text is not None and not self._text.within(text):
            return False
        if self._regex is not None and not self._regex.search(_encodable(text).encode()):
            return False
        badges = badges_of(record)
        return (not wanted.badge or has_badge(badges, wanted.badge)) and not (
            wanted.without and has_badge(badges, wanted.without)
        )

    def _is_by(self, record: dict[str, Any]) -> bool:
        return _one_of(record.get("username"), self._names) or _one_of(record.get("user_id"), self._ids)


def _one_of(value: object, wanted: Collection[str]) -> bool:
    """Whether a record's value is wanted; a value that is no text, as only other programs write it, never
    is."""
    return isinstance(value, str) and value in wanted


def _starts(block: bytes, needle: bytes) -> Iterator[int]:
    at = block.find(needle)
    while at >= 0:
        yield block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        at = block.find(needle, end) if end >= 0 else -1


def compiled(pattern: str) -> Pattern:
    """The compiled pattern. The time of its searches is linear in the length of the text, for every pattern.
    Raises FilterError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = _PATTERN_MEMORY
    if len(pattern) > LONGEST_TEXT:
        raise FilterError(f"a pattern of more than {LONGEST_TEXT} characters cannot be searched for")
    try:
        return re2.compile(_encodable(pattern).encode(), options)  # type: ignore[no-any-return]
    except re2.error as error:
        message = error.args[0] if error.args else error
        reason = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
        raise FilterError(
            f"{pattern[:80]!r} is not a pattern that can be searched for ({reason}); "
            "look-ahead and back references are not supported"
        ) from None


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def badges_of(record: dict[str, Any]) -> list[str]:
    """The badges of the record's author, as ``name/version``, or ``name`` if there is no version."""
    details = record.get("details")
    if not isinstance(details, dict):
        return []
    if isinstance(given := details.get("badges"), str):
        return [badge for badge in given.split(",") if badge]
    sender = details.get("sender")
    identity = sender.get("identity") if isinstance(sender, dict) else None
    given = identity.get("badges") if isinstance(identity, dict) else None
    found = []
    for badge in given if isinstance(given, list) else []:
        if isinstance(badge, dict) and isinstance(badge.get("type"), str):
            count = badge.get("count")
            found.append(f"{badge['type']}/{count}" if isinstance(count, int) else badge["type"])
    return found


def has_badge(badges: list[str], wanted: str) -> bool:
    """Whether one of the badges is the wanted one; if that has no version, any version matches."""
    return any(badge == wanted or badge.partition("/")[0] == wanted for badge in badges)
