"""What is older than it is kept goes, written down before, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from chatlog.archive.retention import Retention
from chatlog.signing import Signer
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import ARCHIVED, REFUSED, Head, StoreError
from chatlog.upkeep.expire import Expiry, Outcome
from chatlog.upkeep.ledger import EXPIRY, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.uploader.manifest_rows import ExpiredRow, ObjectRow
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.verify.test_verify import VerifyCase

DAY = 86400.0
A, B = ("twitch", "a"), ("twitch", "b")


class Killed(Exception):
    """The process ends here."""


class Cutting:
    """A store whose process is killed at the ``nth`` call: before it, or after it was done."""

    def __init__(self, store: DirectoryStore, nth: int = 0, after: bool = False) -> None:
        self.store = store
        self.nth = nth
        self.after = after
        self.calls: list[tuple[str, str]] = []
        self.error: dict[tuple[str, str], StoreError] = {}

    def _do(self, name: str, key: str, call: Any) -> Any:
        self.calls.append((name, key))
        if error := self.error.get((name, key)):
            raise error
        if len(self.calls) == self.nth and not self.after:
            raise Killed
        result = call()
        if len(self.calls) == self.nth:
            raise Killed
        return result

    def describe(self) -> str:
        return "an archive"

    def prepare(self) -> str:
        return ""

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self._do("put", key, lambda: self.store.put_new(key, data, attributes))

    def head(self, key: str) -> Head | None:
        return self._do("head", key, lambda: self.store.head(key))  # type: ignore[no-any-return]

    def read(self, key: str) -> Iterator[bytes]:
        return iter(self._do("read", key, lambda: list(self.store.read(key))))

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        return iter(self._do("read", key, lambda: list(self.store.read_range(key, offset, size))))

    def list(self, prefix: str = "") -> Iterator[Head]:
        return iter(self._do("list", prefix, lambda: list(self.store.list(prefix))))

    def folders(self, prefix: str = "") -> Iterator[str]:
        return iter(self._do("folders", prefix, lambda: list(self.store.folders(prefix))))

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self.store.delete(key))


class ExpiryCase(VerifyCase):
    """An archive of two rooms with objects at 10:00 and 23:00 of each day, one of which is kept three
    days."""

    days = 10

    def setUp(self) -> None:
        super().setUp()
        self.archive = Archive(self.mktemp(), chained=True)
        self.rows: dict[tuple[str, int, int], ObjectRow] = {}
        for day in range(self.days):
            start, found = MIDNIGHT + day * DAY, []
            for hour in (10, 23):
                for channel in "ab":
                    at = start + hour * HOUR
                    row = self.archive.store(at, channel, self.archive.messages(channel, at))
                    self.rows[channel, day, hour] = row
                    found.append(row)
            self.archive.manifest(start, start + DAY, found)
        # Noon of the day after the last one.
        self.now = MIDNIGHT + self.days * DAY + 12 * HOUR
        self.store = Cutting(DirectoryStore(self.archive.root))
        self.retention = Retention([("twitch/a", 3 * DAY)])

    def expiry(self, store: Any = None, by_itself: bool = False) -> Expiry:
        return Expiry(store or self.store, self.retention, lambda: self.now, by_itself)

    def ledger(self, store: Any = None, signer: Signer | None = None) -> Ledger:
        return Ledger(store or self.store, EXPIRY, ".zst", signer, lambda: self.now)

    def expire(self, store: Any = None, by_itself: bool = False) -> Outcome:
        store = store or self.store
        with ArchiveLock(store, "expire", lambda: self.now, renewing=False) as lock:
            return self.expiry(store, by_itself).run(self.ledger(store), lock)

    def keys(self, channel: str = "") -> set[str]:
        return {
            head.key
            for head in DirectoryStore(self.archive.root).list("20")
            if not channel or f"/{channel}/" in head.key
        }

    def kept(self) -> set[str]:
        """The keys that have to be there afterwards: of room a the last three days, to the hour."""
        until = self.now - 3 * DAY
        return {
            row.key
            for (channel, day, hour), row in self.rows.items()
            if channel == "b" or MIDNIGHT + day * DAY + hour * HOUR >= until
        }


class ExpireTests(ExpiryCase):
    """Objects."""

    def test_what_goes(self) -> None:
        """All that is older goes, to the hour, of the room that is not kept longer; all else stays as it is.
        Verify says how much has expired, and that nothing is wrong."""
        before = {key: self.archive.read(key) for key in self.kept()}
        found = self.expire()
        self.assertEqual(self.keys(), self.kept())
        self.assertEqual({key: self.archive.read(key) for key in self.keys()}, before)
        self.assertEqual(list(found.rooms), [A])
        totals = found.rooms[A]
        self.assertEqual((totals.objects, totals.first, totals.last), (15, "2025-12-29", "2026-01-05"))
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.gone, {"expired": 15})
        [chain] = [chain for chain in self.run_.chains if chain.instance == "upkeepexpiry"]
        self.assertEqual(chain.linked, 1)

    def test_again(self) -> None:
        """A second run finds nothing, and one on the next day what has become older since."""
        self.expire()
        self.assertEqual(self.expire().objects, 0)
        self.now += DAY
        self.assertEqual(self.expire().objects, 2)
        self.assertEqual(self.keys(), self.kept())
        self.assertEqual(self.look(), [])

    def test_kept_otherwise(self) -> None:
        """Where the configuration says by now that a room is kept longer than it was, verify notes it; it is
        no problem."""
        self.expire()
        for retention, notes in (
            (self.retention, []),
            (Retention([("twitch", 2 * DAY)]), []),
            (Retention(), ["15 objects of twitch/a expired after 3d, and archive.keep says forever now"]),
            (None, []),
        ):
            self.assertEqual(self.look(retention=retention), [])
            self.assertEqual(self.notes, notes)

    def test_plan(self) -> None:
        """What would go is what goes, and nothing is touched."""
        before = self.keys()
        planned = self.expiry().plan()
        self.assertEqual(self.keys(), before)
        self.assertEqual(self.store.store.head("manifest/expiry"), None)
        self.assertFalse([name for name, _ in self.store.calls if name in ("put", "delete")])
        self.assertEqual(planned.rooms, self.expire().rooms)

    def test_written_before(self) -> None:
        """Nothing is deleted that is not written down, with its digest and its lines."""
        self.expire()
        deleted = [key for name, key in self.store.calls if name == "delete" and key.startswith("20")]
        first = self.store.calls.index(("delete", deleted[0]))
        written = [key for name, key in self.store.calls[:first] if name == "put" and "manifest/" in key]
        self.assertEqual(len(written), 1)
        latest = self.ledger().latest()
        assert latest is not None
        rows = {row.key: row for row in latest.rows if isinstance(row, ExpiredRow)}
        self.assertEqual(set(rows), set(deleted))
        for row in self.rows.values():
            if row.key in rows:
                self.assertEqual((rows[row.key].sha256, rows[row.key].lines), (row.sha256, row.lines))
                self.assertEqual(rows[row.key].keep, "3d")

    def test_forever(self) -> None:
        """Without a time nothing goes, nor is anything looked for."""
        self.retention = Retention()
        self.assertEqual(self.expire().objects, 0)
        self.retention = Retention([("twitch", float("inf")), ("kick", DAY)])
        self.assertEqual(self.expire().objects, 0)
        self.assertEqual(len(self.keys()), len(self.rows))

    def test_unnamed(self) -> None:
        """An object that no manifest names, because a spool was lost, goes too, and is written down first as
        what it was."""
        at = MIDNIGHT + 5 * HOUR
        row = self.archive.store(at, "a", self.archive.messages("a", at))
        found = self.expire()
        self.assertEqual(found.objects, 16)
        self.assertNotIn(row.key, self.keys())
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.gone, {"expired": 16})

    def test_unreadable(self) -> None:
        """What cannot be read and is named by nobody stays, is named to the user, and holds up nothing."""
        at = MIDNIGHT + 5 * HOUR
        damaged = self.archive.store(at, "a", self.archive.messages("a", at)).key
        self.archive.put(damaged, b"damaged")
        cold = self.archive.store(at + HOUR, "a", self.archive.messages("a", at)).key
        self.store.error["read", cold] = StoreError(
            "403 InvalidObjectState", ARCHIVED, remedy="restore it first"
        )
        found = self.expire()
        self.assertEqual(found.objects, 15)
        (one, why), (other, words) = found.left
        self.assertEqual((one, other), (damaged, cold))
        self.assertIn("damaged", why)
        self.assertIn("restore it first", words)

    def test_parquet(self) -> None:
        """What was made of a day goes when the whole day is older."""
        for day, channel in (
            ("2025-12-29", "a"),
            ("2025-12-29", "b"),
            ("2026-01-05", "a"),
            ("2026-01-06", "a"),
        ):
            folder = f"parquet/date={day}/platform=twitch/channel={channel}"
            self.archive.put(f"{folder}/twitch_{channel}_{day.replace('-', '')}.parquet", b"PAR1")
        self.expire()
        left = [head.key.split("/")[1:4:2] for head in self.store.store.list("parquet/")]
        self.assertEqual(
            left,
            [
                ["date=2025-12-29", "channel=b"],
                ["date=2026-01-05", "channel=a"],
                ["date=2026-01-06", "channel=a"],
            ],
        )

    def test_no_right_to_delete(self) -> None:
        """Where nothing may be deleted, that is said with what to do, and said again without writing the same
        rows again."""
        for row in self.rows.values():
            self.store.error["delete", row.key] = StoreError("403 AccessDenied", REFUSED)
        for _ in range(3):
            self.assertRaises(StoreError, self.expire)
        manifests = list(self.store.store.list("manifest/expiry/"))
        self.assertEqual(len(manifests), 1)
        self.assertEqual({problem.kind for problem in self.look()}, {"not-erased"})
        self.store.error.clear()
        self.assertEqual(self.expire().objects, 15)
        self.assertEqual(self.look(), [])

    def test_locked_bucket(self) -> None:
        """A store that says that it has deleted and has not is found out."""
        self.store.delete = lambda key: None if key.startswith("20") else self.store.store.delete(key)  # type: ignore[method-assign]
        error = self.assertRaises(StoreError, self.expire)
        self.assertIn("was deleted, and is still there", str(error))


class KilledTests(ExpiryCase):
    """A process that ends at any moment."""

    days = 5

    def test_anywhere(self) -> None:
        """Killed before or after any call to the store, the archive is explained by verify, nothing younger
        is lost, and the next run completes it."""
        whole, began = self.archive.root, self.now
        for after in (False, True):
            nth = 0
            while True:
                nth += 1
                self.archive.root, self.now = self.mktemp(), began
                shutil.copytree(whole, self.archive.root)
                self.store = Cutting(DirectoryStore(self.archive.root), nth, after)
                try:
                    self.expire()
                except Killed:
                    last = self.store.calls[-1]
                else:
                    break
                self.assertLessEqual(self.kept(), self.keys(), last)
                self.assertLessEqual({found.kind for found in self.look()}, {"not-erased"}, last)
                self.now += HOUR
                self.store.nth = 0
                self.expire()
                self.assertEqual(self.keys(), self.kept(), last)
                self.assertEqual(self.look(), [], last)
            self.assertGreater(nth, 20)


class ByItselfTests(ExpiryCase):
    """What is done without anybody looking."""

    days = 30

    def test_mistyped(self) -> None:
        """If much more is older than one run leaves for the next, a person has to look first."""
        found = self.expire(by_itself=True)
        self.assertEqual((found.objects, found.refused), (0, [A]))
        self.assertEqual(len(self.keys()), len(self.rows))

    def test_goes_on(self) -> None:
        """Once a person has begun it, it goes on by itself, also after a week without a run."""
        self.retention = Retention([("twitch/a", 20 * DAY)])
        self.expire()
        for pause in (1, 7):
            self.now += pause * DAY
            found = self.expire(by_itself=True)
            self.assertEqual((found.objects, found.refused), (2 * pause, []))

    def test_other_rooms(self) -> None:
        """One room that has to be looked at holds up no other."""
        self.expire()
        self.now += DAY
        self.retention = Retention([("twitch/a", 3 * DAY), ("twitch/b", 4 * DAY)])
        found = self.expire(by_itself=True)
        self.assertEqual((list(found.rooms), found.refused), ([A], [B]))

    def test_empty_folders(self) -> None:
        """Folders that are left over in a directory are no chat."""
        self.expire()
        os.makedirs(os.path.join(self.archive.root, "2026", "01", "05", "twitch", "a"), exist_ok=True)
        self.now += DAY
        self.assertEqual(self.expire(by_itself=True).refused, [])
