"""Follows what a recorder on this machine writes: the ends of the files in its ``open/``.

This costs the recorder nothing, and continues when the recorder is started again. A file that was finished
between two polls is read to its end, also in its new place.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.archive.room_files import Part, PartError, Parts
from chatlog.files import Files
from chatlog.naming import FileName, parse_name
from chatlog.store.store import StoreError
from chatlog.suppression.hidden import Hidden
from chatlog.suppression.left_out import line_without

#: The most bytes that are read in one poll, of all files and of one; the rest comes with the next poll.
MOST = 4 << 20
MOST_OF_ONE = 1 << 20


class Tail:
    """Reads the ends of the files of the spool at ``directory``, without those who are ``hidden``. ``parts``
    finds files that have moved on. Used by one thread at a time."""

    def __init__(self, files: Files, directory: str, parts: Parts, hidden: Hidden | None = None) -> None:
        self._files = files
        self._open = f"{directory}/open"
        self._parts = parts
        self._hidden = hidden
        # How far each file is read; None before the first poll.
        self._read_to: dict[str, int] | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is such a spool."""
        return self._files.exists(self._open)

    def forget(self) -> None:
        """Begin anew: the next poll starts at the ends of the files."""
        self._read_to = None

    def poll(self) -> list[bytes]:
        """The whole lines, without newlines, that were written since the last poll, in the order of each
        file. The first poll returns none, and so does a poll of a spool that does not exist."""
        sizes = self._sizes()
        if self._read_to is None:
            self._read_to = sizes
            return []
        lines: list[bytes] = []
        left = MOST
        for name in [name for name in self._read_to if name not in sizes]:
            # Finished files first: their lines are older.
            rest = b"".join(self._rest_of(parse_name(name), self._read_to.pop(name)))
            lines += self._shown(name, rest)
            left -= len(rest)
        for name, size in sizes.items():
            start = self._read_to.get(name, 0)
            if size < start:
                # The recorder has cut off a torn line.
                self._read_to[name] = start = size
            if size > start and left > 0:
                data = self._read(name, start, min(size - start, MOST_OF_ONE))
                lines += self._shown(name, data)
                left -= len(data)
                start += len(data)
            self._read_to[name] = start
        return lines

    def _shown(self, name: str, data: bytes) -> Iterator[bytes]:
        """The new lines of a room's file, without people who opted out."""
        lines = [line for line in data.split(b"\n") if line]
        room = parse_name(name)
        try:
            who = self._hidden.of_room(room.platform, room.channel) if self._hidden and lines else None
        except StoreError:
            # It is not known who opted out: nothing is shown.
            return
        for line in lines:
            rest = line if who is None else line_without(line, who)
            if rest is not None:
                yield rest

    def _sizes(self) -> dict[str, int]:
        found = {}
        try:
            for name in self._files.names(self._open):
                try:
                    parse_name(name)
                    found[name] = self._files.size(f"{self._open}/{name}")
                except (ValueError, OSError):
                    continue
        except OSError:
            return {}
        return found

    def _read(self, name: str, start: int, size: int) -> bytes:
        """The whole lines from ``start`` on."""
        try:
            fd = self._files.open_read(f"{self._open}/{name}")
        except OSError:
            # The file has just moved on; the next poll finds it.
            return b""
        try:
            data = self._files.read_at(fd, size, start)
        except OSError:
            return b""
        finally:
            self._files.close(fd)
        return data[: data.rfind(b"\n") + 1]

    def _rest_of(self, name: FileName, start: int) -> Iterator[bytes]:
        """The rest of a finished file behind ``start``, at most MOST bytes."""
        left = MOST
        try:
            for block in self._parts.blocks(Part(name, "sealed")):
                if start >= len(block):
                    start -= len(block)
                    continue
                yield block[start : start + left]
                left -= len(block) - start
                start = 0
                if left <= 0:
                    return
        except PartError:
            return
