"""A line on a terminal that says how far something is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TextIO

#: Seconds between two drawings.
_EVERY = 0.1
_WIDTH = 20


class Progress:
    """Draws on ``stream``, over what it drew before, if that is a terminal that can; else it does
    nothing."""

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = stream.isatty() and environ.get("TERM", "") not in ("", "dumb")
        self._began = clock()
        self._drawn_at = float("-inf")
        self._drawn = False
        #: Bytes read until now.
        self.read = 0

    def step(self, what: str, done: int, total: int) -> None:
        """``done`` of about ``total`` ``what`` are done; of nobody knows how many if that is 0."""
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
        """Make room for something else."""
        if self._drawn:
            self._draw("")
            self._drawn_at = float("-inf")


def bar(what: str, done: int, total: int, read: int, seconds: float) -> str:
    """One line: how many are done, of how many, and how fast it is."""
    speed = f", {size(read)}, {size(int(read / seconds))}/s" if read and seconds > 0 else ""
    if total <= 0:
        return f"{what}: {done}{speed}"
    share = min(done / total, 1.0)
    full = round(share * _WIDTH)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%} {done} of {max(done, total)} {what}{speed}"


def size(count: int) -> str:
    """A number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
