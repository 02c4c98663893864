"""``python -m bench.fuzz --minutes N``: bytes at random for everything that reads what others wrote.

With atheris (``pip install atheris``) the search follows the branches of the code; without it, samples are
damaged at random. Whatever raises more than it says it may is a finding: it is printed with its input, and
the exit status is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import orjson

from chatlog import configuration as config
from chatlog.chunks import lines_of
from chatlog.config.settings import Settings
from chatlog.counters import Counters
from chatlog.journal import snapshots
from chatlog.kick import events as kick_events
from chatlog.kick import pusher
from chatlog.kick.lookup import LookupRefused, ids_in
from chatlog.platforms import PLATFORMS
from chatlog.record import SERVER_CHANNEL, encode_full
from chatlog.rooms.room_list import RoomList
from chatlog.spool import recovery
from chatlog.spool.spool import Spool
from chatlog.takeover import take_over
from chatlog.twitch import events as twitch_events
from chatlog.twitch import irc, recent
from chatlog.twitch.lines import LineSplitter
from chatlog.uploader import manifest_rows
from chatlog.uploader.stored_journal import StoredJournal
from chatlog.verify.record_check import NotARecord, check
from tests.fakes import MemoryFiles
from tests.state import numbered, summed

Target = Callable[[bytes], object]


def _configuration(data: bytes) -> None:
    try:
        config.parse(data, {})
    except config.ConfigError as error:
        assert error.problems


def _rooms(data: bytes) -> None:
    for content in (data, summed(data)):
        files = MemoryFiles()
        files.put("/data/state/rooms", content)
        RoomList(files, "/data", Settings(), PLATFORMS).load()


def _before(data: bytes) -> None:
    for name in ("rooms.yaml", "coverage", "held", "stored", "names", "kick_ids.json", "acknowledged.json"):
        files = MemoryFiles()
        files.put(f"/data/{name}", data)
        take_over(Spool("/data", files))


def _coverage(data: bytes) -> None:
    for content in (data, summed(data)):
        snapshots.replay(numbered(content), "boot")


def _manifest(data: bytes) -> None:
    for line, _ in lines_of([data], 1000):
        with suppress(ValueError):
            manifest_rows.parsed(line)


def _stored(data: bytes) -> None:
    for content in (data, summed(data)):
        files = MemoryFiles()
        files.put("/data/state/stored", content)
        stored = StoredJournal(files, "/data")
        stored.open()
        stored.append(manifest_rows.ObjectRow("a/b.jsonl", 5, "0" * 64, 1, RECEIVED, RECEIVED))
        stored.finish(manifest_rows.HeadRow(3600.0, 7200.0, "1", "main"), [])
        assert stored.publish()


def _recovery(data: bytes) -> None:
    files = MemoryFiles()
    files.put("/data/open/x.jsonl", data)
    files.make_directories("/data/torn")
    repaired = recovery.repair(files, "/data", "x.jsonl")
    assert repaired.size <= len(data) + 1
    left = files.content("/data/open/x.jsonl") if files.exists("/data/open/x.jsonl") else b""
    assert all(recovery.is_record(line) for line in left.split(b"\n")[:-1])


def _twitch(data: bytes) -> None:
    for line in LineSplitter().feed(data + b"\r\n"):
        found = twitch_events.chat_record(line, RECEIVED, encode_full)
        try:
            message = irc.parse(line)
        except irc.ParseError:
            _record(twitch_events.unparsed_record(line, RECEIVED, encode_full), "twitch", SERVER_CHANNEL)
            continue
        twitch_events.dedup_key(message)
        twitch_events.unknown_kind(message)
        encoded = twitch_events.event_record(message, RECEIVED, encode_full, "room")
        _record(encoded, "twitch", "room")
        assert found is None or found[0] != "room" or found[1] == encoded


def _kick(data: bytes) -> None:
    records = kick_events.EventRecords(encode_full, Counters())
    event = pusher.parse(data)
    if event is None:
        encoded = records.unparsed(data, "room", "1", RECEIVED)
    else:
        kick_events.duplicate_key(event, data)
        kick_events.payload_key(event, data)
        kick_events.chatroom_of(event)
        encoded = records.line(event, data, "room", "1", RECEIVED)
    _record(encoded, "kick", "room")


def _record(encoded: bytes, platform: str, channel: str) -> None:
    assert encoded.count(b"\n") == 1 and encoded.endswith(b"\n")
    check(encoded[:-1], platform, channel)


def _line(data: bytes) -> None:
    with suppress(NotARecord):
        check(data, "kick", "room")


def _lookup(data: bytes) -> None:
    with suppress(LookupRefused):
        ids_in(200, data)


def _recent(data: bytes) -> None:
    with suppress(recent.NoAnswer):
        for line in recent.lines_in(200, data):
            recent.chat_in(line, "room", "")


RECEIVED = "2026-01-02T03:04:05.678Z"
_OBJECT = manifest_rows.encoded(manifest_rows.ObjectRow("a/b.jsonl", 5, "0" * 64, 1, RECEIVED, RECEIVED))
_CHAT = {"id": "a", "content": "hi", "created_at": "2026-01-02T03:04:05Z", "sender": {"id": 1, "slug": "b"}}
_GOAL = {"id": "goal", "updated_at": "2026-01-02T03:04:05.670407152Z", "current_value": 87106, "n": [1.5]}
_IRC = (
    b"@badges=a/1;display-name=N;id=i;room-id=1;tmi-sent-ts=1767323045123;user-id=5 "
    b":n!n@n.tmi.twitch.tv PRIVMSG #room :\x01ACTION hi\x01"
)


def _frame(name: str, payload: object) -> bytes:
    outer = {"event": name, "data": orjson.dumps(payload).decode(), "channel": "chatrooms.1.v2"}
    return orjson.dumps(outer)


def _seen_by_kick(name: str, payload: Mapping[str, object]) -> bytes:
    frame = _frame(name, payload)
    event = pusher.parse(frame)
    assert event is not None
    return kick_events.EventRecords(encode_full, Counters()).line(event, frame, "room", "1", RECEIVED)


#: What is tried, and a sample of what it understands.
TARGETS: tuple[tuple[str, Target, bytes], ...] = (
    ("configuration", _configuration, b"twitch:\n  channels: [one]\nrecorder: {directory: data}\n"),
    (
        "list of rooms",
        _rooms,
        b'1 {"added":{"twitch":["one"],"kick":[{"slug":"two","chatroom_id":5}]},"removed":{"kick":["a"]}}',
    ),
    (
        "manifest",
        _manifest,
        manifest_rows.encoded(manifest_rows.RoomRow("kick", "a", 1.0, 0.0, "")) + _OBJECT,
    ),
    ("journal of objects", _stored, b'1 {"from":1768084800.0}\n2 ' + _OBJECT),
    (
        "state of the version before",
        _before,
        b'{"from":1768084800.000}\n{"batch":1,"alive":5.0,"durable":4.0,"lines":1}\n{"held":1}\n' + _OBJECT,
    ),
    ("recovery", _recovery, b'{"a":"b"}\n{"a":"\xc3\xa4"}\n{"a'),
    (
        "journal of rooms",
        _coverage,
        b'1 {"boot":"boot","since":1.0,"alive":2.0,"durable":2.0,'
        b'"rooms":[{"platform":"kick","room":"a","recorded":1.0,"links":[1]}]}',
    ),
    ("Twitch, an action", _twitch, _IRC),
    ("Twitch, ordinary chat", _twitch, _IRC.replace(b"\x01ACTION hi\x01", b"hello there")),
    ("Twitch, a notice", _twitch, b"@id=i;login=n;msg-id=raid :tmi.twitch.tv USERNOTICE #room :a\\sb"),
    ("Kick, chat", _kick, _frame("App\\Events\\ChatMessageEvent", _CHAT)),
    ("Kick, a goal", _kick, _frame("GoalProgressUpdateEvent", _GOAL)),
    ("Kick, an object", _kick, b'{"event":"X","data":{"a":1,"b":[{"c":1.50}]},"more":2,"channel":"c"}'),
    ("a line of an archive", _line, _seen_by_kick("App\\Events\\ChatMessageEvent", _CHAT)[:-1]),
    ("looked-up ids", _lookup, b'{"id":7,"chatroom":{"id":5,"channel_id":7},"bio":"\\ud83d"}'),
    ("backfill", _recent, orjson.dumps({"messages": [_IRC.decode()], "error_code": None})),
)


def one(data: bytes) -> None:
    """Hand ``data`` to what its first byte chooses."""
    if data:
        TARGETS[data[0] % len(TARGETS)][1](data[1:])


def damaged(chance: random.Random, data: bytes) -> bytes:
    """``data`` with pieces cut out, doubled, and replaced."""
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randrange(12))
        middle = chance.choice((b"", data[start:end] * 2, chance.randbytes(3), b"[" * 50))
        data = data[:start] + middle + data[end:]
    return data


def at_random(seconds: float) -> int:
    """Damage samples for so long; the number of findings."""
    chance = random.Random(1)
    end = time.monotonic() + seconds
    executions = findings = 0
    while time.monotonic() < end and findings < 20:
        number = chance.randrange(len(TARGETS))
        data = damaged(chance, TARGETS[number][2])
        executions += 1
        try:
            TARGETS[number][1](data)
        except Exception:
            findings += 1
            print(f"{TARGETS[number][0]}: {data!r}\n{traceback.format_exc()}")
    print(f"{executions} executions, {findings} findings; without atheris, at random")
    return findings


def main() -> int:
    """Fuzz; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    seconds = parser.parse_args().minutes * 60
    try:
        # Not everybody has it, nor its types.
        atheris: Any = import_module("atheris")
    except ImportError:
        return 1 if at_random(seconds) else 0
    atheris.instrument_all()
    limits = [f"-max_total_time={round(seconds)}", "-print_final_stats=1", "-max_len=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits], one)
    # Prints what it finds and how often it tried, and ends the process.
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
