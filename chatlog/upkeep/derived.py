"""The objects that are made of recordings, and deleted with them: Parquet and indexes of a day or a month."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from chatlog.archive.retention import Room
from chatlog.index.sets import ABOVE, span_of
from chatlog.naming import FileName
from chatlog.store.store import Store


class RoomDay(NamedTuple):
    """A room's day (``2025-12-29``)."""

    platform: str
    channel: str
    day: str

    @staticmethod
    def around(name: FileName) -> list[RoomDay]:
        """The days of which a file may have records: it may have been written past midnight, and hold records
        that were filled in from the hour before it began."""
        try:
            begun = datetime.strptime(name.minute[:8], "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            # No clock shows such a day: nothing is made of the file.
            return []
        days = (begun + timedelta(days=later) for later in (-1, 0, 1))
        return [RoomDay(name.platform, name.channel, day.isoformat()) for day in days]


def derived_of_day(store: Store, room: Room, day: str) -> Iterator[str]:
    """The keys of the Parquet of one room's day. Raises StoreError."""
    prefix = f"parquet/date={day}/platform={room[0]}/channel={room[1]}/"
    yield from [head.key for head in store.list(prefix)]


def index_keys(store: Store, days: Collection[str]) -> list[str]:
    """The keys of the indexes of these days (``2025-12-29``), and of their months: each holds several rooms.
    Raises StoreError."""
    spans = {span for day in days for span in (day, day[:7])}
    if not spans:
        return []
    return sorted(head.key for head in store.list(ABOVE) if span_of(head.key) in spans)
