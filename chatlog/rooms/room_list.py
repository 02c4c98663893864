"""Which rooms are wanted: those of the configuration, and what was added and removed since, at run time.

The changes are kept in the state, so that they outlive the process; the configuration itself stays the user's
and is never written.

    {"added":{"twitch":["ann"],"kick":[{"slug":"bob","chatroom_id":4}]},"removed":{"twitch":["cat"]}}
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from chatlog.config.room_names import PLATFORMS, parse_room
from chatlog.config.settings import KickChannel, Settings
from chatlog.config.values import LOGIN, SLUG
from chatlog.files import Files
from chatlog.state.state_file import StateFile

#: Platform and name of a room; what the platform needs to record it.
Key = tuple[str, str]
Channel = str | KickChannel

#: Rooms that may be added at run time.
MOST_ADDED = 20_000
_LARGEST_ID = 10**15


class RoomListError(ValueError):
    """A room that cannot be added; the text says why."""


def key_of(platform: str, channel: Channel) -> Key:
    """The key of a room."""
    return platform, channel if isinstance(channel, str) else channel.slug


def checked(platform: str, name: str, chatroom_id: Any = None, channel_id: Any = None) -> Channel:
    """The room that somebody named. Raises RoomListError."""
    if platform not in PLATFORMS:
        raise RoomListError(f"platform must be one of {', '.join(PLATFORMS)}")
    for given in (chatroom_id, channel_id):
        if given is not None and (type(given) is not int or not 0 < given <= _LARGEST_ID):
            raise RoomListError("an id must be a whole number above 0")
    try:
        if platform == "kick":
            return KickChannel(SLUG.read(name), chatroom_id, channel_id)
        if chatroom_id is not None or channel_id is not None:
            raise RoomListError("only rooms of Kick have a chatroom_id and a channel_id")
        return str(LOGIN.read(name))
    except RoomListError:
        raise
    except ValueError as error:
        raise RoomListError(f"the name {error}") from None


def checked_room(
    text: str, platform: str = "", chatroom_id: Any = None, channel_id: Any = None
) -> tuple[str, Channel]:
    """Platform and room as somebody named it, also by the channel's address. Raises RoomListError."""
    if platform and platform not in PLATFORMS:
        raise RoomListError(f"platform must be one of {', '.join(PLATFORMS)}")
    try:
        found = parse_room(text, platform)
    except ValueError as error:
        raise RoomListError(str(error)) from None
    return found.platform, checked(found.platform, found.name, chatroom_id, channel_id)


class RoomList:
    """The rooms that are wanted, and what is kept of them. ``RoomChanges`` puts changes in force."""

    _log = Logger()

    def __init__(self, files: Files, directory: str, settings: Settings) -> None:
        self._file = StateFile(files, directory, "rooms")
        self._configured = rooms_of(settings)
        self._added: dict[Key, Channel] = {}
        self._removed: set[Key] = set()
        self._unread = False

    def load(self) -> None:
        """Read what was changed by earlier runs."""
        try:
            for _, entry in self._file.read():
                self._added, self._removed = changes_in(entry)
        except OSError as error:
            # A directory in its place, a disk that fails.
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
                aside=self._file.put_aside(),
            )

    def rooms(self) -> dict[Key, Channel]:
        """Every room that is wanted."""
        wanted = {key: channel for key, channel in self._configured.items() if key not in self._removed}
        return {**wanted, **self._added}

    def add(self, platform: str, channel: Channel) -> bool:
        """Record a room from now on; False if it is recorded that way already. Raises OSError when the
        change cannot be kept, and RoomListError; then nothing is changed."""
        key = key_of(platform, channel)
        before = self.rooms().get(key)
        if before is not None and (before == channel or isinstance(channel, str) or not _has_ids(channel)):
            return False
        added, removed = dict(self._added), self._removed - {key}
        if self._configured.get(key) != channel:
            added[key] = channel
        if len(added) > MOST_ADDED:
            raise RoomListError(f"more than {MOST_ADDED} rooms cannot be added at run time")
        self._save(added, removed)
        return True

    def remove(self, platform: str, name: str) -> bool:
        """Stop recording a room; False if it is not recorded. Raises OSError when the change cannot be
        kept; then nothing is changed."""
        key = platform, name
        if key not in self.rooms():
            return False
        added = {other: channel for other, channel in self._added.items() if other != key}
        self._save(added, self._removed | ({key} if key in self._configured else set()))
        return True

    def reload(self, settings: Settings) -> None:
        """Take another configuration. What was changed at run time stays changed."""
        self._configured = rooms_of(settings)

    def _save(self, added: dict[Key, Channel], removed: set[Key]) -> None:
        if self._unread:
            # It would take the place of changes that nobody has seen.
            raise OSError(
                errno.EIO, "the list of rooms could not be read when the recorder started", self._file.path
            )
        self._file.keep({"added": _by_platform(added), "removed": _names_by_platform(removed)})
        self._added, self._removed = added, removed


def rooms_of(settings: Settings) -> dict[Key, Channel]:
    """The rooms of a configuration."""
    rooms: dict[Key, Channel] = {}
    if settings.twitch is not None:
        rooms.update({("twitch", login): login for login in settings.twitch.channels})
    if settings.kick is not None:
        rooms.update({("kick", channel.slug): channel for channel in settings.kick.channels})
    return rooms


def _has_ids(channel: KickChannel) -> bool:
    return channel.chatroom_id is not None or channel.channel_id is not None


def _by_platform(rooms: dict[Key, Channel]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for (platform, _), channel in sorted(rooms.items(), key=lambda item: item[0]):
        found.setdefault(platform, []).append(_shown(channel))
    return found


def _shown(channel: Channel) -> Any:
    if isinstance(channel, str):
        return channel
    ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
    return {"slug": channel.slug, **{name: id for name, id in ids.items() if id is not None}}


def _names_by_platform(keys: set[Key]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for platform, name in sorted(keys):
        found.setdefault(platform, []).append(name)
    return found


def changes_in(entry: Any) -> tuple[dict[Key, Channel], set[Key]]:
    """The rooms that were added and removed; what can be none is left out."""
    added: dict[Key, Channel] = {}
    for platform, item in _items(entry, "added"):
        given = item if isinstance(item, dict) else {"slug": item}
        with suppress(RoomListError):
            ids = given.get("chatroom_id"), given.get("channel_id")
            channel = checked(platform, _text(given.get("slug")), *ids)
            added[key_of(platform, channel)] = channel
    removed: set[Key] = set()
    for platform, item in _items(entry, "removed"):
        with suppress(RoomListError):
            removed.add(key_of(platform, checked(platform, _text(item))))
    return added, removed


def _items(entry: Any, part: str) -> Iterator[tuple[str, Any]]:
    """Every room below ``added`` or ``removed`` with its platform."""
    platforms = entry.get(part) if isinstance(entry, dict) else None
    for platform, items in platforms.items() if isinstance(platforms, dict) else ():
        for item in items if isinstance(items, list) else ():
            yield platform, item


def _text(value: Any) -> str:
    """A name, or what can be none."""
    return value if isinstance(value, str) else ""
