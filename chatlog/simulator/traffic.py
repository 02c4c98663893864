"""Sends chat to the listeners of rooms, at a given rate, with one tick for all connections."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from chatlog.simulator.chat import Chat, Maker
from chatlog.simulator.kick_chat import TOPICS
from chatlog.simulator.link import Link
from chatlog.simulator.oracle import Oracle
from chatlog.simulator.rooms import Room, number_of

#: The distributions of chat over rooms: the weight of the n-th room is 1 / (n + 1) ** s.
SPREADS = {"zipf": 1.0, "even": 0.0}
#: After a stall, at most this many seconds of chat are sent later.
MOST_CATCH_UP = 1.0


@dataclass(frozen=True, slots=True)
class Flow:
    """The amount of chat: ``rate`` events a second, ``kick_share`` of them on Kick, divided over the rooms by
    ``spread``. ``tick`` are the seconds between two sendings: the events of a connection in one tick are
    written together."""

    rate: float = 0.0
    kick_share: float = 0.2
    spread: str = "zipf"
    tick: float = 0.025


class Traffic:
    """Sends chat to the rooms with listeners.

    ``clock`` schedules, ``wall`` is the time of day in seconds since the epoch.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        twitch: Chat,
        kick: Chat,
        oracle: Oracle,
        flow: Flow | None = None,
        seed: str = "1",
    ) -> None:
        flow = Flow() if flow is None else flow
        self._wall = wall
        self._clock = clock
        self._chats = {"twitch": twitch, "kick": kick}
        self.oracle = oracle
        self._rate = flow.rate
        self._kick_share = flow.kick_share
        self._exponent = SPREADS[flow.spread]
        self._rng = random.Random(f"traffic {seed}")
        self._tick = flow.tick
        self._loop = LoopingCall(self.tick)
        self._loop.clock = clock
        self._flushed = self._last = clock.seconds()
        self._owed = 0.0
        # In the order of their creation, so that a seed replays exactly.
        self._links: dict[Link, None] = {}
        self._numbers = 0
        self.rooms: dict[tuple[str, str], Room] = {}
        self._counts = {"twitch": 0, "kick": 0}
        #: The rooms with listeners and their cumulated weights; None if they must be computed again.
        self._active: dict[str, tuple[list[Room], list[float]] | None] = {"twitch": None, "kick": None}

    def milliseconds(self) -> int:
        """The time of day in milliseconds since the epoch."""
        return int(self._wall() * 1000)

    def chat(self, platform: str) -> Chat:
        """The generator of the platform's chat."""
        return self._chats[platform]

    def room(self, platform: str, name: str) -> Room:
        """The room ``name``; the same one every time."""
        room = self.rooms.get((platform, name))
        if room is None:
            index = self._counts[platform]
            self._counts[platform] += 1
            topics = len(TOPICS) if platform == "kick" else 1
            id, channel = number_of(f"{platform} room", name), number_of(f"{platform} channel", name)
            room = self.rooms[platform, name] = Room(platform, name, id, channel, index, topics)
        return room

    def opened(self, link: Link) -> int:
        """Add a connection. Returns its number, counted over both platforms."""
        self._numbers += 1
        self._links[link] = None
        self.oracle.note("opened", self._numbers, self.milliseconds())
        return self._numbers

    def service(self) -> int:
        """The number of a listener that is not a connection of a recorder."""
        self._numbers += 1
        self.oracle.note("service", self._numbers, self.milliseconds())
        return self._numbers

    def closed(self, link: Link) -> None:
        """A connection has ended."""
        self._links.pop(link, None)

    def listen(self, room: Room, topic: int, link: Link) -> None:
        """From now on ``link`` gets the events on ``topic`` of ``room``."""
        if link not in room.topics[topic]:
            room.topics[topic].append(link)
            self._active[room.platform] = None

    def leave(self, room: Room, topic: int, link: Link) -> None:
        """From now on ``link`` does not get these events."""
        if link in room.topics[topic]:
            room.topics[topic].remove(link)
            self._active[room.platform] = None

    def listened(self, platform: str) -> list[Room]:
        """The rooms of ``platform`` with listeners."""
        return self._choices(platform)[0]

    def start(self) -> None:
        """Start sending and writing the oracle."""
        self._last = self._clock.seconds()
        self._loop.start(self._tick, now=False)

    def stop(self) -> None:
        """Stop creating events. Events already created are still sent."""
        if self._loop.running:
            self._loop.stop()
        self.send()
        self.oracle.flush()

    def say(self, platform: str, name: str, count: int = 1, maker: Maker | None = None) -> None:
        """Send ``count`` events in a room at once, those of ``maker`` if given."""
        room = self.room(platform, name)
        ms = self.milliseconds()
        chat = self._chats[platform]
        for _ in range(count):
            self._say(chat, room, chat.next if maker is None else maker, ms)
        self.send()

    def tick(self) -> None:
        """Send the events that are due."""
        now = self._clock.seconds()
        self._owed += min(now - self._last, MOST_CATCH_UP) * self._rate
        self._last = now
        due, self._owed = int(self._owed), self._owed % 1
        if due:
            self._say_many(due)
        self.send()
        if now - self._flushed >= 0.2:
            self._flushed = now
            self.oracle.flush()

    def send(self) -> None:
        """Write the pending events of each connection."""
        for link in list(self._links):
            if link.pending:
                link.flush()

    def _say_many(self, due: int) -> None:
        ms = self.milliseconds()
        kick = 0
        if self.listened("kick"):
            share = due * self._kick_share if self.listened("twitch") else due
            kick = int(share) + (self._rng.random() < share % 1)
        for platform, count in (("twitch", due - kick), ("kick", kick)):
            rooms, weights = self._choices(platform)
            chat = self._chats[platform]
            if not rooms:
                continue
            while count and chat.backlog:
                room, maker = chat.backlog.popleft()
                self._say(chat, room, maker, ms)
                count -= 1
            for room in self._rng.choices(rooms, cum_weights=weights, k=count):
                self._say(chat, room, chat.next, ms)

    def _say(self, chat: Chat, room: Room, maker: Maker, ms: int) -> None:
        said = maker(room, ms)
        topic = said[5]
        listeners = room.topics[topic] if topic >= 0 else room.topics[0][:1]
        if not listeners:
            return
        wire = said[0]
        heard = []
        for link in listeners:
            if not link.dead:
                link.pending.append(wire)
                heard.append(link)
        self.oracle.sent(room, ms, said, heard or listeners, not heard)

    def _choices(self, platform: str) -> tuple[list[Room], list[float]]:
        found = self._active[platform]
        if found is None:
            rooms = [room for room in self.rooms.values() if room.platform == platform and room.listened]
            total, weights = 0.0, []
            for room in rooms:
                total += (room.index + 1) ** -self._exponent
                weights.append(total)
            found = self._active[platform] = (rooms, weights)
        return found
