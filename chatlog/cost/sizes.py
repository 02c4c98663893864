"""The bytes of a record, as measured by ``python -m bench.sizes``.

The measured chat is the simulator's: invented people and texts, with all tags of the real platforms. Real
rooms differ; a busy room repeats itself more and compresses better.
"""

from __future__ import annotations

from bisect import bisect_left
from math import log10

#: The measured lengths of files, in records.
LENGTHS = (1, 10, 100, 1000, 10_000)

#: Bytes a record, by platform, detail and compression.
MEASURED: dict[tuple[str, str, str], tuple[float, ...]] = {
    ("twitch", "full", "none"): (719.1, 719.1, 719.1, 719.1, 723.3),
    ("twitch", "full", "gzip"): (419.7, 167.2, 123.7, 118.5, 118.7),
    ("twitch", "full", "zstd"): (429.9, 163.6, 116.4, 103.2, 98.7),
    ("twitch", "basic", "none"): (168.9, 168.9, 168.9, 168.9, 172.6),
    ("twitch", "basic", "gzip"): (159.0, 60.5, 41.0, 35.2, 35.9),
    ("twitch", "basic", "zstd"): (154.9, 61.5, 40.9, 32.9, 26.6),
    ("kick", "full", "none"): (914.0, 914.0, 914.0, 914.0, 914.3),
    ("kick", "full", "gzip"): (479.6, 185.5, 138.5, 132.6, 127.9),
    ("kick", "full", "zstd"): (491.6, 179.0, 127.3, 113.3, 101.5),
    ("kick", "basic", "none"): (180.2, 180.2, 180.2, 180.2, 181.0),
    ("kick", "basic", "gzip"): (165.2, 64.3, 42.8, 36.5, 34.6),
    ("kick", "basic", "zstd"): (161.4, 65.2, 43.0, 34.1, 26.0),
}


def record_bytes(platform: str, detail: str, compression: str, records: float) -> float:
    """The bytes of a record in files of ``records`` records. Between two measured lengths it is interpolated
    over the logarithm of the length; beyond the shortest and the longest it is that length's figure."""
    figures = MEASURED[platform, detail, compression]
    after = bisect_left(LENGTHS, records)
    if after == 0:
        return figures[0]
    if after == len(LENGTHS):
        return figures[-1]
    low, high = log10(LENGTHS[after - 1]), log10(LENGTHS[after])
    share = (log10(records) - low) / (high - low)
    return figures[after - 1] + share * (figures[after] - figures[after - 1])
