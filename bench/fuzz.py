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
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from chatlog.config import config
from chatlog.config.settings import Settings
from chatlog.journal import journal
from chatlog.kick import pusher
from chatlog.rooms.room_list import RoomList
from chatlog.spool import recovery
from chatlog.twitch import irc
from chatlog.twitch.lines import LineSplitter
from chatlog.uploader import manifest_rows
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import MemoryFiles

Target = Callable[[bytes], object]


def _configuration(data: bytes) -> None:
    try:
        config.parse(data, {})
    except config.ConfigError as error:
        assert error.problems


def _rooms(data: bytes) -> None:
    files = MemoryFiles()
    files.put("/data/rooms.yaml", data)
    RoomList(files, "/data", Settings()).load()


def _manifest(data: bytes) -> None:
    for line, _ in manifest_rows.lines_of([data], 1000):
        with suppress(ValueError):
            manifest_rows.parsed(line)


def _stored(data: bytes) -> None:
    files = MemoryFiles()
    files.make_directories("/data")
    StoredJournal(files, "/data").open()
    for path in list(files.tree):
        files.put(path, data)
    StoredJournal(files, "/data").open()


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
        with suppress(irc.ParseError):
            irc.parse(line)


TARGETS: tuple[tuple[str, Target, bytes], ...] = (
    ("configuration", _configuration, b"twitch:\n  channels: [one]\nrecorder: {directory: data}\n"),
    ("list of rooms", _rooms, b"add:\n  twitch: [one]\n  kick:\n  - slug: two\n    chatroom_id: 5\n"),
    ("manifest", _manifest, b'{"kind":"room","platform":"kick","channel":"a","recorded":1,"missing":0}\n'),
    ("journal of objects", _stored, b'{"kind":"object","key":"a","bytes":1,"lines":1}\n'),
    ("recovery", _recovery, b'{"a":"b"}\n{"a":"\xc3\xa4"}\n{"a'),
    ("journal of rooms", lambda data: journal.replay(data, "boot"), b'{"alive":1.0}\n'),
    ("Twitch", _twitch, b"@a=b\\s;c= :n!u@h PRIVMSG #room :\x01ACTION hi\x01"),
    ("Kick", pusher.parse, b'{"event":"App\\\\Events\\\\X","channel":"chatrooms.1.v2","data":"{}"}'),
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
