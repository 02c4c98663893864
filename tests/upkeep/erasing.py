"""The common part of tests that erase somebody from a store in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from chatlog.naming import FileName
from chatlog.redaction import Person
from chatlog.upkeep.erasure import Eraser, Outcome
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.erasure_scan import Scanner
from chatlog.upkeep.ledger import ERASURE, Ledger
from chatlog.upkeep.local_recorder import NoRecorder
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.person_search import PersonSearch
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.scope import Scope as Everything
from chatlog.verify.scope import Watcher
from chatlog.verify.verify import Verification
from tests.upkeep.people import HOUR, ID, NAME, TEN, TRACES, People

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Case
else:
    Case = object


class Killed(Exception):
    """The process was killed."""


class Busy(NoRecorder):
    """A recorder that has these files still."""

    def __init__(self) -> None:
        self.names: set[FileName] = set()

    def busy(self) -> set[FileName]:
        """See ``LocalRecorder``."""
        return self.names


class Said(Watcher):
    """Collects problems and notes."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []

    def problem(self, problem: Problem) -> None:
        self.problems.append(f"{problem.kind} {problem.key}: {problem.what}")

    def note(self, text: str) -> None:
        self.notes.append(text)


class Erasing(Case):
    """Mixed into a test case."""

    def begin(self, people: People) -> None:
        """Use this archive."""
        self.people = people
        self.store = people.store
        self.time = TEN + 8 * HOUR
        self.recorder = Busy()
        self.kept = [
            line
            for line in people.lines()
            if b'"platform":"twitch"' in line and not any(trace.encode() in line.lower() for trace in TRACES)
        ]
        self.notes: list[str] = []

    @staticmethod
    def scope(platform: str = "twitch", day: int = 0, channel: str = "") -> Scope:
        """A scope of one room, or one day of the month."""
        at = date(2025, 12, day) if day else None
        return Scope(platform, frozenset({channel} if channel else ()), at, at)

    def erase(
        self, platform: str = "twitch", search: PersonSearch | None = None, scope: Scope | None = None
    ) -> Outcome:
        """One run of the whole, as a process would make it."""
        outcome = Outcome()
        search = search or PersonSearch(Person(ID))
        with ArchiveLock(self.store, "erase", lambda: self.time, renewing=False) as lock:
            ledger = Ledger(self.store, ERASURE, ".zst", None, lambda: self.time)
            eraser = Eraser(self.store, ledger, lock, lambda: self.time, self.recorder)
            scanner = Scanner(self.store, scope or Scope(platform), date(2025, 12, 30))
            eraser.erase(search, scanner, lambda person: platform, outcome)
        return outcome

    def verified(self) -> tuple[Totals, list[str]]:
        """What verify counts, and its problems."""
        index = ArchiveIndex()
        said = Said()
        try:
            totals = Verification(
                self.store, Everything(), index, said, self.time, lambda seconds: None
            ).run()
        finally:
            index.close()
        self.notes = said.notes
        return totals, said.problems

    def killed_everywhere(self, check: Callable[[], object]) -> set[str]:
        """Kill an erasure before every change of the store, one run for each. ``check()`` is called then;
        the next run must complete it. Returns the kinds of problems that verify found in between."""
        objects, began = dict(self.store.objects), self.time
        kinds: set[str] = set()
        n = 0
        while True:
            n += 1
            self.store.objects = dict(objects)
            self.time = began
            changes = 0

            def die(operation: str, key: str, n: int = n) -> None:
                nonlocal changes
                changes += operation in ("put", "delete")
                if changes >= n:
                    raise Killed

            self.store.before = die
            try:
                self.erase()
            except Killed:
                pass
            else:
                break
            finally:
                self.store.before = lambda operation, key: None
            check()
            found = self.verified()[1]
            kinds |= {each.split(" ")[0] for each in found}
            interrupted = any("an erasure was interrupted" in note for note in self.notes)
            self.assertTrue(interrupted or not found, (n, found))
            self.time += HOUR
            outcome = self.erase()
            self.assertTrue(outcome.done, (n, outcome.left))
            traces = self.people.traces((ID, NAME))
            self.assertEqual([each for each in traces if "/kick/" not in each], [], n)
            self.assertEqual(self.verified()[1], [], n)
            check()
            self.assertEqual([key for key in self.store.objects if key.startswith("upkeep/")], [], n)
        self.assertGreater(n, 8)
        return kinds
