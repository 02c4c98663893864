"""Erasing a person from bundles: of rooms and of instances, at whatever step it dies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.redaction import Person
from chatlog.store.store import Head
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.bundle_put import Piece, put_bundle
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.person_search import PersonSearch
from chatlog.uploader.bundle_table import read_table
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow
from chatlog.uploader.packing import pack_data, unpacked
from tests.upkeep.erasing import Erasing
from tests.upkeep.people import HOUR, ID, TEN, TRACES, People, of_others, on_kick, own, said

LATER = TEN + 40 * 86400.0


class RoomBundleTests(Erasing, SynchronousTestCase):
    """A month of rooms in bundles."""

    def setUp(self) -> None:
        self.begin(People())

    def bundle(self) -> None:
        """Put everything into bundles."""
        self.time = LATER
        with ArchiveLock(self.store, "bundle", lambda: self.time, renewing=False) as lock:
            Bundler(self.store, Ledger(self.store, BUNDLE, ".zst", None, lambda: self.time), lock).run(
                "2025-12"
            )

    def bundles(self) -> list[str]:
        """The bundles that are there."""
        return sorted(key for key in self.store.objects if key.startswith("bundle/"))

    def lines_of(self, bundle: str) -> list[bytes]:
        """All lines in a bundle, object by object."""
        data = self.store.objects[bundle]
        found: list[bytes] = []
        for place in read_table(self.store, Head(bundle, len(data), "")).slices():
            piece = data[place.offset : place.offset + place.bytes]
            found += b"".join(unpacked([piece], ".zst")).splitlines(keepends=True)
        return found

    def test_nothing_is_left(self) -> None:
        """A bundle is written again under the next number; verify counts what was erased, and has no
        problem. Once more there is nothing to do."""
        self.bundle()
        self.assertEqual([key for key in self.store.objects if key.startswith("2025/")], [])
        twitch, kick = self.erase("twitch"), self.erase("kick")
        self.assertEqual((twitch.left, kick.left, twitch.done, kick.done), ([], [], True, True))
        self.assertEqual(self.people.traces(), [])
        self.assertEqual((twitch.removed, twitch.redacted, twitch.bundles), (26, 6, 2))
        totals, problems = self.verified()
        self.assertEqual(problems, [])
        self.assertEqual((totals.erased, totals.redacted), (twitch.removed + kick.removed, 8))
        before = self.people.digest()
        self.assertEqual((self.erase("twitch").removed, self.people.digest()), (0, before))
        self.assertEqual(
            self.bundles(),
            [
                "bundle/2025/12/kick/k/kick_k_202512-2.jsonl.zst",
                "bundle/2025/12/twitch/a/twitch_a_202512-2.jsonl.zst",
            ],
        )

    def test_others_stay(self) -> None:
        """What is of others is there byte for byte and in the order of before, also in objects that were not
        written again."""
        self.bundle()
        [old] = [key for key in self.bundles() if "/twitch/a/" in key]
        kept = [line for line in self.lines_of(old) if not any(t.encode() in line.lower() for t in TRACES)]
        self.erase("twitch")
        [new] = [key for key in self.bundles() if "/twitch/a/" in key]
        self.assertEqual([line for line in self.lines_of(new) if line in set(kept)], kept)

    def test_not_in_manifests_alone(self) -> None:
        """A bundle that was replaced and comes back is not erased, says verify; the next run deletes it."""
        self.bundle()
        [key] = [key for key in self.bundles() if "/twitch/a/" in key]
        before = self.store.objects[key]
        self.erase("twitch")
        self.store.objects[key] = before
        self.assertEqual([each.split(" ")[:2] for each in self.verified()[1]], [["not-erased", key + ":"]])
        self.assertTrue(self.erase("twitch").done)
        self.assertEqual((self.verified()[1], key in self.store.objects), ([], False))

    def test_killed_at_every_call(self) -> None:
        """Killed at any call to the store, verify finds nothing but what it can explain, nothing of others is
        ever missing, and the next run completes it."""
        self.begin(People(("",)))
        self.bundle()
        problems = self.killed_everywhere(self.check_whole)
        self.assertEqual(problems, {"unnamed-object", "not-erased"})

    def check_whole(self) -> None:
        """Everything of others is in the bundles by which readers go."""
        places: list[str] = []
        replaced: set[str] = set()
        for key in self.bundles():
            table = read_table(self.store, Head(key, len(self.store.objects[key]), ""))
            places.append(key)
            replaced.update(table.replaces)
        lines = {line for key in places if key not in replaced for line in self.lines_of(key)}
        self.assertEqual(set(self.kept) - lines, set())

    def test_interrupted_bundling(self) -> None:
        """An object that is there and in a bundle as well is erased from both."""
        objects = dict(self.store.objects)
        self.bundle()
        self.store.objects |= objects
        self.assertTrue(self.erase("twitch").done)
        self.assertTrue(self.erase("kick").done)
        self.assertEqual(self.people.traces(), [])
        self.assertEqual(self.verified()[1], [])

    def test_two_that_differ(self) -> None:
        """If these two are not the same, the person is erased from both, and what is of others stays in
        both; so it is with two bundles."""
        name = FileName("twitch", "a", utc_minute(TEN + 3 * HOUR))
        lines = own(TEN + 3 * HOUR)[:2]
        self.bundle()
        others = [said("ann", "1", words, TEN + 3 * HOUR + 40) for words in ("one", "two")]
        self.people.put(name, [*lines, others[0]])
        again = pack_data(b"".join([*lines, others[1]]), ".zst").data
        piece = Piece(name.key(suffix=".zst"), again)
        put_bundle(self.store, BundleName(utc_minute(TEN + 3 * HOUR)), ".zst", [piece])
        outcome = self.erase("twitch")
        self.assertEqual((outcome.left, outcome.done), ([], True))
        self.erase("kick")
        self.assertEqual(self.people.traces(), [])
        kept = self.people.lines() + [line for key in self.bundles() for line in self.lines_of(key)]
        self.assertEqual({*self.kept, *others} - set(kept), set())

    def test_damage_is_not_copied(self) -> None:
        """A bundle with a damaged object stays, with the person, and is named: a copy would hide the damage
        for ever."""
        self.bundle()
        [key] = [key for key in self.bundles() if "/twitch/a/" in key]
        data = bytearray(self.store.objects[key])
        name = FileName("twitch", "a", utc_minute(TEN + 2 * HOUR)).key(suffix=".zst")
        place = next(
            each for each in read_table(self.store, Head(key, len(data), "")).slices() if each.key == name
        )
        data[place.offset + place.bytes // 2] ^= 255
        self.store.objects[key] = bytes(data)
        outcome = self.erase("twitch")
        self.assertFalse(outcome.done)
        self.assertIn(name, [left for left, _ in outcome.left])
        self.assertIn(key, self.store.objects)

    def test_without_a_table(self) -> None:
        """A bundle of which nobody knows what is in it is named, and the request stays open."""
        key = "bundle/2025/12/twitch/a/twitch_a_202512.jsonl.zst"
        self.store.objects |= {key: b"nothing", "bundle/2025/12/kick/k/kick_k_202512.jsonl.zst": b"x"}
        outcome = self.erase("twitch")
        self.assertEqual(([left for left, _ in outcome.left], outcome.done), ([key], False))

    def test_one_room_and_time(self) -> None:
        """A scope with a room or days looks into the bundles that may have something of it."""
        self.bundle()
        search = PersonSearch(Person(ID), b"2025-12-29T13:00", b"2025-12-29T14:00")
        outcome = self.erase("twitch", search=search, scope=self.scope(day=29, channel="a"))
        self.assertEqual((outcome.removed, outcome.redacted, outcome.done), (12, 0, True))
        elsewhere = self.erase("twitch", scope=self.scope(day=10))
        self.assertEqual((elsewhere.looked_at, elsewhere.removed), (0, 0))


class NumberTests(Erasing, SynchronousTestCase):
    """The names of objects that are written again."""

    def setUp(self) -> None:
        self.begin(People(()))

    def test_no_number_twice(self) -> None:
        """A number of which everything is gone is not given again: what is written down as gone would be
        deleted once more, with what others said."""
        names = [FileName("twitch", "a", utc_minute(TEN), n=n) for n in (1, 2)]
        rows = [
            self.people.put(
                names[0], [*own(TEN), said("ann", "1", "stay", TEN + 1), said("bob", "2", "x", TEN + 2)]
            ),
            self.people.put(names[1], [said("cat", "3", "gone", TEN + 3)]),
        ]
        self.people.manifest(TEN, TEN + HOUR, "", rows)
        for id in (ID, "3", "2"):
            self.assertTrue(self.erase("twitch", search=PersonSearch(Person(id))).done)
        for _ in range(2):
            self.erase("twitch")
            [line] = self.people.lines()
            self.assertIn(b'"stay"', line)
        self.assertEqual(self.verified()[1], [])


class InstanceBundleTests(Erasing, SynchronousTestCase):
    """Objects of several rooms in one bundle, as a recorder stores them."""

    def setUp(self) -> None:
        self.begin(People(()))
        self.names = [
            FileName("twitch", "a", utc_minute(TEN)),
            FileName("twitch", "a", utc_minute(TEN + 120)),
            FileName("kick", "k", utc_minute(TEN + 60)),
        ]
        contents = [own(TEN) + of_others(TEN), of_others(TEN + 120), on_kick(TEN)[:1]]
        self.rows = [self.people.put(name, lines) for name, lines in zip(self.names, contents, strict=True)]
        self.name = BundleName(utc_minute(TEN))
        pieces = [Piece(row.key, self.store.objects.pop(row.key)) for row in self.rows]
        self.kick = pieces[2].data
        self.bundled = put_bundle(self.store, self.name, ".zst", pieces)

    def put(self, row: ObjectRow) -> list[BundledRow]:
        """A bundle of the same name with one object."""
        piece = Piece(row.key, self.store.objects.pop(row.key))
        return put_bundle(self.store, self.name, ".zst", [piece])

    def named(self, until: float = HOUR) -> None:
        """The recorder's manifest of that hour."""
        self.people.manifest(TEN, TEN + until, "", [*self.rows, *self.bundled])

    def test_erased(self) -> None:
        """A bundle of all rooms is written again, and the other rooms and platforms in it stay as they
        are."""
        self.named()
        outcome = self.erase("twitch")
        self.assertEqual((outcome.removed, outcome.bundles, outcome.done), (6, 1, True))
        [key] = [key for key in self.store.objects if key.startswith("bundle/")]
        self.assertEqual(key, self.name.numbered(2).key(".zst"))
        self.assertIn(self.kick, self.store.objects[key])
        self.assertEqual(self.verified()[1], [])

    def test_before_its_manifest(self) -> None:
        """The recorder names the bundle in its manifest an hour later, when it is gone: verify knows, and
        knows before what else was in it."""
        self.assertTrue(self.erase("twitch").done)
        self.assertEqual(self.verified()[1], [])
        self.time += HOUR
        self.named(12 * HOUR)
        self.assertEqual(self.verified()[1], [])

    def test_all_of_it(self) -> None:
        """A bundle of which nothing is left is gone; a new one of that name stays."""
        only = [self.bundled[2]]
        self.store.objects.clear()
        row = self.people.put(self.names[2], own(TEN)[:1])
        self.bundled = put_bundle(
            self.store, self.name, ".zst", [Piece(row.key, self.store.objects.pop(row.key))]
        )
        self.rows = [row]
        self.named()
        self.assertEqual(self.bundled[0].key, only[0].key)
        self.assertTrue(self.erase("kick").done)
        self.assertEqual([key for key in self.store.objects if key.startswith("bundle/")], [])
        self.assertEqual(self.verified()[1], [])
        other = self.people.put(FileName("kick", "k", utc_minute(TEN + 120)), on_kick(TEN + 120)[1:2])
        again = put_bundle(
            self.store, self.name, ".zst", [Piece(other.key, self.store.objects.pop(other.key))]
        )
        rows: list[ObjectRow | BundledRow] = [other, *again]
        self.people.manifest(TEN + HOUR, TEN + 2 * HOUR, "", rows)
        self.assertTrue(self.erase("kick", search=PersonSearch(Person("999"))).done)
        self.assertIn(again[0].bundle, self.store.objects)
        self.assertEqual(self.verified()[1], [])

    def test_on_to_the_bundles_of_rooms(self) -> None:
        """What was erased from a bundle of all rooms goes on into those of rooms, and is erased from there
        for the next one who asks; verify has nothing to say at any time."""
        self.named()
        self.assertTrue(self.erase("twitch").done)
        self.time = LATER
        with ArchiveLock(self.store, "bundle", lambda: self.time, renewing=False) as lock:
            ledger = Ledger(self.store, BUNDLE, ".zst", None, lambda: self.time)
            Bundler(self.store, ledger, lock).run("2025-12")
        self.assertEqual(self.verified()[1], [])
        self.assertTrue(self.erase("twitch", search=PersonSearch(Person("1"))).done)
        self.assertTrue(self.erase("kick").done)
        self.assertEqual(self.people.traces((ID,)), [])
        self.assertEqual(self.verified()[1], [])
        self.assertEqual([key for key in self.store.objects if key.startswith("2025/")], [])
