"""Generates Twitch chat as IRC lines: ordinary messages from prepared pieces, and rarer events.

The tags are those that dev.twitch.tv/docs/chat/irc shows, and others seen on the wire.
"""

from __future__ import annotations

import re
from dataclasses import replace

from chatlog.simulator.chat import Chat, Said
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room, uuid_text
from chatlog.simulator.texts import Text
from chatlog.simulator.twitch_combos import Combos
from chatlog.simulator.twitch_moderation import Moderation
from chatlog.simulator.twitch_notices import Notices
from chatlog.simulator.twitch_oddities import Oddities


class TwitchChat(Chat):
    """Generates lines of Twitch. ``room.last`` is (id, person, text) of the room's latest message."""

    def __init__(self, seed: str = "1", run: str = "", tame: bool = False) -> None:
        """``tame`` leaves out lines that a stricter client than a recorder may refuse: bytes that are not
        UTF-8, and lines that are no IRC."""
        super().__init__(f"twitch {seed}", run)
        notices, moderation, oddities = Notices(self), Moderation(self), Oddities(self, tame)
        self.mix(
            [
                (25, self.reply),
                (6, self.action),
                (4, self.special),
                (3, self.shared),
                *notices.mix(),
                *Combos(self, notices).mix(),
                *moderation.mix(),
                *oddities.mix(),
            ]
        )

    def ordinary(self, room: Room, ms: int) -> Said:
        digits = self.ids.hex()
        id = uuid_text(digits)
        random = self.rng.random
        person = self.people[int(random() * len(self.people))]
        text = self.texts[int(random() * len(self.texts))]
        room.last = (id, person, text)
        nonce = digits[::-1] + b"0e" if person.nonce else b""
        wire = b"%b%b%b%b%b%b%b%b%b%d%b%b :%b\r\n" % (
            person.head,
            nonce,
            person.looks,
            text.emotes,
            person.standing,
            id,
            person.rank,
            room.id,
            person.subscriber,
            ms,
            person.tail,
            room.wire,
            text.raw,
        )
        return wire, id, b"message", text.json, b"", 0

    def line(
        self,
        room: Room,
        ms: int,
        person: Person,
        text: Text,
        extra: bytes = b"",
        raw: bytes | None = None,
        type: bytes = b"message",
        json: bytes | None = None,
    ) -> Said:
        """A PRIVMSG with ``extra`` tags (``;name=value``), or with another text on the wire (``raw``)
        and in the record (``json``) than ``text``."""
        id = self.ids.next()
        wire = b"".join(
            (
                person.head,
                self.ids.hex() + b"0e" if person.nonce else b"",
                person.looks,
                text.emotes,
                person.standing,
                id,
                person.rank,
                room.id,
                extra,
                person.subscriber,
                b"%d" % ms,
                person.tail,
                room.wire,
                b" :",
                text.raw if raw is None else raw,
                b"\r\n",
            )
        )
        return wire, id, type, text.json if json is None else json, b"", 0

    def reply(self, room: Room, ms: int) -> Said:
        """A reply to the last message of the room."""
        if room.last is None:
            return self.ordinary(room, ms)
        parent_id, parent, parent_text = room.last
        tagged, login = parent.tag_name, parent.login.encode()
        extra = (
            b";reply-parent-display-name=%b;reply-parent-msg-body=%b;reply-parent-msg-id=%b"
            b";reply-parent-user-id=%d;reply-parent-user-login=%b"
        ) % (tagged, parent_text.tagged, parent_id, parent.user_id, login)
        extra += (
            b";reply-thread-parent-display-name=%b;reply-thread-parent-msg-id=%b"
            b";reply-thread-parent-user-id=%d;reply-thread-parent-user-login=%b"
        ) % (tagged, parent_id, parent.user_id, login)
        text = self.text()
        name = parent.display.strip() or parent.login
        return self.line(room, ms, self.person(), _behind(f"@{name} ", text), extra)

    def action(self, room: Room, ms: int) -> Said:
        """``/me``."""
        text = self.text()
        return self.line(room, ms, self.person(), text, raw=b"\x01ACTION %b\x01" % text.raw, type=b"action")

    def special(self, room: Room, ms: int) -> Said:
        """A message that was paid for, a highlighted one, or a person's first one."""
        uuid = self.ids.next()
        extra = self.rng.choice(
            (
                b";bits=100",
                b";custom-reward-id=" + uuid,
                b";msg-id=highlighted-message",
                b";msg-id=skip-subs-mode-message",
                b";animation-id=rainbow-eclipse;msg-id=animated-message",
                b";emote-only=1",
                b";pinned-chat-paid-amount=1400;pinned-chat-paid-canonical-amount=1400"
                b";pinned-chat-paid-currency=NOK;pinned-chat-paid-exponent=2"
                b";pinned-chat-paid-is-system-message=0;pinned-chat-paid-level=ONE",
            )
        )
        return self.line(room, ms, self.person(), self.text(), extra)

    def shared(self, room: Room, ms: int) -> Said:
        """A copy of a message from another room of a shared chat."""
        extra = (
            b";source-badge-info=;source-badges=subscriber/12;source-id=%b;source-only=0;source-room-id=141000001"
        ) % self.ids.next()
        return self.line(room, ms, self.person(), self.text(), extra)


def _behind(before: str, text: Text) -> Text:
    """The text with ``before`` in front, which needs no escaping in JSON; the emotes lie so much later."""
    encoded, shift = before.encode(), len(before)

    def later(place: re.Match[bytes]) -> bytes:
        return b"%b%d-%d" % (place[1], int(place[2]) + shift, int(place[3]) + shift)

    return replace(
        text,
        raw=encoded + text.raw,
        emotes=re.sub(rb"([:,])(\d+)-(\d+)", later, text.emotes),
        json=b'"' + encoded + text.json[1:],
    )
