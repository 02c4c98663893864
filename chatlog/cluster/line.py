"""The line that each member writes about itself, and that all others read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatlog.cluster import slots

#: The rules that a member follows. Members with other rules are no members of the same cluster.
PROTOCOL = 1
#: The longest line that is read. One with all slots of two platforms has less than 2,000 bytes.
LONGEST = 20_000

_MOST_PLATFORMS = 16
_MOST_ROOMS = 10**9
_LATEST = 10**12
_TEXT = 300


@dataclass(frozen=True, slots=True)
class Line:
    """The line of a member. ``recording``: the slots that it publishes, by platform. ``unwell``: the
    platforms of which it records too few rooms. ``rooms``: the version of the room list that it acts on.
    ``joins``: the name of its JOIN budget. ``at``: its wall clock, in seconds since the epoch."""

    name: str
    capacity: int
    zone: str = ""
    replicas: int = 1
    draining: bool = False
    unwell: frozenset[str] = frozenset()
    recording: Mapping[str, int] = field(default_factory=dict)
    rooms: int = 0
    joins: str = ""
    url: str = ""
    version: str = ""
    at: float = 0.0

    def encoded(self) -> str:
        """The line as text."""
        return json.dumps(
            {
                "protocol": PROTOCOL,
                "slots": slots.SLOTS,
                "version": self.version,
                "capacity": self.capacity,
                "zone": self.zone,
                "replicas": self.replicas,
                "draining": self.draining,
                "unwell": sorted(self.unwell),
                "recording": {name: slots.encode(held) for name, held in sorted(self.recording.items())},
                "rooms": self.rooms,
                "joins": self.joins,
                "url": self.url,
                "at": round(self.at, 3),
            },
            separators=(",", ":"),
        )


class OtherProtocol(ValueError):
    """A member follows other rules, so no room can be shared with it."""


def decoded(name: str, text: str) -> Line:
    """The line in a text. Raises OtherProtocol, and ValueError if it is none."""
    if len(text) > LONGEST:
        raise ValueError("too long")
    try:
        entry = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    if entry.get("protocol") != PROTOCOL or entry.get("slots") != slots.SLOTS:
        raise OtherProtocol("another protocol, or another number of slots")
    recording = _typed(entry, "recording", dict, {})
    unwell = _typed(entry, "unwell", list, [])
    if max(len(recording), len(unwell)) > _MOST_PLATFORMS:
        raise ValueError("too many platforms")
    return Line(
        name=name,
        capacity=_whole(entry, "capacity", 1, _MOST_ROOMS),
        zone=_text(entry, "zone"),
        replicas=_whole(entry, "replicas", 1, 100),
        draining=_typed(entry, "draining", bool, False),
        unwell=frozenset(each for each in unwell if isinstance(each, str)),
        recording={key: slots.decode(str(value)) for key, value in recording.items()},
        rooms=_whole(entry, "rooms", 0, 2**63),
        joins=_text(entry, "joins"),
        url=_text(entry, "url"),
        version=_text(entry, "version"),
        at=_time(entry.get("at", 0)),
    )


def _typed(entry: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = entry.get(key, default)
    if type(value) is not kind:
        raise ValueError(f"{key} is not a {kind.__name__}")
    return value


def _text(entry: Mapping[str, Any], key: str) -> str:
    text: str = _typed(entry, key, str, "")
    if len(text) > _TEXT:
        raise ValueError(f"{key} is too long")
    return text


def _whole(entry: Mapping[str, Any], key: str, least: int, most: int) -> int:
    value: int = _typed(entry, key, int, least)
    if not least <= value <= most:
        raise ValueError(f"{key} is out of range")
    return value


def _time(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value < _LATEST:
        raise ValueError("at is not a time")
    return float(value)
