"""Writes gap records: one for every gap, in the room's own stream."""

from __future__ import annotations

from typing import Protocol

from chatlog.environment import Environment
from chatlog.record import Encode, rfc3339
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import Loss
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room
from chatlog.timeline.timeline import Gap


def gap_line(
    encode: Encode, platform: str, channel: str, channel_id: str, gap: Gap, **details: object
) -> bytes:
    """The encoded ``gap`` record of ``gap``; its timestamp is when the gap closed. More ``details``
    stand behind ``from``, ``to`` and ``reason``."""
    start = rfc3339(round(gap.start * 1000))
    end = rfc3339(round(gap.end * 1000))
    return encode(
        end,
        channel,
        "",
        "",
        "",
        "gap",
        "",
        platform,
        channel_id,
        end,
        {"from": start, "to": end, "reason": gap.reason, "backfilled": 0, **details},
    )


def loss_line(encode: Encode, loss: Loss, channel_id: str, **details: object) -> bytes:
    """The encoded ``gap`` record of records that could not be kept; ``details.dropped`` is how many. Its time
    includes gaps whose own records were dropped."""
    start = loss.first if loss.since is None else min(loss.since, loss.first)
    gap = Gap(start, max(start, loss.last), loss.reason)
    return gap_line(encode, loss.platform, loss.channel, channel_id, gap, dropped=loss.count, **details)


class GapRecords:
    """Writes gap records to the rooms, and counts them. ``instance``: the recorder that writes them, if other
    recorders have the same rooms at other times; ``""`` is left out."""

    def __init__(self, environment: Environment, buffers: RoomBuffers, instance: str = "") -> None:
        self._who = {"instance": instance} if instance else {}
        self._encode = environment.encode
        self._counters = environment.counters
        self._buffers = buffers

    def write(self, platform: str, room: Room, gap: Gap, backfilled: int = 0) -> None:
        """Write the record of a gap of the room; ``backfilled`` messages of it were fetched."""
        self._counters.gaps += 1
        more = {"backfilled": backfilled, **self._who}
        line = gap_line(self._encode, platform, room.name, room.identifier, gap, **more)
        if line:
            room.records.append(line)

    def write_loss(self, loss: Loss, identifier: str) -> None:
        """Write the record of a loss of a room with this id."""
        self._counters.gaps += 1
        if line := loss_line(self._encode, loss, identifier, **self._who):
            self._buffers.room(loss.platform, loss.channel).append(line)


class Deferral(Protocol):
    """Defers the gap records of one platform, to backfill the gaps first."""

    platform: str

    def watch(self, pool: Pool) -> None:
        """The platform's rooms are in this pool."""

    def closed(self, room: Room, gap: Gap) -> None:
        """A gap of the room has closed."""

    def uncovered(self, room: Room) -> None:
        """The room is no longer recorded."""

    def flushed(self, complete: bool) -> None:
        """The recorder has flushed; if ``complete``, all its records are in files."""


class Gaps:
    """Writes the record of every gap and every loss; ``deferral`` may defer those of its platform."""

    def __init__(self, records: GapRecords, deferral: Deferral | None = None) -> None:
        self._records = records
        self._deferral = deferral

    def watch(self, pool: Pool) -> None:
        """Add a pool."""
        if self._deferral is not None and pool.platform == self._deferral.platform:
            self._deferral.watch(pool)

    def uncovered(self, platform: str, room: Room) -> None:
        """The room is no longer recorded."""
        if self._deferral is not None and platform == self._deferral.platform:
            self._deferral.uncovered(room)

    def closed(self, platform: str, room: Room, gap: Gap) -> None:
        """A gap of the room has closed."""
        if self._deferral is not None and platform == self._deferral.platform:
            self._deferral.closed(room, gap)
        else:
            self._records.write(platform, room, gap)

    def lost(self, loss: Loss, identifier: str) -> None:
        """Records of a room with this id were lost."""
        self._records.write_loss(loss, identifier)

    def flushed(self, at: float, complete: bool, lag: float, recovered: bool) -> None:
        """The recorder has flushed: see its hooks."""
        if self._deferral is not None:
            self._deferral.flushed(complete)
