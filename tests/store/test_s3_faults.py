"""Everything that an S3 can do to us, over real HTTP and with the real library: nothing goes before it is
proven to be stored, everything arrives once, and the log has the store's words without our secrets."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import S3Settings, Secret, UploaderSettings
from chatlog.files import OsFiles
from chatlog.store.object_store import ObjectStore, open_s3
from chatlog.store.store import CLOCK, CORRUPT, MISCONFIGURED, REFUSED, TRANSIENT, StoreError
from chatlog.uploader.deposit import Stored
from chatlog.uploader.shipment import Shipment, item_of
from tests.s3_server import (
    Behaviour,
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

NAME = "twitch_ann_20251229_1030.jsonl"
KEY = f"2025/12/29/twitch/ann/{NAME}"
SECOND = KEY.replace(".jsonl", "n0002.jsonl")
RAW = b'{"timestamp":"2025-12-29T10:30:01.000Z"}\n' * 100
SECRETS = ("AKIATESTKEY", "s3cr3t-access-key", "abc/def=")

#: What the store does to one PUT, and the kind of error it is then.
FAULTS: list[tuple[str, Behaviour, str]] = [
    ("closes the connection", hangs_up, TRANSIENT),
    ("500", fails(500, "InternalError"), TRANSIENT),
    ("502", fails(502, "BadGateway"), TRANSIENT),
    ("503", fails(503, "SlowDown"), TRANSIENT),
    ("504", fails(504, "GatewayTimeout"), TRANSIENT),
    ("429", fails(429, "TooManyRequests"), TRANSIENT),
    ("408", fails(408, "RequestTimeout"), TRANSIENT),
    ("400 RequestTimeout", fails(400, "RequestTimeout"), TRANSIENT),
    ("400 BadDigest", fails(400, "BadDigest"), TRANSIENT),
    ("400 IncompleteBody", fails(400, "IncompleteBody"), TRANSIENT),
    ("409", fails(409, "ConditionalRequestConflict"), TRANSIENT),
    ("403", fails(403, "AccessDenied"), REFUSED),
    ("403 key", fails(403, "InvalidAccessKeyId"), REFUSED),
    ("403 signature", fails(403, "SignatureDoesNotMatch"), REFUSED),
    ("400 token", fails(400, "ExpiredToken"), REFUSED),
    ("404 bucket", fails(404, "NoSuchBucket"), MISCONFIGURED),
    ("301", fails(301, "PermanentRedirect"), MISCONFIGURED),
    ("403 clock", fails(403, "RequestTimeTooSkewed"), CLOCK),
    ("200 but not stored", forgets, TRANSIENT),
    ("200 but cut", cuts, CORRUPT),
    ("200 but other bytes", spoils, CORRUPT),
]


class FaultsTests(SynchronousTestCase):
    """One file, one server, one fault at a time."""

    def setUp(self) -> None:
        self.s3 = ScriptedS3()
        self.addCleanup(self.s3.close)
        self.stored: list[Stored] = []
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def open(self, endpoint: str = "", longest: float = 20.0) -> ObjectStore:
        return open_s3(
            S3Settings(
                "bucket",
                endpoint=endpoint or self.s3.endpoint,
                access_key_id=Secret(SECRETS[0]),
                secret_access_key=Secret(SECRETS[1]),
            ),
            32_000_000,
            longest,
        )

    def shipment(self, store: ObjectStore | None = None) -> Shipment:
        (self.home / "sealed").mkdir(exist_ok=True)
        (self.home / "sealed" / NAME).write_bytes(RAW)
        self.store = store or self.open()
        self.store.prepare()
        return Shipment(
            OsFiles(),
            str(self.home),
            self.store,
            UploaderSettings("none"),
            lambda delta: None,
            self.stored.append,
        )

    def is_local(self) -> bool:
        return (self.home / "sealed" / NAME).exists()

    def failure(self, call: Callable[..., object], *args: object) -> StoreError:
        """The error of a call, with none of our secrets in it."""
        with self.assertRaises(StoreError) as caught:
            call(*args)
        error: StoreError = caught.exception
        for secret in SECRETS:
            self.assertNotIn(secret, f"{error} {error.code}")
        return error

    def refusal(self, shipment: Shipment) -> StoreError:
        """The error of shipping the file."""
        return self.failure(shipment.ship, item_of(NAME, "data"))

    def test_every_fault(self) -> None:
        """Whatever happens to a PUT: it is known for what it is, the file stays, and the next try brings it
        into the store, whole, without replacing anything."""
        for name, fault, kind in FAULTS:
            self.s3.objects.clear()
            shipment = self.shipment()
            self.s3.script = [fault]
            error = self.refusal(shipment)
            self.assertEqual(error.kind, kind, (name, str(error)))
            self.assertTrue(self.is_local(), name)
            before = dict(self.s3.objects)
            shipped = shipment.ship(item_of(NAME, "data"))
            assert shipped.stored is not None
            self.assertEqual(self.s3.objects[shipped.stored.key], RAW, name)
            self.assertEqual(list(self.s3.objects.values()).count(RAW), 1, name)
            self.assertEqual({key: self.s3.objects[key] for key in before}, before, name)
            self.assertFalse(self.is_local(), name)

    def test_the_stores_own_words(self) -> None:
        """An error says what the store said, with its code."""
        shipment = self.shipment()
        self.s3.script = [fails(403, "AccessDenied", "You may not.")]
        error = self.refusal(shipment)
        self.assertEqual(str(error), "403 AccessDenied: You may not.")
        self.assertEqual(error.code, "403 AccessDenied")

    def test_lost_answers(self) -> None:
        """An object whose answer was lost, or that was stored in spite of a 500, is recognised by its bytes:
        it is stored once, under its own key."""
        for fault in (loses_the_answer, fails_after_storing):
            self.s3.objects.clear()
            shipment = self.shipment()
            self.s3.script = [fault]
            self.refusal(shipment)
            self.assertTrue(self.is_local())
            self.assertTrue(shipment.ship(item_of(NAME, "data")).again)
            self.assertEqual(self.s3.objects, {KEY: RAW})

    def test_somebody_elses_object(self) -> None:
        """A key with other bytes is never replaced."""
        shipment = self.shipment()
        self.s3.objects[KEY] = b"foreign"
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual(self.s3.objects, {KEY: b"foreign", SECOND: RAW})

    def test_etags_that_are_no_md5(self) -> None:
        """With ETags of its own, or without any, an object is read back and compared."""
        for etags in (lambda data: "0" * 32, lambda data: None, lambda data: "abc-2"):
            self.s3.objects.clear()
            shipment = self.shipment()
            self.s3.etags = etags
            shipment.ship(item_of(NAME, "data"))
            self.assertEqual(self.s3.objects, {KEY: RAW})
            self.assertIn(("GET", KEY), self.s3.requests)
            self.assertFalse(self.is_local())

    def test_no_conditional_create(self) -> None:
        """A store that knows no conditional create, or ignores it, is found out, and nothing is replaced
        there either."""

        for creates, unknown in ((False, False), (True, True)):
            self.s3.objects.clear()
            self.s3.creates, self.s3.unknown_create = creates, unknown
            shipment = self.shipment()
            self.s3.objects[KEY] = b"foreign"
            shipment.ship(item_of(NAME, "data"))
            self.assertEqual(self.s3.objects, {KEY: b"foreign", SECOND: RAW})

    def test_probe_is_removed(self) -> None:
        """What was stored to find out about the store is gone afterwards."""
        self.shipment()
        self.assertEqual(self.s3.objects, {})
        self.assertIn(("DELETE", "chatlog-probe"), self.s3.requests)

    def test_head_is_refused(self) -> None:
        """Without the right to inspect objects nothing can be verified, so no file is removed."""
        shipment = self.shipment()
        self.s3.heads = [fails(403, "AccessDenied")]
        self.s3.gets = [fails(403, "AccessDenied")]
        self.assertEqual(self.refusal(shipment).kind, REFUSED)
        self.assertTrue(self.is_local())
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual(self.s3.objects, {KEY: RAW})

    def test_half_open(self) -> None:
        """A store that takes the request and says nothing is given up after a time."""
        self.shipment()
        shipment = self.shipment(self.open(longest=0.5))
        self.s3.script = [says_nothing]
        error = self.refusal(shipment)
        self.assertEqual((error.kind, error.code), (TRANSIENT, "timeout"))
        self.assertTrue(self.is_local())

    def test_nobody_there(self) -> None:
        """A store that cannot be reached is reported as such."""
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            store = self.open(f"http://127.0.0.1:{reserved.getsockname()[1]}")
            error = self.failure(store.prepare)
        self.assertEqual((error.kind, error.code), (TRANSIENT, "connect"))
        self.assertTrue(str(error).startswith("cannot connect"), str(error))

    def test_what_is_stored_says_what_it_is(self) -> None:
        """Type, digest, lines and times are with the object."""
        self.shipment().ship(item_of(NAME, "data"))
        headers = self.s3.headers[KEY]
        self.assertEqual(headers["content-type"], "application/x-ndjson")
        self.assertEqual(headers["x-amz-meta-lines"], "100")
        self.assertEqual(headers["x-amz-meta-first"], "2025-12-29T10:30:01.000Z")
        self.assertEqual(headers["x-amz-meta-sha256"], self.stored[0].sha256)

    def test_reading_and_listing(self) -> None:
        """What verify needs: all keys below a prefix, and an object's bytes."""
        self.shipment()
        self.s3.objects = {KEY: RAW, SECOND: b"2", "manifest/2025/12/29/a.jsonl": b"3"}
        self.assertEqual([head.key for head in self.store.list("2025/12/29/")], [KEY, SECOND])
        self.assertEqual(b"".join(self.store.read(KEY)), RAW)
        self.assertIsNone(self.store.head("2025/none"))
