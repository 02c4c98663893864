"""The latest records of a room, read back from its file: those from before a gap."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from chatlog.files import Files
from chatlog.naming import parse_name
from chatlog.record import from_json
from chatlog.recorder.room import RoomBuffer

#: Bytes read from the end of a file.
_BYTES = 256 * 1024
#: Seconds between two listings of the spool, which find the files of rooms without an open one.
_LIST_EVERY = 5.0
#: Later than any time in a record.
_NEVER = "9999-12-31T23:59:59.999Z"


class Tail(NamedTuple):
    """The ``keys`` of all records that arrived at ``since`` (a time as in records) or later."""

    since: str = _NEVER
    keys: frozenset[Hashable] = frozenset()

    def joined(self, keys: Iterable[Hashable]) -> Tail:
        """The same tail with more keys."""
        return Tail(self.since, self.keys.union(keys))


class Tails:
    """Reads the ends of the files of one platform.

    ``room`` returns the buffer of a channel; ``key`` returns the same value for two records of one event.
    Errors of the disk are not raised: the tail is then shorter.
    """

    def __init__(
        self,
        files: Files,
        directory: str,
        platform: str,
        room: Callable[[str], RoomBuffer],
        key: Callable[[Mapping[str, Any]], Hashable],
        seconds: Callable[[], float],
    ) -> None:
        self._files = files
        self._directory = directory
        self._platform = platform
        self._room = room
        self._key = key
        self._seconds = seconds
        self._newest: dict[str, str] = {}
        self._listed_at = float("-inf")

    def read(self, channel: str, since: str) -> Tail:
        """The records that arrived in the room since ``since``, or as many of them as can be read."""
        room = self._room(channel)
        names = [room.file.name] if room.file is not None else self._names(channel)
        data = b""
        for name in names:
            with suppress(OSError):
                data = self._end_of(name)
        # The first and the last line may be incomplete; such a line is skipped below.
        lines = [*data.split(b"\n"), *room.lines]
        keys: set[Hashable] = set()
        oldest = _NEVER
        for line in reversed(lines):
            # A line that no recorder wrote is skipped.
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                record = from_json(line)
                if record.get("type") == "gap":
                    continue
                arrived = record.get("received") or record["timestamp"]
                if arrived < since:
                    return Tail(since, frozenset(keys))
                keys.add(self._key(record))
                oldest = min(oldest, arrived)
        return Tail(oldest, frozenset(keys))

    def _names(self, channel: str) -> list[str]:
        """The newest file of a room without an open one."""
        now = self._seconds()
        if now - self._listed_at >= _LIST_EVERY:
            self._listed_at = now
            self._newest = self._list()
        return [self._newest[channel]] if channel in self._newest else []

    def _list(self) -> dict[str, str]:
        newest: dict[str, tuple[str, int, str]] = {}
        for area in ("open", "sealed"):
            with suppress(OSError):
                for entry in self._files.names(f"{self._directory}/{area}"):
                    if entry.startswith(f"{self._platform}_"):
                        with suppress(ValueError):
                            name = parse_name(entry)
                            found = (name.minute, name.n, entry)
                            newest[name.channel] = max(found, newest.get(name.channel, found))
        return {channel: entry for channel, (_, _, entry) in newest.items()}

    def _end_of(self, name: str) -> bytes:
        """The end of a file in ``open/`` or ``sealed/``. Raises OSError."""
        try:
            return self._read(f"{self._directory}/open/{name}")
        except FileNotFoundError:
            return self._read(f"{self._directory}/sealed/{name}")

    def _read(self, path: str) -> bytes:
        size = self._files.size(path)
        fd = self._files.open_read(path)
        try:
            return self._files.read_at(fd, _BYTES, max(0, size - _BYTES))
        finally:
            self._files.close(fd)
