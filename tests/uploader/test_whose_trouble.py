"""Whose trouble a failed upload is, and when the store's is told: each rule for itself."""

from __future__ import annotations

import errno
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.services import Backoff
from chatlog.store.store import (
    CLOCK,
    CORRUPT,
    MISCONFIGURED,
    OBJECT,
    REFUSED,
    TRANSIENT,
    UNSUPPORTED,
    StoreError,
)
from chatlog.uploader.shipment import Item, LocalError
from chatlog.uploader.store_state import OK, REFUSED_AGAIN, REPORT_AGAIN, StoreState
from chatlog.uploader.turns import OWN_MOST, PASSING_MOST, Failing, Turns
from chatlog.uploader.whose_trouble import (
    DOUBTS,
    DOUBTS_PASSING,
    LATER,
    MOST_NAMED,
    QUARANTINED_AGAIN,
    Judge,
    Whose,
    failing_of,
    rounded,
)
from tests.stores import MemoryStore
from tests.uploader.test_turns import file


class JudgeCase(SynchronousTestCase):
    """Files of as many rooms, all under way."""

    def setUp(self) -> None:
        self.turns, self.counters = Turns(), Counters()
        self.judge = Judge(self.turns, self.counters)

    def under_way(self, *items: Item) -> None:
        for item in items:
            self.turns.add(item, 1000)
        while self.turns.begin(0.0, 100, False) is not None:
            pass

    def fails(self, item: Item, error: StoreError, well: bool = True) -> Whose:
        """An upload of the file fails."""
        self.under_way(item)
        return self.judge.store(item, error, well, 0.0)

    def logged(self, *calls: Any) -> list[str]:
        """What the log says while these are called."""
        with capturedLogs() as events:
            for call in calls:
                call()
        return [formatEvent(event) or "" for event in events]


class StoreTests(JudgeCase):
    """What the store said."""

    def test_of_the_file(self) -> None:
        """Some errors are of the object alone: it waits its own turns, others are not asked about it."""
        for n, error in enumerate(
            (
                StoreError("413", OBJECT),
                StoreError("other bytes", CORRUPT),
                StoreError("is there and is not", TRANSIENT, "two minds"),
            )
        ):
            item = file(n, f"room{n}")
            for well in (True, False):
                self.assertIs(self.fails(item, error, well), Whose.FILE)
            self.assertEqual((self.turns.strikes(item), self.turns.doubted), (2, 0))
        self.assertEqual(dict(self.counters.upload_retries), {OBJECT: 2, CORRUPT: 2, TRANSIENT: 2})

    def test_of_the_store(self) -> None:
        """Others are of all objects, or come while the store takes none: the file waits for the store, and is
        suspected of nothing that another has to decide where it is plain."""
        for n, (kind, of_all, well) in enumerate(
            ((TRANSIENT, True, True), (CLOCK, True, True), (REFUSED, False, False), (TRANSIENT, False, False))
        ):
            error = StoreError("x", kind, of_all=of_all)
            self.assertIs(self.fails(file(n, f"room{n}"), error, well), Whose.STORE)
        self.assertEqual(dict(self.counters.upload_retries), {})
        self.assertEqual(self.turns.doubted, 4)
        self.turns.convict(0.0)
        self.assertEqual([self.turns.strikes(file(n, f"room{n}")) for n in range(4)], [0, 0, 1, 1])

    def test_open(self) -> None:
        """Else the others decide; after so many in doubt the store itself is asked, sooner where the trouble
        may pass; and at once where it is said to be of all."""
        for kind, enough in ((TRANSIENT, DOUBTS_PASSING), (REFUSED, DOUBTS), (UNSUPPORTED, DOUBTS)):
            self.setUp()
            found = [self.fails(file(n, f"room{n}"), StoreError("x", kind)) for n in range(enough)]
            self.assertEqual(found, [Whose.FILE] * (enough - 1) + [Whose.OPEN], kind)
            self.assertEqual(dict(self.counters.upload_retries), {kind: enough})
        self.setUp()
        self.assertIs(self.fails(file(1), StoreError("x", MISCONFIGURED, of_all=True)), Whose.OPEN)

    def test_again_and_again(self) -> None:
        """Files that failed before and do so again have that trouble themselves. Where only such are left,
        the store is asked all the same after some of them, unless one passed in between."""
        items = [file(n, f"room{n}") for n in range(20)]
        for item in items:
            self.under_way(item)
            self.turns.strike(item, 0.0, Failing("x"))
        refused = StoreError("403", REFUSED)
        found = [self.judge.store(item, refused, True, 0.0) for item in items[: DOUBTS + 1]]
        self.assertEqual(found, [Whose.FILE] * (DOUBTS - 1) + [Whose.OPEN, Whose.FILE])
        self.assertEqual((self.turns.doubted, self.turns.strikes(items[0])), (0, 2))
        for item in items[: DOUBTS - 2]:
            self.assertIs(self.judge.store(item, refused, True, 0.0), Whose.FILE)
        self.judge.passed()
        for item in items[: DOUBTS - 1]:
            self.assertIs(self.judge.store(item, refused, True, 0.0), Whose.FILE)
        self.assertIs(self.judge.store(items[-1], refused, True, 0.0), Whose.OPEN)

    def test_how_it_is_met(self) -> None:
        """What is said of a file is the store's words with the remedy. It is said at the first failure, the
        second or the third, and the longest wait is an hour or ten minutes, by what it is."""
        for kind, patience, most in (
            (OBJECT, 1, OWN_MOST),
            (REFUSED, 2, OWN_MOST),
            (CORRUPT, 2, OWN_MOST),
            (TRANSIENT, 3, PASSING_MOST),
        ):
            error = StoreError("words", kind, remedy="do this")
            error.size = 77
            self.assertEqual(failing_of(error), Failing("words; do this", 77, patience, 0.0, most))
        self.assertEqual(failing_of(StoreError("words", REFUSED)).reason, "words")


class LocalTests(JudgeCase):
    """What this machine could not do."""

    def test_unreadable(self) -> None:
        """A file that cannot be read is named at once, and tried again after an hour."""
        self.under_way(file(1))
        error = LocalError("a", OSError(errno.EIO, "Input/output error"))
        [text] = self.logged(lambda: self.judge.local(file(1), error, 0.0))
        self.assertIn(file(1).name, text)
        self.assertIn(": recorder.directory: Input/output error;", text)
        self.assertIn("again in 3600 s", text)
        self.assertEqual(self.turns.next_change(0.0, 9, False), QUARANTINED_AGAIN)
        self.assertEqual(self.counters.quarantined, 1)

    def test_damaged(self) -> None:
        """Of a file that is damaged, it is the file that is named, and not the spool."""
        self.under_way(file(1))
        error = LocalError("a", ValueError("it is cut off"))
        [text] = self.logged(lambda: self.judge.local(file(1), error, 0.0))
        self.assertIn(": it is cut off;", text)
        self.assertNotIn("recorder.directory", text)

    def test_no_space(self) -> None:
        """That there is no space is said once, until a file passes; every file is only put off."""
        self.under_way(file(1), file(2))
        error = LocalError("a", OSError(errno.ENOSPC, "No space left"))
        calls = [lambda n=n: self.judge.local(file(n), error, 0.0) for n in (1, 2)]
        self.assertEqual(len(self.logged(*calls)), 1)
        self.assertEqual((self.turns.next_change(0.0, 9, False), self.counters.quarantined), (LATER, 0))
        self.judge.passed()
        self.under_way(file(3))
        self.assertEqual(len(self.logged(lambda: self.judge.local(file(3), error, 0.0))), 1)
        self.assertEqual(self.turns.strikes(file(1)), 0)

    def test_many(self) -> None:
        """Ten files are named, and all are counted."""
        items = [file(n, f"room{n}") for n in range(MOST_NAMED + 5)]
        self.under_way(*items)
        texts = self.logged(*(lambda item=item: self.judge.quarantine(item, "x", 0.0) for item in items))
        self.assertEqual(len(texts), MOST_NAMED)
        self.assertEqual((self.counters.quarantined, self.turns.named_count), (15, 15))

    def test_sizes(self) -> None:
        """Sizes are for people."""
        found = [rounded(size) for size in (0, 999, 1000, 1049, 999_999, 10**6, 2_450_000, 10**9, 12 * 10**9)]
        self.assertEqual(
            found, ["0 B", "999 B", "1.0 KB", "1.0 KB", "1000.0 KB", "1.0 MB", "2.5 MB", "1.0 GB", "12.0 GB"]
        )


class StateTests(SynchronousTestCase):
    """How the store is."""

    def setUp(self) -> None:
        self.state = StoreState(MemoryStore(), Backoff(1.0, 60.0, lambda low, high: high))

    def trouble(self, error: BaseException | None, now: float = 0.0) -> tuple[float, int]:
        """The wait until the next try, and the number of lines in the log."""
        with capturedLogs() as events:
            wait = self.state.trouble(error, 3, now)
        return wait, len(events)

    def test_names(self) -> None:
        """Each kind of error has a state, and a wait: longer and longer where it may pass, else a minute."""
        for kind, name, wait in (
            (TRANSIENT, "retrying", 1.0),
            (REFUSED, "refused", REFUSED_AGAIN),
            (MISCONFIGURED, "refused", REFUSED_AGAIN),
            (UNSUPPORTED, "refused", REFUSED_AGAIN),
            (OBJECT, "refused", REFUSED_AGAIN),
            (CLOCK, "clock wrong", REFUSED_AGAIN),
            (CORRUPT, "retrying", 2.0),
        ):
            self.assertEqual(self.trouble(StoreError("words", kind, remedy="do it")), (wait, 1), kind)
            self.assertEqual((self.state.name, self.state.words, self.state.remedy), (name, "words", "do it"))
        self.assertEqual(self.trouble(RuntimeError("surprise")), (4.0, 1))
        self.assertEqual((self.state.name, self.state.words, self.state.remedy), ("retrying", "surprise", ""))

    def test_said_once(self) -> None:
        """The same again is no news: of what may pass never, of a refusal every ten minutes. Another cause
        is, and that all is well again; then the waits begin anew."""
        passing, refused = StoreError("x", TRANSIENT, "a"), StoreError("x", REFUSED, "a")
        self.assertEqual([self.trouble(passing, now)[1] for now in (0.0, 1.0, 1e6)], [1, 0, 0])
        self.assertEqual(self.trouble(StoreError("x", TRANSIENT, "b"))[1], 1)
        times = (0.0, 1.0, REPORT_AGAIN - 0.1, REPORT_AGAIN, REPORT_AGAIN + 1.0, 2 * REPORT_AGAIN)
        self.assertEqual([self.trouble(refused, now)[1] for now in times], [1, 0, 0, 1, 0, 1])
        with capturedLogs() as events:
            self.state.well(2)
        self.assertEqual([formatEvent(event) for event in events], ["memory takes files again; 2 wait"])
        self.assertEqual((self.state.name, self.state.words, self.state.remedy), (OK, "", ""))
        self.assertEqual(self.trouble(passing), (1.0, 1))
