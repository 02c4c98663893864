"""The uploader in front of a real S3 client and a store that fails for a while: what it calls the trouble,
what it says of it, and that all files arrive, each once, when the trouble is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import S3Settings, Secret, UploaderSettings
from chatlog.counters import Counters
from chatlog.naming import parse_name
from chatlog.services import Backoff
from chatlog.spool.usage import Usage
from chatlog.store.object_store import open_s3
from chatlog.store.store import CLOCK, CORRUPT, MISCONFIGURED, REFUSED, TRANSIENT
from chatlog.uploader.uploader import Uploader
from tests.fakes import ImmediateThreads, MemoryFiles, environment
from tests.s3_server import (
    Behaviour,
    Handler,
    ScriptedS3,
    cuts,
    fails,
    fails_after_storing,
    forgets,
    hangs_up,
    loses_the_answer,
    says_nothing,
    spoils,
)

# What the scripted server repeats in every error.
KEY_ID, SECRET, SIGNATURE = "AKIATESTKEY", "s3cr3t-access-key", "abc/def="
NAMES = [f"twitch_ann_20251229_10{n:02d}.jsonl" for n in range(4)]
CONTENTS = {name: b'{"timestamp":"2025-12-29T10:00:00.000Z"}\n' * (n + 1) for n, name in enumerate(NAMES)}
KEYS = {parse_name(name).key(): data for name, data in CONTENTS.items()}


def moved(handler: Handler) -> bool:
    """Sends away to another address."""
    handler.answer(307, Location="http://127.0.0.1:1/bucket/elsewhere")
    return True


def page(handler: Handler) -> bool:
    """A proxy in between has a page of its own for it."""
    handler.answer(502, b"<html><h1>Bad Gateway</h1></html>")
    return True


def torn(handler: Handler) -> bool:
    """An error that breaks off in its XML."""
    handler.answer(503, b"<Error><Code>SlowDo")
    return True


#: What is done to every PUT for a time; the state, the kind, and words that are told.
FAULTS: list[tuple[Behaviour, str, str, str]] = [
    (fails(500, "InternalError"), "retrying", TRANSIENT, "500 InternalError: words of the store"),
    (fails(503, "ServiceUnavailable"), "retrying", TRANSIENT, "503 ServiceUnavailable: words of the store"),
    (fails(503, "SlowDown"), "retrying", TRANSIENT, "503 SlowDown: words of the store"),
    (fails(429, "TooManyRequests"), "retrying", TRANSIENT, "429 TooManyRequests"),
    (fails(408, "RequestCanceled"), "retrying", TRANSIENT, "408 RequestCanceled"),
    (fails(409, "ConditionalRequestConflict"), "retrying", TRANSIENT, "409 ConditionalRequestConflict"),
    (fails(400, "BadDigest"), "retrying", TRANSIENT, "400 BadDigest"),
    (fails(400, "XAmzContentSHA256Mismatch"), "retrying", TRANSIENT, "400 XAmzContentSHA256Mismatch"),
    (fails(403, "AccessDenied"), "refused", REFUSED, "403 AccessDenied: words of the store"),
    (fails(403, "InvalidAccessKeyId", f"no key {KEY_ID}"), "refused", REFUSED, "no key ***"),
    (fails(403, "SignatureDoesNotMatch", f"Signature={SIGNATURE}"), "refused", REFUSED, "Signature=***"),
    (fails(400, "ExpiredToken"), "refused", REFUSED, "400 ExpiredToken"),
    (fails(404, "NoSuchBucket"), "refused", MISCONFIGURED, "404 NoSuchBucket"),
    (fails(301, "PermanentRedirect"), "refused", MISCONFIGURED, "another region"),
    (moved, "refused", MISCONFIGURED, "307 Temporary Redirect"),
    (fails(403, "RequestTimeTooSkewed"), "clock wrong", CLOCK, "403 RequestTimeTooSkewed"),
    (page, "retrying", TRANSIENT, "502 Bad Gateway"),
    (torn, "retrying", TRANSIENT, "503 Service Unavailable"),
    (hangs_up, "retrying", TRANSIENT, "error sending request"),
    (loses_the_answer, "retrying", TRANSIENT, "error sending request"),
    (fails_after_storing, "retrying", TRANSIENT, "500 InternalError"),
    (forgets, "retrying", TRANSIENT, "is not there"),
]


class VerifiedFiles(MemoryFiles):
    """Files that may only go when the server has what is in them."""

    server: ScriptedS3

    def remove(self, path: str) -> None:
        if "/sealed/" in path and self.content(path) not in self.server.objects.values():
            raise AssertionError(f"{path} was removed, and is not in the store")
        super().remove(path)


class UploadsTests(SynchronousTestCase):
    """Four files, one server, one trouble after another."""

    def setUp(self) -> None:
        self.s3 = ScriptedS3()
        self.addCleanup(self.s3.close)
        self.clock = Clock()

    def uploader(self, longest: float = 10.0) -> Uploader:
        """One that has found its store well."""
        uploader = self.started(longest)
        self.assertEqual(uploader.state, "ok")
        return uploader

    def started(self, longest: float = 10.0) -> Uploader:
        """An uploader that has prepared its store."""
        self.s3.script, self.s3.heads = [], []
        self.s3.objects.clear()
        self.files = VerifiedFiles()
        self.files.server = self.s3
        self.counters = Counters()
        settings = S3Settings("bucket", "us-east-1", self.s3.endpoint, Secret(KEY_ID), Secret(SECRET))
        uploader = Uploader(
            UploaderSettings("none", 2),
            open_s3(settings, 1_000_000, longest),
            "/data",
            environment(self.clock, files=self.files, counters=self.counters),
            ImmediateThreads(),
            Usage(),
            backoff=Backoff(1.0, 60.0, lambda low, high: high),
        )
        uploader.startService()
        self.addCleanup(uploader.stopService)
        self.clock.advance(0)
        return uploader

    def seal(self, uploader: Uploader) -> None:
        self.files.make_directories("/data/sealed")
        for name, data in CONTENTS.items():
            self.files.put(f"/data/sealed/{name}", data)
        uploader.sealed(NAMES)

    def texts(self, events: Sequence[dict[str, Any]]) -> list[str]:
        """What was logged, without our secrets in any field."""
        texts = [formatEvent(event) or "" for event in events]
        for secret in (KEY_ID, SECRET, SIGNATURE):
            self.assertNotIn(secret, " ".join([*texts, *(str(event) for event in events)]))
        return texts

    def assertArrived(self, uploader: Uploader, what: object) -> None:
        """All is there, once, and nothing is left."""
        self.assertEqual(self.s3.objects, KEYS, what)
        self.assertEqual(self.files.names("/data/sealed"), [], what)
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0), what)
        self.assertEqual((self.counters.uploaded, self.counters.quarantined), (4, 0), what)

    def test_trouble_that_lasts(self) -> None:
        """For ten minutes every PUT fails: the state and the words are right, one line tells of it, no file
        goes, and no file is tried more often than it should; afterwards everything arrives, once."""
        for fault, state, kind, words in FAULTS:
            uploader = self.uploader()
            self.s3.always = lambda handler, fault=fault: handler.command == "PUT" and fault(handler)
            with capturedLogs() as events:
                self.seal(uploader)
            what = (state, words, uploader.last_error)
            self.assertEqual(uploader.state, state, what)
            self.assertIn(words, uploader.last_error, what)
            told = [e for e in events if e["log_level"] in (LogLevel.warn, LogLevel.error)]
            self.assertEqual([words in text for text in self.texts(told)], [True], what)
            self.assertGreater(self.counters.upload_retries[kind], 0, what)
            began = len(self.s3.requests)
            with capturedLogs() as events:
                for _ in range(20):
                    self.clock.advance(30)
                self.s3.always = None
                for _ in range(3):
                    self.clock.advance(60)
            self.texts(events)
            self.assertLess(len(self.s3.requests) - began, 150, what)
            self.assertArrived(uploader, what)

    def test_looks_that_fail(self) -> None:
        """When objects may be stored and not looked at, no file goes and the right that is wanting is named;
        with the right they are recognised and not stored twice."""
        uploader = self.uploader()
        self.s3.heads = [fails(403, "AccessDenied")] * 1000
        self.s3.gets = [fails(403, "AccessDenied")] * 1000
        with capturedLogs() as events:
            self.seal(uploader)
            self.clock.advance(120)
        self.texts(events)
        self.assertEqual(uploader.state, "refused")
        self.assertIn("s3:GetObject", uploader.remedy)
        self.assertEqual(len(self.files.names("/data/sealed")), 4)
        self.s3.heads, self.s3.gets = [], []
        self.clock.advance(60)
        self.assertArrived(uploader, "HEAD 403")

    def test_no_answer(self) -> None:
        """A store that says nothing is given up in time, and tried again."""
        uploader = self.uploader(longest=0.3)
        self.s3.always = says_nothing
        self.seal(uploader)
        self.assertEqual((uploader.state, uploader.last_error), ("retrying", "no answer in time"))
        self.s3.always = None
        for _ in range(4):
            self.clock.advance(60)
        self.assertArrived(uploader, "half-open")

    def test_other_bytes(self) -> None:
        """What a store keeps altered or cut is left where it is for a look at it; the file goes under the
        next number, whole."""
        for fault in (cuts, spoils):
            uploader = self.uploader()
            self.s3.script = [fault]
            self.seal(uploader)
            # That is a trouble of one object, and the others have gone.
            self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 1))
            self.assertEqual(self.counters.upload_retries[CORRUPT], 1)
            for _ in range(3):
                self.clock.advance(60)
            first, data = next(iter(KEYS.items()))
            damaged = self.s3.objects.pop(first)
            self.assertNotEqual(damaged, data)
            self.assertEqual(self.s3.objects.pop(first.replace(".jsonl", "n0002.jsonl")), data)
            self.assertEqual(self.s3.objects, {key: kept for key, kept in KEYS.items() if key != first})
            self.assertEqual((self.files.names("/data/sealed"), uploader.state), ([], "ok"))

    def test_proxy_with_a_limit(self) -> None:
        """A proxy in front of the store that takes nothing above a size, whether it says so with a page or
        just hangs up, keeps one file from being stored, and names it."""

        def limited(handler: Handler) -> bool:
            if handler.command == "PUT" and len(handler.body) > 150:
                handler.answer(413, b"<html><head><title>413 Request Entity Too Large</title></head></html>")
                return True
            return False

        def rude(handler: Handler) -> bool:
            if handler.command == "PUT" and len(handler.body) > 150:
                handler.hang_up()
                return True
            return False

        for behaviour, words in ((limited, "413 Request Entity Too Large"), (rude, "the connection failed")):
            self.s3.always = None
            uploader = self.uploader()
            self.s3.always = behaviour
            with capturedLogs() as events:
                self.seal(uploader)
                for _ in range(120):
                    self.clock.advance(1)
            told = [e for e in events if e["log_level"] in (LogLevel.warn, LogLevel.error)]
            [text] = self.texts(told)
            self.assertTrue(NAMES[3] in text and "164 B" in text and words in text, text)
            self.assertEqual(self.files.names("/data/sealed"), [NAMES[3]])
            self.assertEqual(self.s3.objects, {key: data for key, data in KEYS.items() if len(data) < 150})
            self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 1))
            self.s3.always = None
            self.clock.advance(600)
            self.assertEqual((self.s3.objects, uploader.quarantined), (KEYS, 0))

    def test_no_store(self) -> None:
        """Behind a captive portal nothing goes, and it is not asked without end; all goes when it is gone."""

        def portal(handler: Handler) -> bool:
            handler.answer(200, b"<html>Log in</html>", ETag='"x"')
            return True

        self.s3.always = portal
        uploader = self.started()
        self.seal(uploader)
        self.clock.pump([1.0] * 40)
        self.assertEqual((uploader.state, len(self.files.names("/data/sealed"))), ("refused", 4))
        self.assertIn("a web page came", uploader.last_error)
        self.assertLess(len(self.s3.requests), 20)
        self.s3.always = None
        self.clock.advance(60)
        self.assertArrived(uploader, "portal")
