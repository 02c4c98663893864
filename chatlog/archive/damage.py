"""Recognises damage in a file with records: what cannot be unpacked, a wrong suffix, an empty or cut off
file, and lines that are no records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from chatlog.archive.lines import record_of
from chatlog.counted import many
from chatlog.uploader.packing import unpacked

#: The first bytes of a record, of gzip and of zstd.
_FORMATS = {b"{": "", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
_IN_WORDS = {"": "not compressed", ".gz": "compressed with gzip", ".zst": "compressed with zstd"}
#: The beginning of a record's line, and the end of one with the next beginning (see ``chatlog.record``).
_BEGIN = b'{"timestamp":"'
_BETWEEN = b"}\n" + _BEGIN


def contents(chunks: Iterable[bytes], suffix: str) -> Iterator[bytes]:
    """The unpacked content of a stored file. Raises ValueError if it is damaged; the message says how, and
    what comes before the damage is yielded."""
    waiting = iter(chunks)
    first = next((chunk for chunk in waiting if chunk), b"")
    if not first:
        raise ValueError("it is empty")
    for begin, found in _FORMATS.items():
        if found != suffix and first.startswith(begin):
            raise ValueError(f"by its name it is {_IN_WORDS[suffix]}, and it is {_IN_WORDS[found]}")
    yield from unpacked(chain([first], waiting), suffix)


def records_alone(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks, which consist of whole lines, without a last line that is cut off. Raises ValueError behind
    the last block if there was one, or if there were lines that are no records."""
    before, wrong, first, is_torn = 0, 0, 0, False
    for whole in blocks:
        block = whole
        if not block.endswith(b"\n"):
            start = block.rfind(b"\n") + 1
            is_torn = record_of(block[start:]) is None
            block = block[:start] if is_torn else block + b"\n"
        rows = block.count(b"\n")
        if not (block.startswith(_BEGIN) and block.endswith(b"}\n") and block.count(_BETWEEN) == rows - 1):
            for number, line in enumerate(block.split(b"\n"), before + 1):
                if line and not _may_be_record(line):
                    wrong, first = wrong + 1, first or number
        before += rows
        if block:
            yield block
    reasons = []
    if wrong:
        lines = many(wrong, "line is no record", "lines are no records")
        reasons.append(f"{lines} ({'line' if wrong == 1 else 'the first is line'} {first})")
    if is_torn:
        reasons.append("its last line is cut off")
    if reasons:
        raise ValueError(" and ".join(reasons))


def _may_be_record(line: bytes) -> bool:
    """Only lines of another form than the recorder's are parsed."""
    return (line.startswith(_BEGIN) and line.endswith(b"}")) or record_of(line) is not None
