"""What the recorder tells, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatlog.recorder.room import Loss


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the recorder calls.

    ``before_flush()`` is called at every tick; what it makes the sockets deliver in the next turn of
    the reactor is written in the same tick. ``on_sealed(names)`` gets the files that are finished, but
    not those sealed while stopping. ``on_fatal(text)`` is called once, when the disk can no longer
    be trusted: the process must end, and the next one recovers from what is on the disk.
    ``on_losses(losses)`` is called when a room that had to drop records can be written again; records
    appended by it come before any newer ones. ``after_flush`` are called one after another at the end of
    every flush: with the time of day at its beginning, and with the recorder's ``complete``,
    ``durable_lag`` and ``recovered_durable``.
    """

    before_flush: Callable[[], None]
    on_sealed: Callable[[list[str]], None]
    on_fatal: Callable[[str], None]
    on_losses: Callable[[list[Loss]], None] = lambda losses: None
    after_flush: Sequence[Callable[[float, bool, float, bool], object]] = ()
