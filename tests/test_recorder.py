"""The recorder: from a room's door to sealed files."""

from __future__ import annotations

import errno

from twisted.trial.unittest import SynchronousTestCase

from tests.recording import HALF_PAST_TEN, Recording, line


class RoomTests(SynchronousTestCase):
    """``Recorder.room`` and what may be asked of a room."""

    def test_same_handle(self) -> None:
        """A room is made once; the same pair always gives the same handle."""
        recorder = Recording().recorder
        room = recorder.room("twitch", "made_up")
        self.assertIs(recorder.room("twitch", "made_up"), room)
        self.assertIsNot(recorder.room("kick", "made_up"), room)
        self.assertEqual(len(recorder), 2)
        self.assertEqual({each.platform for each in recorder}, {"twitch", "kick"})

    def test_no_path_gets_in(self) -> None:
        """A name that could lead out of the spool, or that names could not be read back from, is
        refused."""
        recorder = Recording().recorder
        for platform, channel in [
            ("twitch", "../../etc"),
            ("twitch", ""),
            ("twitch", "Upper"),
            ("twitch", "a" * 65),
            ("twitch", "a\n"),
            ("tw/itch", "fine"),
            ("twitch_x", "fine"),
            ("", "fine"),
        ]:
            with self.assertRaises(ValueError):
                recorder.room(platform, channel)
        self.assertEqual(len(recorder), 0)


class FlushTests(SynchronousTestCase):
    """The tick."""

    def test_one_write_per_room(self) -> None:
        """All lines of a room that came since the last tick go to its file in one write, in order."""
        rig = Recording().start()
        rig.append("one", line(1), line(2))
        rig.append("two", line(3))
        rig.append("one", line(4))
        rig.advance()
        writes = [path for operation, path in rig.files.log if operation == "write" and "open/" in path]
        self.assertEqual(
            writes,
            ["/data/open/twitch_one_20251229_1030.jsonl", "/data/open/twitch_two_20251229_1030.jsonl"],
        )
        self.assertEqual(
            rig.contents("open"),
            {
                "twitch_one_20251229_1030.jsonl": line(1) + line(2) + line(4),
                "twitch_two_20251229_1030.jsonl": line(3),
            },
        )
        self.assertEqual((rig.counters.appended, rig.counters.written), (4, 4))
        self.assertEqual(rig.counters.written_bytes, sum(map(len, map(line, (1, 2, 3, 4)))))
        room = rig.recorder.room("twitch", "one")
        self.assertEqual((room.written, room.written_at), (3, HALF_PAST_TEN + 0.5))

    def test_sockets_first(self) -> None:
        """What the sockets deliver because of a tick is written in the same tick."""
        rig = Recording()
        rig.deliver = lambda: rig.clock.callLater(0, rig.append, "one", line(1))
        rig.start()
        rig.clock.advance(0.5)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_silent_room(self) -> None:
        """A room that got nothing makes no file."""
        rig = Recording().start()
        rig.recorder.room("twitch", "silent")
        rig.advance(5)
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual((rig.contents("open"), rig.contents("sealed")), ({}, {}))

    def test_errors_do_not_stop_the_ticks(self) -> None:
        """Whatever goes wrong in a tick, the next one comes."""
        rig = Recording()

        def broken() -> None:
            raise RuntimeError("made up")

        rig.deliver = broken
        rig.start()
        rig.append("one", line(1))
        rig.advance()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_few_descriptors(self) -> None:
        """Many more rooms than descriptors: every line still arrives, in order, and the limit holds."""
        rig = Recording(descriptors=4)
        rig.files.most_fds = 6
        rig.start()
        for number in range(3):
            for room in range(50):
                rig.append(f"room{room}", line(number))
            rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        self.assertEqual(len(rig.contents("open")), 50)
        self.assertEqual(set(rig.contents("open").values()), {line(0) + line(1) + line(2)})

    def test_descriptors_run_out(self) -> None:
        """When the system gives fewer descriptors than hoped for, the recorder lives with fewer."""
        rig = Recording(descriptors=1000).start()
        rig.files.most_fds = 10
        for number in range(3):
            for room in range(50):
                rig.append(f"room{room}", line(number))
            rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        rig.files.most_fds = None
        self.assertEqual(set(rig.contents("open").values()), {line(0) + line(1) + line(2)})


class RotationTests(SynchronousTestCase):
    """When files end."""

    def test_on_the_hour(self) -> None:
        """Every file ends at the UTC hour, also that of a room that has gone silent."""
        rig = Recording().start()
        rig.append("silent", line(1))
        rig.advance(1)
        rig.advance(29 * 60)
        rig.append("busy", line(2))
        rig.advance(57)
        self.assertEqual(rig.sealed, [])
        rig.advance(5)
        self.assertEqual(
            sorted(rig.sealed), ["twitch_busy_20251229_1059.jsonl", "twitch_silent_20251229_1030.jsonl"]
        )
        self.assertEqual(rig.contents("open"), {})
        rig.append("busy", line(3))
        rig.advance(1)
        self.assertEqual(list(rig.contents("open")), ["twitch_busy_20251229_1100.jsonl"])
        self.assertEqual(rig.counters.sealed, 2)

    def test_size(self) -> None:
        """A file ends when it has reached the size; the next of that minute has a number."""
        rig = Recording(rotate_size=100).start()
        for number in range(3):
            rig.append("one", line(number, pad=100))
            rig.advance()
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(
            rig.contents("sealed"),
            {
                "twitch_one_20251229_1030.jsonl": line(0, pad=100),
                "twitch_one_20251229_1030-2.jsonl": line(1, pad=100),
                "twitch_one_20251229_1030-3.jsonl": line(2, pad=100),
            },
        )

    def test_clock_goes_back(self) -> None:
        """When the time of day jumps to another period, files rotate; no name is used twice."""
        rig = Recording().start()
        names: list[str] = []
        for jump in (0, -3600, 3600, -7200, 0, 7200):
            rig.wall += jump
            rig.append("one", line(len(names)))
            rig.advance(0.5)
            rig.recorder.rotate_now()
            rig.advance(2)
            names = list(rig.sealed)
            for name in names:
                if name in rig.contents("sealed"):
                    rig.files.remove(rig.spool.path("sealed", name))
        self.assertEqual(len(names), 6)
        self.assertEqual(len(set(names)), 6)

    def test_restart_in_the_same_minute(self) -> None:
        """A name is not used again by the next process, even if its file has left the spool."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance()
        self.successResultOf(rig.recorder.stopService())
        rig.files.remove(rig.spool.path("sealed", "twitch_one_20251229_1030.jsonl"))
        again = Recording(files=rig.files).start()
        again.append("one", line(2))
        again.advance()
        self.assertEqual(list(again.contents("open")), ["twitch_one_20251229_1030-2.jsonl"])


class StopTests(SynchronousTestCase):
    """The end of a run."""

    def test_everything_is_sealed(self) -> None:
        """Stopping writes, syncs and seals everything and lets go of the lock and the clock."""
        rig = Recording().start()
        rig.append("one", line(1))
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(rig.contents("sealed"), {"twitch_one_20251229_1030.jsonl": line(1)})
        self.assertEqual(rig.counters.durable, 1)
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        Recording(files=rig.files).start()

    def test_start_again(self) -> None:
        """A recorder that was stopped can be started again."""
        rig = Recording().start()
        rig.append("one", line(1))
        self.successResultOf(rig.recorder.stopService())
        rig.start()
        rig.append("one", line(2))
        rig.advance(2)
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(len(rig.contents("sealed")), 2)


class FullTests(SynchronousTestCase):
    """Nothing can be written."""

    def test_no_space(self) -> None:
        """On a full disk lines wait in memory; whole lines only are in the file; when there is space
        again everything is written, in order, once."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance()
        rig.files.remove("/data/ballast")
        rig.files.capacity = rig.files.used() + 10
        rig.append("one", line(2), line(3))
        rig.advance(3)
        self.assertIn("No space left", rig.recorder.trouble)
        self.assertEqual(rig.recorder.buffered_bytes, len(line(2) + line(3)))
        rig.append("one", line(4))
        rig.advance(3)
        rig.files.capacity = None
        rig.advance(1)
        self.assertEqual(rig.recorder.trouble, "")
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(
            rig.contents("sealed"),
            {
                "twitch_one_20251229_1030.jsonl": line(1),
                "twitch_one_20251229_1030-2.jsonl": line(2) + line(3) + line(4),
            },
        )
        self.assertEqual((rig.counters.appended, rig.counters.written), (4, 4))

    def test_overflow(self) -> None:
        """Beyond the memory set aside the newest records are dropped, counted for every room, and
        reported when the room can be written again."""
        size = len(line(0))
        rig = Recording(buffer_limit=4 * size).start()
        rig.files.rule = _no_writes
        rig.append("one", line(0), line(1))
        rig.advance()
        rig.append("two", line(2), line(3), line(4))
        rig.append("one", line(5))
        rig.advance()
        rig.append("three", line(6))
        rig.advance()
        self.assertEqual(rig.counters.dropped["overflow"], 3)
        self.assertEqual(rig.recorder.buffered_bytes, 4 * size)
        self.assertEqual(rig.losses, [])
        rig.files.rule = lambda operation, path: None
        rig.advance()
        self.assertEqual(
            {name.split("_")[1]: data for name, data in rig.contents("open").items()},
            {"one": line(0) + line(1) + line(5), "two": line(2)},
        )
        lost = {loss.channel: loss for loss in rig.losses}
        self.assertEqual({name: loss.count for name, loss in lost.items()}, {"two": 2, "three": 1})
        self.assertEqual((lost["two"].first, lost["two"].last), (HALF_PAST_TEN + 0.5, HALF_PAST_TEN + 1.0))
        self.assertEqual(rig.counters.appended, 7)
        self.assertEqual(rig.counters.written + rig.counters.dropped["overflow"], 7)


def _no_writes(operation: str, path: str) -> None:
    if operation == "write":
        raise OSError(errno.ENOSPC, "No space left on device", path)
