"""What ``chatlog erase`` costs: a person's 437 messages in a million, and whether anything is left.

    python -m bench.erasure --messages 1000000

The archive is a month of one room in a directory, an object an hour; the person is in a third of them, and a
tenth of their messages is answered. Prints the seconds of the run, in which every byte is looked at three
times at least, its processor time and its memory. Then every byte that is left is searched for the id and
the name. Exit status 1: something is left, or it took more than ten seconds of processor time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chatlog.naming import FileName, utc_minute
from chatlog.record import encode_full, rfc3339
from chatlog.uploader.packing import pack_data, unpacked

#: 2025-12-01T00:00:00Z.
BEGIN, HOURS = 1764547200.0, 720
PERSON, NAME = "48151623", "hereandgone"
MESSAGES, OBJECTS = 437, 230
BUDGET = 10.0
_WORDS = ("gg", "lol", "the", "stream", "is", "nice", "what", "happened", "PogChamp", "hello")


def message(chance: random.Random, at: float, person: bool, answered: bool) -> bytes:
    """A message as Twitch sends it, of the person, in answer to them, or of somebody else."""
    number = chance.randrange(10_000_000, 40_000_000)
    id, name = (PERSON, NAME) if person else (str(number), f"viewer{number}")
    details = {
        "badge-info": "subscriber/14",
        "badges": "subscriber/12",
        "client-nonce": f"{chance.getrandbits(128):032x}",
        "color": "#8A2BE2",
        "display-name": name.title(),
        "emotes": "",
        "first-msg": "0",
        "flags": "",
        "mod": "0",
        "returning-chatter": "0",
        "room-id": "37402112",
        "subscriber": "1",
        "tmi-sent-ts": str(round(at * 1000)),
        "turbo": "0",
        "user-id": id,
        "user-type": "",
        "command": "PRIVMSG",
    }
    if answered:
        details |= {
            "reply-parent-display-name": NAME.title(),
            "reply-parent-msg-body": "so it is",
            "reply-parent-user-id": PERSON,
            "reply-parent-user-login": NAME,
        }
    text = " ".join(chance.choices(_WORDS, k=chance.randrange(1, 16)))
    uuid = f"{chance.getrandbits(128):032x}"
    sent = rfc3339(round(at * 1000))
    return encode_full(sent, "a", name, id, text, "message", uuid, "twitch", "37402112", sent, details)


def write_archive(root: Path, count: int) -> None:
    """A month of a room, without manifests: an object that none names is erased as well."""
    chance = random.Random(7)
    each = count // HOURS
    there = set(chance.sample(range(HOURS), OBJECTS))
    left = MESSAGES
    for hour in range(HOURS):
        at = BEGIN + hour * 3600.0
        mine = set()
        if hour in there:
            rest = sum(other >= hour for other in there)
            mine = set(chance.sample(range(each), min(each, max(1, left // rest))))
            left -= len(mine)
        lines = [
            message(chance, at + n * 3600.0 / each, n in mine, n - 1 in mine and not chance.randrange(10))
            for n in range(each)
        ]
        path = root / FileName("twitch", "a", utc_minute(at)).key(suffix=".zst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack_data(b"".join(lines), ".zst").data)


def traces(root: Path) -> int:
    """How often the person is in what is left."""
    found = 0
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            text = b"".join(unpacked([data], ".zst")) if path.suffix == ".zst" else data
            found += text.lower().count(PERSON.encode()) + text.lower().count(NAME.encode())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "archive")
        write_archive(root, count)
        before = traces(root)
        began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "chatlog",
            "erase",
            f"twitch/{NAME}",
            "--json",
            "--archive",
            str(root),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            print(done.stdout, done.stderr)
            return 1
        receipt = json.loads(done.stdout)
        after = traces(root)
    print(
        f"{count:,} messages in {receipt['looked_at']} objects: {receipt['removed']} erased, "
        f"{receipt['redacted']} redacted, {receipt['objects']} objects written again"
    )
    print(
        f"{seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor time, "
        f"{used.ru_maxrss / 1024:.0f} MB; traces before {before:,}, after {after}"
    )
    return int(after > 0 or used.ru_utime + used.ru_stime > BUDGET)


if __name__ == "__main__":
    raise SystemExit(main())
