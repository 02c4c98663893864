"""Erasing in a bucket over HTTP, without versions and with them."""

from __future__ import annotations

from datetime import date

from chatlog.redaction import Person
from chatlog.upkeep.erasure import Eraser, Outcome
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.erasure_scan import Scanner
from chatlog.upkeep.ledger import ERASURE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.person_search import PersonSearch
from tests.store.test_s3 import S3Case
from tests.upkeep.people import HOUR, ID, TEN, People


class BucketTests(S3Case):
    """One bucket of moto's server."""

    def setUp(self) -> None:
        super().setUp()
        self.people = People(("",))

    def fill(self) -> None:
        for key, data in self.people.store.objects.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"chat/{key}", Body=data)

    def erase(self, platform: str) -> Outcome:
        store = self.open("chat")
        store.prepare()
        outcome = Outcome()
        with ArchiveLock(store, "erase", lambda: TEN + 8 * HOUR, renewing=False) as lock:
            ledger = Ledger(store, ERASURE, ".zst", None, lambda: TEN + 8 * HOUR)
            eraser = Eraser(store, ledger, lock, lambda: TEN + 8 * HOUR)
            scanner = Scanner(store, Scope(platform), date(2025, 12, 30))
            eraser.erase(PersonSearch(Person(ID)), scanner, lambda person: platform, outcome)
        return outcome

    def test_erased(self) -> None:
        """No byte of the person is in any object of the bucket."""
        self.fill()
        outcomes = [self.erase("twitch"), self.erase("kick")]
        self.assertEqual(
            [(each.done, each.versions, each.left) for each in outcomes], [(True, False, [])] * 2
        )
        listed = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        self.people.store.objects = {
            each["Key"]: self.s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read()
            for each in listed
        }
        self.assertEqual(self.people.traces(), [])
        self.assertGreater(len(listed), 8)

    def test_versions(self) -> None:
        """A bucket that keeps versions has them still: it is not done, also not when it is asked again."""
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=enabled)
        self.fill()
        for _ in range(2):
            outcome = self.erase("twitch")
            self.assertTrue(outcome.versions)
            self.assertFalse(outcome.done)
        self.assertEqual(outcome.left, [])
