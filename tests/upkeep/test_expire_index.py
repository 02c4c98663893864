"""The index of what has expired: whoever dies while deleting leaves one that misleads nobody."""

from __future__ import annotations

import contextlib
import shutil
from datetime import date, timedelta

from chatlog.archive.matching import Filter
from chatlog.archive.opening import Archive, open_archive
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.retention import Retention
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.index.sets import ABOVE
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.indexing import Indexer, renew
from chatlog.upkeep.lock import STALE_AFTER, ArchiveLock
from tests.upkeep.test_expire import DAY, A, B, Cutting, ExpiryCase, Killed


class ExpiredIndexTests(ExpiryCase):
    """Two rooms with an index, of which one is kept for a shorter time."""

    days = 5

    def setUp(self) -> None:
        super().setUp()
        self.retention = Retention([("twitch/a", 2 * DAY)])
        archive = self.opened()
        first = date(2025, 12, 29)
        with ArchiveLock(archive.store, "index", lambda: self.now, renewing=False) as lock:
            Indexer(archive, lambda: self.now).run([first + timedelta(days=n) for n in range(4)], None, lock)
        self.assertTrue(list(archive.store.list(ABOVE)))

    def opened(self) -> Archive:
        settings = Settings(archive=ArchiveSettings(directory=self.archive.root))
        return open_archive(settings, lambda: self.now, spool=False)

    def both_ways(self) -> tuple[int, int]:
        """Ask with the index and without; how much is found, and how many bytes less are read with it."""
        found = less = 0
        archive = self.opened()
        plain = Reader(archive.parts, lambda: self.now)
        for room in (A, B):
            for wanted in (Filter(users=("ann",)), Filter(users=("nobody",)), Filter(text="héllo")):
                answers = [reader.ask(Question(room, filter=wanted)) for reader in (archive.reader, plain)]
                one, other = map(list, answers)
                self.assertEqual(one, other)
                ours, theirs = (answer.report for answer in answers)
                self.assertEqual((ours.gaps, ours.unread), (theirs.gaps, theirs.unread))
                found += len(one)
                less += theirs.bytes - ours.bytes
        return found, less

    def test_killed_while_deleting(self) -> None:
        """At whatever change the process dies, what is asked with the index is what is asked without it; and
        the index is still of use."""
        whole = self.both_ways()
        kept = self.archive.root + ".kept"
        shutil.copytree(self.archive.root, kept)
        for nth in range(1, 1000, 11):
            shutil.rmtree(self.archive.root)
            shutil.copytree(kept, self.archive.root)
            store = Cutting(DirectoryStore(self.archive.root), nth, after=True)
            with contextlib.suppress(Killed):
                self.expire(store)
            self.now += STALE_AFTER + 1
            found, less = self.both_ways()
            self.assertLessEqual(found, whole[0])
            self.assertGreater(less, 0)
            if len(store.calls) < nth:
                break
        self.assertLess(found, whole[0])
        archive = self.opened()
        with ArchiveLock(archive.store, "expire", lambda: self.now, renewing=False) as lock:
            outcome = self.expiry().run(self.ledger(), lock)
            self.assertEqual(renew(archive, outcome.room_days, lock, lambda: self.now), [])
        self.assertEqual(outcome.objects, 0)
