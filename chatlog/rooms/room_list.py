"""Which rooms are wanted: those of the configuration, and what was added and removed since, at run time.

The changes are kept in ``{directory}/rooms.yaml``, so that they outlive the process; the configuration
itself stays the user's and is never written.

    added:
      twitch: [ann]
      kick: [{slug: bob, chatroom_id: 4}]
    removed:
      twitch: [cat]
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml
from twisted.logger import Logger

from chatlog.config.room_names import PLATFORMS, parse_room
from chatlog.config.settings import KickChannel, Settings
from chatlog.config.values import LOGIN, SLUG
from chatlog.files import Files, NotCertain, replace_file

#: Platform and name of a room; what the platform needs to record it.
Key = tuple[str, str]
Channel = str | KickChannel

#: Bytes of the file that are read at most, and rooms that may be added at run time.
_LARGEST = 4_000_000
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
    """The rooms that are wanted, and the file beside them. ``RoomChanges`` puts changes in force."""

    _log = Logger()

    def __init__(self, files: Files, directory: str, settings: Settings) -> None:
        self._files = files
        self._path = f"{directory}/rooms.yaml"
        self._configured = rooms_of(settings)
        self._added: dict[Key, Channel] = {}
        self._removed: set[Key] = set()
        self._unread = False

    def load(self) -> None:
        """Read what was changed by earlier runs. A file that cannot be understood is put aside."""
        try:
            fd = self._files.open_read(self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._cannot_read(error)
            return
        try:
            data = b""
            while len(data) <= _LARGEST and (chunk := self._files.read(fd, 1 << 20)):
                data += chunk
        except OSError as error:
            # A directory in its place, a disk that fails.
            self._cannot_read(error)
            return
        finally:
            self._files.close(fd)
        try:
            self._added, self._removed = _parsed(data)
        except ValueError as error:
            broken = f"{self._path}.broken"
            with suppress(OSError):
                self._files.rename(self._path, broken)
            self._log.error(
                "{path} cannot be understood and is now {broken}: {error}. Rooms that were added or removed "
                "at run time are as the configuration has them",
                path=self._path,
                broken=broken,
                error=str(error),
            )

    def _cannot_read(self, error: OSError) -> None:
        self._unread = True
        self._log.error(
            "{path} cannot be read: {error}. Rooms are as the configuration has them, and none can be added "
            "or removed until the recorder starts with a file that can be read",
            path=self._path,
            error=error.strerror,
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
            raise OSError(errno.EIO, "rooms.yaml could not be read when the recorder started", self._path)
        data = yaml.safe_dump(
            {"added": _by_platform(added), "removed": _names_by_platform(removed)}, sort_keys=False
        ).encode()
        try:
            replace_file(self._files, self._path, [data])
        except NotCertain as error:
            # The next start finds the change, so it is in force now.
            self._log.warn(
                "{path} is changed, but may be as it was before if the machine dies now: {error}",
                path=self._path,
                error=error.strerror,
            )
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


def _parsed(data: bytes) -> tuple[dict[Key, Channel], set[Key]]:
    """What was added and removed. Raises ValueError."""
    if len(data) > _LARGEST:
        raise ValueError("the file is too large")
    try:
        # Nodes, and no values: they know their lines, and a room that is called "no" stays one.
        tree = yaml.compose(data.decode("utf-8"), yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from None
    parts = _entries(tree)
    added: dict[Key, Channel] = {}
    removed: set[Key] = set()
    for platform, item in _items(parts.get("added")):
        channel = _channel(platform, item)
        added[key_of(platform, channel)] = channel
    for platform, item in _items(parts.get("removed")):
        removed.add(key_of(platform, _channel(platform, item)))
    return added, removed


def _items(part: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Every room below ``added`` or ``removed`` with its platform."""
    for platform, items in _entries(part).items() if part is not None else ():
        if not isinstance(items, yaml.SequenceNode):
            raise _problem(items, "a platform's rooms must be a list")
        for item in items.value:
            yield platform, item


def _channel(platform: str, item: yaml.Node) -> Channel:
    given = _entries(item) if isinstance(item, yaml.MappingNode) else {"slug": item}
    ids = (_number(given.get(name)) for name in ("chatroom_id", "channel_id"))
    try:
        return checked(platform, _text(given.get("slug", item)), *ids)
    except RoomListError as error:
        raise _problem(item, str(error)) from None


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """Keys with their values."""
    if not isinstance(node, yaml.MappingNode):
        raise _problem(node, "there must be keys with values")
    return {_text(key): value for key, value in node.value}


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _problem(node, "there must be a single value")
    return str(node.value)


def _number(node: yaml.Node | None) -> int | None:
    if node is None:
        return None
    text = _text(node)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_ID))):
        raise _problem(node, "an id must be a whole number above 0")
    return int(text)


def _problem(node: yaml.Node | None, text: str) -> ValueError:
    """What is wrong, with its line."""
    return ValueError(f"line {node.start_mark.line + 1 if node is not None else 1}: {text}")
