"""A simulated service that keeps recent messages of Twitch's rooms (recent-messages2).

``GET /api/v2/recent-messages/{login}?limit=N`` is answered with the latest lines of the room, oldest first.
Like the real one it joins a room when it is first asked for it, writes tags in another order, adds two of its
own and leaves the colon out if possible. It never loses a line, so it counts as a listener that is not a
recorder's.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import orjson
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.web.resource import Resource
from twisted.web.server import Site

from chatlog.simulator.traffic import Traffic

#: The lines that are kept of a room.
MOST = 800
#: The commands that are kept.
_EXPORTED = frozenset({"PRIVMSG", "CLEARCHAT", "CLEARMSG", "USERNOTICE", "NOTICE", "ROOMSTATE"})
_LOGIN = re.compile(r"[a-z0-9_]{1,25}\Z")
#: Milliseconds until a line arrives at the service.
_DELAY = 120


class _RoomListener:
    """Listens to one room. Lines that are put into ``pending`` are kept with their time."""

    dead = False

    def __init__(self, number: int, traffic: Traffic) -> None:
        self.number = number
        self._traffic = traffic
        self._lines: deque[tuple[int, bytes]] = deque(maxlen=MOST)

    @property
    def pending(self) -> Any:
        """The traffic puts lines here."""
        return self

    def append(self, wire: bytes) -> None:
        """Keep a line."""
        self._lines.append((self._traffic.milliseconds(), wire))

    def lines(self, limit: int) -> list[str]:
        """The latest lines in the service's form."""
        found = [_exported(ms + _DELAY, wire) for ms, wire in self._lines]
        return [line for line in found if line][-limit:]


class SimulatedRecent(Resource):
    """The service on 127.0.0.1. With a ``status`` other than 200, every request gets that status and
    ``retry_after`` seconds."""

    isLeaf = True

    def __init__(self, reactor: Any, traffic: Traffic) -> None:
        super().__init__()
        self._reactor = reactor
        self._traffic = traffic
        self._listeners: dict[str, _RoomListener] = {}
        self._number = 0
        self._listening: Any = None
        self.status = 200
        self.retry_after = 0
        #: (login, limit) of every request.
        self.requests: list[tuple[str, int]] = []

    def begin(self) -> None:
        """Start answering."""
        self._number = self._traffic.service()

    def listen(self, port: int = 0) -> int:
        """Listen on ``port`` (0: any). Returns the port."""
        self.begin()
        site = Site(self)
        site.noisy = False
        self._listening = self._reactor.listenTCP(port, site, interface="127.0.0.1")
        found: int = self._listening.getHost().port
        return found

    def stop(self) -> Deferred[None]:
        """Listen no more."""
        listening, self._listening = self._listening, None
        return succeed(None) if listening is None else maybeDeferred(listening.stopListening)

    def render_GET(self, request: Any) -> bytes:
        """Answer one request."""
        path = request.path.decode("ascii", "replace").rpartition("/")
        said = (request.args.get(b"limit") or [b""])[0]
        limit = min(int(said), MOST) if said.isdigit() else MOST
        request.setHeader("Content-Type", "application/json")
        if self.retry_after:
            request.setHeader("Retry-After", str(self.retry_after))
        if self.status != 200:
            request.setResponseCode(self.status)
            return b'{"status":"error"}'
        if path[0] != "/api/v2/recent-messages" or not _LOGIN.match(path[2]):
            request.setResponseCode(400)
            return b'{"messages":[],"error":"Invalid channel login","error_code":"invalid_channel_login"}'
        self.requests.append((path[2], limit))
        return self.answer(path[2], limit)

    def answer(self, login: str, limit: int = MOST) -> bytes:
        """The lines that are kept of a room. The service listens to the room from now on."""
        listener = self._listeners.get(login)
        joined = listener is not None
        if listener is None:
            listener = self._listeners[login] = _RoomListener(self._number, self._traffic)
            self._traffic.listen(self._traffic.room("twitch", login), 0, listener)  # type: ignore[arg-type]
        error = None if joined else "The bot is currently not joined to this channel"
        code = None if joined else "channel_not_joined"
        lines = listener.lines(limit) if limit else []
        return orjson.dumps({"messages": lines, "error": error, "error_code": code})


def _exported(ms: int, wire: bytes) -> str:
    """A line in the service's form; ``""`` for a line that it does not keep."""
    try:
        line = wire.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return ""
    tags = {"rm-received-ts": str(ms), "historical": "1"}
    if line.startswith("@"):
        head, _, line = line[1:].partition(" ")
        for tag in head.split(";"):
            key, _, value = tag.partition("=")
            tags[key] = value
    middle, colon, text = line.partition(" :")
    command = next((word for word in middle.split(" ") if not word.startswith(":")), "")
    if command not in _EXPORTED:
        return ""
    if colon and text and " " not in text and not text.startswith(":"):
        line = f"{middle} {text}"
    return "@" + ";".join(f"{key}={tags[key]}" for key in sorted(tags)) + " " + line
