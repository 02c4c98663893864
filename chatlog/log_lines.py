"""Formats an event of the log as a line of text or as JSON.

An event with any content stays one line of bounded length. The *part* of an event is its origin: a platform,
one of our modules, or ``twisted``.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from chatlog.printable import printable
from chatlog.record import rfc3339, to_line

#: The most frames of a traceback that are shown, the innermost ones.
FRAMES = 6
#: The most fields of an event, elements of a field and characters of a text in JSON.
FIELDS = 30
_ELEMENTS = 20
_CHARACTERS = 2000

#: Formats an event as a line with its newline.
Shape = Callable[[LogEvent], str]

_LEVELS = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO ",
    LogLevel.warn: "WARN ",
    LogLevel.error: "ERROR",
    LogLevel.critical: "CRIT ",
}
#: The fields of events from twisted.python.log.
_LEGACY = frozenset({"message", "time", "system", "isError", "failure", "why", "format"})


def as_lines(event: LogEvent) -> str:
    """The event as a line of text. After an unexpected failure (``log.failure``), the traceback follows in
    lines that begin with spaces."""
    level = event.get("log_level") or LogLevel.info
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.get("log_time")))
    part = part_of(event)
    failure = event.get("log_failure")
    lines = [f"{when} {_LEVELS.get(level, 'INFO ')} {part}  {_text(event, part)}"]
    if isinstance(failure, Failure):
        if level >= LogLevel.critical:
            lines += [f"    {frame}" for frame in _frames(failure)]
            lines.append(f"    {_error(failure)}")
        else:
            lines[0] += f": {printable(failure.getErrorMessage())}"
    return "".join(f"{line}\n" for line in lines)


def as_json(event: LogEvent) -> str:
    """The event as one JSON object: ``time``, ``level``, ``part``, ``text``, and the event's own fields if
    their values are simple. A failure has ``error``, an unexpected one also ``traceback`` (a list)."""
    level = event.get("log_level") or LogLevel.info
    when = event.get("log_time")
    seconds = float(when) if isinstance(when, (int, float)) else time.time()
    part = part_of(event)
    line: dict[str, Any] = {
        "time": rfc3339(round(seconds * 1000)),
        "level": level.name,
        "part": part,
        "text": _text(event, part),
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["error"] = _error(failure)
        if level >= LogLevel.critical:
            line["traceback"] = _frames(failure)
    for name in sorted(key for key in event if isinstance(key, str))[: 10 * FIELDS]:
        if len(line) >= FIELDS:
            break
        value = event[name]
        if not name.startswith("log_") and name not in _LEGACY and _is_plain(value):
            line.setdefault(printable(name, 64), _plain(value))
    return to_line(line).decode()


def part_of(event: LogEvent) -> str:
    """The part of the program that logged the event: ``twitch``, ``recorder``, ``twisted``."""
    platform = event.get("platform")
    if isinstance(platform, str) and platform.isalpha():
        return printable(platform, 16)
    first, _, rest = str(event.get("log_namespace") or "-").partition(".")
    if first == "chatlog" and rest:
        first = rest.partition(".")[0]
    return "twisted" if first == "log_legacy" else printable(first, 16)


def _text(event: LogEvent, part: str) -> str:
    text = printable(formatEvent(event)).removeprefix(f"{part}: ")
    return text or ("an error" if event.get("log_failure") else "")


def _error(failure: Failure) -> str:
    return f"{getattr(failure.type, '__name__', 'Failure')}: {printable(failure.getErrorMessage())}"


def _frames(failure: Failure) -> list[str]:
    """The innermost frames, outermost first."""
    frames = traceback.extract_tb(failure.getTracebackObject())[-FRAMES:]
    return [
        printable(f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno} in {f.name}: {f.line}") for f in frames
    ]


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(not isinstance(each, (list, tuple)) and _is_plain(each) for each in value[:_ELEMENTS])
    return value is None or isinstance(value, (str, int, float))


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value[:_ELEMENTS]]
    if isinstance(value, str):
        return printable(value, _CHARACTERS)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    # Larger integers lose digits in many JSON readers.
    return value if abs(value) < 1 << 53 else printable(str(value), _CHARACTERS)
