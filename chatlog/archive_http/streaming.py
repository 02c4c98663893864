"""Answers that are made in threads while they are sent, at the pace of the client.

A piece is made only when the client has read the one before it. So memory stays flat, and a slow client holds
no thread. If a client leaves, the reading for it ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import zstandard
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.archive.question import Cancelled
from chatlog.archive_http.asked import Asked, Stream, Work
from chatlog.http.answers import Answer
from chatlog.http.guard import HEADERS
from chatlog.http.requests import send

#: The most requests that read at the same time. Further ones are asked to come again.
AT_ONCE = 32
#: The threads that read for requests; requests that read whole archives have as many of their own, so that a
#: request for one day does not wait for these.
THREADS = 8
#: The most seconds for which a client may read nothing.
STALLED = 30.0
_CHECK_EVERY = 1.0


class Threads(Protocol):
    """A pool of threads; results are delivered in the reactor's thread."""

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]: ...


class _Packing(Protocol):
    def pack(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class _Gzip:
    name = "gzip"

    def __init__(self) -> None:
        self._packing = zlib.compressobj(1, zlib.DEFLATED, 31)

    def pack(self, data: bytes) -> bytes:
        return self._packing.compress(data) + self._packing.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._packing.flush()


class _Zstd:
    name = "zstd"

    def __init__(self) -> None:
        self._packing = zstandard.ZstdCompressor(level=1).compressobj()

    def pack(self, data: bytes) -> bytes:
        return self._packing.compress(data) + self._packing.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._packing.flush()


def packing_for(accepted: str) -> _Gzip | _Zstd | None:
    """The compression for an Accept-Encoding; zstd before gzip."""
    taken = set()
    for each in accepted.split(","):
        coding, _, weight = each.partition(";")
        if weight.replace(" ", "").removeprefix("q=").strip("0.") or not weight.strip():
            taken.add(coding.strip().lower())
    return _Zstd() if "zstd" in taken else _Gzip() if "gzip" in taken else None


def packed(chunks: Iterator[bytes], packing: _Packing | None) -> Iterator[bytes]:
    """The chunks, compressed; each can be unpacked as soon as it arrives."""
    if packing is None:
        yield from chunks
        return
    for chunk in chunks:
        yield packing.pack(chunk)
    yield packing.end()


class Desk:
    """Runs handlers in ``threads``, and slow ones in ``slow``; together at most ``most`` at a time."""

    _log = Logger()

    def __init__(self, threads: Threads, slow: Threads, clock: IReactorTime, most: int = AT_ONCE) -> None:
        self._threads = threads
        self._slow = slow
        self._clock = clock
        self._most = most
        self._running: set[Delivery] = set()
        self._checks = LoopingCall(self._check_all)
        self._checks.clock = clock

    @property
    def full(self) -> bool:
        """Whether new requests are refused."""
        return len(self._running) >= self._most

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        request: Any,
        asked: Asked,
        handle: Callable[[Asked], Answer | Stream],
        failed: Callable[[Failure], Answer | None],
        headers: dict[str, str],
        slow: bool = False,
    ) -> None:
        """Answer a request by ``handle``. ``failed`` turns an exception into an answer. ``headers`` are added
        to every answer."""
        threads = self._slow if slow else self._threads
        delivery = Delivery(self, threads, request, asked.work, failed, headers)
        self._running.add(delivery)
        request.notifyFinish().addBoth(lambda _: delivery.over())
        if not self._checks.running:
            self._checks.start(_CHECK_EVERY, now=False)
        delivery.run(lambda: handle(asked))

    def seconds(self) -> float:
        """The clock."""
        return self._clock.seconds()

    def finished(self, delivery: Delivery) -> None:
        """Call this when a request is finished, and no thread works for it."""
        self._running.discard(delivery)
        if not self._running and self._checks.running:
            self._checks.stop()

    def _check_all(self) -> None:
        for delivery in list(self._running):
            delivery.check()

    def stop(self) -> None:
        """End everything."""
        for delivery in list(self._running):
            delivery.over()
        if self._checks.running:
            self._checks.stop()


@implementer(IPushProducer)
class Delivery:
    """The delivery of one answer."""

    _log = Logger()

    def __init__(
        self,
        desk: Desk,
        threads: Threads,
        request: Any,
        work: Work,
        failed: Callable[[Failure], Answer | None],
        headers: dict[str, str],
    ) -> None:
        self._desk = desk
        self._threads = threads
        self._request = request
        self._work = work
        self._failed = failed
        self._headers = headers
        self._stream: Stream | None = None
        self._chunks: Iterator[bytes] | None = None
        self._busy = self._over = False
        self._paused_at: float | None = None

    def run(self, make: Callable[[], Answer | Stream]) -> None:
        """Make the answer."""
        self._busy = True
        self._threads.run(make).addCallbacks(self._made, self._broke)

    # -- results of threads --------------------------------------------------------------------------

    def _made(self, answer: Answer | Stream) -> None:
        self._busy = False
        if isinstance(answer, Stream):
            self._chunks = answer.chunks
        if self._over:
            self._end()
        elif isinstance(answer, Answer):
            self._send(answer)
        else:
            self._begin(answer)

    def _send(self, answer: Answer) -> None:
        answer.headers = {**self._headers, **answer.headers}
        send(self._request, answer)

    def _begin(self, stream: Stream) -> None:
        request = self._request
        for name, value in {**HEADERS, **self._headers, **stream.headers}.items():
            request.setHeader(name, value)
        request.setHeader("Content-Type", stream.type)
        request.setHeader("Cache-Control", "no-cache" if stream.etag else "no-store")
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("X-Accel-Buffering", "no")
        if stream.etag:
            request.setHeader("ETag", stream.etag)
        # The lines of ``alive`` cannot be packed while another thread packs a chunk.
        packing = None if stream.alive else packing_for(request.getHeader("accept-encoding") or "")
        if packing is not None:
            request.setHeader("Content-Encoding", packing.name)
        request.channel.streaming = True
        self._stream, self._chunks = stream, packed(stream.chunks, packing)
        if request.method == b"HEAD":
            request.write(b"")
            request.finish()
            return
        request.registerProducer(self, True)
        self._next()

    def _next(self) -> None:
        chunks = self._chunks
        if self._busy or self._over or self._paused_at is not None or chunks is None:
            return
        self._busy = True
        self._threads.run(lambda: next(chunks, None)).addCallbacks(self._chunk, self._broke)

    def _chunk(self, chunk: bytes | None) -> None:
        self._busy = False
        if self._over:
            self._end()
        elif chunk is None:
            self._request.unregisterProducer()
            self._request.channel.streaming = False
            self._request.finish()
        else:
            self._request.write(chunk)
            self._next()

    def _broke(self, failure: Failure) -> None:
        self._busy = False
        answer = None if failure.check(Cancelled) else self._failed(failure)
        if self._over:
            self._end()
        elif self._stream is not None or answer is None:
            # Cut off the answer. The client notices, for the end of the chunked encoding is missing.
            with suppress(Exception):
                self._request.transport.abortConnection()
        else:
            self._send(answer)

    # -- the client ----------------------------------------------------------------------------------

    def over(self) -> None:
        """The answer is sent, or the client has gone."""
        if self._over:
            return
        self._over = True
        self._work.cancel()
        if not self._busy:
            self._end()

    def _end(self) -> None:
        """Close everything: no thread works for the request any more."""
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            self._desk.finished(self)
            return
        closing = self._threads.run(chunks.close)  # type: ignore[attr-defined]
        closing.addErrback(lambda _: None)
        closing.addCallback(lambda _: self._desk.finished(self))

    def check(self) -> None:
        """Call this every second: drop a client that reads nothing, or show it that the answer goes on."""
        if self._over or self._stream is None:
            return
        if self._paused_at is not None:
            if self._desk.seconds() - self._paused_at > STALLED:
                with suppress(Exception):
                    self._request.transport.abortConnection()
        elif self._busy and self._stream.alive is not None:
            self._request.write(self._stream.alive())

    def pauseProducing(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._desk.seconds()

    def resumeProducing(self) -> None:
        self._paused_at = None
        self._next()

    def stopProducing(self) -> None:
        self.over()
