"""A simulated Kick: Pusher Channels, protocol 7, over WebSocket, and the look-up of ids.

Facts: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/ and captures. A
public channel is always granted, also with an id that no room has; then no event comes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest

from chatlog.simulator.kick_chat import TOPICS, frame
from chatlog.simulator.link import Link
from chatlog.simulator.rooms import Room, number_of
from chatlog.simulator.server import Platform
from chatlog.simulator.traffic import Traffic

_PATTERNS = tuple(
    re.compile(
        re.escape(topic).replace(r"\{chatroom\}", "([0-9]+)").replace(r"\{channel\}", "([0-9]+)") + r"\Z"
    )
    for topic in TOPICS
)
_LOOKUP = re.compile(r"/api/v[12]/channels/([a-z0-9_-]{1,64})\Z")
#: Seconds that a client has to answer a close.
CLOSE_WITHIN = 2.0
_BLOCKED = b'{"error":"Request blocked by security policy.","reference":"9e4db7e3"}'


@dataclass(frozen=True, slots=True)
class KickRules:
    """How the server behaves. ``rooms``: only ``room1`` to that number exist, None for any name that is
    looked up; ``known``: rooms that exist without having been looked up; ``app`` the key in the
    address; ``lookup_blocked``: the lookup answers 403; times in seconds."""

    rooms: int | None = None
    known: tuple[str, ...] = ()
    app: str = "demo"
    activity_timeout: int = 120
    pong_within: float = 30.0
    lookup_blocked: bool = False
    own_records: bool = False


class KickConnection(Link, WebSocketServerProtocol):  # type: ignore[misc]
    """One client."""

    server: SimulatedKick
    number = 0

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # All frames take the same way, so that no frame lands inside another that is being split.
        if self.number:
            self.flush()
            self.outlet.write(data)
        else:
            self.transport.write(data)

    def onConnect(self, request: ConnectionRequest) -> None:
        self._refused = 0
        protocol = request.params.get("protocol", [""])[0]
        if not request.path.startswith("/app/"):
            self._refused = 4005
        elif request.path != f"/app/{self.server.rules.app}":
            self._refused = 4001
        elif not protocol:
            self._refused = 4008
        elif protocol not in ("5", "6", "7"):
            self._refused = 4007

    def onOpen(self) -> None:
        self.opened(self.server.traffic, self.server.clock, self.server.rules.own_records)
        self.server.connections[self.number] = self
        self.transport.registerProducer(self, True)
        self._heard = self.server.clock.seconds()
        self._pinged = 0.0
        if self.server.login_refused or self._refused:
            self.close(self._refused or 4001)
        elif not self.server.stalled:
            timeout = self.server.rules.activity_timeout
            welcome = {"socket_id": f"{self.number}.{number_of('socket', str(self.number))}"}
            self.say("pusher:connection_established", {**welcome, "activity_timeout": timeout})

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.number:
            self.server.connections.pop(self.number, None)
            self.lost()

    def sendServerStatus(self, redirectUrl: str | None = None, redirectAfter: int = 0) -> None:
        # Autobahn calls this for a request that is not for a WebSocket: here, the lookup of ids.
        status, body = self.server.look_up(str(self.http_request_path))
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)

    def say(self, event: str, data: object, channel: str | None = None, encoded: bool = True) -> None:
        message = {"event": event, "data": orjson.dumps(data).decode() if encoded else data}
        if channel is not None:
            message["channel"] = channel
        self.pending.append(frame(orjson.dumps(message)))
        self.flush()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.dead:
            return
        self._heard = self.server.clock.seconds()
        try:
            message = orjson.loads(payload)
            event, data = message["event"], message.get("data")
            if isinstance(data, str):
                data = orjson.loads(data)
            channel = data.get("channel") if isinstance(data, dict) else None
        except (ValueError, KeyError, TypeError, AttributeError):
            self.say("pusher:error", {"code": None, "message": "Invalid JSON"}, encoded=False)
            return
        if event == "pusher:ping":
            self.say("pusher:pong", {})
        elif event == "pusher:subscribe" and isinstance(channel, str):
            self._subscribe(channel)
        elif event == "pusher:unsubscribe" and isinstance(channel, str):
            found = self.server.find(channel)
            if found is not None:
                self.part(*found)

    def _subscribe(self, channel: str) -> None:
        if self.server.joins_ignored:
            return
        if channel.startswith(("private-", "presence-")):
            error = {"type": "AuthError", "error": "Connection not authorized", "status": 401}
            self.say("pusher_internal:subscription_error", error, channel)
            return
        found = self.server.find(channel)
        if found is not None and found in self.joined:
            text = f"Existing subscription to channel {channel}"
            self.say("pusher:error", {"code": None, "message": text}, encoded=False)
            return
        self.say("pusher_internal:subscription_succeeded", {}, channel)
        if found is not None:
            self.join(*found)

    def check(self, now: float) -> None:
        """Called every second: ping a silent client, and close if it does not answer."""
        rules = self.server.rules
        if self._pinged > self._heard:
            if now - self._pinged > rules.pong_within:
                self.close(4201)
        elif now - self._heard > rules.activity_timeout:
            self._pinged = now
            self.say("pusher:ping", {})

    def announce_reconnect(self, seconds: float) -> None:
        """Close with a code that asks the client to reconnect at once: Pusher has no other message for it."""
        self.later(seconds, self.close, 4200)

    def close(self, code: int | None = None) -> None:
        """Close with ``code``, after everything that was sent."""
        self.server.traffic.send()
        self.dead = True
        self.sendClose(code or 4200, "closing")
        self.later(CLOSE_WITHIN, self.cut)

    def finish(self) -> None:
        if not self.dead:
            self.close()

    def part_room(self, name: str) -> None:
        """Stop sending a room, without a message: Pusher has none for it."""
        room = self.server.traffic.room("kick", name)
        for joined, topic in list(self.joined):
            if joined is room:
                self.part(room, topic)

    def garbage(self, chance: Any) -> None:
        """Frames that are not Pusher events: noise, a binary frame, a very long frame."""
        noise = bytes(chance.randrange(256) for _ in range(100))
        self.pending += [frame(noise), b"\x82\x04\x00\xff\x01\x02", frame(b"{" * 70_000), frame(b"")]
        self.flush()

    def broken(self, chance: Any) -> None:
        """A frame with an undefined opcode."""
        self.break_with(b"\x83\x02hi", self.outlet.write)


class SimulatedKick(Platform[KickConnection]):
    """The server. ``login_refused`` closes new connections with 4001; ``stalled`` leaves them without a
    welcome; ``joins_ignored`` leaves subscriptions without an answer; ``lookup_blocked`` answers lookups
    with 403. All can be set at any time."""

    def __init__(self, reactor: Any, traffic: Traffic, rules: KickRules | None = None) -> None:
        super().__init__(reactor, traffic)
        self.rules = rules or KickRules()
        self.joins_ignored = False
        self.lookup_blocked = self.rules.lookup_blocked
        self._by_id: dict[tuple[str, str], Room] = {}
        numbered = [f"room{n}" for n in range(1, (self.rules.rooms or 0) + 1)]
        for name in [*self.rules.known, *numbered]:
            self.know(name)

    def know(self, name: str) -> Room:
        """Make the room ``name`` exist."""
        room = self.traffic.room("kick", name)
        self._by_id["chatroom", room.id.decode()] = room
        self._by_id["channel", room.channel_id.decode()] = room
        return room

    def find(self, channel: str) -> tuple[Room, int] | None:
        """The room and topic of a Pusher channel, None if no room has the id."""
        for topic, pattern in enumerate(_PATTERNS):
            match = pattern.match(channel)
            if match is not None:
                room = self._by_id.get(("channel" if "{channel}" in TOPICS[topic] else "chatroom", match[1]))
                return None if room is None else (room, topic)
        return None

    def look_up(self, path: str) -> tuple[str, bytes]:
        """Status and body of the answer to a GET of ``path``."""
        if self.lookup_blocked:
            return "403 Forbidden", _BLOCKED
        match = _LOOKUP.match(path)
        if match is None or match[1].startswith("ghost") or not self._exists(match[1]):
            return "404 Not Found", b"{}"
        room = self.know(match[1])
        chatroom, channel = int(room.id), int(room.channel_id)
        return "200 OK", orjson.dumps(
            {
                "id": channel,
                "user_id": number_of("kick user", room.name),
                "slug": room.name,
                "chatroom": {"id": chatroom, "channel_id": channel, "chat_mode": "public"},
                "livestream": None,
            }
        )

    def _exists(self, name: str) -> bool:
        return self.rules.rooms is None or ("kick", name) in self.traffic.rooms

    def make_factory(self) -> WebSocketServerFactory:
        factory = WebSocketServerFactory(reactor=self._reactor)
        factory.noisy = False
        # Autobahn's own timers would run on the global reactor.
        factory.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            autoPingInterval=0,
            maxMessagePayloadSize=1 << 20,
            tcpNoDelay=True,
        )
        factory.buildProtocol = self.connection  # type: ignore[method-assign]
        self._websocket = factory
        return factory

    def connection(self, addr: Any) -> KickConnection:
        """A connection that is about to be made."""
        connection = KickConnection()
        connection.server = self
        connection.factory = self._websocket
        return connection
