"""How large a record is, and how small a file of records becomes.

    python -m bench.sizes [seed]

Prints bytes a record for files of several lengths: as they are and compressed, in full and basic
detail. The chat is the simulator's, made from a seed; it is encoded and packed as the recorder does
it, and a file is an hour of one room. Compression gets better with length, since names, badges and
words come again. chatlog/cost/sizes.py holds these figures for the calculation of costs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from chatlog import record
from chatlog.counters import Counters
from chatlog.kick import events as kick_events
from chatlog.kick import pusher
from chatlog.simulator.chat import NO_ROOM, Chat
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.people import make_people
from chatlog.simulator.rooms import Room, number_of
from chatlog.simulator.texts import make_texts
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.twitch import events as twitch_events
from chatlog.twitch import irc
from chatlog.uploader.packing import SUFFIXES, packer

#: Records in a file.
LENGTHS = (1, 10, 100, 1000, 10_000)
#: 2026-01-15T20:00:00Z in milliseconds since the epoch, when every file begins.
BEGINS = 1768507200000
HOUR = 3_600_000
#: Files of fewer records are measured again and again until so many records were seen.
ENOUGH = 2000
#: Who takes part and what there is to say: so much that few texts come again within a file. In a busy room
#: more does, so that its files are smaller than these.
PEOPLE, TEXTS = 5000, 20_000

DETAILS = {"full": record.encode_full, "basic": record.encode_basic}


def room_of(platform: str) -> Room:
    """A room of the simulator."""
    name = "pixelharbor"
    id, channel_id = (number_of(f"{platform} {kind}", name) for kind in ("room", "channel"))
    return Room(platform, name, id, channel_id, index=0, topics=5)


def said(chat: Chat, room: Room, count: int) -> Iterator[tuple[bytes, int]]:
    """``count`` events of the room, evenly over an hour: what goes over the wire, and when."""
    for number in range(count):
        ms = BEGINS + number * HOUR // count
        while True:
            place, make = chat.backlog.popleft() if chat.backlog else (room, chat.next)
            wire, *_, topic = make(place, ms)
            if topic != NO_ROOM:
                break
        yield wire, ms


def twitch_line(wire: bytes, received: str, encode: record.Encode) -> bytes:
    """The record of a line of Twitch."""
    line = wire.removesuffix(b"\r\n")
    found = twitch_events.chat_record(line, received, encode)
    return found[1] if found else twitch_events.event_record(irc.parse(line), received, encode)


def kick_line(wire: bytes, received: str, encode: record.Encode, room: Room) -> bytes:
    """The record of a WebSocket frame of Kick."""
    text = wire[{126: 4, 127: 10}.get(wire[1], 2) :]
    event = pusher.parse(text)
    assert event is not None
    records = kick_events.EventRecords(encode, Counters())
    return records.line(event, text, room.name, room.id.decode(), received)


def files(platform: str, detail: str, length: int, seed: str = "1") -> Iterator[bytes]:
    """Files of ``length`` records in which everything was said after another."""
    room, encode = room_of(platform), DETAILS[detail]
    chat: Chat = TwitchChat(seed, tame=True) if platform == "twitch" else KickChat(seed, tame=True)
    chat.people, chat.texts = make_people(seed, PEOPLE), make_texts(seed, TEXTS)
    for _ in range(max(1, ENOUGH // length)):
        lines: list[bytes] = []
        # In basic detail not everything that is said is a record.
        while len(lines) < length:
            for wire, ms in said(chat, room, length - len(lines)):
                received = record.rfc3339(ms + 250)
                if platform == "twitch":
                    line = twitch_line(wire, received, encode)
                else:
                    line = kick_line(wire, received, encode, room)
                if line:
                    lines.append(line)
        yield b"".join(lines)


def measured(platform: str, detail: str, length: int, seed: str = "1") -> dict[str, float]:
    """Bytes a record in files of ``length`` records, by compression."""
    sizes = dict.fromkeys(SUFFIXES, 0)
    records = 0
    for data in files(platform, detail, length, seed):
        records += length
        for name, suffix in SUFFIXES.items():
            compressor = packer(suffix)
            sizes[name] += len(compressor.compress(data) + compressor.flush())
    return {name: size / records for name, size in sizes.items()}


def main(seed: str = "1") -> None:
    print("bytes a record by compression, and the ratio of the last one")
    for platform in ("twitch", "kick"):
        for detail in DETAILS:
            print(f"\n{platform}, {detail}\n{'records in a file':>18}{'none':>8}{'gzip':>8}{'zstd':>8}")
            for length in LENGTHS:
                found = measured(platform, detail, length, seed)
                figures = "".join(f"{found[name]:8.1f}" for name in SUFFIXES)
                print(f"{length:18,}{figures}   1 : {found['none'] / found['zstd']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
