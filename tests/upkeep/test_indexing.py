"""The index of people and words: whole, small, again where files changed, and whatever kills it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.matching import Filter
from chatlog.archive.question import Question
from chatlog.parquet import duck
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.compact import Compactor
from chatlog.upkeep.derived import RoomDay
from chatlog.upkeep.indexing import SETTLED, Indexed, Indexer, renew
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from tests.archive.world import ROOM, World, gap, said
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.upkeep.test_expire import Cutting, Killed

DAY = 86400.0
OTHER = ("kick", "b")
#: While 2025-12 is not over, and when it is.
EARLY, LATER = MIDNIGHT + 2.5 * DAY, MIDNIGHT + 40 * DAY


class IndexCase(SynchronousTestCase):
    """Two rooms, with two instances, on 2025-12-29 and the day after."""

    def setUp(self) -> None:
        self.world = World(self.mktemp(), LATER)
        self.world.with_index = True
        for day in (0, 1):
            at = MIDNIGHT + day * DAY
            chat = [said(at + n, f"hello word{n}", f"user{n % 3}", f"{day}-{n}") for n in range(6)]
            self.world.put(at, [*chat, gap(at + 60, at + 200)], instance="one")
            self.world.put(at + HOUR, chat[3:], instance="two")
            self.world.put(at, [said(at + 1, f"only day {day}", f"ann{day}")], room=OTHER)

    def index(self, store: Any = None, rooms: Any = None, settled: float = DAY) -> Indexed:
        if store is not None:
            self.world.store = store
        archive = self.world.opened()
        self.world.store = DirectoryStore(self.world.archive)
        days = list(Compactor(archive, lambda: self.world.now).days(None, None, settled))
        with ArchiveLock(archive.store, "index", lambda: self.world.now, renewing=False) as lock:
            return Indexer(archive, lambda: self.world.now).run(days, rooms, lock)

    def objects(self) -> dict[str, bytes]:
        above = Path(self.world.archive, "index")
        return {str(path.relative_to(above)): path.read_bytes() for path in sorted(above.glob("**/*.*"))}

    def rows(self, key: str, question: str) -> list[Any]:
        connection = duck.connect(174_000_000, Path(self.world.archive))
        try:
            path = Path(self.world.archive, "index", key)
            found: list[Any] = connection.execute(f"SELECT {question} FROM '{path}'").fetchall()
            return found
        finally:
            connection.close()

    def read(self, wanted: Filter, room: tuple[str, str] = ROOM) -> tuple[int, int]:
        """How many records a filter finds, and in how many files it looks for them."""
        answer = self.world.reader().ask(Question(room, filter=wanted))
        return len(list(answer)), answer.report.files


class IndexingTests(IndexCase):
    def test_month(self) -> None:
        """What is over is in four objects a month: people, names, words, and the files it was made of."""
        indexed = self.index()
        self.assertEqual(indexed.days, 4)
        self.assertEqual(
            sorted(self.objects()),
            [f"{kind}/2025-12.parquet" for kind in ("days", "names", "users", "words")],
        )
        both = 1 << 29 | 1 << 30
        self.assertEqual(
            self.rows("users/2025-12.parquet", "user_id, username, platform, channel, days"),
            [
                ("a1", "ann0", "kick", "b", 1 << 29),
                ("a1", "ann1", "kick", "b", 1 << 30),
                *(("u1", f"user{n}", "twitch", "a", both) for n in range(3)),
            ],
        )
        self.assertEqual(
            self.rows("words/2025-12.parquet", "word, units"),
            [
                ("0", [29]),
                ("1", [30]),
                ("day", [29, 30]),
                ("hello", [32 + 29, 32 + 30]),
                ("only", [29, 30]),
                *((f"word{n}", [32 + 29, 32 + 30]) for n in range(6)),
            ],
        )

    def test_days(self) -> None:
        """Each day of a month that is not over has its own; then they become one, with the bytes that it
        would have if it had been made at once."""
        self.world.now = EARLY
        self.index()
        self.assertEqual({name.split("/")[1] for name in self.objects()}, {"2025-12-29.parquet"})
        self.world.now = EARLY + DAY
        self.assertEqual(self.index().days, 2)
        self.assertEqual(len(self.objects()), 8)
        self.world.now = LATER
        self.assertEqual(self.index().days, 0)
        merged = self.objects()
        self.assertEqual(len(merged), 4)
        shutil.rmtree(os.path.join(self.world.archive, "index"))
        self.index()
        self.assertEqual(self.objects(), merged)

    def test_many_days(self) -> None:
        """A month that is not over has no more than a few sets of days: they become one, and that grows."""
        for day in range(2, 10):
            self.world.put(MIDNIGHT - day * DAY, [said(MIDNIGHT - day * DAY, f"day{day}", "eve")])
        self.world.now = EARLY - DAY
        self.index()
        self.assertEqual({name.split("/")[1] for name in self.objects()}, {"2025-12.parquet"})
        self.world.now = EARLY
        self.assertEqual(self.index().days, 2)
        self.assertEqual(
            {name.split("/")[1] for name in self.objects()}, {"2025-12.parquet", "2025-12-29.parquet"}
        )
        # The two files of the last day are in no index yet.
        self.assertEqual(self.read(Filter(text="day9")), (1, 3))
        self.assertEqual(self.read(Filter(text="word1"))[0], 2)

    def test_yesterday(self) -> None:
        """A day is indexed two hours after its end. A file that comes later is found, and the only one that
        is read, until the next run."""
        self.world.now = MIDNIGHT + DAY + 2 * HOUR - 1
        self.assertEqual(self.index(settled=SETTLED).days, 0)
        self.world.now += 1
        self.assertEqual(self.index(settled=SETTLED).days, 2)
        self.world.with_index = True
        late = MIDNIGHT + 5 * HOUR
        self.world.put(late, [said(late, "late word9", "eve")], instance="one")
        question = Question(ROOM, MIDNIGHT, MIDNIGHT + 20 * HOUR, Filter(text="word9"))
        answer = self.world.reader().ask(question)
        self.assertEqual((len(list(answer)), answer.report.files), (1, 1))
        self.assertEqual(self.index(settled=SETTLED).days, 1)
        self.assertEqual(len(list(self.world.reader().ask(question))), 1)

    def test_requests(self) -> None:
        """The requests of a run that has nothing to do do not grow with the rooms."""
        counts = []
        for more in (0, 10):
            for n in range(more):
                self.world.put(MIDNIGHT, [said(MIDNIGHT, f"hello {n}")], room=("twitch", f"r{n}"))
            self.index()
            counted = Cutting(DirectoryStore(self.world.archive))
            self.assertEqual(self.index(counted).days, 0)
            counts.append(len(counted.calls))
        self.assertEqual(counts[0], counts[1])

    def test_fresh(self) -> None:
        """A second run reads nothing and writes nothing, and neither does one after bundling or copying."""
        self.index()
        before = self.objects()
        for path in Path(self.world.archive).glob("2025/**/*.*"):
            os.utime(path, (1, 1))
        again = self.index()
        self.assertEqual((again.days, again.stored, self.objects()), (0, 0, before))

    def test_changed(self) -> None:
        """A late file makes its room's day again, and what is gone is in no index any more."""
        self.index()
        self.world.put(MIDNIGHT + 2 * HOUR, [said(MIDNIGHT + 2 * HOUR, "belated", "eve")], instance="two")
        self.assertEqual(self.index().days, 1)
        self.assertIn(("belated", [32 + 29]), self.rows("words/2025-12.parquet", "word, units"))
        for path in Path(self.world.archive).glob("2025/12/29/twitch/**/*.jsonl*"):
            path.unlink()
        self.assertEqual(self.index().days, 0)
        self.assertEqual(self.rows("words/2025-12.parquet", "units")[-1], ([32 + 30],))
        self.assertNotIn(b"belated", b"".join(self.objects().values()))
        for path in Path(self.world.archive).glob("2025/**/*.jsonl*"):
            path.unlink()
        self.index()
        self.assertEqual(self.objects(), {})

    def test_only_a_room(self) -> None:
        """With a room, only that room is made, and the others stay as they are."""
        self.assertEqual(self.index(rooms={OTHER}).days, 2)
        self.assertEqual(self.index(rooms={ROOM}).days, 2)
        self.assertEqual(self.index().days, 0)

    def test_damaged_index(self) -> None:
        """An index that is damaged, cut off or half there is made again, with the same bytes."""
        self.index()
        whole = self.objects()
        path = Path(self.world.archive, "index", "days", "2025-12.parquet")
        path.write_bytes(path.read_bytes()[:-30])
        self.index()
        self.assertEqual(self.objects(), whole)
        Path(self.world.archive, "index", "words", "2025-12.parquet").unlink()
        self.index()
        self.assertEqual(self.objects(), whole)

    def test_damaged_words(self) -> None:
        """Words that cannot be read are noticed when they are needed, and then the month is read again."""
        self.index()
        path = Path(self.world.archive, "index", "words", "2025-12.parquet")
        data = path.read_bytes()
        path.write_bytes(data[:4] + b"\xff" * 60 + data[64:])
        self.world.put(MIDNIGHT + 2 * HOUR, [said(MIDNIGHT + 2 * HOUR, "belated", "eve")], instance="two")
        self.index()
        self.assertIn(("belated", [32 + 29]), self.rows("words/2025-12.parquet", "word, units"))
        self.assertEqual(len(self.rows("words/2025-12.parquet", "word")), 12)

    def test_damaged_file(self) -> None:
        """A file that is damaged is not covered, and not read again and again."""
        (broken,) = Path(self.world.archive).glob("2025/12/29/twitch/**/*one*")
        broken.write_bytes(broken.read_bytes()[:20] + b"\0" * 30)
        self.index()
        self.assertEqual(self.index().days, 0)
        answer = self.world.reader().ask(Question(ROOM, filter=Filter(text="nobody said it")))
        self.assertEqual((list(answer), [unread.is_damaged for unread in answer.report.unread]), ([], [True]))

    def test_killed_anywhere(self) -> None:
        """Killed at any request that changes something: what is searched for is found, and the next run makes
        the same objects."""
        shutil.rmtree(os.path.join(self.world.archive, "2025", "12", "30"))
        shutil.rmtree(os.path.join(self.world.archive, "2025", "12", "29", "kick"))
        self.world.now = EARLY
        self.index()
        start = self.objects()
        self.world.now = LATER
        whole = Cutting(DirectoryStore(self.world.archive))
        self.index(whole)
        expected = self.objects()
        changes = [n for n, (call, _) in enumerate(whole.calls, 1) if call in ("put", "delete")]
        self.assertEqual(len(changes), 10)
        # What is killed before one of them is as what is killed after the one before it.
        for nth in changes[1:-1]:
            self.start_with(start)
            self.assertRaises(Killed, self.index, Cutting(DirectoryStore(self.world.archive), nth, True))
            shutil.rmtree(os.path.join(self.world.archive, "upkeep"), ignore_errors=True)
            self.assertEqual(self.read(Filter(text="hello"))[0], 6)
            self.index()
            self.assertEqual(self.objects(), expected)

    def start_with(self, objects: dict[str, bytes]) -> None:
        above = Path(self.world.archive, "index")
        shutil.rmtree(above, ignore_errors=True)
        for name, data in objects.items():
            (above / name).parent.mkdir(parents=True, exist_ok=True)
            (above / name).write_bytes(data)

    def test_bundled(self) -> None:
        """A month whose objects went into a bundle is not read again, and its index holds for the bundle."""
        archive = Archive(self.mktemp())
        archive.fill()
        self.world.archive = archive.root
        store = self.world.store = DirectoryStore(archive.root)
        self.index()
        with ArchiveLock(store, "bundle", lambda: self.world.now, renewing=False) as lock:
            bundler = Bundler(store, Ledger(store, BUNDLE, ".zst", None, lambda: self.world.now), lock)
            bundler.run("2025-12", [])
        self.assertEqual(bundler.outcome.objects, 6)
        self.assertEqual(self.index().days, 0)
        self.assertEqual(self.read(Filter(users=("nobody",))), (0, 0))
        self.assertGreater(self.read(Filter(users=("ann",)))[0], 10)


class RenewTests(IndexCase):
    def renew(self, places: Iterable[RoomDay]) -> list[str]:
        archive = self.world.opened()
        with ArchiveLock(archive.store, "erase", lambda: self.world.now, renewing=False) as lock:
            return renew(archive, list(places), lock, lambda: self.world.now)

    def test_erased(self) -> None:
        """After somebody was erased from a room's day, no byte of them is in an index; the rest is."""
        self.world.put(MIDNIGHT + 2 * HOUR, [said(MIDNIGHT + 2 * HOUR, "zanzibar", "zora")])
        self.index()
        self.assertIn(("zora", "z1"), self.rows("names/2025-12.parquet", "username, user_id"))
        (path,) = Path(self.world.archive).glob("2025/12/29/twitch/a/*0200.jsonl.zst")
        path.unlink()
        self.assertEqual(self.renew([RoomDay(*ROOM, "2025-12-29")]), [])
        for kind in ("names", "users", "words"):
            values = str(self.rows(f"{kind}/2025-12.parquet", "*"))
            self.assertNotIn("zora", values)
            self.assertNotIn("zanzibar", values)
        self.assertEqual(self.index().days, 0)
        self.assertEqual(self.read(Filter(users=("ann1",)), OTHER), (1, 1))

    def test_no_index(self) -> None:
        """Where there is none, none is made."""
        self.assertEqual(self.renew([RoomDay(*ROOM, "2025-12-29")]), [])
        self.assertFalse(Path(self.world.archive, "index").exists())


class DaysTests(SynchronousTestCase):
    def test_date(self) -> None:
        """A day without files is no day."""
        world = World(self.mktemp(), LATER)
        archive = world.opened()
        with ArchiveLock(archive.store, "index", lambda: world.now, renewing=False) as lock:
            indexed = Indexer(archive, lambda: world.now).run([date(2025, 12, 29)], None, lock)
        self.assertEqual((indexed.days, indexed.stored), (0, 0))
