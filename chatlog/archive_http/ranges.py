"""Parses the ranges of log servers: a UTC day or month in the path, ``from`` and ``to`` in the query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from chatlog.archive_http.asked import Refused

_FORMS = "write 2026-03-01T07:00:00Z, or the seconds since 1970"


class Range(NamedTuple):
    """From ``since`` to before ``until``, in seconds since the epoch."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """The length of the range."""
        return self.until - self.since


def of_day(year: str, month: str, day: str) -> Range:
    """A UTC day. Raises Refused."""
    try:
        start = datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused(400, "bad_path", "Invalid date: there is no such day") from None
    return Range(start, start + 86400.0)


def of_month(year: str, month: str) -> Range:
    """A UTC month. Raises Refused."""
    try:
        first = date(int(year), int(month), 1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    except ValueError:
        raise Refused(400, "bad_path", "Invalid date: there is no such month") from None
    start, end = (datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() for day in (first, after))
    return Range(start, end)


def asked_range(query: Mapping[str, str], now: float) -> Range | None:
    """The range of ``from`` and ``to``; None if neither is given. Raises Refused."""
    first, last = query.get("from"), query.get("to")
    if first is None and last is None:
        return None
    if first is None:
        raise Refused(400, "bad_query", "from is missing: give both from and to")
    since = moment("from", first)
    until = now if last is None else moment("to", last)
    if until <= since:
        raise Refused(400, "bad_query", "Invalid range: to is not later than from")
    return Range(since, until)


def open_range(query: Mapping[str, str], usual: Range) -> Range:
    """The range of ``from`` and ``to``, either of which may be left out. With ``from`` alone it ends where
    the usual range does; with ``to`` alone it is as long as that one. Raises Refused."""
    first, last = query.get("from"), query.get("to")
    until = usual.until if last is None else moment("to", last)
    if first is not None:
        since = moment("from", first)
    else:
        since = usual.since if last is None else max(0.0, until - usual.seconds)
    if until <= since:
        raise Refused(400, "bad_query", "Invalid range: to is not later than from")
    return Range(since, until)


def moment(name: str, text: str) -> float:
    """A time in RFC 3339 or Unix seconds. Raises Refused."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return min(float(text), 253402300799.0)
    try:
        # An unescaped plus arrives as a space.
        at = datetime.fromisoformat(text[:-6] + "+" + text[-5:] if text[-6:-5] == " " else text)
        found = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Refused(400, "bad_query", f"{name} is not a time: {_FORMS}") from None
    return max(0.0, min(found, 253402300799.0))
