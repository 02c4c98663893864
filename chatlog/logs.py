"""The log: one line an event on the standard output, as text or (``log.format: json``) as JSON.

    2026-11-23 08:57:43 INFO  twitch  joined 90 rooms

Times are UTC. Events of Twisted and other libraries below a warning, and debug events, are left out unless
``log.level``, ``log.levels`` or ``--verbose`` ask for them. No field can break a line or forge another one. A
standard output that is slow, broken or closed never slows the recorder. Lines that cannot be written are
counted, and the log reports their number when it can be written again.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.config.settings import LogSettings, Settings
from chatlog.log_lines import Shape, as_json, as_lines, part_of

#: The most bytes that wait for a blocked output.
BACKLOG = 256 * 1024
#: A pipe that is ready accepts this many bytes without blocking (PIPE_BUF on Linux).
_PORTION = 4096

#: Namespaces that are shown from ``info`` up; all others are shown from ``warn`` up.
_OURS = ("chatlog", "stdout", "stderr")


class Output:
    """Writes to a file descriptor without ever blocking."""

    def __init__(self, fd: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self._fd = fd
        self._os_write = write
        # The waiting pieces, each with the number of lines that are lost with it.
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._size = 0
        self._lost = 0
        self._inside_a_line = False

    def __call__(self, line: bytes) -> None:
        """Write a whole line, now or when the output accepts it. Drop it if too much waits."""
        self._drain()
        if self._size + len(line) > BACKLOG:
            self._lost += 1
            return
        if self._lost and not self._waiting:
            end = "\n" if self._inside_a_line else ""
            what = "line" if self._lost == 1 else "lines"
            self._put(f"{end}({self._lost} {what} of the log could not be written)\n".encode(), self._lost)
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
            # Closed, full, or without a reader. The waiting lines are lost; later lines may succeed.
            self._lost += sum(lines for _, lines in self._waiting)
            self._waiting.clear()
            self._size = 0

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))


class Levels:
    """The levels that are shown. ``level`` is the lowest level of our own parts. Libraries are shown from a
    warning up, or from ``level`` up if that is higher. ``levels`` are exceptions by part."""

    def __init__(self, level: str = "info", levels: tuple[tuple[str, str], ...] = ()) -> None:
        self._ours = LogLevel.lookupByName(level)
        self._libraries = max(self._ours, LogLevel.warn)
        self._parts = {part: LogLevel.lookupByName(least) for part, least in levels}

    def shows(self, event: LogEvent) -> bool:
        """Whether the event is shown."""
        level = event.get("log_level") or LogLevel.info
        if self._parts:
            least = self._parts.get(part_of(event))
            if least is not None:
                return bool(level >= least)
        if level >= self._libraries:
            return True
        namespace = str(event.get("log_namespace") or "")
        return bool(level >= self._ours) and namespace.partition(".")[0] in _OURS


@implementer(ILogObserver)
class Console:
    """Writes events as lines. Never raises. ``levels`` may be replaced at any time."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        verbose: bool = False,
        levels: Levels | None = None,
        shape: Shape = as_lines,
    ) -> None:
        """With ``verbose``, the levels are ignored and all events are shown."""
        self._write = write
        self._verbose = verbose
        self._shape = shape
        self.levels = levels or Levels()

    def __call__(self, event: LogEvent) -> None:
        try:
            failure = event.get("log_failure")
            if isinstance(failure, Failure) and failure.check(ReactorNotRunning):
                # Twisted's error for a second signal; the process ends anyway.
                return
            if self._verbose or self.levels.shows(event):
                self._write(self._encoded(event))
        except Exception:
            # The error cannot be reported anywhere.
            return

    def _encoded(self, event: LogEvent) -> bytes:
        try:
            return self._shape(event).encode("utf-8", "backslashreplace")
        except Exception as error:
            # The event itself is broken: report at least that it came.
            return self._shape(
                {
                    "log_level": LogLevel.error,
                    "log_namespace": "chatlog.logs",
                    "log_time": time.time(),
                    "log_format": "an event of the log could not be shown: {kind}",
                    "kind": type(error).__name__,
                }
            ).encode()


def observer() -> Console:
    """For ``twistd --logger chatlog.logs.observer``."""
    return Console(_standard_output())


def verbose_observer() -> Console:
    """For ``twistd --logger chatlog.logs.verbose_observer``: with debug events and Twisted's own events."""
    return Console(_standard_output(), verbose=True)


def _standard_output() -> Callable[[bytes], None]:
    try:
        sys.stdout.flush()
        return Output(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        # Closed before the start, or no file. (Descriptor 1 may be another file by now.)
        return _nowhere


def _nowhere(line: bytes) -> None:
    return


def install(
    parent: Any, options: Mapping[str, Any], write: Callable[[bytes], None] | None = None
) -> Console | None:
    """Make this the log of a twistd in the foreground, unless twistd's options name another log.

    twistd asks the application for its observer after ``setServiceParent`` was called with it and before it
    logs anything (``twisted.application.app``, AppLogger.start). ``options`` are those of the command; their
    ``parent`` are twistd's options, and their ``settings`` have the log's settings. Returns the console that
    is now the log, or None if twistd's own log is used. It writes with ``write``; None: to standard output.
    """
    twistd = getattr(options, "parent", None)
    if not isinstance(parent, Componentized) or twistd is None:
        return None
    if not (twistd.get("nodaemon") or twistd.get("debug")):
        return None
    if any(twistd.get(option) for option in ("logger", "logfile", "syslog")):
        return None
    settings = getattr(options, "settings", None)
    log = settings.log if isinstance(settings, Settings) else LogSettings()
    shape = as_json if log.format == "json" else as_lines
    levels = Levels(log.level, log.levels)
    console = Console(write or _standard_output(), bool(options.get("verbose")), levels, shape)
    parent.setComponent(ILogObserver, console)
    return console
