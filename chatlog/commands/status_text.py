"""The text of ``chatlog status`` and ``chatlog rooms list``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chatlog.config.units import rough_duration, rough_size
from chatlog.counted import many
from chatlog.printable import printable
from chatlog.status.condition import CRITICAL, NOTE, OK, WARNING, WHERE
from chatlog.status.natural import natural

#: The most characters of a server's text that are shown.
_SHOWN = 500
#: The severity of a line with a remedy.
REMEDY = "remedy"


class Line(NamedTuple):
    """One line: its subject, and the words about it. ``severity`` is ``ok``, ``note``, ``warning``,
    ``critical``, or ``remedy`` for a line that says what to do about the line before."""

    about: str
    words: str
    severity: str = OK

    @property
    def fine(self) -> bool:
        """Whether the line needs no attention."""
        return self.severity in (OK, NOTE, REMEDY)


def is_well(status: dict[str, Any]) -> bool:
    """Whether nothing needs attention. Notes do not count."""
    severity = _dict(status.get("headline")).get("severity")
    if isinstance(severity, str):
        return severity in (OK, NOTE)
    return all(line.fine for line in status_lines(status))


def status_lines(status: dict[str, Any]) -> Iterator[Line]:
    """The lines for the facts of ``Status.snapshot``, the most important first. Facts that another version
    does not have are left out."""
    headline = _dict(status.get("headline"))
    if headline:
        # What the headline only counts follows here.
        yield Line("", _text(headline.get("text")).removesuffix(WHERE), _severity(headline))
    yield Line("", header(status))
    yield from condition_lines(status)
    for platform in _list(status.get("platforms")):
        yield _platform(platform)
    yield _spool(_dict(status.get("spool")))
    yield _uploads(_dict(status.get("uploads")), _number(status.get("now")))
    yield _counters(_dict(status.get("counters")))
    process = _dict(status.get("process"))
    yield Line(
        "process",
        f"{_size(process, 'resident_bytes')} of memory, "
        f"{_number(process.get('cpu_percent')):.1f} % of one processor",
    )


def header(status: dict[str, Any]) -> str:
    """The recorder's version and instance, its uptime, and the rate of messages."""
    instance = status.get("instance") or ""
    name = f"Chatlog {_text(status.get('version'))}" + (f", instance {_text(instance)}" if instance else "")
    rate = f", {_number(status['rate']):.0f} messages a minute" if "rate" in status else ""
    return f"{name}, up for {rough_duration(_number(status.get('uptime')))}{rate}"


def condition_lines(status: dict[str, Any]) -> Iterator[Line]:
    """The conditions with their remedies."""
    if "conditions" not in status:
        for alarm in _list(status.get("alarms")):
            yield Line("alarm", _text(alarm.get("text") or alarm.get("code")), WARNING)
    for condition in _list(status.get("conditions")):
        yield Line(_severity(condition), _text(condition.get("text")), _severity(condition))
        if condition.get("remedy"):
            yield Line("", _text(condition["remedy"]), REMEDY)


def _severity(facts: dict[str, Any]) -> str:
    severity = facts.get("severity")
    return severity if severity in (OK, NOTE, WARNING, CRITICAL) else WARNING


def _platform(platform: dict[str, Any]) -> Line:
    rooms, recorded = int(_number(platform.get("rooms"))), int(_number(platform.get("recorded")))
    connections, up = int(_number(platform.get("connections"))), int(_number(platform.get("up")))
    words = f"{recorded} of {_many(rooms, 'room')} recorded, {up} of {_many(connections, 'connection')} up"
    known = int(_number(platform.get("acknowledged")))
    if known:
        words += f", {known} acknowledged"
    return Line(_text(platform.get("platform")), words, OK if recorded + known >= rooms else NOTE)


def _spool(spool: dict[str, Any]) -> Line:
    used, most, free = (_size(spool, key) for key in ("bytes", "max_bytes", "free_bytes"))
    words = f"{used} of {most}, {free} free on its disk"
    if _number(spool.get("durable_lag")) > 0:
        words += f"; all but the last {rough_duration(_number(spool.get('durable_lag')))} is on the disk"
    trouble = spool.get("fatal") or spool.get("trouble")
    return Line("spool", words, WARNING if trouble else OK)


def _uploads(uploads: dict[str, Any], now: float) -> Line:
    state = _text(uploads.get("state"))
    waiting = int(_number(uploads.get("waiting_files")))
    words = f"{_STORE.get(state, state)}; {_many(waiting, 'file')} waiting"
    if waiting:
        words += f", {_size(uploads, 'waiting_bytes')}"
        if uploads.get("oldest") is not None:
            words += f", the oldest {rough_duration(_number(uploads.get('oldest')))} old"
    if uploads.get("last_success") is not None and now:
        ago = max(now - _number(uploads["last_success"]), 0.0)
        words += f"; the latest was stored {rough_duration(ago)} ago"
    aside = int(_number(uploads.get("quarantined")))
    if aside:
        words += f"; {_many(aside, 'file')} quarantined"
    return Line("uploads", words, OK if state == "ok" and not aside else WARNING)


#: The state of the store, in words.
_STORE = {
    "ok": "the store takes files",
    "retrying": "the store does not take files at present",
    "refused": "the store refuses files",
    "clock wrong": "the store says that this machine's clock is wrong",
}


def _counters(counters: dict[str, Any]) -> Line:
    dropped = counters.get("dropped")
    lost = sum(int(_number(count)) for count in dropped.values()) if isinstance(dropped, dict) else 0
    words = f"{many(int(_number(counters.get('written'))), 'record')} since the start"
    gaps = int(_number(counters.get("gaps")))
    if gaps:
        words += f", {_many(gaps, 'gap')}"
    return Line("records", f"{words}{f', {lost} not kept' if lost else ''}", WARNING if lost else OK)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _text(value: Any) -> str:
    """A text from a server or a store, safe for a terminal."""
    return printable(str(value if value is not None else "?"), _SHOWN)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _size(facts: dict[str, Any], key: str) -> str:
    return rough_size(int(_number(facts.get(key))))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


#: Texts for the states of a room.
_STATES = {
    "recorded": "recorded",
    "unwritten": "not written",
    "refused": "refused",
    "silent": "no answer",
    "unidentified": "no id",
    "disconnected": "no connection",
    "waiting": "joining",
}


def state_of(room: dict[str, Any]) -> str:
    """The state of a room, in a word or two."""
    state = _text(room.get("problem") or room.get("state"))
    words = _STATES.get(state, state)
    return f"{words}, acknowledged" if room.get("acknowledged") else words


def reason_of(room: dict[str, Any]) -> str:
    """Why a room is not recorded."""
    return _text(room.get("reason") or "")


def room_table(rooms: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """A line for every room, and whether the room is recorded."""
    rows = [
        (
            _text(room.get("platform")),
            _text(room.get("name")),
            state_of(room),
            f"{_number(room.get('rate')):.0f}/min",
            f"{100 * _number(room.get('coverage_today')):.2f} %",
            reason_of(room),
        )
        for room in sorted(rooms, key=_by_name)
    ]
    titles = ("platform", "room", "state", "messages", "today", "")
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(5)]
    for row in (titles, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join((*cells, row[5])).rstrip(), row is titles or row[2] == "recorded"


def _by_name(room: dict[str, Any]) -> Any:
    return str(room.get("platform")), natural(str(room.get("name")))
