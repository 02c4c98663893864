"""The bundles that recorders store: with and without a manifest that says what is in them."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.store.directory_store import DirectoryStore
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.scope import Scope, Watcher
from chatlog.verify.verify import Verification
from tests.sample_archive import HOUR, MIDNIGHT, Archive

DAY = 86400.0


class Said(Watcher):
    """Collects problems."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def problem(self, problem: Problem) -> None:
        self.problems.append((problem.kind, problem.key))


class RecordersBundlesTests(SynchronousTestCase):
    """Two rooms, whose hours are in bundles."""

    def setUp(self) -> None:
        self.archive = Archive(self.mktemp(), ".zst", chained=True)
        self.totals = Totals()

    def hour(self, number: int) -> tuple[list[ObjectRow], list[BundledRow]]:
        """Store an hour of both rooms as a bundle; its rows."""
        at = MIDNIGHT + number * HOUR
        rows = [self.archive.store(at, name, self.archive.messages(name, at)) for name in "ab"]
        bundled = self.archive.bundle(at, rows)
        self.bundle = bundled[0].bundle
        return rows, bundled

    def manifest(self, number: int, rows: tuple[list[ObjectRow], list[BundledRow]]) -> None:
        """The manifest of an hour."""
        at = MIDNIGHT + number * HOUR
        self.archive.manifest(at, at + HOUR, rows[0], more=rows[1])

    def look(self, now: float, scope: Scope | None = None) -> list[tuple[str, str]]:
        """What verify reports at that time."""
        index, said = ArchiveIndex(), Said()
        store = DirectoryStore(self.archive.root)
        try:
            verification = Verification(store, scope or Scope(), index, said, now, lambda seconds: None)
            self.totals = verification.run()
        finally:
            index.close()
        return said.problems

    def test_named(self) -> None:
        """What the hour's manifest names is found in the bundle, and read there."""
        self.manifest(0, self.hour(0))
        self.assertEqual(self.look(MIDNIGHT + 5 * HOUR), [])
        self.assertEqual((self.totals.objects, self.totals.lines, self.totals.gone), (2, 40, {"bundled": 2}))

    def test_twice_in_manifests(self) -> None:
        """Two manifests may name it, as after a crash at the wrong moment."""
        rows = self.hour(0)
        self.manifest(0, rows)
        self.manifest(1, rows)
        self.assertEqual(self.look(MIDNIGHT + 5 * HOUR), [])
        self.assertEqual((self.totals.objects, self.totals.lines), (2, 40))

    def test_not_yet_named(self) -> None:
        """A bundle of the last hours may be in no manifest yet; what is in it is read all the same, and
        counts as an object by itself does. Damage is found too."""
        self.manifest(0, self.hour(0))
        self.hour(1)
        now = os.stat(self.archive.path(self.bundle)).st_mtime + 60
        self.assertEqual(self.look(now), [])
        self.assertEqual((self.totals.objects, self.totals.lines, self.totals.pending), (4, 80, 2))
        data = bytearray(self.archive.read(self.bundle))
        data[20] ^= 1
        self.archive.put(self.bundle, bytes(data))
        self.assertEqual([kind for kind, _ in self.look(now)], ["unreadable-object"])
        self.archive.put(self.bundle, bytes(data)[:-1])
        self.assertEqual(self.look(now), [("unreadable-object", self.bundle)])

    def test_never_named(self) -> None:
        """A bundle that no manifest names for hours is a problem."""
        self.manifest(0, self.hour(0))
        self.hour(1)
        now = os.stat(self.archive.path(self.bundle)).st_mtime + 3 * HOUR
        self.assertEqual(self.look(now), [("unnamed-object", self.bundle)])
