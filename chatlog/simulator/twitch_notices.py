"""Generates USERNOTICE lines of all known kinds: subscriptions, gifts, raids, announcements and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatlog.simulator.chat import Maker, Said
from chatlog.simulator.people import Person, tag
from chatlog.simulator.rooms import Room
from chatlog.simulator.texts import Text

if TYPE_CHECKING:
    from chatlog.simulator.twitch_chat import TwitchChat

_PLANS = (("Prime", "with Prime"), ("1000", "at Tier 1"), ("2000", "at Tier 2"), ("3000", "at Tier 3"))
#: The name that the platform gives to anonymous gifters.
_ANONYMOUS = b"ananonymousgifter"
#: Kinds with few parameters of their own: msg-id, parameters, system message, record type.
_SIMPLE: tuple[tuple[str, dict[str, str], str, bytes], ...] = (
    ("unraid", {}, "The raid has been cancelled.", b"raid"),
    (
        "primepaidupgrade",
        {"sub-plan": "1000"},
        "{} converted from a Prime sub to a Tier 1 sub!",
        b"subscription",
    ),
    (
        "giftpaidupgrade",
        {"sender-login": "quietotter", "sender-name": "QuietOtter"},
        "{} is continuing the Gift Sub they got from QuietOtter!",
        b"subscription",
    ),
    (
        "anongiftpaidupgrade",
        {},
        "{} is continuing the Gift Sub they got from an anonymous user!",
        b"subscription",
    ),
    (
        "extendsub",
        {"sub-plan": "1000", "sub-benefit-end-month": "4"},
        "{} extended their sub!",
        b"subscription",
    ),
    (
        "rewardgift",
        {"domain": "winter_2025", "selected-count": "5", "total-reward-count": "5", "trigger-type": "CHEER"},
        "{}'s Cheer shared rewards to 5 others in Chat!",
        b"gift",
    ),
    (
        "standardpayforward",
        {"prior-gifter-anonymous": "false", "prior-gifter-user-name": "quietotter"},
        "{} is paying forward the Gift they got!",
        b"gift",
    ),
    ("communitypayforward", {"prior-gifter-anonymous": "true"}, "{} is paying forward the Gift!", b"gift"),
    ("bitsbadgetier", {"threshold": "1000"}, "bits badge tier notification", b"event"),
    ("ritual", {"ritual-name": "new_chatter"}, "@{} is new here. Say hello!", b"event"),
    (
        "viewermilestone",
        {"category": "watch-streak", "copoReward": "450", "value": "10"},
        "{} watched 10 consecutive streams and sparked a watch streak!",
        b"event",
    ),
    ("modiversary", {"months": "24"}, "has been a moderator for 24 months!", b"event"),
    (
        "charitydonation",
        {"charity-name": "Good Cause", "donation-amount": "2000", "donation-currency": "EUR"},
        "{} donated 20.00 EUR to support Good Cause",
        b"event",
    ),
    ("midnightsquid", {"amount": "500", "currency": "USD", "exponent": "2"}, "", b"event"),
    ("socialsharingbadge", {"current-badge-level": "1"}, "Unlocked a social sharing badge", b"event"),
    ("somethingnew", {"what": "a; b \\ c"}, "{} did something that no client knows.", b"event"),
)


class Notices:
    """Makes USERNOTICE lines for a TwitchChat."""

    def __init__(self, chat: TwitchChat) -> None:
        self._chat = chat

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [
            (5, self.subscription),
            (2, self.gift),
            (0.3, self.gift_bomb),
            (0.6, self.raid),
            (1, self.announcement),
            (2, self.simple),
            (0.5, self.shared),
        ]

    def notice(
        self,
        room: Room,
        ms: int,
        person: Person,
        kind: str,
        parameters: dict[str, str],
        system: str,
        type: bytes,
        text: Text | None = None,
        more: bytes = b"",
    ) -> Said:
        """One USERNOTICE; ``parameters`` without their ``msg-param-``, ``more`` are further tags."""
        id = self._chat.ids.next()
        params = b"".join(b";msg-param-%b=%b" % (k.encode(), tag(v)) for k, v in sorted(parameters.items()))
        name = person.display or person.login
        wire = b"".join(
            (
                person.head.removesuffix(b";client-nonce="),
                person.looks,
                text.emotes if text else b"",
                b";flags=;id=",
                id,
                b";login=",
                person.login.encode(),
                b";mod=0;msg-id=",
                kind.encode(),
                params,
                b";room-id=",
                room.id,
                more,
                b";subscriber=1;system-msg=",
                tag(system.format(name)),
                b";tmi-sent-ts=%d;user-id=%d;user-type=;vip=0" % (ms, person.user_id),
                b" :tmi.twitch.tv USERNOTICE #",
                room.wire,
                b" :" + text.raw if text else b"",
                b"\r\n",
            )
        )
        return wire, id, type, text.json if text else b'""', b"", 0

    def subscription(self, room: Room, ms: int) -> Said:
        """A first subscription, or a later one with or without words."""
        rng = self._chat.rng
        plan, words = rng.choice(_PLANS)
        months = rng.choice((1, 1, 2, 3, 7, 14, 33))
        parameters = {
            "cumulative-months": str(months),
            "months": "0",
            "multimonth-duration": "1",
            "multimonth-tenure": "0",
            "should-share-streak": "0",
            "sub-plan": plan,
            "sub-plan-name": f"Channel Subscription ({room.name})",
            "was-gifted": "false",
        }
        system = f"{{}} subscribed {words}."
        text = None
        if months > 1:
            system += f" They've subscribed for {months} months!"
            text = self._chat.text() if rng.random() < 0.6 else None
        kind = "resub" if months > 1 else "sub"
        return self.notice(room, ms, self._chat.person(), kind, parameters, system, b"subscription", text)

    def gift(self, room: Room, ms: int) -> Said:
        """A subscription for another viewer."""
        return self._gift(room, ms, self._chat.person(), self._chat.ids.next().decode())

    def _gift(self, room: Room, ms: int, giver: Person, origin: str) -> Said:
        to = self._chat.person()
        parameters = {
            "community-gift-id": origin,
            "gift-months": "1",
            "months": "3",
            "origin-id": origin,
            "recipient-display-name": to.display,
            "recipient-id": str(to.user_id),
            "recipient-user-name": to.login,
            "sender-count": "0",
            "sub-plan": "1000",
            "sub-plan-name": f"Channel Subscription ({room.name})",
        }
        system = "{} gifted a Tier 1 sub to " + to.login + "!"
        return self.notice(room, ms, giver, "subgift", parameters, system, b"gift")

    def gift_bomb(self, room: Room, ms: int) -> Said:
        """Many gifts at once: the announcement, then the gifts as a burst."""
        chat = self._chat
        count = chat.rng.choice((5, 10, 20, 50))
        giver, origin = chat.person(), chat.ids.next().decode()
        for _ in range(count):
            chat.backlog.append((room, lambda room, ms: self._gift(room, ms, giver, origin)))
        parameters = {
            "community-gift-id": origin,
            "mass-gift-count": str(count),
            "origin-id": origin,
            "sender-count": "100",
            "sub-plan": "1000",
        }
        system = f"{{}} is gifting {count} Tier 1 Subs to {room.name}'s community!"
        return self.notice(room, ms, giver, "submysterygift", parameters, system, b"gift")

    def raid(self, room: Room, ms: int) -> Said:
        """Viewers of another channel arrive."""
        person = self._chat.person()
        viewers = str(self._chat.rng.randrange(2, 9000))
        parameters = {
            "displayName": person.display,
            "login": person.login,
            "profileImageURL": "https://images.example.net/profile-70x70.png",
            "viewerCount": viewers,
        }
        return self.notice(room, ms, person, "raid", parameters, viewers + " raiders have joined!", b"raid")

    def announcement(self, room: Room, ms: int) -> Said:
        """A moderator's /announce."""
        colour = self._chat.rng.choice(("PRIMARY", "BLUE", "GREEN", "ORANGE", "PURPLE"))
        chat = self._chat
        return self.notice(
            room, ms, chat.person(), "announcement", {"color": colour}, "", b"announcement", chat.text()
        )

    def simple(self, room: Room, ms: int) -> Said:
        """One of the kinds with few parameters; one of them is unknown to all clients."""
        kind, parameters, system, type = self._chat.rng.choice(_SIMPLE)
        return self.notice(room, ms, self._chat.person(), kind, parameters, system, type)

    def shared(self, room: Room, ms: int) -> Said:
        """A notice from another room of a shared chat; its kind is in source-msg-id."""
        chat = self._chat
        more = b";source-badges=moderator/1;source-id=%b;source-msg-id=%b;source-room-id=141000001"
        kind, type = chat.rng.choice(((b"announcement", b"announcement"), (b"resub", b"subscription")))
        more %= chat.ids.next(), kind
        return self.notice(room, ms, chat.person(), "sharedchatnotice", {}, "", type, chat.text(), more)
