"""The report of a verification, as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chatlog.counted import many
from chatlog.printable import printable
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.chain_check import Chain
from chatlog.verify.findings import KINDS, Problem, Totals
from chatlog.verify.index_rows import RoomDayRow
from chatlog.verify.manifest_check import time_text
from chatlog.verify.progress import Progress, size
from chatlog.verify.scope import Watcher

#: The most problems of one kind, and the most rows of rooms, in the text report.
REPORTED = 20
SHOWN = 40

#: The most rooms and days that are named because manifests and gap records differ, and the most chains.
DIFFERING = 10
#: The seconds of a day, without those that two manifests may leave out between them.
_WHOLE = 86400.0 - 60.0

#: Writes one line.
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a verification. ``differing`` are rooms and days for which manifests and gap records
    differ."""

    archive: str
    totals: Totals
    index: ArchiveIndex
    chains: list[Chain]
    differing: list[RoomDayRow]


class TextReport(Watcher):
    """The report for people: problems as they are found, then the rooms and the totals."""

    def __init__(self, say: Say, progress: Progress) -> None:
        self._say = say
        self._progress = progress
        self._reported: Counter[str] = Counter()

    def reading(self, size: int) -> None:
        self._progress.read += size

    def step(self, what: str, done: int, total: int) -> None:
        self._progress.step(what, done, total)

    def problem(self, problem: Problem) -> None:
        self._reported[problem.kind] += 1
        if self._reported[problem.kind] <= REPORTED:
            place = f":{problem.line}" if problem.line else ""
            text = f"{problem.kind}  {problem.key}{place}: {problem.what}"
            self._progress.clear()
            self._say(printable(text))

    def note(self, text: str) -> None:
        self._reported["note"] += 1
        self._progress.clear()
        self._say(printable(text))

    def end(self, found: Found) -> None:
        """Everything has been checked."""
        self._progress.clear()
        for line in summary(found, self._reported):
            self._say(printable(line))


def summary(found: Found, reported: Counter[str]) -> Iterator[str]:
    """The lines at the end of a report. ``reported``: how many problems of each kind it has shown or cut."""
    archive, totals, index = found.archive, found.totals, found.index
    for kind, count in totals.problems.items():
        if count > min(reported[kind], REPORTED):
            yield f"{kind}  ... {count - min(reported[kind], REPORTED)} more; --json shows more of them"
    rooms = list(index.rooms(worst=SHOWN))
    if rooms:
        if any(reported.values()):
            yield ""
        yield from _table(rooms)
        if (more := index.count_rooms() - len(rooms)) > 0:
            yield f"... and {more} more, which miss no more than these; --json shows all"
        reasons = [f"{reason} {duration(seconds)}" for reason, seconds in index.reasons()]
        if reasons:
            yield f"gap records: {', '.join(reasons[:10])}"
        yield from _differences(found.differing)
        yield ""
    yield (
        f"{archive}: {many(totals.manifests, 'manifest')}, {many(totals.objects, 'object')}"
        f"{f' ({size(totals.bytes)})' if totals.bytes else ''}, {many(totals.lines, 'record')}"
    )
    if totals.pending:
        yield f"{many(totals.pending, 'object')} in no manifest yet: it is written once an hour"
    if totals.unattested:
        yield (
            f"{many(totals.unattested, 'object')} in no manifest that could be read: a spool that knew of "
            "them was lost, or a manifest is unreadable; their records were checked"
        )
    if totals.copies:
        yield f"{many(totals.copies, 'record')} that several instances have: copies, not doubles"
    if totals.unknown_files:
        yield f"{many(totals.unknown_files, 'file')} not made by chatlog, and not checked"
    yield from _chains(found.chains)
    yield from _gone(totals)
    if totals.fine and not totals.empty:
        yield "nothing is wrong"
    for kind, (one, several) in KINDS.items():
        if count := totals.problems[kind]:
            yield f"{count} {one if count == 1 else several}"


def _differences(differing: list[RoomDayRow]) -> Iterator[str]:
    """The rooms and days for which manifests and gap records differ."""
    for room in differing[:DIFFERING]:
        yield (
            f"{room.platform}/{room.channel} {room.day}: {duration(room.missing)} are missing by the "
            f"manifests, {duration(room.gap_seconds)} by the gap records"
        )
    if len(differing) > DIFFERING:
        yield f"... and {len(differing) - DIFFERING} more where they differ"


def _chains(chains: list[Chain]) -> Iterator[str]:
    for chain in chains[:DIFFERING]:
        by = "".join(f", {count} signed by {key}" for key, count in chain.signed.items())
        since = f" since {time_text(chain.since)}" if chain.linked else ""
        yield f"instance {chain.instance}: {many(chain.linked, 'manifest')} in a chain{since}{by}"
    if len(chains) > DIFFERING:
        yield f"... and {many(len(chains) - DIFFERING, 'more chain')}; --json shows all"


def _gone(totals: Totals) -> Iterator[str]:
    if totals.erased or totals.redacted:
        yield (
            f"{many(totals.requests, 'request')} to be forgotten: {many(totals.erased, 'record')} "
            f"erased, {totals.redacted} redacted"
        )
    for why, words in (("bundled", "in bundles"), ("expired", "gone, as they were kept long enough")):
        if count := totals.gone.get(why):
            yield f"{many(count, 'object')} {words}"


def _table(rooms: list[RoomDayRow]) -> Iterator[str]:
    names = [f"{room.platform}/{room.channel}" for room in rooms]
    width = max(4, *(len(name) for name in names))
    yield f"{'room':{width}}  day         recorded  missing   gap records"
    for name, room in zip(names, rooms, strict=True):
        share = "-" if room.coverage is None else percent(room.coverage)
        missing = "-" if room.coverage is None else duration(room.missing)
        gaps = f"{room.gaps}, {duration(room.gap_seconds)}" if room.gaps or room.gap_seconds else "none"
        known = room.recorded + room.missing
        # For the rest of the day, no manifest says that the room was on a list.
        part = f"; manifests cover {duration(known)}" if 0.0 < known < _WHOLE else ""
        yield f"{name:{width}}  {room.day}  {share:>8}  {missing:8}  {gaps}{part}"


class JsonReport(Watcher):
    """The report for programs: one JSON object a line: problems, then rooms by day, then a summary."""

    def __init__(self, say: Say, progress: Progress) -> None:
        self._say = say
        self._progress = progress

    def reading(self, size: int) -> None:
        self._progress.read += size

    def step(self, what: str, done: int, total: int) -> None:
        self._progress.step(what, done, total)

    def _write(self, entry: dict[str, Any]) -> None:
        self._progress.clear()
        self._say(json.dumps(entry, separators=(",", ":")))

    def problem(self, problem: Problem) -> None:
        line = problem.line or None
        self._write(
            {
                "kind": "problem",
                "problem": problem.kind,
                "key": problem.key,
                "line": line,
                "what": problem.what,
            }
        )

    def note(self, text: str) -> None:
        self._write({"kind": "note", "what": text})

    def end(self, found: Found) -> None:
        """Everything has been checked."""
        archive, totals, index = found.archive, found.totals, found.index
        for chain in found.chains:
            self._write({"kind": "chain", **chain._asdict(), "since": time_text(chain.since)})
        differing = {room[:3] for room in found.differing}
        for room in index.rooms():
            seconds = {name: round(getattr(room, name), 3) for name in ("recorded", "missing", "gap_seconds")}
            coverage = None if room.coverage is None else round(room.coverage, 6)
            reasons = {reason: round(length, 3) for reason, length in index.reasons_of(room).items()}
            entry = {"kind": "room", **room._asdict(), **seconds, "coverage": coverage, "reasons": reasons}
            entry["differs"] = room[:3] in differing
            self._write(entry)
        self._write(
            {
                "kind": "summary",
                "fine": totals.fine,
                "archive": archive,
                "manifests": totals.manifests,
                "objects": totals.objects,
                "bytes": totals.bytes,
                "lines": totals.lines,
                "pending": totals.pending,
                "unattested": totals.unattested,
                "copies": totals.copies,
                "strangers": totals.unknown_files,
                "requests": totals.requests,
                "open_requests": totals.open_requests,
                "erased": totals.erased,
                "redacted": totals.redacted,
                "gone": totals.gone,
                "problems": dict(totals.problems),
                "gap_seconds": {reason: round(seconds, 3) for reason, seconds in index.reasons()},
            }
        )


def percent(share: float) -> str:
    """A share as text; never 100 % if anything is missing."""
    if share >= 1.0:
        return "100 %"
    return f"{min(int(share * 1e5) / 1e3, 99.999):.3f}".rstrip("0").rstrip(".") + " %"


def duration(seconds: float) -> str:
    """A duration as text."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds else "0 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {rest:02} s"
