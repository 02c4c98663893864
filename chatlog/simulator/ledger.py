"""The ledger of a judgement: every event that was sent, and whether it was found."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from chatlog.record import rfc3339, without_halves
from chatlog.simulator.chat import record_key

#: Bits of an event's flags.
DEAD, GREETING, TIMED = 1, 2, 4
#: The most milliseconds that an event usually takes until it is read: a tick, and a second for delays.
ON_THE_WAY = 1500


def _milliseconds(time: str) -> int:
    """An RFC 3339 time in milliseconds since the epoch; 0 if it is no time."""
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except ValueError:
        return 0


def loads(line: bytes) -> Any:
    """The JSON document in a line. Raises ValueError."""
    try:
        return orjson.loads(line)
    except ValueError:
        # orjson refuses lone surrogates, which are valid JSON.
        return json.loads(line)


class Ledger:
    """Events by number, in columns: two million of them take a few hundred megabytes.

    ``take`` finds the event of a record. Times are milliseconds since the epoch.
    """

    def __init__(self) -> None:
        self.at = array("q")
        self.texts = array("q")
        self.types = bytearray()
        self.flags = bytearray()
        self.rooms = array("l")
        self.connections = array("l")
        #: How often each was found in the archive.
        self.seen = bytearray()
        self.room_names: list[tuple[str, str]] = []
        #: The times (from, to) in which events on a connection may not have arrived; when each was closed.
        self.cuts: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.closes: dict[int, int] = {}
        #: The numbers of listeners that are not connections of a recorder.
        self.services: set[int] = set()
        self._type_names: list[str] = []
        self._room_numbers: dict[tuple[str, str], int] = {}
        self._by_id: dict[int, int] = {}
        self._by_key: dict[int, list[int]] = {}
        self._also: dict[int, list[int]] = {}
        # How many milliseconds the latest record with an id was on the way, by room.
        self._late: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self.at)

    def read(self, file: Iterable[bytes]) -> None:
        """Add the lines of an oracle. An incomplete last line is left out."""
        for line in file:
            if line.endswith(b"\n"):
                entry = loads(line)
                if "note" in entry:
                    self._note(entry)
                else:
                    self._enter(entry)

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["note"] == "cut":
            self.cuts[entry["connection"]].append((entry["since"], entry["at"]))
        elif entry["note"] == "service":
            self.services.add(entry["connection"])
        elif entry["note"] == "closed":
            self.closes[entry["connection"]] = entry["at"]

    def _enter(self, entry: dict[str, Any]) -> None:
        number = len(self.at)
        platform, channel, id, type = entry["platform"], entry["channel"], entry["id"], entry["type"]
        self.at.append(entry["at"])
        self.texts.append(hash(without_halves(entry["text"])))
        if type not in self._type_names:
            self._type_names.append(type)
        self.types.append(self._type_names.index(type))
        flags = DEAD if entry.get("dead") else 0
        if entry.get("greeting"):
            flags |= GREETING
        if platform == "twitch" and id:
            flags |= TIMED
        self.flags.append(flags)
        self.seen.append(0)
        self.connections.append(entry["connection"])
        if "also" in entry:
            self._also[number] = entry["also"]
        room = (platform, "" if type == "unparsed" else channel)
        if room not in self._room_numbers:
            self._room_numbers[room] = len(self.room_names)
            self.room_names.append(room)
        self.rooms.append(self._room_numbers[room])
        if id:
            self._by_id[hash((*room, id))] = number
        else:
            self._by_key.setdefault(hash((*room, entry["key"])), []).append(number)

    def type_of(self, number: int) -> str:
        """The type that the record of an event must have."""
        return self._type_names[self.types[number]]

    def connections_of(self, number: int) -> Iterator[int]:
        """The connections of recorders that an event went to."""
        for connection in (self.connections[number], *self._also.get(number, ())):
            if connection not in self.services:
                yield connection

    def forget(self) -> bytearray:
        """Mark all events as not found. Returns the marks of before."""
        before, self.seen = self.seen, bytearray(len(self.seen))
        self._late.clear()
        return before

    def take(self, record: dict[str, Any], last: int) -> tuple[int | None, str]:
        """(the event of ``record``, "") and mark the event as seen; (None, why) if there is none, or none
        left: ``doubled`` or ``unknown``. ``last`` is the event before in the same room. Of several events
        that look the same, it is the first one after ``last`` that was sent shortly before the record was
        made, or as long before as the latest record with an id."""
        room = (record["platform"], "" if record["type"] == "unparsed" else record["channel"])
        id = record["id"]
        if id:
            number = self._by_id.get(hash((*room, id)))
            if number is None:
                return None, "unknown"
            if self.seen[number]:
                return None, "doubled"
            self._late[room] = _milliseconds(record["received"]) - self.at[number]
        else:
            found = self._by_key.get(hash((*room, record_key(record).decode())))
            if found is None:
                return None, "unknown"
            left = [n for n in found if not self.seen[n]]
            if not left:
                return None, "doubled"
            # An event that looks the same may have been lost long before. This event may have been on the way
            # for longer, if the machine is busy or stood still.
            received = _milliseconds(record["received"])
            sent = received - self._late.get(room, 0)
            near = [n for n in left if abs(self.at[n] - sent) <= ON_THE_WAY]
            near = near or [n for n in left if abs(self.at[n] - received) <= ON_THE_WAY]
            near = near or [min(left, key=lambda n: abs(self.at[n] - received))]
            is_later = all(self.at[n] > received + ON_THE_WAY for n in near)
            # With a clock that is behind, every record seems to be made before its event was sent.
            if is_later and self._late.get(room, 0) > -ON_THE_WAY and self.age(record) is not None:
                # The event of which this is a copy has its record.
                return None, "doubled"
            number = next((n for n in near if n > last and not self.flags[n] & DEAD), near[0])
        self.seen[number] = 1
        return number, ""

    def knows(self, platform: str, id: str) -> bool:
        """Whether an event with this id was sent in some room of a platform."""
        return any(hash((*room, id)) in self._by_id for room in self.room_names if room[0] == platform)

    def age(self, record: dict[str, Any]) -> int | None:
        """How many milliseconds before a record without an id was made the latest event was sent that looks
        like it; None if none was."""
        room = (record["platform"], "" if record["type"] == "unparsed" else record["channel"])
        received = _milliseconds(record["received"])
        found = self._by_key.get(hash((*room, record_key(record).decode())), [])
        return min((age for n in found if (age := received - self.at[n]) >= -ON_THE_WAY), default=None)

    def difference(self, number: int, record: dict[str, Any]) -> str:
        """The first key in which a record differs from its event: ``message``, ``type``, ``timestamp`` or
        ``""``."""
        # Earlier versions kept halves of surrogate pairs.
        texts = {hash(record["message"]), hash(without_halves(str(record["message"])))}
        if self.texts[number] not in texts:
            return "message"
        if record["type"] != self.type_of(number):
            return "type"
        if self.flags[number] & TIMED and record["timestamp"] != rfc3339(self.at[number]):
            return "timestamp"
        return ""

    def undelivered(self, number: int) -> bool:
        """Whether an event may not have arrived anywhere: no connection could receive it, or every connection
        that got it was cut at about that time."""
        at = self.at[number]
        return bool(self.flags[number] & DEAD) or all(
            any(start <= at <= end for start, end in self.cuts.get(connection, ()))
            for connection in self.connections_of(number)
        )

    def closed_after(self, number: int) -> int | None:
        """Milliseconds from an event to the end of the last connection that got it; None while one is
        open."""
        times = [self.closes.get(connection) for connection in self.connections_of(number)]
        return None if None in times else max(time for time in times if time is not None) - self.at[number]


def read_oracles(paths: Iterable[str]) -> Ledger:
    """The ledger of one or several oracle files, in the order of their times."""
    ledger = Ledger()
    for path in paths:
        file: BinaryIO
        with open(path, "rb") as file:
            ledger.read(file)
    return ledger
