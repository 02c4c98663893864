"""Generates odd lines: few tags, repeated tags, bytes that are not UTF-8, unknown commands, and lines that
are not IRC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from chatlog.simulator.chat import NO_ROOM, Maker, Said, twitch_key, unparsed_key
from chatlog.simulator.rooms import Room
from chatlog.simulator.texts import plain_text

if TYPE_CHECKING:
    from chatlog.simulator.twitch_chat import TwitchChat


class Oddities:
    """Generates odd lines for a TwitchChat."""

    def __init__(self, chat: TwitchChat, tame: bool) -> None:
        self._chat = chat
        self._tame = tame
        self._long = plain_text("word " * 99 + "end")
        self._odd: tuple[Maker, ...] = (
            self.few_tags,
            self.no_tags,
            self.no_nick,
            self.twice,
            self.reordered,
            self.one_word,
            self.bad_emotes,
            self.new_tags,
            self.bare_action,
            self.unknown,
            self.no_time,
            self.old,
            self.longest,
            *(() if tame else (self.not_utf8, self.cut_action)),
        )

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [(7, self.any), *([] if self._tame else [(0.5, self.unparsable)])]

    def any(self, room: Room, ms: int) -> Said:
        """One of the odd lines that belong to the room."""
        return self._chat.rng.choice(self._odd)(room, ms)

    def _without_id(
        self, room: Room, tags: dict[str, str], before: str, text: str, type: bytes, said: bool = True
    ) -> Said:
        """A line without an id: ``before`` is its source and command; ``said``: the text is a record's
        message."""
        head = "@" + ";".join(f"{k}={v}" for k, v in tags.items()) + " " if tags else ""
        wire = f"{head}{before} #{room.name}{text}\r\n".encode()
        message = text.removeprefix(" ").removeprefix(":") if said else ""
        key = twitch_key(before.split()[-1], tags, message)
        return wire, b"", type, orjson.dumps(message), key, 0

    def few_tags(self, room: Room, ms: int) -> Said:
        """A message of the server itself with one tag."""
        return self._without_id(
            room, {"display-name": "테스트420"}, ":tmi.twitch.tv PRIVMSG", " :few", b"message"
        )

    def no_tags(self, room: Room, ms: int) -> Said:
        """A message without tags."""
        before = self._chat.person().source.decode() + " PRIVMSG"
        return self._without_id(room, {}, before, " :no tags at all", b"message")

    def no_nick(self, room: Room, ms: int) -> Said:
        """The source has no nick."""
        tags = {"room-id": room.id.decode(), "tmi-sent-ts": str(ms), "display-name": "NoNick"}
        return self._without_id(room, tags, ":!nonick@nonick.tmi.twitch.tv PRIVMSG", " :no nick", b"message")

    def no_time(self, room: Room, ms: int) -> Said:
        """A clear with neither tags nor time."""
        before, text = ":tmi.twitch.tv CLEARCHAT", ""
        return self._without_id(room, {}, before, text, b"clear")

    def old(self, room: Room, ms: int) -> Said:
        """Obsolete commands."""
        before, text = self._chat.rng.choice(
            ((":tmi.twitch.tv HOSTTARGET", " :quietotter 3"), (":jtv MODE", " +o quietotter"))
        )
        return self._without_id(room, {}, before, text, b"event", said=False)

    def unknown(self, room: Room, ms: int) -> Said:
        """An unknown command."""
        tags = {"room-id": room.id.decode(), "tmi-sent-ts": str(ms), "new-thing": "1"}
        return self._without_id(room, tags, ":tmi.twitch.tv NEWTHING", " a b :and c", b"event", said=False)

    def twice(self, room: Room, ms: int) -> Said:
        """A tag comes twice."""
        chat = self._chat
        return chat.line(room, ms, chat.person(), chat.text(), b";badges=bits/100;source-only=0")

    def reordered(self, room: Room, ms: int) -> Said:
        """The tags come in another order, and some are missing."""
        chat = self._chat
        id, person, text = chat.ids.next(), chat.person(), chat.text()
        wire = (
            b"@tmi-sent-ts=%d;id=%b;emotes=;room-id=%b;user-id=%d;display-name=%b %b PRIVMSG #%b :%b\r\n"
            % ((ms, id, room.id, person.user_id, person.tag_name, person.source, room.wire, text.raw))
        )
        return wire, id, b"message", text.json, b"", 0

    def one_word(self, room: Room, ms: int) -> Said:
        """A single word without its colon."""
        chat = self._chat
        id, person = chat.ids.next(), chat.person()
        wire = b"@id=%b;room-id=%b;tmi-sent-ts=%d;user-id=%d %b PRIVMSG #%b sup\r\n" % (
            (id, room.id, ms, person.user_id, person.source, room.wire)
        )
        return wire, id, b"message", b'"sup"', b"", 0

    def bad_emotes(self, room: Room, ms: int) -> Said:
        """Positions of emotes outside the text."""
        chat = self._chat
        id, person = chat.ids.next(), chat.person()
        emotes = chat.rng.choice(
            (b"84608:0-15", b"25:9-2", b"25:a-b", b"25", b"25:-1--5", b"/:,", b"25:0-4,")
        )
        wire = b"@emotes=%b;id=%b;room-id=%b;tmi-sent-ts=%d;user-id=%d %b PRIVMSG #%b :foo bar\r\n" % (
            (emotes, id, room.id, ms, person.user_id, person.source, room.wire)
        )
        return wire, id, b"message", b'"foo bar"', b"", 0

    def new_tags(self, room: Room, ms: int) -> Said:
        """Unknown tags, one of them without a value."""
        chat = self._chat
        extra = b";brand-new=a\\sb\\:c\\\\d\\re\\nf;example.net/thing;+mine=\\q\\"
        return chat.line(room, ms, chat.person(), chat.text(), extra)

    def bare_action(self, room: Room, ms: int) -> Said:
        """``/me`` without anything."""
        chat = self._chat
        empty = plain_text("")
        return chat.line(room, ms, chat.person(), empty, raw=b"\x01ACTION\x01", type=b"action")

    def cut_action(self, room: Room, ms: int) -> Said:
        """``/me`` without its closing byte."""
        chat = self._chat
        text = chat.text()
        return chat.line(room, ms, chat.person(), text, raw=b"\x01ACTION " + text.raw, type=b"action")

    def longest(self, room: Room, ms: int) -> Said:
        """A text of 500 characters."""
        return self._chat.line(room, ms, self._chat.person(), self._long)

    def not_utf8(self, room: Room, ms: int) -> Said:
        """Bytes that are not UTF-8; a record has replacement characters for them."""
        chat = self._chat
        text = chat.text()
        raw = text.raw + chat.rng.choice((b" \xff\xfe!", b" \xc3(", b"\x80 caf\xe9 "))
        json = orjson.dumps(raw.decode("utf-8", "replace"))
        return chat.line(room, ms, chat.person(), text, raw=raw, json=json)

    def unparsable(self, room: Room, ms: int) -> Said:
        """A line that is not an IRC message."""
        number = self._chat.ids.hex().decode()[:12]
        line = self._chat.rng.choice(("@only=tags;n={}", ":only.source.{}", "?? {}", "@ :x !{}")).format(
            number
        )
        return line.encode() + b"\r\n", b"", b"unparsed", b'""', unparsed_key(line), NO_ROOM
