"""Gap records: of holes and of records that could not be kept."""

from __future__ import annotations

import errno
import json
import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import RecorderSettings
from chatlog.counters import Counters
from chatlog.record import encode_basic, encode_full, missing_since
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import Loss
from chatlog.rooms.gap import gap_line, loss_line
from chatlog.spool.spool import Spool
from chatlog.timeline.timeline import Gap
from tests.fakes import MemoryFiles, environment
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
