"""Days become Parquet: complete, again where they changed, and whatever kills it."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.parquet_sources import key_of
from chatlog.cli import commands
from chatlog.parquet import duck
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.compact import Compactor, Outcome
from chatlog.upkeep.compact_check import Checker
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.workplace import workplace
from tests.archive.world import ROOM, World, gap, said
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_expire import Cutting, Killed

DAY = 86400.0
KEY = key_of(ROOM, date(2025, 12, 29))


class CompactCase(SynchronousTestCase):
    """A room with two instances and a hole that both have, on 2025-12-29."""

    def setUp(self) -> None:
        self.home = self.mktemp()
        self.world = World(self.home)
        chat = [said(MIDNIGHT + n, f"hello {n}", f"user{n % 5}", f"id-{n}") for n in range(60)]
        hole = gap(MIDNIGHT + 60, MIDNIGHT + 200)
        self.world.put(MIDNIGHT, [*chat, hole], instance="one")
        self.world.put(MIDNIGHT, [*chat[:30], gap(MIDNIGHT + 31, MIDNIGHT + 100)], instance="two")
        self.world.put(MIDNIGHT + DAY, [said(MIDNIGHT + DAY + 5, "another day", id="other")], instance="one")

    def compact(self, store: Any = None) -> Outcome:
        if store is not None:
            self.world.store = store
        archive = self.world.opened()
        self.world.store = DirectoryStore(self.world.archive)
        compactor = Compactor(archive, lambda: self.world.now)
        days = list(compactor.days(None, None))
        with ArchiveLock(archive.store, "compact", lambda: self.world.now, renewing=False) as lock:
            return compactor.run(days, None, lock)

    def check(self) -> Outcome:
        archive = self.world.opened()
        days = Compactor(archive, lambda: self.world.now).days(None, None)
        return Checker(archive).run(list(days), None)

    def path(self, key: str = KEY) -> Path:
        return Path(self.world.archive, *key.split("/"))

    def rows(self, question: str) -> list[Any]:
        connection = duck.connect(256_000_000, Path(self.home))
        try:
            found: list[Any] = connection.execute(f"SELECT {question} FROM '{self.path()}'").fetchall()
            return found
        finally:
            connection.close()


class CompactTests(CompactCase):
    def test_day(self) -> None:
        """A day is one file: what two instances recorded is in it once, and all their gaps."""
        outcome = self.compact()
        self.assertEqual((outcome.made, outcome.records, outcome.left), (2, 63, []))
        self.assertEqual(self.rows("count(*), count(DISTINCT id_text)"), [(62, 61)])
        self.assertEqual(
            self.rows("count(*) FILTER (type = 'gap'), max(gap_reason)"), [(2, "connection lost")]
        )

    def test_metadata(self) -> None:
        """The file says what it was made of, what each instance missed, and what nobody recorded."""
        self.compact()
        connection = duck.connect(256_000_000, Path(self.home))
        self.addCleanup(connection.close)
        known = duck.metadata(self.path(), connection)
        self.assertEqual(
            known["chatlog.gaps"],
            # After its own gap the second one has nothing, so it fills nothing of that of the first.
            [
                ["2025-12-29T00:01:00.000Z", "2025-12-29T00:01:40.000Z", "connection lost"],
                ["2025-12-29T00:01:40.000Z", "2025-12-29T00:03:20.000Z", "connection lost"],
            ],
        )
        self.assertEqual(sorted(known["chatlog.instances"]), ["one", "two"])
        self.assertEqual(known["chatlog.records"], 62)
        self.assertEqual(len(known["chatlog.sources"]), 3)

    def test_check(self) -> None:
        """Checking finds every record, and a file that is not what the objects say."""
        self.compact()
        self.assertEqual((self.check().checked, self.check().wrong, self.check().records), (2, [], 63))
        other = self.path(key_of(ROOM, date(2025, 12, 30)))
        other.write_bytes(self.path().read_bytes())
        ((name, why),) = self.check().wrong
        self.assertEqual(name, "twitch/a 2025-12-30")
        self.assertIn("its record 1 is not that of the objects", why)

    def test_damaged_parquet(self) -> None:
        """A file of Parquet that is cut off, empty or something else is named by the check, and made again by
        the next run."""
        self.compact()
        whole = self.path().read_bytes()
        for broken in (whole[:-40], b"", b"no Parquet at all", whole[:300] + b"\0" * 20 + whole[320:]):
            self.path().write_bytes(broken)
            ((name, _),) = self.check().wrong
            self.assertEqual(name, "twitch/a 2025-12-29")
            self.assertEqual(self.compact().made, 1)
            self.assertEqual(self.path().read_bytes(), whole)

    def test_fresh(self) -> None:
        """A second run makes nothing; a late object makes its day again, and the next one, into which it may
        reach."""
        self.compact()
        again = self.compact()
        self.assertEqual((again.made, again.fresh), (0, 2))
        self.world.put(MIDNIGHT + HOUR, [said(MIDNIGHT + HOUR, "late", id="late")], instance="two")
        late = self.compact()
        self.assertEqual((late.made, late.fresh, late.records), (2, 0, 64))
        self.assertEqual(self.rows("count(*) FILTER (message = 'late')"), [(1,)])

    def test_gone(self) -> None:
        """What is not in the archive any more is not in Parquet either after the next run."""
        self.compact()
        for path in Path(self.world.archive).glob("2025/12/29/**/*.jsonl*"):
            path.unlink()
        outcome = self.compact()
        self.assertEqual(outcome.removed, 1)
        self.assertFalse(self.path().exists())

    def test_today(self) -> None:
        """A day that is not over for a day is left alone."""
        self.world.now = MIDNIGHT + DAY + 3 * HOUR
        self.assertEqual(self.compact().made, 0)

    def test_damage(self) -> None:
        """A day with a file that cannot be read is left out and named: Parquet that lacks records would
        hide it."""
        (broken, *_) = sorted(Path(self.world.archive).glob("2025/12/29/**/*one*"))
        broken.write_bytes(broken.read_bytes()[:20] + b"\0" * 30)
        outcome = self.compact()
        self.assertIn("cannot be read", dict(outcome.left)["twitch/a 2025-12-29"])
        self.assertFalse(self.path().exists())

    def test_spool(self) -> None:
        """A day of which a recorder beside it still has a file waits."""
        self.world.spooled("sealed", MIDNIGHT + 5 * HOUR, [said(MIDNIGHT + 5 * HOUR, "not stored yet")])
        outcome = self.compact()
        self.assertIn("not stored yet", dict(outcome.left)["twitch/a 2025-12-29"])

    def test_copied(self) -> None:
        """An archive that was copied, so that its files have other times, is not compacted again; and if it
        were, the bytes would be the same."""
        self.compact()
        before = self.path().read_bytes()
        for path in Path(self.world.archive).glob("**/*.*"):
            os.utime(path, (1, 1))
        copied = self.compact()
        self.assertEqual((copied.made, copied.fresh), (0, 2))
        self.path().unlink()
        self.assertEqual(self.compact().made, 1)
        self.assertEqual(self.path().read_bytes(), before)

    def test_bundled(self) -> None:
        """A month whose objects went into a bundle is not compacted again, and its Parquet is as it was."""
        archive = Archive(self.mktemp())
        archive.fill()
        self.world.archive = archive.root
        store = self.world.store = DirectoryStore(archive.root)
        self.assertEqual(self.compact().made, 2)
        with ArchiveLock(store, "bundle", lambda: self.world.now, renewing=False) as lock:
            bundler = Bundler(store, Ledger(store, BUNDLE, ".zst", None, lambda: self.world.now), lock)
            bundler.run("2025-12", [])
        self.assertEqual(bundler.outcome.objects, 6)
        bundled = self.compact()
        self.assertEqual((bundled.made, bundled.fresh), (0, 2))
        self.assertEqual((self.check().checked, self.check().wrong), (2, []))

    def test_not_what_was_recorded(self) -> None:
        """A day with an object whose bytes are not those that its manifest names is left out and named."""
        archive = Archive(self.mktemp())
        day = MIDNIGHT - DAY
        row = archive.store(day, "a", archive.messages("a", day))
        archive.manifest(day, day + HOUR, [row])
        archive.put(row.key, archive.packed(b"".join(archive.messages("a", day))))
        self.world.archive = archive.root
        outcome = self.compact(DirectoryStore(archive.root))
        ((name, why),) = outcome.left
        self.assertEqual(name, "twitch/a 2025-12-28")
        self.assertIn("is not what was recorded; chatlog verify says more", why)

    def test_killed_anywhere(self) -> None:
        """Killed at any request that changes something, before or after it was carried out: the next run
        makes the same files."""
        whole = Cutting(DirectoryStore(self.world.archive))
        self.compact(whole)
        expected = {path: path.read_bytes() for path in Path(self.world.archive).glob("parquet/**/*.parquet")}
        changes = [n for n, (call, _) in enumerate(whole.calls, 1) if call in ("put", "delete")]
        self.assertEqual((len(expected), len(changes)), (2, 10))
        for nth, after in product(changes, (False, True)):
            shutil.rmtree(os.path.join(self.world.archive, "parquet"))
            self.assertRaises(Killed, self.compact, Cutting(DirectoryStore(self.world.archive), nth, after))
            shutil.rmtree(os.path.join(self.world.archive, "upkeep"), ignore_errors=True)
            self.compact()
            self.assertEqual({path: path.read_bytes() for path in expected}, expected)
        self.assertEqual(self.compact().fresh, 2)


class CompactCommandTests(CompactCase):
    def call(self, *arguments: str) -> Result:
        result = CliRunner().invoke(commands, ["compact", "--archive", self.world.archive, *arguments])
        if result.exception is not None:
            self.assertIsInstance(result.exception, SystemExit, result.output)
        return result

    def test_command(self) -> None:
        """Made, then fresh, then checked, each in a line."""
        self.assertIn("2 files made of 63 records", self.call().output)
        self.assertIn("2 had not changed", self.call().output)
        checked = self.call("--check", "--room", "a", "--since", "2025-12-30")
        self.assertEqual(
            (checked.exit_code, checked.output), (0, "1 file compared with the objects: 1 record\n")
        )

    def test_refused(self) -> None:
        """A memory that is no size, a day that is none, and a room that is not there: a sentence says so."""
        for arguments, told in (
            (("--memory", "much"), "--memory"),
            (("--memory", "64MB"), "Python and DuckDB need 160 MB or more (--memory)"),
            (("--since", "someday"), "--since"),
            (("--room", "nobody"), "there is no room twitch/nobody"),
        ):
            result = self.call(*arguments)
            self.assertEqual(result.exit_code, 2)
            self.assertIn(told, result.output)

    def test_left_behind(self) -> None:
        """What a killed run left in the directory for temporary files is removed by the next one; what
        another run uses, or another program, stays."""
        with workplace() as used:
            left, foreign = (
                used.parent / "chatlog-compact-left",
                used.parent / f"chatlog-compact-{os.getpid()}",
            )
            for directory in (left, foreign):
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                self.addCleanup(shutil.rmtree, directory, True)
            (left / "lock").touch()
            (left / "day.jsonl").write_text("chat")
            self.call()
            self.assertEqual([used.exists(), left.exists(), foreign.exists()], [True, False, True])
        self.assertFalse(used.exists())

    def test_busy(self) -> None:
        """While another process works on the archive, it says so and changes nothing."""
        store = DirectoryStore(self.world.archive)
        with ArchiveLock(store, "chatlog erase", time.time, renewing=False):
            result = self.call()
        self.assertEqual(result.exit_code, 2)
        self.assertIn("chatlog erase", result.output)
        self.assertFalse(os.path.exists(self.path()))
