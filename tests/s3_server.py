"""An S3 server on loopback that does what it is told, over real HTTP: it answers errors, loses answers,
keeps other bytes than it was sent, or says nothing at all."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

#: What a request is met with instead of the ordinary; the answer, or None to go on as usual.
Behaviour = Callable[["Handler"], bool]


class ScriptedS3:
    """The server. ``script`` holds behaviours for the next PUTs of objects, ``heads`` for the next HEADs;
    when they are used up it is an ordinary S3, which takes its bucket in the path and in the host."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.script: list[Behaviour] = []
        self.heads: list[Behaviour] = []
        #: For the next GETs of objects; for every request, before anything else.
        self.gets: list[Behaviour] = []
        self.always: Behaviour | None = None
        self.requests: list[tuple[str, str]] = []
        #: Whether parts of objects are given.
        self.ranges = True
        #: Whether a conditional create is honoured; whether it is answered 501.
        self.creates = True
        self.unknown_create = False
        self.etags: Callable[[bytes], str | None] = lambda data: hashlib.md5(
            data, usedforsecurity=False
        ).hexdigest()
        self.released = threading.Event()
        handler = type("Bound", (Handler,), {"s3": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening and let go of every request that hangs."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    s3: ScriptedS3
    protocol_version = "HTTP/1.1"
    # Head and body of an answer are sent one after the other.
    disable_nagle_algorithm = True
    body: bytes

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    @property
    def is_hosted(self) -> bool:
        """Whether the bucket is in the host of the address."""
        return str(self.headers.get("Host", "")).startswith("bucket.")

    @property
    def key(self) -> str:
        """The key, without the bucket."""
        path = unquote(urlsplit(self.path).path).lstrip("/")
        return path if self.is_hosted else path.partition("/")[2]

    def answer(self, status: int, body: bytes = b"", **headers: str | None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, code: str, words: str = "words of the store") -> None:
        """Send an error as S3 words it."""
        text = (
            f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{words}</Message>'
            "<AWSAccessKeyId>AKIATESTKEY</AWSAccessKeyId><SignatureProvided>abc/def=</SignatureProvided></Error>"
        )
        self.answer(status, text.encode(), Content_Type="application/xml")

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def store(self, data: bytes) -> None:
        """Keep an object."""
        self.s3.objects[self.key] = data
        self.s3.headers[self.key] = {name.lower(): value for name, value in self.headers.items()}

    def _is_over(self) -> bool:
        """Take the request; True if that was all."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.s3.requests.append((self.command, self.key))
        return self.s3.always is not None and self.s3.always(self)

    def do_PUT(self) -> None:
        if self._is_over():
            return
        if self.s3.script and not self.key.endswith("chatlog-probe") and self.s3.script.pop(0)(self):
            return
        self.put()

    def put(self) -> None:
        """Store as an ordinary S3 does."""
        if self.s3.unknown_create and self.headers.get("If-None-Match"):
            self.error(501, "NotImplemented")
            return
        if self.s3.creates and self.headers.get("If-None-Match") == "*" and self.key in self.s3.objects:
            self.error(412, "PreconditionFailed")
            return
        self.store(self.body)
        self.answer(200, ETag=self._etag(self.body))

    def _etag(self, data: bytes) -> str | None:
        etag = self.s3.etags(data)
        return None if etag is None else f'"{etag}"'

    def do_HEAD(self) -> None:
        if self._is_over() or (self.s3.heads and self.s3.heads.pop(0)(self)):
            return
        self._get()

    def do_GET(self) -> None:
        if self._is_over():
            return
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query and not self.key:
            self._list(query.get("prefix", [""])[0], query.get("start-after", [""])[0])
        elif not (self.s3.gets and self.s3.gets.pop(0)(self)):
            self._get()

    def _get(self) -> None:
        data = self.s3.objects.get(self.key)
        if data is None:
            self.error(404, "NoSuchKey")
            return
        whole = len(data)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.s3.ranges and self.command == "GET":
            first, last = int(wanted[1]), min(int(wanted[2]), whole - 1)
            if first >= whole:
                self.error(416, "InvalidRange")
                return
            data = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        else:
            self.send_response(200)
        if etag := self._etag(data):
            self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Mon, 29 Dec 2025 10:30:00 GMT")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def _list(self, prefix: str, after: str) -> None:
        entries = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2025-12-29T10:30:00.000Z</LastModified>"
            f"<ETag>&quot;x&quot;</ETag><Size>{len(data)}</Size></Contents>"
            for key, data in sorted(self.s3.objects.items())
            if key.startswith(prefix) and key > after
        )
        self.answer(
            200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()
        )

    def do_DELETE(self) -> None:
        if self._is_over():
            return
        self.s3.objects.pop(self.key, None)
        self.answer(204)


def fails(status: int, code: str, words: str = "words of the store") -> Behaviour:
    """Answers an error and does nothing."""

    def behave(handler: Handler) -> bool:
        handler.error(status, code, words)
        return True

    return behave


def hangs_up(handler: Handler) -> bool:
    """Closes the connection before anything is done."""
    handler.hang_up()
    return True


def loses_the_answer(handler: Handler) -> bool:
    """Stores, and closes the connection instead of saying so."""
    handler.store(handler.body)
    handler.hang_up()
    return True


def fails_after_storing(handler: Handler) -> bool:
    """Stores, and says that something went wrong."""
    handler.store(handler.body)
    handler.error(500, "InternalError")
    return True


def forgets(handler: Handler) -> bool:
    """Says that it has stored, and has not."""
    handler.answer(200, ETag='"x"')
    return True


def cuts(handler: Handler) -> bool:
    """Stores a part, and says that all is well."""
    handler.store(handler.body[:-1])
    handler.answer(200, ETag='"x"')
    return True


def spoils(handler: Handler) -> bool:
    """Stores other bytes of the same length, and says that all is well."""
    handler.store(b"x" + handler.body[1:])
    handler.answer(200, ETag='"x"')
    return True


def says_nothing(handler: Handler) -> bool:
    """Takes the request, and never answers."""
    handler.s3.released.wait(60)
    handler.hang_up()
    return True
