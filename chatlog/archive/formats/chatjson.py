"""Records as TwitchDownloader's chat JSON, version 1.4.0, from which it renders a video of the chat.

The source of lay295/TwitchDownloader (``TwitchObjects/ChatRoot.cs``, ``Chat/ChatJson.cs``,
``ChatRenderer.cs``) shows what its reader needs: every comment has a display name, a body and fragments; an
empty colour must be null; a ``msg_id`` that the renderer does not know hides the comment; subscriptions and
raids are recognised by the words of their body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatlog import __version__
from chatlog.archive import lines
from chatlog.archive.formats.irc import system_text
from chatlog.archive.matching import badges_of

VERSION = {"Major": 1, "Minor": 4, "Patch": 0}
#: The only kinds of notice that the renderer shows.
_SHOWN_IDS = frozenset({"highlighted-message", "sub", "resub", "subgift"})
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}\Z", re.ASCII)
_KICK_EMOTE = re.compile(r"\[emote:(\d{1,12}):([^\[\]:]{0,100})\]", re.ASCII)
#: The types of records that become comments.
_COMMENT_TYPES = frozenset({"message", "action", "subscription", "gift", "raid", "announcement"})
_LARGEST = 2**31 - 1


def comment(record: Mapping[str, Any], offset: float, hit: str = "") -> dict[str, Any] | None:
    """The comment of a record, ``offset`` seconds into the video; None if the chat did not show the record.
    ``hit``: what moderators did to it, in a key of its own, which the reader ignores."""
    kind = str(record.get("type", "message"))
    if kind not in _COMMENT_TYPES:
        return None
    details = record.get("details") or {}
    said = str(record.get("message", ""))
    name = _display_name(record, details)
    system = system_text(record) if kind not in ("message", "action", "announcement") else ""
    body = _utf16(f"{system} {said}" if system else said)
    fragments = list(_fragments(record, details, body, len(system) + 1 if system else 0, name))
    message: dict[str, Any] = {
        "body": body,
        "bits_spent": _number(details.get("bits")),
        "fragments": fragments,
        "user_badges": [
            {"_id": badge.partition("/")[0], "version": badge.partition("/")[2] or "1"}
            for badge in badges_of(dict(record))
        ],
        "user_color": _color(details),
        "emoticons": _emoticons(fragments),
    }
    msg_id = details.get("msg-id")
    if isinstance(msg_id, str) and msg_id in _SHOWN_IDS:
        message["user_notice_params"] = {"msg_id": msg_id}
    result: dict[str, Any] = {
        "_id": str(record.get("id", "")),
        "created_at": str(record.get("timestamp", "")),
        "channel_id": str(record.get("channel_id", "")),
        "content_type": "video",
        "content_id": "",
        "content_offset_seconds": round(offset, 3),
        "commenter": {
            "display_name": _utf16(name),
            "_id": str(record.get("user_id", "")),
            "name": _utf16(str(record.get("username", "")) or name.lower()),
            "bio": None,
            "created_at": None,
            "updated_at": None,
            "logo": None,
        },
        "message": message,
    }
    if hit:
        result["chatlog_moderation"] = hit
    return result


def document(
    comments: Iterable[bytes], streamer: Mapping[str, Any], start: str, length: float
) -> Iterator[bytes]:
    """The whole file in pieces; ``comments`` are encoded comments in the order of their offsets, ``start`` is
    the time at which the video begins, ``length`` its seconds."""
    from chatlog.record import to_line

    head = {
        "FileInfo": {"Version": VERSION, "CreatedAt": start, "UpdatedAt": start},
        "streamer": {"name": streamer["name"], "login": streamer["login"], "id": streamer["id"]},
        "video": {
            "title": f"{streamer['name']} {start[:10]}",
            "description": f"chat recorded by chatlog {__version__}",
            "id": "",
            "created_at": start,
            "start": 0.0,
            # A video without a length would not be rendered.
            "end": max(1.0, length),
            "length": max(1.0, length),
            "viewCount": 0,
            "game": None,
            "chapters": [],
        },
    }
    yield to_line(head).rstrip()[:-1] + b',"comments":['
    first = True
    for encoded in comments:
        yield (b"\n" if first else b",\n") + encoded.rstrip()
        first = False
    yield b'\n],"embeddedData":null}\n'


def streamer_of(platform: str, channel: str, channel_id: str) -> dict[str, Any]:
    """The streamer. The reader only knows Twitch's ids."""
    known = (
        platform == "twitch" and channel_id.isascii() and channel_id.isdigit() and int(channel_id) <= _LARGEST
    )
    return {"name": channel, "login": channel, "id": int(channel_id) if known else 0}


def _display_name(record: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    sender = details.get("sender")
    given = details.get("display-name") or (sender.get("username") if isinstance(sender, dict) else "")
    return str(given or record.get("username") or "chat").strip() or "chat"


def _fragments(
    record: Mapping[str, Any], details: Mapping[str, Any], body: str, shift: int, name: str
) -> Iterator[dict[str, Any]]:
    """The body, cut at its emotes. The first fragment of a notice begins with the display name and is longer
    than the name: the renderer cuts the name off."""
    if record.get("platform") == "kick":
        yield from _kick_fragments(body)
        return
    position = 0
    for start, end, id in sorted(_emotes(details, len(body) - shift)):
        start, end = start + shift, end + shift
        if start < position:
            continue
        if start > position:
            yield {"text": body[position:start], "emoticon": None}
        yield {"text": body[start:end], "emoticon": {"emoticon_id": id}}
        position = end
    if position < len(body) or not body:
        yield {"text": body[position:], "emoticon": None}


def _kick_fragments(body: str) -> Iterator[dict[str, Any]]:
    position = 0
    for match in _KICK_EMOTE.finditer(body):
        if match.start() > position:
            yield {"text": body[position : match.start()], "emoticon": None}
        yield {"text": body[match.start() : match.end()], "emoticon": {"emoticon_id": match[1]}}
        position = match.end()
    if position < len(body) or not body:
        yield {"text": body[position:], "emoticon": None}


def _emotes(details: Mapping[str, Any], length: int) -> Iterator[tuple[int, int, str]]:
    """The positions, in characters, and the ids of Twitch's emotes; ``emotes`` is
    ``id:start-end,.../id:...``. (dev.twitch.tv/docs/chat/irc)"""
    given = details.get("emotes")
    for emote in given.split("/") if isinstance(given, str) else ():
        id, _, places = emote.partition(":")
        for place in places.split(","):
            start, dash, end = place.partition("-")
            if id and dash and start.isdigit() and end.isdigit() and int(start) <= int(end) < length:
                yield int(start), int(end) + 1, id


def _emoticons(fragments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The positions of the emotes, in units of UTF-16. The end is one behind the next character, as the
    downloader itself writes it."""
    found, position = [], 0
    for fragment in fragments:
        length = len(fragment["text"].encode("utf-16-le", "surrogatepass")) // 2
        if fragment["emoticon"] is not None:
            id = fragment["emoticon"]["emoticon_id"]
            found.append({"_id": id, "begin": position, "end": position + length + 1})
        position += length
    return found


def _color(details: Mapping[str, Any]) -> str | None:
    sender = details.get("sender")
    identity = sender.get("identity") if isinstance(sender, dict) else None
    color = details.get("color") or (identity.get("color") if isinstance(identity, dict) else None)
    return color if isinstance(color, str) and _COLOR.match(color) else None


def _number(value: object) -> int:
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else 0
    )


def _utf16(text: str) -> str:
    """The text in UTF-16. The reader does not accept halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def offset_of(record: Mapping[str, Any], start: float) -> float | None:
    """Seconds from ``start`` to the record; None if the record has no time."""
    try:
        return lines.seconds(str(record.get("timestamp", ""))) - start
    except ValueError:
        return None
