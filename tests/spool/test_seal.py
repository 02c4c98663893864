"""A finished file moves to sealed/ once, whatever is there already and whatever the file system answers."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.spool.seal import seal
from tests.fakes import MemoryFiles

NAME, SECOND = "twitch_one_20251229_1030.jsonl", "twitch_one_20251229_1030n0002.jsonl"


def path(area: str, name: str = "") -> str:
    return f"/data/{area}/{name}" if name else f"/data/{area}"


class Repeating(MemoryFiles):
    """A file system like NFS: the answer to the first renaming is lost, and the second one says that there is
    no such file."""

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        raise FileNotFoundError(2, "No such file or directory", source)


class SealTests(SynchronousTestCase):
    def spool(self, files: MemoryFiles) -> MemoryFiles:
        for area in ("open", "sealed"):
            files.make_directories(path(area))
        files.put(path("open", NAME), b"one\n")
        return files

    def test_moved(self) -> None:
        """The file keeps its name and content, and is in one place."""
        files = self.spool(MemoryFiles())
        self.assertEqual(seal(files, path, NAME), NAME)
        self.assertEqual(files.content(path("sealed", NAME)), b"one\n")
        self.assertFalse(files.exists(path("open", NAME)))

    def test_there_already(self) -> None:
        """If an identical file is there, one of them stays, and there is no name to upload twice."""
        files = self.spool(MemoryFiles())
        files.put(path("sealed", NAME), b"one\n")
        self.assertEqual(seal(files, path, NAME), "")
        self.assertFalse(files.exists(path("open", NAME)))
        self.assertEqual(files.names(path("sealed")), [NAME])

    def test_taken_name(self) -> None:
        """If another file has the name, both are kept."""
        files = self.spool(MemoryFiles())
        files.put(path("sealed", NAME), b"other\n")
        self.assertEqual(seal(files, path, NAME), SECOND)
        self.assertEqual(files.content(path("sealed", NAME)), b"other\n")
        self.assertEqual(files.content(path("sealed", SECOND)), b"one\n")

    def test_an_answer_was_lost(self) -> None:
        """A file that was moved is moved, even if the file system denies that it was there."""
        files = self.spool(Repeating())
        self.assertEqual(seal(files, path, NAME), NAME)
        self.assertEqual(files.content(path("sealed", NAME)), b"one\n")

    def test_a_missing_file(self) -> None:
        """A file that is in neither place is an error, not a success."""
        files = self.spool(MemoryFiles())
        files.remove(path("open", NAME))
        self.assertRaises(FileNotFoundError, seal, files, path, NAME)
        self.assertEqual(files.names(path("sealed")), [])

    def test_a_missing_directory(self) -> None:
        """If somebody removed sealed/, it is made again and has the file."""
        root = self.mktemp()
        os.makedirs(os.path.join(root, "open"))
        with open(os.path.join(root, "open", NAME), "wb") as file:
            file.write(b"one\n")
        self.assertEqual(seal(OsFiles(), lambda *names: os.path.join(root, *names), NAME), NAME)
        with open(os.path.join(root, "sealed", NAME), "rb") as file:
            self.assertEqual(file.read(), b"one\n")
        self.assertEqual(os.listdir(os.path.join(root, "open")), [])
