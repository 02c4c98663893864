"""Asking Kick's site for a channel's ids: one GET, and what its answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from chatlog import __version__
from chatlog.kick.pusher import readable

#: Bytes of an answer that are read at most.
ANSWER_LIMIT = 256 * 1024

#: GETs an address; gives the status and the body, or fails.
Get = Callable[[str], Deferred[tuple[int, bytes]]]


class LookupRefused(Exception):
    """An answer without ids; the text says what came instead. ``missing`` when the channel does not
    exist, as opposed to an answer that is refused for all of them."""

    def __init__(self, reason: str, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing


def ids_in(status: int, body: bytes) -> tuple[int, int | None]:
    """Chatroom id and channel id in an answer; the second may be missing. Raises LookupRefused."""
    try:
        answer: Any = orjson.loads(body)
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        room = answer.get("chatroom")
        if isinstance(room, dict):
            chatroom_id = positive(room.get("id"))
            if chatroom_id is not None:
                channel_id = positive(answer.get("id"))
                return chatroom_id, channel_id or positive(room.get("channel_id"))
    words = ""
    if isinstance(answer, dict):
        words = readable(answer.get("error") or answer.get("message"))
    elif answer is None and body.lstrip()[:1] == b"<":
        words = "a web page"
    elif status == 200:
        words = "no ids in it"
    elif 300 <= status <= 399:
        words = "it points elsewhere"
    raise LookupRefused(f"HTTP {status}: {words}" if words else f"HTTP {status}", status == 404)


def positive(value: object) -> int | None:
    """An id as a number, also where it is a string; None for anything that is no id."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    return value if type(value) is int and 0 < value < 1 << 63 else None


class _Body(Protocol):
    """Collects the body of an answer, up to a limit."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._give_up())
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > ANSWER_LIMIT and not self.done.called:
            self._parts.clear()
            self.done.errback(LookupRefused(f"an answer of more than {ANSWER_LIMIT} bytes"))
            self._give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            if reason.check(ResponseDone, PotentialDataLoss):
                self.done.callback(b"".join(self._parts))
            else:
                self.done.errback(reason)

    def _give_up(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            getattr(transport, "abortConnection", transport.loseConnection)()


def http_get(agent: IAgent) -> Get:
    """GET with a limit to the answer's size. Redirects are not followed."""

    async def get(url: str) -> tuple[int, bytes]:
        headers = Headers({"User-Agent": [f"chatlog/{__version__}"], "Accept": ["application/json"]})
        response = await agent.request(b"GET", url.encode("ascii"), headers, None)
        body = _Body()
        response.deliverBody(body)
        return response.code, await body.done

    return lambda url: Deferred.fromCoroutine(get(url))
