"""When the hour of a manifest ends, what a stop and a hand-over do at any moment, and the spans of rooms."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import fail
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatlog.timeline.timelines import CoverageTotals
from chatlog.uploader.manifest import HOUR, POLL_INTERVAL
from chatlog.uploader.manifest_rows import Span, seconds_of
from tests.fakes import MemoryFiles, QueuedThreads
from tests.recording import HALF_PAST_TEN
from tests.uploader.test_manifest import Coverage, Run, keys, manifests, stored
from tests.uploader.test_manifest_chain import Run as Chained

ELEVEN = HALF_PAST_TEN + HOUR / 2
FIRST, SECOND = "main_20251229_1000.jsonl", "main_20251229_1100.jsonl"


class Spans(Coverage):
    """A room for each of these spans, which are told in seconds since the beginning of the period."""

    def __init__(self, since: float, *spans: tuple[Span, ...] | None, gaps: tuple[Span, ...] = ()) -> None:
        super().__init__(since)
        self._spans = spans
        self._gaps = tuple((since + start, since + end) for start, end in gaps)

    def rows(self, since: float, until: float) -> Iterator[CoverageTotals]:
        for spans in self._spans:
            told = None if spans is None else tuple((since + start, since + end) for start, end in spans)
            yield CoverageTotals("twitch", "room", 1.0, 1.0, "", 7, told, self._gaps)


def refuse(files: MemoryFiles, error: OSError | None = None) -> None:
    """From now on nothing comes to the disk."""

    def rule(operation: str, path: str) -> None:
        if operation in ("write", "sync"):
            raise error or OSError(errno.EIO, "Input/output error")

    files.rule = rule


def allow(files: MemoryFiles) -> None:
    files.rule = lambda operation, path: None


def periods(files: MemoryFiles) -> list[tuple[str, str, bool]]:
    """Of each manifest that waits: its period, and whether it is the last for a while."""
    heads = [rows[0] for rows in manifests(files).values()]
    return [(head["from"][11:], head["to"][11:], "closed" in head) for head in heads]


class Case(SynchronousTestCase):
    def listen(self) -> list[str]:
        """What manifests write to the log from now on."""
        said: list[str] = []

        def take(event: LogEvent) -> None:
            if event.get("log_namespace") == "chatlog.uploader.manifest.Manifest":
                said.append(formatEvent(event))

        observe: Any = take
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return said

    def idle(self, run: Run) -> None:
        """Nothing comes of itself any more."""
        self.assertEqual(run.clock.getDelayedCalls(), [])
        before = manifests(run.files)
        run.advance(HOUR)
        self.assertEqual(manifests(run.files), before)


class TimerTests(Case):
    """When the clock is looked at."""

    def test_the_end_of_the_hour(self) -> None:
        """The manifest comes a millisecond after the hour, not seconds later and not before."""
        run = Run(MemoryFiles(), ELEVEN - 2)
        [check] = run.clock.getDelayedCalls()
        self.assertAlmostEqual(check.getTime(), 2.001, places=5)
        run.clock.advance(2.0005)
        self.assertEqual(run.ready, [])
        run.clock.advance(0.001)
        self.assertEqual(run.ready, [FIRST])

    def test_a_clock_that_is_set_forward(self) -> None:
        """It is noticed within seconds."""
        run = Run(MemoryFiles())
        run.at += HOUR
        run.clock.advance(POLL_INTERVAL)
        self.assertEqual(run.ready, [FIRST])

    def test_a_late_end(self) -> None:
        """A process that was held up ends the hour when it is there again. The next period begins exactly at
        the time in the manifest, to the millisecond."""
        run = Run(MemoryFiles(), ELEVEN - 2)
        run.clock.advance(4.1234)
        [rows] = manifests(run.files).values()
        self.assertEqual(rows[0]["to"], "2025-12-29T11:00:02.123Z")
        self.assertEqual(run.timelines.period, seconds_of(rows[0]["to"]))


class StopTests(Case):
    """A service that stops: what is not written yet, the next start writes."""

    def test_idle(self) -> None:
        """There is nothing to wait for, and nothing is written afterwards."""
        run = Run(MemoryFiles())
        self.assertIsNone(run.manifest.stopService())
        self.idle(run)
        self.assertEqual(run.ready, [])

    def test_at_work(self) -> None:
        """The manifest that is being written is written before the service has stopped, and is handed on."""
        threads = QueuedThreads()
        run = Run(MemoryFiles(), threads=threads)
        run.advance(HOUR / 2)
        stopped = run.manifest.stopService()
        assert stopped is not None
        self.assertNoResult(stopped)
        threads.pump()
        self.successResultOf(stopped)
        self.assertEqual(periods(run.files), [("10:30:00.000Z", "11:00:00.000Z", False)])
        self.assertEqual(run.ready, [FIRST])
        self.idle(run)

    def test_a_period_waits_for_the_disk(self) -> None:
        """A stop does not wait for a disk that refuses. The next start ends the hour where it ended."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        refuse(files)
        run.advance(HOUR / 2 + POLL_INTERVAL)
        self.assertIsNone(run.manifest.stopService())
        allow(files)
        self.idle(run)
        files.kill()
        Run(files, ELEVEN + 60, run.timelines)
        self.assertEqual(periods(files), [("10:30:00.000Z", "11:00:00.000Z", False)])
        self.assertEqual(keys(manifests(files)[FIRST]), [stored(1).key])

    def test_before_anything_was_read(self) -> None:
        """A service that never could read what an earlier run left stops at once, and leaves it as it is."""
        files = MemoryFiles()
        first = Run(files)
        first.rows.stored(stored(1))
        files.kill()
        refuse(files)
        second = Run(files, HALF_PAST_TEN + 60, first.timelines)
        self.assertIsNone(second.manifest.stopService())
        allow(files)
        self.idle(second)
        files.kill()
        Run(files, ELEVEN, first.timelines)
        self.assertEqual(keys(manifests(files)[FIRST]), [stored(1).key])


class CloseTests(Case):
    """A recorder that has handed everything over writes its last manifest, whatever it is doing."""

    def test_idle(self) -> None:
        """It is written at once. No other follows, also when the hour ends. Where the next start goes on is
        exactly the time in it."""
        run = Run(MemoryFiles(), HALF_PAST_TEN + 0.1234)
        run.advance(60)
        self.successResultOf(run.manifest.close())
        self.idle(run)
        self.assertEqual(periods(run.files), [("10:30:00.123Z", "10:31:00.123Z", True)])
        self.assertEqual(run.ready, [FIRST])
        self.assertEqual(run.timelines.period, seconds_of("2025-12-29T10:31:00.123Z"))

    def test_at_the_very_end_of_the_hour(self) -> None:
        """The hour has one manifest, which is the last. None is about no time at all."""
        run = Run(MemoryFiles(), ELEVEN - 2)
        run.clock.advance(2.0)
        self.successResultOf(run.manifest.close())
        self.assertEqual(periods(run.files), [("10:59:58.000Z", "11:00:00.000Z", True)])

    def test_at_work(self) -> None:
        """The hour that is being written comes first. The last manifest is about the time since then."""
        threads = QueuedThreads()
        run = Run(MemoryFiles(), threads=threads)
        run.advance(HOUR / 2)
        closed = run.manifest.close()
        self.assertEqual(len(threads.jobs), 1)
        run.advance(POLL_INTERVAL)
        self.assertNoResult(closed)
        threads.pump()
        self.successResultOf(closed)
        self.idle(run)
        self.assertEqual(
            periods(run.files),
            [("10:30:00.000Z", "11:00:00.000Z", False), ("11:00:00.000Z", "11:00:05.000Z", True)],
        )

    def test_stopped_meanwhile(self) -> None:
        """If there is a stop while the hour is being written, the last manifest still follows it, and the
        stop waits for both."""
        threads = QueuedThreads()
        run = Run(MemoryFiles(), threads=threads)
        run.advance(HOUR / 2)
        closed = run.manifest.close()
        stopped = run.manifest.stopService()
        assert stopped is not None
        run.advance(POLL_INTERVAL)
        while threads.jobs:
            self.assertNoResult(stopped)
            threads.pump(1)
        self.successResultOf(stopped)
        self.successResultOf(closed)
        self.assertEqual([last for _, _, last in periods(run.files)], [False, True])
        self.idle(run)

    def test_stopped_while_it_is_written(self) -> None:
        """A stop waits for the last manifest, and does not fail if that cannot be written."""
        for broken in (False, True):
            threads = QueuedThreads()
            run = Run(MemoryFiles(), threads=threads)
            threads.pump()
            if broken:
                refuse(run.files)
            closed = run.manifest.close()
            stopped = run.manifest.stopService()
            assert stopped is not None
            self.assertNoResult(stopped)
            threads.pump()
            self.successResultOf(stopped)
            if broken:
                self.failureResultOf(closed, OSError)
            else:
                self.successResultOf(closed)
            self.assertIsNone(run.manifest.stopService())

    def test_a_period_waits_for_the_disk(self) -> None:
        """An hour that could not be written is written with its own end, and then the last manifest."""
        run = Run(MemoryFiles())
        run.rows.stored(stored(1))
        refuse(run.files)
        run.advance(HOUR / 2)
        self.assertEqual(run.ready, [])
        allow(run.files)
        run.clock.advance(2.0)
        self.successResultOf(run.manifest.close())
        self.idle(run)
        self.assertEqual(
            periods(run.files),
            [("10:30:00.000Z", "11:00:00.000Z", False), ("11:00:00.000Z", "11:00:02.000Z", True)],
        )
        self.assertEqual([keys(rows) for rows in manifests(run.files).values()], [[stored(1).key], []])
        self.assertEqual(run.ready, [FIRST, SECOND])

    def test_before_anything_was_read(self) -> None:
        """What an earlier run left is read first: the manifest of its hour is written, and the last one goes
        on from there."""
        files = MemoryFiles()
        first = Run(files)
        first.rows.stored(stored(1))

        def rule(operation: str, path: str) -> None:
            if operation == "write" and path.startswith("/data/manifest/"):
                raise OSError(errno.EIO, "Input/output error")

        files.rule = rule
        first.advance(HOUR / 2)
        files.kill()
        refuse(files)
        second = Run(files, ELEVEN + 2, Coverage(HALF_PAST_TEN))
        allow(files)
        self.assertEqual(second.ready, [])
        self.successResultOf(second.manifest.close())
        self.assertEqual(second.ready, [FIRST, SECOND])
        self.assertEqual(
            periods(files),
            [("10:30:00.000Z", "11:00:00.000Z", False), ("11:00:00.000Z", "11:00:02.000Z", True)],
        )
        self.assertEqual(keys(manifests(files)[FIRST]), [stored(1).key])


class TroubleTests(Case):
    """What is said when something goes wrong."""

    def test_an_error_without_words(self) -> None:
        """An error of the disk that has no text is told once too, and so is its end."""
        run = Run(MemoryFiles())
        said = self.listen()
        refuse(run.files, OSError())
        run.advance(HOUR / 2 + 3 * POLL_INTERVAL)
        allow(run.files)
        run.advance(POLL_INTERVAL)
        self.assertEqual(len(said), 2, said)
        self.assertEqual(said[1], "manifests are written again")
        self.assertEqual(run.ready, [FIRST])

    def test_an_unexpected_answer(self) -> None:
        """If asking the store fails for any other reason than its absence, the log says where, and the
        manifests go on."""
        said = self.listen()
        run = Chained(MemoryFiles(), lambda instance: fail(ValueError("no such answer")))
        self.assertEqual(said, ["while the store was asked"])
        run.advance(HOUR)
        self.assertEqual([head["previous"] for head in run.heads()], [""])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), len(said))


class SpanTests(Case):
    """When a room was recorded within the minute of a manifest."""

    def rooms(self, *spans: tuple[Span, ...] | None, gaps: tuple[Span, ...] = ()) -> list[dict[str, Any]]:
        """The rows of such rooms."""
        run = Run(MemoryFiles(), timelines=Spans(HALF_PAST_TEN, *spans, gaps=gaps))
        run.advance(60)
        self.successResultOf(run.manifest.close())
        [rows] = manifests(run.files).values()
        return [row for row in rows if row["kind"] == "room"]

    def told(self, *spans: Span) -> Any:
        """What is told of a room with these spans."""
        [row] = self.rooms(spans)
        self.assertEqual(row["suppressed"], 7)
        return row.get("spans")

    def test_all_of_it(self) -> None:
        """A room that was recorded all the time has no spans, and neither has one about which nothing is
        known."""
        rows = self.rooms(((0.0, 60.0),), ((-5.0, 60.0),), None)
        self.assertEqual([row.get("spans", "none") for row in rows], ["none"] * 3)
        self.assertEqual({json.dumps(row) for row in rows}, {json.dumps(rows[0])})

    def test_a_part(self) -> None:
        """Otherwise it has all its spans, in seconds since the beginning of the period, however little is
        missing of it."""
        for spans in (
            [(0.0, 30.0)],
            [(0.0, 59.5)],
            [(0.5, 60.0)],
            [(0.0, 20.0), (40.0, 60.0)],
            [(20.0, 40.0)],
            [],
        ):
            self.assertEqual(self.told(*spans), [list(span) for span in spans])

    def test_before_the_period(self) -> None:
        """After a clock was set back a span does not begin before the period."""
        self.assertEqual(self.told((-5.0, 20.0)), [[0.0, 20.0]])
        self.assertEqual(self.told((-5.0, -2.0), (10.0, 20.0)), [[0.0, 0.0], [10.0, 20.0]])

    def test_gaps(self) -> None:
        """The times when it was missing count from the beginning of the period too."""
        [row] = self.rooms(((0.0, 20.0), (40.0, 60.0)), gaps=((20.0, 40.0),))
        self.assertEqual((row["spans"], row["gaps"]), ([[0.0, 20.0], [40.0, 60.0]], [[20.0, 40.0]]))
