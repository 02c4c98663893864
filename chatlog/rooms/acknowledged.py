"""The acknowledged rooms: a user knows that they are not recorded, so they are not reported.

Acknowledgements are kept in the state and survive restarts. They end when the room is recorded again or
removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from chatlog.files import Files
from chatlog.state.state_file import StateFile

Key = tuple[str, str]


class Acknowledged:
    """The acknowledged rooms, as platform and name."""

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
        """Read the acknowledgements of earlier runs. If they cannot be read, there are none: the rooms are
        then reported again, and nothing is hidden."""
        try:
            for _, content in self._file.read():
                self._rooms = set(_rooms_in(content))
        except OSError as error:
            self._log.warn(
                "{path} cannot be read, and is left out: {error}", path=self._file.path, error=str(error)
            )

    def add(self, key: Key) -> bool:
        """Acknowledge a room. Returns False if it was acknowledged already. Raises OSError if that cannot be
        saved; nothing is then changed."""
        if key in self._rooms:
            return False
        self._save(self._rooms | {key})
        return True

    def discard(self, key: Key) -> bool:
        """Undo an acknowledgement. Returns False if there was none. Raises OSError if that cannot be saved;
        nothing is then changed."""
        if key not in self._rooms:
            return False
        self._save(self._rooms - {key})
        return True

    def over(self, keys: Iterable[Key]) -> None:
        """These rooms are recorded again, or removed."""
        left = self._rooms.difference(keys)
        if len(left) == len(self._rooms):
            return
        for platform, name in sorted(self._rooms - left):
            self._log.info("{platform}/{name} is no longer acknowledged", platform=platform, name=name)
        with suppress(OSError):
            self._save(left)
        # If that cannot be saved, the acknowledgement ends again after the next start.
        self._rooms = left

    def _save(self, rooms: set[Key]) -> None:
        content: dict[str, list[str]] = {}
        for platform, name in sorted(rooms):
            content.setdefault(platform, []).append(name)
        self._file.keep(content)
        self._rooms = rooms


def _rooms_in(content: Any) -> Iterator[Key]:
    for platform, names in content.items() if isinstance(content, dict) else ():
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str):
                yield platform, name
