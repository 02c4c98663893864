"""verify looks at Parquet: at its bytes, at what it was made of, and whether that was erased."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from chatlog.archive.parquet_sources import key_of, notes_key
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.compact import Compactor
from chatlog.upkeep.lock import ArchiveLock
from chatlog.uploader.manifest_rows import ReplacedRow
from tests.archive.world import World
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.verify.test_verify import VerifyCase

DAY = 86400.0
TIME = "2025-12-29T01:30:00.000Z"
KEY = key_of(("twitch", "a"), date(2025, 12, 29))


class ParquetTests(VerifyCase):
    """An archive of two rooms and one day, with Parquet."""

    def setUp(self) -> None:
        super().setUp()
        self.archive = Archive(self.mktemp())
        row = self.archive.store(MIDNIGHT, "a", self.archive.messages("a", MIDNIGHT))
        other = self.archive.store(MIDNIGHT, "b", self.archive.messages("b", MIDNIGHT))
        self.rows = [row, other]
        self.archive.manifest(MIDNIGHT, MIDNIGHT + HOUR, self.rows)
        self.now = MIDNIGHT + 9 * DAY
        self.compact()
        self.path = Path(self.archive.path(KEY))

    def compact(self) -> None:
        world = World(self.mktemp(), self.now)
        world.archive, world.store = self.archive.root, DirectoryStore(self.archive.root)
        opened = world.opened()
        compactor = Compactor(opened, lambda: self.now)
        with ArchiveLock(opened.store, "compact", lambda: self.now, renewing=False) as lock:
            compactor.run(list(compactor.days(None, None)), None, lock)

    def test_fine(self) -> None:
        """Parquet that is what was made, of what is there, is no problem and nothing to say."""
        for scope in ({}, {"read": False}, {"rooms": frozenset({("twitch", "a")})}):
            self.assertEqual((self.look(**scope), self.notes), ([], []))

    def test_damaged(self) -> None:
        """Parquet with other bytes, or cut off, is named; without reading, that with another size is."""
        whole = self.path.read_bytes()
        for data, read, told in (
            (whole[:300] + b"\0" * 20 + whole[320:], True, "not those that were stored"),
            (whole[:-40], True, "were stored"),
            (whole[:-40], False, "were stored"),
        ):
            self.path.write_bytes(data)
            found = self.look(read=read)
            (problem,) = found
            self.assertEqual((problem.kind, problem.key), ("altered-object", KEY))
            self.assertIn(told, problem.what)
            self.assertIn("chatlog compact makes it again", problem.what)

    def test_stale(self) -> None:
        """Parquet without what came later is no problem: a line says that it will be made again."""
        self.rows.append(self.archive.store(MIDNIGHT + HOUR, "a", self.archive.messages("a", MIDNIGHT)))
        self.archive.manifest(MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, self.rows[-1:])
        found = self.look()
        self.assertEqual(found, [])
        self.assertIn("1 file of Parquet does not have", self.notes[0])
        self.compact()
        found = self.look()
        self.assertEqual((found, self.notes), ([], []))

    def test_not_written_down(self) -> None:
        """Parquet of which nobody wrote down what it was made of is made again; it is no problem."""
        Path(self.archive.path(notes_key(date(2025, 12, 29)))).unlink()
        found = self.look()
        self.assertEqual(found, [])
        self.assertIn("2 files of Parquet", self.notes[0])
        self.path.write_bytes(b"no Parquet at all")
        found = self.look()
        self.assertEqual([(problem.kind, problem.key) for problem in found], [("altered-object", KEY)])

    def test_erased(self) -> None:
        """Parquet that was made of an object from which somebody was erased since is a problem."""
        old = self.rows[0]
        lines = self.archive.messages("a", MIDNIGHT, 5)
        new = self.archive.store(MIDNIGHT, "a", lines, n=2)
        replaced = ReplacedRow(
            old.key, old.sha256, old.lines, new.key, new.bytes, new.sha256, new.lines, 15, 0, "e-1", TIME
        )
        self.archive.manifest(MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, [new], more=[replaced])
        Path(self.archive.path(old.key)).unlink()
        self.assertEqual(self.erased(), [KEY])
        self.compact()
        self.assertEqual(self.erased(), [])

    def erased(self) -> list[str]:
        return [problem.key for problem in self.look(read=False) if problem.kind == "not-erased"]
