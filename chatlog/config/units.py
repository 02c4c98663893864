"""Reads and writes durations and sizes: ``500ms``, ``1h``, ``32MB``, ``64KiB``."""

from __future__ import annotations

import re
from decimal import Decimal

#: Milliseconds in a unit, largest first.
_DURATIONS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
#: Bytes in a unit, largest first among the powers of 1000.
_SIZES = {
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "KB": 10**3,
    "TiB": 2**40,
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "B": 1,
}
_SIZES_ANY_CASE = {unit.lower(): factor for unit, factor in _SIZES.items()}
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)\Z")


def _whole(text: str, units: dict[str, int], smallest: str, wanted: str) -> int:
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"is not {wanted}")
    number, unit = match.groups()
    if unit not in units:
        raise ValueError(f"{'is not' if unit else 'has no unit; write'} {wanted}")
    amount = Decimal(number) * units[unit]
    if amount != int(amount):
        raise ValueError(f"is not a whole number of {smallest}")
    return int(amount)


def parse_duration(text: str, examples: str = "500ms, 1s, 5m, 1h or 1d") -> float:
    """Seconds in ``500ms``, ``1s``, ``5m``, ``1h`` or ``1d``. Raises ValueError, whose text is the second
    half of a sentence that begins with the duration, and names the ``examples``."""
    return _whole(text, _DURATIONS, "milliseconds", f"a duration such as {examples}") / 1000


def parse_size(text: str) -> int:
    """Bytes in ``64KB``, ``32MB``, ``2GB`` (powers of 1000) or ``64KiB``, ``32MiB``, ``2GiB`` (powers of
    1024), in upper or lower case. Raises ValueError, whose text is the second half of a sentence that begins
    with the size."""
    match = _QUANTITY.match(text)
    wanted = "a size such as 64KB, 32MB or 2GB, or KiB, MiB, GiB for powers of 1024"
    if match is not None:
        text = f"{match[1]}{match[2].lower()}"
    return _whole(text, _SIZES_ANY_CASE, "bytes", wanted)


def show_duration(seconds: float) -> str:
    """The shortest text for a duration. ``parse_duration`` reads it back exactly, to the millisecond."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    return next(f"{milliseconds // f}{unit}" for unit, f in _DURATIONS.items() if milliseconds % f == 0)


def show_size(size: int) -> str:
    """The shortest text for a size. ``parse_size`` reads it back exactly, to the byte."""
    if size == 0:
        return "0B"
    return min((f"{size // f}{unit}" for unit, f in _SIZES.items() if size % f == 0), key=len)


def rough_duration(seconds: float) -> str:
    """A rounded duration for people: ``0.4 s``, ``52 s``, ``3 min``, ``2.5 h``, ``4 days``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.0f} days"


def rough_size(size: int) -> str:
    """A rounded size for people, in powers of 1000: ``812 B``, ``1.9 GB``."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.{0 if unit == 'B' or amount >= 99.95 else 1}f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
