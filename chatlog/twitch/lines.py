"""From reads of any size to lines. Sans-IO: bytes in, lines out.

    splitter = LineSplitter()
    for line in splitter.feed(data): ...

Only the byte LF ends a line: users can type U+2028, U+0085, VT and the like, which str.splitlines()
would cut at. One CR before the LF is the protocol's and goes; empty lines say nothing and go too.
"""

from __future__ import annotations

#: The longest line that is taken whole, in bytes, without its line end. Twitch's own are below 12 KiB:
#: tags to 8191 bytes, 500 characters of text in up to 2000 bytes.
MAX_LINE = 65536


class Oversized(bytes):
    """The first MAX_LINE bytes of a longer line; what followed was thrown away."""

    __slots__ = ()


class LineSplitter:
    """Splits a stream at LF, however it was cut into reads.

    A line longer than MAX_LINE is given out once, as an Oversized with its head; the rest is dropped
    as it comes, so that no stream makes this grow. The same bytes give the same lines whatever the
    sizes of the reads.
    """

    # Invariants: _tail holds no LF and at most MAX_LINE + 1 bytes (the one more may turn out to be the
    # CR of the line end); while _skipping, _tail is empty.
    __slots__ = ("_skipping", "_tail")

    def __init__(self) -> None:
        self._tail = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` ends, oldest first."""
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
        # A bytearray, and a search of the new bytes only: a byte at a time costs no more than all at once.
        self._tail += data
        if len(self._tail) > MAX_LINE + 1:
            lines.append(Oversized(self._tail[:MAX_LINE]))
            self._tail.clear()
            self._skipping = True
        return lines

    def rest(self) -> bytes:
        """What arrived of a line whose end has not come; ``b""`` where there is none."""
        return bytes(self._tail)
