"""Sources of an import, in units that are imported one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chatlog.counted import many
from chatlog.importing.files import DamagedFile, lines_in
from chatlog.importing.items import Item, LineError, counted
from chatlog.importing.server_notices import Incomplete

#: The most lines of a file that are named one by one if they are no records.
_NAMED = 3

#: Makes an item of a line: (line, its source, time of the line before).
ReadLine = Callable[[bytes, str, str], Item | None]


class SourceError(Exception):
    """The source cannot be read at all; the message says why, with a remedy."""


@dataclass(slots=True)
class ImportReport:
    """Counts what was read. ``problem(text)`` is called for what could not be read. ``incomplete``: how
    often a server said that its answer is not complete. ``skipped``: the units that earlier imports finished,
    with ``lines_before`` lines."""

    problem: Callable[[str], object]
    lines: int = 0
    unread_lines: int = 0
    unread_files: int = 0
    incomplete: int = 0
    imported: int = 0
    there: int = 0
    skipped: int = 0
    lines_before: int = 0
    rooms: Counter[str] = field(default_factory=Counter)

    @property
    def missed(self) -> int:
        """How many lines, files and answers could not be imported."""
        return self.unread_lines + self.unread_files + self.incomplete


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a source. ``label``: its name. ``signature``: changes if the unit changes, or what is made
    of it, such as the room of its lines (``""``: it may change at any time). ``items`` reads it, and may be
    called again."""

    label: str
    signature: str
    items: Callable[[ImportReport], Iterator[Item]]


def items_of_file(
    path: Path, label: str, where: str, first: str, read: ReadLine, report: ImportReport
) -> Iterator[Item]:
    """The items of one file of lines. ``first``: the time for lines at its beginning without a time."""
    try:
        yield from counted(items_of_lines(lines_in(path), label, where, first, read, report))
    except DamagedFile as error:
        report.unread_files += 1
        report.problem(f"{label} {error}. What could be read of it is imported")


def items_of_lines(
    lines: Iterable[tuple[bytes, bool]],
    label: str,
    where: str,
    first: str,
    read: ReadLine,
    report: ImportReport,
) -> Iterator[Item]:
    """The items of lines."""
    before, wrong = first, 0
    for number, (line, whole) in enumerate(lines, 1):
        try:
            if not whole:
                raise LineError("longer than any line of chat")
            item = read(line, where, before)
        except LineError as error:
            report.lines += 1
            report.unread_lines += 1
            wrong += 1
            if wrong <= _NAMED:
                report.problem(f"{label}:{number}: {error}")
            continue
        except Incomplete as notice:
            report.incomplete += 1
            report.problem(f"{label}: the server's answer is not complete: {notice}")
            continue
        if item is not None:
            report.lines += 1
            before = item.time
            yield item
    if wrong > _NAMED:
        more = many(wrong - _NAMED, "more line that is no record", "more lines that are no records")
        report.problem(f"{label}: and {more}")
