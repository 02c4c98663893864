"""A connection of a simulated platform, for traffic and faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatlog.simulator.outlet import Outlet
from chatlog.simulator.rooms import Room

if TYPE_CHECKING:
    from chatlog.simulator.traffic import Traffic

#: A client that leaves this many bytes unread is dropped.
MOST_UNREAD = 64_000_000
#: Data that was sent at most this many milliseconds before a cut may be lost.
IN_FLIGHT = 1000
#: Seconds for which a client may keep a connection whose stream was broken.
BROKEN_FOR = 5.0


class Link:
    """The common part of connections of Twitch and Kick. The protocol calls ``opened`` and ``lost``."""

    transport: Any
    number: int
    dead: bool

    def opened(self, traffic: Traffic, clock: IReactorTime, own_records: bool = False) -> None:
        """The connection is made. ``own_records``: every event is written by itself."""
        self._traffic = traffic
        self._clock = clock
        self._own_records = own_records
        self.pending: list[bytes] = []
        self.dead = False
        self._cut = self._twice = False
        self._calls: list[IDelayedCall] = []
        #: (room, topic) of everything joined or subscribed to.
        self.joined: dict[tuple[Room, int], None] = {}
        self._muted: set[Room] = set()
        self.outlet = Outlet(clock, self.write_now)
        self.number = traffic.opened(self)

    def write_now(self, data: bytes) -> None:
        """Write ``data`` to the transport."""
        self.transport.write(data)

    def later(self, seconds: float, function: Any, *arguments: Any) -> None:
        """Call ``function`` later, unless the connection has ended by then."""
        self._calls = [call for call in self._calls if call.active()]
        self._calls.append(self._clock.callLater(seconds, function, *arguments))

    # -- Traffic

    def flush(self) -> None:
        """Send the pending events."""
        pending, self.pending = self.pending, []
        if self.dead:
            return
        if self._twice:
            pending = [wire for wire in pending for _ in (1, 2)]
        if self._own_records:
            for wire in pending:
                self.outlet.write(wire)
        else:
            self.outlet.write(b"".join(pending))
        if self.outlet.waiting_bytes > MOST_UNREAD:
            self.cut()

    def join(self, room: Room, topic: int = 0, after: float = 0.0) -> None:
        """Listen to a topic of a room, ``after`` so many seconds."""
        self.joined[room, topic] = None
        self._noted(room, topic, True)
        if after:
            self.later(after, self._listen, room, topic)
        else:
            self._listen(room, topic)

    def _listen(self, room: Room, topic: int) -> None:
        if (room, topic) in self.joined and room not in self._muted:
            self._traffic.listen(room, topic, self)

    def part(self, room: Room, topic: int = 0) -> None:
        """Stop listening to a topic of a room."""
        if self.joined.pop((room, topic), self) is None:
            self._noted(room, topic, False)
        self._traffic.leave(room, topic, self)

    def _noted(self, room: Room, topic: int, begins: bool) -> None:
        # The other topics of a room bring no chat.
        if topic == 0:
            self._traffic.oracle.listening(room, self.number, self._traffic.milliseconds(), begins)

    def lost(self) -> None:
        """The connection has ended."""
        for room, topic in list(self.joined):
            self.part(room, topic)
        for call in self._calls:
            if call.active():
                call.cancel()
        self.outlet.shut()
        self.pending.clear()
        self._traffic.closed(self)
        now = self._traffic.milliseconds()
        since = self.outlet.waiting_since()
        if since is not None:
            waited = int((self._clock.seconds() - since) * 1000)
            self._traffic.oracle.note("cut", self.number, now, now - waited - IN_FLIGHT)
        elif not self._cut:
            self._traffic.oracle.note("closed", self.number, now)

    # -- The transport as a consumer (IPushProducer)

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self.outlet.full = True

    def resumeProducing(self) -> None:
        """The transport's buffer has room."""
        self.outlet.resume()

    def stopProducing(self) -> None:
        """The transport is closed."""

    def finish(self) -> None:
        """Close normally: everything that was sent before is still delivered."""
        if self.dead:
            return
        self._traffic.send()
        self.dead = True
        # TLS would wait for a registered producer to finish.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # -- Faults

    def cut(self) -> None:
        """Reset the connection; data that the peer has not read is lost."""
        now = self._traffic.milliseconds()
        self._cut = self.dead = True
        self._traffic.oracle.note("cut", self.number, now, now - IN_FLIGHT)
        self.transport.abortConnection()

    def half_open(self, seconds: float) -> None:
        """Read and write nothing for ``seconds``, then reset. The peer sees a live connection."""
        self._traffic.send()
        self.dead = True
        self.outlet.shut()
        self.transport.pauseProducing()
        self.later(seconds, self.cut)

    def mute(self, seconds: float, room: Room | None = None) -> None:
        """Send nothing of ``room``, or of any room, for ``seconds``, on a healthy connection."""
        rooms = {joined for joined, _ in self.joined} if room is None else {room}
        self._muted |= rooms
        for joined, topic in self.joined:
            if joined in rooms:
                self._traffic.leave(joined, topic, self)
        self.later(seconds, self._unmute, rooms)

    def _unmute(self, rooms: set[Room]) -> None:
        self._muted -= rooms
        for joined, topic in self.joined:
            if joined in rooms:
                self._listen(joined, topic)

    def split(self, seconds: float) -> None:
        """Send in pieces of odd sizes for ``seconds``."""
        self.outlet.split()
        self.later(seconds, self.outlet.straight)

    def repeat(self, seconds: float) -> None:
        """Send everything twice for ``seconds``, which Twitch may do."""
        self._twice = True
        self.later(seconds, self._once)

    def _once(self) -> None:
        self.flush()
        self._twice = False

    def break_with(self, noise: bytes, write: Callable[[bytes], object]) -> None:
        """Write ``noise`` after all pending data, so that nothing after it can be understood. Send nothing
        more, and reset soon."""
        self._traffic.send()
        self.dead = True
        # TLS buffers small writes until the reactor's next turn; they must not follow the noise.
        self.later(0.05, write, noise)
        self.later(BROKEN_FOR, self.cut)

    def slow(self, seconds: float, bytes_per_second: int) -> None:
        """Send slowly for ``seconds``."""
        self.outlet.slow(bytes_per_second)
        self.later(seconds, self.outlet.straight)
