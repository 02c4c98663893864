"""``python -m chatlog.simulator.write_archive``: writes an archive with days of invented chat, quickly.

Lines and frames are made as the servers make them, and records of them by the recorder's own parsers, without
the waiting of a real run. Objects, gaps and manifests are those of a recorder that ran all the time and lost
its connections now and then.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from chatlog.counters import Counters
from chatlog.kick import pusher
from chatlog.kick.events import EventRecords
from chatlog.naming import FileName, utc_minute
from chatlog.output import guarded
from chatlog.record import encode_full, rfc3339
from chatlog.rooms.gap import gap_line
from chatlog.simulator.chat import Chat
from chatlog.simulator.kick_chat import TOPICS, KickChat
from chatlog.simulator.rooms import Room, number_of
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.timeline.timeline import Gap
from chatlog.twitch import irc
from chatlog.twitch.events import chat_record, event_record, is_control, unparsed_record
from chatlog.uploader.manifest_chain import Sealed
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, Row, encoded, name_of
from chatlog.uploader.packing import SUFFIXES, packer

HOUR = 3600.0
#: The share of hours of a room in which its connection is lost once.
GAPS = 0.01
_VERSION = "simulated"


class Plan(NamedTuple):
    """The plan of an archive: ``messages`` in total, spread over busy and quiet rooms and days."""

    directory: str
    first: date
    days: int
    twitch: int
    kick: int
    messages: int
    compression: str
    seed: str


class Records:
    """Turns the platform's lines and frames into records of one room."""

    def __init__(self, chat: Chat, room: Room) -> None:
        self._chat = chat
        self.room = room
        self._kick = EventRecords(encode_full, Counters())

    def line(self, at: float, arrived: float) -> bytes:
        """The record of the room's next event; ``b""`` if the event has no record."""
        wire = self._chat.next(self.room, int(at * 1000))[0]
        received = rfc3339(int(arrived * 1000))
        if self.room.platform == "kick":
            frame = _payload(wire)
            event = pusher.parse(frame)
            id = self.room.id.decode()
            if event is None:
                return self._kick.unparsed(frame, self.room.name, id, received)
            return self._kick.line(event, frame, self.room.name, id, received)
        return self._twitch(wire.rstrip(b"\r\n"), received)

    def _twitch(self, line: bytes, received: str) -> bytes:
        found = chat_record(line, received, encode_full)
        if found is not None:
            return found[1]
        name, id = self.room.name, self.room.id.decode()
        try:
            message = irc.parse(line)
        except irc.ParseError:
            return unparsed_record(line, received, encode_full, name, id)
        if is_control(message.command):
            return b""
        return event_record(message, received, encode_full, name, id)


def _payload(wire: bytes) -> bytes:
    """The payload of an unmasked WebSocket frame (RFC 6455, section 5.2)."""
    return wire[{126: 4, 127: 10}.get(wire[1] & 127, 2) :]


class Writer:
    """Writes the planned archive, an hour at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = random.Random(f"archive {plan.seed}")
        twitch, kick = TwitchChat(plan.seed, "archive"), KickChat(plan.seed, "archive")
        rooms: list[tuple[Chat, Room]] = [(twitch, _room("twitch", n)) for n in range(plan.twitch)]
        rooms += [(kick, _room("kick", n)) for n in range(plan.kick)]
        self._rooms = [Records(chat, room) for chat, room in rooms]
        weights = [1.0 / (n + 1) for n in range(plan.twitch)] + [0.5 / (n + 1) for n in range(plan.kick)]
        hours = [1.0 + 0.8 * math.sin((hour - 14) / 24 * math.tau) for hour in range(24)]
        per_weight = plan.messages / (sum(weights) * sum(hours) * plan.days or 1.0)
        self._rates = [weight * per_weight for weight in weights]
        self._hours = hours
        self.messages = self.objects = 0
        self._previous = ""

    def write(self) -> Iterator[str]:
        """Write the archive. Yields each finished day."""
        start = datetime.combine(self._plan.first, datetime.min.time(), UTC).timestamp()
        before: list[ObjectRow] = []
        for day in range(self._plan.days):
            for hour in range(24):
                at = start + (24 * day + hour) * HOUR
                stored, rooms = self._hour(at, self._hours[hour])
                self._manifest(at, before, rooms)
                before = stored
            yield (self._plan.first + timedelta(days=day)).isoformat()
        self._manifest(start + self._plan.days * 24 * HOUR, before, [])

    def _hour(self, at: float, busy: float) -> tuple[list[ObjectRow], list[RoomRow]]:
        stored, rows = [], []
        for records, rate in zip(self._rooms, self._rates, strict=True):
            lines, missing = self._lines(records, at, round(rate * busy * self._chance.uniform(0.7, 1.3)))
            room = records.room
            rows.append(RoomRow(room.platform, room.name, HOUR - missing, missing, ""))
            if lines:
                stored.append(self._object(FileName(room.platform, room.name, utc_minute(at)), lines))
        return stored, rows

    def _lines(self, records: Records, at: float, count: int) -> tuple[list[bytes], float]:
        """The lines of one hour of a room, and its missing seconds."""
        chance = self._chance
        times = sorted(at + chance.random() * HOUR for _ in range(count))
        if chance.random() >= GAPS:
            return list(self._said(records, times)), 0.0
        start = at + chance.uniform(0.0, HOUR - 700.0)
        gap = Gap(start, start + chance.choice((12.0, 45.0, 600.0)), "connection lost")
        lines = list(self._said(records, [time for time in times if time < gap.start]))
        lines.append(self._gap(records.room, gap))
        lines += self._said(records, [time for time in times if time >= gap.end])
        return lines, gap.end - gap.start

    def _said(self, records: Records, times: list[float]) -> Iterator[bytes]:
        for time in times:
            if line := records.line(time, time + self._chance.uniform(0.05, 0.55)):
                yield line

    def _gap(self, room: Room, gap: Gap) -> bytes:
        return gap_line(encode_full, room.platform, room.name, room.id.decode(), gap)

    # -- files ---------------------------------------------------------------------------------------

    def _object(self, name: FileName, lines: list[bytes]) -> ObjectRow:
        key = name.key(suffix=SUFFIXES[self._plan.compression])
        data = self._put(key, lines)
        self.messages += len(lines)
        self.objects += 1
        first, last = (line[14:38].decode("ascii", "replace") for line in (lines[0], lines[-1]))
        return ObjectRow(key, len(data), hashlib.sha256(data).hexdigest(), len(lines), first, last)

    def _manifest(self, at: float, stored: list[ObjectRow], rooms: list[RoomRow]) -> None:
        head = HeadRow(at, at + HOUR, _VERSION, "main", previous=self._previous)
        rows: list[Row] = [head, *stored, *rooms]
        sealed = Sealed(map(encoded, rows), None)
        self._put(name_of(head).key(SUFFIXES[self._plan.compression]), list(sealed))
        self._previous = sealed.digest

    def _put(self, key: str, lines: list[bytes]) -> bytes:
        path = os.path.join(self._plan.directory, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        packing = packer(SUFFIXES[self._plan.compression])
        data = packing.compress(b"".join(lines)) + packing.flush()
        with open(path, "wb") as file:
            file.write(data)
        return data


def _room(platform: str, n: int) -> Room:
    name = f"room{n + 1}"
    topics = len(TOPICS) if platform == "kick" else 1
    ids = number_of(f"{platform} room", name), number_of(f"{platform} channel", name)
    return Room(platform, name, *ids, n, topics)


def main(argv: list[str]) -> int:
    """Write an archive for the options of the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chatlog.simulator.write_archive", description=__doc__)
    parser.add_argument("directory", help="where to write it; must be empty or not there")
    parser.add_argument("--messages", type=int, default=100_000, help="about how many (100000)")
    parser.add_argument("--days", type=int, default=3, help="3")
    parser.add_argument("--until", type=date.fromisoformat, default=None, help="the day after (today)")
    parser.add_argument("--rooms", type=int, default=8, help="of Twitch: room1 ... (8)")
    parser.add_argument("--kick-rooms", type=int, default=2, help="of Kick (2)")
    parser.add_argument("--compression", choices=sorted(SUFFIXES), default="zstd")
    parser.add_argument("--seed", default="1", help="the same seed gives the same archive (1)")
    options = parser.parse_args(argv)
    if os.path.isdir(options.directory) and os.listdir(options.directory):
        print(f"{options.directory} is not empty", file=sys.stderr)
        return 1
    until = options.until or datetime.now(UTC).date()
    first = until - timedelta(days=options.days)
    plan = Plan(
        options.directory,
        first,
        options.days,
        options.rooms,
        options.kick_rooms,
        options.messages,
        options.compression,
        options.seed,
    )
    writer = Writer(plan)
    for day in writer.write():
        print(f"{day}: {writer.messages} records in {writer.objects} objects", flush=True)
    return 0


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
