"""An archive for tests to damage, and its oracle."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

import zstandard

from chatlog.record import encode_full, rfc3339
from chatlog.simulator.chat import twitch_key

#: When everything was sent, milliseconds since the epoch; one event every 100 ms from then.
MS = 1_760_000_000_000


class Case:
    """An oracle and the records of a faultless recorder for it, for tests to damage."""

    def __init__(self, directory: str, rooms: tuple[str, ...] = ("alpha", "beta"), count: int = 20) -> None:
        self.directory = directory
        self.oracle: list[dict[str, Any]] = []
        self.records: dict[str, list[dict[str, Any]]] = {room: [] for room in rooms}
        for n in range(count):
            for room in rooms:
                self.send(room, f"text {n}", id=f"{room}-{n}")
        # One event without an id, twice.
        for _ in range(2):
            self.send("alpha", "", type="room", details={"slow": "5"})

    def send(
        self,
        room: str,
        text: str,
        id: str = "",
        type: str = "message",
        details: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        """One event in the oracle, and its record."""
        n = len(self.oracle) + 1
        at = MS + n * 100
        tags = details or {}
        command = "PRIVMSG" if id else "ROOMSTATE"
        entry = {
            "n": n,
            "at": at,
            "platform": "twitch",
            "channel": room,
            "id": id,
            "type": type,
            "text": text,
        }
        entry |= {"connection": 1, **more}
        if not id:
            entry["key"] = twitch_key(command, tags, text).decode()
        self.oracle.append(entry)
        self.records.setdefault(room, []).append(
            record(room, text, type, id, at, {**tags, "command": command})
        )

    def gap(self, room: str, start: int, end: int) -> None:
        """A gap record for the events numbered ``start`` to ``end``."""
        times = {
            "from": rfc3339(MS + start * 100),
            "to": rfc3339(MS + end * 100),
            "reason": "connection lost",
        }
        self.records[room].append(record(room, "", "gap", "", MS, times))

    def write(self, suffix: str = "", spool: bool = False) -> list[str]:
        """Write everything; the arguments for the judge."""
        os.makedirs(self.directory)
        oracle = os.path.join(self.directory, "oracle.jsonl")
        with open(oracle, "w") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in self.oracle))
        archive = os.path.join(self.directory, "open" if spool else "archive")
        os.makedirs(archive)
        for room, records in self.records.items():
            lines = b"".join(line(entry) for entry in records)
            self.put(f"twitch_{room}_20251009_0853.jsonl{suffix}", lines, archive)
        return ["--oracle", oracle, "--spool" if spool else "--archive", self.directory]

    def put(self, name: str, data: bytes, directory: str | None = None) -> None:
        """A file of the archive."""
        if name.endswith(".gz"):
            data = gzip.compress(data)
        elif name.endswith(".zst"):
            data = zstandard.compress(data)
        with open(os.path.join(directory or os.path.join(self.directory, "archive"), name), "wb") as file:
            file.write(data)


def record(room: str, text: str, type: str, id: str, at: int, details: dict[str, str]) -> dict[str, Any]:
    time = rfc3339(at)
    return {
        "timestamp": time,
        "channel": room,
        "username": "",
        "user_id": "",
        "message": text,
        "type": type,
        "id": id,
        "platform": "twitch",
        "channel_id": "1",
        "received": time,
        "details": details,
    }


def line(entry: dict[str, Any]) -> bytes:
    return encode_full(*entry.values())
