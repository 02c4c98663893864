"""The list of wanted rooms: those of the configuration, with the rooms that were added and without those that
were removed at run time.

The changes are kept in the state, so that they outlive the process. The configuration belongs to the user and
is never written.

    {"added":{"twitch":["ann"],"kick":[{"slug":"bob","chatroom_id":4}]},"removed":{"twitch":["cat"]}}
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from chatlog.config.platform import Channel, Key, Registry, rooms_of
from chatlog.config.room_names import name_alone, parse_room
from chatlog.config.settings import Settings
from chatlog.files import Files
from chatlog.state.state_file import StateFile

#: The most rooms that may be added at run time.
MOST_ADDED = 200_000
_LARGEST_ID = 10**15


class RoomListError(ValueError):
    """A room cannot be added; the message says why."""


class ListAway(Exception):
    """The list of rooms cannot be changed now; the message says why."""


def checked(registry: Registry, platform: str, name: str, **ids: Any) -> Channel:
    """The room that a user named; an id of None is left out. Raises RoomListError."""
    if platform not in registry:
        raise RoomListError(f"platform must be one of {', '.join(registry)}")
    given = {key: value for key, value in ids.items() if value is not None}
    if any(type(value) is not int or not 0 < value <= _LARGEST_ID for value in given.values()):
        raise RoomListError("an id must be a whole number above 0")
    for key in given:
        if key not in registry[platform].ids:
            those = " and ".join(each.title for each in registry.values() if key in each.ids)
            raise RoomListError(f"only rooms of {those} have a {key}" if those else f"no room has a {key}")
    try:
        return registry[platform].read(name_alone(name, registry, platform), **given)
    except ValueError as error:
        raise RoomListError(f"the name {error}") from None


class RoomList:
    """The rooms that are wanted, and the file of changes. ``RoomChanges`` applies changes to the pools."""

    _log = Logger()

    def __init__(self, files: Files, directory: str, settings: Settings, registry: Registry) -> None:
        self._registry = registry
        #: The names of the platforms that rooms can be of.
        self.platforms: Collection[str] = registry.keys()
        self._file = StateFile(files, directory, "rooms")
        self._configured = rooms_of(self._registry, settings.platforms)
        self._added: dict[Key, Channel] = {}
        self._removed: set[Key] = set()
        self._unread = False

    def load(self) -> None:
        """Read the changes of earlier runs."""
        try:
            for _, entry in self._file.read():
                self._added, self._removed = changes_in(entry, self._registry)
        except OSError as error:
            # A directory of that name, or a failing disk.
            self._unread = True
            self._log.error(
                "{path} cannot be read: {error}. Rooms are as the configuration has them, and none can be "
                "added or removed until the recorder starts with a file that can be read",
                path=self._file.path,
                error=error.strerror,
            )
            return
        if self._file.damaged and not (self._added or self._removed):
            self._log.error(
                "rooms that were added or removed at run time are as the configuration has them; what is "
                "left of their list is now {aside}",
                aside=self._file.keep_damaged(),
            )

    def key_of(self, platform: str, channel: Channel) -> Key:
        """The key of a room."""
        return platform, self._registry[platform].name_of(channel)

    def named(self, text: str, platform: str = "", **ids: Any) -> tuple[Key, Channel]:
        """The room that a user named, also by the channel's address. Raises RoomListError."""
        if platform and platform not in self._registry:
            raise RoomListError(f"platform must be one of {', '.join(self._registry)}")
        try:
            found = parse_room(text, self._registry, platform)
        except ValueError as error:
            raise RoomListError(str(error)) from None
        channel = checked(self._registry, found.platform, found.name, **ids)
        return self.key_of(found.platform, channel), channel

    def rooms(self) -> dict[Key, Channel]:
        """Every room that is wanted."""
        wanted = {key: channel for key, channel in self._configured.items() if key not in self._removed}
        return {**wanted, **self._added}

    def add(self, platform: str, channel: Channel) -> bool:
        """Record a room from now on; False if it is recorded that way already. Raises RoomListError, and
        OSError if the change cannot be written; then nothing is changed."""
        key = self.key_of(platform, channel)
        before = self.rooms().get(key)
        if before is not None and (before == channel or not self._registry[platform].ids_of(channel)):
            return False
        added, removed = dict(self._added), self._removed - {key}
        if self._configured.get(key) != channel:
            added[key] = channel
        if len(added) > MOST_ADDED:
            raise RoomListError(f"more than {MOST_ADDED} rooms cannot be added at run time")
        self._save(added, removed)
        return True

    def remove(self, platform: str, name: str) -> bool:
        """Stop recording a room; False if it is not recorded. Raises OSError if the change cannot be written;
        then nothing is changed."""
        key = platform, name
        if key not in self.rooms():
            return False
        added = {other: channel for other, channel in self._added.items() if other != key}
        self._save(added, self._removed | ({key} if key in self._configured else set()))
        return True

    def reload(self, settings: Settings) -> None:
        """Use another configuration. Changes made at run time stay."""
        self._configured = rooms_of(self._registry, settings.platforms)

    def _save(self, added: dict[Key, Channel], removed: set[Key]) -> None:
        if self._unread:
            # The new file would replace changes that could not be read.
            raise OSError(
                errno.EIO, "the list of rooms could not be read when the recorder started", self._file.path
            )
        self._file.keep({"added": self._shown(added), "removed": _names_by_platform(removed)})
        self._added, self._removed = added, removed

    def _shown(self, rooms: dict[Key, Channel]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for (platform, name), channel in sorted(rooms.items(), key=lambda item: item[0]):
            registered = self._registry[platform]
            shown = {"slug": name, **registered.ids_of(channel)} if registered.ids else name
            found.setdefault(platform, []).append(shown)
        return found


def _names_by_platform(keys: set[Key]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for platform, name in sorted(keys):
        found.setdefault(platform, []).append(name)
    return found


def changes_in(entry: Any, registry: Registry) -> tuple[dict[Key, Channel], set[Key]]:
    """The rooms that were added and removed; invalid ones are left out."""
    added: dict[Key, Channel] = {}
    for platform, item in _items(entry, "added"):
        given = item if isinstance(item, dict) else {"slug": item}
        with suppress(RoomListError, KeyError):
            ids = {key: given[key] for each in registry.values() for key in each.ids if key in given}
            channel = checked(registry, platform, _text(given.get("slug")), **ids)
            added[platform, registry[platform].name_of(channel)] = channel
    removed: set[Key] = set()
    for platform, item in _items(entry, "removed"):
        with suppress(RoomListError, KeyError):
            channel = checked(registry, platform, _text(item))
            removed.add((platform, registry[platform].name_of(channel)))
    return added, removed


def _items(entry: Any, part: str) -> Iterator[tuple[str, Any]]:
    """Every room below ``added`` or ``removed`` with its platform."""
    platforms = entry.get(part) if isinstance(entry, dict) else None
    for platform, items in platforms.items() if isinstance(platforms, dict) else ():
        for item in items if isinstance(items, list) else ():
            yield platform, item


def _text(value: Any) -> str:
    """The value if it is a text; "" (which is no valid name) if not."""
    return value if isinstance(value, str) else ""
