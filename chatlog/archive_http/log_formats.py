"""Records in rustlog's formats: text, raw lines of IRC, JSON in full, short JSON, and lines of JSON.

Most public log servers run boring-nick/rustlog. Our lines have all tags; rustlog leaves out tags that are 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from chatlog.archive.formats.irc import formatted, irc_line, system_text, tags_of
from chatlog.archive.lines import record_of
from chatlog.twitch import irc

#: rustlog's and justlog's numbers of commands.
COMMAND_NUMBERS: Mapping[str, int] = {
    "WHISPER": 0,
    "PRIVMSG": 1,
    "CLEARCHAT": 2,
    "ROOMSTATE": 3,
    "USERNOTICE": 4,
    "USERSTATE": 5,
    "NOTICE": 6,
    "CLEARMSG": 13,
}
PLAIN = "text/plain; charset=utf-8"
_EVENTS = frozenset({"CLEARCHAT", "CLEARMSG"})
#: A chat message of Twitch as the recorder writes it (docs/records.md), if none of its texts is escaped.
_CHAT = re.compile(
    rb'\{"timestamp":"([^"\\]{10})T([^"\\]{8})\.\d{3}Z","channel":"([^"\\]*)","username":"([^"\\]+)",'
    rb'"user_id":"[^"\\]*","message":"([^"\\]*)","type":"message","id":"[^"\\]*","platform":"twitch",'
    rb'"channel_id":"[^"\\]*","received":"[^"\\]*","details":\{"'
)
_CHAT_ENDS = b',"command":"PRIVMSG"}}'


class Shown(NamedTuple):
    """A record for clients of log servers."""

    command: str
    tags: Mapping[str, str]
    username: str
    text: str
    raw: str


def shown(record: Mapping[str, Any], with_raw: bool = True, with_tags: bool = True) -> Shown | None:
    """The record; None if it is no line of chat: a gap, an unparsed line, a numeric reply of the server.
    ``raw`` is the line; ``raw`` and ``tags`` may be empty if they are not needed."""
    details = record.get("details")
    kick = record.get("platform") == "kick"
    odd = kick or not isinstance(details, Mapping) or "raw" in details or "raw_base64" in details
    if odd:
        raw = irc_line(record)
        try:
            message = irc.parse(raw.encode("utf-8", "surrogatepass"))
        except irc.ParseError:
            return None
        command, tags = message.command, message.tags
    else:
        command = str(record.get("details", {}).get("command", "PRIVMSG"))
        tags = tags_of(record) if with_tags or with_raw else {}
        raw = irc_line(record, tags) if with_raw else ""
    if command not in COMMAND_NUMBERS or record.get("type") in ("gap", "unparsed"):
        return None
    said = str(record.get("message", ""))
    return Shown(command, tags, str(record.get("username", "")), _text(record, command, said), raw)


def _text(record: Mapping[str, Any], command: str, said: str) -> str:
    if command == "USERNOTICE":
        system = system_text(record)
        return f"{system} {said}" if system and said else system or said
    if command == "CLEARCHAT":
        return system_text(record)
    return said


def notice(channel: str, time: str, id: str, text: str, **tags: str) -> dict[str, Any]:
    """A record with a notice of the server for the reader; ``id`` is its ``msg-id``."""
    details = {"msg-id": id, **{name.replace("_", "-"): value for name, value in tags.items()}}
    return {
        "timestamp": time,
        "channel": channel,
        "username": "",
        "user_id": "",
        "message": text,
        "type": "notice",
        "id": "",
        "platform": "twitch",
        "details": {"command": "NOTICE", **details},
    }


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A format of a log: ``begin``, then the records with ``between`` between them, then ``end``."""

    name: str
    type: str
    begin: bytes = b""
    between: bytes = b""
    end: bytes = b""

    def item_of(self, line: bytes) -> bytes:
        """The item for a line of the archive; ``b""`` if its record is no line of chat."""
        if self.name == "text" and (text := _text_of(line)):
            return text
        record = record_of(line)
        return b"" if record is None else self.item(record)

    def item(self, record: Mapping[str, Any]) -> bytes:
        """The item for one record; ``b""`` if it is no line of chat."""
        if self.name == "raw":
            given = shown(record, with_tags=False)
            return b"" if given is None else f"{given.raw}\r\n".encode("utf-8", "replace")
        given = shown(record, self.name == "json", self.name != "text")
        if given is None:
            return b""
        if self.name == "text":
            return _line(record, given).encode("utf-8", "replace")
        value = _basic(record, given)
        if self.name == "json":
            value["username"] = given.username
            value["channel"] = str(record.get("channel", ""))
            value["raw"] = given.raw
            value["type"] = COMMAND_NUMBERS[given.command]
        written = _json(value)
        return written + b"\r\n" if self.name == "ndjson" else written


TEXT = LogFormat("text", PLAIN)
RAW = LogFormat("raw", PLAIN)
JSON = LogFormat("json", "application/json", b'{"messages":[', b",", b"]}")
BASIC = LogFormat("basic", "application/json", b'{"messages":[', b",", b"]}")
NDJSON = LogFormat("ndjson", "application/x-ndjson")


def wanted_format(query: Mapping[str, str], as_json: bool) -> LogFormat:
    """The format that a request asks for: by rustlog's parameters in its order, then by justlog's
    ``type``."""
    for names, form in (
        (("raw",), RAW),
        (("jsonBasic", "jsonbasic"), BASIC),
        (("json",), JSON),
        (("ndjson",), NDJSON),
    ):
        if any(name in query for name in names):
            return form
    kind = query.get("type", "").lower()
    if kind in ("raw", "json"):
        return RAW if kind == "raw" else JSON
    return JSON if as_json else TEXT


def live_forms(record: Mapping[str, Any]) -> tuple[bytes, bytes] | None:
    """A record for the firehose: its line, and the short JSON with the channel. None if it is no line of
    chat."""
    given = shown(record)
    if given is None:
        return None
    value = {**_basic(record, given), "channel": str(record.get("channel", ""))}
    return given.raw.encode("utf-8", "replace"), _json(value)


def _basic(record: Mapping[str, Any], given: Shown) -> dict[str, Any]:
    return {
        "text": given.text,
        "displayName": given.tags.get("display-name") or given.username,
        "timestamp": short_time(str(record.get("timestamp", ""))),
        "id": str(record.get("id", "")),
        "tags": given.tags,
    }


def short_time(time: str) -> str:
    """A time, with milliseconds unless they are zero."""
    return f"{time[:-5]}Z" if time.endswith(".000Z") else time


def _line(record: Mapping[str, Any], given: Shown) -> str:
    time = str(record.get("timestamp", ""))
    who = f"{given.username}: " if given.username and given.command not in _EVENTS else ""
    text = given.text
    if given.command == "CLEARMSG":
        text = system_text({**record, "type": "delete", "details": {}}) + (f": {text}" if text else "")
    return f"[{time[:10]} {time[11:19]}] #{record.get('channel', '')} {who}{_one_line(text)}\r\n"


def _text_of(line: bytes) -> bytes:
    """The text of a plain message, which most of chat is, without parsing the record; ``b""`` for other
    records."""
    match = _CHAT.match(line)
    if match is None or not line.endswith(_CHAT_ENDS) or line.find(b'"raw', match.end() - 1) >= 0:
        return b""
    return b"[%b %b] #%b %b: %b\r\n" % match.groups()


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Half of a surrogate pair.
        return orjson.dumps(_mended(value))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    return value


def historical(record: Mapping[str, Any], more: Mapping[str, str]) -> str:
    """The line of a record with our tags in front, as services of recent messages send it; ``""`` if the
    record is no line."""
    line = irc_line(record)
    if not line:
        return ""
    tags = formatted(more, "", "X", []).removesuffix(" X")
    return f"{tags};{line[1:]}" if line.startswith("@") else f"{tags} {line}"
