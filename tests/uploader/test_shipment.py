"""One file's way into the store: nothing goes before it is proven to be there."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import Any

import zstandard
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import UploaderSettings
from chatlog.naming import parse_name
from chatlog.store.store import CORRUPT, REFUSED, TRANSIENT, StoreError
from chatlog.uploader.deposit import Stored, following
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.uploader.packing import LEVEL, pack_data
from chatlog.uploader.shipment import LocalError, Renamed, Shipment, item_of
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import Crashed, MemoryFiles
from tests.stores import MemoryStore

NAME = "twitch_ann_20251229_1030.jsonl"
KEY = f"2025/12/29/twitch/ann/{NAME}"
RAW = b'{"timestamp":"2025-12-29T10:30:01.000Z"}\n{"timestamp":"2025-12-29T10:30:09.000Z"}\n' * 50


class ShipmentCase(SynchronousTestCase):
    """A spool with one finished file, and a store."""

    def make(
        self, compression: str = "none", files: MemoryFiles | None = None, level: int = LEVEL
    ) -> Shipment:
        self.files = files or self.spool()
        self.store = getattr(self, "store", None) or MemoryStore()
        self.packed: list[int] = []
        self.tidied: list[int] = []
        self.stored: list[Stored] = []
        self.write_down: Callable[[Stored], Any] = self.stored.append
        return Shipment(
            self.files,
            "/data",
            self.store,
            UploaderSettings(compression, compression_level=level),
            self.packed.append,
            lambda stored: self.write_down(stored),
            self.tidied.append,
        )

    def spool(self) -> MemoryFiles:
        files = MemoryFiles()
        for area in ("sealed", "packed", "manifest"):
            files.make_directories(f"/data/{area}")
        files.put(f"/data/sealed/{NAME}", RAW)
        files.sync_all("/data")
        return files

    def left(self) -> list[str]:
        return [*self.files.names("/data/sealed"), *self.files.names("/data/packed")]


class ShipTests(ShipmentCase):
    """When all is well, and when it is not."""

    def test_plain(self) -> None:
        """The object has the file's bytes, its key the day, platform and channel; it says what it is; then
        the file goes."""
        shipped = self.make().ship(item_of(NAME, "data"))
        self.assertEqual(self.store.objects, {KEY: RAW})
        self.assertEqual(self.store.attributes[KEY]["Content-Type"], "application/x-ndjson")
        self.assertEqual(self.store.attributes[KEY]["lines"], "100")
        self.assertEqual(self.store.attributes[KEY]["first"], "2025-12-29T10:30:01.000Z")
        self.assertEqual(self.store.attributes[KEY]["last"], "2025-12-29T10:30:09.000Z")
        self.assertEqual((shipped.freed, self.left()), (len(RAW), []))
        self.assertEqual([(s.key, s.bytes, s.lines) for s in self.stored], [(KEY, len(RAW), 100)])
        # The answer alone was not believed.
        self.assertEqual([call[0] for call in self.store.calls], ["put", "head"])

    def test_compressed(self) -> None:
        """A compressed object has the suffix of its compression; the spool learns how many bytes were
        saved."""
        shipped = self.make("zstd").ship(item_of(NAME, "data"))
        [(key, data)] = self.store.objects.items()
        self.assertEqual(key, KEY + ".zst")
        self.assertEqual(zstandard.decompress(data, 1 << 20), RAW)
        self.assertEqual(self.store.attributes[key]["Content-Type"], "application/zstd")
        self.assertEqual(self.packed, [len(data) - len(RAW)])
        self.assertEqual((shipped.freed, self.left()), (len(data), []))

    def test_compression_level(self) -> None:
        """Files and manifests are compressed as hard as the configuration says, also where the disk has no
        space for a packed file; the contents are the same."""
        manifest = "main_20251229_1000.jsonl"
        lines = b"".join(random.Random(1).choice((RAW[:90], RAW[90:200], RAW[200:])) for _ in range(50))
        for compression, suffix in (("zstd", ".zst"), ("gzip", ".gz")):
            for level in (1, 3, 9):
                self.store = MemoryStore()
                shipment = self.make(compression, level=level)
                self.files.put(f"/data/sealed/{NAME}", lines)
                self.files.put(f"/data/manifest/{manifest}", lines)
                shipment.ship(item_of(NAME, "data"))
                shipment.ship(item_of(manifest, "manifest"))
                wanted = pack_data(lines, suffix, level).data
                self.assertEqual(list(self.store.objects.values()), [wanted, wanted])
            self.assertLess(len(pack_data(lines, suffix, 9).data), len(pack_data(lines, suffix, 1).data))

    def test_tidied_up_meanwhile(self) -> None:
        """Listing the waiting files leaves the unfinished file of a running packing alone, and no file is
        forgotten."""
        shipment = self.make("zstd")
        looks = iter([shipment.waiting])

        def rule(operation: str, path: str) -> None:
            if operation == "rename" and (look := next(looks, None)):
                look()

        self.files.rule = rule
        shipped = shipment.ship(item_of(NAME, "data"))
        self.assertIsNotNone(shipped.stored)
        self.assertEqual((list(self.store.objects), self.left()), ([KEY + ".zst"], []))
        self.assertEqual((self.tidied, len(self.packed)), ([], 1))

    def test_what_a_failed_packing_left(self) -> None:
        """What a packing that failed could not take away itself is taken away by the next look at what
        waits."""
        shipment = self.make("zstd")

        def rule(operation: str, path: str) -> None:
            there = path.endswith(".new") and path in self.files.tree
            if there and operation in ("rename", "remove", "sync"):
                raise OSError(errno.EIO, "Input/output error")

        self.files.rule = rule
        with self.assertRaises(LocalError) as caught:
            shipment.ship(item_of(NAME, "data"))
        self.assertEqual(caught.exception.reason, "Input/output error")
        self.assertEqual((self.store.objects, self.left()), ({}, [NAME, f"{NAME}.zst.new"]))
        self.files.rule = lambda operation, path: None
        shipment.waiting()
        self.assertEqual(self.left(), [NAME])

    def test_missing_directories(self) -> None:
        """The directory for what is packed is made where it is missing, and one that is missing hides nothing
        that waits."""
        self.files = MemoryFiles()
        self.files.make_directories("/data/sealed")
        self.files.put(f"/data/sealed/{NAME}", RAW)
        shipment = self.make("zstd", self.files)

        def rule(operation: str, path: str) -> None:
            if operation == "names" and path == "/data/packed":
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

        self.files.rule = rule
        self.assertEqual([item.name for item, _ in shipment.waiting()], [NAME])
        self.files.rule = lambda operation, path: None
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual(list(self.store.objects), [KEY + ".zst"])

    def test_sizes(self) -> None:
        """A file that was just finished has its size, a manifest as well; 0 where nobody knows."""
        shipment = self.make()
        self.files.put("/data/manifest/main_20251229_1000.jsonl", b"123")
        for name, content, size in (
            (NAME, "data", len(RAW)),
            ("main_20251229_1000.jsonl", "manifest", 3),
            ("twitch_bob_20251229_1000.jsonl", "data", 0),
        ):
            self.assertEqual(shipment.size(item_of(name, content)), size)

    def test_rooms(self) -> None:
        """Files of one room are known by it, whatever it is called."""
        for name, content, room in (
            (NAME, "data", "twitch_ann"),
            ("kick_x_20251229_1030_y_20251229_1030.jsonl", "data", "kick_x_20251229_1030_y"),
            ("main_20251229_1000.jsonl", "manifest", "main"),
        ):
            self.assertEqual(item_of(name, content).room, room)

    def test_errors_of_this_machine(self) -> None:
        """They name file and reason, in the system's words where there are some."""
        full = LocalError("a.jsonl", OSError(errno.ENOSPC, "No space left"))
        broken = LocalError("a.jsonl", ValueError("damaged"))
        self.assertEqual(
            (str(full), full.reason, full.passes), ("a.jsonl: No space left", "No space left", True)
        )
        self.assertEqual((str(broken), broken.passes), ("a.jsonl: damaged", False))
        self.assertEqual(
            (full.may_pass, full.of_system, broken.may_pass, broken.of_system), (False, True, False, False)
        )
        for code in (errno.EACCES, errno.EPERM, errno.EROFS):
            denied = LocalError("a.jsonl", OSError(code, "no"))
            self.assertEqual((denied.passes, denied.may_pass), (False, True))

    def test_taken_away_meanwhile(self) -> None:
        """A file that somebody removes while it is stored frees nothing; the object is there."""
        shipment = self.make()
        self.write_down = lambda stored: self.files.remove(f"/data/sealed/{NAME}")
        shipped = shipment.ship(item_of(NAME, "data"))
        self.assertEqual((shipped.freed, shipped.again, list(self.store.objects)), (0, False, [KEY]))

    def test_packed_before(self) -> None:
        """What another run has packed takes the place of the file only when that is certain to stay."""
        shipment = self.make("zstd")
        self.files.put(f"/data/packed/{NAME}.zst", zstandard.compress(RAW))
        for look in (lambda: shipment.ship(item_of(NAME, "data")), shipment.waiting):
            self.files.put(f"/data/sealed/{NAME}", RAW)
            self.files.put(f"/data/packed/{NAME}.zst", zstandard.compress(RAW))
            self.files.log.clear()
            look()
            synced = self.files.log.index(("sync_directory", "/data/packed"))
            self.assertLess(synced, self.files.log.index(("remove", f"/data/sealed/{NAME}")))

    def test_manifest(self) -> None:
        """A manifest has a key of its own, and is no part of the spool's size."""
        shipment = self.make()
        self.files.put("/data/manifest/main_20251229_1000.jsonl", b"{}\n")
        shipped = shipment.ship(item_of("main_20251229_1000.jsonl", "manifest"))
        self.assertEqual(self.store.objects, {"manifest/2025/12/29/main_20251229_1000.jsonl": b"{}\n"})
        self.assertEqual(shipped.freed, 0)
        self.assertEqual(self.files.names("/data/manifest"), [])

    def test_an_answer_that_was_lost(self) -> None:
        """A file whose object is there already, with the same bytes, is done; it is not stored twice."""
        shipment = self.make()
        self.store.objects[KEY] = RAW
        shipped = shipment.ship(item_of(NAME, "data"))
        self.assertTrue(shipped.again)
        self.assertEqual(list(self.store.objects), [KEY])
        self.assertEqual((self.left(), len(self.stored)), ([], 1))

    def test_somebody_elses_object(self) -> None:
        """A key that is taken by other bytes is left alone; the next free number is used."""
        shipment = self.make()
        second = KEY.replace(".jsonl", "n0002.jsonl")
        self.store.objects.update({KEY: b"other", second: RAW[::-1]})
        shipped = shipment.ship(item_of(NAME, "data"))
        third = KEY.replace(".jsonl", "n0003.jsonl")
        self.assertEqual(self.store.objects, {KEY: b"other", second: RAW[::-1], third: RAW})
        assert shipped.stored is not None
        self.assertEqual((shipped.stored.key, self.left()), (third, []))

    def test_a_store_with_etags_of_its_own(self) -> None:
        """Where the ETag is no MD5, the object is read back and compared."""
        shipment = self.make()
        self.store.plain_etags = False
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual([call[0] for call in self.store.calls], ["put", "head", "read"])
        self.assertEqual(self.left(), [])

    def test_what_is_not_there_is_not_believed(self) -> None:
        """Taken but not stored, stored in part, stored with other bytes: each is found out, and the file
        stays."""

        def lose(key: str) -> None:
            del self.store.objects[key]

        def cut(key: str) -> None:
            self.store.objects[key] = RAW[:-1]

        def spoil(key: str) -> None:
            self.store.objects[key] = b"X" + RAW[1:]

        for spoiling, kind in ((lose, TRANSIENT), (cut, CORRUPT), (spoil, CORRUPT)):
            self.store = MemoryStore()
            shipment = self.make()
            self.store.after_put = spoiling
            with self.assertRaises(StoreError) as caught:
                shipment.ship(item_of(NAME, "data"))
            self.assertEqual(caught.exception.kind, kind)
            self.assertEqual((self.left(), self.stored), ([NAME], []))
            # Put right, everything arrives, and nothing was overwritten.
            self.store.after_put = lambda key: None
            before = dict(self.store.objects)
            shipment.ship(item_of(NAME, "data"))
            self.assertIn(RAW, self.store.objects.values())
            self.assertEqual({key: self.store.objects[key] for key in before}, before)
            self.assertEqual(self.left(), [])

    def test_every_call_may_fail(self) -> None:
        """Whichever call of the store fails, before or after it took effect: the file stays until it is
        proven to be stored, and it is stored once."""
        for compression in ("none", "zstd"):
            for operation in ("put", "head"):
                for kind in (TRANSIENT, REFUSED):
                    self.store = MemoryStore()
                    shipment = self.make(compression)

                    def fail(called: str, key: str, wanted: str = operation, kind: str = kind) -> None:
                        if called == wanted:
                            raise StoreError("no", kind)

                    self.store.before = fail
                    with self.assertRaises(StoreError):
                        shipment.ship(item_of(NAME, "data"))
                    self.assertEqual(len(self.left()), 1)
                    self.store.before = lambda called, key: None
                    shipment.ship(item_of(NAME, "data"))
                    self.assertEqual((len(self.store.objects), self.left()), (1, []))

    def test_not_written_down(self) -> None:
        """When the manifest's row cannot be kept, the file is; the next time all is well."""
        shipment = self.make()

        def fail(stored: Stored) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.write_down = fail
        with self.assertRaises(LocalError):
            shipment.ship(item_of(NAME, "data"))
        self.assertEqual(self.left(), [NAME])
        self.write_down = self.stored.append
        self.assertTrue(shipment.ship(item_of(NAME, "data")).again)
        self.assertEqual((self.left(), len(self.stored)), ([], 1))

    def test_packed_wrongly(self) -> None:
        """If the packed file on the disk is wrong, the original stays, and is packed again."""
        shipment = self.make("zstd")

        def rule(operation: str, path: str) -> None:
            if operation == "open_read" and path.endswith(".new"):
                self.files.put(path, self.files.content(path)[:-1])

        self.files.rule = rule
        with self.assertRaises(LocalError):
            shipment.ship(item_of(NAME, "data"))
        self.assertEqual((self.left(), self.store.objects), ([NAME], {}))
        self.files.rule = lambda operation, path: None
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual((list(self.store.objects), self.left()), ([KEY + ".zst"], []))

    def test_refused_and_there(self) -> None:
        """A store that lets nobody replace an object, and says no more than that it is forbidden, has it: an
        answer was lost. Other bytes under the key are not taken for it."""
        for there, kind in ((RAW, ""), (b"other", REFUSED), (RAW[::-1], REFUSED)):
            self.store = MemoryStore()
            shipment = self.make()
            self.store.objects[KEY] = there

            def forbid(called: str, key: str) -> None:
                if called == "put":
                    raise StoreError("403 AccessDenied", REFUSED)

            self.store.before = forbid
            try:
                self.assertTrue(shipment.ship(item_of(NAME, "data")).again)
            except StoreError as error:
                self.assertEqual((error.kind, error.size), (kind, len(RAW)))
            self.assertEqual(self.left(), [NAME] if kind else [])

    def test_vanished(self) -> None:
        """A removed file is no error of the store."""
        shipment = self.make()
        self.files.remove(f"/data/sealed/{NAME}")
        shipped = shipment.ship(item_of(NAME, "data"))
        self.assertEqual((shipped.stored, shipped.freed, shipped.again), (None, 0, False))

    def test_what_waits(self) -> None:
        """A file waits as it was written or packed, with either compression; only the first is to be packed
        yet."""
        shipment = self.make("zstd")
        other = "twitch_bob_20251229_1000.jsonl"
        for path, raw, waits in (
            (f"sealed/{other}", True, True),
            (f"packed/{other}.zst", False, True),
            (f"packed/{other}.gz", False, True),
            (f"packed/{other}.new", False, False),
        ):
            self.files.put(f"/data/{path}", b"1")
            self.assertEqual((shipment.is_raw(other), shipment.waits(other)), (raw, waits), path)
            self.files.remove(f"/data/{path}")

    def test_name_that_is_taken(self) -> None:
        """A file whose name is taken is stored under the next, and then nothing is remembered of it."""
        shipment = self.make()
        shipment.renamed[NAME] = Renamed(following(parse_name(NAME)))
        shipment.ship(item_of(NAME, "data"))
        self.assertEqual(list(self.store.objects), [KEY.replace("_1030", "_1030n0002")])
        self.assertEqual(shipment.renamed, {})

    def test_full_disk(self) -> None:
        """With no room to pack, the file is compressed in memory and shipped, which makes room."""
        for n in range(1, 12):
            self.store = MemoryStore()
            shipment = self.make("zstd")
            self.files.fail(n, errno.ENOSPC)
            try:
                shipment.ship(item_of(NAME, "data"))
            except LocalError:
                shipment.ship(item_of(NAME, "data"))
            self.assertEqual((list(self.store.objects), self.left()), ([KEY + ".zst"], []), n)

    def test_full_small_disk(self) -> None:
        """A disk with a few hundred kilobytes that has become full to the last byte becomes empty again, with
        every object's row on it."""
        for compression in ("none", "zstd"):
            self.store = MemoryStore()
            files = self.spool()
            files.block = 4096
            files.capacity = files.used() + 200_000
            rows = StoredJournal(files, "/data")
            rows.open()
            names = [NAME]
            while files.free_bytes("/data") > 0:
                names.append(NAME.replace("_1030", f"_11{len(names):02d}"))
                data = (RAW * 4)[: min(files.free_bytes("/data"), 20_000)]
                files.put(f"/data/sealed/{names[-1]}", data)
            shipment = self.make(compression, files)

            def write_down(stored: Stored, rows: StoredJournal = rows) -> None:
                rows.append(
                    ObjectRow(
                        stored.key, stored.bytes, stored.sha256, stored.lines, stored.first, stored.last
                    )
                )

            self.write_down = write_down
            for name in names:
                shipment.ship(item_of(name, "data"))
            self.assertEqual((self.left(), len(self.store.objects)), ([], len(names)))

    def test_damaged_packed_file(self) -> None:
        """A packed file that the disk has damaged is not stored as if it were whole."""
        shipment = self.make("zstd")
        self.files.put(f"/data/packed/{NAME}.zst", b"not zstd")
        self.files.remove(f"/data/sealed/{NAME}")
        with self.assertRaises(LocalError):
            shipment.ship(item_of(NAME, "data"))
        self.assertEqual(self.store.objects, {})


class PackTogetherTests(ShipmentCase):
    """Files that are packed at once, before they are stored as one bundle."""

    NAMES = (NAME, "twitch_bob_20251229_1030.jsonl", "twitch_cat_20251229_1030.jsonl")

    def with_files(self, compression: str = "zstd") -> Shipment:
        shipment = self.make(compression)
        for name in self.NAMES[1:]:
            self.files.put(f"/data/sealed/{name}", RAW * len(name))
        return shipment

    def test_all_of_them(self) -> None:
        """Each is packed as it would be alone, the originals go, and the spool learns what that saved."""
        shipment = self.with_files()
        self.files.directories.discard("/data/packed")
        packed = shipment.pack_together(self.NAMES[1:])
        self.assertEqual(list(packed), list(self.NAMES[1:]))
        sizes = [len(RAW * len(name)) for name in self.NAMES[1:]]
        for name, size, delta in zip(self.NAMES[1:], sizes, self.packed, strict=True):
            data = self.files.content(f"/data/packed/{name}.zst")
            self.assertEqual(
                (zstandard.decompress(data, 1 << 20), delta), (RAW * len(name), len(data) - size)
            )
            self.assertEqual(packed[name].data, data)
        self.assertEqual(self.files.names("/data/sealed"), [NAME])

    def test_packed_before(self) -> None:
        """What is packed already, with whatever compression, is left alone, even if the original is there
        still."""
        for end in (".zst", ".gz"):
            shipment = self.with_files()
            self.files.put(f"/data/packed/{NAME}{end}", b"packed before")
            self.assertEqual(list(shipment.pack_together(self.NAMES)), list(self.NAMES[1:]))
            self.assertEqual(self.files.content(f"/data/packed/{NAME}{end}"), b"packed before")
            self.assertTrue(self.files.exists(f"/data/sealed/{NAME}"))

    def test_one_by_one(self) -> None:
        """A single file, files that are not to be compressed, and files for which the disk has no space stay
        as they are, and nothing else is left."""
        for compression, names, space in (
            ("zstd", self.NAMES[:1], True),
            ("none", self.NAMES, True),
            ("zstd", self.NAMES, False),
        ):
            shipment = self.with_files(compression)
            if not space:
                self.files.capacity = self.files.used() + 10
            self.assertEqual(shipment.pack_together(names), {})
            self.assertEqual(self.left(), list(self.NAMES))
            self.assertEqual(self.packed, [])

    def test_looked_at_meanwhile(self) -> None:
        """A look at what waits leaves them alone while they are packed, and takes away what an error left."""
        shipment = self.with_files()

        def looking(operation: str, path: str) -> None:
            if operation == "rename":
                self.files.rule = lambda operation, path: None
                shipment.waiting()

        self.files.rule = looking
        self.assertEqual(len(shipment.pack_together(self.NAMES)), 3)
        self.assertEqual(self.tidied, [])
        shipment = self.with_files()

        def broken(operation: str, path: str) -> None:
            if path.endswith(".new") and operation in ("rename", "remove") and path in self.files.tree:
                raise OSError(errno.EIO, "Input/output error")

        self.files.rule = broken
        self.assertEqual(shipment.pack_together(self.NAMES), {})
        self.assertEqual(len(self.files.names("/data/packed")), 3)
        self.files.rule = lambda operation, path: None
        shipment.waiting()
        self.assertEqual(self.left(), list(self.NAMES))


class CrashTests(ShipmentCase):
    """A machine that dies at any moment."""

    def test_every_moment(self) -> None:
        """After a crash at any call of the file system, the next run stores the file: once, whole, and
        with its row written down."""
        for compression in ("none", "zstd", "gzip"):
            reference = self.make(compression)
            reference.waiting()
            reference.ship(item_of(NAME, "data"))
            operations = len(self.files.log)
            for n in range(1, operations + 1):
                self.store = MemoryStore()
                shipment = self.make(compression)
                self.files.crash_at(n)
                rows: list[str] = []
                try:
                    shipment.waiting()
                    shipment.ship(item_of(NAME, "data"))
                except Crashed:
                    self.files.crash(random.Random(n))
                rows += [stored.key for stored in self.stored]
                again = self.make(compression, self.files)
                for item, _ in again.waiting():
                    again.ship(item)
                rows += [stored.key for stored in self.stored]
                self.assertEqual(len(self.store.objects), 1, (compression, n))
                self.assertEqual(set(rows), set(self.store.objects))
                self.assertEqual(self.left(), [], (compression, n))


class WaitingTests(ShipmentCase):
    """What earlier runs have left."""

    def test_oldest_first(self) -> None:
        """Files come in the order of their time; strangers are left alone; half a packing is thrown
        away, and of a whole one the original."""
        shipment = self.make("zstd")
        older = "kick_bob_20251228_0000.jsonl"
        packed = "twitch_ann_20251229_0900-2.jsonl"
        for path in (
            f"sealed/{older}",
            f"sealed/{packed}",
            f"packed/{packed}.zst",
            f"packed/{NAME}.zst.new",
            "sealed/notes.txt",
            "manifest/main_20251229_0900.jsonl",
        ):
            self.files.put(f"/data/{path}", b"12345")
        waiting = shipment.waiting()
        self.assertEqual(
            [(item.name, size) for item, size in waiting],
            [(older, 5), ("main_20251229_0900.jsonl", 5), (packed, 5), (NAME, len(RAW))],
        )
        self.assertEqual(sorted(self.files.names("/data/packed")), [f"{packed}.zst"])
        self.assertEqual(sorted(self.files.names("/data/sealed")), [older, "notes.txt", NAME])
        self.assertEqual((self.packed, self.tidied), ([-5], [-5]))
