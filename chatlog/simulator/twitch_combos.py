"""Generates combos: many people tap one button within a minute, and each tap is a USERNOTICE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatlog.simulator.chat import Maker, Said
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room

if TYPE_CHECKING:
    from chatlog.simulator.twitch_chat import TwitchChat
    from chatlog.simulator.twitch_notices import Notices


class Combos:
    """Makes combos for a TwitchChat."""

    def __init__(self, chat: TwitchChat, notices: Notices) -> None:
        self._chat = chat
        self._notices = notices

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [(0.3, self.combo)]

    def combo(self, room: Room, ms: int) -> Said:
        """The start of a combo. Up to a hundred taps, a reached level and the end follow."""
        chat = self._chat
        taps = chat.rng.choice((5, 20, 100))
        gift = chat.rng.choice(("heart", "awww", "dino", "horselul"))
        host = chat.person()
        for number in range(taps):
            chat.backlog.append((room, lambda room, ms: self._tap(room, ms, gift)))
            if number == taps // 2:
                chat.backlog.append((room, lambda room, ms: self._reached(room, ms, host, gift)))
        chat.backlog.append((room, lambda room, ms: self._ended(room, ms, host, gift, taps)))
        system = "Combo started! You have 60s left to join."
        parameters = {"gift-id": gift, "ms-remaining": "60000"}
        return self._notice(room, ms, host, "onetapstreakstarted", parameters, system)

    def _notice(
        self, room: Room, ms: int, person: Person, kind: str, parameters: dict[str, str], system: str
    ) -> Said:
        return self._notices.notice(room, ms, person, kind, parameters, system, b"event")

    def _tap(self, room: Room, ms: int, gift: str) -> Said:
        person = self._chat.person()
        parameters = {"bits-spent": "5", "gift-id": gift, "user-display-name": person.display}
        return self._notice(room, ms, person, "onetapgiftredeemed", parameters, "")

    def _reached(self, room: Room, ms: int, host: Person, gift: str) -> Said:
        parameters = {"breakpoint-number": "1", "breakpoint-threshold-bits": "250", "gift-id": gift}
        return self._notice(room, ms, host, "onetapbreakpointachieved", parameters, "Milestone 1 achieved!")

    def _ended(self, room: Room, ms: int, host: Person, gift: str, taps: int) -> Said:
        parameters = {
            "channel-display-name": room.name,
            "contributor-1": "QuietOtter",
            "contributor-1-taps": "3",
            "gift-id": gift,
            "largest-contributor-count": "1",
            "streak-size-bits": str(5 * taps),
            "streak-size-taps": str(taps),
        }
        system = f"{room.name}'s community sent {taps}!"
        return self._notice(room, ms, host, "onetapstreakexpired", parameters, system)
