"""Rooms of which somebody has said that they know: it is not recorded, and need not be told again.

It is kept in ``{directory}/acknowledged.json`` and outlives the process. It ends when the room is recorded
again, or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import orjson
from twisted.logger import Logger

from chatlog.files import Files, write_whole

Key = tuple[str, str]

NAME = "acknowledged.json"
#: Bytes of the file that are read at most.
_LARGEST = 4_000_000


class Acknowledged:
    """The rooms, as platform and name."""

    _log = Logger()

    def __init__(self, files: Files, directory: str) -> None:
        self._files = files
        self._directory = directory
        self._path = f"{directory}/{NAME}"
        self._rooms: set[Key] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._rooms

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)

    def load(self) -> None:
        """Read what earlier runs were told. A file that cannot be read counts as an empty one: then the rooms
        are told of again, which hides nothing."""
        try:
            if self._files.size(self._path) > _LARGEST:
                raise ValueError("it is too large")
            fd = self._files.open_read(self._path)
            try:
                parts = []
                while part := self._files.read(fd, 65536):
                    parts.append(part)
            finally:
                self._files.close(fd)
            content = orjson.loads(b"".join(parts))
            if not isinstance(content, dict):
                raise ValueError("it is no object")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._log.warn("{path} cannot be read, and is left out: {error}", path=NAME, error=str(error))
            return
        self._rooms = {
            (platform, name)
            for platform, names in content.items()
            if isinstance(names, list)
            for name in names
            if isinstance(name, str)
        }

    def add(self, key: Key) -> bool:
        """Somebody knows of the room; False if that was known already. Raises OSError if it cannot be kept;
        then nothing is changed."""
        if key in self._rooms:
            return False
        self._save(self._rooms | {key})
        return True

    def discard(self, key: Key) -> bool:
        """Tell of the room again; False if it was told of anyway. Raises OSError if that cannot be kept;
        then nothing is changed."""
        if key not in self._rooms:
            return False
        self._save(self._rooms - {key})
        return True

    def over(self, keys: Iterable[Key]) -> None:
        """These rooms are recorded again, or gone."""
        left = self._rooms.difference(keys)
        if len(left) == len(self._rooms):
            return
        for platform, name in sorted(self._rooms - left):
            self._log.info("{platform}/{name} is no longer acknowledged", platform=platform, name=name)
        with suppress(OSError):
            self._save(left)
        # Should it not be kept, it ends once more after the next start.
        self._rooms = left

    def _save(self, rooms: set[Key]) -> None:
        content: dict[str, list[str]] = {}
        for platform, name in sorted(rooms):
            content.setdefault(platform, []).append(name)
        new = f"{self._path}.new"
        with suppress(FileNotFoundError):
            self._files.remove(new)
        fd = self._files.create(new)
        try:
            write_whole(self._files, fd, orjson.dumps(content, option=orjson.OPT_INDENT_2))
            self._files.sync(fd)
        finally:
            self._files.close(fd)
        self._files.rename(new, self._path)
        self._rooms = rooms
        self._files.sync_directory(self._directory)
