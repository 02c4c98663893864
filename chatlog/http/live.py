"""Sends the chat of a room to browsers while it is recorded, as server-sent events.

A room hands over its lines once a flush, and only while a browser shows it. A browser that is too slow gets
fewer records, and the number of those left out. The recorder never waits for a browser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from chatlog.files import Files
from chatlog.http.answers import Answer, error
from chatlog.http.guard import HEADERS
from chatlog.http.tail import tail
from chatlog.recorder.room import RoomBuffer
from chatlog.suppression.left_out import LeftOut

#: The most viewers, and the most bytes that wait for one.
VIEWERS = 32
BACKLOG = 256 * 1024
#: The most bytes of one write that are shown. After a full disk, one write has megabytes, and every viewer
#: would hold a copy of them.
AT_ONCE = 512 * 1024
#: A viewer that reads nothing for so many seconds is dropped.
STALLED = 30.0
#: Seconds between two signs of life, so that a proxy does not close the connection of a quiet room.
ALIVE_EVERY = 15.0
_ANEW = b"event: anew\ndata:\n\n"


@implementer(IPushProducer)
class Viewer:
    """One browser that shows one room."""

    def __init__(self, request: Any, clock: IReactorTime) -> None:
        self._request = request
        self._clock = clock
        self._paused_at: float | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._skipped = 0
        request.registerProducer(self, True)

    def show(self, lines: list[bytes], events: bytes, left_out: int = 0) -> None:
        """Show new records, given as lines with newlines and as events. ``left_out`` further records after
        them are not shown."""
        if self._paused_at is None:
            self._request.write(events)
            self._skipped += left_out
            self._report_skipped()
            return
        for line in lines:
            event = _events([line])
            # After a skipped record, all records are skipped until the browser has got their number.
            if self._skipped or self._size + len(event) > BACKLOG:
                self._skipped += 1
            else:
                self._waiting.append(event)
                self._size += len(event)
        self._skipped += left_out

    def _report_skipped(self) -> None:
        """Send the number of skipped records as soon as the browser reads again."""
        if self._skipped and self._paused_at is None:
            skipped, self._skipped = self._skipped, 0
            self._request.write(b"event: skipped\ndata: %d\n\n" % skipped)

    def begin_anew(self) -> None:
        """Make the page begin anew: it may show lines that must not be shown any more."""
        self._waiting.clear()
        self._size = 0
        if self._paused_at is None:
            self._request.write(_ANEW)
        else:
            self._waiting.append(_ANEW)
            self._size += len(_ANEW)

    def sign_of_life(self) -> bool:
        """Send a sign of life. Returns False if the browser has read nothing for too long."""
        if self._paused_at is None:
            self._request.write(b": alive\n\n")
            return True
        return self._clock.seconds() - self._paused_at < STALLED

    def end(self) -> None:
        """Drop the connection."""
        with suppress(Exception):
            self._request.transport.abortConnection()

    def pauseProducing(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._clock.seconds()

    def resumeProducing(self) -> None:
        self._paused_at = None
        while self._waiting and self._paused_at is None:
            event = self._waiting.popleft()
            self._size -= len(event)
            self._request.write(event)
        self._report_skipped()

    def stopProducing(self) -> None:
        self._waiting.clear()
        self._size = 0


def _events(lines: list[bytes]) -> bytes:
    """Lines with newlines as server-sent events."""
    return b"data: " + b"\ndata: ".join(lines) + b"\n" if lines else b""


def _fitting(lines: list[bytes]) -> int:
    """How many of the lines of one write are shown."""
    left = AT_ONCE
    if sum(map(len, lines)) <= left:
        return len(lines)
    for count, line in enumerate(lines):
        left -= len(line)
        if left < 0:
            return count
    return len(lines)


class Live:
    """All viewers. ``left_out`` says which earlier lines may be shown. When somebody opts out, every page
    begins anew, without that person's lines."""

    _log = Logger()

    def __init__(
        self,
        files: Files,
        directory: str,
        clock: IReactorTime,
        left_out: LeftOut | None = None,
    ) -> None:
        self._left_out = left_out or LeftOut()
        # The people who opted out before or while the present viewers watch.
        self._listed: frozenset[str] = frozenset()
        self._files = files
        self._directory = directory
        self._clock = clock
        self._viewers: dict[Viewer, RoomBuffer] = {}
        self._signs = LoopingCall(self._send_signs)
        self._signs.clock = clock

    def __len__(self) -> int:
        return len(self._viewers)

    def watch(self, request: Any, room: RoomBuffer) -> Answer | None:
        """Show the room to the browser that sent the request. Returns an answer if that is impossible."""
        if len(self._viewers) >= VIEWERS:
            return error(503, "too_many_viewers", f"{VIEWERS} browsers are looking already", Retry_After="30")
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("cache-control", "no-store")
        request.setHeader("content-type", "text/event-stream")
        request.setHeader("x-accel-buffering", "no")
        request.channel.streaming = True
        request.channel.setTimeout(None)
        request.write(b"retry: 3000\n\n")
        viewer = Viewer(request, self._clock)
        if not self._viewers:
            self._listed = self._left_out.suppressions.objects
        before = tail(self._files, self._directory, room)
        before = self._left_out.shown(room.platform, room.channel, before)
        viewer.show(before, _events(before))
        self._viewers[viewer] = room
        room.watch = self._shower(room)
        request.notifyFinish().addBoth(lambda _: self._gone(viewer))
        if not self._signs.running:
            self._signs.start(ALIVE_EVERY, now=False)
        return None

    def _shower(self, room: RoomBuffer) -> Callable[[list[bytes]], None]:
        viewers = [viewer for viewer, watched in self._viewers.items() if watched is room]

        def show(lines: list[bytes]) -> None:
            shown = lines[: _fitting(lines)]
            events = _events(shown)
            for viewer in viewers:
                try:
                    viewer.show(shown, events, len(lines) - len(shown))
                except Exception:
                    # The recorder calls this; an error of a browser must not reach it.
                    self._log.failure(
                        "a viewer of {platform}/{channel} is dropped",
                        platform=room.platform,
                        channel=room.channel,
                    )
                    viewer.end()

        return show

    def _gone(self, viewer: Viewer) -> None:
        room = self._viewers.pop(viewer, None)
        if room is not None:
            room.watch = self._shower(room) if room in self._viewers.values() else None
        if not self._viewers and self._signs.running:
            self._signs.stop()

    def _send_signs(self) -> None:
        listed = self._left_out.suppressions.objects
        added, self._listed = listed - self._listed, listed
        for viewer in list(self._viewers):
            if added:
                viewer.begin_anew()
            if not viewer.sign_of_life():
                viewer.end()
