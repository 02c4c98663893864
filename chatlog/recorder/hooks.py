"""The callbacks of the recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatlog.recorder.room import Loss


@dataclass(frozen=True, slots=True)
class Hooks:
    """The callbacks of the recorder.

    * ``before_flush()``: at every tick. It resumes the sockets. Data that they deliver in the next turn of
      the reactor is written in the same tick.
    * ``on_sealed(names)``: files were sealed. Not called while the recorder stops.
    * ``on_fatal(text)``: once, when the disk can no longer be trusted. The process must then end; the next
      one recovers the files on the disk.
    * ``on_losses(losses)``: a room that dropped records can be written again. Records that this callback
      appends come before newer ones.
    * ``left_out(platform, channel, lines)``: called before lines are written; returns them in their places,
      changed, or None if they must not be kept. It returns the same list if there is nothing to do.
    * ``heard(data)``: called with the lines of a room that were written; None: never called.
    * ``after_flush``: called in order at the end of every flush, with the time of day at which the flush
      began, and with the recorder's ``complete``, ``durable_lag`` and ``recovered_durable``.
    """

    before_flush: Callable[[], None]
    on_sealed: Callable[[list[str]], None]
    on_fatal: Callable[[str], None]
    on_losses: Callable[[list[Loss]], None] = lambda losses: None
    left_out: Callable[[str, str, list[bytes]], Sequence[bytes | None]] = lambda platform, channel, lines: (
        lines
    )
    heard: Callable[[bytes], object] | None = None
    after_flush: Sequence[Callable[[float, bool, float, bool], object]] = ()
