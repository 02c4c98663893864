"""The line of IRC for a record: the original one, or one like it.

A Twitch record holds all parts of its line (docs/records.md), so the line can be built again. If the line was
not UTF-8, or had a tag twice, the record has the line itself. A record of Kick becomes the line that Twitch
would have sent, with the tags that clients look for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from chatlog.archive import lines
from chatlog.archive.matching import badges_of
from chatlog.twitch.events import OWN_DETAILS

_SPECIAL = re.compile(r"[\\; \r\n]")
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\:", " ": "\\s", "\r": "\\r", "\n": "\\n"})
#: Keys of ``details`` that are no tags, besides those of the parser.
_NOT_TAGS = OWN_DETAILS | {"backfilled", "oversized", "imported"}


def irc_line(record: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> str:
    """The line without its newline; ``""`` for a record that is no line of IRC (a gap, an unparsed line, an
    event of Kick without a counterpart on Twitch). It never contains a newline. ``tags``: the result of
    ``tags_of``, if it is known already."""
    details = record.get("details")
    if not isinstance(details, Mapping):
        details = {}
    kind = record.get("type", "message")
    if kind in ("gap", "unparsed"):
        return ""
    if record.get("platform", "twitch") != "twitch":
        line = _of_kick(record, kind)
    else:
        line = _whole(details) or _put_together(record, details, kind, tags)
    return line.replace("\r", " ").replace("\n", " ")


def tags_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a Twitch record's line."""
    details = record.get("details")
    return _tags(record, details if isinstance(details, Mapping) else {})


def _whole(details: Mapping[str, Any]) -> str:
    """The line itself, if the record has it."""
    if isinstance(raw := details.get("raw_base64"), str):
        try:
            line = base64.b64decode(raw, validate=True).decode("utf-8", "replace")
        except ValueError:
            return ""
        # If the record did not come as a line of IRC, this is the record in JSON.
        return "" if line.startswith("{") else line
    raw = details.get("raw")
    return raw if isinstance(raw, str) else ""


def _put_together(
    record: Mapping[str, Any], details: Mapping[str, Any], kind: str, tags: Mapping[str, str] | None
) -> str:
    command = str(details.get("command", "PRIVMSG"))
    channel, username, text = (str(record.get(key, "")) for key in ("channel", "username", "message"))
    source = "tmi.twitch.tv"
    params = [f"#{channel}"]
    if command in ("PRIVMSG", "WHISPER"):
        source = f"{username}!{username}@{username}.tmi.twitch.tv"
    if command == "PRIVMSG":
        params.append(f"\x01ACTION {text}\x01" if kind == "action" else text)
    elif command == "CLEARCHAT":
        params += [username] if username else []
    elif text:
        params.append(text)
    source = str(details.get("source", source))
    if isinstance(given := details.get("params"), list):
        params = [str(param) for param in given]
    return formatted(_tags(record, details) if tags is None else tags, source, command, params)


def _tags(record: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, str]:
    if not details:
        # Basic detail: the tags of its five keys.
        return {
            "display-name": str(record.get("username", "")),
            "tmi-sent-ts": _milliseconds(record),
            "user-id": str(record.get("user_id", "")),
        }
    if "imported" in details and "tmi-sent-ts" not in details:
        # The source kept no tags; readers of lines need the time.
        named = details.get("display-name")
        details = {
            **details,
            "display-name": named if isinstance(named, str) else str(record.get("username", "")),
            "tmi-sent-ts": _milliseconds(record),
        }
    tags = dict(details)
    for name in _NOT_TAGS:
        tags.pop(name, None)
    with suppress(TypeError):
        # Nearly all records: all values are strings, and no name was renamed.
        "".join(tags.values())
        if "@" not in "".join(tags):
            return tags
    return {_as_sent(name): value for name, value in tags.items() if isinstance(value, str)}


def _as_sent(name: str) -> str:
    bare = name.lstrip("@")
    return bare if bare in OWN_DETAILS else name


def _of_kick(record: Mapping[str, Any], kind: str) -> str:
    channel, username, text = (str(record.get(key, "")) for key in ("channel", "username", "message"))
    details: Mapping[str, Any] = record.get("details") or {}
    common = {"room-id": str(record.get("channel_id", "")), "tmi-sent-ts": _milliseconds(record)}
    if kind in ("message", "action"):
        sender = _object(details, "sender")
        identity = _object(sender, "identity")
        tags = {
            "badges": ",".join(badge if "/" in badge else f"{badge}/1" for badge in badges_of(dict(record))),
            "color": str(identity.get("color", "")),
            "display-name": str(sender.get("username", username)),
            "emotes": "",
            "id": str(record.get("id", "")),
            **common,
            "user-id": str(record.get("user_id", "")),
        }
        source = f"{username}!{username}@{username}.kick.com"
        return formatted(tags, source, "PRIVMSG", [f"#{channel}", text])
    if kind in ("timeout", "ban", "clear"):
        tags = {**common}
        if kind != "clear":
            tags["target-user-id"] = str(record.get("user_id", ""))
        if kind == "timeout":
            minutes = details.get("duration")
            tags["ban-duration"] = str(int(minutes * 60) if isinstance(minutes, (int, float)) else 1)
        moderator = details.get("banned_by")
        if isinstance(moderator, dict):
            tags["moderator-user-login"] = str(moderator.get("slug", moderator.get("username", "")))
        params = [f"#{channel}", username] if username else [f"#{channel}"]
        return formatted(tags, "tmi.kick.com", "CLEARCHAT", params)
    if kind == "delete":
        message = _object(details, "message")
        tags = {"login": username, "target-msg-id": str(message.get("id", "")), **common}
        return formatted(tags, "tmi.kick.com", "CLEARMSG", [f"#{channel}", text])
    if kind in ("subscription", "gift", "raid", "pin", "poll", "reward"):
        event = str(details.get("event", kind))
        tags = {
            "display-name": username,
            "login": username,
            "msg-id": event,
            **common,
            "system-msg": system_text(record),
            "user-id": str(record.get("user_id", "")),
        }
        return formatted(tags, "tmi.kick.com", "USERNOTICE", [f"#{channel}", *([text] if text else [])])
    return ""


def _object(above: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = above.get(key)
    return value if isinstance(value, dict) else {}


def formatted(tags: Mapping[str, str], source: str, command: str, params: list[str]) -> str:
    """The line of these parts. The last parameter is written as the trailing one, as Twitch does."""
    parts = []
    if tags:
        pairs: Iterable[tuple[str, str]] = tags.items()
        if _SPECIAL.search("".join(tags.values())):
            pairs = [(name, value.translate(_ESCAPES)) for name, value in pairs]
        parts.append(f"@{';'.join(map('='.join, pairs))}")
    if source:
        parts.append(f":{source}")
    parts.append(command)
    *middle, last = params or [""]
    parts += middle
    if params:
        needs_colon = len(params) > 1 or not last or " " in last or last.startswith(":")
        parts.append(f":{last}" if needs_colon else last)
    return " ".join(parts)


def system_text(record: Mapping[str, Any]) -> str:
    """The text of an event that no user wrote: Twitch's ``system-msg``, or a sentence if there is none;
    ``""`` for messages of users."""
    details = record.get("details") or {}
    if isinstance(said := details.get("system-msg"), str) and said:
        return said
    who = str(record.get("username", "")) or "somebody"
    return {
        "timeout": f"{who} has been timed out for {seconds_of_ban(record)} seconds",
        "ban": f"{who} has been banned",
        "unban": f"{who} has been unbanned",
        "clear": "Chat has been cleared",
        "delete": f"a message of {who} was deleted",
        "subscription": f"{who} has subscribed",
        "gift": f"{who} has given a gift",
        "raid": f"{who} is raiding",
        "pin": f"a message of {who} was pinned",
        "reward": f"{who} has redeemed a reward",
    }.get(str(record.get("type", "")), "")


def seconds_of_ban(record: Mapping[str, Any]) -> int:
    """The seconds of a time-out; 0 if they are not known."""
    details = record.get("details") or {}
    given = details.get("ban-duration")
    if isinstance(given, str) and given.isascii() and given.isdigit():
        return int(given[:12])
    minutes = details.get("duration")
    return int(minutes * 60) if isinstance(minutes, (int, float)) and 0 <= minutes < 1e9 else 0


def _milliseconds(record: Mapping[str, Any]) -> str:
    try:
        return str(round(lines.seconds(str(record.get("timestamp", ""))) * 1000))
    except ValueError:
        return "0"
