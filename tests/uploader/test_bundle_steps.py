"""The single steps of a bundle's way into the store: what is planned, put, told and left at each."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from twisted.logger import capturedLogs

from chatlog.store.store import OBJECT, TRANSIENT, StoreError
from chatlog.uploader.bundle_plan import DONE, MOST_BYTES, PLANNED
from chatlog.uploader.bundle_shipment import BundleShipment
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.shipment import Item, LocalError, Shipped, item_of
from tests.uploader.test_bundle_shipment import (
    BUNDLE,
    NAMES,
    NUMBERED,
    OTHER,
    BundleCase,
    Run,
    Spool,
    content,
    key,
)

#: The name of that bundle in the spool.
NAME = "main_20251229_1030.jsonl"
SECOND = NUMBERED.format("n0002")


def rooms(count: int) -> list[str]:
    """The names of files of so many rooms, in order."""
    return [f"twitch_a{n:03d}_20251229_1030.jsonl" for n in range(count)]


def items(names: Iterable[str], size: int) -> list[tuple[Item, int]]:
    """These files, each with that size."""
    return [(item_of(name, "data"), size) for name in names]


def fails(code: int, *calls: tuple[str, str]) -> Callable[[str, str], None]:
    """A rule by which these calls of the file system fail."""

    def rule(operation: str, path: str) -> None:
        if (operation, path) in calls:
            raise OSError(code, os.strerror(code), path)

    return rule


class PlanTests(BundleCase):
    """Which files go together."""

    def sizes(self, bundles: BundleShipment, names: list[str], size: int) -> list[int]:
        """How many files each bundle has if these go together, each with so many bytes."""
        return [len(bundles.inside(item)) for item, _ in bundles.plan(items(names, size))]

    def packed(self, spool: Spool, names: list[str], size: int) -> None:
        """These files are packed already."""
        for name in names:
            spool.files.put(f"/data/packed/{name}.zst", bytes(size))

    def test_packed_files(self) -> None:
        """Against the most bytes of a bundle, which are meant before they are compressed, a file counts what
        it has, and one that is packed by now eight times that, whatever it had before."""
        for size, counts in ((MOST_BYTES // 2, [2]), (MOST_BYTES // 2 + 1, [1, 1])):
            spool = Spool(rooms(2))
            self.assertEqual(self.sizes(spool.run().bundles, rooms(2), size), counts)
        for size, counts in ((MOST_BYTES // 16, [2]), (MOST_BYTES // 16 + 1, [1, 1])):
            for told in (size, MOST_BYTES):
                spool = Spool([])
                self.packed(spool, rooms(2), size)
                self.assertEqual(self.sizes(spool.run().bundles, rooms(2), told), counts)

    def test_halved(self) -> None:
        """A bundle that is too large for the store is made anew of files with half as many bytes at most, as
        often as it takes; a file alone is refused for good."""
        spool = Spool(rooms(6))
        run = spool.run()
        for item, _ in items(rooms(6), 0):
            run.single.loaded(item)
        self.assertEqual(self.sizes(run.bundles, rooms(6), 1), [6])
        spool.store.before = self.refuse
        for item, names, counts in (
            (item_of(NAME, "bundle"), rooms(6), [3, 3]),
            (item_of("main_20251229_1030-2.jsonl", "bundle"), rooms(3), [1, 1, 1]),
        ):
            with capturedLogs() as events:
                self.assertEqual(run.bundles.ship(item), Shipped(None, anew=tuple(names)))
            self.assertEqual(len(events), 1)
            self.assertEqual(run.bundles.inside(item), ())
            self.assertFalse(spool.files.exists(f"/data/packed/{item.name}{PLANNED}"))
            self.assertEqual(self.sizes(run.bundles, names, 1), counts)
        alone = item_of("main_20251229_1030-4.jsonl", "bundle")
        self.assertEqual(len(run.bundles.inside(alone)), 1)
        error = self.assertRaises(StoreError, run.bundles.ship, alone)
        self.assertGreater(error.size, 0)

    def refuse(self, operation: str, _: str) -> None:
        if operation == "put":
            raise StoreError("413 Request Entity Too Large", OBJECT, "413")

    def test_two(self) -> None:
        """Two files are taken apart as well."""
        spool = Spool(rooms(2))
        spool.store.before = self.refuse
        run = spool.run()
        self.assertEqual(self.sizes(run.bundles, rooms(2), 1), [2])
        self.assertEqual(run.bundles.ship(item_of(NAME, "bundle")).anew, tuple(rooms(2)))
        self.assertEqual(self.sizes(run.bundles, rooms(2), 1), [1, 1])

    def test_planned_before(self) -> None:
        """A bundle that an earlier process planned counts for the most that there is, and is made anew as
        well; a file that went leaves it before."""
        spool = Spool(rooms(4))
        spool.run().waiting()
        spool.store.before = self.refuse
        spool.files.remove(f"/data/sealed/{rooms(4)[3]}")
        run = spool.run()
        [item] = run.bundles.waiting()[0]
        self.assertEqual(run.bundles.ship(item).gone, (rooms(4)[3],))
        self.assertEqual(run.bundles.inside(item), tuple(rooms(3)))
        self.assertEqual(run.bundles.ship(item).anew, tuple(rooms(3)))
        large = ["twitch_b_20251229_1030.jsonl", "twitch_c_20251229_1030.jsonl"]
        for size, counts in ((MOST_BYTES // 32, [2]), (MOST_BYTES // 32 + 1, [1, 1])):
            self.packed(spool, large, size)
            self.assertEqual(self.sizes(run.bundles, large, 1), counts)


class WaitingTests(BundleCase):
    """The bundles that wait when a process begins."""

    def two(self) -> tuple[Spool, dict[str, str]]:
        """A spool with two bundles that were planned, each of one file; the plans by their files."""
        spool = Spool(["kick_ann_20251229_0959.jsonl", NAMES[0]])
        spool.run().waiting()
        return spool, {"kick_ann_20251229_0959.jsonl": "main_20251229_0959.jsonl", NAMES[0]: NAME}

    def found(self, run: Run) -> tuple[list[tuple[str, ...]], int]:
        """The files of the bundles that wait, and what was freed."""
        bundles, freed = run.bundles.waiting()
        self.assertEqual([run.bundles.inside(item) for item in bundles], list(bundles.values()))
        return sorted(bundles.values()), freed

    def test_one_is_no_plan(self) -> None:
        """A plan that is damaged, or that goes while it is looked for, hides no other, wherever it stands."""
        for odd in range(2):
            spool, plans = self.two()
            other = list(plans)[1 - odd]
            path = f"/data/packed/{list(plans.values())[odd]}{PLANNED}"
            whole = spool.files.content(path)
            spool.files.rule = fails(errno.ENOENT, ("open_read", path))
            self.assertEqual(self.found(spool.run()), ([(other,)], 0))
            self.assertEqual(spool.files.content(path), whole)
            spool.files.rule = lambda operation, path: None
            spool.files.put(path, b"damaged")
            with capturedLogs() as events:
                self.assertEqual(self.found(spool.run()), ([(other,)], 0))
            self.assertEqual([event["path"] for event in events], [path])
            self.assertFalse(spool.files.exists(path))

    def test_stored_before(self) -> None:
        """The files of a bundle that was stored and written down go, whatever their form, and their bytes are
        told; that hides no other, wherever it stands."""
        for done in range(2):
            spool, plans = self.two()
            file, name = list(plans.items())[done]
            spool.files.rename(f"/data/packed/{name}{PLANNED}", f"/data/packed/{name}{DONE}")
            spool.files.put(f"/data/packed/{file}.zst", b"12345")
            if done == 0:
                # The other one comes behind it.
                behind = f"/data/packed/{list(plans.values())[1]}{PLANNED}"
                spool.files.rename(behind, behind + ".new")
                spool.files.rename(behind + ".new", behind)
            freed = len(content(file)) + 5
            self.assertEqual(self.found(spool.run()), ([(list(plans)[1 - done],)], freed))
            self.assertEqual(spool.stored(), {})
            self.assertEqual([each for each in spool.left() if file in each or name in each], [])

    def test_stored_before_and_stays(self) -> None:
        """Where they cannot be removed, the bundle waits on as it is, and is not stored once more."""
        spool = Spool(NAMES[:1])
        spool.run().waiting()
        spool.files.rename(f"/data/packed/{NAME}{PLANNED}", f"/data/packed/{NAME}{DONE}")
        spool.files.rule = fails(errno.EROFS, ("remove", f"/data/sealed/{NAMES[0]}"))
        run = spool.run()
        self.assertEqual(self.found(run), ([(NAMES[0],)], 0))
        item = item_of(NAME, "bundle")
        self.assertRaises(LocalError, run.bundles.ship, item)
        spool.files.rule = lambda operation, path: None
        shipped = run.bundles.ship(item)
        self.assertEqual(shipped, Shipped(None, len(content(NAMES[0]))))
        self.assertEqual((run.bundles.inside(item), spool.left(), spool.stored()), ((), [], {}))

    def test_stored_by_this_process(self) -> None:
        """A bundle whose files could not be removed yet is told to be stored when they are, even if the
        process looks at all that waits once more in between."""
        for again in (False, True):
            spool = Spool(NAMES[:1])
            run = spool.run()
            [(item, _)] = run.waiting()
            if again:
                spool.store.after_put = self.lose_answer
                self.assertRaises(StoreError, run.bundles.ship, item)
            spool.files.rule = fails(errno.EROFS, ("remove", f"/data/packed/{NAMES[0]}.zst"))
            self.assertRaises(LocalError, run.bundles.ship, item)
            spool.files.rule = lambda operation, path: None
            self.assertEqual(self.found(run), ([(NAMES[0],)], 0))
            shipped = run.bundles.ship(item)
            assert shipped.stored is not None
            self.assertEqual((shipped.stored.key, shipped.again), (BUNDLE, again))
            self.assertEqual((run.bundles.inside(item), self.found(run)), ((), ([], 0)))
            self.check(spool, NAMES[:1])

    def lose_answer(self, _: str) -> None:
        raise StoreError("reset", TRANSIENT)


class FilesTests(BundleCase):
    """The files of a bundle, as they are packed."""

    def test_together(self) -> None:
        """Files are packed and forced to the disk 128 at a time, with as many syncs of the directory as for
        two; none is read once more for the bundle."""
        syncs = {}
        for count in (2, 128, 129, 256, 258):
            spool = Spool(rooms(count))
            run = spool.run()
            [(item, _)] = run.waiting()
            calls: list[tuple[str, str]] = []
            spool.files.rule = lambda operation, path, calls=calls: (  # type: ignore[misc]
                calls.append((operation, path))
            )
            run.bundles.ship(item)
            syncs[count] = calls.count(("sync_directory", "/data/packed"))
            if count != 129:
                self.assertEqual(
                    [call for call in calls if call[0] == "open_read" and call[1].endswith("zst")], []
                )
            self.check(spool, rooms(count))
        two = syncs[2]
        self.assertEqual(syncs, {2: two, 128: two, 129: two + 1, 256: two + 1, 258: two + 2})

    def test_several_do_not_fit(self) -> None:
        """All files that are gone, damaged, or packed in another way by now leave the bundle at once."""
        names = rooms(7)
        spool = Spool(names)
        run = spool.run()
        [(item, _)] = run.waiting()
        for name in names[:6]:
            spool.files.remove(f"/data/sealed/{name}")
        for name in names[2:4]:
            spool.files.put(f"/data/packed/{name}.zst", b"damaged")
        for name in names[4:6]:
            spool.files.put(f"/data/packed/{name}.gz", b"damaged")
        shipped = run.bundles.ship(item)
        self.assertEqual(shipped, Shipped(None, apart=tuple(names[2:6]), gone=tuple(names[:2]), stays=True))
        run.bundles.ship(item)
        self.assertEqual(list(spool.stored()), [key(names[6])])

    def test_packed_in_another_way(self) -> None:
        """Files that are packed in another way, and whole, go by themselves."""
        spool = Spool(rooms(3))
        gzip = spool.run("gzip").single
        for item, _ in items(rooms(2), 0):
            gzip.loaded(item)
        run = spool.run()
        [(item, _)] = run.waiting()
        self.assertEqual(run.bundles.ship(item), Shipped(None, apart=tuple(rooms(2)), stays=True))

    def test_unreadable(self) -> None:
        """A file that cannot be read leaves the bundle; where the machine has no descriptor or space left,
        all of them wait, and none is the cause."""
        for code, passes in (
            *((errno.EIO, False), (errno.EACCES, False)),
            *((errno.EMFILE, True), (errno.ENFILE, True), (errno.ENOSPC, True), (errno.EDQUOT, True)),
        ):
            spool = Spool(NAMES[:2])
            run = spool.run()
            [(item, _)] = run.waiting()
            spool.files.rule = fails(code, ("size", f"/data/sealed/{NAMES[0]}"))
            if passes:
                error = self.assertRaises(LocalError, run.bundles.ship, item)
                self.assertTrue(error.passes)
            else:
                self.assertEqual(run.bundles.ship(item), Shipped(None, apart=(NAMES[0],), stays=True))
            spool.files.rule = lambda operation, path: None
            run.bundles.ship(item)
            self.assertEqual(len(spool.stored()), 2 if passes else 1)

    def test_packed_meanwhile(self) -> None:
        """A raw file that another thread removes while it is looked at is taken as it is packed."""
        spool = Spool(NAMES[:1])
        run = spool.run()
        [(item, _)] = run.waiting()
        raw = f"/data/sealed/{NAMES[0]}"

        def rule(operation: str, path: str) -> None:
            if (operation, path) == ("size", raw):
                spool.files.rule = lambda operation, path: None
                spool.run().single.loaded(item_of(NAMES[0], "data"))

        spool.files.rule = rule
        self.assertIsNotNone(run.bundles.ship(item).stored)
        self.check(spool, NAMES[:1])

    def test_nothing_is_left(self) -> None:
        """A bundle all of whose files are gone does not wait any more."""
        spool = Spool(NAMES[:1])
        run = spool.run()
        [(item, _)] = run.waiting()
        spool.files.remove(f"/data/sealed/{NAMES[0]}")
        self.assertEqual(run.bundles.ship(item), Shipped(None, gone=(NAMES[0],)))
        self.assertEqual((run.bundles.inside(item), spool.left()), ((), []))


class NameTests(BundleCase):
    """A file, the first of its minute, whose name a spool that was lost had stored in a bundle."""

    def setUp(self) -> None:
        self.spool = Spool(NAMES[:1])
        inside = [Slice(key(NAMES[0]), "", 0, len(OTHER))]
        self.spool.store.objects[BUNDLE.replace("1030", "1005")] = OTHER + table_bytes(inside)
        self.process = self.spool.run(since="20251229_1030")

    def plan(self, name: str) -> Item:
        """The file is finished; its bundle."""
        self.spool.files.put(f"/data/sealed/{name}", content(name))
        [(item, _)] = self.process.bundles.plan(items([name], 1))
        return item

    def alone(self, name: str) -> str:
        """Put the file by itself; the number that it gets."""
        stored = self.process.single.ship(item_of(name, "data")).stored
        assert stored is not None
        return stored.name

    def check_names(self) -> None:
        self.assertEqual(self.spool.left(), [])
        self.assertEqual(
            {name: len(found) for name, found in self.spool.stored().items() if len(found) > 1}, {}
        )
        self.assertEqual(len(self.spool.stored()), 3)

    def test_later_file(self) -> None:
        """It gets the next number, and a later file which has that does not go into a bundle under it,
        whether the first is stored by then or not."""
        for is_stored in (True, False):
            self.setUp()
            self.assertEqual(self.process.ship(self.plan(NAMES[0])).apart, (NAMES[0],))
            if is_stored:
                self.assertEqual(self.alone(NAMES[0]), SECOND)
            self.assertEqual(self.process.ship(self.plan(SECOND)).apart, (SECOND,))
            if not is_stored:
                self.assertEqual(self.alone(NAMES[0]), SECOND)
            self.assertEqual(self.alone(SECOND), NUMBERED.format("n0003"))
            self.check_names()

    def test_earlier_bundle(self) -> None:
        """It does not get the number of a later file which is in a bundle already, and that bundle is not
        read for it."""
        first, second = self.plan(NAMES[0]), self.plan(SECOND)
        self.assertIsNotNone(self.process.ship(second).stored)
        self.spool.store.calls.clear()
        self.assertEqual(self.process.ship(first).apart, (NAMES[0],))
        self.assertEqual(self.alone(NAMES[0]), NUMBERED.format("n0003"))
        read = [name for call, name in self.spool.store.calls if call == "read"]
        self.assertEqual([name for name in read if name != BUNDLE.replace("1030", "1005")], [])
        self.check_names()

    def test_own_object_is_the_file(self) -> None:
        """A file that was put by itself before is recognised, even if its plan could not be written down at
        the first attempt."""
        self.spool.store.objects.clear()
        self.spool.store.objects[key(NAMES[0])] = self.packed()
        item = self.plan(NAMES[0])
        self.spool.files.rule = fails(errno.EIO, ("remove", f"/data/packed/{item.name}{PLANNED}"))
        self.assertRaises(LocalError, self.process.ship, item)
        self.spool.files.rule = lambda operation, path: None
        self.assertEqual(self.process.ship(item).apart, (NAMES[0],))
        self.assertEqual(self.alone(NAMES[0]), NAMES[0])
        self.check(self.spool, NAMES[:1])

    def packed(self) -> bytes:
        """The file as an object."""
        return Spool(NAMES[:1]).run().single.loaded(item_of(NAMES[0], "data"))[1].data
