"""File systems that lack a call: the substitutes, and that an error never counts as a lacking call."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import DIRECTORY_SYNC, LOCKS, SYNC, OsFiles
from chatlog.system_calls import SystemCalls
from tests.odd_calls import MISSING, TROUBLE, OddCalls


class FileSystemCase(SynchronousTestCase):
    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name

    def file(self, files: OsFiles) -> int:
        path = f"{self.home}/file"
        fd = files.reopen(path) if files.exists(path) else files.create(path)
        self.addCleanup(os.close, fd)
        return fd

    def code(self, call: Callable[..., object], *args: object) -> int | None:
        with self.assertRaises(OSError) as raised:
            call(*args)
        code: int | None = raised.exception.errno
        return code


class SyncTests(FileSystemCase):
    """Files are forced to the disk."""

    def test_no_fdatasync(self) -> None:
        """Without fdatasync it is fsync."""
        for code in MISSING:
            calls = OddCalls({"fdatasync": code})
            files = OsFiles(calls)
            files.sync(self.file(files))
            self.assertEqual(calls.made[-2:], ["fdatasync", "fsync"])
            self.assertEqual(files.lacking, {})

    def test_neither(self) -> None:
        """With neither it goes on, and it is known."""
        for code in MISSING:
            files = OsFiles(OddCalls({"fdatasync": errno.ENOSYS, "fsync": code}))
            files.sync(self.file(files))
            self.assertEqual(files.lacking, {SYNC: os.strerror(code)})

    def test_what_worked_before(self) -> None:
        """A file system that could do it, and does not any more, is in trouble."""
        for code in MISSING:
            calls = OddCalls()
            files = OsFiles(calls)
            fd = self.file(files)
            files.sync(fd)
            calls.refused = {"fdatasync": code, "fsync": code}
            self.assertEqual(self.code(files.sync, fd), code)

    def test_trouble(self) -> None:
        """A disk that fails, a server that forgot the file, no space: each is raised."""
        for code in TROUBLE:
            files = OsFiles(OddCalls({"fdatasync": code}))
            self.assertEqual(self.code(files.sync, self.file(files)), code)
            files = OsFiles(OddCalls({"fdatasync": errno.EINVAL, "fsync": code}))
            self.assertEqual(self.code(files.sync, self.file(files)), code)
            self.assertEqual(files.lacking, {})

    def test_closed(self) -> None:
        """A descriptor that is none is no lack of the file system."""
        self.assertEqual(self.code(OsFiles().sync, 99999), errno.EBADF)


class DirectoryTests(FileSystemCase):
    """Directories are forced to the disk."""

    def test_cannot(self) -> None:
        """Whichever of the two calls a mount refuses, and however: the file system as a whole is forced to
        the disk where that can be, else it is known that nothing is."""
        for call in ("open", "fsync directory"):
            for code in (*MISSING, errno.EBADF, errno.EISDIR, errno.EACCES):
                calls = OddCalls({"fsync directory": code})
                files = OsFiles(calls)
                files.sync_directory(self.home)
                self.assertEqual((files.lacking, calls.made[-1]), ({}, "syncfs"), (call, code))
                for syncfs in ({"syncfs": errno.ENOSYS}, {}):
                    files = OsFiles(OddCalls({call: code, **syncfs}, whole=bool(syncfs)))
                    files.sync_directory(self.home)
                    self.assertEqual(files.lacking, {DIRECTORY_SYNC: os.strerror(code)}, (call, code))

    def test_trouble(self) -> None:
        """Trouble is raised, also by what is done instead."""
        for code in TROUBLE:
            for refused in (
                {"open": code},
                {"fsync directory": code},
                {"fsync directory": errno.EINVAL, "syncfs": code},
            ):
                files = OsFiles(OddCalls(refused))
                self.assertEqual(self.code(files.sync_directory, self.home), code, refused)
                self.assertEqual(files.lacking, {})

    def test_what_worked_before(self) -> None:
        """A directory that could be forced to the disk and cannot any more is trouble."""
        calls = OddCalls(whole=False)
        files = OsFiles(calls)
        files.sync_directory(self.home)
        calls.refused = {"fsync directory": errno.EINVAL}
        self.assertEqual(self.code(files.sync_directory, self.home), errno.EINVAL)

    def test_not_there(self) -> None:
        """A directory that is not there is an error."""
        self.assertEqual(self.code(OsFiles().sync_directory, f"{self.home}/none"), errno.ENOENT)


class WholeTests(FileSystemCase):
    """The file system is forced to the disk as a whole."""

    def test_no_syncfs(self) -> None:
        """Where it cannot, it says so, so that it is done file by file."""
        for code in (*MISSING, errno.EBADF, errno.EACCES):
            calls = OddCalls({"syncfs": code})
            files = OsFiles(calls)
            self.assertFalse(files.sync_all(self.home))
            self.assertFalse(files.sync_all(self.home))
            self.assertEqual((files.lacking, calls.made.count("syncfs")), ({}, 1))

    def test_not_believed(self) -> None:
        """Where the call is known to say nothing about the disk, it is not made."""
        calls = OddCalls(whole=False)
        self.assertFalse(OsFiles(calls).sync_all(self.home))
        self.assertEqual(calls.made, [])

    def test_trouble(self) -> None:
        """Trouble is raised with its path."""
        for code in TROUBLE:
            with self.assertRaises(OSError) as raised:
                OsFiles(OddCalls({"syncfs": code})).sync_all(self.home)
            self.assertEqual((raised.exception.errno, raised.exception.filename), (code, self.home))

    def test_real_ones(self) -> None:
        """A file system in memory can be believed; one that the kernel makes up cannot."""
        calls = SystemCalls()
        self.assertFalse(calls.syncs_as_a_whole("/proc"))
        self.assertFalse(calls.syncs_as_a_whole("/nowhere"))
        if os.path.isdir("/dev/shm") and tuple(map(int, os.uname().release.split(".")[:1])) > (5,):
            self.assertTrue(calls.syncs_as_a_whole("/dev/shm"))
            self.assertTrue(OsFiles().sync_all("/dev/shm"))


class LockTests(FileSystemCase):
    """A second process is kept out."""

    def test_no_flock(self) -> None:
        """Without flock it is a lock of fcntl's; without that a name that only one process of the machine can
        have, and it is known. It ends with the descriptor."""
        path = f"{self.home}/lock"
        for code in (*MISSING, errno.ENOLCK, errno.EBADF):
            for other in (None, *MISSING, errno.ENOLCK):
                refused = {"flock": code} if other is None else {"flock": code, "lock_record": other}
                files = OsFiles(OddCalls(refused))
                fd = files.lock(path)
                self.assertEqual(files.lacking, {} if other is None else {LOCKS: os.strerror(other)})
                second = OsFiles(OddCalls(refused))
                self.assertRaises(BlockingIOError, second.lock, path)
                files.write(fd, b"1")
                files.close(fd)
                second.close(second.lock(path))

    def test_taken(self) -> None:
        """A process that holds the lock is never mistaken for a lack of locks."""
        path = f"{self.home}/lock"
        for refused in ({}, {"flock": errno.ENOLCK}, {"flock": errno.ENOSYS, "lock_record": errno.ENOLCK}):
            first, second = OsFiles(OddCalls(refused)), OsFiles(OddCalls(refused))
            fd = first.lock(path)
            self.assertRaises(BlockingIOError, second.lock, path)
            self.assertEqual(second.lacking, {})
            first.close(fd)

    def test_nothing_at_all(self) -> None:
        """Where nothing can keep a second one out, there is no first one either."""
        refused = {"flock": errno.ENOLCK, "lock_record": errno.ENOLCK, "claim": errno.EAFNOSUPPORT}
        with self.assertRaises(OSError) as raised:
            OsFiles(OddCalls(refused)).lock(f"{self.home}/lock")
        self.assertIn("no locks to keep a second chatlog out", str(raised.exception))

    def test_trouble(self) -> None:
        """Trouble is raised."""
        for code in (errno.EIO, errno.ESTALE):
            for refused in ({"flock": code}, {"flock": errno.ENOSYS, "lock_record": code}):
                self.assertEqual(self.code(OsFiles(OddCalls(refused)).lock, f"{self.home}/lock"), code)


class OtherTests(FileSystemCase):
    """The other calls."""

    def test_no_o_excl(self) -> None:
        """A file is made all the same, and none is that is there."""
        for code in set(MISSING):
            files = OsFiles(OddCalls({"O_EXCL": code}))
            path = f"{self.home}/{code}"
            files.close(files.create(path))
            self.assertRaises(FileExistsError, files.create, path)
        for code in TROUBLE:
            self.assertEqual(self.code(OsFiles(OddCalls({"O_EXCL": code})).create, f"{self.home}/x"), code)
            self.assertFalse(os.path.exists(f"{self.home}/x"))

    def test_size_unknown(self) -> None:
        """A file system that does not know its size, or cannot be asked, is not a full one."""

        class Zeros(OddCalls):
            def statvfs(self, path: str) -> os.statvfs_result:
                return os.statvfs_result((4096, 0, 0, 0, 0, 0, 0, 0, 0, 255))

        class NoFragments(OddCalls):
            def statvfs(self, path: str) -> os.statvfs_result:
                return os.statvfs_result((4096, 0, 100, 10, 5, 0, 0, 0, 0, 255))

        self.assertGreater(OsFiles(Zeros()).free_bytes(self.home), 1 << 50)
        self.assertEqual(OsFiles(NoFragments()).free_bytes(self.home), 5 * 4096)
        for code in MISSING:
            self.assertGreater(OsFiles(OddCalls({"statvfs": code})).free_bytes(self.home), 1 << 50)
        self.assertEqual(
            self.code(OsFiles(OddCalls({"statvfs": errno.EIO})).free_bytes, self.home), errno.EIO
        )

    def test_kind(self) -> None:
        """The type of the file system is known if the system gives it."""
        if os.path.exists("/proc/mounts"):
            self.assertEqual(OsFiles().kind("/proc"), "proc")
            self.assertTrue(OsFiles().kind(self.home))
