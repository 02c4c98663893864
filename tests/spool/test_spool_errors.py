"""What a spool does when the file system refuses something, and what it leaves undone if it may."""

from __future__ import annotations

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.spool.spool import Batch, Spool, SpoolError, SyncFailed, SyncPutOff
from tests.fakes import MemoryFiles
from tests.recording import HALF_PAST_TEN, line
from tests.spool.test_spool import ONE, made, opened

NOTE: dict[str, str | int] = {"minute": "20251229_1030", "n": 1, "top": 1}


def refusing(operation: str, part: str, code: int, named: bool = True) -> MemoryFiles:
    """A file system that refuses an operation on paths that contain ``part``."""
    files = MemoryFiles()

    def rule(asked: str, path: str) -> None:
        if asked == operation and part in path:
            raise OSError(code, os.strerror(code), *((path,) if named else ()))

    files.rule = rule
    return files


class InUse(MemoryFiles):
    """Another process has the lock, and wrote ``holder`` into it."""

    def __init__(self, holder: bytes | None) -> None:
        super().__init__()
        if holder is not None:
            self.put("/data/lock", holder)

    def lock(self, path: str) -> int:
        raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable", path)


class OpenTests(SynchronousTestCase):
    def test_locked_before(self) -> None:
        """A spool that was locked, before the process forked, can be opened; it knows the process by then."""
        directory = self.mktemp()
        spool = Spool(directory, OsFiles())
        spool.close()
        spool.lock()
        with open(os.path.join(directory, "lock"), "wb") as file:
            file.write(b"123456789012\n")
        spool.open()
        with open(os.path.join(directory, "lock"), "rb") as file:
            self.assertEqual(file.read(), b"%d\n" % os.getpid())
        spool.close()
        spool.close()

    def test_who_has_it(self) -> None:
        """The process that has the spool is named, if that is known; nothing stays open."""
        for holder, words in (
            (b"4711\n", "another chatlog (pid 4711); end it"),
            (b"", "another chatlog; end it"),
            (b"nonsense\n", "another chatlog; end it"),
            (None, "another chatlog; end it"),
        ):
            files = InUse(holder)
            error = self.assertRaises(SpoolError, Spool("/data", files).open)
            self.assertIn(words, str(error))
            self.assertEqual(files.fds, {})

    def test_every_directory_is_tried(self) -> None:
        """A directory in which no file can be made is found at the start, unless the disk is only full. The
        file that was tried is gone."""
        for area in ("open", "sealed", "packed", "torn"):
            error = self.assertRaises(SpoolError, opened, refusing("create", f"{area}/", errno.EACCES))
            self.assertIn(f"/data/{area}/probe.tmp cannot be used as a spool: Permission denied", str(error))
            _, files = opened()
            self.assertEqual(files.names(f"/data/{area}"), [])
        for area in ("packed", "torn"):
            opened(refusing("create", f"{area}/", errno.ENOSPC))

    def test_what_a_dead_process_tried(self) -> None:
        """A file that an earlier process tried, and did not remove, is no obstacle."""
        files = MemoryFiles()
        files.put("/data/packed/probe.tmp", b"x")
        opened(files)
        self.assertEqual(files.names("/data/packed"), [])

    def test_errors_without_a_path(self) -> None:
        """An error that names no file is one of the directory."""
        files = refusing("sync_directory", "/data/torn", errno.EIO, named=False)
        error = self.assertRaises(SpoolError, opened, files)
        self.assertEqual(str(error), "/data cannot be used as a spool: Input/output error")

    def test_remedies(self) -> None:
        """A file system that is gone is to be mounted, anything else asks for another place."""
        for code, words in (
            (
                errno.ESTALE,
                "mount its file system again, or set recorder.directory to a directory on a local",
            ),
            (errno.EACCES, "set recorder.directory"),
        ):
            for operation in ("make_directories", "lock"):
                files = refusing(operation, "/data", code)
                error = str(self.assertRaises(SpoolError, Spool("/data", files).lock))
                self.assertIn(words, error)
                self.assertEqual("mount its" in error, code == errno.ESTALE)


class FileTests(SynchronousTestCase):
    def test_a_name_that_is_passed_over(self) -> None:
        """Nothing stays open of a name that turns out to be taken."""
        spool, files = opened()
        files.put(f"/data/packed/{ONE}.zst", b"1")
        _, fd = spool.create("twitch", "one", HALF_PAST_TEN, ("", 0))
        self.assertEqual(sorted(path for _, path, _ in files.fds.values())[0], "/data/lock")
        self.assertEqual(len(files.fds), 2)
        self.assertIn(fd, files.fds)

    def test_reopened(self) -> None:
        """A file of an earlier run is gone on with behind what it has."""
        spool, files = opened()
        name = made(spool, files, "one", b"1\n")
        files.write(spool.reopen(name), b"2\n")
        self.assertEqual(files.content(f"/data/open/{name}"), b"1\n2\n")


class CommitTests(SynchronousTestCase):
    def refuse(self, files: MemoryFiles, operation: str, part: str, code: int) -> None:
        files.rule = refusing(operation, part, code).rule

    def test_no_more_than_needed(self) -> None:
        """A commit that seals nothing writes no note of names, moves nothing, and syncs no directory but the
        one in which a file was created."""
        for created in (False, True):
            spool, files = opened()
            name = made(spool, files, "one", line(1))
            files.log.clear()
            spool.commit(Batch([name], [], created, NOTE))
            done = [(operation, path) for operation, path in files.log if operation != "reopen"]
            self.assertEqual(done[0][0], "sync")
            self.assertEqual(done[1:], [("sync_directory", "/data/open")] if created else [])

    def test_no_descriptors(self) -> None:
        """If the process has no descriptor left for a sync, that is no damage: it is put off."""
        spool, files = opened(MemoryFiles(syncs_all=False))
        name = made(spool, files, "one", line(1))
        self.refuse(files, "reopen", "open/", errno.EMFILE)
        self.assertRaises(SyncPutOff, spool.commit, Batch([name], [name], True, NOTE))
        self.refuse(files, "reopen", "open/", errno.EIO)
        self.assertRaises(SyncFailed, spool.commit, Batch([name], [name], True, NOTE))
        self.refuse(files, "nothing", "", 0)
        self.assertEqual(spool.commit(Batch([name], [name], True, NOTE)).sealed, [name])

    def test_sealed_and_not_certain(self) -> None:
        """Sealed files are told of once their directories are on the disk: later, if there was no descriptor
        for that; if the disk fails, not at all."""
        for code in (errno.EMFILE, errno.EIO):
            spool, files = opened()
            name = made(spool, files, "one", line(1))
            self.refuse(files, "sync_directory", "/data/sealed", code)
            batch = Batch([name], [name], False, NOTE)
            if code == errno.EIO:
                error = self.assertRaises(SyncFailed, spool.commit, batch)
                self.assertIn("did not keep the sealed files", str(error))
                continue
            done = spool.commit(batch)
            self.assertEqual((done.sealed, done.error), ([], f"/data/sealed: {os.strerror(code)}"))
            self.refuse(files, "nothing", "", 0)
            done = spool.commit(Batch([], [], False, NOTE))
            self.assertEqual((done.sealed, done.error), ([name], ""))

    def test_reserved_again(self) -> None:
        """Space that was freed is reserved again by any commit, as soon as there is some."""
        spool, files = opened()
        name = made(spool, files, "one", line(1))
        files.capacity = files.used()
        spool.commit(Batch([name], [name], True, NOTE))
        self.assertNotIn("/data/ballast", files.tree)
        files.capacity = None
        spool.commit(Batch([], [], False, NOTE))
        self.assertIn("/data/ballast", files.tree)

    def test_a_file_that_is_gone(self) -> None:
        """A file that somebody removed keeps no other from being synced, with one sync of everything or file
        by file; and where everything is synced at once, that is enough."""
        for syncs_all in (True, False):
            spool, files = opened(MemoryFiles(syncs_all=syncs_all))
            names = [made(spool, files, f"room{n}", line(n)) for n in range(3)]
            files.remove(f"/data/open/{names[0]}")
            files.log.clear()
            spool.commit(Batch(names, [], True, NOTE))
            syncs = [operation for operation, _ in files.log if operation in ("sync", "sync_all")]
            self.assertEqual(syncs, ["sync_all"] if syncs_all else ["sync_all", "sync", "sync"])
            files.lose()
            for name in names[1:]:
                self.assertIn(f"/data/open/{name}", files.tree)
