"""How many bytes a record takes, as ``python -m bench.sizes`` measured it.

The chat measured was the simulator's: made-up people and texts, in the form and with all the tags of the
real platforms. Real rooms differ; a busy one repeats itself more and becomes smaller.
"""

from __future__ import annotations

from bisect import bisect_left
from math import log10

#: Records in a file; the figures below are for files of these lengths.
LENGTHS = (1, 10, 100, 1000, 10_000)

#: Bytes a record, by platform, detail and compression.
MEASURED: dict[tuple[str, str, str], tuple[float, ...]] = {
    ("twitch", "full", "none"): (719.3, 719.3, 719.3, 719.3, 719.5),
    ("twitch", "full", "gzip"): (420.0, 167.3, 123.6, 118.5, 117.9),
    ("twitch", "full", "zstd"): (430.3, 163.8, 116.4, 103.2, 97.9),
    ("twitch", "basic", "none"): (169.0, 169.0, 169.0, 169.0, 172.8),
    ("twitch", "basic", "gzip"): (159.1, 60.5, 41.0, 35.2, 35.9),
    ("twitch", "basic", "zstd"): (155.0, 61.6, 41.0, 32.8, 26.6),
    ("kick", "full", "none"): (910.0, 910.0, 910.0, 910.0, 913.4),
    ("kick", "full", "gzip"): (478.9, 184.6, 137.6, 131.7, 127.4),
    ("kick", "full", "zstd"): (491.0, 178.1, 126.2, 112.0, 101.1),
    ("kick", "basic", "none"): (178.0, 178.0, 178.0, 178.0, 180.2),
    ("kick", "basic", "gzip"): (164.4, 63.6, 41.9, 35.5, 34.2),
    ("kick", "basic", "zstd"): (160.5, 64.4, 42.1, 33.2, 25.8),
}


def record_bytes(platform: str, detail: str, compression: str, records: float) -> float:
    """Bytes a record in files of ``records`` records: between two lengths that were measured on a line
    over the logarithm of the length, beyond the shortest and the longest as there."""
    figures = MEASURED[platform, detail, compression]
    after = bisect_left(LENGTHS, records)
    if after == 0:
        return figures[0]
    if after == len(LENGTHS):
        return figures[-1]
    low, high = log10(LENGTHS[after - 1]), log10(LENGTHS[after])
    share = (log10(records) - low) / (high - low)
    return figures[after - 1] + share * (figures[after] - figures[after - 1])
