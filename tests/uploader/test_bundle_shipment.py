"""Several files' way into the store as one bundle: nothing goes before it is proven to be there."""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import zstandard
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import UploaderSettings
from chatlog.naming import parse_key
from chatlog.state.state_file import StateFile
from chatlog.store.store import MISSING, OBJECT, REFUSED, TRANSIENT, Head, StoreError
from chatlog.uploader.bundle_plan import MOST_FILES
from chatlog.uploader.bundle_shipment import BundleShipment
from chatlog.uploader.bundle_table import Slice as TableSlice
from chatlog.uploader.bundle_table import read_table, table_bytes
from chatlog.uploader.deposit import Stored
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow, row_of
from chatlog.uploader.shipment import Item, LocalError, Shipment, Shipped, item_of
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import Crashed, MemoryFiles
from tests.stores import MemoryStore

#: Files of one hour, and one of the hour before.
NAMES = [
    f"twitch_{room}_20251229_10{minute}.jsonl" for room, minute in (("ann", 30), ("bob", 31), ("cy", 30))
]
BEFORE = "kick_ann_20251229_0959.jsonl"
NUMBERED = "twitch_ann_20251229_1030{}.jsonl"
#: What another spool had stored.
OTHER = zstandard.compress(b'{"timestamp":"t"}\n')
BUNDLE = "bundle/2025/12/29/10/main_20251229_1030.jsonl.zst"


def content(name: str) -> bytes:
    """What is in the file of this name."""
    return b"".join(
        f'{{"timestamp":"2025-12-29T10:30:{n:02}.000Z","message":"{name} {n}"}}\n'.encode() for n in range(20)
    )


def key(name: str) -> str:
    return f"2025/12/29/{name.split('_')[0]}/{name.split('_')[1]}/{name}.zst"


class Spool:
    """A spool, and one run of a program over it after the other."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.files = MemoryFiles()
        for area in ("sealed", "packed", "manifest"):
            self.files.make_directories(f"/data/{area}")
        for name in NAMES if names is None else names:
            self.files.put(f"/data/sealed/{name}", content(name))
        self.files.sync_all("/data")
        self.store = MemoryStore()

    def run(self, compression: str = "zstd", since: str = "20251229_1100") -> Run:
        return Run(self, compression, since)

    def left(self) -> list[str]:
        """The files that are still in the spool, whatever they are."""
        return sorted([*self.files.names("/data/sealed"), *self.files.names("/data/packed")])

    def stored(self) -> dict[str, list[bytes]]:
        """What the store has of each object, be it in a bundle or an object of its own."""
        found: dict[str, list[bytes]] = {}
        for name, data in self.store.objects.items():
            if not name.startswith("bundle/"):
                found.setdefault(name, []).append(data)
                continue
            for each in read_table(self.store, Head(name, len(data), "")).slices():
                found.setdefault(each.key, []).append(data[each.offset : each.offset + each.bytes])
        return found

    def rows(self) -> list[ObjectRow | BundledRow]:
        """The rows that are on the disk."""
        entries = [entry for _, entry in StateFile(self.files, "/data", "stored").read() if "kind" in entry]
        return [row for row in map(row_of, entries) if isinstance(row, ObjectRow | BundledRow)]


class Run:
    """One run: as the uploader does it."""

    def __init__(self, spool: Spool, compression: str, since: str) -> None:
        self.freed: list[int] = []
        self.packed: list[int] = []
        self.done: list[Stored] = []
        self.journal = StoredJournal(spool.files, "/data")
        self.on_stored: Callable[[Stored], Any] = self.journal.stored
        self.single = Shipment(
            spool.files,
            "/data",
            spool.store,
            UploaderSettings(compression),
            self.packed.append,
            lambda stored: self.on_stored(stored),
            self.packed.append,
        )
        self.bundles = BundleShipment(
            spool.files, spool.store, self.single, lambda stored: self.on_stored(stored), since
        )
        self.single_only: set[str] = set()

    def waiting(self) -> list[tuple[Item, int]]:
        """Everything that waits, put together."""
        bundles, _ = self.bundles.waiting()
        inside = {name for files in bundles.values() for name in files}
        held = [each for each in self.single.waiting() if each[0].name not in inside]
        together = [each for each in held if each[0].content == "data"]
        return [*((item, 0) for item in bundles), *self.bundles.plan(together)]

    def ship(self, item: Item) -> Shipped:
        """Upload one."""
        ship = self.bundles.ship if item.content == "bundle" else self.single.ship
        shipped = ship(item)
        if shipped.stored is not None:
            self.done.append(shipped.stored)
        self.freed.append(shipped.freed)
        return shipped

    def everything(self) -> None:
        """Upload all that waits, and what it turns into."""
        waiting = [item for item, _ in self.waiting()]
        for _ in range(100):
            if not waiting:
                return
            item = waiting.pop(0)
            shipped = self.ship(item)
            waiting += [item_of(name, "data") for name in shipped.apart]
            waiting += [item] if shipped.stays else []
            again = [(item_of(name, "data"), 100) for name in shipped.anew]
            waiting += [item for item, _ in self.bundles.plan(again)]
        raise AssertionError("it never ends")


class BundleCase(SynchronousTestCase):
    """A spool with finished files."""

    def check(self, spool: Spool, names: list[str], hint: object = "") -> None:
        """Every file is in the store once, whole, with its row; nothing is left here."""
        stored = spool.stored()
        found = {
            name: [zstandard.decompress(data, 1 << 20) for data in each] for name, each in stored.items()
        }
        self.assertEqual(found, {key(name): [content(name)] for name in names}, hint)
        rows = spool.rows()
        objects = {row.key for row in rows if isinstance(row, ObjectRow)}
        self.assertEqual(objects, set(stored), hint)
        for row in rows:
            if isinstance(row, BundledRow):
                data = spool.store.objects[row.bundle][row.offset : row.offset + row.bytes]
                self.assertEqual([data], stored[row.key], hint)
        self.assertEqual(spool.left(), [], hint)


class TogetherTests(BundleCase):
    """When all is well."""

    def test_one_object(self) -> None:
        """The files of an hour are one object, under the minute of the oldest: their frames one behind the
        other, which any program unpacks; the table says where each is; the manifest's rows say the same."""
        spool = Spool()
        run = spool.run()
        run.everything()
        self.assertEqual(list(spool.store.objects), [BUNDLE])
        data = spool.store.objects[BUNDLE]
        whole = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        self.assertEqual(whole, b"".join(map(content, [NAMES[0], NAMES[2], NAMES[1]])))
        self.assertEqual(spool.store.attributes[BUNDLE]["lines"], "60")
        # The answer alone was not believed.
        self.assertEqual([call for call, _ in spool.store.calls], ["put", "head"])
        self.check(spool, NAMES)
        [stored] = run.done
        self.assertEqual((stored.content, len(stored.inside), stored.lines), ("bundle", 3, 60))
        self.assertEqual(sum(run.freed), sum(len(content(name)) for name in NAMES) + sum(run.packed))

    def test_the_same_bytes_as_alone(self) -> None:
        """An object in a bundle has the bytes that it has by itself."""
        alone, together = Spool(), Spool()
        run = alone.run()
        for item, _ in run.single.waiting():
            run.ship(item)
        together.run().everything()
        self.assertEqual(together.stored(), alone.stored())

    def test_hours_and_instances(self) -> None:
        """Every hour has bundles of its own, and every instance: a reader finds them by that."""
        other = "twitch_dan_20251229_1030_left.jsonl"
        spool = Spool([*NAMES, BEFORE, other])
        spool.run().everything()
        self.assertEqual(
            sorted(spool.store.objects),
            [
                "bundle/2025/12/29/09/main_20251229_0959.jsonl.zst",
                "bundle/2025/12/29/10/left_20251229_1030.jsonl.zst",
                BUNDLE,
            ],
        )
        self.check(spool, [*NAMES, BEFORE, other])

    def test_bounded(self) -> None:
        """A bundle has so many files at most, and so many bytes: it is in memory when it is put."""
        names = [f"twitch_a{n}_20251229_1030.jsonl" for n in range(5)]
        spool = Spool(names)
        run = spool.run()
        size = len(content(names[0]))
        found = run.bundles.plan(
            [(item_of(name, "data"), size if n else 80 << 20) for n, name in enumerate(names)]
        )
        self.assertEqual([len(run.bundles.inside(item)) for item, _ in found], [1, 4])
        many = [(item_of(f"twitch_b{n}_20251229_1030.jsonl", "data"), 1) for n in range(MOST_FILES + 1)]
        found = spool.run().bundles.plan(many)
        self.assertEqual([size for _, size in found], [MOST_FILES, 1])
        self.assertEqual(len({item for item, _ in found}), 2)

    def test_numbers(self) -> None:
        """Two bundles that begin in the same minute have different names, also after a restart."""
        spool = Spool(NAMES[:1])
        spool.run().everything()
        spool.files.put(f"/data/sealed/{NAMES[2]}", content(NAMES[2]))
        spool.run().everything()
        self.assertEqual(sorted(spool.store.objects), sorted([BUNDLE, BUNDLE.replace("1030.", "1030-2.")]))
        self.check(spool, [NAMES[0], NAMES[2]])


class OddTests(BundleCase):
    """When something is not as it should be."""

    def test_an_answer_that_was_lost(self) -> None:
        """A bundle whose answer was lost is recognised by its bytes, and not stored again."""
        spool = Spool()

        def lost(_: str) -> None:
            spool.store.after_put = lambda key: None
            raise StoreError("reset", TRANSIENT)

        spool.store.after_put = lost
        run = spool.run()
        [(item, _)] = run.waiting()
        self.assertRaises(StoreError, run.ship, item)
        self.assertEqual(spool.rows(), [])
        self.assertTrue(run.ship(item).again)
        self.check(spool, NAMES)

    def test_somebody_elses_object(self) -> None:
        """Another object of the bundle's name stays, and the bundle gets the next number."""
        spool = Spool()
        spool.store.objects[BUNDLE] = b"foreign"
        spool.run().everything()
        self.assertEqual(spool.store.objects.pop(BUNDLE), b"foreign")
        self.assertEqual(list(spool.store.objects), [BUNDLE.replace("1030.", "1030-2.")])
        self.check(spool, NAMES)

    def test_name_taken_by_an_object(self) -> None:
        """A file whose name an object has that a spool which was lost had stored gets the next number."""
        spool = Spool()
        spool.store.objects[key(NAMES[0])] = OTHER
        spool.run().everything()
        self.assertEqual(spool.store.objects.pop(key(NAMES[0])), OTHER)
        renamed = key(NAMES[0]).replace("1030", "1030n0002")
        self.assertEqual(zstandard.decompress(spool.store.objects.pop(renamed), 1 << 20), content(NAMES[0]))
        self.assertEqual(sorted(spool.stored()), sorted(map(key, NAMES[1:])))
        self.assertEqual(spool.left(), [])

    def test_name_taken_in_a_bundle(self) -> None:
        """The same where the earlier one is in a bundle: also there nothing hides anything."""
        spool = Spool()
        inside = [TableSlice(key(NAMES[0]), "", 0, len(OTHER))]
        taken = BUNDLE.replace("1030", "1005")
        spool.store.objects[taken] = OTHER + table_bytes(inside)
        spool.run().everything()
        del spool.store.objects[taken]
        stored = {str(parse_key(each)[0]) for each in spool.stored()}
        self.assertEqual(stored, {NAMES[0].replace("1030", "1030n0002"), *NAMES[1:]})
        self.assertEqual({row.key for row in spool.rows()}, set(spool.stored()))

    def taken(self, since: str) -> Spool:
        """Files of a minute of which the second and third are taken, one in a bundle and one by itself."""
        spool = Spool([NUMBERED.format(n) for n in ("", "n0002", "n0003", "n0004", "n0005")])
        inside = [TableSlice(key(NUMBERED.format("n0002")), "", 0, len(OTHER))]
        spool.store.objects[BUNDLE.replace("1030", "1005")] = OTHER + table_bytes(inside)
        spool.store.objects[key(NUMBERED.format("n0003"))] = OTHER
        spool.run(since=since).everything()
        return spool

    def test_no_name_twice(self) -> None:
        """Files whose names are taken get numbers that no other file has, also not one that waits in the
        same bundle; in any minute."""
        for since in ("20251229_1000", "20251229_1030", "20251229_1100"):
            spool = self.taken(since)
            stored = spool.stored()
            self.assertEqual([name for name, found in stored.items() if len(found) > 1], [])
            texts = [zstandard.decompress(found[0], 1 << 20) for found in stored.values()]
            mine = [content(NUMBERED.format(n)) for n in ("", "n0002", "n0003", "n0004", "n0005")]
            self.assertEqual(sorted(texts), sorted([*mine, *[zstandard.decompress(OTHER, 1 << 20)] * 2]))
            self.assertEqual(spool.left(), [])

    def test_stored_alone_before(self) -> None:
        """A file that was stored by itself just before the process died, when there were no bundles, is
        recognised: there are not two of it."""
        spool = Spool()
        run = spool.run()
        run.on_stored = _fail
        self.assertRaises(LocalError, run.ship, item_of(NAMES[0], "data"))
        self.assertEqual(list(spool.store.objects), [key(NAMES[0])])
        spool.run().everything()
        self.check(spool, NAMES)

    def test_not_allowed_to_list(self) -> None:
        """Recording needs no permission to list: nobody knows which names are taken then, and it is said
        once."""
        spool = Spool([*NAMES, BEFORE])
        spool.store.list = _refused  # type: ignore[method-assign]
        with capturedLogs() as events:
            spool.run().everything()
        self.assertEqual(len([event for event in events if "cannot be listed" in event["log_format"]]), 1)
        self.check(spool, [*NAMES, BEFORE])

    def test_too_large_for_the_store(self) -> None:
        """A store, or a proxy, that takes no object of this size gets smaller bundles."""
        names = [f"twitch_a{n}_20251229_1030.jsonl" for n in range(9)]
        spool = Spool(names)
        limit = 700

        def put(key: str, data: bytes, attributes: Any) -> None:
            if len(data) > limit:
                raise StoreError("413 Request Entity Too Large", OBJECT, "413")
            original(key, data, attributes)

        original, spool.store.put_new = spool.store.put_new, put  # type: ignore[method-assign]
        with capturedLogs() as events:
            spool.run().everything()
        self.assertTrue([event for event in events if "smaller bundles" in event["log_format"]])
        self.assertGreater(len(spool.store.objects), 1)
        self.assertLess(len(spool.store.objects), 9)
        self.check(spool, names)

    def test_refused(self) -> None:
        """Whatever the store says, the files stay until it has them."""
        for kind in (REFUSED, TRANSIENT, OBJECT, MISSING):
            spool = Spool(NAMES[:1])
            spool.store.before = partial(_refuse_puts, kind)
            run = spool.run()
            [(item, _)] = run.waiting()
            self.assertRaises(StoreError, run.ship, item)
            self.assertEqual((spool.store.objects, len(spool.left())), ({}, 2))
            spool.store.before = lambda operation, key: None
            spool.run().everything()
            self.check(spool, NAMES[:1])

    def test_other_bytes(self) -> None:
        """A bundle of which the store has other bytes is not believed to be stored."""
        spool = Spool()

        def damage(key: str) -> None:
            spool.store.objects[key] = b"x" + spool.store.objects[key][1:]

        spool.store.after_put = damage
        run = spool.run()
        [(item, _)] = run.waiting()
        self.assertRaises(StoreError, run.ship, item)
        self.assertEqual((spool.rows(), len(spool.left())), ([], 4))

    def test_damaged_file(self) -> None:
        """A packed file that the disk has damaged holds up no other."""
        spool = Spool()
        spool.files.put(f"/data/packed/{NAMES[1]}.zst", b"not zstd")
        spool.files.remove(f"/data/sealed/{NAMES[1]}")
        run = spool.run()
        [(item, _)] = run.waiting()
        shipped = run.ship(item)
        self.assertEqual((shipped.stored, shipped.apart, shipped.stays), (None, (NAMES[1],), True))
        run.ship(item)
        self.assertEqual(sorted(spool.stored()), sorted([key(NAMES[0]), key(NAMES[2])]))
        self.assertRaises(LocalError, run.ship, item_of(NAMES[1], "data"))
        self.assertEqual(spool.left(), [f"{NAMES[1]}.zst"])

    def test_vanished_file(self) -> None:
        """A file that another program has removed holds up no other."""
        spool = Spool()
        run = spool.run()
        [(item, _)] = run.waiting()
        spool.files.remove(f"/data/sealed/{NAMES[1]}")
        shipped = run.ship(item)
        self.assertEqual((shipped.gone, shipped.stays), ((NAMES[1],), True))
        run.ship(item)
        self.check(spool, [NAMES[0], NAMES[2]])

    def test_damaged_plan(self) -> None:
        """A plan that the disk has damaged, or that somebody removed, costs nothing."""
        spool = Spool()
        spool.run().waiting()
        [plan] = [name for name in spool.left() if name.endswith(".bundle")]
        spool.files.put(f"/data/packed/{plan}", b"\0" * 20)
        spool.run().everything()
        self.check(spool, NAMES)
        spool = Spool()
        run = spool.run()
        [(item, _)] = run.waiting()
        spool.files.remove(f"/data/packed/{plan}")
        shipped = run.ship(item)
        self.assertEqual(sorted(shipped.anew), sorted(NAMES))

    def test_another_compression_by_now(self) -> None:
        """What was planned before the configuration said otherwise is stored, in the one way or the other."""
        for compression in ("none", "gzip"):
            spool = Spool()
            spool.run().waiting()
            spool.run(compression).everything()
            self.assertEqual(len(spool.store.objects), 3)
            self.assertEqual(spool.left(), [])
            self.assertEqual({row.key for row in spool.rows()}, set(spool.store.objects))

    def test_full_disk(self) -> None:
        """A disk that is full becomes empty again: files that cannot be packed there are packed in memory."""
        spool = Spool()
        count = len(_log_of(Spool()))
        for n in range(1, count):
            spool = Spool()
            run = spool.run()
            spool.files.fail(n, errno.ENOSPC)
            try:
                run.everything()
            except LocalError as error:
                self.assertTrue(error.passes, n)
                spool.run().everything()
            except OSError:
                spool.run().everything()
            self.check(spool, NAMES, n)


class CrashTests(BundleCase):
    """A machine, or a process, that dies at any moment."""

    def test_every_call_of_the_disk(self) -> None:
        """After a crash at any call of the file system, the next run stores every file: once, whole, and with
        its rows written down."""
        count = len(_log_of(Spool()))
        self.assertGreater(count, 20)
        for n in range(1, count + 1):
            for lost in (True, False):
                spool = Spool()
                spool.files.crash_at(n)
                try:
                    spool.run().everything()
                except Crashed:
                    if lost:
                        spool.files.crash(random.Random(n))
                    else:
                        spool.files.kill()
                spool.run().everything()
                self.check(spool, NAMES, (n, lost))

    def test_power_cut_afterwards(self) -> None:
        """The same when the power is cut after all was done: what comes back of the files is not stored
        again."""
        for seed in range(40):
            spool = Spool()
            spool.run().everything()
            spool.files.crash(random.Random(seed))
            spool.run().everything()
            self.check(spool, NAMES, seed)

    def test_power_cut_after_an_error(self) -> None:
        """The same where the disk had refused one call before, and the power is cut while the store has
        just taken the bundle."""
        count = len(_log_of(Spool()))
        for n in range(1, count + 1):
            spool = Spool()
            spool.files.fail(n, errno.EIO)
            with contextlib.suppress(OSError, LocalError):
                spool.run().everything()
            with contextlib.suppress(Crashed, OSError, LocalError):
                spool.store.after_put = _die
                spool.run().everything()
            spool.store.after_put = lambda key: None
            spool.files.crash(random.Random(n))
            spool.run().everything()
            self.check(spool, NAMES, n)

    def test_every_request(self) -> None:
        """The same for a process that is killed before any request to the store, or after it was carried
        out."""
        for n in range(1, 8):
            for after in (False, True):
                spool = Spool()
                spool.store = CutStore(n, after)
                try:
                    spool.run().everything()
                except Crashed:
                    spool.files.kill()
                spool.store.die_at = 0
                spool.run().everything()
                self.check(spool, NAMES, (n, after))

    def test_twice(self) -> None:
        """The same for a second crash while the first is mended."""
        count = len(_log_of(Spool()))
        chance = random.Random(5)
        for n in range(count // 2, count + 1):
            spool = Spool()
            for at in (n, chance.randrange(1, 12)):
                spool.files.crash_at(at)
                try:
                    spool.run().everything()
                except Crashed:
                    spool.files.crash(chance)
            spool.files.kill()
            spool.run().everything()
            self.check(spool, NAMES, n)

    def test_no_bundles_any_more(self) -> None:
        """What was begun is completed where the next run puts nothing together."""
        count = len(_log_of(Spool()))
        for n in range(1, count + 1):
            spool = Spool()
            spool.files.crash_at(n)
            try:
                spool.run().everything()
            except Crashed:
                spool.files.crash(random.Random(n))
            run = spool.run()
            bundles, _ = run.bundles.waiting()
            inside = {name for files in bundles.values() for name in files}
            for item in [*bundles, *(item for item, _ in run.single.waiting() if item.name not in inside)]:
                run.ship(item)
            self.check(spool, NAMES, n)


class CutStore(MemoryStore):
    """Dies at the n-th request, before it is carried out or after."""

    def __init__(self, n: int, after: bool) -> None:
        super().__init__()
        self.die_at = n
        self._after = after

    def _cut(self, call: Callable[[], Any]) -> Any:
        self.die_at -= 1
        if self.die_at == 0 and not self._after:
            raise Crashed
        found = call()
        if self.die_at == 0:
            raise Crashed
        return found

    def put_new(self, key: str, data: bytes, attributes: Any) -> None:
        self._cut(lambda: super(CutStore, self).put_new(key, data, attributes))

    def head(self, key: str) -> Head | None:
        found: Head | None = self._cut(lambda: super(CutStore, self).head(key))
        return found

    def list(self, prefix: str = "") -> Any:
        return self._cut(lambda: super(CutStore, self).list(prefix))


def _log_of(spool: Spool) -> list[tuple[str, str]]:
    """The calls of the file system of a run in which all is well."""
    before = len(spool.files.log)
    spool.run().everything()
    return spool.files.log[before:]


def _fail(_: Stored) -> None:
    raise OSError(errno.EIO, "Input/output error")


def _die(_: str) -> None:
    raise Crashed


def _refuse_puts(kind: str, operation: str, _: str) -> None:
    if operation == "put":
        raise StoreError("no", kind)


def _refused(prefix: str = "") -> Any:
    raise StoreError("AccessDenied", REFUSED, "403")
