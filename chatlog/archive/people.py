"""What the archive has about a person: rooms, names, days, and moderation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class InRoom:
    """A person in one room: how many records of each kind, on which days, from when to when."""

    kinds: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""

    @property
    def messages(self) -> int:
        """How many messages the person wrote."""
        return self.kinds["message"] + self.kinds["action"]


@dataclass(slots=True)
class Person:
    """``names`` and ``ids``, each with the first and the last time at which it was seen."""

    rooms: dict[str, InRoom] = field(default_factory=dict)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record of the person, in any order."""
        time = str(record.get("timestamp", ""))
        room = f"{record.get('platform', 'twitch')}/{record.get('channel', '')}"
        there = self.rooms.setdefault(room, InRoom())
        there.kinds[str(record.get("type", "message"))] += 1
        there.days[time[:10]] += 1
        there.first = min(there.first or time, time)
        there.last = max(there.last, time)
        for seen, key in ((self.names, "username"), (self.ids, "user_id")):
            if value := str(record.get(key, "")):
                first, last = seen.get(value, (time, time))
                seen[value] = min(first, time), max(last, time)

    def join(self, other: Person) -> None:
        """Add the facts from other records of the person."""
        for name, there in other.rooms.items():
            own = self.rooms.setdefault(name, InRoom())
            own.kinds += there.kinds
            own.days += there.days
            own.first = min(own.first or there.first, there.first)
            own.last = max(own.last, there.last)
        for seen, more in ((self.names, other.names), (self.ids, other.ids)):
            for value, (first, last) in more.items():
                known = seen.get(value, (first, last))
                seen[value] = min(known[0], first), max(known[1], last)


def person_of(records: Iterable[Mapping[str, Any]]) -> Person:
    """The person of these records."""
    person = Person()
    for record in records:
        person.add(record)
    return person


def facts_of(who: str, person: Person) -> dict[str, Any]:
    """A person as JSON."""
    return {
        "who": who,
        "names": [
            {"name": name, "first": first, "last": last} for name, (first, last) in person.names.items()
        ],
        "ids": [{"id": id, "first": first, "last": last} for id, (first, last) in person.ids.items()],
        "rooms": [
            {
                "room": room,
                "messages": there.messages,
                "kinds": dict(there.kinds),
                "days": dict(sorted(there.days.items())),
                "first": there.first,
                "last": there.last,
            }
            for room, there in person.rooms.items()
        ],
    }
