"""Bundling a month that recorders stored in bundles of several rooms."""

from __future__ import annotations

import contextlib

from chatlog.archive.retention import Retention
from chatlog.upkeep.bundle import Bundler, months_with_objects
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_bundle import BundlingCase, CutStore, Killed


class RecordersTests(BundlingCase):
    """Two rooms, of which some hours are in bundles of a recorder, and one hour is not."""

    def archive(self, suffix: str = ".zst", hours: int = 4) -> CutStore:
        self.made = Archive(self.mktemp(), suffix, chained=True)
        for hour in range(hours):
            at = MIDNIGHT + hour * HOUR
            rows = [self.made.store(at, name, self.made.messages(name, at)) for name in "ab"]
            bundled = self.made.bundle(at, rows) if hour != 1 else []
            self.made.manifest(at, at + HOUR, rows, more=bundled)
        return self.stored()

    def test_rooms(self) -> None:
        """Every room gets its month in one object, whatever its hours were in; the bundles of several rooms
        go, and readers and verify see what they saw."""
        archive = self.archive()
        before = self.records(archive)
        self.assertEqual(self.problems(archive), [])
        self.assertEqual(months_with_objects(archive, self.now), ["2025-12"])
        lines = self.lines
        outcome = self.bundle(archive)
        self.assertEqual((outcome.bundles, outcome.objects, outcome.emptied, outcome.left), (2, 8, 3, []))
        self.assertEqual(len(self.keys(archive, "bundle/")), 2)
        self.assertEqual(self.keys(archive, "2025"), [])
        self.assertEqual(self.records(archive), before)
        self.assertEqual((self.problems(archive), self.lines), ([], lines))
        self.assertEqual(self.bundle(archive).objects, 0)

    def test_one_room(self) -> None:
        """While a room is left in them, bundles of several rooms stay; a further run does nothing twice."""
        archive = self.archive()
        before = self.records(archive)
        for bundles in (1, 0):
            self.now += 3600
            with ArchiveLock(archive, "bundle", lambda: self.now, renewing=False) as lock:
                ledger = Ledger(archive, BUNDLE, ".zst", None, lambda: self.now)
                retention = Retention([("twitch/b", 90 * 86400.0)])
                bundler = Bundler(archive, ledger, lock, retention=retention)
                bundler.run("2025-12")
            self.assertEqual((bundler.outcome.bundles, bundler.outcome.emptied), (bundles, 0))
            self.assertEqual(bundler.outcome.limited, {("twitch", "b")})
            self.assertEqual(self.records(archive), before)
            self.assertEqual(self.problems(archive), [])
        self.assertEqual(len(self.keys(archive, "bundle/")), 4)
        self.assertEqual(self.bundle(archive).emptied, 3)
        self.assertEqual((self.records(archive), self.problems(archive)), (before, []))

    def test_killed(self) -> None:
        """At whatever call the process dies, readers miss nothing and see nothing twice; the next run
        completes it, and verify has nothing to say."""
        objects = self.archive(hours=3).objects
        before = self.records(CutStore(objects))
        whole = CutStore(objects)
        self.bundle(whole)
        steps = (1 << 30) - whole.left
        self.assertGreater(steps, 8)
        for at in range(1, steps + 1):
            archive = CutStore(objects)
            with contextlib.suppress(Killed):
                self.bundle(archive, at=at)
            self.assertEqual(self.records(archive), before, at)
            self.assertLessEqual({text.split()[0] for text in self.problems(archive)}, {"unnamed-object"}, at)
            self.bundle(archive)
            self.assertEqual(self.records(archive), before, at)
            self.assertEqual(self.problems(archive), [], at)
            self.assertEqual(len(self.keys(archive, "bundle/")), 2, at)
            self.assertEqual(self.keys(archive, "2025"), [], at)

    def test_damaged(self) -> None:
        """A bundle of which nobody knows what is in it stays, and is named; an object that is damaged stays
        where it is."""
        archive = self.archive()
        first, second, _ = self.keys(archive, "bundle/")
        archive.objects[first] = archive.objects[first][:-1]
        archive.objects[second] = b"x" + archive.objects[second][1:]
        outcome = self.bundle(archive)
        self.assertEqual(sorted(key for key, _ in outcome.left)[-1], first)
        self.assertEqual((len(outcome.left), outcome.objects, outcome.emptied), (2, 5, 1))
        self.assertEqual(self.keys(archive, "bundle/2025/12/29"), [first, second])
