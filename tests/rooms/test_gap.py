"""Gap records: of holes and of records that could not be kept."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import RecorderSettings
from chatlog.counters import Counters
from chatlog.record import Encode, encode_basic, encode_full, missing_since
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import Loss
from chatlog.rooms.gap import GapRecords, Gaps, gap_line, loss_line
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room
from chatlog.spool.spool import Spool
from chatlog.timeline.timeline import Gap
from tests.fakes import MemoryFiles, environment
from tests.played import Played
from tests.recording import HALF_PAST_TEN, Recording, line


class LineTests(SynchronousTestCase):
    def test_hole(self) -> None:
        """A gap record says from when to when the room was not recorded, and why; its own time is when
        the gap ended."""
        hole = Gap(HALF_PAST_TEN, HALF_PAST_TEN + 1.5, "connection lost")
        record = json.loads(gap_line(encode_full, "kick", "room", "77", hole))
        self.assertEqual(
            record,
            {
                "timestamp": "2025-12-29T10:30:01.500Z",
                "channel": "room",
                "username": "",
                "user_id": "",
                "message": "",
                "type": "gap",
                "id": "",
                "platform": "kick",
                "channel_id": "77",
                "received": "2025-12-29T10:30:01.500Z",
                "details": {
                    "from": "2025-12-29T10:30:00.000Z",
                    "to": "2025-12-29T10:30:01.500Z",
                    "reason": "connection lost",
                    "backfilled": 0,
                },
            },
        )

    def test_loss(self) -> None:
        """A gap record of records that could not be kept says how many they were."""
        loss = Loss("twitch", "room", 7, HALF_PAST_TEN, HALF_PAST_TEN + 60.0, "disk full")
        record = json.loads(loss_line(encode_full, loss, "5"))
        self.assertEqual((record["type"], record["platform"], record["channel_id"]), ("gap", "twitch", "5"))
        self.assertEqual(
            record["details"],
            {
                "from": "2025-12-29T10:30:00.000Z",
                "to": "2025-12-29T10:31:00.000Z",
                "reason": "disk full",
                "backfilled": 0,
                "dropped": 7,
            },
        )

    def test_read_back(self) -> None:
        """The beginning of a hole can be read from its record, whatever a server's words in it; nothing
        else is taken for one."""
        hole = Gap(HALF_PAST_TEN + 0.25, HALF_PAST_TEN + 9.0, "login refused: \ud800")
        self.assertEqual(
            missing_since(gap_line(encode_full, "twitch", "room", "5", hole)), HALF_PAST_TEN + 0.25
        )
        for other in (
            b'{"type":"message","details":{"type":"gap","from":"2025-12-29T10:30:00.000Z"}}\n',
            b'{"details":{"type":"gap"}}\n',
            b'{"type":"gap","details":{"from":7}}\n',
            b'{"type":"gap"}\n',
            b'["type":"gap"]\n',
            b'{"type":"gap","details":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        ):
            self.assertIsNone(missing_since(other), other[:80])

    def test_basic_detail(self) -> None:
        """The original format has no gap records."""
        self.assertEqual(gap_line(encode_basic, "kick", "room", "", Gap(1.0, 2.0, "x")), b"")

    def test_loss_with_gaps(self) -> None:
        """If gap records could not be kept, the record of the loss begins where the first of their gaps did;
        it does not begin later than the loss, nor end before it begins."""
        for since, first, last, expected in (
            (None, 0.0, 60.0, ("10:30:00", "10:31:00")),
            (-300.0, 0.0, 60.0, ("10:25:00", "10:31:00")),
            (30.0, 0.0, 60.0, ("10:30:00", "10:31:00")),
            (None, 0.0, -60.0, ("10:30:00", "10:30:00")),
        ):
            began = None if since is None else HALF_PAST_TEN + since
            loss = Loss("twitch", "room", 7, HALF_PAST_TEN + first, HALF_PAST_TEN + last, "overflow", began)
            details = json.loads(loss_line(encode_full, loss, "5"))["details"]
            self.assertEqual(
                (details["from"], details["to"]), tuple(f"2025-12-29T{at}.000Z" for at in expected)
            )


HOLE = Gap(HALF_PAST_TEN, HALF_PAST_TEN + 1.5, "connection lost")
LOSS = Loss("twitch", "room", 7, HALF_PAST_TEN, HALF_PAST_TEN + 60.0, "disk full")


class RecordCase(SynchronousTestCase):
    """A room of Twitch whose gap records are written."""

    def records(self, instance: str = "", encode: Encode = encode_full) -> GapRecords:
        """Writes the gap records of ``self.room``."""
        self.counters = Counters()
        self.buffers = RoomBuffers()
        self.room = Room("room", self.buffers.room("twitch", "room"), "5")
        around = environment(Clock(), counters=self.counters, encode=encode)
        return GapRecords(around, self.buffers, instance)

    def details(self) -> list[dict[str, Any]]:
        """What the records say that were written to the room, oldest first."""
        lines = self.buffers.room("twitch", "room").lines
        found = [json.loads(each) for each in lines]
        for each in found:
            named = (each["type"], each["platform"], each["channel"], each["channel_id"])
            self.assertEqual(named, ("gap", "twitch", "room", "5"))
        return [each["details"] for each in found]


class RecordsTests(RecordCase):
    """Gap records in the streams of their rooms."""

    def test_written(self) -> None:
        """Each gap and each loss is one record in the stream of its own room, and counted once. Nothing was
        backfilled unless it says so."""
        records = self.records()
        records.write("twitch", self.room, HOLE)
        records.write("twitch", self.room, HOLE, 3)
        records.write_loss(LOSS, "5")
        self.assertEqual(
            [(each["reason"], each["backfilled"], each.get("dropped")) for each in self.details()],
            [("connection lost", 0, None), ("connection lost", 3, None), ("disk full", 0, 7)],
        )
        self.assertEqual(self.counters.gaps, 3)
        self.assertEqual([each for each in self.details() if "instance" in each], [])

    def test_who_says_so(self) -> None:
        """Where others record the same rooms, every gap record names the recorder that it is about."""
        records = self.records("left")
        records.write("twitch", self.room, HOLE)
        records.write_loss(LOSS, "5")
        self.assertEqual([each["instance"] for each in self.details()], ["left", "left"])

    def test_without_records(self) -> None:
        """In the original format, which has no gap records, gaps are counted and leave no line."""
        records = self.records(encode=encode_basic)
        records.write("twitch", self.room, HOLE)
        records.write_loss(LOSS, "5")
        self.assertEqual((self.counters.gaps, self.buffers.waiting), (2, []))


class Deferring:
    """Takes down what it is told about Twitch's rooms."""

    platform = "twitch"

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def watch(self, pool: Pool) -> None:
        self.told.append(("watch", pool))

    def closed(self, room: Room, gap: Gap) -> None:
        self.told.append(("closed", room, gap))

    def uncovered(self, room: Room) -> None:
        self.told.append(("uncovered", room))

    def flushed(self, complete: bool) -> None:
        self.told.append(("flushed", complete))


class GapsTests(RecordCase):
    """Who writes the record of a gap."""

    def test_deferred(self) -> None:
        """Whoever backfills a platform hears of its pools and gaps, and writes their records itself."""
        deferral = Deferring()
        gaps = Gaps(self.records(), deferral)
        pool = Played(float).pool(environment(Clock()))
        gaps.watch(pool)
        gaps.uncovered("twitch", self.room)
        gaps.closed("twitch", self.room, HOLE)
        self.assertEqual(
            deferral.told, [("watch", pool), ("uncovered", self.room), ("closed", self.room, HOLE)]
        )
        self.assertEqual((self.details(), self.counters.gaps), ([], 0))

    def test_other_platforms(self) -> None:
        """The gaps of all other platforms are written at once."""
        deferral = Deferring()
        gaps = Gaps(self.records(), deferral)
        room = Room("other", self.buffers.room("kick", "other"))
        gaps.watch(Played(float).pool(environment(Clock()), platform="kick"))
        gaps.uncovered("kick", room)
        gaps.closed("kick", room, HOLE)
        self.assertEqual(deferral.told, [])
        self.assertEqual(
            [missing_since(each) for each in self.buffers.room("kick", "other").lines], [HALF_PAST_TEN]
        )

    def test_nobody_defers(self) -> None:
        """Without backfill every gap is written at once."""
        gaps = Gaps(self.records())
        gaps.watch(Played(float).pool(environment(Clock())))
        gaps.uncovered("twitch", self.room)
        gaps.flushed(HALF_PAST_TEN, True, 0.0, False)
        self.assertEqual(self.details(), [])
        gaps.closed("twitch", self.room, HOLE)
        self.assertEqual([each["reason"] for each in self.details()], ["connection lost"])

    def test_losses(self) -> None:
        """What could not be kept cannot be backfilled, so its record is written at once."""
        deferral = Deferring()
        Gaps(self.records(), deferral).lost(LOSS, "5")
        self.assertEqual(deferral.told, [])
        self.assertEqual([each["dropped"] for each in self.details()], [7])

    def test_flushes(self) -> None:
        """Whoever backfills hears of every flush, and whether all records are in files."""
        deferral = Deferring()
        gaps = Gaps(self.records(), deferral)
        gaps.flushed(HALF_PAST_TEN, False, 0.0, False)
        gaps.flushed(HALF_PAST_TEN + 1.0, True, 0.0, True)
        self.assertEqual(deferral.told, [("flushed", False), ("flushed", True)])


class ReasonTests(SynchronousTestCase):
    """Why records were dropped."""

    def lose(self, recording: Recording) -> Loss:
        recording.append("room", *(line(n, pad=100) for n in range(20)))
        recording.advance(2)
        recording.files.capacity = None
        recording.files.rule = lambda operation, path: None
        recording.append("room", line(99))
        recording.advance(1)
        [loss] = recording.losses
        return loss

    def test_disk_full(self) -> None:
        """A disk or a spool without space is given as the reason."""
        recording = Recording(buffer_limit=500).start()
        recording.files.capacity = recording.files.used()
        loss = self.lose(recording)
        self.assertEqual((loss.reason, loss.count > 10), ("disk full", True))

    def test_other_trouble(self) -> None:
        """A disk that cannot be written for another reason overflows the memory."""

        def broken(operation: str, path: str) -> None:
            if operation == "write":
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)

        recording = Recording(buffer_limit=500).start()
        recording.files.rule = broken
        self.assertEqual(self.lose(recording).reason, "overflow")


class FlushTests(SynchronousTestCase):
    def test_after_every_flush(self) -> None:
        """Who wants to know is told after every flush, when what it had to write is in the files."""
        clock, files = Clock(), MemoryFiles()
        told: list[tuple[float, int, int]] = []
        recorder = Recorder(
            RecorderSettings(directory="/data"),
            Spool("/data", files),
            environment(
                clock, lambda: HALF_PAST_TEN + clock.seconds(), files, counters=(counters := Counters())
            ),
            Hooks(
                lambda: None,
                lambda names: None,
                lambda text: None,
                after_flush=[lambda now, *_: told.append((now, counters.written, recorder.buffered_bytes))],
            ),
            descriptors=10,
        )
        recorder.startService()
        recorder.room("twitch", "a").append(line(1))
        for _ in range(2):
            clock.advance(0.5)
            clock.advance(0)
        self.assertEqual(told, [(HALF_PAST_TEN + 0.5, 1, 0), (HALF_PAST_TEN + 1.0, 1, 0)])
        self.successResultOf(recorder.stopService())
