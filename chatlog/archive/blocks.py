"""Cuts the bytes of a file into blocks of whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatlog.store.store import StoreError

#: The fewest bytes of a block.
BLOCK = 1 << 20
#: A longer line is skipped: no record is that long.
LONGEST_LINE = 16 << 20


def whole_lines(chunks: Iterable[bytes], may_be_torn: bool) -> Iterator[bytes]:
    """Blocks of whole lines. The rest behind the last whole line is left out if it ``may_be_torn``, for the
    line may still be written; else it is yielded too. If the chunks end with an error, the lines before it
    are yielded first."""
    pieces: list[bytes] = []
    size = 0
    broken: Exception | None = None
    try:
        for chunk in chunks:
            end = chunk.rfind(b"\n") + 1
            if not end or size + end < BLOCK:
                pieces.append(chunk)
                size += len(chunk)
                if size > LONGEST_LINE and not any(b"\n" in piece for piece in pieces):
                    pieces, size = [b""], 0
                continue
            yield b"".join([*pieces, chunk[:end]])
            pieces, size = [chunk[end:]], len(chunk) - end
    except (StoreError, OSError, ValueError) as error:
        broken = error
    rest = b"".join(pieces)
    if may_be_torn or broken is not None:
        rest = rest[: rest.rfind(b"\n") + 1]
    if rest:
        yield rest
    if broken is not None:
        raise broken
