"""Leaves out of lines what belongs to people who opted out. Most lines are not parsed for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from chatlog.redaction import redacted_line
from chatlog.suppression.suppressions import OptedOutPeople, Suppressions

_USER_ID, _USERNAME = b'"user_id":"', b'"username":"'
_TYPE = b'","type":"'
#: The types of chat messages; below, what their details have in them if they may name another person.
_CHAT = (b'","type":"message","id":"', b'","type":"action","id":"')
_RAW, _SENDER, _REPLY, _THREAD = b'"raw', b'"original_sender"', b'"reply-', b'"reply-thread-'
_ANSWERED = re.compile(rb'"reply-(thread-)?parent-user-id":"([^"\\]+)"')


def line_without(line: bytes, who: OptedOutPeople) -> bytes | None:
    """The line without these people: the same object if it has nothing of them, None if it is by one of
    them."""
    at = line.find(_USER_ID) + len(_USER_ID)
    id = line[at : line.find(b'"', at)] if at >= len(_USER_ID) else b""
    if id:
        if who.has_id(id.decode("utf-8", "replace")):
            start = line.find(_USERNAME) + len(_USERNAME)
            name = line[start : line.find(b'"', start)]
            who.learn(name.decode("utf-8", "replace").lower())
            return None
        # The details come behind the type. The text before is not searched.
        at = line.find(_TYPE, at)
        if at < 0 or (line.startswith(_CHAT, at) and not _may_name(line, at, who)):
            return line
    return redacted_line(line, who)


def _may_name(line: bytes, start: int, who: OptedOutPeople) -> bool:
    """Whether the details of a chat message, which begin behind ``start``, may name one of these people."""
    if line.find(_RAW, start) >= 0 or line.find(_SENDER, start) >= 0:
        return True
    if line.find(_REPLY, start) < 0:
        return False
    # If Twitch names a person who is answered, it gives the id as well.
    named = _ANSWERED.findall(line, start)
    parts = {part for part, _ in named}
    if b"" not in parts or (b"thread-" not in parts and line.find(_THREAD, start) >= 0):
        return True
    return any(who.has_id(id.decode("utf-8", "replace")) for _, id in named)


class LeftOut:
    """Applies the list in force. ``counts`` are the records that were left out, by platform and channel."""

    def __init__(self) -> None:
        self.suppressions = Suppressions()
        self.counts: Counter[tuple[str, str]] = Counter()

    def of_room(self, platform: str, channel: str) -> OptedOutPeople | None:
        """The people who opted out of the room; None if there are none."""
        suppressions = self.suppressions
        return suppressions.who(platform, channel) if suppressions.entries else None

    def shown(self, platform: str, channel: str, lines: list[bytes]) -> list[bytes]:
        """The lines of a room without people who opted out, also after the lines were written."""
        who = self.of_room(platform, channel)
        if who is None:
            return lines
        return [rest for line in lines if (rest := line_without(line, who)) is not None]

    def lines(self, platform: str, channel: str, lines: list[bytes]) -> Sequence[bytes | None]:
        """The same, with None in the place of each line that is left out, and counted; the same list if
        nobody opted out of the room."""
        who = self.of_room(platform, channel)
        if who is None:
            return lines
        left = [line_without(line, who) for line in lines]
        if gone := left.count(None):
            self.counts[platform, channel] += gone
        return left
