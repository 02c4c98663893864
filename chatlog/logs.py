"""The log for people: one line an event, on standard output.

    2026-11-23 08:57:43 INFO  twitch  joined 90 rooms

Times are UTC. What Twisted and other libraries say below a warning is left out, and so are debug
messages, unless asked for. Nothing in a field can break a line or make up another one. A standard
output that is slow, broken or closed never stops or slows the recorder; what could not be written is
counted, and the log says so when it can be written to again.
"""

from __future__ import annotations

import os
import select
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.printable import printable

#: Bytes that wait at most for an output that takes nothing.
BACKLOG = 256 * 1024
#: The innermost frames of a traceback that are shown.
FRAMES = 6
#: A pipe that is ready takes this much without blocking (PIPE_BUF on Linux).
_PORTION = 4096

_LEVELS = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO ",
    LogLevel.warn: "WARN ",
    LogLevel.error: "ERROR",
    LogLevel.critical: "CRIT ",
}
#: Namespaces that are passed on from ``info`` up; all others from ``warn`` up.
_OURS = ("chatlog", "stdout", "stderr")


class Output:
    """A file descriptor that is written to without ever waiting for it."""

    def __init__(self, fd: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self._fd = fd
        self._os_write = write
        # What waits, each with the number of lines that are lost if it is.
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._size = 0
        self._lost = 0
        self._inside_a_line = False

    def __call__(self, line: bytes) -> None:
        """Write a whole line, now or when there is room for it; drop it when too much waits."""
        self._drain()
        if self._size + len(line) > BACKLOG:
            self._lost += 1
            return
        if self._lost and not self._waiting:
            end = "\n" if self._inside_a_line else ""
            self._put(f"{end}({self._lost} lines of the log could not be written)\n".encode(), self._lost)
            self._lost = 0
        self._put(line, 1)
        self._drain()

    def _put(self, data: bytes, lines: int) -> None:
        self._waiting.append((data, lines))
        self._size += len(data)

    def _drain(self) -> None:
        try:
            while self._waiting and self._is_ready():
                data, lines = self._waiting[0]
                taken = self._os_write(self._fd, data[:_PORTION])
                self._size -= taken
                self._inside_a_line = data[taken - 1] != ord("\n")
                if taken < len(data):
                    self._waiting[0] = (data[taken:], lines)
                else:
                    self._waiting.popleft()
        except BlockingIOError:
            pass
        except OSError:
            # Closed, or full, or nobody reads any more. What waits is lost; there may be room again.
            self._lost += sum(lines for _, lines in self._waiting)
            self._waiting.clear()
            self._size = 0

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))


@implementer(ILogObserver)
class Console:
    """Writes the events worth reading as lines. Never raises."""

    def __init__(self, write: Callable[[bytes], None], verbose: bool = False) -> None:
        """``verbose`` passes everything on."""
        self._write = write
        self._verbose = verbose

    def __call__(self, event: LogEvent) -> None:
        try:
            if self._verbose or _is_worth_reading(event):
                self._write(_encoded(event))
        except Exception:
            # There is nobody left to tell.
            return


def _encoded(event: LogEvent) -> bytes:
    try:
        return as_lines(event).encode("utf-8", "backslashreplace")
    except Exception as error:
        # The event itself is broken; that it came is said all the same.
        return as_lines(
            {
                "log_level": LogLevel.error,
                "log_namespace": "chatlog.logs",
                "log_time": time.time(),
                "log_format": "an event of the log could not be shown: {kind}",
                "kind": type(error).__name__,
            }
        ).encode()


def _is_worth_reading(event: LogEvent) -> bool:
    level = event.get("log_level") or LogLevel.info
    if level >= LogLevel.warn:
        return True
    namespace = str(event.get("log_namespace") or "")
    return bool(level >= LogLevel.info) and namespace.partition(".")[0] in _OURS


def as_lines(event: LogEvent) -> str:
    """The event as a line; a failure that nobody expected (``log.failure``) brings its traceback along,
    in lines that begin with spaces."""
    level = event.get("log_level") or LogLevel.info
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.get("log_time")))
    part = _part(event)
    failure = event.get("log_failure")
    text = printable(formatEvent(event)).removeprefix(f"{part}: ") or ("an error" if failure else "")
    lines = [f"{when} {_LEVELS.get(level, 'INFO ')} {part}  {text}"]
    if isinstance(failure, Failure):
        cause = printable(failure.getErrorMessage())
        if level >= LogLevel.critical:
            lines += [f"    {printable(frame)}" for frame in _frames(failure)]
            lines.append(f"    {getattr(failure.type, '__name__', 'Failure')}: {cause}")
        else:
            lines[0] += f": {cause}"
    return "".join(f"{line}\n" for line in lines)


def _frames(failure: Failure) -> list[str]:
    """The innermost frames, outermost first."""
    frames = traceback.extract_tb(failure.getTracebackObject())[-FRAMES:]
    return [f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno} in {f.name}: {f.line}" for f in frames]


def _part(event: LogEvent) -> str:
    """The part of the program that speaks: ``twitch``, ``recorder``, ``twisted``."""
    platform = event.get("platform")
    if isinstance(platform, str) and platform.isalpha():
        return printable(platform, 16)
    first, _, rest = str(event.get("log_namespace") or "-").partition(".")
    if first == "chatlog" and rest:
        first = rest.partition(".")[0]
    return "twisted" if first == "log_legacy" else printable(first, 16)


def observer() -> Console:
    """For ``twistd --logger chatlog.logs.observer``."""
    return Console(_standard_output())


def verbose_observer() -> Console:
    """For ``twistd --logger chatlog.logs.verbose_observer``: debug messages and Twisted's own as well."""
    return Console(_standard_output(), verbose=True)


def _standard_output() -> Callable[[bytes], None]:
    try:
        sys.stdout.flush()
        return Output(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        # Closed before the start, or no file. (Descriptor 1 may be somebody else's by now.)
        return _nowhere


def _nowhere(line: bytes) -> None:
    return


def install(parent: Any, options: Mapping[str, Any]) -> bool:
    """Make this the log of a twistd that runs in the foreground and was not told where to log to.

    twistd asks the application for its observer after ``setServiceParent`` was called with it and
    before it logs anything (``twisted.application.app``, AppLogger.start). ``options`` are those of
    the command, whose ``parent`` are twistd's. Says whether it was done.
    """
    twistd = getattr(options, "parent", None)
    if not isinstance(parent, Componentized) or twistd is None:
        return False
    if not (twistd.get("nodaemon") or twistd.get("debug")):
        return False
    if any(twistd.get(option) for option in ("logger", "logfile", "syslog")):
        return False
    parent.setComponent(ILogObserver, verbose_observer() if options.get("verbose") else observer())
    return True
