"""A stored file of a few records, damaged in every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatlog.uploader.packing import packer


@dataclass(frozen=True, slots=True)
class Damage:
    """``data`` is what is stored in the place of the file, ``why`` the beginning of what is told, ``given``
    how many of the records can still be read."""

    name: str
    suffix: str
    data: bytes
    why: str
    given: int = 0
    is_found_by_search: bool = True


def packed(data: bytes, suffix: str) -> bytes:
    """The data as it is stored with this suffix."""
    packing = packer(suffix)
    return packing.compress(data) + packing.flush()


def damages(lines: list[bytes]) -> Iterator[Damage]:
    """Every damage of a file with these four lines."""
    whole = b"".join(lines)
    for suffix in (".zst", ".gz"):
        good = packed(whole, suffix)
        yield Damage(f"empty {suffix}", suffix, b"", "it is empty")
        yield Damage(f"cut off {suffix}", suffix, good[:-2], "it is cut off", 4)
        yield Damage(f"more behind {suffix}", suffix, good + b"more", "there is more behind its end", 4)
        yield Damage(f"no such format {suffix}", suffix, b"damaged!", "it cannot be unpacked")
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 0xFF
        yield Damage(f"flipped bytes {suffix}", suffix, bytes(flipped), "it cannot be unpacked")
        name = "zstd" if suffix == ".zst" else "gzip"
        yield Damage(
            f"not packed {suffix}",
            suffix,
            whole,
            f"by its name it is compressed with {name}, and it is not compressed",
        )
        yield Damage(
            f"packed without {suffix}",
            "",
            good,
            f"by its name it is not compressed, and it is compressed with {name}",
        )
        bad = packed(lines[0] + b"what is this\n" + b"".join(lines[1:]), suffix)
        yield Damage(f"a bad line {suffix}", suffix, bad, "1 line is no record (line 2)", 4, False)
    yield Damage("empty", "", b"", "it is empty")
    yield Damage("cut off in a line", "", whole[:-9], "its last line is cut off", 3)
    bad = lines[0] + b"what\nis this\n" + b"".join(lines[1:])
    yield Damage("bad lines", "", bad, "2 lines are no records (the first is line 2)", 4)
    both = bad + lines[0][:50]
    yield Damage("bad and cut off", "", both, "2 lines are no records (the first is line 2) and its last", 4)
    yield Damage("no lines", "", b"\x00" * 5000, "its last line is cut off")
