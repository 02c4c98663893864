"""The facts that an index has of files besides their people and words: all that a reader needs to leave files
out.

A file is recognised by its name, the suffix of its compression, and its size: no name is ever used for other
records, and erasing or cutting makes a new file. All files of a room's day are recognised by a digest of
these (``listings.Listed``), so that most days cost no work for each of their files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from chatlog.archive import lines
from chatlog.archive.gaps import Gap, Span, joined
from chatlog.archive.listings import digest_of_files
from chatlog.archive.room_files import Part


class IndexedFile(NamedTuple):
    """``reached``: the time that its records had reached, as in their lines; None if it could not be read
    when the index was made. ``gaps``: those of its gap records."""

    suffix: str
    size: int
    reached: bytes | None
    gaps: tuple[Gap, ...] = ()


class PassedFiles(NamedTuple):
    """Files of one recorder in which nothing matches, one behind the other: the minutes in which the first
    and the last one were begun, the time that their records had reached (``b""`` if there are none), their
    gaps, and from when to when they reach."""

    minute: str
    last: str
    reached: bytes
    gaps: tuple[Gap, ...]
    spans: tuple[Span, ...]

    @property
    def order(self) -> tuple[str, int]:
        """A sort key that fits those of parts."""
        return self.minute, 0


#: The files of a room's day, by their recorders.
Day = dict[str, PassedFiles]


def passed(part: Part, covered: IndexedFile) -> PassedFiles:
    """One file, whose ``reached`` is known."""
    reached, start = covered.reached or b"", begun(part.minute)
    span = start, seconds_of(reached) if reached else start
    return PassedFiles(part.minute, part.minute, reached, covered.gaps, (span,))


def whole_day(files: Iterable[tuple[Part, IndexedFile]]) -> Day | None:
    """A room's day as a whole; None if a reader has to decide about each file by itself."""
    by_recorder: dict[str, list[PassedFiles]] = {}
    for part, covered in files:
        if covered.reached is None or part.copy or part.area:
            return None
        by_recorder.setdefault(part.name.instance, []).append(passed(part, covered))
    found = {}
    for instance, own in by_recorder.items():
        spans = [span for each in own for span in each.spans]
        if any(start > end for start, end in spans):
            return None
        found[instance] = PassedFiles(
            min(each.minute for each in own),
            max(each.last for each in own),
            max(each.reached for each in own),
            tuple(sorted(gap for each in own for gap in each.gaps)),
            tuple(joined(spans)),
        )
    return found


def day_as_json(day: Day | None) -> str:
    """A room's day as the index has it; ``""`` for None."""
    if day is None:
        return ""
    rows = [
        [instance, own.minute, own.last, own.reached.decode("ascii"), list(map(list, own.gaps)), own.spans]
        for instance, own in sorted(day.items())
    ]
    return orjson.dumps(rows).decode()


def day_from_json(text: str) -> Day | None:
    """The reverse of ``day_as_json``. Raises ValueError."""
    if not text:
        return None
    try:
        return {
            instance: PassedFiles(
                minute,
                last,
                reached.encode("ascii"),
                tuple(Gap(*gap) for gap in gaps),
                tuple((start, end) for start, end in spans),
            )
            for instance, minute, last, reached, gaps, spans in orjson.loads(text)
        }
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None


def digest_of(parts: Iterable[Part]) -> str:
    """The digest of the listing of these files of a room's day."""
    return digest_of_files((f"{part.name}{part.suffix}", part.size) for part in parts)


def begun(minute: str) -> float:
    """The minute in which a file was begun, in seconds since the epoch; lines.LAST if it is none."""
    return seconds_of(f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}T{minute[9:11]}:{minute[11:13]}:00Z")


def seconds_of(time: bytes | str) -> float:
    """A time in a line, in seconds since the epoch; lines.LAST if it is none."""
    try:
        return lines.seconds(time)
    except ValueError:
        return lines.LAST


def as_json(files: dict[str, IndexedFile]) -> str:
    """Files by their names, as the index has them."""
    return orjson.dumps([[name, *_values(each)] for name, each in sorted(files.items())]).decode()


def _values(covered: IndexedFile) -> list[Any]:
    reached = None if covered.reached is None else covered.reached.decode("ascii")
    return [covered.suffix, covered.size, reached, [list(gap) for gap in covered.gaps]]


def from_json(text: str) -> dict[str, IndexedFile]:
    """The reverse of ``as_json``. Raises ValueError."""
    found = {}
    try:
        for name, suffix, size, reached, gaps in orjson.loads(text):
            come = None if reached is None else reached.encode("ascii")
            found[name] = IndexedFile(suffix, size, come, tuple(Gap(*gap) for gap in gaps))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return found


def short_name(part: Part) -> str:
    """The name of a part without platform, channel and suffix; with a number if several parts have it."""
    begin = len(part.name.platform) + len(part.name.channel) + 2
    number = f" {part.copy}" if part.copy else ""
    return f"{str(part.name)[begin : -len('.jsonl')]}{number}"


def is_same(part: Part, covered: IndexedFile) -> bool:
    """Whether the stored part is the file that the index knows."""
    return not part.area and (part.suffix, part.size) == (covered.suffix, covered.size)


def listed(parts: Iterable[Part]) -> set[tuple[str, str, int]]:
    """Parts as an index would know them."""
    return {(short_name(part), part.suffix, part.size) for part in parts}
