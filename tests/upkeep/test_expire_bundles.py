"""What is in bundles and older than it is kept goes, written down before, and nothing else."""

from __future__ import annotations

from chatlog.archive.retention import Retention
from chatlog.naming import BundleName, utc_minute
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.bundle_put import Piece, put_bundle
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.uploader.bundle_table import read_table
from tests.sample_archive import HOUR, MIDNIGHT
from tests.upkeep.test_expire import DAY, Cutting, ExpiryCase, Killed

FOLDER = "bundle/2025/12/twitch/a/"


class BundleCase(ExpiryCase):
    """The archive of ``ExpiryCase``, of which the last month is in bundles: its last three days."""

    days = 6

    def setUp(self) -> None:
        super().setUp()
        with ArchiveLock(self.store, "bundle", lambda: self.now, renewing=False) as lock:
            Bundler(self.store, Ledger(self.store, BUNDLE, ".zst", None, lambda: self.now), lock).run(
                "2025-12"
            )

    def bundles(self) -> dict[str, list[str]]:
        """What is in each bundle that is there."""
        store = DirectoryStore(self.archive.root)
        heads = [head for head in store.list("bundle/") if ".jsonl" in head.key]
        return {head.key: [each.key for each in read_table(store, head).slices()] for head in heads}


class RoomBundleTests(BundleCase):
    """A room's month."""

    def test_partly(self) -> None:
        """Of a bundle that is partly too old another one takes its place, with all else byte for byte; verify
        finds everything as it should be."""
        self.retention = Retention([("twitch/a", 4 * DAY)])
        self.assertEqual(self.expiry().plan().objects, 5)
        outcome = self.expire()
        self.assertEqual((outcome.objects, outcome.left), (5, []))
        found = self.bundles()
        self.assertEqual(sorted(found), [f"{FOLDER}twitch_a_202512-2.jsonl.zst", *self.of_b(found)])
        last = self.rows["a", 2, 23]
        self.assertEqual(found[f"{FOLDER}twitch_a_202512-2.jsonl.zst"], [last.key])
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.gone["expired"], 5)
        self.assertEqual(self.expire().objects, 0)

    def of_b(self, found: dict[str, list[str]]) -> list[str]:
        """The bundles of the other room, which is kept."""
        return [key for key in found if "/b/" in key]

    def test_whole(self) -> None:
        """A bundle that is too old as a whole goes, and so does its Parquet."""
        self.retention = Retention([("twitch/a", DAY)])
        parquet = "parquet/date=2025-12-30/platform=twitch/channel=a/twitch_a_20251230.parquet"
        DirectoryStore(self.archive.root).put_new(parquet, b"PAR1", {})
        outcome = self.expire()
        self.assertGreater(outcome.objects, 6)
        self.assertEqual(list(self.bundles()), self.of_b(self.bundles()))
        self.assertIsNone(DirectoryStore(self.archive.root).head(parquet))
        self.assertEqual(self.look(), [])

    def test_weekly(self) -> None:
        """By itself a month is cut once a week, or when all of it is too old; what is much older has to be
        looked at by a person."""
        self.retention = Retention([("twitch/a", 4 * DAY)])
        self.assertEqual(self.expire(by_itself=True).objects, 0)
        self.now += 3 * DAY
        self.assertEqual(self.expire(by_itself=True).objects, 11)
        self.assertNotIn(f"{FOLDER}twitch_a_202512.jsonl.zst", self.bundles())

    def test_much_older(self) -> None:
        """By itself nothing goes of a room of which much is much older: perhaps somebody mistyped."""
        self.retention = Retention([("twitch/a", 4 * DAY)])
        self.now += 30 * DAY
        outcome = self.expire(by_itself=True)
        self.assertIn(("twitch", "a"), outcome.refused)
        self.assertIn(f"{FOLDER}twitch_a_202512.jsonl.zst", self.bundles())

    def test_killed_at_every_change(self) -> None:
        """Killed at any change of the store, the next run completes it."""
        self.retention = Retention([("twitch/a", 4 * DAY)])
        n = 0
        while True:
            n += 1
            self.setUp()
            self.retention = Retention([("twitch/a", 4 * DAY)])
            store = Changes(DirectoryStore(self.archive.root), n)
            try:
                self.expire(store)
            except Killed:
                pass
            else:
                break
            self.assertLessEqual({each.kind for each in self.look()}, {"unnamed-object", "not-erased"})
            self.now += HOUR
            self.expire()
            self.assertEqual((n, self.look()), (n, []))
            found = self.bundles()
            self.assertEqual([len(found[key]) for key in found if "/a/" in key], [1])
            self.assertEqual(list(DirectoryStore(self.archive.root).list("upkeep/")), [])
        self.assertGreater(n, 6)

    def test_damaged(self) -> None:
        """A bundle of which nobody knows what is in it is named, and stays."""
        key = f"{FOLDER}twitch_a_202512-7.jsonl.zst"
        DirectoryStore(self.archive.root).put_new(key, b"nothing", {})
        outcome = self.expire()
        self.assertEqual([left for left, _ in outcome.left], [key])


class InstanceBundleTests(BundleCase):
    """Objects of all rooms in one bundle."""

    def test_one_room(self) -> None:
        """Only the room goes that is not kept longer; the other one stays in the next bundle."""
        store = DirectoryStore(self.archive.root)
        rows = [self.rows[channel, 1, 10] for channel in "ab"]
        pieces = []
        for row in rows:
            for head in list(store.list(FOLDER.replace("/a/", f"/{row.key.split('/')[4]}/"))):
                data = self.archive.read(head.key)
                place = next(p for p in read_table(store, head).slices() if p.key == row.key)
                pieces.append(Piece(row.key, data[place.offset : place.offset + place.bytes]))
        for head in list(store.list("bundle/")):
            store.delete(head.key)
        at = MIDNIGHT + DAY + 10 * HOUR
        bundled = put_bundle(self.store, BundleName(utc_minute(at)), ".zst", pieces)
        self.now += HOUR
        Ledger(self.store, BUNDLE, ".zst", None, lambda: self.now).write(bundled)
        self.retention = Retention([("twitch/a", 4 * DAY)])
        outcome = self.expire()
        self.assertIn(("twitch", "a"), outcome.rooms)
        [(key, inside)] = self.bundles().items()
        self.assertEqual((key, inside), (BundleName(utc_minute(at), n=2).key(".zst"), [rows[1].key]))
        problems = [each for each in self.look() if each.kind == "not-erased" or each.key == key]
        self.assertEqual(problems, [])


class Changes(Cutting):
    """A store whose process is killed before its ``nth`` change."""

    def _do(self, name: str, key: str, call: object) -> object:
        if name not in ("put", "delete"):
            return call()  # type: ignore[operator]
        return super()._do(name, key, call)
