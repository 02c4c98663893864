"""Manifests of hours: what was stored, how much of each room was recorded, and nothing twice or never."""

from __future__ import annotations

import contextlib
import errno
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatlog import __version__
from chatlog.config.settings import UploaderSettings
from chatlog.record import to_line
from chatlog.state.lines import decode
from chatlog.timeline.timelines import CoverageTotals
from chatlog.uploader.deposit import Stored
from chatlog.uploader.manifest import HOUR, POLL_INTERVAL, Manifest, ends
from chatlog.uploader.manifest_chain import digest_of
from chatlog.uploader.manifest_rows import seconds_of
from chatlog.uploader.shipment import Shipment
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import Crashed, ImmediateThreads, MemoryFiles, QueuedThreads, environment
from tests.journal.test_coverage_journal import Run as Recorded
from tests.recording import HALF_PAST_TEN

Row = dict[str, Any]


def stored(number: int, content: str = "data") -> Stored:
    """An object like no other."""
    name = f"twitch_room_20251229_1030-{number}.jsonl"
    time = "2025-12-29T10:30:00.000Z"
    key = f"2025/12/29/twitch/room/{name}.zst"
    return Stored(name, key, 100 + number, f"{number:064x}", 3, time, time, content)


class Coverage:
    """Rooms that are always recorded but for their first second; its journal is on the disk at once."""

    def __init__(self, since: float, rooms: int = 2) -> None:
        self.period = since
        self.rooms = rooms

    def rows(self, since: float, until: float) -> Iterator[CoverageTotals]:
        for number in range(self.rooms):
            yield CoverageTotals("twitch", f"room{number}", until - since - 1.0, 1.0, "")

    def start_period(self, at: float) -> None:
        self.period = at


class Run:
    """One life of a process, on files that may have seen earlier ones."""

    def __init__(
        self,
        files: MemoryFiles,
        at: float = HALF_PAST_TEN,
        timelines: Any = None,
        threads: ImmediateThreads | QueuedThreads | None = None,
        instance: str = "",
    ) -> None:
        self.files = files
        files.make_directories("/data")
        self.clock = Clock()
        self.at = at
        self.timelines = timelines or Coverage(at)
        self.ready: list[str] = []
        self.rows = StoredJournal(files, "/data")
        self.manifest = Manifest(
            self.rows,
            instance,
            self.timelines,
            environment(self.clock, self.now, files, threads),
            self.ready.extend,
        )
        self.manifest.startService()

    def now(self) -> float:
        return self.at + self.clock.seconds()

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / POLL_INTERVAL)):
            self.clock.advance(POLL_INTERVAL)


def manifests(files: MemoryFiles) -> dict[str, list[Row]]:
    """The manifests that wait, by name."""
    found = {}
    for name in sorted(files.names("/data/manifest")):
        found[name] = [json.loads(line) for line in files.content(f"/data/manifest/{name}").splitlines()]
    return found


def keys(rows: list[Row]) -> list[str]:
    return [row["key"] for row in rows if row["kind"] == "object"]


class HourTests(SynchronousTestCase):
    """What a manifest holds, and when it comes."""

    def test_rows(self) -> None:
        """A head with the period and who wrote it, a row for each object, a row for each room."""
        run = Run(MemoryFiles(), instance="left")
        run.rows.stored(stored(1))
        run.rows.stored(stored(2))
        run.advance(HOUR / 2 + POLL_INTERVAL)
        self.assertEqual(run.ready, ["left_20251229_1000.jsonl"])
        [rows] = manifests(run.files).values()
        head = {
            "kind": "manifest",
            "from": "2025-12-29T10:30:00.000Z",
            "to": "2025-12-29T11:00:00.000Z",
            "version": __version__,
            "instance": "left",
            "format": 2,
            "previous": "",
            "new_spool": True,
        }
        first = {**stored(1)._asdict(), "kind": "object"}
        del first["name"], first["content"], first["inside"]
        room = {
            "kind": "room",
            "platform": "twitch",
            "channel": "room0",
            "recorded": 1799.0,
            "missing": 1.0,
            "reason": "",
        }
        self.assertEqual((rows[0], rows[1], rows[3]), (head, first, room))
        self.assertEqual([row["kind"] for row in rows], ["manifest", "object", "object", "room", "room"])

    def test_hours_follow_each_other(self) -> None:
        """Every hour has its manifest, also one in which nothing was stored, and each begins where the
        one before ended. An instance without a name is called main."""
        run = Run(MemoryFiles())
        run.advance(3 * HOUR)
        found = manifests(run.files)
        self.assertEqual(list(found), [f"main_20251229_{hour}00.jsonl" for hour in (10, 11, 12)])
        self.assertEqual(run.ready, list(found))
        heads = [rows[0] for rows in found.values()]
        self.assertEqual([head["to"] for head in heads[:-1]], [head["from"] for head in heads[1:]])
        self.assertEqual({len(rows) for rows in found.values()}, {3})
        self.assertEqual(["new_spool" in head for head in heads], [True, False, False])

    def test_new_spool(self) -> None:
        """The first manifest of a spool says that it is; after a restart, however it came, none does."""
        files = MemoryFiles()
        run = Run(files)
        run.advance(HOUR)
        files.kill()
        again = Run(files, timelines=run.timelines)
        again.rows.stored(stored(1))
        again.advance(2 * HOUR)
        heads = [rows[0] for rows in manifests(files).values()]
        self.assertEqual([head.get("new_spool") for head in heads], [True, *[None] * (len(heads) - 1)])
        self.assertGreater(len(heads), 1)

    def test_nothing_comes_before_the_hour_is_over(self) -> None:
        """The hour ends with UTC's."""
        run = Run(MemoryFiles())
        run.rows.stored(stored(1))
        run.advance(HOUR / 2 - POLL_INTERVAL)
        self.assertEqual((run.ready, run.files.names("/data/manifest")), ([], []))

    def test_stored_twice_is_one_row(self) -> None:
        """The uploader may say it again, also after a restart; a manifest is no news."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        run.rows.stored(stored(1))
        run.rows.stored(stored(2, "manifest"))
        files.kill()
        again = Run(files, timelines=run.timelines)
        again.rows.stored(stored(1))
        again.advance(HOUR)
        self.assertEqual(keys(manifests(files)["main_20251229_1000.jsonl"]), [stored(1).key])

    def test_meanwhile(self) -> None:
        """What is stored while a manifest is being written belongs to the next one."""
        threads = QueuedThreads()
        run = Run(MemoryFiles(), threads=threads)
        run.rows.stored(stored(1))
        run.advance(HOUR / 2)
        [(_, finish, arguments)] = threads.jobs
        finish(*arguments)
        run.rows.stored(stored(2))
        threads.pump()
        run.advance(HOUR)
        threads.pump()
        found = manifests(run.files)
        self.assertEqual([keys(rows) for rows in found.values()], [[stored(1).key], [stored(2).key]])

    def test_taken_name(self) -> None:
        """A second manifest of an hour, as after the clock was set back, has a number."""
        files = MemoryFiles()
        Run(files).advance(HOUR / 2)
        Run(files).advance(HOUR / 2)
        self.assertEqual(
            list(manifests(files)), ["main_20251229_1000.jsonl", "main_20251229_1000n0002.jsonl"]
        )

    def test_the_uploader_finds_them(self) -> None:
        """A manifest that an earlier run has left is shipped like a file of recordings; what is not
        finished is neither taken nor removed."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        run.advance(HOUR / 2)
        run.rows.stored(stored(2))
        shipment = Shipment(files, "/data", cast(Any, None), UploaderSettings("none"), print, print)
        self.assertEqual([item.name for item, _ in shipment.waiting()], ["main_20251229_1000.jsonl"])
        run.advance(HOUR)
        self.assertEqual(keys(manifests(files)["main_20251229_1100.jsonl"]), [stored(2).key])


class ClosingTests(SynchronousTestCase):
    """The last manifest of a recorder that has handed everything over."""

    def test_closed(self) -> None:
        """It comes at once, says that it is the last, and whose rooms are shared; the next start goes on from
        there."""
        run = Run(MemoryFiles(), instance="left")
        run.manifest.cluster = "main"
        run.rows.stored(stored(1))
        run.advance(60)
        self.successResultOf(run.manifest.close())
        self.assertEqual(run.ready, ["left_20251229_1000.jsonl"])
        [rows] = manifests(run.files).values()
        self.assertEqual((rows[0]["closed"], rows[0]["cluster"]), (True, "main"))
        self.assertEqual([row["kind"] for row in rows], ["manifest", "object", "room", "room"])
        later = Run(run.files, HALF_PAST_TEN + 120, run.timelines, instance="left")
        later.advance(HOUR / 2)
        second = manifests(run.files)["left_20251229_1000n0002.jsonl"]
        self.assertEqual(second[0]["from"], rows[0]["to"])
        self.assertNotIn("closed", second[0])

    def test_the_disk_refuses(self) -> None:
        """If it cannot be written, whoever closes hears of it."""
        run = Run(MemoryFiles())

        def broken(called: str, path: str) -> None:
            if called == "write" and path == "/data/state/stored":
                raise OSError(errno.EIO, "Input/output error")

        run.files.rule = broken
        self.failureResultOf(run.manifest.close(), OSError)


class RestartTests(SynchronousTestCase):
    """An hour outlives the process."""

    def test_within_the_hour(self) -> None:
        """The hour goes on; its manifest has the objects of both runs."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        files.lose()
        later = Run(files, HALF_PAST_TEN + 60, run.timelines)
        later.rows.stored(stored(2))
        later.advance(HOUR / 2)
        [rows] = manifests(files).values()
        self.assertEqual(keys(rows), [stored(1).key, stored(2).key])
        self.assertEqual(rows[0]["from"], "2025-12-29T10:30:00.000Z")

    def test_after_the_hour(self) -> None:
        """The next start writes what the earlier run could not: its hour, and the time when nobody was
        there."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        files.lose()
        later = Run(files, HALF_PAST_TEN + 5 * HOUR, run.timelines)
        self.assertEqual(later.ready, ["main_20251229_1000.jsonl", "main_20251229_1100.jsonl"])
        first, second = manifests(files).values()
        self.assertEqual((keys(first), keys(second)), ([stored(1).key], []))
        self.assertEqual(
            [(rows[0]["from"][11:16], rows[0]["to"][11:16]) for rows in (first, second)],
            [("10:30", "11:00"), ("11:00", "15:00")],
        )

    def test_ends(self) -> None:
        """An hour that goes on ends nowhere yet; later its end is known to the second."""
        self.assertEqual(ends(3610.0, 7199.0), [])
        self.assertEqual(ends(3610.0, 7200.0), [7200.0])
        self.assertEqual(ends(3610.0, 10799.0), [7200.0])
        self.assertEqual(ends(3610.0, 36000.5), [7200.0, 36000.0])
        self.assertEqual(ends(7200.0, 3600.0), [])

    def test_seconds_of_rooms(self) -> None:
        """Seconds that were recorded and seconds that were not add up over restarts, and what happens
        while a manifest is being written is counted once."""
        files = MemoryFiles()
        files.make_directories("/data")
        at = HALF_PAST_TEN
        first = Recorded(files, at)
        manifest = Run(files, at, first.timelines)
        first.acknowledge("a", "b")
        first.advance(600)
        manifest.clock.advance(600)
        files.kill()
        second = Recorded(files, at + 610)
        threads = QueuedThreads()
        manifest = Run(files, at + 610, second.timelines, threads)
        second.acknowledge("a", "b")
        second.advance(1190)
        manifest.advance(1190)
        # The hour is over, and its manifest takes its time.
        [link] = second.links
        second.played.down(link, second.now(), "connection lost")
        second.advance(5)
        second.acknowledge("a", "b")
        second.advance(5)
        threads.pump()
        second.advance(5)
        manifest.clock.advance(15)
        manifest.advance(HOUR - 10)
        second.advance(HOUR - 15)
        threads.pump()
        rooms = [
            [(row["recorded"], row["missing"]) for row in rows if row["kind"] == "room"]
            for rows in manifests(files).values()
        ]
        self.assertEqual(rooms[0], [(1790.0, 10.0)] * 2)
        for recorded, missing in rooms[1]:
            self.assertAlmostEqual(missing, 5.0, delta=0.01)
            self.assertAlmostEqual(recorded + missing, HOUR, delta=0.01)

    def test_killed_before_coverage_knew(self) -> None:
        """The next run counts no second twice when the earlier one was killed between the manifest and
        the next flush."""
        files = MemoryFiles()
        files.make_directories("/data")
        first = Recorded(files, HALF_PAST_TEN)
        manifest = Run(files, HALF_PAST_TEN, first.timelines)
        first.acknowledge("a", "b")
        first.advance(HOUR / 2 - 1)
        manifest.advance(HOUR / 2)
        self.assertEqual(manifest.ready, ["main_20251229_1000.jsonl"])
        files.kill()
        second = Recorded(files, HALF_PAST_TEN + HOUR / 2 + 9)
        self.assertEqual(second.timelines.period, HALF_PAST_TEN)
        manifest = Run(files, HALF_PAST_TEN + HOUR / 2 + 9, second.timelines)
        self.assertEqual(manifest.ready, [])
        self.assertEqual(second.timelines.period, HALF_PAST_TEN + HOUR / 2)
        second.acknowledge("a", "b")
        second.advance(HOUR - 9)
        manifest.advance(HOUR)
        rows = manifests(files)["main_20251229_1100.jsonl"]
        self.assertEqual(rows[0]["from"], "2025-12-29T11:00:00.000Z")
        for row in rows[1:]:
            self.assertAlmostEqual(row["missing"], 9.0, delta=0.01)
            whole = seconds_of(rows[0]["to"]) - seconds_of(rows[0]["from"])
            self.assertAlmostEqual(row["recorded"], whole - 9, delta=0.01)


class TroubleTests(SynchronousTestCase):
    """The disk."""

    def test_a_row_that_cannot_be_written_keeps_the_file(self) -> None:
        """The uploader hears of it, and the next try counts."""
        for operation in ("write", "sync"):
            files = MemoryFiles()
            run = Run(files)
            run.rows.stored(stored(1))

            def broken(called: str, path: str, operation: str = operation) -> None:
                if called == operation and path == "/data/state/stored":
                    raise OSError(errno.EIO, "Input/output error")

            files.rule = broken
            self.assertRaises(OSError, run.rows.stored, stored(2))
            files.rule = lambda called, path: None
            run.rows.stored(stored(2))
            run.rows.stored(stored(3))
            files.lose()
            Run(files, HALF_PAST_TEN + HOUR, run.timelines)
            [rows] = manifests(files).values()
            self.assertEqual(keys(rows), [stored(n).key for n in (1, 2, 3)], operation)

    def test_full_disk(self) -> None:
        """On a full disk there is still room for rows, so that files can go."""
        files = MemoryFiles()
        run = Run(files)
        files.capacity = files.used()
        for number in range(500):
            run.rows.stored(stored(number))
        files.capacity = None
        run.advance(HOUR / 2)
        self.assertEqual(len(keys(manifests(files)["main_20251229_1000.jsonl"])), 500)

    def test_hour_ends_later(self) -> None:
        """A manifest that cannot be written is written later, with the seconds of its hour; one line
        says so, and one that it is over."""
        files = MemoryFiles()
        run = Run(files)

        def full(called: str, path: str) -> None:
            if called == "write":
                raise OSError(errno.ENOSPC, "No space left on device")

        said: list[str] = []

        def take(event: LogEvent) -> None:
            if event.get("log_namespace") == "chatlog.uploader.manifest.Manifest":
                said.append(formatEvent(event))

        observe: Any = take
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        files.rule = full
        run.advance(HOUR / 2 + 10 * POLL_INTERVAL)
        self.assertEqual(run.ready, [])
        files.rule = lambda called, path: None
        run.advance(2 * POLL_INTERVAL)
        self.assertEqual(len(said), 2)
        self.assertIn("No space left on device", said[0])
        self.assertEqual(said[1], "manifests are written again")
        self.assertEqual(run.ready, ["main_20251229_1000.jsonl"])
        [rows] = manifests(files).values()
        self.assertEqual(rows[0]["to"], "2025-12-29T11:00:00.000Z")

    def test_one_error_anywhere(self) -> None:
        """An error at any one call: every row is in one manifest, no hour is missing, none is twice."""
        n = 0
        while True:
            n += 1
            files = MemoryFiles()
            files.make_directories("/data")
            files.fail(n, errno.EIO)
            run = Run(files)
            said = []
            for number in range(6):
                try:
                    run.rows.stored(stored(number))
                except OSError:
                    run.rows.stored(stored(number))
                said.append(stored(number).key)
                run.advance(HOUR / 2)
            run.advance(HOUR)
            found = manifests(files)
            told = [key for rows in found.values() for key in keys(rows)]
            at = f"call {n}: {files.log[n - 1] if n <= len(files.log) else ''}"
            self.assertEqual(sorted(told), sorted(said), at)
            self.assertEqual(sorted(run.ready), sorted(found), at)
            _check_sequence(self, found, at)
            if n > files.calls:
                break
        self.assertGreater(n, 40)

    def test_errors_at_a_start_after_the_hour(self) -> None:
        """A start that has to end the hour of an earlier run, and meets an error at any one call or at two,
        writes each manifest once, and every one of them is about some time."""
        n = 0
        calls = 1
        while n < calls:
            n += 1
            for again in (0, 1, 5):
                for late in (HOUR, 4 * HOUR):
                    files = MemoryFiles()
                    files.make_directories("/data")
                    first = Run(files)
                    first.rows.stored(stored(1))
                    files.kill()
                    before = files.calls
                    files.fail(n, errno.EIO)
                    if again:
                        files.fail(n + again, errno.EIO)
                    run = Run(files, HALF_PAST_TEN + late, first.timelines)
                    run.advance(4 * POLL_INTERVAL)
                    at = f"call {n} and {again} later: {files.log[before + n - 1 :][:1]}, {late:.0f} s"
                    # After more than an hour, the time that nobody was there may come in several parts.
                    self.assertIn(len(run.ready), (1,) if late == HOUR else (2, 3, 4), at)
                    for _ in range(3):
                        with contextlib.suppress(OSError):
                            run.rows.stored(stored(2))
                    run.advance(HOUR)
                    found = manifests(files)
                    self.assertEqual(sorted(run.ready), sorted(found), at)
                    self.assertEqual(
                        [keys(rows) for rows in found.values() if keys(rows)],
                        [[stored(1).key], [stored(2).key]],
                        at,
                    )
                    for rows in found.values():
                        self.assertLess(rows[0]["from"], rows[0]["to"], at)
                    _check_sequence(self, found, at)
                    calls = files.calls - before
        self.assertGreater(n, 20)


class CrashTests(SynchronousTestCase):
    """The machine dies at any call of three hours, and another process goes on."""

    def test_power_cut_anywhere(self) -> None:
        """Every object whose row was said to be safe is in a manifest; the periods follow each other
        without a hole and without being counted twice; no manifest is broken."""
        calls = self._live(MemoryFiles(), set())[0].files.calls
        broken: Counter[str] = Counter()
        for n in range(1, calls + 1):
            for seed in range(3):
                files = MemoryFiles()
                files.make_directories("/data")
                files.crash_at(n)
                said: set[str] = set()
                run, shipped = self._live(files, said)
                chance = random.Random(f"{n} {seed}")
                if seed == 0:
                    files.kill()
                else:
                    files.crash(chance)
                broken["torn"] += _is_torn(files)
                later = Run(files, run.now() + 1, run.timelines)
                later.rows.stored(stored(99))
                later.advance(HOUR)
                found = {**shipped, **manifests(files)}
                at = f"call {n}, seed {seed}"
                told = {key for rows in found.values() for key in keys(rows)}
                self.assertEqual(said - told, set(), at)
                self.assertIn(stored(99).key, told, at)
                self.assertLessEqual(told, {stored(number).key for number in (*range(6), 99)}, at)
                _check_sequence(self, found, at)
        self.flushLoggedErrors(Crashed)
        # The sweep would prove little if no row had ever been broken.
        self.assertGreater(broken["torn"], 5)

    def _live(self, files: MemoryFiles, said: set[str]) -> tuple[Run, dict[str, list[Row]]]:
        """Three hours with six objects; what the uploader has shipped and removed."""
        shipped: dict[str, list[Row]] = {}
        run = Run.__new__(Run)
        try:
            run.__init__(files)  # type: ignore[misc]
            for number in range(6):
                run.rows.stored(stored(number))
                said.add(stored(number).key)
                run.advance(HOUR / 2)
                if number % 2 and not files.dead:
                    found = manifests(files)
                    for name in run.ready:
                        if name in found:
                            shipped[name] = found[name]
                            files.remove(f"/data/manifest/{name}")
        except Crashed:
            pass
        return run, shipped


def _is_torn(files: MemoryFiles) -> bool:
    """Whether the journal has a line that is none."""
    if "/data/state/stored" not in files.tree:
        return False
    lines = files.content("/data/state/stored").split(b"\n")
    return not all(decode(line) for line in lines if line) or lines[-1] != b""


def _check_sequence(test: SynchronousTestCase, found: dict[str, list[Row]], at: str) -> None:
    heads = sorted((rows[0]["from"], rows[0]["to"]) for rows in found.values())
    for rows in found.values():
        test.assertEqual(rows[0]["kind"], "manifest", at)
        test.assertEqual([row["channel"] for row in rows if row["kind"] == "room"], ["room0", "room1"], at)
    test.assertEqual([to for _, to in heads[:-1]], [since for since, _ in heads[1:]], at)
    test.assertEqual(heads[0][0], "2025-12-29T10:30:00.000Z", at)
    in_order = sorted(found.values(), key=lambda rows: (rows[0]["from"], rows[0]["to"]))
    digests = [digest_of([to_line(row) for row in rows]) for rows in in_order]
    test.assertEqual([rows[0]["previous"] for rows in in_order], ["", *digests[:-1]], at)
