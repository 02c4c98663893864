"""The meaning of an answer without records."""

from __future__ import annotations

from collections.abc import Callable

from chatlog.archive import lines
from chatlog.archive.gaps import Report
from chatlog.archive.lines import LAST
from chatlog.archive_http.ranges import Range


def state_of(
    report: Report,
    span: Range,
    now: float,
    days: list[str] | None,
    is_expired: Callable[[float, float], bool] = lambda until, begun: False,
) -> str:
    """``before`` anything was recorded in the room, ``expired`` (not kept so long), ``partial`` (not
    everything could be read), ``gap`` throughout, ``unfinished`` or ``complete``. ``days``: the days on which
    the room was recorded; None if they were not listed, because there are records. ``is_expired(until,
    begun)``: whether nothing is there until then because it is not kept longer."""
    if report.stopped:
        return "partial"
    if span.until < LAST and report.gaps and report.missing(*span) >= 0.999 * span.seconds:
        return "gap"
    if report.unread:
        return "partial"
    if days is not None:
        # What was imported may lie before that.
        begun = lines.seconds(f"{days[0]}T00:00:00Z") if days else LAST
        if span.until <= min(now, begun):
            return "expired" if is_expired(span.until, begun) else "before"
    return "unfinished" if span.until > now else "complete"
