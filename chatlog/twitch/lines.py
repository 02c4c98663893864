"""Splits a stream of bytes into lines. Sans-IO.

    splitter = LineSplitter()
    for line in splitter.feed(data): ...

Only LF ends a line: users can type U+2028, U+0085, VT and the like, where str.splitlines() would cut. One CR
before the LF belongs to the protocol and is removed. Empty lines are left out.
"""

from __future__ import annotations

#: The most bytes of a line, without its line end. Twitch's lines are below 12 KiB: tags of up to 8191 bytes,
#: and 500 characters of text in up to 2000 bytes.
MAX_LINE = 65536


class Oversized(bytes):
    """The first MAX_LINE bytes of a longer line; the rest was dropped."""

    __slots__ = ()


class LineSplitter:
    """Splits a stream at LF. The sizes of the reads do not matter.

    Of a line longer than MAX_LINE the beginning is returned once, as Oversized. The rest is dropped when it
    arrives, so that no stream lets the buffer grow.
    """

    # Invariants: _tail has no LF and at most MAX_LINE + 1 bytes (the extra byte may be the CR of the line
    # end); while _skipping, _tail is empty.
    __slots__ = ("_skipping", "_tail")

    def __init__(self) -> None:
        self._tail = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with ``data``, in order."""
        if self._skipping:
            _, found, data = data.partition(b"\n")
            if not found:
                return []
            self._skipping = False
        lines: list[bytes] = []
        if b"\n" in data:
            if self._tail:
                data = bytes(self._tail) + data
                self._tail.clear()
            complete = data.split(b"\n")
            data = complete.pop()
            lines = [line[:-1] if line.endswith(b"\r") else line for line in complete]
            lines = [line if len(line) <= MAX_LINE else Oversized(line[:MAX_LINE]) for line in lines if line]
        # Only the new bytes are searched: single bytes cost no more than large reads.
        self._tail += data
        if len(self._tail) > MAX_LINE + 1:
            lines.append(Oversized(self._tail[:MAX_LINE]))
            self._tail.clear()
            self._skipping = True
        return lines

    def rest(self) -> bytes:
        """The incomplete line at the end; ``b""`` if there is none."""
        return bytes(self._tail)
