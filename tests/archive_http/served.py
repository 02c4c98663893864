"""The archive server's site over an archive that a test knows, and a client on the wire."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.access import Access
from chatlog.archive_http.firehose import Firehose
from chatlog.archive_http.logs import MOST_BYTES
from chatlog.archive_http.optouts import OptOuts
from chatlog.archive_http.routes import Routes
from chatlog.archive_http.site import Root
from chatlog.archive_http.streaming import AT_ONCE, Desk, Threads
from chatlog.config.settings import ArchiveSettings, HttpSettings, RecorderSettings, Secret, Settings
from chatlog.http.requests import BoundedSite
from chatlog.platforms import PLATFORMS
from chatlog.record import encode_full, rfc3339
from chatlog.twitch import irc
from chatlog.twitch.events import chat_record, event_record
from chatlog.uploader.manifest_rows import HeadRow, RoomRow, encoded
from tests.archive.world import World
from tests.fakes import ImmediateThreads
from tests.http.wire import Connection, Reply

#: 2026-03-01T00:00:00Z.
MARCH = 1772323200.0
ROOM = ("twitch", "testchan")


def line(text: str, received: str = "") -> bytes:
    """The record that the recorder makes of a line of IRC."""
    data = text.encode()
    arrived = received or "2026-03-01T12:00:00.000Z"
    found = chat_record(data, arrived, encode_full)
    if found is not None:
        return found[1]
    return event_record(irc.parse(data), arrived, encode_full, "testchan", "11111")


def privmsg(ms: int, text: str, user: str = "alice", id: str = "", user_id: str = "22222") -> bytes:
    """A message sent so many milliseconds after MARCH."""
    at = int(MARCH * 1000) + ms
    tags = f"id={id or f'id-{ms}'};room-id=11111;tmi-sent-ts={at};user-id={user_id}"
    return line(
        f"@badge-info=;badges=;color=;display-name={user.title()};emotes=;flags=;{tags};user-type= "
        f":{user}!{user}@{user}.tmi.twitch.tv PRIVMSG #testchan :{text}"
    )


class ArchiveCase(SynchronousTestCase):
    """The real site over ``world``, for which it is the second of March. Threads are none unless a test has
    others."""

    threads: Threads | None = None
    most = AT_ONCE
    most_bytes = MOST_BYTES
    token: Secret | None = None
    archive_settings = ArchiveSettings(optout_key=Secret("ab" * 32))

    def setUp(self) -> None:
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.world = World(self.mktemp(), MARCH + 36 * 3600.0)
        self.world.strict = self.archive_settings.public
        self.scene: Any = SimpleNamespace(clock=Clock())
        threads = self.threads or ImmediateThreads()
        self.desk = Desk(threads, threads, self.scene.clock, self.most)
        archive = self.world.opened()
        now = lambda: self.world.now  # noqa: E731
        settings = Settings(
            http=HttpSettings(listen="127.0.0.1:8081", hosts=("logs.example",), token=self.token),
            archive=self.archive_settings,
            recorder=RecorderSettings(directory=self.world.spool),
        )
        access = Access(settings.http, settings.archive)
        routes = Routes(
            archive,
            now,
            self.most_bytes,
            lambda: self.firehose.is_there,
            OptOuts(archive, settings, PLATFORMS, now),
            access.all_rooms,
        )
        self.firehose = Firehose(archive.tail, threads, self.scene.clock)
        describe = lambda: "the archive of the test"  # noqa: E731
        page = "127.0.0.1:8080"
        root = Root(routes, archive.reader, self.desk, access, describe, self.firehose, page)
        self.site = BoundedSite(root, self.scene.clock)
        self.site.doStart()
        self.addCleanup(self.site.doStop)
        self.addCleanup(self.desk.stop)
        self.addCleanup(self.firehose.stop)

    def connect(self, full: int = 1 << 30) -> Connection:
        return Connection(self, full)

    def ask(
        self, path: str, *headers: str, method: str = "GET", host: str = "127.0.0.1:8081", body: str = ""
    ) -> Reply:
        """Send a request and read its only answer."""
        size = [f"Content-Length: {len(body.encode())}"] if body else []
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, *size, "", ""]
        connection = self.connect().send("\r\n".join(head) + body)
        [reply] = connection.replies(head=method == "HEAD")
        connection.leave()
        return reply

    def put_manifest(
        self,
        since: float = MARCH,
        until: float = MARCH + 86400.0,
        room: tuple[str, str] = ROOM,
        missing: float = 0.0,
        reason: str = "",
        instance: str = "main",
    ) -> None:
        """A manifest says that the room was recorded in that time, but for so many seconds."""
        day = rfc3339(round(since * 1000))[:10]
        row = RoomRow(*room, until - since - missing, missing, reason)
        rows = HeadRow(since, until, "1", instance), row
        name = f"{instance}_{day.replace('-', '')}_{int(since % 86400 // 3600):02}00"
        key = f"manifest/{day.replace('-', '/')}/{name}"
        self.world.store.put_new(f"{key}.jsonl", b"".join(encoded(row) for row in rows), {})

    def text(self, path: str) -> str:
        """The body of an answer that has to be there."""
        reply = self.ask(path)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.body.decode()
