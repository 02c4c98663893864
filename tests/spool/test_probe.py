"""What a spool needs of its file system is tried out before anything depends on it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.spool.spool import Spool, SpoolError
from tests.fakes import MemoryFiles
from tests.odd_calls import MISSING, OddCalls
from tests.recording import Recording, line


class NoExclusive(MemoryFiles):
    """An existing file is created again."""

    def create(self, path: str) -> int:
        self.tree.pop(path, None)
        return super().create(path)


class Copies(MemoryFiles):
    """A renamed file is there twice."""

    def rename(self, old: str, new: str) -> None:
        self.put(new, self.content(old))


class NotOver(MemoryFiles):
    """Nothing takes the place of something else."""

    def rename(self, old: str, new: str) -> None:
        if new in self.tree:
            raise OSError(errno.EACCES, "Permission denied", new)
        super().rename(old, new)


class Overwrites(MemoryFiles):
    """What is appended takes the place of what was there."""

    def write(self, fd: int, data: bytes) -> int:
        self.truncate(fd, 0)
        return super().write(fd, data)


class Forgets(MemoryFiles):
    """A directory does not show what is in it."""

    def names(self, directory: str) -> list[str]:
        return []


class Keeps(MemoryFiles):
    """A file that is removed is still there."""

    def remove(self, path: str) -> None:
        if path not in self.tree:
            super().remove(path)


class ShortNames(MemoryFiles):
    """Names are 143 characters long at most, as with eCryptfs."""

    def create(self, path: str) -> int:
        if len(os.path.basename(path)) > 143:
            raise OSError(errno.ENAMETOOLONG, "File name too long", path)
        return super().create(path)


def refusing(operation: str, code: int, which: int = 1) -> Callable[[str, str], None]:
    """The n-th call of that name about a file that is tried out fails."""
    count = 0

    def rule(called: str, path: str) -> None:
        nonlocal count
        if called == operation and os.path.basename(path).startswith("probe.tmp"):
            count += 1
            if count >= which:
                raise OSError(code, os.strerror(code), path)

    return rule


class ProbeTests(SynchronousTestCase):
    """A start on a file system in memory."""

    def refusal(self, files: MemoryFiles) -> str:
        with self.assertRaises(SpoolError) as raised:
            Spool("/data", files).open()
        self.assertEqual(files.fds, {})
        return str(raised.exception)

    def test_what_it_does_wrong(self) -> None:
        """A file system that does something else than it is asked for is refused, with the directory, what it
        does and what to do about it; nothing is left in it."""
        cases: list[tuple[MemoryFiles, str]] = [
            (NoExclusive(), "it creates a file that exists already"),
            (Copies(), "files cannot be renamed"),
            (NotOver(), "a renamed file cannot replace another (Permission denied)"),
            (Overwrites(), "what is read is not what was written"),
            (Forgets(), "an existing file is not listed"),
        ]
        for files, text in cases:
            said = self.refusal(files)
            self.assertEqual(
                said,
                f"/data (memory) cannot hold the spool: {text}; set recorder.directory to a directory on "
                "a local disk",
            )
            self.assertEqual([path for path in files.tree if "probe" in path], [], text)
        self.assertIn("files cannot be removed", self.refusal(Keeps()))

    def test_what_it_cannot(self) -> None:
        """The same where it says that it cannot, in whatever words."""
        cases = [
            ("sync", 1, "files cannot be written"),
            ("write", 2, "files cannot be appended to"),
            ("sync", 2, "files cannot be appended to"),
            ("reopen", 1, "cannot be opened again"),
            ("truncate", 1, "cannot be cut off"),
            ("rename", 1, "cannot be renamed"),
            ("rename", 2, "a renamed file cannot replace another"),
        ]
        for operation, which, text in cases:
            for code in (*MISSING, errno.EBADF, errno.EXDEV):
                files = MemoryFiles()
                files.rule = refusing(operation, code, which)
                self.assertIn(text, self.refusal(files))

    def test_trouble(self) -> None:
        """A disk that fails, or a lack of descriptors, is reported as such."""
        for operation in ("create", "write", "sync", "reopen", "rename"):
            for code in (errno.EIO, errno.EMFILE, errno.ESTALE):
                files = MemoryFiles()
                files.rule = refusing(operation, code)
                said = self.refusal(files)
                self.assertIn(os.strerror(code), said)
                self.assertNotIn("cannot hold the spool", said)

    def test_full_disk(self) -> None:
        """On a full disk the start goes on, and nothing is left behind."""
        for operation in ("create", "write", "sync", "rename"):
            for code in (errno.ENOSPC, errno.EDQUOT):
                files = MemoryFiles()
                files.rule = refusing(operation, code)
                Spool("/data", files).open()
                self.assertEqual([path for path in files.tree if "probe" in path], [])

    def test_short_names(self) -> None:
        """Names that are too long for the file system are reported; rooms with shorter ones are recorded."""
        spool = Spool("/data", ShortNames())
        spool.open()
        [remark] = spool.remarks
        self.assertIn("/data (memory) takes no names of 160 characters", remark)

    def test_what_a_dead_process_left(self) -> None:
        """Files of an interrupted start do not count as unknown, and the next start removes them."""
        count = 0
        while True:
            count += 1
            files = MemoryFiles()
            files.crash_at(count)
            spool = Spool("/data", files)
            try:
                spool.open()
            except Exception:
                files.kill()
            else:
                break
            again = Spool("/data", files)
            again.open()
            self.assertEqual(again.unknown_files, [], count)
            self.assertEqual([path for path in files.tree if "probe" in path], [], count)
        self.assertGreater(count, 15)

    def test_file_system_that_is_gone(self) -> None:
        """A mount whose other side is away is to be mounted anew; the end of a process that has lost it makes
        no noise of its own."""

        def away(called: str, path: str) -> None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected", path)

        files = MemoryFiles()
        spool = Spool("/data", files)
        spool.open()
        files.rule = away
        spool.close()
        with self.assertRaises(SpoolError) as raised:
            Spool("/data", files).lock()
        self.assertIn("/data cannot be", str(raised.exception))
        self.assertIn("mount its file system again", str(raised.exception))

    def test_files_that_are_kept_open_elsewhere(self) -> None:
        """The names that NFS and FUSE give to a removed open file do not count as unknown."""
        files = MemoryFiles()
        for name in (".nfs000000000001", ".fuse_hidden0000000100000001", "notes.txt"):
            files.put(f"/data/open/{name}", b"x")
        spool = Spool("/data", files)
        spool.open()
        self.assertEqual(spool.unknown_files, ["notes.txt"])


class RealTests(SynchronousTestCase):
    """A recorder on a real file system, some of whose calls are refused."""

    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name

    def test_recording_goes_on(self) -> None:
        """Without any of the calls that have a substitute, records get to sealed files, and one line each in
        the log names the directory, what it lacks and what to do."""
        calls = [
            ({"flock": errno.ENOLCK}, 0),
            ({"flock": errno.ENOLCK, "lock_record": errno.ENOLCK}, 1),
            ({"syncfs": errno.ENOSYS, "fdatasync": errno.EINVAL, "O_EXCL": errno.EINVAL}, 0),
            ({"fsync directory": errno.EBADF}, 0),
            ({"fsync directory": errno.EBADF, "syncfs": errno.ENOSYS}, 1),
            ({"fdatasync": errno.ENOSYS, "fsync": errno.ENOSYS}, 1),
            (
                {
                    name: errno.ENOSYS
                    for name in (
                        "flock",
                        "lock_record",
                        "fsync directory",
                        "syncfs",
                        "fdatasync",
                        "fsync",
                        "statvfs",
                    )
                },
                3,
            ),
        ]
        for number, (refused, remarks) in enumerate(calls):
            directory = f"{self.home}/{number}"
            rig = Recording(OsFiles(OddCalls(refused)), directory=directory)
            with capturedLogs() as events:
                rig.start()
            said = [formatEvent(event) for event in events if event["log_level"].name == "warn"]
            self.assertEqual(len(said), remarks, refused)
            for text in said:
                self.assertIn(directory, text)
                self.assertIn("put recorder.directory on a local disk", text)
            for room in range(12):
                rig.append(f"room{room}", line(room))
            rig.advance(2)
            self.assertEqual((rig.counters.durable, rig.fatal), (12, []), refused)
            self.successResultOf(rig.recorder.stopService())
            self.assertEqual(len(os.listdir(f"{directory}/sealed")), 12)

    def test_said_once(self) -> None:
        """If the file system lacks nothing, the log says so, with its type."""
        rig = Recording(OsFiles(), directory=f"{self.home}/data")
        with capturedLogs() as events:
            rig.start()
        said = [formatEvent(event) for event in events]
        self.assertEqual(len([text for text in said if "has all that the spool needs" in text]), 1, said)
        self.successResultOf(rig.recorder.stopService())
