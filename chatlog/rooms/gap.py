"""The record that says what is missing: one for every hole, in the room's own stream."""

from __future__ import annotations

from chatlog.record import Encode, rfc3339
from chatlog.recorder.room import Loss
from chatlog.rooms.coverage import Hole


def gap_line(
    encode: Encode, platform: str, channel: str, channel_id: str, hole: Hole, **details: object
) -> bytes:
    """The encoded ``gap`` record of ``hole``; its timestamp is when the hole closed. More ``details``
    stand behind ``from``, ``to`` and ``reason``."""
    start = rfc3339(round(hole.start * 1000))
    end = rfc3339(round(hole.end * 1000))
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
        {"from": start, "to": end, "reason": hole.reason, "backfilled": 0, **details},
    )


def loss_line(encode: Encode, loss: Loss, channel_id: str) -> bytes:
    """The encoded ``gap`` record of records that could not be kept; ``details.dropped`` is how many. Holes
    whose own records are among them are within it."""
    start = loss.first if loss.since is None else min(loss.since, loss.first)
    hole = Hole(start, max(start, loss.last), loss.reason)
    return gap_line(encode, loss.platform, loss.channel, channel_id, hole, dropped=loss.count)
