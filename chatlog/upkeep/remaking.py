"""Makes Parquet and indexes again after a person was erased from the objects of which they were made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from chatlog.upkeep.derived import index_keys
from chatlog.upkeep.erasure import Outcome
from chatlog.upkeep.lock import ArchiveLock

if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.archive.room_files import Room


class Remaking:
    """Makes them again. ``opened()`` opens the archive anew, so that it has no old listing. ``lock`` is held;
    ``step(words)`` is called with what is made next, ``forget()`` clears the cache of this machine."""

    def __init__(
        self,
        opened: Callable[[], Archive],
        lock: ArchiveLock,
        now: Callable[[], float],
        step: Callable[[str], None] = lambda words: None,
        forget: Callable[[], object] = lambda: None,
    ) -> None:
        self._opened = opened
        self._lock = lock
        self._now = now
        self._step = step
        self._forget = forget

    def __call__(self, outcome: Outcome) -> None:
        """Make the Parquet and the indexes of the changed days again, where there were some. Those that
        cannot be made stay deleted. Raises StoreError, OSError and Lost."""
        if not outcome.room_days:
            return
        self._forget()
        archive = self._opened()
        self._renew_indexes(archive, outcome)
        for day in sorted({place.day for place in outcome.room_days}):
            if next(iter(archive.store.list(f"parquet/date={day}/")), None) is None:
                continue
            try:
                self._compact(archive, date.fromisoformat(day), outcome)
            except _not_there() as error:
                outcome.not_remade.append(("Parquet", str(error)))
                return

    def _compact(self, archive: Archive, day: date, outcome: Outcome) -> None:
        from chatlog.upkeep.compact import Compactor

        rooms = frozenset(
            (place.platform, place.channel) for place in outcome.room_days if place.day == day.isoformat()
        )
        compactor = Compactor(
            archive, self._now, step=lambda day, room: self._step(f"Parquet of {'/'.join(room)} {day}")
        )
        done = compactor.run([day], rooms, self._lock)
        outcome.remade += done.made
        outcome.not_remade += done.left

    def _renew_indexes(self, archive: Archive, outcome: Outcome) -> None:
        if not index_keys(archive.store, {place.day for place in outcome.room_days}):
            return
        from chatlog.upkeep.indexing import renew

        def step(day: date, room: Room) -> None:
            self._step(f"the index of {'/'.join(room)} {day}")

        outcome.derived += len(renew(archive, outcome.room_days, self._lock, self._now, step))


def _not_there() -> tuple[type[Exception], ...]:
    from chatlog.parquet.duck import NoDuckDB, TooLittleMemory

    return NoDuckDB, TooLittleMemory
