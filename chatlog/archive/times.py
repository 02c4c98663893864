"""Parses times as people write them: a day, a time of day, a moment, or how long ago.

    2025-12-29   2025-12-29T21:30   2025-12-29 21:30:15.5Z   21:30   today   yesterday   now   90s 5m 2h 3d 1w

Times are in one zone, the reader's own or UTC, unless the text has an offset.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

_AGO = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)(?:\s+ago)?\Z", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})\Z", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\Z", re.ASCII)
_FORMS = "write 2025-12-29, 2025-12-29T21:30, 21:30, yesterday or 2h"


class TimeError(ValueError):
    """The text is no time; the message says which forms are valid."""


class Span(NamedTuple):
    """From ``since`` to before ``until``, in seconds since the epoch."""

    since: float
    until: float


class Reading:
    """Parses times in ``zone`` (None: the zone of this machine) at the present time ``now``, in seconds since
    the epoch."""

    def __init__(self, now: float, zone: tzinfo | None = None) -> None:
        self.now = now
        self._zone = zone

    def span(self, text: str) -> Span:
        """The span that the text names: a whole day, minute or second, or a moment without a length. Raises
        TimeError."""
        text = text.strip()
        word = text.lower()
        if word in ("now", ""):
            return Span(self.now, self.now)
        if match := _AGO.match(word):
            at = self.now - float(match[1]) * _UNITS[match[2]]
            return Span(at, at)
        today = self._local(self.now).date()
        if word in ("today", "yesterday"):
            return self._day(today - timedelta(days=word == "yesterday"))
        try:
            if match := _DAY.match(text):
                return self._day(date(int(match[1]), int(match[2]), int(match[3])))
            if match := _CLOCK.match(text):
                return self._clock(today, match)
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = self._aware(moment)
            start = moment.timestamp()
        except (ValueError, OverflowError, OSError) as error:
            reason = "" if "isoformat" in str(error) else f" ({error})"
            raise TimeError(f"{text[:60]!r} is not a time{reason}: {_FORMS}") from None
        exact = moment.second or moment.microsecond or text.count(":") > 1 + ("+" in text)
        return Span(start, start + (1.0 if exact else 60.0))

    def since(self, text: str) -> float:
        """The beginning of a range that begins with ``text``. Raises TimeError."""
        return self.span(text).since

    def until(self, text: str) -> float:
        """The end of a range that ends before ``text``. Raises TimeError."""
        return self.span(text).since

    def range(self, text: str) -> Span:
        """The range of a day, or of two times with ``..`` between them. The second time is not part of the
        range, unless it is a day. Raises TimeError."""
        first, dots, last = text.partition("..")
        if not dots:
            span = self.span(first)
            return span if span.until > span.since else Span(span.since, self.now)
        start = self.since(first)
        end = self.span(last)
        until = end.until if _DAY.match(last.strip()) or last.strip() in ("today", "yesterday") else end.since
        if until <= start:
            raise TimeError(f"{text[:80]!r} ends before it begins")
        return Span(start, until)

    def shown(self, at: float, with_day: bool = True) -> str:
        """A time for people, in the zone."""
        moment = self._local(at)
        return moment.strftime("%Y-%m-%d %H:%M:%S" if with_day else "%H:%M:%S")

    @property
    def zone_name(self) -> str:
        """The present name of the zone, for people: ``UTC``, or ``CET (UTC+01:00)``."""
        moment = self._local(self.now)
        if self._zone is UTC:
            return "UTC"
        offset = moment.strftime("%z")
        return f"{moment.tzname()} (UTC{offset[:3]}:{offset[3:5]})"

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(self._zone)

    def _aware(self, moment: datetime) -> datetime:
        return moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)

    def _day(self, day: date) -> Span:
        start, end = (self._aware(datetime.combine(at, time())) for at in (day, day + timedelta(days=1)))
        return Span(start.timestamp(), end.timestamp())

    def _clock(self, today: date, match: re.Match[str]) -> Span:
        clock = time(int(match[1]), int(match[2]), int(match[3] or 0))
        start = self._aware(datetime.combine(today, clock)).timestamp()
        if start > self.now:
            # A time of day that is still to come means that of yesterday.
            start = self._aware(datetime.combine(today - timedelta(days=1), clock)).timestamp()
        return Span(start, start + (1.0 if match[3] else 60.0))
