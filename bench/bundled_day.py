"""What it takes to read a room's day: requests to the store, with single objects and with bundles.

    python -m bench.bundled_day [--rooms 200]

The archive is in memory. "first" is a reader that knows nothing of the archive yet, "other room" the next
question about the same day to the same reader, "again" the first question once more.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

from chatlog.archive.catalog import Catalog
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.room_files import Parts
from chatlog.files import OsFiles
from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.record import encode_full, rfc3339
from chatlog.store.store import Head
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.packing import pack_data
from tests.stores import MemoryStore

#: 2025-12-29T00:00:00Z.
_MIDNIGHT = 1766966400
_DAY = 86400
_MESSAGES = 20


class Counting(MemoryStore):
    """Counts requests and bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def head(self, key: str) -> Head | None:
        self.asked["HEAD"] += 1
        data = self.objects.get(key)
        return None if data is None else Head(key, len(data), "")

    def read(self, key: str) -> Iterator[bytes]:
        self.asked["GET"] += 1
        self.asked["bytes"] += len(self.objects.get(key, b""))
        return super().read(key)

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        self.asked["GET"] += 1
        self.asked["bytes"] += size
        return super().read_range(key, offset, size)

    def list(self, prefix: str = "") -> Iterator[Head]:
        found = [Head(key, len(data), "") for key, data in self.objects.items() if key.startswith(prefix)]
        self.asked["LIST"] += max(1, -(-len(found) // 1000))
        return iter(sorted(found, key=lambda head: head.key))

    def folders(self, prefix: str = "") -> Iterator[str]:
        self.asked["LIST"] += 1
        return super().folders(prefix)


def archive(rooms: int, every: int, bundled: bool) -> Counting:
    """A day of so many rooms, with a file every so many seconds."""
    store = Counting()
    for at in range(_MIDNIGHT, _MIDNIGHT + _DAY, every):
        data, slices = b"", []
        bundle = BundleName(utc_minute(at)).key(".zst")
        for n in range(rooms):
            key = FileName("twitch", f"room{n}", utc_minute(at)).key(suffix=".zst")
            piece = pack_data(lines(n, at), ".zst").data
            if bundled:
                slices.append(Slice(key, bundle, len(data), len(piece)))
                data += piece
            else:
                store.objects[key] = piece
        if bundled:
            store.objects[bundle] = data + table_bytes(slices)
    return store


def lines(room: int, at: int) -> bytes:
    """The chat of a file."""
    found = []
    for n in range(_MESSAGES):
        time_text = rfc3339((at + n) * 1000)
        name = f"room{room}"
        details = {"command": "PRIVMSG"}
        found.append(
            encode_full(
                time_text,
                name,
                "ann",
                "1",
                "hello",
                "message",
                f"{room}-{at}-{n}",
                "twitch",
                "7",
                time_text,
                details,
            )
        )
    return b"".join(found)


def asked(store: Counting, reader: Reader, room: str) -> str:
    """Read a room's day; what that took, as cells of a table."""
    store.asked.clear()
    began = time.perf_counter()
    count = sum(1 for _ in reader.ask(Question(("twitch", room), _MIDNIGHT, _MIDNIGHT + _DAY)))
    took = time.perf_counter() - began
    found = store.asked
    assert count % _MESSAGES == 0 and count, count
    return f"{found['LIST']} + {found['GET']} | {found['bytes'] / 1000:,.0f} kB | {took * 1000:.0f} ms"


def _now() -> float:
    return _MIDNIGHT + 5 * _DAY


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What it takes to read a room's day.")
    parser.add_argument("--rooms", type=int, default=200)
    options = parser.parse_args()
    print(f"{options.rooms} rooms; LIST + GET, bytes of the GETs, time without a network\n")
    print("| a file every | stored | question | LIST + GET | read | CPU |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for every in (3600, 300):
        for bundled in (False, True):
            store = archive(options.rooms, every, bundled)
            reader = Reader(Parts(Catalog(store, _now), OsFiles()), _now)
            how = f"{every // 60} min | {'bundles' if bundled else 'single objects'}"
            for question, room in (("first", "room0"), ("other room", "room1"), ("again", "room0")):
                print(f"| {how} | {question} | {asked(store, reader, room)} |", flush=True)


if __name__ == "__main__":
    main()
