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
    ("twitch", "full", "none"): (721.7, 721.7, 721.7, 721.7, 726.7),
    ("twitch", "full", "gzip"): (420.8, 168.1, 124.7, 119.6, 120.1),
    ("twitch", "full", "zstd"): (431.1, 164.6, 117.5, 104.3, 99.6),
    ("twitch", "basic", "none"): (170.7, 170.7, 170.7, 170.7, 175.0),
    ("twitch", "basic", "gzip"): (159.7, 61.1, 41.9, 36.1, 37.0),
    ("twitch", "basic", "zstd"): (155.7, 62.2, 42.0, 33.8, 27.3),
    ("kick", "full", "none"): (917.1, 917.1, 917.1, 917.1, 916.5),
    ("kick", "full", "gzip"): (479.5, 185.7, 139.4, 133.8, 128.7),
    ("kick", "full", "zstd"): (491.5, 179.4, 128.3, 114.3, 102.2),
    ("kick", "basic", "none"): (182.3, 182.3, 182.3, 182.3, 182.4),
    ("kick", "basic", "gzip"): (165.3, 64.5, 43.6, 37.4, 35.4),
    ("kick", "basic", "zstd"): (161.4, 65.5, 43.9, 34.9, 26.6),
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
