"""Converts Kick's times into the form of a record."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from chatlog.record import rfc3339

#: Kick began in December 2022: an earlier time cannot be that of an event.
FIRST = "2022-12-01T00:00:00.000Z"
#: A time within so many seconds of the arrival counts as the event's own time. (It may also be the time of
#: the object that the event describes.)
NEAR = 600.0

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?P<fraction>\.[0-9]{1,12})?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
#: Numbers below these limits are seconds, milliseconds and microseconds since the epoch. The first limit is
#: the year 5138 in seconds.
_UNITS = ((10**11, 1000.0), (10**14, 1.0), (10**17, 1e-3))


@lru_cache(maxsize=1024)
def _time_of_text(text: str) -> str:
    match = _RFC3339.match(text)
    if match is None:
        return ""
    fraction = match["fraction"] or ""
    try:
        whole = datetime.fromisoformat(text[:10] + "T" + text[11:19] + match["zone"].upper())
        return rfc3339(int(whole.timestamp()) * 1000 + int(fraction[1:4].ljust(3, "0")))
    except ValueError:
        return ""


def time_of(value: object) -> str:
    """A time (RFC 3339 with any zone and fraction, or seconds, milli-, micro- or nanoseconds since the
    epoch) in the form of a record; ``""`` for anything else."""
    if type(value) is str:
        # The length is checked before the cache keeps the text.
        return _time_of_text(value) if 20 <= len(value) <= 40 else ""
    if type(value) is int or type(value) is float:
        unit = next((unit for limit, unit in _UNITS if abs(value) < limit), 1e-6)
        try:
            # A float of milliseconds may be slightly below a whole number.
            return rfc3339(int(value * unit) if type(value) is int else int(value * unit + 1e-4))
        except (ValueError, OverflowError):
            return ""
    return ""


def near(received: str, *values: object) -> str:
    """The first of ``values`` that is a time within NEAR seconds of ``received``; ``""`` if none is."""
    for value in values:
        time = time_of(value)
        if time and abs(_seconds(time) - _seconds(received)) <= NEAR:
            return time
    return ""


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
