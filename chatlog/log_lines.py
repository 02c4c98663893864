"""An event of the log as a line: for people, or as JSON for programs.

Whatever an event holds, a line stays one line, and bounded. What an event says is its text; where it
comes from is its part: a platform, a module of ours, or ``twisted``.
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

#: The innermost frames of a traceback that are shown.
FRAMES = 6
#: Fields of an event and elements of a field that go into JSON at most, and characters of a text there.
FIELDS = 30
_ELEMENTS = 20
_CHARACTERS = 2000

#: Makes a line, its end included, of an event.
Shape = Callable[[LogEvent], str]

_LEVELS = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO ",
    LogLevel.warn: "WARN ",
    LogLevel.error: "ERROR",
    LogLevel.critical: "CRIT ",
}
#: What twisted.python.log puts into its events.
_LEGACY = frozenset({"message", "time", "system", "isError", "failure", "why", "format"})


def as_lines(event: LogEvent) -> str:
    """The event as a line; a failure that nobody expected (``log.failure``) brings its traceback along,
    in lines that begin with spaces."""
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
    """The event as one JSON object: ``time``, ``level``, ``part``, ``text``, of a failure ``error`` and,
    where nobody expected it, ``traceback`` (a list), and the event's own fields as far as they are
    plain."""
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
    """The part of the program that speaks: ``twitch``, ``recorder``, ``twisted``."""
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
    # What JSON numbers do not hold everywhere.
    return value if abs(value) < 1 << 53 else printable(str(value), _CHARACTERS)
