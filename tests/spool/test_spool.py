"""The spool's directories: lock, names, commits, stock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.reserved_space import SIZE, ReservedSpace
from chatlog.spool.spool import Batch, Spool, SpoolError, SyncFailed
from tests.fakes import MemoryFiles
from tests.recording import HALF_PAST_TEN, line
from tests.state import entries, summed

ONE = "twitch_one_20251229_1030.jsonl"


def opened(files: MemoryFiles | None = None) -> tuple[Spool, MemoryFiles]:
    files = files or MemoryFiles()
    spool = Spool("/data", files)
    spool.open()
    return spool, files


def made(spool: Spool, files: MemoryFiles, channel: str, data: bytes) -> str:
    """A file in open/ with this content; its name."""
    name, fd = spool.create("twitch", channel, HALF_PAST_TEN, ("", 0))
    files.write(fd, data)
    files.close(fd)
    return str(name)


class LockTests(SynchronousTestCase):
    """One process a directory."""

    def test_two_spools(self) -> None:
        """A directory in use is refused, with the number of the process that has it; when that one
        is done it is free."""
        files = OsFiles()
        directory = self.mktemp()
        first, second = Spool(directory, files), Spool(directory, files)
        first.open()
        error = self.assertRaises(SpoolError, second.open)
        self.assertEqual(
            str(error),
            f"{directory} is in use by another chatlog (pid {os.getpid()}); end it, or choose another "
            "recorder.directory",
        )
        first.close()
        second.open()
        second.close()

    def test_other_process(self) -> None:
        """A process that ends, however it ends, leaves the directory free."""
        directory = self.mktemp()
        program = (
            "import os, sys; from chatlog.files import OsFiles; from chatlog.spool.spool import Spool\n"
            "Spool(sys.argv[1], OsFiles()).open(); print('ready', flush=True); sys.stdin.read()"
        )
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        with subprocess.Popen(
            [sys.executable, "-c", program, os.path.abspath(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
        ) as other:
            assert other.stdout is not None
            self.assertEqual(other.stdout.readline(), b"ready\n")
            spool = Spool(directory, OsFiles())
            error = self.assertRaises(SpoolError, spool.open)
            self.assertIn(f"(pid {other.pid})", str(error))
            other.kill()
        spool.open()
        spool.close()

    def test_cannot_be_made(self) -> None:
        """A place where no directory can be made is refused in one sentence that names the setting."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        error = self.assertRaises(SpoolError, Spool(f"{path}/data", OsFiles()).open)
        self.assertIn("cannot be made: Not a directory; set recorder.directory", str(error))

    def test_every_call_may_fail(self) -> None:
        """Whatever fails while opening, the error is a sentence, the lock is free again and nothing
        stays open."""
        calls = opened()[1].calls
        for code in (errno.EROFS, errno.EACCES, errno.EIO):
            for n in range(1, calls + 1):
                files = MemoryFiles()
                files.fail(n, code)
                spool = Spool("/data", files)
                try:
                    spool.open()
                except SpoolError as error:
                    self.assertIn(os.strerror(code), str(error))
                    self.assertEqual(files.fds, {}, files.log[n - 1])
                    spool = Spool("/data", files)
                    spool.open()
                spool.close()

    def test_full_disk(self) -> None:
        """A full disk is no reason not to start; what is there can be recovered and uploaded."""
        _, files = opened()
        files.kill()
        files.capacity = files.used()
        opened(files)


class StockTests(SynchronousTestCase):
    """``Spool.open`` takes stock."""

    def test_stock(self) -> None:
        """Files of an earlier run are found, in order of their names; sizes are summed up over what
        is waiting; foreign entries are left alone."""
        files = MemoryFiles()
        files.put("/data/open/twitch_two_20251229_1000.jsonl", b"12345")
        files.put("/data/open/twitch_one_20251229_1000.jsonl", b"123")
        files.put("/data/open/twitch_one_20251229_0900.jsonl.tmp", b"half a repair")
        files.put("/data/open/notes.txt", b"somebody's")
        files.put("/data/open/twitch_one_20251229_1000.jsonl.gz", b"somebody's")
        files.put("/data/sealed/kick_a-b_20251229_0900.jsonl", b"12")
        files.put("/data/packed/kick_a-b_20251229_0800.jsonl.zst", b"1")
        files.put("/data/torn/kick_a-b_20251229_0700-3.jsonl.17", b"not counted")
        spool = Spool("/data", files)
        self.assertEqual(
            spool.open(),
            [("twitch_one_20251229_1000.jsonl", 3), ("twitch_two_20251229_1000.jsonl", 5)],
        )
        self.assertEqual(sorted(spool.unknown_files), ["notes.txt", "twitch_one_20251229_1000.jsonl.gz"])
        self.assertEqual(spool.usage.bytes, 5 + 3 + 2 + 1 + len(b"somebody's"))
        self.assertEqual(files.content("/data/open/notes.txt"), b"somebody's")
        self.assertNotIn("/data/open/twitch_one_20251229_0900.jsonl.tmp", files.tree)

    def test_directories_are_durable(self) -> None:
        """The directories themselves are on the disk before anything is written to them."""
        _, files = opened()
        self.assertIn(("sync_directory", "/data"), files.log)
        self.assertIn(("sync_directory", "/"), files.log)


class CreateTests(SynchronousTestCase):
    """``Spool.create``."""

    def test_taken_names(self) -> None:
        """A name that is in use anywhere in the spool is passed over."""
        for taken in (
            f"/data/open/{ONE}",
            f"/data/sealed/{ONE}",
            f"/data/packed/{ONE}",
            f"/data/packed/{ONE}.gz",
            f"/data/packed/{ONE}.zst",
        ):
            spool, files = opened()
            files.put(taken, b"1")
            name, _ = spool.create("twitch", "one", HALF_PAST_TEN, ("", 0))
            self.assertEqual(str(name), "twitch_one_20251229_1030n0002.jsonl", taken)
            self.assertEqual(files.content(taken), b"1")
            self.assertEqual(len(files.names("/data/open")), 1 + ("open" in taken))

    def test_names_of_earlier_versions(self) -> None:
        """A file that an earlier version made in this minute, with its number at the end, is followed by the
        next number, wherever it is and also when only the note tells of it."""
        older = "twitch_one_20251229_1030-2.jsonl"
        for left in (
            f"/data/open/{older}",
            f"/data/sealed/{older}",
            f"/data/packed/{older}.zst",
            "/data/state/names",
        ):
            files = MemoryFiles()
            files.put(left, summed(b'1 {"minute":"20251229_1030","n":2,"top":2}'))
            spool, _ = opened(files)
            name, _ = spool.create("twitch", "one", HALF_PAST_TEN, ("", 0))
            self.assertEqual(str(name), "twitch_one_20251229_1030n0003.jsonl", left)
            files.content(left)

    def test_names_found_at_start(self) -> None:
        """Names that an earlier run used in this minute are not used again, even after their files
        have gone."""
        files = MemoryFiles()
        files.put(f"/data/sealed/{ONE}", b"1")
        spool, _ = opened(files)
        files.remove(f"/data/sealed/{ONE}")
        name, _ = spool.create("twitch", "one", HALF_PAST_TEN, ("", 0))
        self.assertEqual(name.n, 2)

    def test_instance(self) -> None:
        """The instance is in the name."""
        spool = Spool("/data", MemoryFiles(), "blue")
        spool.open()
        name, _ = spool.create("kick", "one", HALF_PAST_TEN, ("", 0))
        self.assertEqual(str(name), "kick_one_20251229_1030_blue.jsonl")

    def test_directory_is_gone(self) -> None:
        """If open/ was removed, it is created again."""
        spool, files = opened()
        files.directories.remove("/data/open")
        spool.create("twitch", "one", HALF_PAST_TEN, ("", 0))
        self.assertEqual(files.names("/data/open"), [ONE])


class CommitTests(SynchronousTestCase):
    """``Spool.commit``."""

    def test_synced(self) -> None:
        """After a commit the lines are on the disk and so is the file's entry: few files and many."""
        for count in (1, 8, 9, 30):
            spool, files = opened()
            names = [made(spool, files, f"room{n}", line(n)) for n in range(count)]
            files.log.clear()
            spool.commit(Batch(names, [], True, {}))
            syncs = [operation for operation, _ in files.log if operation == "sync"]
            self.assertEqual(len(syncs), count if count <= 8 else 0)
            files.lose()
            for n, name in enumerate(names):
                self.assertEqual(files.content(f"/data/open/{name}"), line(n))

    def test_another_file_system(self) -> None:
        """Where the directory suddenly leads to another file system, nothing is called durable that is not:
        the commit fails for good, and says what to do."""
        spool, files = opened()
        name = made(spool, files, "one", line(1))
        files.number = 2
        error = self.assertRaises(SyncFailed, spool.commit, Batch([name], [name], True, {}))
        self.assertIn("/data is on another file system than at the start", str(error))
        self.assertIn("before chatlog starts", str(error))
        self.assertEqual((files.names("/data/open"), files.names("/data/sealed")), ([name], []))

    def test_without_syncfs(self) -> None:
        """Where the system cannot sync everything at once, file by file does it."""
        spool, files = opened(MemoryFiles(syncs_all=False))
        names = [made(spool, files, f"room{n}", line(n)) for n in range(30)]
        spool.commit(Batch(names, [], True, {}))
        files.lose()
        self.assertEqual(len(files.names("/data/open")), 30)

    def test_sealed(self) -> None:
        """What a commit says is sealed is in sealed/, on the disk, and only there; the note of names
        is on the disk before it."""
        spool, files = opened()
        name = made(spool, files, "one", line(1))
        files.log.clear()
        done = spool.commit(Batch([name], [name], True, spool.numbering.note()))
        self.assertEqual((done.sealed, done.left, done.error), ([name], [], ""))
        renames = [path for operation, path in files.log if operation == "rename"]
        self.assertEqual(renames, ["/data/state/names.tmp", f"/data/open/{ONE}"])
        files.lose()
        self.assertEqual(files.content(f"/data/sealed/{ONE}"), line(1))
        self.assertEqual(files.names("/data/open"), [])
        self.assertEqual(entries(files, "names"), [{"minute": "20251229_1030", "n": 1, "top": 1}])

    def test_directories_synced_once(self) -> None:
        """Sealing a thousand files costs one sync of everything and one of each directory."""
        spool, files = opened()
        names = [made(spool, files, f"room{n}", line(n)) for n in range(1000)]
        files.log.clear()
        self.assertEqual(spool.commit(Batch(names, names, True, {})).sealed, names)
        syncs = [operation for operation, _ in files.log if operation.startswith("sync")]
        self.assertEqual(syncs, ["sync_all", "sync_directory", "sync_directory"])

    def test_sync_fails(self) -> None:
        """A sync that fails ends it: nothing is sealed, and the error says what happened."""
        for count in (1, 20):
            spool, files = opened()
            names = [made(spool, files, f"room{n}", line(n)) for n in range(count)]
            files.fail(1, errno.EIO)
            error = self.assertRaises(SyncFailed, spool.commit, Batch(names, names, True, {}))
            self.assertIn("Input/output error", str(error))
            self.assertEqual(files.names("/data/sealed"), [])

    def test_seal_fails(self) -> None:
        """A file that cannot be moved stays where it is; the others are sealed."""
        spool, files = opened()
        names = [made(spool, files, f"room{n}", line(n)) for n in range(3)]

        def rule(operation: str, path: str) -> None:
            if operation == "rename" and "room1" in path:
                raise OSError(errno.EIO, "Input/output error", path)

        files.rule = rule
        done = spool.commit(Batch(names, names, True, {}))
        self.assertEqual((done.sealed, done.left), ([names[0], names[2]], [names[1]]))
        self.assertIn(names[1], done.error)
        self.assertEqual([path for _, path, _ in files.fds.values()], ["/data/lock"])

    def test_note_cannot_be_written(self) -> None:
        """Nothing leaves open/ without the note of names, except on a full disk: there sealing is the
        only way to make space. No half note is left."""
        for code, sealed in ((errno.EIO, False), (errno.ENOSPC, True)):
            spool, files = opened()
            name = made(spool, files, "one", line(1))

            def rule(operation: str, path: str, code: int = code) -> None:
                if operation == "write" and path.startswith("/data/state/names"):
                    raise OSError(code, os.strerror(code), path)

            files.rule = rule
            done = spool.commit(Batch([name], [name], True, spool.numbering.note()))
            self.assertEqual((done.sealed, done.left), ([name], []) if sealed else ([], [name]))
            self.assertEqual("names" in done.error, not sealed)
            self.assertNotIn("/data/state/names.tmp", files.tree)

    def test_reserved_space(self) -> None:
        """On a full disk the reserved space is freed so that files can be sealed; it is reserved again when
        there is space."""
        spool, files = opened()
        note: dict[str, str | int] = {"minute": "20251229_1030", "n": 1, "top": 1}
        self.assertEqual(len(files.content("/data/ballast")), SIZE)
        name = made(spool, files, "one", line(1))
        files.capacity = files.used()
        self.assertEqual(spool.commit(Batch([name], [name], True, note)).sealed, [name])
        self.assertNotIn("/data/ballast", files.tree)
        files.capacity = None
        name = made(spool, files, "two", line(1))
        spool.commit(Batch([name], [name], True, note))
        self.assertEqual(len(files.content("/data/ballast")), SIZE)

    def test_vanished(self) -> None:
        """A removed file is reported, and does not keep the others from being sealed."""
        spool, files = opened()
        names = [made(spool, files, f"room{n}", line(n)) for n in range(2)]
        files.remove(f"/data/open/{names[0]}")
        done = spool.commit(Batch(names, names, True, {}))
        self.assertEqual((done.sealed, done.vanished), ([names[1]], [names[0]]))

    def test_sealed_directory_is_gone(self) -> None:
        """If sealed/ was removed, it is created again."""
        spool, files = opened()
        name = made(spool, files, "one", line(1))
        files.directories.remove("/data/sealed")
        self.assertEqual(spool.commit(Batch([name], [name], True, {})).sealed, [name])

    def test_no_sealed_file_is_replaced(self) -> None:
        """A file of that name in sealed/ is never overwritten: another one gets the next number, the
        very same is kept once."""
        spool, files = opened()
        name = made(spool, files, "one", line(1))
        files.put(f"/data/sealed/{ONE}", line(2))
        done = spool.commit(Batch([name], [name], True, {}))
        self.assertEqual(done.sealed, ["twitch_one_20251229_1030n0002.jsonl"])
        self.assertEqual(files.content(f"/data/sealed/{ONE}"), line(2))
        files.put(f"/data/open/{ONE}", line(2))
        done = spool.commit(Batch([], [ONE], False, {}))
        self.assertEqual((done.sealed, files.names("/data/open")), ([], []))


class RepairTests(SynchronousTestCase):
    """``Spool.repair``."""

    def test_batch(self) -> None:
        """Good files can be sealed, empty ones are gone, and one that cannot be read keeps nobody
        else from being mended."""
        spool, files = opened()
        files.put("/data/open/twitch_a_20251229_1000.jsonl", line(1) + b"half")
        files.put("/data/open/twitch_b_20251229_1000.jsonl", b"")
        files.put("/data/open/twitch_c_20251229_1000.jsonl", line(2))
        files.put("/data/open/twitch_d_20251229_1000.jsonl", line(3))

        def rule(operation: str, path: str) -> None:
            if operation == "read" and "_c_" in path:
                raise OSError(errno.EIO, "Input/output error", path)

        files.rule = rule
        names = sorted(files.names("/data/open"))
        good, report, freed = spool.repair(names)
        self.assertEqual(good, [names[0], names[3]])
        self.assertEqual(freed, 4)
        self.assertEqual((report.files, report.lines, report.emptied, report.torn_bytes), (3, 2, 1, 4))
        self.assertEqual(report.failed, [(names[2], "Input/output error")])
        self.assertEqual(files.content("/data/open/" + names[2]), line(2))

    def test_enough(self) -> None:
        """A repair can be ended early; the other files stay as they are."""
        spool, files = opened()
        files.put("/data/open/twitch_a_20251229_1000.jsonl", line(1))
        self.assertEqual(spool.repair(files.names("/data/open"), lambda: True)[0], [])


class ReservedSpaceTests(SynchronousTestCase):
    """``ReservedSpace``."""

    def test_other_errors(self) -> None:
        """Only a full disk frees the space, and without reserved space the error is raised."""
        files = MemoryFiles()
        reserved = ReservedSpace(files, "/ballast")
        reserved.reserve("/")

        def fails(code: int) -> None:
            raise OSError(code, os.strerror(code))

        with self.assertRaises(OSError):
            reserved.run(fails, errno.EIO)
        self.assertEqual(files.names("/"), ["ballast"])
        for _ in range(2):
            with self.assertRaises(OSError):
                reserved.run(fails, errno.ENOSPC)
            self.assertEqual(files.names("/"), [])

    def test_spent(self) -> None:
        """Once released, the space counts as released until it is reserved again."""
        files = MemoryFiles()
        reserved = ReservedSpace(files, "/ballast")
        reserved.reserve("/")
        fd = files.create("/full")
        files.capacity = files.used()
        self.assertEqual(reserved.run(files.write, fd, b"x"), 1)
        self.assertTrue(reserved.released)
        reserved.reserve("/")
        self.assertTrue(reserved.released)
        files.capacity = files.used() + SIZE * 5 // 4 - 1
        reserved.reserve("/")
        self.assertTrue(reserved.released)
        files.capacity += 1
        reserved.reserve("/")
        self.assertFalse(reserved.released)
        self.assertEqual(files.size("/ballast"), SIZE)

    def test_little_space(self) -> None:
        """No space is reserved on a disk that is nearly full, and no incomplete file is left."""
        files = MemoryFiles()
        files.capacity = 2 * SIZE - 1
        ReservedSpace(files, "/ballast").reserve("/")
        self.assertEqual(files.names("/"), [])
        files.capacity = 10 * SIZE
        files.take = lambda size: min(size, 1000)
        files.fail(5, errno.ENOSPC)
        ReservedSpace(files, "/ballast").reserve("/")
        self.assertEqual(files.names("/"), [])


class DiskTests(SynchronousTestCase):
    """On the system's own files."""

    def test_life_of_a_file(self) -> None:
        """Made, written, sealed, and found again by the next process."""
        directory = self.mktemp()
        spool = Spool(directory, OsFiles())
        self.assertEqual(spool.open(), [])
        names = []
        for n in range(20):
            name, fd = spool.create("twitch", f"room{n}", HALF_PAST_TEN, ("", 0))
            os.write(fd, line(n))
            os.close(fd)
            names.append(str(name))
        done = spool.commit(Batch(names, names[:10], True, spool.numbering.note()))
        self.assertEqual(done.sealed, names[:10])
        spool.close()
        again = Spool(directory, OsFiles())
        self.assertEqual([name for name, _ in again.open()], sorted(names[10:]))
        self.assertEqual(sorted(os.listdir(f"{directory}/sealed")), sorted(names[:10]))
        self.assertEqual(again.usage.bytes, sum(len(line(n)) for n in range(20)))
        self.assertEqual(os.stat(f"{directory}/ballast").st_size, SIZE)
        again.close()
