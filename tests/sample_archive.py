"""An archive in a directory, made for a test to break."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime

from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.record import encode_full, rfc3339
from chatlog.rooms.gap import gap_line
from chatlog.signing import Signer
from chatlog.timeline.timeline import Gap
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.manifest_chain import Sealed
from chatlog.uploader.manifest_rows import BundledRow, HeadRow, ObjectRow, RoomRow, Row, encoded, name_of
from chatlog.uploader.packing import packer

#: 2025-12-29T00:00:00Z, as seconds since the epoch.
MIDNIGHT = 1766966400.0
HOUR = 3600.0


def message(number: int, channel: str, at: float, platform: str = "twitch") -> bytes:
    """A chat message that is like no other."""
    time = rfc3339(round(at * 1000))
    details = {"command": "PRIVMSG"}
    return encode_full(
        time, channel, "ann", "1", "h\u00e9llo", "message", f"id-{number}", platform, "7", time, details
    )


class Archive:
    """An archive below ``root``. ``fill`` records two rooms for some hours; each hour's objects are stored
    in the hour after it, and named by the manifest of that. Without ``chained`` the manifests are of the form
    before chains."""

    def __init__(
        self,
        root: str,
        suffix: str = ".zst",
        instance: str = "",
        chained: bool = False,
        signer: Signer | None = None,
    ) -> None:
        self.root = root
        self.suffix = suffix
        self.instance = instance
        self.chained = chained
        self.signer = signer
        self.previous = ""
        self.number = 0
        self.objects: list[ObjectRow] = []

    def put(self, key: str, data: bytes) -> None:
        path = self.path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def path(self, key: str) -> str:
        return os.path.join(self.root, *key.split("/"))

    def read(self, key: str) -> bytes:
        with open(self.path(key), "rb") as file:
            return file.read()

    def packed(self, data: bytes) -> bytes:
        packing = packer(self.suffix)
        return packing.compress(data) + packing.flush()

    def store(
        self,
        at: float,
        channel: str,
        lines: list[bytes],
        platform: str = "twitch",
        n: int = 1,
        old: bool = False,
    ) -> ObjectRow:
        """An object of a room, begun at ``at``; the row that names it."""
        name = FileName(platform, channel, utc_minute(at), self.instance, n, old)
        key = name.key(suffix=self.suffix)
        data = self.packed(b"".join(lines))
        self.put(key, data)
        time = rfc3339(round(at * 1000))
        return ObjectRow(key, len(data), hashlib.sha256(data).hexdigest(), len(lines), time, time)

    def manifest(
        self,
        since: float,
        until: float,
        objects: list[ObjectRow],
        missing: float = 0.0,
        new_spool: bool = False,
        more: Iterable[Row] = (),
    ) -> str:
        """The manifest of a period; its key. It has ``more`` rows behind those of the objects."""
        head = HeadRow(since, until, "1.2.3", self.instance or "main", new_spool, "", 1)
        if self.chained:
            head = head._replace(format=2, previous=self.previous)
        reason = "refused" if missing else ""
        rooms = [
            RoomRow("twitch", "a", until - since, 0.0, ""),
            RoomRow("twitch", "b", until - since - missing, missing, reason),
        ]
        return self.manifest_of(head, [*objects, *more, *rooms])

    def manifest_of(self, head: HeadRow, below: Iterable[Row]) -> str:
        """A manifest of these rows; its key."""
        key = name_of(head).key(self.suffix)
        rows: list[Row] = [head, *below]
        sealed = Sealed(map(encoded, rows), self.signer)
        self.put(key, self.packed(b"".join(sealed)))
        self.previous = sealed.digest
        return key

    def bundle(self, at: float, objects: list[ObjectRow]) -> list[BundledRow]:
        """Move these objects into a bundle, as a recorder stores them that bundles; its rows."""
        name = BundleName(utc_minute(at), instance=self.instance).key(".zst")
        data, rows = b"", []
        for each in objects:
            rows.append(BundledRow(each.key, name, len(data), each.bytes, each.sha256))
            data += self.read(each.key)
            os.unlink(self.path(each.key))
        self.put(name, data + table_bytes([Slice(row.key, name, row.offset, row.bytes) for row in rows]))
        return rows

    def messages(self, channel: str, at: float, count: int = 20) -> list[bytes]:
        """Messages, a second apart."""
        self.number += count
        return [message(self.number - count + n, channel, at + n) for n in range(count)]

    def fill(self, hours: int = 4, missing: float = 0.0) -> list[str]:
        """The keys of the manifests."""
        manifests = []
        before: list[ObjectRow] = []
        for hour in range(hours):
            at = MIDNIGHT + hour * HOUR
            manifests.append(self.manifest(at, at + HOUR, before, missing))
            lines = self.messages("b", at)
            if missing:
                hole = Gap(at + 10, at + 10 + missing, "connection lost")
                lines.insert(10, gap_line(encode_full, "twitch", "b", "7", hole))
            before = [self.store(at, "a", self.messages("a", at)), self.store(at, "b", lines)]
            self.objects += before
        return manifests


def seconds(text: str) -> float:
    """A UTC time of a test's text in seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
