"""The store of the campaign: a relay in front of the S3 server that can fail in every way stores do."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: What the relay can do. ``lost``: the request arrives and is carried out, its answer does not come back;
#: ``unstored``: answered with 200, and nothing was stored; ``hang``: taken, and never answered.
WAYS = ("pass", "refuse", "hang", "503", "SlowDown", "500", "403", "lost", "unstored")
_ERRORS = {
    "503": (503, "Service Unavailable", "ServiceUnavailable"),
    "SlowDown": (503, "Slow Down", "SlowDown"),
    "500": (500, "Internal Server Error", "InternalError"),
    "403": (403, "Forbidden", "AccessDenied"),
}
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r$")


class Relay:
    """Listens on loopback in a thread of its own and hands requests on to ``target``; ``way`` is one of
    WAYS and may be changed at any time."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = parts.hostname or "", parts.port or 80
        self.way = "pass"
        self.port = 0
        #: (way, method, status) of what was answered, and keys whose answer was lost once.
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.unanswered: set[str] = set()
        #: Keys that were put again after their answer had been lost, and met themselves.
        self.met_themselves: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def go(self, way: str) -> None:
        """Behave that way from now on."""
        before, self.way = self.way, way
        if way == "refuse":
            self._call(self._close())
        elif before == "refuse":
            self._call(self._listen())

    def close(self) -> None:
        """Answer no more."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._request(reader, writer)
        writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        way = self.way
        while way == "hang" and self.way == "hang":
            await asyncio.sleep(0.1)
        if way in ("hang", "refuse"):
            self.answers[way, method, 0] += 1
            return
        if way in _ERRORS:
            answer = self._error(way, method)
        elif way == "unstored" and method == "PUT":
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            answer = _answer(200, "OK", b"", f'ETag: "{etag}"\r\n')
        else:
            answer = await self._pass(head, body)
        status = int(answer[9:12])
        if way == "lost" and method == "PUT":
            if status == 200:
                self.unanswered.add(path)
            self.answers[way, method, 0] += 1
            writer.transport.abort()
            return
        if method == "PUT" and status == 412 and path in self.unanswered:
            self.met_themselves.add(path)
        self.answers[way, method, status] += 1
        writer.write(answer)
        await writer.drain()

    def _error(self, way: str, method: str) -> bytes:
        status, words, code = _ERRORS[way]
        body = f"<Error><Code>{code}</Code><Message>as the campaign wants it</Message></Error>".encode()
        return _answer(status, words, b"" if method == "HEAD" else body)

    async def _pass(self, head: bytes, body: bytes) -> bytes:
        lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        reader, writer = await asyncio.open_connection(*self._target, limit=1 << 26)
        try:
            writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        return re.sub(rb"(?i)\r\nconnection: [^\r]*", b"\r\nConnection: close", answer, count=1)


def _answer(status: int, words: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {words}\r\n{more}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def fetch(bucket: Any, target: Path, without: set[str]) -> int:
    """Bring the objects that are not in the directory ``target`` yet, but for the keys ``without``; how
    many there are. An object is never replaced, so what was fetched once stays as it is."""
    count = 0
    target.mkdir(parents=True, exist_ok=True)
    for found in bucket.objects.all():
        if found.key in without:
            continue
        count += 1
        path = target / found.key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(found.get()["Body"].read())
    return count
