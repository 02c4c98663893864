"""Configured secrets against everything that is said while everything goes wrong: the log in both its
shapes, the facts, the verdicts, the metrics and what is posted."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatlog.alarms.alarms import Alarms
from chatlog.alarms.webhook import Webhook
from chatlog.config.settings import (
    AlarmSettings,
    ArchiveSettings,
    HttpSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
)
from chatlog.configuration import describe
from chatlog.counters import Counters
from chatlog.http.metrics import Metrics
from chatlog.log_lines import as_json
from chatlog.logs import Console
from chatlog.rooms.pool import RoomEvents
from chatlog.rooms.subscriptions import Room
from chatlog.spool.usage import Usage
from chatlog.status.health import alive, ready
from chatlog.store.object_store import open_s3
from chatlog.twitch.rooms import twitch_pool
from chatlog.uploader.uploader import Uploader
from tests.fakes import ImmediateThreads, MemoryFiles, environment
from tests.played import nothing
from tests.scene import Scene
from tests.twitch.test_rooms import Lines, Peer

OAUTH = "0authT0kenAbcdefgh"
ACCESS_KEY = "AKIAACCESSKEY12345"
SECRET_KEY = "s3cr3tKey/Abc+def=ghi"
HTTP_TOKEN = "httpT0kenAbcdefgh"
HOOK = "https://hooks.test/services/T0000/w3bh00kPath?key=w3bh00kQuery"
SIGNING_KEY = "5157a9c0ffee" * 5 + "abcd"
#: What must never be seen, whatever it is part of.
NEVER = (OAUTH, ACCESS_KEY, SECRET_KEY, HTTP_TOKEN, SIGNING_KEY, "w3bh00kPath", "w3bh00kQuery")

SETTINGS = Settings(
    platforms={"twitch": TwitchSettings(("room",), "somebody", Secret(OAUTH), "127.0.0.1", 6667, tls=False)},
    s3=S3Settings("bucket", access_key_id=Secret(ACCESS_KEY), secret_access_key=Secret(SECRET_KEY)),
    archive=ArchiveSettings(signing_key=Secret(SIGNING_KEY)),
    http=HttpSettings(token=Secret(HTTP_TOKEN), room_metrics=True),
    alarms=AlarmSettings(webhook=Secret(HOOK), after=0.0),
)


class SecretsCase(SynchronousTestCase):
    """The whole log of a test, at its most talkative, in both shapes."""

    def setUp(self) -> None:
        self.log: list[bytes] = []
        for console in (
            Console(self.log.append, verbose=True),
            Console(self.log.append, verbose=True, shape=as_json),
        ):
            globalLogPublisher.addObserver(console)
            self.addCleanup(globalLogPublisher.removeObserver, console)

    def check(self, *said: object) -> str:
        """No secret is in the log, nor in what is given; returns all of it."""
        text = b"".join(self.log).decode() + "\n".join(map(str, said))
        for secret in NEVER:
            self.assertNotIn(secret, text)
        return text


class TwitchTests(SecretsCase):
    def test_server_that_repeats_the_password(self) -> None:
        """A server that sends our own token back, in whatever it says about the login, does not get it
        into the log, nor into the facts."""
        reactor = MemoryReactorClock()
        counters = Counters()
        server = Lines()
        pool = twitch_pool(
            SETTINGS.platforms["twitch"],
            environment(reactor, counters=counters),
            server,
            RoomEvents(nothing, nothing, nothing, nothing),
            reactor,
            lambda factory: factory,
        )
        pool.add(Room("room", Lines()))
        pool.startService()
        factory = reactor.tcpClients[0][2]
        scene = Scene(0).start()
        scene.pools["twitch"] = pool
        self.addCleanup(scene.stop)
        peer = Peer(factory)
        self.assertIn(f"PASS oauth:{OAUTH}", peer.heard())
        for text in (
            f"Login authentication failed for oauth:{OAUTH}",
            f"Improperly formatted auth: PASS {OAUTH}",
        ):
            peer.say(f":tmi.twitch.tv NOTICE * :{text}")
            scene.advance(10)
        peer.lose()
        scene.advance(10)
        facts = json.dumps(scene.facts())
        self.assertIn("Login authentication failed", self.check(facts))
        self.assertIn("login refused", facts)


class Repeating(BaseHTTPRequestHandler):
    """Refuses everything and sends back all it was sent, as some stores do."""

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        body = (
            "<Error><Code>SignatureDoesNotMatch</Code><Message>no match "
            f"for {ACCESS_KEY} and {SECRET_KEY}</Message><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>"
            f"<StringToSign>{self.headers}</StringToSign></Error>"
        ).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_PUT = do_GET = do_HEAD = do_DELETE = do_POST = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class StoreTests(SecretsCase):
    def test_store_that_repeats_the_request(self) -> None:
        """A store whose refusal quotes credentials, headers and what was signed does not get any of it
        into the log, nor into the facts, alarms and metrics."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        assert SETTINGS.s3 is not None
        bucket = replace(SETTINGS.s3, endpoint=endpoint)
        files = MemoryFiles()
        files.put("/data/sealed/twitch_room_20251229_1030.jsonl", b'{"timestamp":"x"}\n')

        def make(scene: Scene) -> Uploader:
            self.uploader = Uploader(
                SETTINGS.uploader,
                open_s3(bucket, 1_000_000),
                "/data",
                environment(scene.clock, scene.now, files, counters=scene.counters),
                ImmediateThreads(),
                Usage(),
            )
            return self.uploader

        scene = Scene(1, uploader=make, http=SETTINGS.http, alarms=SETTINGS.alarms)
        uploader = self.uploader
        scene.start()
        self.addCleanup(scene.stop)
        uploader.startService()
        self.addCleanup(uploader.stopService)
        posted: list[Any] = []
        alarms = Alarms(scene.status, scene.clock, scene.now, posted.append)
        alarms.startService()
        self.addCleanup(alarms.stopService)
        scene.advance(70)
        facts = scene.facts(rooms=True)
        self.assertEqual(facts["uploads"]["state"], "refused")
        verdicts = alive(scene.status.conditions()).body, ready(scene.status.conditions()).body
        text = self.check(
            json.dumps(facts), verdicts, posted, Metrics(scene.status).exposition().decode(), alarms.active()
        )
        # It was said what is wrong, all the same.
        self.assertIn("STORE_REFUSED", text)
        self.assertIn("SignatureDoesNotMatch", facts["uploads"]["last_error"])


class BrokenAgent:
    """A web client that fails with the whole address in its words."""

    def request(self, method: bytes, uri: bytes, headers: Any, body: Any) -> Deferred[Any]:
        return fail(RuntimeError(f"cannot {method!r} {uri.decode()}: {headers}"))


class WebhookTests(SecretsCase):
    def test_address(self) -> None:
        """The address of the webhook is not in what is logged when it fails."""
        scene = Scene(1)
        agent: Any = BrokenAgent()
        webhook = Webhook(SETTINGS.alarms, "", cast(Any, lambda: agent), scene.clock)
        webhook.startService()
        self.addCleanup(webhook.stopService)
        scene.start()
        self.addCleanup(scene.stop)
        alarms = Alarms(scene.status, scene.clock, scene.now, webhook.send)
        alarms.startService()
        self.addCleanup(alarms.stopService)
        scene.space = (0, 1000)
        scene.advance(60)
        self.assertIn("the webhook at hooks.test does not take alarms", self.check())


class SettingsTests(SecretsCase):
    def test_settings_show_no_secret(self) -> None:
        """Neither as a whole nor in the words of --check."""
        self.assertIn("***", self.check(SETTINGS, repr(SETTINGS), describe(SETTINGS)))
