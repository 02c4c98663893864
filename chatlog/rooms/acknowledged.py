"""Rooms of which somebody has said that they know: it is not recorded, and need not be told again.

It is kept in the state, and outlives the process. It ends when the room is recorded again, or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from twisted.logger import Logger

from chatlog.files import Files
from chatlog.state.state_file import StateFile

Key = tuple[str, str]


class Acknowledged:
    """The rooms, as platform and name."""

    _log = Logger()

    def __init__(self, files: Files, directory: str) -> None:
        self._file = StateFile(files, directory, "acknowledged")
        self._rooms: set[Key] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._rooms

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)

    def load(self) -> None:
        """Read what earlier runs were told. What cannot be read counts as not told: then the rooms are told
        of again, which hides nothing."""
        try:
            content = self._file.latest()
        except OSError as error:
            self._log.warn(
                "{path} cannot be read, and is left out: {error}", path=self._file.path, error=str(error)
            )
            return
        self._rooms = {
            (platform, name)
            for platform, names in (content.items() if isinstance(content, dict) else ())
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
        self._file.keep(content)
        self._rooms = rooms
