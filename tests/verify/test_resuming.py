"""A verification that was interrupted goes on, and one in the same file of something else does not."""

from __future__ import annotations

import os

from chatlog.store.directory_store import DirectoryStore
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.resuming import NotAFile, Resuming
from chatlog.verify.scope import Scope
from chatlog.verify.verify import Verification
from tests.verify.test_verify import Told, VerifyCase


class Interrupted(Exception):
    pass


class Counted(Told):
    """Interrupts the verification after so many pieces."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self._pieces = pieces

    def reading(self, size: int) -> None:
        super().reading(size)
        self._pieces -= 1
        if self._pieces < 0:
            raise Interrupted


class ResumingTests(VerifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.archive.fill(4, missing=60.0)
        self.file = self.mktemp()

    def verify(self, reads: int = 1 << 30, finished: bool = True) -> tuple[Told, object]:
        """What is found, with only so many pieces read before it is interrupted."""
        told = Counted(reads)
        index = ArchiveIndex()
        self.addCleanup(index.close)
        resuming = Resuming(self.file)
        store = DirectoryStore(self.archive.root)
        run = Verification(store, Scope(at_once=1), index, told, self.now, print, resuming)
        try:
            run.run()
        finally:
            resuming.close(finished)
        return told, (run.totals, list(index.rooms()), dict(index.reasons()))

    def test_goes_on(self) -> None:
        """What was read before it was interrupted is not read again, and the result is the same."""
        _, whole = self.verify()
        self.assertFalse(os.path.exists(self.file))
        self.assertRaises(Interrupted, self.verify, 5, False)
        self.assertTrue(os.path.exists(self.file))
        told, found = self.verify()
        self.assertEqual(found, whole)
        self.assertLess(told.read, sum(row.bytes for row in self.archive.objects))
        self.assertFalse(os.path.exists(self.file))

    def test_problems_are_kept(self) -> None:
        """Problems that were found before are told again."""
        row = self.archive.objects[0]
        data = bytearray(self.archive.read(row.key))
        data[-1] ^= 1
        self.archive.put(row.key, bytes(data))
        first, _ = self.verify(finished=False)
        again, _ = self.verify()
        self.assertEqual(first.problems, again.problems)
        self.assertEqual({problem.key for problem in again.problems}, {row.key})
        self.assertEqual(again.read, 0)

    def test_what_changed_is_read(self) -> None:
        """An object that came, went or has another size since is read with those of its room and day; what
        could not be read is tried again."""
        self.verify(finished=False)
        row = self.archive.objects[0]
        self.archive.put(row.key, self.archive.read(row.key) + b"x")
        told, _ = self.verify(finished=False)
        self.assertEqual({problem.key for problem in told.problems}, {row.key})
        self.assertGreater(told.read, 0)

    def test_other_file(self) -> None:
        """A file of something else is refused and stays as it is."""
        with open(self.file, "wb") as file:
            file.write(b"mine" * 1000)
        error = self.assertRaises(NotAFile, Resuming, self.file)
        self.assertIn(self.file, str(error))
        with open(self.file, "rb") as file:
            self.assertEqual(file.read(), b"mine" * 1000)
        self.assertRaises(NotAFile, Resuming, os.path.join(self.mktemp(), "nowhere", "x"))
