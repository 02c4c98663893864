"""The S3 client against a whole S3 API, moto's server, with boto3 to inspect the objects."""

from __future__ import annotations

import gzip
import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import S3Settings, Secret, UploaderSettings
from chatlog.counters import Counters
from chatlog.files import OsFiles
from chatlog.spool.usage import Usage
from chatlog.store.object_store import STORAGE_CLASS, ObjectStore, open_s3
from chatlog.store.proof import PROBE
from chatlog.store.store import ARCHIVED, EXISTS, MISCONFIGURED, MISSING, StoreError
from chatlog.uploader.deposit import Stored
from chatlog.uploader.uploader import Uploader
from tests.fakes import ImmediateThreads, environment

KEYS = ("made-up-id", "made-up-secret")


class S3Case(SynchronousTestCase):
    """A server for a test, with a bucket."""

    def setUp(self) -> None:
        # The server would tell every request to the terminal.
        access = logging.getLogger("werkzeug")
        self.addCleanup(access.setLevel, access.level)
        access.setLevel(logging.ERROR)
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        self.addCleanup(self.server.stop)
        self.endpoint = "http://{}:{}".format(*self.server.get_host_and_port())
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
            config=Config(s3={"addressing_style": "path"}),
        )
        self.addCleanup(self.s3.close)
        # The objects of all servers of a process are the same.
        self.bucket = hashlib.sha256(self.id().encode()).hexdigest()[:40]
        self.s3.create_bucket(Bucket=self.bucket)

    def open(self, prefix: str = "", bucket: str = "") -> ObjectStore:
        return open_s3(
            S3Settings(
                bucket or self.bucket, "us-east-1", self.endpoint, Secret(KEYS[0]), Secret(KEYS[1]), prefix
            ),
            1_000_000,
        )

    def keys(self) -> list[str]:
        """What boto3 says is there."""
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())]


class StoreTests(S3Case):
    """Every call."""

    def test_prepare(self) -> None:
        """Asking what the store can do leaves nothing behind."""
        self.open().prepare()
        self.assertEqual(self.keys(), [])

    def test_probe_of_an_earlier_start(self) -> None:
        """A probe that an interrupted start left is harmless, and is removed."""
        self.s3.put_object(Bucket=self.bucket, Key=PROBE, Body=b"chatlog")
        self.open().prepare()
        self.assertEqual(self.keys(), [])

    def test_round_trip(self) -> None:
        """A stored object can be inspected, read and deleted; its ETag is its MD5."""
        store, data = self.open(), bytes(range(256)) * 5000
        store.put_new("2025/12/29/twitch/ann/a b+c%.jsonl", data, {})
        head = store.head("2025/12/29/twitch/ann/a b+c%.jsonl")
        assert head is not None
        self.assertEqual(head.size, len(data))
        self.assertEqual(head.etag, hashlib.md5(data).hexdigest())
        self.assertEqual(self.keys(), ["2025/12/29/twitch/ann/a b+c%.jsonl"])
        self.assertEqual(b"".join(store.read("2025/12/29/twitch/ann/a b+c%.jsonl")), data)
        store.delete("2025/12/29/twitch/ann/a b+c%.jsonl")
        store.delete("2025/12/29/twitch/ann/a b+c%.jsonl")
        self.assertEqual(self.keys(), [])

    def test_what_is_not_there(self) -> None:
        """Nothing is None for a look, and an error of its own for a reader."""
        store = self.open()
        self.assertIsNone(store.head("none"))
        with self.assertRaises(StoreError) as caught:
            list(store.read("none"))
        self.assertEqual(caught.exception.kind, MISSING)

    def test_nothing_is_replaced(self) -> None:
        """A put under a taken key is refused as that, and the object stays."""
        store = self.open()
        store.prepare()
        store.put_new("a", b"1", {})
        with self.assertRaises(StoreError) as caught:
            store.put_new("a", b"2", {})
        self.assertEqual(caught.exception.kind, EXISTS)
        self.assertEqual(b"".join(store.read("a")), b"1")

    def test_attributes(self) -> None:
        """The object has its content type and its attributes."""
        self.open().put_new("a", b"1", {"Content-Type": "application/zstd", "sha256": "0f", "lines": "7"})
        found = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(found["ContentType"], "application/zstd")
        self.assertEqual(found["Metadata"], {"sha256": "0f", "lines": "7"})

    def test_prefix(self) -> None:
        """All keys are below the prefix, and what is beside it is not seen."""
        store = self.open("chat/logs")
        self.s3.put_object(Bucket=self.bucket, Key="chat/logs-old/b", Body=b"2")
        store.prepare()
        store.put_new("2025/a", b"1", {})
        self.assertEqual(self.keys(), ["chat/logs-old/b", "chat/logs/2025/a"])
        self.assertEqual([(head.key, head.size) for head in store.list()], [("2025/a", 1)])
        head = store.head("2025/a")
        self.assertEqual(head and head.key, "2025/a")

    def test_a_long_list(self) -> None:
        """A listing goes on behind the first thousand, in the order of keys; a prefix may end within a
        name."""
        keys = [f"2025/12/{n // 100:02d}/f{n:04d}.jsonl" for n in range(1101)]
        # Within the server, for a thousand requests take long.
        kept = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            kept.put_object(self.bucket, key, b"")
        store = self.open()
        self.assertEqual([head.key for head in store.list()], keys)
        self.assertEqual([head.key for head in store.list("2025/12/0")], keys[:1000])
        self.assertEqual([head.key for head in store.list("2025/12/10/f100")], keys[1000:1010])
        self.assertEqual(list(store.list("2026/")), [])

    def test_no_such_bucket(self) -> None:
        """A bucket that is not there is a refusal in S3's words, whatever is asked of it."""
        store = self.open(bucket="no-such-bucket")
        for call in (
            store.prepare,
            lambda: store.put_new("a", b"1", {}),
            lambda: list(store.read("a")),
            lambda: list(store.list()),
        ):
            with self.assertRaises(StoreError) as caught:
                call()
            self.assertEqual(
                (caught.exception.kind, caught.exception.code), (MISCONFIGURED, "404 NoSuchBucket")
            )


class UploaderTests(S3Case):
    """The uploader in front of it."""

    def test_fifty_files(self) -> None:
        """Fifty files are stored, each once and with its own bytes, written down and removed."""
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        sealed = Path(home.name) / "sealed"
        sealed.mkdir()
        files = {}
        for n in range(50):
            name = f"twitch_room{n}_20251229_10{n:02d}.jsonl"
            files[f"2025/12/29/twitch/room{n}/{name}.gz"] = b'{"timestamp":"2025"}\n' * (n + 1)
            (sealed / name).write_bytes(files[f"2025/12/29/twitch/room{n}/{name}.gz"])
        stored: list[Stored] = []
        clock, counters = Clock(), Counters()
        uploader = Uploader(
            UploaderSettings("gzip", 2),
            self.open("logs"),
            home.name,
            environment(clock, files=OsFiles(), counters=counters),
            ImmediateThreads(),
            Usage(),
            on_stored=stored.append,
        )
        uploader.startService()
        self.addCleanup(uploader.stopService)
        clock.advance(0)
        self.assertEqual((uploader.waiting_files, counters.uploaded), (0, 50))
        self.assertEqual(self.keys(), sorted(f"logs/{key}" for key in files))
        for row in stored:
            found = self.s3.get_object(Bucket=self.bucket, Key=f"logs/{row.key}")
            data = found["Body"].read()
            self.assertEqual(gzip.decompress(data), files[row.key])
            self.assertEqual(found["Metadata"]["sha256"], hashlib.sha256(data).hexdigest())
            self.assertEqual((row.bytes, row.lines), (len(data), len(files[row.key]) // 21))
        self.assertEqual(sorted(row.key for row in stored), sorted(files))
        self.assertEqual([*sealed.iterdir(), *(Path(home.name) / "packed").iterdir()], [])


class StorageClassTests(S3Case):
    """The classes of objects, as boto3 sees them."""

    def in_class(self, key: str) -> str:
        return str(self.s3.head_object(Bucket=self.bucket, Key=key).get("StorageClass", "STANDARD"))

    def test_what_is_written(self) -> None:
        """Recordings and bundles get the class of the configuration; manifests, and what is made of
        recordings, do not. A class that comes with an object goes first."""
        settings = S3Settings(self.bucket, "us-east-1", self.endpoint, Secret(KEYS[0]), Secret(KEYS[1]))
        store = open_s3(settings, 1000, storage_class="INTELLIGENT_TIERING")
        for key in ("2025/12/29/twitch/ann/a.jsonl", "bundle/2025/12/twitch/ann/a.jsonl"):
            store.put_new(key, b"1", {"lines": "1"})
            self.assertEqual(self.in_class(key), "INTELLIGENT_TIERING")
        for key in ("manifest/2025/12/29/main_20251229_1000.jsonl", "parquet/a", "index/users/a"):
            store.put_new(key, b"1", {})
            self.assertEqual(self.in_class(key), "STANDARD")
        store.put_new("bundle/b", b"1", {STORAGE_CLASS: "GLACIER_IR"})
        self.assertEqual(self.in_class("bundle/b"), "GLACIER_IR")

    def test_move(self) -> None:
        """An object is moved with its bytes and attributes, and to the same class again."""
        store = self.open("logs")
        key = "bundle/2025/12/twitch/a b+c%/a.jsonl"
        store.put_new(key, b"123", {"Content-Type": "application/zstd", "lines": "7"})
        self.assertEqual(store.class_of(key), "")
        for name in ("STANDARD_IA", "GLACIER_IR"):
            store.move(key, name)
            self.assertEqual(store.class_of(key), name)
            self.assertEqual(self.in_class(f"logs/{key}"), name)
        found = self.s3.get_object(Bucket=self.bucket, Key=f"logs/{key}")
        self.assertEqual((found["Body"].read(), found["Metadata"]), (b"123", {"lines": "7"}))
        self.assertEqual(found["ContentType"], "application/zstd")
        self.assertEqual(self.keys(), [f"logs/{key}"])

    def test_what_is_not_there(self) -> None:
        """An object that is gone is an answer, and nothing to move."""
        store = self.open()
        self.assertIsNone(store.class_of("bundle/none"))
        with self.assertRaises(StoreError) as caught:
            store.move("bundle/none", "STANDARD_IA")
        self.assertEqual(caught.exception.kind, MISSING)

    def test_not_readable_at_once(self) -> None:
        """An object that has to be restored is told from a damaged one, with what to do."""
        store = self.open()
        store.put_new("bundle/a", b"123", {STORAGE_CLASS: "DEEP_ARCHIVE"})
        with self.assertRaises(StoreError) as caught:
            list(store.read("bundle/a"))
        self.assertEqual(caught.exception.kind, ARCHIVED)
        self.assertIn("restore it first", caught.exception.advice)
