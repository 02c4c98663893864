"""The meaning of an answer without records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatlog.archive.gaps import Gap, Report, clipped
from chatlog.archive.lines import LAST
from chatlog.archive_http.ranges import Range


def state_of(
    report: Report,
    gaps: Sequence[Gap],
    span: Range,
    now: float,
    begun: float | None,
    is_known: Callable[[float], bool],
    is_expired: Callable[[float, float], bool] = lambda until, begun: False,
) -> str:
    """``before`` anything was recorded in the room, ``expired`` (not kept so long), ``partial`` (not
    everything could be read), ``gap`` throughout, ``unfinished`` (not over, or not reported yet) or
    ``complete``. ``gaps``: all gaps of the time. ``begun``: when the room was first recorded; None if the
    time begins later, or if it was not looked up, because there are records. ``is_known(until)``: whether it
    is known by now if the room was recorded until that time. ``is_expired(until, begun)``: whether there is
    nothing until that time because records are not kept longer."""
    if report.stopped:
        return "partial"
    # Imported records may lie before ``begun``.
    is_before = begun is not None and span.until <= min(now, begun)
    missing = sum(gap.seconds for gap in clipped(gaps, *span))
    if not is_before and span.until < LAST and gaps and missing >= 0.999 * span.seconds:
        return "gap"
    if report.unread:
        return "partial"
    if begun is not None and is_before:
        return "expired" if is_expired(span.until, begun) else "before"
    return "complete" if span.until <= now and is_known(span.until) else "unfinished"
