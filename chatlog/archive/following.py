"""Finds the next file of a recorder after the time that was read: it may have the record of a gap in that
time."""

from __future__ import annotations

from collections.abc import Iterable

from chatlog.archive.copies import instance_in
from chatlog.archive.index_coverage import PassedFiles
from chatlog.archive.lines import LAST
from chatlog.archive.room_files import Part, Parts, Room
from chatlog.naming import utc_minute


def file_after(
    parts: Parts,
    room: Room,
    until: float,
    instance: str,
    read: Iterable[Part | PassedFiles],
    moment: int | None = None,
) -> Part | None:
    """The next file of a recorder after those that are ``read``, if none of these is later than ``until``: it
    has the record of a gap that began before ``until`` and ended after it. Raises StoreError."""
    last = utc_minute(until)
    if until >= LAST or any(
        (each.last if isinstance(each, PassedFiles) else each.minute) > last for each in read
    ):
        return None
    if instance != instance_in(instance):
        # Such a stream has files that share a name with others, and none follows.
        return None
    return parts.after(room, until, instance, moment)
