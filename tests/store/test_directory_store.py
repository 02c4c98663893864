"""An archive in a directory."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.store.archive_files import ArchiveFiles
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import EXISTS, MISSING, REFUSED, TRANSIENT, StoreError
from tests.odd_calls import OddCalls

KEY = "2025/12/29/twitch/ann/a.jsonl"


class Mounted(ArchiveFiles):
    """A file system of which a test says where it is mounted, and what fstab has that is not."""

    where = "/mnt/disk"
    due = ""

    def place(self, directory: str) -> str:
        return self.where

    def unmounted(self, directory: str) -> str:
        return self.due


class DirectoryStoreTests(SynchronousTestCase):
    """Objects as files."""

    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.store = DirectoryStore(str(self.home / "archive"))

    def files(self) -> list[str]:
        """Every file in the archive."""
        return sorted(
            str(p.relative_to(self.home / "archive"))
            for p in (self.home / "archive").rglob("*")
            if p.is_file()
        )

    def kind(self, *call: object) -> str:
        """The kind of error that a call ends in."""
        function, *arguments = call
        assert callable(function)
        with self.assertRaises(StoreError) as caught:
            found = function(*arguments)
            list(found)
        return str(caught.exception.kind)

    def test_no_directory(self) -> None:
        """A link that leads nowhere (to an unmounted disk, for example) and a file are reported as such."""
        archive = self.home / "archive"
        for place, words in (("link", "a link that leads nowhere"), ("file", "no directory")):
            self.store.prepare()
            self.store.put_new(f"{place}/a", b"data", {})
            archive.rename(self.home / f"was {place}")
            if place == "link":
                archive.symlink_to(self.home / "disk")
            else:
                archive.write_bytes(b"")
            self.assertRaises(StoreError, self.store.put_new, "b/a", b"data", {})
            error = self.assertRaises(StoreError, self.store.prepare)
            self.assertEqual((error.kind, error.of_all), (REFUSED, True))
            self.assertIn(f"{archive} is {words}", str(error))
            archive.unlink()

    def test_round_trip(self) -> None:
        """A stored object can be inspected, listed, read and deleted; nothing else is left."""
        self.store.prepare()
        self.store.put_new(KEY, b"data", {})
        head = self.store.head(KEY)
        assert head is not None
        self.assertEqual((head.size, head.etag), (4, "8d777f385d3dfec8815d20f7496026dc"))
        self.assertEqual(b"".join(self.store.read(KEY)), b"data")
        self.assertEqual([(h.key, h.size) for h in self.store.list()], [(KEY, 4)])
        self.assertEqual(self.files(), [KEY])
        self.store.delete(KEY)
        self.store.delete(KEY)
        self.assertIsNone(self.store.head(KEY))
        self.assertEqual(self.kind(self.store.read, KEY), MISSING)

    def test_nothing_is_replaced(self) -> None:
        """A key that is taken stays as it is."""
        self.store.put_new(KEY, b"data", {})
        self.assertEqual(self.kind(self.store.put_new, KEY, b"other", {}), EXISTS)
        self.assertEqual(b"".join(self.store.read(KEY)), b"data")

    def test_half_a_write_is_no_object(self) -> None:
        """What a crash left of a write is neither listed nor in the way."""
        self.store.put_new(KEY, b"data", {})
        directory = self.home / "archive" / os.path.dirname(KEY)
        (directory / f".unfinished-{os.getpid()}-b.jsonl").write_bytes(b"ha")
        self.assertEqual([head.key for head in self.store.list()], [KEY])
        self.store.put_new(KEY.replace("a.jsonl", "b.jsonl"), b"half no more", {})
        self.assertEqual(len(self.files()), 2)

    def test_no_way_out(self) -> None:
        """No key leads out of the directory."""
        for key in ("../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a/./b", ".unfinished-1"):
            self.assertEqual(self.kind(self.store.put_new, key, b"x", {}), REFUSED, key)
            self.assertEqual(self.kind(self.store.head, key), REFUSED, key)
        self.assertEqual(list(self.home.rglob("x")), [])

    def test_keys_come_in_their_order(self) -> None:
        """A listing is in the order of the keys, and a prefix may end in the middle of a name."""
        keys = ["2025/a-b/x", "2025/a/x", "2025/a.x", "2026/a"]
        for key in keys:
            self.store.put_new(key, b"", {})
        self.assertEqual([head.key for head in self.store.list()], sorted(keys))
        self.assertEqual([head.key for head in self.store.list("2025/a-")], ["2025/a-b/x"])
        self.assertEqual([head.key for head in self.store.list("nothing/")], [])

    def test_a_place_that_cannot_be_written(self) -> None:
        """A file where the directory should be is a refusal that names it."""
        (self.home / "archive").write_bytes(b"")
        with self.assertRaises(StoreError) as caught:
            self.store.put_new(KEY, b"x", {})
        self.assertEqual(caught.exception.kind, REFUSED)
        self.assertIn("archive", str(caught.exception))

    def test_a_directory_that_vanished(self) -> None:
        """If the archive's directory was removed, it is created again."""
        self.store.put_new(KEY, b"1", {})
        os.rename(self.home / "archive", self.home / "elsewhere")
        with self.assertRaises(StoreError):
            self.store.put_new(KEY, b"2", {})
        self.store.put_new(KEY, b"2", {})
        self.assertEqual(self.files(), [KEY])

    def mounted(self) -> Mounted:
        """The file system of a new store."""
        files = Mounted()
        self.store = DirectoryStore(str(self.home / "archive"), files)
        return files

    def refusal(self, call: Callable[[], object]) -> StoreError:
        """What a call is refused with."""
        with self.assertRaises(StoreError) as caught:
            call()
        self.assertEqual((caught.exception.kind, caught.exception.of_all), (REFUSED, True))
        error: StoreError = caught.exception
        return error

    def test_directories_that_another_process_removed(self) -> None:
        """Other commands remove directories that are empty, months too: the next object makes them again at
        once."""
        self.store.put_new(KEY, b"x", {})
        self.store.put_new("manifest/x", b"x", {})
        shutil.rmtree(self.home / "archive" / "2025")
        self.store.put_new(KEY.replace("12/29", "11/01"), b"y", {})
        self.store.put_new(KEY, b"z", {})
        self.assertEqual(b"".join(self.store.read(KEY)), b"z")

    def test_a_disk_that_goes_away(self) -> None:
        """When the archive's file system is gone, nothing is written on the disk below it: it is said what to
        mount, and once it is mounted, all goes on."""
        files = self.mounted()
        self.store.prepare()
        os.rename(self.home / "archive", self.home / "disk")
        files.where = "/"
        for call in (lambda: self.store.put_new(KEY, b"1", {}), self.store.prepare):
            error = self.refusal(call)
            self.assertIn("was on the file system of /mnt/disk, and is on that of / now", str(error))
            self.assertIn("mount /mnt/disk again", error.remedy)
        self.assertFalse((self.home / "archive").exists())
        os.rename(self.home / "disk", self.home / "archive")
        files.where = "/mnt/disk"
        self.store.prepare()
        self.store.put_new(KEY, b"1", {})
        self.assertEqual(self.files(), [KEY])

    def test_a_disk_that_comes_late(self) -> None:
        """A file system that is mounted before anything is stored is the archive's. After that, it would hide
        what is stored, and it is said what to do."""
        files = self.mounted()
        files.where = "/"
        self.store.prepare()
        files.where = "/mnt"
        self.store.put_new(KEY, b"1", {})
        files.where = "/mnt/disk"
        error = self.refusal(lambda: self.store.put_new(KEY.replace("a.jsonl", "b.jsonl"), b"2", {}))
        self.assertIn("/mnt/disk was mounted over", str(error))
        self.assertIn("restart chatlog", error.remedy)
        self.assertEqual(self.files(), [KEY])

    def test_a_disk_that_is_due(self) -> None:
        """A file system that the system should have mounted is waited for, by those who read as well: without
        it an archive looks empty."""
        files = self.mounted()
        files.due = "/mnt/disk"
        for call in (
            self.store.prepare,
            lambda: self.store.put_new(KEY, b"1", {}),
            lambda: list(self.store.list()),
            lambda: list(self.store.folders()),
        ):
            error = self.refusal(call)
            self.assertIn("/mnt/disk, to which", str(error))
            self.assertEqual(error.remedy, "mount it (mount /mnt/disk)")
        files.due = ""
        self.store.put_new(KEY, b"1", {})

    def test_no_hard_links(self) -> None:
        """Where the file system has no hard links, objects are stored all the same, and nothing that came
        there in the meantime is replaced."""
        meanwhile: list[Path] = []

        class Calls(OddCalls):
            def link(self, old: str, new: str) -> None:
                for path in meanwhile:
                    path.write_bytes(b"foreign")
                super().link(old, new)

        calls = Calls({"link": errno.EPERM, "rename_without_replacing": errno.EINVAL})
        self.store = DirectoryStore(str(self.home / "archive"), ArchiveFiles(calls))
        self.store.put_new(KEY, b"1", {})
        self.assertEqual(self.files(), [KEY])
        other = KEY.replace("a.jsonl", "b.jsonl")
        meanwhile.append(self.home / "archive" / other)
        self.assertEqual(self.kind(self.store.put_new, other, b"2", {}), EXISTS)
        self.assertEqual((self.home / "archive" / other).read_bytes(), b"foreign")
        self.assertEqual(self.files(), [KEY, other])

    def test_full_disk(self) -> None:
        """A write that does not end well leaves nothing behind, and is tried again: the disk may have room
        then."""

        calls = OddCalls({"link": errno.ENOSPC})
        store = DirectoryStore(str(self.home / "archive"), ArchiveFiles(calls))
        self.assertEqual(self.kind(store.put_new, KEY, b"1", {}), TRANSIENT)
        self.assertEqual((self.files(), store.head(KEY)), ([], None))
        self.store.put_new(KEY, b"1", {})
        self.assertEqual(self.files(), [KEY])

    def test_links_lead_nowhere(self) -> None:
        """A link is not followed into other directories when the archive is listed, and one that stands in
        the place of an object is not written through."""
        outside = self.home / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"x")
        self.store.put_new(KEY, b"1", {})
        (self.home / "archive" / "linked").symlink_to(outside)
        (self.home / "archive" / "alone").symlink_to(outside / "new")
        self.assertEqual([head.key for head in self.store.list()], [KEY])
        self.assertEqual(self.kind(self.store.put_new, "alone", b"2", {}), EXISTS)
        self.assertFalse((outside / "new").exists())
