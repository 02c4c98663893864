"""Erasing beside a recorder that runs: its files are its own, so they are waited for."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.naming import FileName, utc_minute
from chatlog.redaction import Person
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.person_search import PersonSearch
from chatlog.upkeep.spool_person import OBEYED, LocalSpool
from tests.stores import MemoryStore
from tests.upkeep.people import HOUR, ID, NAME, TEN, of_others, own


class Recorder:
    """Finishes its files when it is asked, if it ``listens``, and stores them after ``takes`` seconds."""

    def __init__(self, path: Path, listens: bool = True, takes: float = 3.0) -> None:
        self.path = path
        self.listens = listens
        self.takes = takes
        self.now = TEN
        self.asked_at: float | None = None

    def finish(self) -> bool:
        """See ``Running``."""
        self.asked_at = self.now if self.listens else None
        return self.listens

    def wait(self, seconds: float) -> None:
        """See ``Running``."""
        self.now += seconds
        if self.asked_at is not None and self.now >= self.asked_at + self.takes:
            self.path.unlink(missing_ok=True)


class RunningTests(SynchronousTestCase):
    """A spool that somebody has locked."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        (self.root / "open").mkdir(parents=True)
        lock = os.open(self.root / "lock", os.O_CREAT | os.O_RDWR)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.search = PersonSearch(Person(ID, frozenset({NAME})))
        self.path = self.root / "open" / str(FileName("twitch", "a", utc_minute(TEN)))
        self.path.write_bytes(b"".join(own(TEN) + of_others(TEN)))

    def side(self, recorder: Recorder, patience: float = 180.0) -> LocalSpool:
        return LocalSpool(
            OsFiles(),
            str(self.root),
            Scope("twitch"),
            MemoryStore(),
            recorder,
            lambda: recorder.now,
            patience,
        )

    def test_asked_and_waited_for(self) -> None:
        """The recorder is asked to finish its files, and waited for until they are stored: then the store is
        looked at once more."""
        recorder = Recorder(self.path)
        side = self.side(recorder)
        before = self.path.read_bytes()
        side.before_erasure(self.search)
        self.assertEqual(self.path.read_bytes(), before)
        # The archive is large.
        recorder.now = TEN + HOUR
        self.assertTrue(side.after_erasure(self.search))
        self.assertEqual((recorder.now, side.waiting(self.search)), (TEN + HOUR + 3.0, []))
        self.assertFalse(side.after_erasure(self.search))

    def test_until_it_obeys(self) -> None:
        """Who was put on the opt-out list now is written down until the recorder knows: so long it is waited
        for, also if nothing of them is there yet."""
        recorder = Recorder(self.path)
        side = self.side(recorder)
        side.listed_at = TEN
        self.assertTrue(side.after_erasure(self.search))
        self.assertEqual(recorder.asked_at, TEN + OBEYED)
        self.assertFalse(side.after_erasure(self.search))

    def test_in_vain(self) -> None:
        """If it takes too long, cannot be asked, or is not to be waited for, it is said what is left."""
        for recorder, patience in (
            (Recorder(self.path, takes=HOUR), 180.0),
            (Recorder(self.path, listens=False), 180.0),
            (Recorder(self.path), 0.0),
        ):
            side = self.side(recorder, patience)
            self.assertEqual(side.after_erasure(self.search), patience > 0)
            self.assertFalse(side.after_erasure(self.search))
            [waiting] = side.waiting(self.search)
            self.assertEqual((waiting.path, waiting.lines), (str(self.path), 6))
            self.assertLessEqual(recorder.now, TEN + 181.0)

    def test_others(self) -> None:
        """A file without anything of them is not waited for."""
        self.path.write_bytes(b"".join(of_others(TEN)))
        recorder = Recorder(self.path)
        side = self.side(recorder)
        self.assertTrue(side.after_erasure(self.search))
        self.assertFalse(side.after_erasure(self.search))
        self.assertEqual((recorder.asked_at, recorder.now), (None, TEN))

    def test_stored_meanwhile(self) -> None:
        """What the recorder stores by itself while it is waited for, or just before, was not in the archive
        when that was looked at: it is looked at once more."""
        for listed_at in (TEN, None):
            recorder = Recorder(self.path, takes=10.0)
            recorder.asked_at = TEN
            side = self.side(recorder)
            side.listed_at = listed_at
            if listed_at is None:
                self.path.unlink(missing_ok=True)
            self.assertTrue(side.after_erasure(self.search))
            self.assertFalse(side.after_erasure(self.search))
            self.assertEqual(self.path.exists(), False)
