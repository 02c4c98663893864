"""Bundling a month: nothing is missed and nothing twice, before, meanwhile and after, at whatever step the
process dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.catalog import Catalog
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.retention import Retention
from chatlog.archive.room_files import Parts
from chatlog.cli import commands
from chatlog.files import OsFiles
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler, Outcome, is_over
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import STALE_AFTER, ArchiveLock
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem
from chatlog.verify.scope import Scope, Watcher
from chatlog.verify.verify import Verification
from tests.sample_archive import HOUR, MIDNIGHT, Archive
from tests.stores import MemoryStore

DAY = 86400.0


class Killed(Exception):
    """The process was killed."""


class CutStore(MemoryStore):
    """A store whose user is killed at a call that changes something: before it, or when it is done.
    ``meanwhile`` is called after each."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__()
        self.objects = dict(objects)
        self.left, self.done = 1 << 30, False
        self.meanwhile: Callable[[], object] = lambda: None

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self._before()
        super().put_new(key, data, attributes)
        self._after()

    def delete(self, key: str) -> None:
        self._before()
        super().delete(key)
        self._after()

    def _before(self) -> None:
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.done):
            raise Killed

    def _after(self) -> None:
        self.meanwhile()
        if self.left == 0:
            raise Killed


class Said(Watcher):
    """Collects problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, problem: Problem) -> None:
        self.problems.append(f"{problem.kind} {problem.key}: {problem.what}")


class BundlingCase(SynchronousTestCase):
    """An archive with some hours of two rooms."""

    def setUp(self) -> None:
        self.now = MIDNIGHT + 20 * DAY

    def archive(self, suffix: str = ".zst", hours: int = 4) -> CutStore:
        self.made = Archive(self.mktemp(), suffix, chained=True)
        self.made.fill(hours)
        end = MIDNIGHT + hours * HOUR
        self.made.manifest(end, end + HOUR, self.made.objects[-2:])
        return self.stored()

    def stored(self) -> CutStore:
        """What the archive on the disk has, in a store."""
        disk = DirectoryStore(self.made.root)
        return CutStore({head.key: b"".join(disk.read(head.key)) for head in disk.list()})

    def bundle(self, store: CutStore, most: int = 1 << 20, at: int = 1 << 30, done: bool = False) -> Outcome:
        """One run of the whole, as a process would make it that is killed at a call."""
        self.now += STALE_AFTER + 1
        store.left, store.done = at, done
        with ArchiveLock(store, "bundle", lambda: self.now, renewing=False) as lock:
            bundler = Bundler(store, Ledger(store, BUNDLE, ".zst", None, lambda: self.now), lock, most)
            bundler.run("2025-12")
        return bundler.outcome

    def reader(self, store: CutStore) -> Reader:
        """A reader that knows nothing of the archive yet."""
        return Reader(Parts(Catalog(store, lambda: self.now), OsFiles()), lambda: self.now)

    def records(self, store: CutStore, reader: Reader | None = None) -> list[bytes]:
        """What a reader gives."""
        answer = (reader or self.reader(store)).ask(Question(("twitch", "a")))
        found = [each.line for each in answer]
        self.assertEqual(answer.report.unread, [])
        return found

    def problems(self, store: CutStore) -> list[str]:
        """What verify reports."""
        index, said = ArchiveIndex(), Said()
        try:
            totals = Verification(store, Scope(), index, said, self.now, lambda seconds: None).run()
        finally:
            index.close()
        self.lines = totals.lines
        return said.problems

    def keys(self, store: CutStore, begin: str = "") -> list[str]:
        return [key for key in sorted(store.objects) if key.startswith(begin)]


class BundlingTests(BundlingCase):
    """Objects of their own."""

    def test_whole(self) -> None:
        """A month of a room becomes one object, byte for byte; readers and verify see what they saw."""
        for suffix in ("", ".gz", ".zst"):
            archive = self.archive(suffix)
            before = self.records(archive)
            pieces = b"".join(archive.objects[key] for key in self.keys(archive, "2025/12/29/twitch/a/"))
            self.assertEqual(self.problems(archive), [])
            lines = self.lines
            outcome = self.bundle(archive)
            self.assertEqual((outcome.bundles, outcome.objects, outcome.left), (2, 8, []))
            self.assertEqual(self.keys(archive, "2025"), [])
            bundle = archive.objects[f"bundle/2025/12/twitch/a/twitch_a_202512.jsonl{suffix}"]
            self.assertEqual(bundle[: len(pieces)], pieces)
            self.assertEqual(self.records(archive), before)
            self.assertEqual((self.problems(archive), self.lines), ([], lines))
            self.assertEqual(self.bundle(archive).objects, 0)

    def test_killed(self) -> None:
        """At whatever call the process dies, readers miss nothing and see nothing twice; the next run
        completes it, and verify has nothing to say."""
        for suffix in (".zst", ".gz"):
            objects = self.archive(suffix, 2).objects
            whole = CutStore(objects)
            before = self.records(whole)
            self.bundle(whole)
            calls = (1 << 30) - whole.left
            self.assertGreater(calls, 7)
            for at in range(1, calls + 1):
                for done in (False, True):
                    store = CutStore(objects)
                    with contextlib.suppress(Killed):
                        self.bundle(store, at=at, done=done)
                    self.assertEqual(self.records(store), before, (at, done))
                    self.assertEqual(self.bundle(store).left, [], (at, done))
                    self.assertEqual(self.records(store), before, (at, done))
                    self.assertEqual(self.keys(store, "2025"), [], (at, done))
                    self.assertEqual(self.problems(store), [], (at, done))

    def test_a_reader_meanwhile(self) -> None:
        """After each step, one that read before and one that comes new get the same answer."""
        store = self.archive()
        before = self.records(store)
        old = self.reader(store)
        asked = 0

        def ask() -> None:
            nonlocal asked
            asked += 1
            self.assertEqual(self.records(store, old), before)
            self.assertEqual(self.records(store), before)

        store.meanwhile = ask
        self.bundle(store)
        self.assertGreater(asked, 10)

    def test_small_bundles_and_late_objects(self) -> None:
        """A large month becomes several bundles; what comes later goes into the next one."""
        archive = self.archive()
        outcome = self.bundle(archive, most=1)
        self.assertEqual(outcome.bundles, 8)
        made = self.made
        late = made.store(MIDNIGHT + 9 * HOUR, "a", made.messages("a", MIDNIGHT + 9 * HOUR))
        made.manifest(MIDNIGHT + 5 * HOUR, MIDNIGHT + 10 * HOUR, [late])
        archive.objects |= {
            key: data for key, data in self.stored().objects.items() if key == late.key or "_0500" in key
        }
        before = self.records(archive)
        self.assertEqual(self.bundle(archive).objects, 1)
        self.assertEqual(self.records(archive), before)
        self.assertIn("bundle/2025/12/twitch/a/twitch_a_202512-5.jsonl.zst", self.keys(archive))

    def test_what_stays(self) -> None:
        """What is not as the manifests say, or in none of them, stays where it is."""
        archive = self.archive()
        row = self.made.objects[0]
        archive.objects[row.key] = archive.objects[row.key][:-1] + b"x"
        outcome = self.bundle(archive)
        left = dict(outcome.left)
        self.assertIn("its bytes are not those that were stored", left.pop(row.key))
        self.assertEqual(left, {})
        self.assertEqual(self.keys(archive, "2025"), [row.key])

    def test_a_damaged_bundle_is_put_again(self) -> None:
        """A bundle whose objects are all there still, and which is not what they are, is replaced by one that
        is."""
        archive = self.archive()
        with self.assertRaises(Killed):
            self.bundle(archive, at=2, done=True)
        (key,) = self.keys(archive, "bundle/")
        archive.objects[key] = b"\0" + archive.objects[key][1:]
        self.assertEqual(self.bundle(archive).left, [])
        self.assertEqual(self.problems(archive), [])

    def test_verify(self) -> None:
        """Verify tells a bundle that is missing, cut off, changed or foreign; what is still there although it
        is in a bundle as well is no problem."""
        archive = self.archive()
        objects = dict(archive.objects)
        self.bundle(archive)
        whole = dict(archive.objects)
        bundle = "bundle/2025/12/twitch/a/twitch_a_202512.jsonl.zst"
        piece = self.made.objects[0]
        for kind, key, change in (
            ("missing-object", bundle, None),
            ("altered-object", bundle, whole[bundle][:1000]),
            ("altered-object", piece.key, b"\0" + whole[bundle][1:]),
            ("unnamed-object", bundle.replace("202512.", "202512-2."), whole[bundle]),
        ):
            archive.objects = dict(whole)
            if change is None:
                del archive.objects[bundle]
            else:
                archive.objects[key if key.startswith("bundle") else bundle] = change
            self.assertIn(f"{kind} {key}", " ".join(self.problems(archive)), kind)
        archive.objects = whole | {piece.key: objects[piece.key]}
        self.assertEqual(self.problems(archive), [])

    def test_when_a_month_is_over(self) -> None:
        """A month is bundled from the third day of the next one on."""
        end = MIDNIGHT + 3 * DAY
        self.assertFalse(is_over("2025-12", end + 2 * DAY))
        self.assertTrue(is_over("2025-12", end + 2 * DAY + 1))

    def test_command(self) -> None:
        """``chatlog bundle`` says what it did, and refuses what cannot be in one sentence."""
        self.archive()
        root = os.path.abspath(self.made.root)
        config = os.path.join(os.path.dirname(root), "chatlog.yaml")
        with open(config, "w") as file:
            file.write(f"archive: {{directory: {root}}}\ntwitch: {{channels: [a]}}\n")

        def run(*arguments: str) -> tuple[int, str]:
            result = CliRunner().invoke(commands, ["bundle", *arguments, "--config", config])
            return result.exit_code, result.output

        self.assertEqual(run("--month", "2999-01")[0], 2)
        self.assertIn("write it as 2025-12", run("--month", "12/2025")[1])
        self.assertIn("write twitch/NAME", run("--room", "a")[1])
        status, said = run("--month", "2025-12", "--room", "twitch/a")
        self.assertEqual((status, "4 objects" in said, "1 new bundle" in said), (0, True, True), said)
        self.assertIn("4 objects", run()[1])
        self.assertEqual(run(), (0, "nothing was bundled\n"))

    def test_rooms_that_are_not_kept(self) -> None:
        """A room that is not kept for ever is not bundled."""
        store = self.archive()
        with ArchiveLock(store, "bundle", lambda: self.now, renewing=False) as lock:
            ledger = Ledger(store, BUNDLE, ".zst", None, lambda: self.now)
            bundler = Bundler(store, ledger, lock, retention=Retention((("twitch/a", 90 * DAY),)))
            bundler.run("2025-12")
        self.assertEqual(bundler.outcome.limited, {("twitch", "a")})
        self.assertEqual({key.split("/")[4] for key in self.keys(store, "2025")}, {"a"})
