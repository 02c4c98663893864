"""What is older than it is kept goes from the bundles of recorders too, and nothing else."""

from __future__ import annotations

import shutil

from chatlog.archive.catalog import Catalog
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.retention import Retention
from chatlog.archive.room_files import Parts
from chatlog.files import OsFiles
from chatlog.store.directory_store import DirectoryStore
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_expire import DAY, Cutting, ExpiryCase, Killed


class RecordersExpiryTests(ExpiryCase):
    """Two rooms with a bundle at 10:00 and one at 23:00 of each day; one of them is kept three days."""

    days = 4

    def setUp(self) -> None:
        super().setUp()
        self.archive = Archive(self.mktemp(), ".zst", chained=True)
        self.rows = {}
        for day in range(self.days):
            start, found, bundled = MIDNIGHT + day * DAY, [], []
            for hour in (10, 23):
                at = start + hour * HOUR
                rows = [self.archive.store(at, name, self.archive.messages(name, at)) for name in "ab"]
                self.rows["a", day, hour], self.rows["b", day, hour] = rows
                found += rows
                bundled += self.archive.bundle(at, rows)
            self.archive.manifest(start, start + DAY, found, more=bundled)
        self.store = Cutting(DirectoryStore(self.archive.root))

    def keys(self, channel: str = "") -> set[str]:
        """The objects that a reader finds."""
        catalog = Catalog(DirectoryStore(self.archive.root), lambda: self.now)
        return {
            named.name.key(suffix=named.suffix)
            for room in "ab"
            if not channel or room == channel
            for named in catalog.objects(("twitch", room), MIDNIGHT, self.now)
        }

    def bundles(self) -> int:
        return sum(1 for _ in DirectoryStore(self.archive.root).list("bundle/"))

    def lines(self, channel: str) -> int:
        reader = Reader(
            Parts(Catalog(DirectoryStore(self.archive.root), lambda: self.now), OsFiles()), lambda: self.now
        )
        answer = reader.ask(Question(("twitch", channel)))
        count = sum(1 for _ in answer)
        self.assertEqual(answer.report.unread, [])
        return count

    def test_one_room(self) -> None:
        """What is too old of one room is written out of the bundles, byte for byte what is left; the old
        bundles go. Verify has nothing to say."""
        found = self.expire()
        self.assertEqual((found.objects, found.left), (3, []))
        self.assertEqual(self.keys(), self.kept())
        self.assertEqual((self.lines("a"), self.lines("b")), (20 * 5, 20 * 8))
        self.assertEqual(self.bundles(), 2 * self.days)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.gone, {"expired": 3, "bundled": 13})
        self.now += HOUR
        self.assertEqual(self.expire().objects, 0)

    def test_all_rooms(self) -> None:
        """A bundle of which nothing is kept goes as it is; dry, nothing goes."""
        self.retention = Retention([("default", 3 * DAY)])
        self.assertEqual(self.expiry().plan().objects, 6)
        self.assertEqual(self.bundles(), 2 * self.days)
        self.assertEqual(self.expire().objects, 6)
        self.assertEqual(self.bundles(), 2 * self.days - 3)
        self.assertNotIn("put", {call for call, key in self.store.calls if key.startswith("bundle/")})
        self.assertEqual((self.lines("a"), self.lines("b"), self.look()), (100, 100, []))

    def test_one_after_the_other(self) -> None:
        """Rooms with different times go at their times, a bundle is written again for each."""
        self.expire()
        self.retention = Retention([("twitch/a", 3 * DAY), ("twitch/b", 4 * DAY)])
        self.now += DAY
        found = self.expire()
        self.assertEqual((found.objects, found.left), (2 + 3, []))
        self.assertEqual((self.lines("a"), self.lines("b"), self.look()), (60, 100, []))

    def test_damaged(self) -> None:
        """A bundle of which nobody knows what is in it stays, and is named; so does one in which what would
        have to be copied is damaged."""
        keys = sorted(head.key for head in DirectoryStore(self.archive.root).list("bundle/"))
        self.archive.put(keys[0], self.archive.read(keys[0])[:-1])
        data = bytearray(self.archive.read(keys[1]))
        data[self.rows["a", 0, 23].bytes + 9] ^= 1
        self.archive.put(keys[1], bytes(data))
        found = self.expire()
        self.assertEqual([key for key, _ in found.left], keys[:2])
        self.assertEqual(found.objects, 1)

    def test_killed(self) -> None:
        """Killed before any call to the store that changes something, readers miss nothing that is kept,
        verify explains what there is, and the next run completes it."""
        whole, began = self.archive.root, self.now
        # What is looked at before anything is done changes nothing.
        self.archive.root = self.mktemp()
        shutil.copytree(whole, self.archive.root)
        self.store = Cutting(DirectoryStore(self.archive.root))
        self.expire()
        changing = [n for n, (call, _) in enumerate(self.store.calls, 1) if call in ("put", "delete")]
        self.assertGreater(len(changing), 8)
        for nth in changing:
            self.archive.root, self.now = self.mktemp(), began
            shutil.copytree(whole, self.archive.root)
            self.store = Cutting(DirectoryStore(self.archive.root), nth)
            self.assertRaises(Killed, self.expire)
            hint = self.store.calls[-1]
            self.assertLessEqual(self.kept(), self.keys(), hint)
            kinds = {found.kind for found in self.look()}
            self.assertLessEqual(kinds, {"not-erased"}, hint)
            self.now += HOUR
            self.store.nth = 0
            self.expire()
            self.assertEqual(self.keys(), self.kept(), hint)
            self.assertEqual((self.look(), self.lines("b")), ([], 160), hint)
