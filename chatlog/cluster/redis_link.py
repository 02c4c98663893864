"""The connection to a Redis or Valkey server: made when it is needed, with time-outs of its own, and ended
without a farewell as soon as an answer is late.

The library's own time-outs and reconnecting are not used: its lazy connection never fails, and never gives a
silent server up.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import txredisapi
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from chatlog.cluster.engine import WITHIN, EngineAway, EngineError
from chatlog.cluster.redis_scripts import Script
from chatlog.cluster.redis_words import PRIMARY, REACH, REPLICA, SPEECH, certificate_remedy, refusal
from chatlog.config.engine_address import SENTINEL, EngineAddress
from chatlog.network import tls
from chatlog.network.dialing import Network
from chatlog.network.errors import words

T = TypeVar("T")

#: Seconds to connect to one of several Sentinels, and to the server.
_CONNECT_WITHIN = 1.5
#: The most bytes of an answer, and elements of an array.
_MOST_BYTES = 128 * 1024 * 1024
_MOST_ELEMENTS = 1000
_KINDS = frozenset("+-:$*")


class RedisLink:
    """Asks one server. Any number of questions may wait at the same time. ``keep``: whether the connection is
    kept while no question waits."""

    def __init__(
        self, address: EngineAddress, network: Network, ca_file: str | None, keep: bool = True
    ) -> None:
        self._address = address
        self._network = network
        self._ca_file = ca_file
        self._keep = keep
        self._asking = 0
        self._session: _Session | None = None
        self._closed = False

    def ask(self, *command: bytes, within: float = WITHIN) -> Deferred[Any]:
        """Send a command. Fires with the answer: bytes, text, a number, a list or None. Fails with
        EngineAway."""
        return self._timed(lambda session: session.ask(*command), within)

    def run(
        self, script: Script, keys: list[bytes], *arguments: bytes, within: float = WITHIN
    ) -> Deferred[Any]:
        """Run a script. Fires and fails like ``ask``."""
        return self._timed(lambda session: session.run(script, keys, arguments), within)

    @property
    def server_run(self) -> str:
        """An identifier of the present run of the server; "" while it is unknown."""
        return "" if self._session is None else self._session.server_run

    def close(self) -> None:
        """End the connection and all questions."""
        self._closed = True
        self._drop("it is closed")

    def _drop(self, why: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.abort(EngineAway(why))

    def _timed(
        self, question: Callable[[_Session], Coroutine[Deferred[Any], Any, T]], within: float
    ) -> Deferred[T]:
        if self._closed:
            return fail(EngineAway("it is closed"))
        if self._session is None or self._session.broken is not None:
            self._session = _Session(self._address, self._network, self._ca_file)
        session = self._session
        self._asking += 1
        asked = Deferred.fromCoroutine(_asked(session, question))
        late = self._network.reactor.callLater(
            within, lambda: session.abort(EngineAway(f"no answer within {within:.0f} s", session.advice))
        )

        def ended(result: T | Failure) -> T | Failure:
            if late.active():
                late.cancel()
            self._asking -= 1
            if not self._asking and not self._keep:
                self._drop("it is not needed")
            return result

        return asked.addBoth(ended)


async def _asked(session: _Session, question: Callable[[_Session], Coroutine[Deferred[Any], Any, T]]) -> T:
    try:
        await session.ready()
        return await question(session)
    except EngineError:
        raise
    except txredisapi.ResponseError as error:
        refused = refusal(str(error))
        if refused.remedy == PRIMARY:
            # The server was demoted: find the primary anew.
            session.abort(refused)
        raise refused from None
    except txredisapi.RedisError:
        raise session.broken or EngineAway("the connection broke off") from None
    except CancelledError:
        if session.broken is not None:
            raise session.broken from None
        raise


class _Session:
    """One connection, from the attempt to make it until it breaks. ``broken`` is the reason then."""

    def __init__(self, address: EngineAddress, network: Network, ca_file: str | None) -> None:
        self.broken: EngineAway | None = None
        self.server_run = ""
        self._address = address
        self._network = network
        self._ca_file = ca_file
        self._wires: list[_Wire] = []
        self._wire: _Wire | None = None
        self._waiting: list[Deferred[None]] = []
        #: The remedy for a user if the connection breaks.
        self.advice = REACH
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addCallbacks(self._opened, self._failed)

    def ready(self) -> Deferred[None]:
        """Fires when questions can be asked. Fails with EngineAway."""
        if self.broken is not None:
            return fail(self.broken)
        if self._wire is not None:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    async def ask(self, *command: bytes) -> Any:
        """Send a command."""
        assert self._wire is not None
        return await self._wire.execute_command(*command)

    async def run(self, script: Script, keys: list[bytes], arguments: tuple[bytes, ...]) -> Any:
        """Run a script, which the server may not know yet."""
        behind = [str(len(keys)).encode("ascii"), *keys, *arguments]
        try:
            return await self.ask(b"EVALSHA", script.digest, *behind)
        except txredisapi.ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.ask(b"EVAL", script.text, *behind)

    def abort(self, why: EngineAway) -> None:
        """End the connection at once, and all questions with this reason."""
        if self.broken is None:
            self.broken = why
            self._opening.cancel()
            for wire in self._wires:
                wire.give_up()
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                if not each.called:
                    each.errback(why)

    def _opened(self, wire: _Wire) -> None:
        self._wire = wire
        self.advice = ""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self.abort(error if isinstance(error, EngineAway) else _unreachable(error))

    async def _open(self) -> _Wire:
        sentinel = self._address.kind == SENTINEL
        host, port = await self._named_by_sentinels() if sentinel else self._address.servers[0]
        wire = await self._connected(host, port)
        await self._login(wire)
        try:
            fields = info(await self._said(wire, b"INFO"))
        except EngineAway:
            if wire.broken:
                raise
            # Some users may not run INFO.
            fields = {}
        if fields.get("role") == "slave":
            if sentinel:
                raise EngineAway("the Sentinels name a server that is no primary (yet)", "wait")
            raise EngineAway(REPLICA, PRIMARY)
        # Some services do not show it.
        self.server_run = fields.get("run_id", "")
        return wire

    async def _named_by_sentinels(self) -> tuple[str, int]:
        """The address of the primary, from the first Sentinel that knows it."""
        why = EngineAway("no Sentinel knows it")
        for host, port in self._address.servers:
            try:
                wire = await self._connected(host, port)
                named = await self._primary_at(wire)
                wire.give_up()
            except EngineAway as error:
                why = EngineAway(f"Sentinel {host}:{port}: {error}", error.remedy)
                continue
            if named:
                return named[0].decode("ascii", "replace"), int(named[1])
            why = EngineAway(f"no Sentinel knows the name {self._address.master}", "look at cluster.engine")
        raise why

    async def _primary_at(self, wire: _Wire) -> Any:
        question = (b"SENTINEL", b"get-master-addr-by-name", self._address.master.encode("ascii"))
        try:
            return await self._said(wire, *question)
        except EngineAway as error:
            # Sentinels may have a password too, and mostly have none.
            if not self._address.password or "password" not in str(error):
                raise
        await self._login(wire, select=False)
        return await self._said(wire, *question)

    async def _login(self, wire: _Wire, select: bool = True) -> None:
        address = self._address
        if address.password:
            user = [address.user.encode("utf-8")] if address.user else []
            await self._said(wire, b"AUTH", *user, address.password.encode("utf-8"))
        if select and address.database:
            await self._said(wire, b"SELECT", str(address.database).encode("ascii"))

    async def _said(self, wire: _Wire, *command: bytes) -> Any:
        try:
            return await wire.execute_command(*command)
        except txredisapi.ResponseError as error:
            raise refusal(str(error)) from None
        except txredisapi.RedisError:
            raise EngineAway(wire.why, wire.remedy) from None

    async def _connected(self, host: str, port: int) -> _Wire:
        endpoint: Any = self._network.direct(host, port, _CONNECT_WITHIN)
        if self._address.tls:
            try:
                endpoint = wrapClientTLS(tls.client_options(host, self._ca_file), endpoint)
            except (tls.CertificateAuthorityError, ValueError) as error:
                raise EngineAway(f"TLS cannot be set up: {error}") from None
        factory = Factory.forProtocol(_Wire)
        factory.noisy = False
        try:
            wire: _Wire = await endpoint.connect(factory)
        except CancelledError:
            raise
        except Exception as error:
            raise _unreachable(error) from None
        self.advice = SPEECH
        wire.ended = self._ended
        self._wires.append(wire)
        return wire

    def _ended(self, wire: _Wire) -> None:
        self._wires.remove(wire)
        if wire is self._wire:
            self.abort(EngineAway(wire.why, wire.remedy))


def _unreachable(error: BaseException | None) -> EngineAway:
    return EngineAway(f"it cannot be reached: {words(error)}", REACH)


class _Wire(txredisapi.BaseRedisProtocol):
    """One connection. The library reads and writes; limits are ours. ``why`` is the reason of its end, in
    words."""

    def __init__(self) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self.why = "the connection broke off"
        self.remedy = SPEECH
        self.broken = False
        self.ended: Callable[[_Wire], object] = lambda wire: None

    def give_up(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Data of the server, which may be anything."""
        try:
            super().dataReceived(data, unpause)
        except (ValueError, LookupError, AttributeError):
            self._not_redis()

    def lineReceived(self, line: str) -> None:
        """A line of the server."""
        kind, number = line[:1], line[1:]
        most = {"$": _MOST_BYTES, "*": _MOST_ELEMENTS}.get(kind)
        known = kind in _KINDS and (most is None or -1 <= int(number) <= most)
        if known and self.replyQueue.waiting:
            super().lineReceived(line)
        else:
            self._not_redis()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that does not end."""
        self._not_redis()

    def connectionLost(self, why: Failure = connectionDone) -> None:
        """The connection ended."""
        trouble = tls.trouble(why)
        if trouble:
            self.why = trouble
            self.remedy = certificate_remedy(trouble) or SPEECH
        elif not why.check(ConnectionDone, ConnectionLost, ConnectionAborted):
            self.why = f"the connection broke off: {words(why.value)}"
        self.broken = True
        self.ended(self)
        super().connectionLost(why)

    def _not_redis(self) -> None:
        self.why = "it does not speak as Redis does"
        self.give_up()


def info(said: Any) -> dict[str, str]:
    """The fields in an answer to INFO."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else ""
    fields = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, colon, value in fields if colon}
