"""Parses and formats IRC messages in Twitch's form. Sans-IO.

    message = parse(line)               # ParseError if there is no command
    message.tags["room-id"], message.command, message.params, message.nick, message.channel
    format_line("JOIN", "#shroud")      # b"JOIN #shroud\\r\\n"; ValueError if a part would break the line

The grammar is that of RFC 1459 with IRCv3 message tags (ircv3.net/specs/extensions/message-tags):

    ['@' tags SPACE+] [':' source SPACE+] command {SPACE+ param} [SPACE+ ':' trailing]

Only spaces separate. Several spaces count as one, and spaces after the last middle parameter are ignored.
Spaces inside the trailing parameter stay. ``x :y`` and ``x y`` mean the same. Lengths, tag names and unknown
commands are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chatlog.twitch.lines import Oversized

#: The most bytes of a line with several channels, without the line end (RFC 1459: 510).
MAX_SENT = 510


class ParseError(ValueError):
    """The line is not an IRC message. The text of the error quotes nothing of the line."""


@dataclass(slots=True)
class Message:
    """One parsed line. ``source`` and ``params`` are without their colons, tag values are unescaped.

    If the line is not UTF-8 (``utf8`` is False), invalid bytes become lone surrogates (surrogateescape), so
    that nothing is lost. ``readable`` gives the message with replacement characters instead.
    """

    tags: dict[str, str]
    source: str
    command: str
    params: list[str]
    raw: bytes = field(default=b"", compare=False)
    utf8: bool = field(default=True, compare=False)

    @property
    def nick(self) -> str:
        """The login of the source; ``""`` if the source is a server or missing."""
        source = self.source
        if "!" in source:
            nick, _, user = source.partition("!")
            return nick or user.partition("@")[0]
        return source.partition("@")[0] if "@" in source else ""

    @property
    def channel(self) -> str:
        """The channel in the first parameter, in lower case and without ``#``; ``""`` if it names none. It
        comes from the server: check it before using it in a path."""
        params = self.params
        return params[0][1:].lower() if params and params[0].startswith("#") else ""


def parse(line: bytes) -> Message:
    """The message in ``line`` (without its line end). Raises ParseError if there is no command, and for the
    beginning of an overlong line, whose end is unknown."""
    if type(line) is Oversized:
        raise ParseError("longer than a line may be")
    try:
        return _message(line.decode(), line, True)
    except UnicodeDecodeError:
        return _message(line.decode("utf-8", "surrogateescape"), line, False)


def readable(message: Message) -> Message:
    """``message`` with U+FFFD for invalid bytes."""
    return message if message.utf8 else _message(message.raw.decode("utf-8", "replace"), message.raw, False)


def _message(text: str, raw: bytes, utf8: bool) -> Message:
    tags: dict[str, str] = {}
    source = ""
    if text.startswith("@"):
        head, _, text = text.partition(" ")
        tags = parse_tags(head[1:])
        text = text.lstrip(" ")
    if text.startswith(":"):
        source, _, text = text.partition(" ")
        source = source[1:]
        text = text.lstrip(" ")
    middle, colon, trailing = text.partition(" :")
    command, _, middle = middle.partition(" ")
    if not (command.isascii() and command.isalnum()):
        raise ParseError("no command")
    params = [param for param in middle.split(" ") if param]
    if colon:
        params.append(trailing)
    return Message(tags, source, command, params, raw, utf8)


def parse_tags(text: str) -> dict[str, str]:
    """The tags in ``text`` (without ``@``), with unescaped values. ``k`` and ``k=`` both give an empty
    string. If a key is repeated, the last value counts."""
    try:
        tags = dict([item.split("=", 1) for item in text.split(";")])
    except ValueError:  # an item without "="
        tags = {}
        for item in text.split(";"):
            if item:
                key, _, value = item.partition("=")
                tags[key] = value
    if "\\" in text:
        for key, value in tags.items():
            if "\\" in value:
                tags[key] = unescape(value)
    return tags


def unescape(value: str) -> str:
    r"""A tag's value without its escapes: ``\:`` is ``;``, ``\s`` a space, ``\\`` a backslash, ``\r`` CR, and
    ``\n`` LF. Any other ``\x`` is ``x``. A lone backslash at the end is removed."""
    # Backslashes pair up from the left. After splitting at the pairs, every backslash in a piece escapes the
    # next character, so the order of the replacements does not matter.
    pieces = []
    for piece in value.split("\\\\"):
        piece = piece.replace("\\s", " ").replace("\\:", ";").replace("\\r", "\r").replace("\\n", "\n")
        pieces.append(piece.replace("\\", ""))
    return "\\".join(pieces)


def escape(value: str) -> str:
    """``value`` in the form of a tag; the inverse of ``unescape``."""
    value = value.replace("\\", "\\\\").replace(";", "\\:").replace(" ", "\\s")
    return value.replace("\r", "\\r").replace("\n", "\\n")


def format_line(command: str, *params: str, source: str = "", tags: Mapping[str, str] | None = None) -> bytes:
    """One line with CR LF, which ``parse`` reads as exactly these parts.

    Raises ValueError if a part cannot be written: CR, LF or NUL outside a tag's value; a space, a leading
    colon or an empty text in a parameter other than the last. The error names the part and does not show it,
    because it may be a token.
    """
    if not (command.isascii() and command.isalnum()):
        raise ValueError("an IRC command is letters or digits")
    words = []
    if tags:
        for key in tags:
            _check(key, f"the name of a tag of {command}", " ;=")
        if any("\0" in value for value in tags.values()):
            raise ValueError(f"the value of a tag of {command} holds NUL")
        words.append("@" + ";".join([f"{key}={escape(value)}" for key, value in tags.items()]))
    if source:
        _check(source, f"the source of {command}", " ")
        words.append(":" + source)
    words.append(command)
    for number, param in enumerate(params, 1):
        name = f"parameter {number} of {command}"
        if number == len(params) and (not param or " " in param or param.startswith(":")):
            _check(param, name, "", may_be_empty=True)
            words.append(":" + param)
        else:
            _check(param, name, " ")
            if param.startswith(":"):
                raise ValueError(f"{name} begins with a colon")
            words.append(param)
    return " ".join(words).encode("utf-8", "surrogateescape") + b"\r\n"


_MARK = b"tmi-sent-ts="
_SENT = re.compile(rb"@(?:[^ \r\n]*;)?tmi-sent-ts=(\d{13})[; ]")


def latest_time(data: bytes) -> float | None:
    """The sending time of the last line in ``data`` that has one, in seconds since the epoch."""
    # Asked for every connection at every flush, so the search begins at the end. A chat text may contain the
    # same; only the tags at the beginning of a line count.
    at = data.rfind(_MARK)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        found = _SENT.match(data, start)
        if found is not None:
            return int(found[1]) / 1000
        at = data.rfind(_MARK, 0, start)
    return None


def format_channels(command: str, channels: Iterable[str]) -> list[bytes]:
    """JOIN or PART lines for ``channels`` (names without ``#``), as few as their lengths allow.

    Raises ValueError, like ``format_line``, for a name that would end the line or count as several names.
    """
    lines: list[bytes] = []
    names = ""
    for channel in channels:
        _check(channel, f"a channel of {command}", " ,")
        longer = f"{names},#{channel}" if names else f"#{channel}"
        if names and len(command) + 1 + len(longer.encode("utf-8", "surrogateescape")) > MAX_SENT:
            lines.append(format_line(command, names))
            longer = f"#{channel}"
        names = longer
    if names:
        lines.append(format_line(command, names))
    return lines


def _check(text: str, name: str, forbidden: str, may_be_empty: bool = False) -> None:
    if not text and not may_be_empty:
        raise ValueError(f"{name} is empty")
    if any(character in text for character in "\r\n\0"):
        raise ValueError(f"{name} holds CR, LF or NUL")
    if any(character in text for character in forbidden):
        raise ValueError(f"{name} holds a space or a separator")
