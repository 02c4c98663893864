"""The facts of a running daemon for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chatlog.config.units import rough_duration, rough_size
from chatlog.printable import printable

#: Characters of a server's words that are shown.
_SHOWN = 300


class Line(NamedTuple):
    """One line: what it is about, and in words how that is. ``fine`` is False where something is wrong."""

    about: str
    words: str
    fine: bool = True


def status_lines(status: dict[str, Any]) -> Iterator[Line]:
    """The facts as ``Status.snapshot`` has them, in the order of their importance. Whatever another
    version leaves out is left out here."""
    instance = status.get("instance") or ""
    name = f"Chatlog {_text(status.get('version'))}" + (f", instance {_text(instance)}" if instance else "")
    yield Line("", f"{name}, up for {rough_duration(_number(status.get('uptime')))}")
    for alarm in _list(status.get("alarms")):
        yield Line("alarm", _alarm(alarm), False)
    for platform in _list(status.get("platforms")):
        yield from _platform(platform)
    yield from _spool(_dict(status.get("spool")))
    yield from _uploads(_dict(status.get("uploads")), _number(status.get("now")))
    yield from _counters(_dict(status.get("counters")))
    process = _dict(status.get("process"))
    yield Line(
        "process",
        f"{_size(process, 'resident_bytes')} of memory, "
        f"{_number(process.get('cpu_percent')):.1f} % of one processor",
    )


def _platform(platform: dict[str, Any]) -> Iterator[Line]:
    rooms, recorded = int(_number(platform.get("rooms"))), int(_number(platform.get("recorded")))
    connections, up = int(_number(platform.get("connections"))), int(_number(platform.get("up")))
    about = _text(platform.get("platform"))
    words = f"{recorded} of {rooms} rooms recorded, {up} of {connections} connections up"
    yield Line(about, words, recorded == rooms)
    trouble = platform.get("refused") or platform.get("trouble")
    if trouble:
        yield Line("", _text(trouble), False)
    late = [_text(name) for name in platform.get("late_rooms") or [] if isinstance(name, str)]
    if late:
        more = int(_number(platform.get("late"))) - len(late)
        yield Line("", f"not recorded: {', '.join(late)}{f' and {more} more' if more > 0 else ''}", False)


def _spool(spool: dict[str, Any]) -> Iterator[Line]:
    used, most, free = (_size(spool, key) for key in ("bytes", "max_bytes", "free_bytes"))
    words = f"{used} of {most}, {free} free on its disk"
    if _number(spool.get("durable_lag")) > 0:
        words += f"; all but the last {rough_duration(_number(spool.get('durable_lag')))} is on the disk"
    trouble = spool.get("fatal") or spool.get("trouble")
    yield Line("spool", words, not trouble)
    if trouble:
        yield Line("", _text(trouble), False)


def _uploads(uploads: dict[str, Any], now: float) -> Iterator[Line]:
    state = _text(uploads.get("state"))
    waiting = int(_number(uploads.get("waiting_files")))
    words = f"{state}; {_many(waiting, 'file')} waiting"
    if waiting:
        words += f", {_size(uploads, 'waiting_bytes')}"
        if uploads.get("oldest") is not None:
            words += f", the oldest {rough_duration(_number(uploads.get('oldest')))} old"
    if uploads.get("last_success") is not None and now:
        ago = max(now - _number(uploads["last_success"]), 0.0)
        words += f"; the latest was stored {rough_duration(ago)} ago"
    aside = int(_number(uploads.get("quarantined")))
    yield Line("uploads", words, state == "ok" and not aside)
    if uploads.get("last_error") and state != "ok":
        yield Line("", _text(uploads["last_error"]), False)
    if aside:
        yield Line("", f"{_many(aside, 'file')} put aside: the log says why", False)


def _counters(counters: dict[str, Any]) -> Iterator[Line]:
    dropped = counters.get("dropped")
    lost = sum(int(_number(count)) for count in dropped.values()) if isinstance(dropped, dict) else 0
    words = f"{int(_number(counters.get('written')))} records since the start"
    gaps = int(_number(counters.get("gaps")))
    if gaps:
        words += f", {_many(gaps, 'gap')}"
    yield Line("records", f"{words}{f', {lost} not kept' if lost else ''}", not lost)


def _alarm(alarm: dict[str, Any]) -> str:
    return _text(alarm.get("text") or alarm.get("meaning") or alarm.get("code"))


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _text(value: Any) -> str:
    """Words of a server or a store, fit for a terminal."""
    return printable(str(value if value is not None else "?"), _SHOWN)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _size(facts: dict[str, Any], key: str) -> str:
    return rough_size(int(_number(facts.get(key))))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def room_table(rooms: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Every room on a line, and whether it is recorded."""
    rows = [
        (
            _text(room.get("platform")),
            _text(room.get("name")),
            _text(room.get("state")),
            f"{_number(room.get('rate')):.0f}/min",
            f"{100 * _number(room.get('coverage_today')):.2f} %",
            _text(room.get("reason") or ""),
        )
        for room in sorted(rooms, key=lambda room: (str(room.get("platform")), str(room.get("name"))))
    ]
    titles = ("platform", "room", "state", "messages", "today", "")
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(5)]
    for row in (titles, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join((*cells, row[5])).rstrip(), row is titles or row[2] == "recorded"
