"""Many rooms of a day are listed at once, and the same is found as room by room."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.catalog import Catalog
from chatlog.archive.listings import Room
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import StoreError
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from tests.archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_expire import Cutting

DAY = 86400.0
#: Names that sort in another way with the slash behind them.
CHANNELS = ("a", "a-b", "a_b", "ab", "b")


class WalkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.archive = Archive(self.mktemp())
        for day in (-1, 0, 1):
            rows = []
            for hour in (0, 23):
                at = MIDNIGHT + day * DAY + hour * HOUR
                for platform, channel in [("twitch", name) for name in CHANNELS] + [("kick", "a-b")]:
                    if (day, channel) != (0, "ab") and (day, channel) != (-1, "a"):
                        lines = self.archive.messages(channel, at, 3)
                        rows.append(self.archive.store(at, channel, lines, platform))
            self.archive.manifest(MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY, rows)
        self.store = DirectoryStore(self.archive.root)

    def bundle(self) -> None:
        now = MIDNIGHT + 40 * DAY
        with ArchiveLock(self.store, "bundle", lambda: now, renewing=False) as lock:
            bundler = Bundler(self.store, Ledger(self.store, BUNDLE, ".zst", None, lambda: now), lock)
            bundler.run("2025-12", [])
        self.assertGreater(bundler.outcome.objects, 20)

    def catalog(self, store: Any = None) -> Catalog:
        return Catalog(store or self.store, lambda: MIDNIGHT + 40 * DAY)

    def look(self, catalog: Catalog, room: Room) -> list[Any]:
        return sorted(catalog.objects(room, MIDNIGHT, MIDNIGHT + DAY), key=str)

    def requests(self, catalog: Catalog, counted: Cutting) -> int:
        before = len(counted.calls)
        for room in catalog.walk("2025-12-29", catalog.moment()):
            self.look(catalog, room)
        return len(counted.calls) - before

    def test_same(self) -> None:
        """Rooms and objects are those that are found room by room, before and after bundling."""
        for step in ("own objects", "bundles"):
            if step == "bundles":
                self.bundle()
            walked, one_by_one = self.catalog(), self.catalog()
            found = {room: self.look(walked, room) for room in walked.walk("2025-12-29", walked.moment())}
            expected = {room: self.look(one_by_one, room) for room in one_by_one.rooms("2025-12-29")}
            self.assertEqual(found, expected)
            self.assertGreaterEqual(len(found), 5)

    def test_requests(self) -> None:
        """The requests do not grow with the rooms; what lies in bundles needs the tables of these once."""
        counted = Cutting(self.store)
        self.assertLess(self.requests(self.catalog(counted), counted), 8)
        self.bundle()
        catalog = self.catalog(counted)
        self.requests(catalog, counted)
        self.assertLess(self.requests(catalog, counted), 12)

    def test_no_order(self) -> None:
        """A store that lists its keys in no order is refused, rather than that half a room is taken for the
        whole."""
        counted = Cutting(self.store)
        plain = counted.list

        def shuffled(prefix: str = "") -> Any:
            return iter(sorted(plain(prefix), key=lambda head: head.key[::-1]))

        counted.list = shuffled  # type: ignore[method-assign]
        catalog = self.catalog(counted)
        self.assertRaises(StoreError, list, catalog.walk("2025-12-29", catalog.moment()))
