"""Objects of one key with different bytes: bundling loses none, and verify names them."""

from __future__ import annotations

from chatlog.naming import BundleName, utc_minute
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_bundle import BundlingCase, CutStore


class SameKeyTests(BundlingCase):
    """An archive with an hour of a room in an object, another one in a bundle of a recorder, and both."""

    def archive(self, suffix: str = ".zst", hours: int = 2) -> CutStore:
        self.made = Archive(self.mktemp(), suffix, chained=True)
        self.made.fill(hours)
        end = MIDNIGHT + hours * HOUR
        self.made.manifest(end, end + HOUR, self.made.objects[-2:])
        self.row = self.made.objects[0]
        self.end = end + HOUR
        return self.stored()

    def other(self) -> tuple[ObjectRow, bytes]:
        """Other bytes for the first key."""
        made = Archive(self.mktemp())
        made.number = 5000
        row = made.store(MIDNIGHT, "a", made.messages("a", MIDNIGHT, 3))
        self.assertEqual(row.key, self.row.key)
        return row, made.read(row.key)

    def bundle_with(self, store: CutStore, data: bytes, n: int = 1) -> str:
        bundle = BundleName(utc_minute(MIDNIGHT), n=n).key(".zst")
        store.objects[bundle] = data + table_bytes([Slice(self.row.key, bundle, 0, len(data))])
        return bundle

    def named(self, *rows: ObjectRow | BundledRow) -> tuple[str, bytes]:
        """A further manifest."""
        key = self.made.manifest(self.end, self.end + HOUR, [], more=[*rows])
        return key, self.made.read(key)

    def kinds(self, store: CutStore) -> set[tuple[str, str]]:
        found = {(text.split()[0], text.split()[1].rstrip(":")) for text in self.problems(store)}
        return {each for each in found if each[0] != "unnamed-object"}

    def check_kept(self, store: CutStore, before: list[bytes]) -> None:
        """Whatever is bundled, everything is read on."""
        for _ in range(2):
            outcome = self.bundle(store)
            self.assertIn(self.row.key, [key for key, _ in outcome.left])
            self.assertEqual(sorted(self.records(store)), sorted(before))

    def test_beside_a_bundle_of_a_recorder(self) -> None:
        """An object, and another one of its key in a bundle of a recorder: neither is moved, the bundle
        stays, and all else is bundled."""
        store = self.archive()
        _, data = self.other()
        bundle = self.bundle_with(store, data)
        before = self.records(store)
        self.assertEqual(len(before), 2 * 20 + 3)
        self.check_kept(store, before)
        self.assertLessEqual({bundle, self.row.key}, store.objects.keys())
        self.assertNotIn(self.made.objects[2].key, store.objects)

    def test_two_bundles_of_recorders(self) -> None:
        """So it is with two bundles; verify names the key, if manifests know both."""
        store = self.archive()
        row, data = self.other()
        mine = store.objects.pop(self.row.key)
        one, two = self.bundle_with(store, mine), self.bundle_with(store, data, 2)
        key, manifest = self.named(
            BundledRow(row.key, one, 0, self.row.bytes, self.row.sha256),
            row,
            BundledRow(row.key, two, 0, row.bytes, row.sha256),
        )
        store.objects[key] = manifest
        before = self.records(store)
        self.assertEqual(self.kinds(store), {("two-objects", self.row.key)})
        self.check_kept(store, before)
        self.assertLessEqual({one, two}, store.objects.keys())
        for bundle in (one, two):
            store.objects[bundle] = b"\0" + store.objects[bundle][1:]
        kinds = [text.split()[0] for text in self.problems(store) if self.row.key in text]
        self.assertEqual(kinds.count("altered-object"), 2)

    def test_one_that_comes_later(self) -> None:
        """An object of a key that has gone into a bundle stays beside it, also if its size is the same."""
        for same in (False, True):
            store = self.archive()
            _, data = self.other()
            if same:
                data = store.objects[self.row.key][:-1] + b"\xff"
            self.bundle(store)
            before = self.records(store)
            store.objects[self.row.key] = data
            self.assertIn(("two-objects", self.row.key), self.kinds(store))
            if not same:
                before += self.records(CutStore({self.row.key: data}))
                self.check_kept(store, before)
            self.assertEqual(store.objects[self.row.key], data)

    def test_one_that_a_manifest_names(self) -> None:
        """If a manifest names the later one it is compared with that, and missed if it is not there."""
        store = self.archive()
        row, data = self.other()
        self.bundle(store)
        key, manifest = self.named(row)
        store.objects |= {key: manifest, row.key: data}
        self.assertEqual(self.kinds(store), {("two-objects", row.key)})
        store.objects[row.key] = data[:-1]
        self.assertIn(("two-objects", row.key), self.kinds(store))
        del store.objects[row.key]
        self.assertEqual(self.kinds(store), {("missing-object", row.key)})

    def test_a_killed_bundling(self) -> None:
        """Killed between the bundle and its rows, an object that another one has replaced meanwhile is not
        deleted, nor is the bundle."""
        store = self.archive()
        objects = dict(store.objects)
        whole = CutStore(objects)
        self.bundle(whole)
        store.objects |= {key: each for key, each in whole.objects.items() if key.startswith("bundle/")}
        row, data = self.other()
        store.objects[row.key] = data
        before = self.records(store)
        self.assertEqual(len(before), 2 * 20 + 3)
        self.check_kept(store, before)
        self.assertEqual(store.objects[row.key], data)

    def test_the_manifests_name_the_later_one_first(self) -> None:
        """A bundle with one object, which is not the one that the manifests name, is no damaged copy."""
        store = self.archive()
        _, data = self.other()
        bundle = "bundle/2025/12/twitch/a/twitch_a_202512.jsonl.zst"
        store.objects[bundle] = data + table_bytes([Slice(self.row.key, bundle, 0, len(data))])
        before = self.records(store)
        self.assertEqual(len(before), 2 * 20 + 3)
        self.bundle(store)
        self.bundle(store)
        self.assertEqual(sorted(self.records(store)), sorted(before))
