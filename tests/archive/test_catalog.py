"""Many rooms of a day are listed at once, and the same is found as room by room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.catalog import Catalog
from chatlog.archive.listings import Room
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import StoreError
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_expire import Cutting

DAY = 86400.0
#: Names that sort in another way with the slash behind them.
CHANNELS = ("a", "a-b", "a_b", "ab", "b")


class WalkCase(SynchronousTestCase):
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


class WalkTests(WalkCase):
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


class LookOverTests(WalkCase):
    """Days that are looked at as a whole, with all their rooms."""

    def rooms(self) -> list[Room]:
        return [("twitch", name) for name in (*CHANNELS, "nobody")] + [("kick", "a-b")]

    def digests(self, catalog: Catalog, room: Room) -> dict[str, str]:
        """The digests by which days are known, without the empty ones."""
        found: dict[str, str] = {}

        def is_known(day: str, digest: str) -> bool:
            found[day] = digest
            return False

        objects = list(catalog.objects(room, MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, is_known))
        days = {f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}" for name, *_ in objects}
        return {day: found[day] for day in days}

    def test_digests(self) -> None:
        """A day has one digest, whether rooms are asked for one by one or all at once, before bundling and
        afterwards, and another one once there is another file."""
        seen = []
        for step in ("own objects", "bundles", "late"):
            if step == "bundles":
                self.bundle()
            elif step == "late":
                self.archive.store(MIDNIGHT + HOUR, "b", self.archive.messages("b", MIDNIGHT + HOUR, 1))
            catalog = self.catalog(Cutting(self.store))
            catalog.list_ahead(MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, catalog.moment())
            found = {room: self.digests(catalog, room) for room in self.rooms()}
            self.assertEqual(found, {room: self.digests(self.catalog(), room) for room in self.rooms()})
            seen.append(found)
        self.assertEqual(seen[0], seen[1])
        changed = [
            (room, day) for room in self.rooms() for day in seen[1][room] if seen[1][room] != seen[2][room]
        ]
        self.assertEqual({room for room, _ in changed}, {("twitch", "b")})
        self.assertEqual(
            [
                day
                for day in seen[1][changed[0][0]]
                if seen[1][changed[0][0]][day] != seen[2][changed[0][0]][day]
            ],
            ["2025-12-29"],
        )

    def test_known(self) -> None:
        """What is known costs no request for a room, and neither does a room that is not there."""
        self.bundle()
        counted = Cutting(self.store)
        catalog = self.catalog(counted)
        catalog.list_ahead(MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, catalog.moment())
        before = len(counted.calls)
        for room in self.rooms():
            known = list(catalog.objects(room, MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, lambda *_: True))
            self.assertEqual(known, [])
        self.assertEqual(self.look(catalog, ("twitch", "nobody")), [])
        self.assertEqual(len(counted.calls), before)

    def test_forgotten(self) -> None:
        """A day that is said to have changed is listed again, and one with a bundle of which nobody knows
        what is in it is never taken for known."""
        catalog = self.catalog(Cutting(self.store))
        catalog.list_ahead(MIDNIGHT, MIDNIGHT + DAY, catalog.moment())
        self.archive.store(MIDNIGHT + HOUR, "nobody", self.archive.messages("nobody", MIDNIGHT + HOUR, 1))
        self.assertEqual(self.look(catalog, ("twitch", "nobody")), [])
        catalog.forget(("twitch", "nobody"), "20251229_0100")
        self.assertEqual(len(self.look(catalog, ("twitch", "nobody"))), 1)
        self.bundle()
        (bundle,) = Path(self.archive.root).glob("bundle/2025/12/twitch/b/*.zst")
        bundle.write_bytes(bundle.read_bytes()[:-20])
        catalog = self.catalog(Cutting(self.store))
        catalog.list_ahead(MIDNIGHT, MIDNIGHT + DAY, catalog.moment())
        self.assertEqual(
            len(self.look(catalog, ("twitch", "a"))), len(self.look(self.catalog(), ("twitch", "a")))
        )
        self.assertEqual(self.look(catalog, ("twitch", "b")), self.look(self.catalog(), ("twitch", "b")))
