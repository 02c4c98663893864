"""The screen of ``chatlog status --watch``, which fits the terminal and never scrolls.

for line in screen(status, busiest, troubled, width, height): ...
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from chatlog.commands.status_text import Line, condition_lines, header, reason_of, state_of, status_lines
from chatlog.printable import printable
from chatlog.status.condition import CRITICAL, NOTE, OK, WARNING, WHERE

#: The severity of a title.
TITLE = "title"
#: The fewest lines of a table: its title and a room.
_LEAST = 2
#: The most columns of a name in a table.
_NAME = 32


def screen(
    status: dict[str, Any],
    busiest: list[dict[str, Any]],
    troubled: list[dict[str, Any]],
    width: int,
    height: int,
) -> list[Line]:
    """Lines of at most ``width`` columns, at most ``height`` of them, the most important first."""
    lines = list(_head(status))
    problems = list(condition_lines(status))
    left = height - len(lines)
    lines += _cut_off(problems, max(2, left // 3))
    rest = [line for line in status_lines(status) if line.about in _KEPT or _is_platform(line, status)]
    lines += rest[: max(0, height - len(lines))]
    lines += _tables(busiest, troubled, height - len(lines))
    return [Line("", fitted(_joined(line), width), line.severity) for line in lines[:height]]


#: The lines of ``chatlog status`` that are shown besides those of the platforms.
_KEPT = ("spool", "uploads")


def _is_platform(line: Line, status: dict[str, Any]) -> bool:
    platforms = status.get("platforms")
    names = [each.get("platform") for each in platforms if isinstance(each, dict)] if platforms else []
    return bool(line.about) and line.about in names


def _head(status: dict[str, Any]) -> Iterator[Line]:
    headline = status.get("headline")
    now = status.get("now")
    at = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S UTC") if isinstance(now, (int, float)) else ""
    if isinstance(headline, dict):
        severity = headline.get("severity")
        known = severity if severity in (OK, NOTE, WARNING, CRITICAL) else WARNING
        yield Line("", printable(str(headline.get("text")), 500).removesuffix(WHERE), str(known))
    yield Line("", f"{at}  {header(status)}".strip(), TITLE)


def _cut_off(problems: list[Line], most: int) -> list[Line]:
    """As many problems as fit. If space is short, remedies are left out first; problems left out are
    counted."""
    if len(problems) > most:
        problems = [line for line in problems if line.severity != "remedy"]
    if len(problems) > most:
        more = len(problems) - most + 1
        problems = [*problems[: most - 1], Line("", f"and {more} more: chatlog status", NOTE)]
    return problems


def _tables(busiest: list[dict[str, Any]], troubled: list[dict[str, Any]], height: int) -> Iterator[Line]:
    """The table of the rooms with a problem, then that of the busiest rooms."""
    talking = [room for room in busiest if _rate(room) > 0]
    share = height if not talking else max(height // 2, height - len(talking) - 1)
    if troubled and min(share, height) >= _LEAST:
        rows = list(_troubled(troubled, share - 1))
        yield Line("", "Rooms with a problem", TITLE)
        yield from rows
        height -= len(rows) + 1
    if talking and height >= _LEAST:
        yield Line("", "Busiest rooms", TITLE)
        for room in talking[: height - 1]:
            yield Line("", f"  {_name(room)}  {_rate(room):>7.0f}/min")


def _troubled(rooms: list[dict[str, Any]], most: int) -> Iterator[Line]:
    shown = rooms if len(rooms) <= most else rooms[: most - 1]
    for room in shown:
        reason = reason_of(room)
        words = f"  {_name(room)}  {state_of(room)}{f': {reason}' if reason else ''}"
        yield Line("", words, OK if room.get("acknowledged") else NOTE)
    if len(shown) < len(rooms):
        yield Line("", f"  and {len(rooms) - len(shown)} more: chatlog rooms list")


def _name(room: dict[str, Any]) -> str:
    name = printable(f"{room.get('platform')}/{room.get('name')}", 100)
    return fitted(name, _NAME).ljust(_NAME)


def _rate(room: dict[str, Any]) -> float:
    rate = room.get("rate")
    return float(rate) if isinstance(rate, (int, float)) else 0.0


def _joined(line: Line) -> str:
    if line.severity == "remedy":
        return f"          {line.words}"
    return f"{line.about:<8}  {line.words}" if line.about else line.words


def fitted(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns of a terminal; a shortened text ends in dots."""
    if columns(text) <= width:
        return text
    taken, used = [], 0
    for character in text:
        used += columns(character)
        if used > width - 1:
            break
        taken.append(character)
    return "".join(taken) + ("…" if width > 0 else "")


def columns(text: Iterable[str]) -> int:
    """The columns that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
