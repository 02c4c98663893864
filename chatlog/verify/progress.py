"""A line on the terminal that shows progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TextIO

#: Seconds between two drawings.
_EVERY = 0.1
_WIDTH = 20


class Progress:
    """Draws on ``stream``, over its last drawing. Does nothing if that is not a terminal that can do this."""

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = stream.isatty() and environ.get("TERM", "") not in ("", "dumb")
        self._began = clock()
        self._drawn_at = float("-inf")
        self._drawn = False
        #: Bytes read so far.
        self.read = 0

    def step(self, what: str, done: int, total: int) -> None:
        """``done`` of about ``total`` ``what`` are done; ``total`` is 0 if unknown."""
        now = self._clock()
        if not self._shown or now - self._drawn_at < _EVERY:
            return
        self._drawn_at = now
        self._draw(bar(what, done, total, self.read, now - self._began))

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
        self._drawn = bool(text)

    def clear(self) -> None:
        """Erase the line, so that other text can be written."""
        if self._drawn:
            self._draw("")
            self._drawn_at = float("-inf")


def bar(what: str, done: int, total: int, read: int, seconds: float) -> str:
    """One line: how many are done, of how many, and the speed."""
    speed = f", {size(read)}, {size(int(read / seconds))}/s" if read and seconds > 0 else ""
    if total <= 0:
        return f"{what}: {done}{speed}"
    share = min(done / total, 1.0)
    full = round(share * _WIDTH)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%} {done} of {max(done, total)} {what}{speed}"


def size(count: int) -> str:
    """A number of bytes with its unit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
