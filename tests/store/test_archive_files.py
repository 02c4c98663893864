"""Renames without replacing, and an archive, on file systems that lack a call."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import DIRECTORY_SYNC, SYNC
from chatlog.store.archive_files import LINKS, ArchiveFiles
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import EXISTS, OBJECT, REFUSED, TRANSIENT, StoreError
from tests.odd_calls import MISSING, TROUBLE, OddCalls

KEY = "2025/12/29/twitch/ann/a.jsonl"
#: Everything that a mount may say of a hard link that it cannot make; Docker's shared folders say EIO.
NO_LINKS = (*MISSING, errno.EMLINK, errno.EXDEV, errno.EACCES, errno.EIO, errno.EBADF)


class SaysSo(OddCalls):
    """FUSE-T: link answers that it is done."""

    def link(self, old: str, new: str) -> None:
        pass


class Twice(OddCalls):
    """NFS: the answer was lost, the call was made again, and the answer of that came."""

    def link(self, old: str, new: str) -> None:
        super().link(old, new)
        super().link(old, new)


class TwoFiles(OddCalls):
    """FUSE without its inodes: two names of a file are two files to those who look."""

    def link(self, old: str, new: str) -> None:
        self.refuse("link", new)
        shutil.copy(old, new)


class ArchiveCase(SynchronousTestCase):
    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name

    def odd(self) -> Iterator[tuple[str, OddCalls, set[str]]]:
        """Mounts, and what they lack."""
        for link in NO_LINKS:
            for rename in (None, *MISSING, errno.EIO, errno.EACCES):
                refused = (
                    {"link": link} if rename is None else {"link": link, "rename_without_replacing": rename}
                )
                yield f"links {refused}", OddCalls(refused), {LINKS}
        yield "says so", SaysSo(), {LINKS}
        yield "says so, and EINVAL", SaysSo({"rename_without_replacing": errno.EINVAL}), {LINKS}
        yield "twice", Twice(), set()
        yield "two files", TwoFiles(), set()
        for code in MISSING:
            yield f"sync {code}", OddCalls({"fdatasync": code, "fsync": code}), {SYNC}
            yield (
                f"directory {code}",
                OddCalls({"fsync directory": code}, whole=False),
                {DIRECTORY_SYNC},
            )
        for code in (errno.EBADF, errno.EISDIR, errno.EACCES):
            yield f"open {code}", OddCalls({"open": code}, whole=False), {DIRECTORY_SYNC}
        everything = {"link": errno.ENOSYS, "rename_without_replacing": errno.ENOSYS, "O_EXCL": errno.EINVAL}
        everything |= {"fdatasync": errno.ENOSYS, "fsync": errno.ENOSYS, "fsync directory": errno.ENOTTY}
        yield "all at once", OddCalls(everything, whole=False), {LINKS, SYNC, DIRECTORY_SYNC}


class NameTests(ArchiveCase):
    """``rename_new``."""

    def test_trouble(self) -> None:
        """Trouble is raised, and nothing is there then; a failed rename too."""
        for number, code in enumerate(set(TROUBLE) - {errno.EIO}):
            old, new = f"{self.home}/{number}", f"{self.home}/{number} new"
            for refused in ({"link": code}, {"link": errno.ENOSYS, "rename_without_replacing": code}):
                with open(old, "wb"):
                    pass
                files = ArchiveFiles(OddCalls(refused))
                self.assertEqual(self.assertRaises(OSError, files.rename_new, old, new).errno, code)
                self.assertEqual((os.path.exists(old), os.path.exists(new)), (True, False))

    def test_links_that_worked_before(self) -> None:
        """A file system that could make links, and fails to make one, is in trouble."""
        calls = OddCalls()
        files = ArchiveFiles(calls)
        for number in (1, 2):
            with open(f"{self.home}/{number}", "wb"):
                pass
        files.rename_new(f"{self.home}/1", f"{self.home}/one")
        calls.refused = {"link": errno.EIO}
        error = self.assertRaises(OSError, files.rename_new, f"{self.home}/2", f"{self.home}/two")
        self.assertEqual(error.errno, errno.EIO)
        self.assertEqual(files.lacking, {})


class ArchiveTests(ArchiveCase):
    """``DirectoryStore``."""

    def test_every_lack(self) -> None:
        """Whatever a mount lacks: an object is stored, nothing is replaced, nothing else is left behind, and
        what is missing is said."""
        count = 0
        for name, calls, lacking in self.odd():
            count += 1
            root = f"{self.home}/{count}"
            files = ArchiveFiles(calls)
            store = DirectoryStore(root, files)
            said = store.prepare()
            self.assertEqual(set(files.lacking), lacking, name)
            self.assertEqual(os.listdir(root), [], name)
            store.put_new(KEY, b"data", {})
            with self.assertRaises(StoreError) as raised:
                store.put_new(KEY, b"other", {})
            self.assertEqual(raised.exception.kind, EXISTS, name)
            self.assertEqual(b"".join(store.read(KEY)), b"data", name)
            self.assertEqual(os.listdir(f"{root}/{os.path.dirname(KEY)}"), ["a.jsonl"], name)
            self.assertEqual(said.count(", so that"), len(lacking), said)
        self.assertGreater(count, 80)

    def test_unfit(self) -> None:
        """A file system that gives back something else is refused before anything is stored."""

        class Forgets(OddCalls):
            def link(self, old: str, new: str) -> None:
                super().link(old, new)
                os.truncate(new, 0)

        with self.assertRaises(StoreError) as raised:
            DirectoryStore(self.home, ArchiveFiles(Forgets())).prepare()
        error = raised.exception
        self.assertEqual((error.kind, error.of_all), (REFUSED, True))
        self.assertIn("what is read is not what was written", str(error))
        self.assertIn(self.home, str(error))
        self.assertIn("archive.directory", error.remedy)
        self.assertEqual(os.listdir(self.home), [])

    def test_may_not_be_written(self) -> None:
        """An archive that may not be written is refused at the start, with its name and a remedy; what may
        pass is tried again."""
        for code, kind in (
            (errno.EROFS, REFUSED),
            (errno.EXDEV, REFUSED),
            (errno.ENOSPC, TRANSIENT),
            (errno.EIO, TRANSIENT),
        ):
            with self.assertRaises(StoreError) as raised:
                DirectoryStore(self.home, ArchiveFiles(OddCalls({"O_EXCL": code}))).prepare()
            self.assertEqual(raised.exception.kind, kind)
            self.assertIn(self.home, str(raised.exception))
            self.assertEqual("archive.directory" in raised.exception.remedy, kind == REFUSED)

    def test_trouble_of_one_object(self) -> None:
        """A name that the file system does not take, or a file that is too large for it, is that object's
        trouble; the others go on."""
        for code in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EFBIG):

            class Calls(OddCalls):
                def open(self, path: str, flags: int, mode: int = 0o644) -> int:
                    if "bad" in path:
                        raise OSError(self.refused["bad"], os.strerror(self.refused["bad"]), path)
                    return super().open(path, flags, mode)

            store = DirectoryStore(f"{self.home}/{code}", ArchiveFiles(Calls({"bad": code})))
            with self.assertRaises(StoreError) as raised:
                store.put_new("a/bad", b"1", {})
            self.assertEqual(raised.exception.kind, OBJECT)
            store.put_new("a/good", b"1", {})

    def test_no_times(self) -> None:
        """If the file system keeps no times, no object is reported as stored in 1970."""
        store = DirectoryStore(self.home)
        store.put_new(KEY, b"1", {})
        os.utime(f"{self.home}/{KEY}", (0, 0))
        self.assertEqual([head.stored for head in store.list()], [None])
