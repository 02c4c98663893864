"""Bundling in a bucket over HTTP."""

from __future__ import annotations

from chatlog.archive.catalog import Catalog
from chatlog.archive.question import Question
from chatlog.archive.read_ahead import ReadAhead
from chatlog.archive.reader import Reader
from chatlog.archive.room_files import Parts
from chatlog.files import OsFiles
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.store.test_s3 import S3Case


class BucketTests(S3Case):
    """One bucket of moto's server, with two instances of a room."""

    def test_whole(self) -> None:
        """A reader that fetches ahead gives the same before and after; the old objects are gone."""
        for suffix, instance in ((".zst", ""), (".gz", "blue")):
            archive = Archive(self.mktemp(), suffix, instance, chained=True)
            archive.fill(4)
            archive.manifest(MIDNIGHT + 4 * HOUR, MIDNIGHT + 5 * HOUR, archive.objects[-2:])
            disk = DirectoryStore(archive.root)
            for head in disk.list():
                self.s3.put_object(
                    Bucket=self.bucket, Key=f"chat/{head.key}", Body=b"".join(disk.read(head.key))
                )
        now = MIDNIGHT + 20 * 86400.0
        store = self.open("chat")
        store.prepare()

        def records() -> list[bytes]:
            parts = Parts(Catalog(store, lambda: now), OsFiles(), "", ReadAhead())
            answer = Reader(parts, lambda: now).ask(Question(("twitch", "a")))
            found = [each.line for each in answer]
            self.assertEqual(answer.report.unread, [])
            return found

        before = records()
        with ArchiveLock(store, "bundle", lambda: now, renewing=False) as lock:
            bundler = Bundler(store, Ledger(store, BUNDLE, ".zst", None, lambda: now), lock)
            bundler.run("2025-12")
        self.assertEqual(
            (bundler.outcome.bundles, bundler.outcome.objects, bundler.outcome.left), (4, 16, [])
        )
        self.assertEqual(list(store.list("2025/")), [])
        self.assertEqual(records(), before)
        self.assertGreater(len(before), 70)
