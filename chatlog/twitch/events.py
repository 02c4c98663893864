"""Turns Twitch's lines into records. Sans-IO; no clock, no state.

For every line that the splitter gives, with ``received`` (the time of the read, RFC 3339) and
``encode`` (record.encode_full or record.encode_basic):

    found = chat_record(line, received, encode)         # the short way, for nearly every line
    if found is not None:
        channel, encoded = found
    else:
        try:
            message = irc.parse(line)
        except irc.ParseError:
            encoded = unparsed_record(line, received, encode, channel, channel_id)
        else:
            if is_control(message.command): ...            # CAP, 001, PING, JOIN, USERSTATE: no record
            else: encoded = event_record(message, received, encode, channel, channel_id)

``encoded`` is one line of the archive, or ``b""`` if the chosen detail does not record this kind.
``dedup_key(message)`` distinguishes copies of one event from two events. docs/records.md describes the
records, dev.twitch.tv/docs/chat/irc the tags.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from chatlog import record
from chatlog.twitch import irc
from chatlog.twitch.lines import Oversized

#: Commands of the protocol between the server and us, which are not about a room's chat. So are numerics.
CONTROL = frozenset({"CAP", "PING", "PONG", "RECONNECT", "JOIN", "PART", "USERSTATE", "GLOBALUSERSTATE"})

#: Commands with a rule of their own; any other command becomes an ``event``.
KNOWN_COMMANDS = frozenset(
    {"PRIVMSG", "USERNOTICE", "CLEARCHAT", "CLEARMSG", "ROOMSTATE", "NOTICE", "WHISPER", "HOSTTARGET", "MODE"}
)

#: The type of a USERNOTICE by its ``msg-id``; any other one becomes an ``event`` too.
USERNOTICE_TYPES = {
    "sub": "subscription",
    "resub": "subscription",
    "extendsub": "subscription",
    "primepaidupgrade": "subscription",
    "giftpaidupgrade": "subscription",
    "anongiftpaidupgrade": "subscription",
    "subgift": "gift",
    "submysterygift": "gift",
    "anonsubgift": "gift",
    "anonsubmysterygift": "gift",
    "rewardgift": "gift",
    "standardpayforward": "gift",
    "communitypayforward": "gift",
    "raid": "raid",
    "unraid": "raid",
    "announcement": "announcement",
    "ritual": "event",
    "bitsbadgetier": "event",
    "viewermilestone": "event",
    "modiversary": "event",
    "socialsharingbadge": "event",
    "charitydonation": "event",
    "midnightsquid": "event",
    # Combos: many people tap one button, and each tap is a USERNOTICE.
    "onetapstreakstarted": "event",
    "onetapgiftredeemed": "event",
    "onetapbreakpointachieved": "event",
    "onetapstreakexpired": "event",
    # Old ones, which may not come any more.
    "primecommunitygiftreceived": "event",
    "charity": "event",
    "purchase": "event",
    "crate": "event",
    "firstcheer": "event",
}

#: Twitch began in June 2011: an earlier time cannot be that of an event.
FIRST = "2011-06-01T00:00:00.000Z"

#: Our own keys in ``details``. A tag of such a name is kept under ``@`` and its name, so that
#: neither hides the other (no tag of IRCv3 begins with ``@``).
OWN_DETAILS = frozenset({"command", "params", "source", "raw", "raw_base64"})

#: The form of nearly every line behind its tags: a person as Twitch writes it, PRIVMSG, a channel, a text
#: that is no CTCP message.
_CHAT = re.compile(r":([a-z0-9_]+)!\1@\1\.tmi\.twitch\.tv PRIVMSG #([a-z0-9_]+) :((?!\x01).*)")
#: A backslash in tags that is no usual escape, or that stands in a key, where it escapes nothing.
_UNUSUAL = re.compile(rb"\\(?:(?![s:rn])|[^;]*=)")


def is_control(command: str) -> bool:
    """Whether this is a control message of the protocol, which makes no record."""
    return command in CONTROL or (len(command) == 3 and command.isdigit())


def unknown_kind(message: irc.Message) -> str:
    """The command (of a USERNOTICE, its kind) if no rule here knows it, so that it becomes an ``event``;
    ``""`` if a rule does."""
    if message.command == "USERNOTICE":
        kind = _usernotice_kind(message.tags)
        return "" if kind in USERNOTICE_TYPES else kind or "USERNOTICE"
    return "" if message.command in KNOWN_COMMANDS or is_control(message.command) else message.command


def chat_record(line: bytes, received: str, encode: record.Encode) -> tuple[str, bytes] | None:
    """(channel, encoded record) of an ordinary chat message, None for everything else.

    Returns the same bytes as ``event_record(irc.parse(line), ...)``, in half the time. It returns None for
    every line of which it is not sure.
    """
    if type(line) is not bytes:  # the head of an overlong line
        return None
    head, _, rest = line.partition(b" ")
    try:
        match = _CHAT.fullmatch(rest.decode())
        if match is None or head[:1] != b"@":
            return None
        if b"\\" not in head and b'"' not in head:
            # Two replacements make a JSON object of the tags, and orjson reads it in half the time that
            # splitting takes. Without quotes and backslashes, the result is JSON only if every item has
            # exactly one "=" and all is UTF-8: all other tags are refused, never misread.
            json = head.replace(b"=", b'":"').replace(b";", b'","')
            # Each replacement made the text longer by two, and there is one ";" fewer than there are items.
            items = (len(json) - len(head) + 2) // 4
            details = orjson.loads(b'{"%b"}' % json[1:])
        else:
            items = head.count(b";") + 1
            details = _escaped_tags(head)
        room_id = details["room-id"]
        sent = details["tmi-sent-ts"]
    except (ValueError, KeyError):
        return None
    if not room_id or len(sent) != 13 or not (sent.isascii() and sent.isdigit()):
        return None
    if len(details) != items or not details.keys().isdisjoint(OWN_DETAILS):
        return None
    time = _second(sent[:10]) + sent[10:] + "Z"
    if time[:4] != received[:4] and not record.believed(time, received, FIRST):
        return None
    nick, channel, text = match.groups()
    details["command"] = "PRIVMSG"
    return channel, encode(
        time,
        channel,
        nick,
        details.get("user-id", ""),
        text,
        "message",
        details.get("id", ""),
        "twitch",
        room_id,
        received,
        details,
    )


def _escaped_tags(head: bytes) -> dict[str, str]:
    """The tags of a line with a quote or a backslash in them. Raises ValueError."""
    if _UNUSUAL.search(head) is not None:
        return irc.parse_tags(head[1:].decode())
    # As for tags without escapes. A quote gets the backslash that it has in JSON. Of the other escapes, two
    # mean the same in JSON, and two stand for a single character; first every ";" ends an item, then ``\:``
    # becomes ";".
    json = head.replace(b'"', b'\\"').replace(b"=", b'":"').replace(b";", b'","')
    details: dict[str, str] = orjson.loads(b'{"%b"}' % json[1:].replace(b"\\s", b" ").replace(b"\\:", b";"))
    return details


def event_record(
    message: irc.Message,
    received: str,
    encode: record.Encode,
    channel: str | None = None,
    channel_id: str = "",
) -> bytes:
    """The encoded record of a message that is not a control message.

    ``channel`` is the room of the record: by default the message's own, or ``_server`` if it names none.
    ``channel_id`` is that room's id if it is known, for lines without ``room-id``.
    """
    message = irc.readable(message)
    tags, command, params = message.tags, message.command, message.params
    if channel is None:
        channel = message.channel or record.SERVER_CHANNEL
    username = message.nick or tags.get("login", "")
    user_id = tags.get("user-id", "")
    id = tags.get("id", "")
    said = params[1] if len(params) > 1 else ""
    text, action = _without_action(said)
    if command == "PRIVMSG":
        kind = "action" if action else "message"
    elif command == "USERNOTICE":
        kind = USERNOTICE_TYPES.get(_usernotice_kind(tags), "event")
    elif command == "CLEARCHAT":
        username, user_id = said, tags.get("target-user-id", "")
        kind = ("timeout" if tags.get("ban-duration") else "ban") if said or user_id else "clear"
        id = text = ""
    elif command == "CLEARMSG":
        kind = "delete"
        id = ""
    elif command == "NOTICE":
        kind = "notice"
    elif command == "WHISPER":
        kind = "event"
    else:
        kind = "room" if command == "ROOMSTATE" else "event"
        text = ""
    details = _details(message, channel, username, text, kind)
    return encode(
        _timestamp(tags, received),
        channel,
        username,
        user_id,
        text,
        kind,
        id,
        "twitch",
        tags.get("room-id") or channel_id,
        received,
        details,
    )


def unparsed_record(
    line: bytes,
    received: str,
    encode: record.Encode,
    channel: str = record.SERVER_CHANNEL,
    channel_id: str = "",
) -> bytes:
    """The encoded record of a line that irc.parse refused; ``details.oversized`` marks the head of an
    overlong one."""
    details: dict[str, Any] = dict(record.raw_details(line))
    if type(line) is Oversized:
        details["oversized"] = True
    return encode(received, channel, "", "", "", "unparsed", "", "twitch", channel_id, received, details)


def channel_of(line: bytes) -> str:
    """The channel that a line names, the head of an overlong one included; ``""`` if none is found."""
    try:
        return irc.parse(bytes(line)).channel
    except irc.ParseError:
        return ""


def dedup_key(message: irc.Message) -> Hashable:
    """A key that is equal for two copies of one event and differs for two events.

    Twitch names an event by its ``id``, unique per room; a deletion by the id of the deleted message, and its
    time: a message can be deleted twice. A CLEARCHAT has no id: channel, target, duration and time stand for
    it. All other events, such as ROOMSTATE and NOTICE, are identified by their whole line only, and two of
    them may look the same.
    """
    tags = message.tags
    if message.command == "CLEARCHAT":
        target = message.params[1] if len(message.params) > 1 else ""
        return (message.channel, target, tags.get("ban-duration", ""), tags.get("tmi-sent-ts", ""))
    if message.command == "CLEARMSG" and tags.get("target-msg-id"):
        return ("CLEARMSG", tags["target-msg-id"], tags.get("tmi-sent-ts", ""))
    return tags.get("id") or message.raw


def _usernotice_kind(tags: Mapping[str, str]) -> str:
    """The ``msg-id`` of a USERNOTICE; if it is shared from another room, that of its original."""
    kind = tags.get("msg-id", "")
    return tags.get("source-msg-id", "") if kind == "sharedchatnotice" else kind


def _without_action(text: str) -> tuple[str, bool]:
    """``text`` without the wrapper that ``/me`` puts around it, and whether there was one. The closing
    byte may be missing, and so may the text."""
    if not text.startswith("\x01ACTION"):
        return text, False
    inner = text[7:].removesuffix("\x01")
    if inner and inner[0] != " ":
        return text, False
    return inner[1:], True


def _details(message: irc.Message, channel: str, username: str, text: str, kind: str) -> dict[str, Any]:
    """Every tag and ``command``. ``source``, ``params`` and the raw line are added only if the record's other
    keys lack them: the whole line can be built again from the record."""
    tags, command = message.tags, message.command
    details: dict[str, Any] = dict(tags)
    if not details.keys().isdisjoint(OWN_DETAILS):
        for key in OWN_DETAILS.intersection(tags):
            kept_as = "@" + key
            while kept_as in details:
                kept_as = "@" + kept_as
            details[kept_as] = details.pop(key)
    details["command"] = command
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
    if message.source != source:
        details["source"] = message.source
    if message.params != params:
        details["params"] = message.params
    if not message.utf8:
        details["raw_base64"] = base64.b64encode(message.raw).decode("ascii")
    elif tags and message.raw.partition(b" ")[0].count(b";") + 1 != len(tags):
        # A tag was repeated: only the raw line has the earlier value.
        details["raw"] = message.raw.decode()
    return details


def _timestamp(tags: Mapping[str, str], received: str) -> str:
    """Twitch's own time of the event; for lines without it, the time at which a service that replays old
    lines received them; else ``received``. A time before Twitch began, or far ahead, is ignored."""
    for name in ("tmi-sent-ts", "rm-received-ts"):
        sent = tags.get(name, "")
        if sent.isascii() and sent.isdigit() and len(sent) <= 15:
            try:
                time = record.rfc3339(int(sent))
            except ValueError:
                continue
            if record.believed(time, received, FIRST):
                return time
    return received


@lru_cache(maxsize=256)
def _second(seconds: str) -> str:
    return record.rfc3339(int(seconds) * 1000)[:20]
