"""Makes items of lines of JSON: our own records in full or basic detail, those of rustlog and justlog, and
plain objects of other programs whose keys have usual names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chatlog.importing import server_notices
from chatlog.importing.irc_lines import IrcLines
from chatlog.importing.items import Item, LineError, Maker
from chatlog.platforms import PLATFORMS
from chatlog.record import KEYS, TYPES, from_json, rfc3339
from chatlog.verify.record_check import is_timestamp

_NAMES = {
    "timestamp": ("timestamp", "time", "date", "created_at", "sent_at", "datetime", "ts"),
    "channel": ("channel", "room", "channel_name", "channelName", "streamer"),
    "username": ("username", "user", "login", "nick", "author", "name", "displayName", "display_name"),
    "user_id": ("user_id", "userId", "userID"),
    "message": ("message", "text", "body", "content", "msg"),
    "id": ("id", "message_id", "messageId"),
    "channel_id": ("channel_id", "channelId", "room_id", "roomId"),
    "type": ("type",),
    "platform": ("platform",),
}
#: The limits between seconds, milliseconds and microseconds: now is 1.8e9, 1.8e12 and 1.8e15.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6))
_TAGS = {"user_id": "user-id", "channel_id": "room-id"}


class JsonLines:
    """Reads lines of JSON. ``platform`` and ``channel``: the room of lines that do not name one."""

    def __init__(self, maker: Maker, platform: str, channel: str) -> None:
        self._maker = maker
        self._platform = platform
        self._channel = channel
        self._lines = {name: IrcLines(maker, name) for name in PLATFORMS}

    def item(self, line: bytes, where: str) -> Item | None:
        """The item of a line without its newline; None for an empty line. Raises LineError and Incomplete."""
        if not line.strip():
            return None
        try:
            found = from_json(line)
        except ValueError:
            raise LineError("no JSON") from None
        if not isinstance(found, dict):
            raise LineError("no JSON object")
        raw = found.get("raw")
        if isinstance(raw, str) and raw.startswith(("@", ":")) and "details" not in found:
            # An answer of rustlog or justlog: the raw line has more than the other keys.
            return self._lines[self._platform].item(raw.encode("utf-8", "replace"), where, "")
        return self._item(found, where)

    def _item(self, found: dict[str, Any], where: str) -> Item:
        details = found.get("details")
        ours = tuple(found) == KEYS and isinstance(details, dict)
        record = {key: self._text(found, key) for key in _NAMES}
        record["timestamp"], whole = _time(_first(found, "timestamp"))
        record["platform"] = record["platform"].lower() or self._platform
        record["channel"] = (record["channel"] or self._channel).lstrip("#").lower()
        if not record["channel"]:
            raise LineError("it names no room; say which one it is with --room")
        tags = found.get("tags")
        given: dict[str, Any] = tags if isinstance(tags, dict) else {}
        marks = details if isinstance(details, dict) else given
        if server_notices.is_notice(marks, record["username"]):
            room = record["platform"], record["channel"]
            return server_notices.item_of(self._maker, *room, marks, record["message"], where)
        if ours:
            if record["type"] not in TYPES:
                raise LineError(f"{record['type'][:40]!r} is not a kind of record")
            return self._maker.item({**record, "details": details}, f"{where}; received {record_time(found)}")
        if record["type"] not in TYPES:
            record["type"] = "message"
        for key, tag in _TAGS.items():
            record[key] = record[key] or str(given.get(tag, ""))
        name = record["username"]
        record["username"] = name.lower()
        kept: dict[str, Any] = {str(tag): value for tag, value in given.items() if tag != "imported"}
        if isinstance(details, dict):
            kept |= details
        elif name != name.lower():
            kept.setdefault("display-name", name)
        if record["platform"] == "twitch":
            kept.setdefault("command", "PRIVMSG")
        return self._maker.item({**record, "details": kept}, where, whole)

    @staticmethod
    def _text(found: dict[str, Any], key: str) -> str:
        value = _first(found, key)
        if isinstance(value, dict):
            # A person or a room may be an object with more than the name.
            value = next(
                (value[name] for name in ("login", "slug", "name", "username", "id") if name in value), ""
            )
        if value is None or isinstance(value, (list, dict)):
            return ""
        return str(value)


def record_time(found: Mapping[str, Any]) -> str:
    """When one of our own records arrived, as text for people."""
    return str(found["received"])[:24]


def _first(found: dict[str, Any], key: str) -> Any:
    return next((found[name] for name in _NAMES[key] if name in found), "")


def _time(value: Any) -> tuple[str, bool]:
    """A time in the form of the records, and whether it was in whole seconds. Raises LineError."""
    if isinstance(value, str) and is_timestamp(value):
        return value, False
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            return rfc3339(round(moment.timestamp() * 1000)), not moment.microsecond
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            number = float(value)
            number /= next(unit for most, unit in _UNITS if abs(number) < most)
            return rfc3339(round(number * 1000)), number == int(number)
    except (ValueError, OverflowError, StopIteration):
        pass
    raise LineError("it has no time") from None
