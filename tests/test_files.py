"""The real file layer, and that the one in memory behaves like it."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import Files, NotCertain, OsFiles, replace_file, write_whole
from tests.fakes import MemoryFiles


class FilesTests(SynchronousTestCase):
    """What every file layer does. Run on the real one and on the double, so that tests with the
    double mean something."""

    def files(self) -> tuple[Files, str]:
        directory = self.mktemp()
        os.mkdir(directory)
        return OsFiles(), directory

    def test_append(self) -> None:
        """Writes append, also after reopening; sizes follow."""
        files, directory = self.files()
        path = f"{directory}/a"
        fd = files.create(path)
        self.assertEqual(files.write(fd, b"one"), 3)
        files.close(fd)
        fd = files.reopen(path)
        files.write(fd, b"two")
        files.write(fd, b"three")
        files.sync(fd)
        files.close(fd)
        self.assertEqual(files.size(path), 11)
        fd = files.open_read(path)
        self.assertEqual(
            (files.read(fd, 4), files.read(fd, 100), files.read(fd, 1)), (b"onet", b"wothree", b"")
        )
        self.assertEqual((files.read_at(fd, 3, 3), files.read_at(fd, 3, 50)), (b"two", b""))
        files.close(fd)

    def test_truncate(self) -> None:
        """Cutting is followed by appending at the new end."""
        files, directory = self.files()
        fd = files.create(f"{directory}/a")
        files.write(fd, b"one two")
        files.truncate(fd, 3)
        files.write(fd, b"!")
        files.close(fd)
        fd = files.open_read(f"{directory}/a")
        self.assertEqual(files.read(fd, 100), b"one!")
        files.close(fd)

    def test_names(self) -> None:
        """Entries come and go; a rename replaces."""
        files, directory = self.files()
        files.make_directories(f"{directory}/x/y")
        files.make_directories(f"{directory}/x/y")
        for name in ("a", "b"):
            fd = files.create(f"{directory}/x/y/{name}")
            write_whole(files, fd, name.encode())
            files.close(fd)
        self.assertEqual(sorted(files.names(f"{directory}/x/y")), ["a", "b"])
        files.rename(f"{directory}/x/y/a", f"{directory}/x/y/b")
        self.assertEqual(files.names(f"{directory}/x/y"), ["b"])
        self.assertFalse(files.exists(f"{directory}/x/y/a"))
        self.assertTrue(files.exists(f"{directory}/x/y/b"))
        self.assertTrue(files.exists(f"{directory}/x/y"))
        files.sync_directory(f"{directory}/x/y")
        files.sync_all(directory)
        files.remove(f"{directory}/x/y/b")
        self.assertEqual(files.names(f"{directory}/x/y"), [])
        self.assertGreater(files.free_bytes(directory), 0)

    def test_errors(self) -> None:
        """What is there is not made, what is not there is not opened, and so on."""
        files, directory = self.files()
        fd = files.create(f"{directory}/a")
        refused: list[tuple[int, Any, tuple[Any, ...]]] = [
            (errno.EEXIST, files.create, (f"{directory}/a",)),
            (errno.ENOENT, files.create, (f"{directory}/none/a",)),
            (errno.ENOENT, files.reopen, (f"{directory}/b",)),
            (errno.ENOENT, files.open_read, (f"{directory}/b",)),
            (errno.ENOENT, files.size, (f"{directory}/b",)),
            (errno.ENOENT, files.rename, (f"{directory}/b", f"{directory}/c")),
            (errno.ENOENT, files.rename, (f"{directory}/a", f"{directory}/none/c")),
            (errno.ENOENT, files.remove, (f"{directory}/b",)),
        ]
        for code, call, args in refused:
            error = self.assertRaises(OSError, call, *args)
            self.assertEqual(error.errno, code, call)
        files.close(fd)
        self.assertEqual(self.assertRaises(OSError, files.write, fd, b"x").errno, errno.EBADF)

    def test_lock(self) -> None:
        """A lock is held once, until it is closed."""
        files, directory = self.files()
        fd = files.lock(f"{directory}/lock")
        self.assertRaises(BlockingIOError, files.lock, f"{directory}/lock")
        files.write(fd, b"1")
        files.close(fd)
        files.close(files.lock(f"{directory}/lock"))
        self.assertEqual(files.size(f"{directory}/lock"), 1)


def _too_long(*_: object) -> None:
    raise AssertionError("it waits")


class MemoryFilesTests(FilesTests):
    """The double."""

    def files(self) -> tuple[Files, str]:
        files = MemoryFiles()
        files.make_directories("/d")
        return files, "/d"


class OsFilesTests(SynchronousTestCase):
    """What only the real one has."""

    def test_symbolic_links(self) -> None:
        """A link in the spool is not followed: what it leads to is neither read nor written nor locked."""
        directory = self.mktemp()
        os.mkdir(directory)
        secret, link = f"{directory}/secret", f"{directory}/link"
        with open(secret, "wb") as file:
            file.write(b"nobody's business")
        os.symlink(os.path.abspath(secret), link)
        files = OsFiles()
        for call in (files.open_read, files.reopen, files.lock):
            with self.assertRaises(OSError) as raised:
                call(link)
            self.assertEqual(raised.exception.errno, errno.ELOOP)
        self.assertNotEqual(files.size(link), len(b"nobody's business"))

    def test_no_regular_file(self) -> None:
        """A named pipe or a directory in the spool is an error at once; no thread waits in it."""
        directory = self.mktemp()
        os.mkdir(directory)
        pipe = f"{directory}/pipe"
        os.mkfifo(pipe)
        files = OsFiles()
        # Somebody holds it open, so that a wrong open returns too instead of keeping the test.
        holder = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, holder)
        for call in (files.open_read, files.reopen):
            self.assertEqual(self.assertRaises(OSError, call, pipe).errno, errno.EINVAL)
        self.assertEqual(self.assertRaises(OSError, files.open_read, directory).errno, errno.EISDIR)

    def test_no_regular_file_nobody_waits(self) -> None:
        """A pipe without a writer does not block its reader either."""
        pipe = self.mktemp()
        os.mkfifo(pipe)
        previous = signal.signal(signal.SIGALRM, _too_long)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        signal.alarm(5)
        self.addCleanup(signal.alarm, 0)
        self.assertEqual(self.assertRaises(OSError, OsFiles().open_read, pipe).errno, errno.EINVAL)
        self.assertEqual(self.assertRaises(OSError, OsFiles().reopen, pipe).errno, errno.ENXIO)

    def test_replace_file(self) -> None:
        """Whatever call fails: the old file is there, or the new one, and whole; what was said of it is so
        after the machine has died, but where it is not certain."""
        outcomes = []
        for n in range(1, 9):
            files = MemoryFiles()
            files.make_directories("/d")
            replace_file(files, "/d/a", [b"old"])
            files.fail(n, errno.EIO)
            try:
                replace_file(files, "/d/a", [b"n", b"ew"])
            except NotCertain:
                outcomes.append("not certain")
                expected = {b"new"}
            except OSError:
                outcomes.append("old")
                expected = {b"old"}
            else:
                outcomes.append("new")
                expected = {b"new"}
            self.assertEqual(files.names("/d"), ["a"])
            self.assertIn(files.content("/d/a"), expected)
            self.assertEqual(files.fds, {})
            files.lose()
            self.assertIn(files.content("/d/a"), {b"old"} if outcomes[-1] == "not certain" else expected)
        self.assertEqual(outcomes, ["old"] * 6 + ["not certain", "new"])

    def test_replace_file_without_hurry(self) -> None:
        """What a crash may damage is not forced to the disk."""
        files = MemoryFiles()
        files.make_directories("/d")
        replace_file(files, "/d/a", [b"x"], durable=False)
        self.assertEqual([name for name, _ in files.log if name.startswith("sync")], [])
        self.assertEqual(files.content("/d/a"), b"x")

    def test_write_whole(self) -> None:
        """Writes that are cut short are continued; one that takes nothing is an error."""
        files = MemoryFiles()
        fd = files.create("/a")
        files.take = lambda size: min(size, 3)
        write_whole(files, fd, b"0123456789")
        self.assertEqual(files.content("/a"), b"0123456789")
        files.take = lambda size: 0
        self.assertRaises(OSError, write_whole, files, fd, b"x")
