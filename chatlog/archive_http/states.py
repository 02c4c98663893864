"""The meaning of an answer without records."""

from __future__ import annotations

from collections.abc import Callable

from chatlog.archive.gaps import Report
from chatlog.archive.lines import LAST
from chatlog.archive_http.ranges import Range


def state_of(
    report: Report,
    span: Range,
    now: float,
    begun: float | None,
    is_expired: Callable[[float, float], bool] = lambda until, begun: False,
) -> str:
    """``before`` anything was recorded in the room, ``expired`` (not kept so long), ``partial`` (not
    everything could be read), ``gap`` throughout, ``unfinished`` or ``complete``. ``begun``: when the
    room was first recorded; None if the time begins later, or if that was not looked for, because there are
    records. ``is_expired(until,
    begun)``: whether nothing is there until then because it is not kept longer."""
    if report.stopped:
        return "partial"
    if span.until < LAST and report.gaps and report.missing(*span) >= 0.999 * span.seconds:
        return "gap"
    if report.unread:
        return "partial"
    # What was imported may lie before that.
    if begun is not None and span.until <= min(now, begun):
        return "expired" if is_expired(span.until, begun) else "before"
    return "unfinished" if span.until > now else "complete"
