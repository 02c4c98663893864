"""``/api/v2/recent-messages/{channel}``: the latest lines of a room, for chat clients that were just opened.

The protocol is that of robotty's recent-messages2. Chatterino, DankChat and another Chatlog's
``twitch.backfill`` use it. ``before`` and ``after`` are Unix milliseconds, compared with when a line was
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from chatlog.archive import lines
from chatlog.archive.formats.irc import system_text
from chatlog.archive.lines import LAST
from chatlog.archive.moderation import FILTER, LOOK_AHEAD, Moderation
from chatlog.archive.question import Question
from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked, Refused
from chatlog.archive_http.log_formats import historical, notice
from chatlog.archive_http.rooms import Rooms
from chatlog.http.answers import JSON, Answer
from chatlog.naming import CHANNEL

#: The default number of lines, the most lines, and the seconds back in which they are looked for.
LINES, MOST_LINES = 800, 2000
BACK = 86400.0
#: The most bytes that are read for one answer.
MOST_BYTES = 256 << 20
_COMMANDS = frozenset({"PRIVMSG", "USERNOTICE", "CLEARCHAT", "CLEARMSG", "NOTICE", "ROOMSTATE"})
_MODERATION = frozenset({"delete", "timeout", "ban", "clear"})

Record = dict[str, Any]


class RecentMessages:
    """``now()`` is the time of day."""

    def __init__(self, rooms: Rooms, now: Callable[[], float]) -> None:
        self._rooms = rooms
        self._now = now

    def answer(self, asked: Asked, platform: str, channel: str) -> Answer:
        """GET, in a thread."""
        room = platform, channel.lower()
        if not CHANNEL.match(room[1]) or room[1].startswith("_"):
            return _error(400, "invalid_channel_login", "this is no login of a channel")
        try:
            limit = asked.number("limit", LINES) or 0
            before, after = (asked.number(name, None, 0, 10**14) for name in ("before", "after"))
        except Refused as refusal:
            return _error(400, "invalid_query", refusal.text)
        if room not in self._rooms.all():
            return _error(200, "channel_not_joined", "this channel is not recorded here")
        until = self._now() + 60.0 if before is None else min(before / 1000.0, LAST)
        since = until - BACK if after is None else (after + 1) / 1000.0
        found, moderation = self._found(asked, room, since, until, min(limit, MOST_LINES))
        if not found and self._rooms.recordings.end_of(room) is not None:
            return _error(200, "channel_not_joined", "this channel is not recorded here any more")
        if before is not None:
            moderation = self._later(asked, room, until) + moderation
        return _answered(list(self._lines(asked, found, moderation)))

    def _found(
        self, asked: Asked, room: Room, since: float, until: float, limit: int
    ) -> tuple[list[Record], list[Record]]:
        """The latest records that are lines of chat, the latest first, and the moderation among them."""
        hidden = (
            "hide_moderation_messages" in asked.query and asked.query["hide_moderation_messages"] != "false"
        )
        moderation: list[Record] = []

        def wanted() -> Iterator[Record]:
            for record in self._records(asked, Question(room, since, until, newest=True)):
                is_moderation = record.get("type") in _MODERATION
                if is_moderation:
                    moderation.append(record)
                if _command(record) in _COMMANDS and not (is_moderation and hidden):
                    yield record

        return list(islice(wanted(), limit)) if until > since and limit else [], moderation

    def _later(self, asked: Asked, room: Room, since: float) -> list[Record]:
        """Moderation after the last of the lines, the latest first."""
        question = Question(room, since, since + LOOK_AHEAD, FILTER, newest=True)
        return list(islice(self._records(asked, question), MOST_LINES))

    def _records(self, asked: Asked, question: Question) -> Iterator[Record]:
        room, since, until, filter = question.room, question.since, question.until, question.filter
        answer = asked.work.ask(Question(room, since, until, filter, question.newest, MOST_BYTES))
        for found in answer:
            if (record := lines.record_of(found.line)) is not None:
                yield record
        asked.work.done(answer)

    def _lines(self, asked: Asked, found: list[Record], moderation: list[Record]) -> Iterator[str]:
        done = Moderation()
        for record in reversed(moderation):
            done.add(record)
        query = asked.query
        hide_hit = query.get("hide_moderated_messages", "false") != "false"
        as_notice = query.get("clearchat_to_notice", "false") != "false"
        for record in reversed(found):
            hit = done.hit(record)
            if hit and hide_hit:
                continue
            tags = {"historical": "1", "rm-received-ts": _received(record)}
            if hit:
                tags["rm-deleted"] = "1"
            if as_notice and _command(record) == "CLEARCHAT":
                text = f"{system_text(record)}."
                record = notice(
                    str(record.get("channel", "")), str(record["timestamp"]), "rm-clearchat", text
                )
            line = historical(record, tags)
            if line:
                yield line.encode("utf-8", "replace").decode()


def _command(record: Mapping[str, Any]) -> str:
    """The command of a record's line; ``""`` if the record is no line."""
    kind = record.get("type", "message")
    if kind in ("gap", "unparsed"):
        return ""
    if record.get("platform", "twitch") != "twitch":
        known = {"message": "PRIVMSG", "action": "PRIVMSG", "delete": "CLEARMSG"}
        known |= {"timeout": "CLEARCHAT", "ban": "CLEARCHAT", "clear": "CLEARCHAT"}
        return known.get(str(kind), "")
    details = record.get("details")
    return str(details.get("command", "PRIVMSG")) if isinstance(details, Mapping) else "PRIVMSG"


def _received(record: Mapping[str, Any]) -> str:
    """The time of arrival in Unix milliseconds."""
    try:
        return str(round(lines.seconds(str(record.get("received") or record.get("timestamp", ""))) * 1000))
    except ValueError:
        return "0"


def _answered(messages: list[str]) -> Answer:
    return Answer(200, orjson.dumps({"messages": messages, "error": None, "error_code": None}), JSON)


def _error(status: int, code: str, text: str) -> Answer:
    body: dict[str, Any] = {"messages": [], "error": text, "error_code": code}
    if status != 200:
        body = {"status": status, "status_message": "Bad Request", **body}
    return Answer(status, orjson.dumps(body), JSON)
