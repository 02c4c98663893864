"""What moderators did to which messages: deletions, time-outs and bans, matched with the messages.

When a user is timed out or banned, the platform deletes the user's messages that are still shown. It does not
say which these are. So a message counts as hit if it was written at most LOOK_BACK seconds before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

from chatlog.archive import lines
from chatlog.archive.formats.irc import seconds_of_ban
from chatlog.archive.matching import Filter
from chatlog.archive.question import Question
from chatlog.archive.reader import Answer
from chatlog.archive.room_files import Room

#: Seconds before a time-out or ban in which a message counts as still shown.
LOOK_BACK = 600.0
#: Seconds after a message in which a moderator's action is looked for.
LOOK_AHEAD = 3600.0

#: The types of records that moderators can remove.
HIT = frozenset({"message", "action", "announcement", "subscription"})
#: Seconds of a room of which the moderation is read at once for single messages.
_STEP = 3600.0

#: Finds the records of moderation.
FILTER = Filter(types=("delete", "timeout", "ban", "clear"))


class Moderation:
    """The moderation of a room in a time, collected with ``add``."""

    def __init__(self) -> None:
        self._deleted: dict[str, str] = {}
        self._silenced: dict[str, list[tuple[float, str]]] = {}
        self._cleared: list[tuple[float, str]] = []

    def add(self, record: Mapping[str, Any]) -> None:
        """Add one of the records that FILTER finds; call this in the order of time."""
        kind, details = record.get("type"), record.get("details") or {}
        by = _moderator(details)
        if kind == "delete":
            message = details.get("message")
            target = details.get("target-msg-id") or (message.get("id") if isinstance(message, dict) else "")
            if target:
                self._deleted[str(target)] = f"deleted{by}"
            return
        try:
            at = lines.seconds(str(record.get("timestamp", "")))
        except ValueError:
            return
        if kind == "clear":
            self._cleared.append((at, f"chat cleared{by}"))
            return
        seconds = seconds_of_ban(record)
        what = f"timed out for {seconds} s{by}" if kind == "timeout" else f"banned{by}"
        for who in {str(record.get("user_id", "")), str(record.get("username", ""))} - {""}:
            self._silenced.setdefault(who, []).append((at, what))

    def hit(self, record: Mapping[str, Any]) -> str:
        """What moderators did to a message: ``deleted``, ``timed out for 600 s``, ``banned``, with the
        moderator if the platform names one; ``""`` for nothing."""
        if record.get("type", "message") not in HIT:
            return ""
        if deleted := self._deleted.get(str(record.get("id", ""))):
            return deleted
        if not (self._silenced or self._cleared):
            return ""
        try:
            at = lines.seconds(str(record.get("timestamp", "")))
        except ValueError:
            return ""
        for who in (str(record.get("user_id", "")), str(record.get("username", ""))):
            if who and (what := _soon_after(self._silenced.get(who, []), at)):
                return what
        return _soon_after(self._cleared, at)


def moderation_of(ask: Callable[[Question], Answer], room: Room, since: float, until: float) -> Moderation:
    """What moderators did to the messages of a time, up to LOOK_AHEAD seconds after it. Raises StoreError."""
    moderation = Moderation()
    for item in ask(Question(room, since, until + LOOK_AHEAD, FILTER)):
        if (record := lines.record_of(item.line)) is not None:
            moderation.add(record)
    return moderation


class Hits:
    """Finds what moderators did to single messages of any room. The moderation of an hour, and soon after it,
    is read once for all its messages. Messages may come in any order."""

    def __init__(self, ask: Callable[[Question], Answer]) -> None:
        self._ask = ask
        # By room: the time that was read last, and what was found in it.
        self._read: dict[Room, tuple[float, float, Moderation]] = {}

    def hit(self, record: Mapping[str, Any]) -> str:
        """What moderators did to a message: see ``Moderation.hit``. Raises StoreError."""
        if record.get("type", "message") not in HIT:
            return ""
        room = str(record.get("platform", "twitch")), str(record.get("channel", ""))
        try:
            at = lines.seconds(str(record.get("timestamp", "")))
        except ValueError:
            return ""
        known = self._read.get(room)
        if known is None or not known[0] <= at < known[1]:
            since = at // _STEP * _STEP
            until = since + _STEP
            known = self._read[room] = since, until, moderation_of(self._ask, room, since, until)
        return known[2].hit(record)


def _soon_after(events: list[tuple[float, str]], at: float) -> str:
    index = bisect_left(events, (at, ""))
    if index < len(events) and events[index][0] - at <= LOOK_BACK:
        return events[index][1]
    return ""


def _moderator(details: Mapping[str, Any]) -> str:
    for key in ("banned_by", "deleted_by", "moderator"):
        by = details.get(key)
        if isinstance(by, dict) and isinstance(name := by.get("username"), str) and name:
            return f" by {name}"
    return ""
