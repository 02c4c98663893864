"""What is made of recordings and goes with them: Parquet and indexes of a day or a month."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.archive.keeping import Room
from chatlog.store.store import Store


def derived_of_day(store: Store, room: Room, day: str) -> Iterator[str]:
    """The keys of what was made of one room's day. Raises StoreError."""
    prefix = f"parquet/date={day}/platform={room[0]}/channel={room[1]}/"
    yield from [head.key for head in store.list(prefix)]
