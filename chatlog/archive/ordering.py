"""Sorts records by their times, from streams that are nearly sorted.

Within a stream (the files of one room and one recorder) records are in the order of arrival. That is not
quite the order of their times: networks delay messages, and records that fill a gap come up to two minutes
after the messages behind the gap. So records are held back until no older one can come any more.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from chatlog.archive import lines

#: The most seconds by which a record may be late.
HELD_BACK = 180.0
#: The most records that are held back; beyond that they keep the order in which they came.
MOST = 200_000
#: Seconds for which a record's identity is kept, to recognise copies.
REMEMBERED = 120.0
#: Seconds by which an event may arrive later at one recorder than at another.
APART = 3.0
#: The most events that look the same and are remembered with the times of their arrival.
_ALIKE = 8


class Found(NamedTuple):
    """A record: its time as in its line, and the line."""

    time: bytes
    line: bytes


#: The result for one block: its matching records, and when the last record of the block arrived (``b""`` if
#: that is not known).
Batch = tuple[list[Found], bytes]


def forwards(batches: Iterable[Batch]) -> Iterator[Found]:
    """The records of a stream, oldest first; ties in the order of arrival."""
    time = itemgetter(0)
    held: list[Found] = []
    safe = skipped = b""
    for found, arrived in batches:
        held += found
        if not held:
            # Most batches have nothing, and working out times takes longer than all else.
            skipped = max(skipped, arrived)
            continue
        safe = max(safe, _before(skipped, HELD_BACK), _before(arrived, HELD_BACK))
        skipped = b""
        held.sort(key=time)
        ready = max(bisect_left(held, safe, key=time), len(held) - MOST)
        yield from held[:ready]
        del held[:ready]
    yield from held


def backwards(parts: Iterable[tuple[list[Found], bytes]]) -> Iterator[Found]:
    """The records of a stream, newest first; ties latest arrival first. Each item is a whole file, the
    last one first, with the time at which it was begun."""
    time = itemgetter(0)
    held: list[Found] = []
    for found, begun in parts:
        # The sort is stable, so that equal times keep their order. Records are popped from the end.
        held = sorted(chain(found, held), key=time)
        if not begun or not held:
            continue
        ready = max(0, min(bisect_left(held, _before(begun, -HELD_BACK), key=time), MOST))
        yield from reversed(held[ready:])
        del held[ready:]
    yield from reversed(held)


def _before(time: bytes, seconds: float) -> bytes:
    """The time so many seconds earlier; ``b""`` if there is none."""
    if not time:
        return b""
    try:
        return lines.time_bytes(lines.seconds(time) - seconds)
    except ValueError:
        return b""


def merged(streams: list[Iterator[Found]], newest: bool, writers: Sequence[str] = ()) -> Iterator[Found]:
    """All streams in one order, each event once: several recorders may have recorded a room, and a crash may
    leave records in two files. Gap records belong to one recorder each, and all stay. ``writers`` names the
    recorder of each stream: if one recorder has several streams, a gap record may be in two of them."""
    return merged_once(dict(enumerate(streams)), newest, Once(len(streams) > 1, writers))


def merged_once(streams: Mapping[int, Iterator[Found]], newest: bool, once: Once) -> Iterator[Found]:
    """The same for streams with numbers, where ``once`` knows what came before."""
    if len(streams) == 1:
        for number, stream in streams.items():
            yield from (found for found in stream if once.is_new(found, number))
        return
    numbered = (_numbered(stream, number) for number, stream in streams.items())
    key: Callable[[tuple[Found, int]], bytes] = lambda item: item[0].time  # noqa: E731
    for found, number in heapq.merge(*numbered, key=key, reverse=newest):
        if once.is_new(found, number):
            yield found


def _numbered(stream: Iterator[Found], number: int) -> Iterator[tuple[Found, int]]:
    return ((found, number) for found in stream)


class Once:
    """Recognises copies. An event without an id is a copy only if another stream has the same one: a recorder
    never writes an event twice, but the same thing can happen twice. If the platform gave it no time either,
    its time is that of its arrival, which differs between two recorders: then it is a copy of the first that
    looks the same, arrived at about that time, and has no copy in this stream yet."""

    def __init__(self, several: bool, writers: Sequence[str] = ()) -> None:
        self._several = several
        #: By the number of the stream, if one writer has several.
        self._writers = writers if len(set(writers)) < len(writers) else ()
        self._young: dict[object, Any] = {}
        self._old: dict[object, Any] = {}
        #: The time at which ``_young`` began, and the minute (``2025-12-29T10:30``) of the latest record.
        self._turned = self._minute = b""

    def is_new(self, found: Found, stream: int) -> bool:
        """Whether no copy of the record came before."""
        kind, id = lines.identity(found.line)
        if kind == b"gap":
            return not self._writers or self._is_new_gap(found, stream)
        if not id and not self._several:
            return True
        key: object = (kind, id) if id else (found.time, hash(lines.without_arrival(found.line)))
        known = self._known(key)
        if known is not None and (id or known != stream):
            return False
        if not id and lines.received(found.line) == found.time and self._is_late_copy(found, stream):
            return False
        self._remember(key, stream, found.time)
        return True

    def _is_new_gap(self, found: Found, stream: int) -> bool:
        key = self._writers[stream] if stream < len(self._writers) else "", found.line
        known = self._known(key)
        if known is None:
            self._remember(key, stream, found.time)
        return known is None or known == stream

    def _is_late_copy(self, found: Found, stream: int) -> bool:
        """Whether an event whose time is that of its arrival arrived elsewhere at another time."""
        key = hash(lines.without_times(found.line))
        alike: list[tuple[float, set[int]]] = self._known(key) or []
        try:
            at = lines.seconds(found.time)
        except ValueError:
            return False
        for other, streams in alike:
            if abs(at - other) <= APART and stream not in streams:
                streams.add(stream)
                return True
        self._remember(key, [*alike[1 - _ALIKE :], (at, {stream})], found.time)
        return False

    def _known(self, key: object) -> Any:
        known = self._young.get(key)
        return self._old.get(key) if known is None else known

    def _remember(self, key: object, what: object, time: bytes) -> None:
        if time[:16] != self._minute or len(self._young) >= MOST:
            self._minute = time[:16]
            if len(self._young) >= MOST or self._is_later(time):
                self._old, self._young = self._young, {}
                self._turned = time
        self._young[key] = what

    def _is_later(self, time: bytes) -> bool:
        try:
            return not self._turned or abs(lines.seconds(time) - lines.seconds(self._turned)) > REMEMBERED
        except ValueError:
            return False
