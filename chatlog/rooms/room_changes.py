"""Applies changes of the list of rooms while recording goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatlog.config.platform import Channel, Key
from chatlog.config.settings import Settings
from chatlog.rooms.room_list import RoomList


class RoomChanges:
    """Changes ``rooms``, and calls ``on_add(platform, channel)`` for a new room and ``on_remove(platform,
    name)`` for a removed one."""

    def __init__(
        self,
        rooms: RoomList,
        on_add: Callable[[str, Channel], object],
        on_remove: Callable[[str, str], object],
    ) -> None:
        self._list = rooms
        #: The names of the platforms that rooms can be of.
        self.platforms = rooms.platforms
        self._on_add = on_add
        self._on_remove = on_remove

    def load(self) -> None:
        """Read the changes of earlier runs, and record every wanted room."""
        self._list.load()
        for (platform, _), channel in self._list.rooms().items():
            self._on_add(platform, channel)

    def named(self, text: str, platform: str = "", **ids: Any) -> tuple[Key, Channel]:
        """The room that a user named; see ``RoomList.named``."""
        return self._list.named(text, platform, **ids)

    def rooms(self) -> dict[Key, Channel]:
        """Every room that is wanted."""
        return self._list.rooms()

    def add(self, platform: str, channel: Channel) -> bool:
        """Record a room from now on; see ``RoomList.add``. A room whose ids have changed is removed and added
        again."""
        key = self._list.key_of(platform, channel)
        before = key in self._list.rooms()
        if not self._list.add(platform, channel):
            return False
        if before:
            self._on_remove(*key)
        self._on_add(platform, channel)
        return True

    def remove(self, platform: str, name: str) -> bool:
        """Stop recording a room; see ``RoomList.remove``."""
        if not self._list.remove(platform, name):
            return False
        self._on_remove(platform, name)
        return True

    def reload(self, settings: Settings) -> None:
        """Apply a new configuration. Changes made at run time stay."""
        before = self._list.rooms()
        self._list.reload(settings)
        after = self._list.rooms()
        for key, channel in before.items():
            if after.get(key) != channel:
                self._on_remove(*key)
        for key, channel in after.items():
            if before.get(key) != channel:
                self._on_add(key[0], channel)
