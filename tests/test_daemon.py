"""The daemon as people run it: real processes, TLS, a real S3 API over HTTP, signals."""

from __future__ import annotations

import re
import signal
import socket
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import Process, Stage, wait_for

#: Twisted ends within this many seconds of a signal; two are promised, the rest is Python's own end on a
#: machine that is busy with tests.
END_WITHIN = 3.0


class DaemonCase(SynchronousTestCase):
    """A stage that is cleared when the test ends."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def recording(self, daemon: Process, platform: str, rooms: int) -> None:
        """Wait until all rooms of a platform are recorded."""
        daemon.says(rf"{platform} +recording {rooms} of {rooms} rooms", 40)

    def ended(self, daemon: Process, number: int) -> None:
        """End the daemon with a signal: in time, with twistd's own exit status, without a traceback."""
        began = time.monotonic()
        # twistd hands the signal on to itself once everything has stopped.
        self.assertEqual(daemon.end(number), -number, daemon.output())
        self.assertLess(time.monotonic() - began, END_WITHIN)
        self.assertNotIn("Traceback", daemon.output())

    def assertWhole(self, found: dict[str, Any], at_least: int) -> None:
        """The judge has found everything, once, unaltered and in order."""
        self.assertGreater(found["recorded"], at_least)
        for fault in ("lost", "doubled", "altered", "out_of_order", "invalid", "unknown"):
            self.assertEqual(found[fault], 0, f"{fault}: {found['examples'][:5]} {found['missing'][:5]}")


class LifeTests(DaemonCase):
    """From the first message to the last object."""

    def test_from_chat_to_objects(self) -> None:
        """Everything that was said in Twitch and Kick rooms is in an object of the bucket: once, in
        order, byte for byte, also over SIGTERM and a new start; nothing is left on the disk then."""
        simulator = self.stage.simulator(rate=200, kick_share=0.3, channels=6, spread="even")
        self.stage.s3()
        self.stage.config(
            {
                "twitch": {"channels": [f"room{n}" for n in range(1, 7)]},
                "kick": {"channels": ["room1", "room2"]},
                "recorder": {"directory": str(self.stage.home / "data"), "rotate_interval": "3s"},
                "s3": self.stage.s3_settings(),
                "uploader": {"compression": "zstd"},
            }
        )
        first = self.stage.daemon()
        self.recording(first, "twitch", 6)
        self.recording(first, "kick", 2)
        time.sleep(5)
        stopped = time.time()
        self.ended(first, signal.SIGTERM)
        simulator.end()
        again = self.stage.daemon()
        wait_for("an empty spool", lambda: not self.stage.local_files(), 30)
        self.ended(again, signal.SIGINT)
        window = ("--lost-after", str(stopped), "--lost-before", str(time.time()))
        found = self.stage.judge(self.stage.fetch(), *window)
        self.assertWhole(found, 1000)

    def test_kill_and_restart(self) -> None:
        """After kill -9 under load only what came within the last flush interval is missing, every room
        has a gap record that says so, and no file name is used twice."""
        simulator = self.stage.simulator(rate=300, kick_share=0.2, channels=4, spread="even")
        self.stage.config(
            {
                "twitch": {"channels": [f"room{n}" for n in range(1, 5)]},
                "kick": {"channels": ["room1"]},
                "recorder": {"directory": str(self.stage.home / "data"), "rotate_interval": "2s"},
            }
        )
        first = self.stage.daemon()
        self.recording(first, "twitch", 4)
        self.recording(first, "kick", 1)
        time.sleep(3)
        first.end(signal.SIGKILL)
        # The journal says until when everything had been written: on a busy machine that is longer ago.
        journal = (self.stage.home / "data" / "state" / "coverage").read_bytes()
        written = max(float(at) for at in re.findall(rb'"alive":([0-9.]+)', journal))
        second = self.stage.daemon()
        self.recording(second, "twitch", 4)
        self.recording(second, "kick", 1)
        back = time.time()
        time.sleep(2)
        self.ended(second, signal.SIGTERM)
        simulator.end()
        # What was sent some ticks before that had been read; on a busy machine it may be seconds.
        window = ("--lost-after", str(written - 3), "--lost-before", str(back))
        # What the second one was not stopped for yet, but could no longer read, belongs to a third.
        found = self.stage.judge(None, "--gaps", "--settle", "1", *window)
        self.assertWhole(found, 1000)
        self.assertEqual(found["hidden"], 0, found["missing"])
        self.assertEqual(found["duplicate_names"], [])
        self.assertGreaterEqual(found["gaps"].get("restart", 0), 5)

    def test_backfill(self) -> None:
        """What was said while a connection was lost comes back from the service that remembers chat, once,
        and the gap record says how much."""
        faults = self.stage.home / "faults.yaml"
        faults.write_text("- {at: 7, what: drop, platform: twitch, which: all}\n")
        simulator = self.stage.simulator(
            rate=100, kick_share=0, channels=2, spread="even", faults=faults, recent_port=0
        )
        self.stage.config(
            {
                "twitch": {
                    "channels": ["room1", "room2"],
                    "backfill": f"http://127.0.0.1:{simulator.ports['recent']}/api/v2",
                }
            }
        )
        daemon = self.stage.daemon()
        self.recording(daemon, "twitch", 2)
        daemon.says("connection 1 is back")
        # The service is asked within eight seconds of the hole's end.
        time.sleep(10)
        self.ended(daemon, signal.SIGTERM)
        simulator.end()
        found = self.stage.judge(None, "--settle", "1")
        self.assertGreater(found["backfilled"], 10)
        self.assertEqual((found["lost"], found["doubled"]), (0, 0), found["missing"])
        self.assertEqual(found["gaps"], {"connection lost": 2})

    def test_nobody_answers(self) -> None:
        """Without any server it starts, says so once, keeps trying quietly, and ends cleanly."""
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
            self.stage.config(
                {
                    "twitch": {"server": f"ircs://127.0.0.1:{port}", "channels": ["ann", "bob"]},
                    "s3": {"bucket": "none", "endpoint": f"http://127.0.0.1:{port}", **_NO_KEYS},
                }
            )
            daemon = self.stage.daemon()
            daemon.says("takes no connections")
            time.sleep(4)
            self.assertEqual(daemon.output().count("connection 1: "), 1, daemon.output())
            self.ended(daemon, signal.SIGTERM)

    def test_ends_although_everything_hangs(self) -> None:
        """With a store that takes connections and says nothing, SIGTERM ends the process in time."""
        self.stage.simulator(rate=50, kick_share=0, channels=2)
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(50)
            self.stage.config(
                {
                    "recorder": {"directory": str(self.stage.home / "data"), "rotate_interval": "1s"},
                    "s3": {
                        "bucket": "chatlog",
                        "endpoint": f"http://127.0.0.1:{deaf.getsockname()[1]}",
                        **_NO_KEYS,
                    },
                }
            )
            daemon = self.stage.daemon()
            self.recording(daemon, "twitch", 1)
            time.sleep(3)
            self.ended(daemon, signal.SIGTERM)
        self.assertNotEqual(self.stage.local_files(), [])


class StartTests(DaemonCase):
    """What can be wrong at the start."""

    def test_second_process(self) -> None:
        """A second daemon on the same directory ends with status 1 and says who is there; the first goes
        on."""
        simulator = self.stage.simulator(rate=50, kick_share=0, channels=2)
        self.stage.config({})
        first = self.stage.daemon()
        self.recording(first, "twitch", 1)
        second = self.stage.daemon()
        self.assertEqual(second.popen.wait(30), 1)
        self.assertIn("in use by another chatlog", second.output())
        self.assertNotIn("Traceback", second.output())
        self.assertTrue(first.alive)
        self.ended(first, signal.SIGTERM)
        simulator.end()
        self.assertWhole(self.stage.judge(None, "--settle", "3"), 10)

    def test_problems_of_the_configuration(self) -> None:
        """All problems in one go, each with its line and key; status 1; no traceback."""
        path = self.stage.home / "chatlog.yaml"
        path.write_text('twitch:\n  channels: ["Bad Name"]\n  oauth: ${NOT_SET_ANYWHERE}\nsurprise: 1\n')
        daemon = self.stage.daemon()
        self.assertEqual(daemon.popen.wait(30), 1)
        self.assertEqual(
            [line.partition(": ")[0].rpartition("/")[2] for line in daemon.output().splitlines()],
            ["chatlog.yaml:2", "chatlog.yaml:3", "chatlog.yaml:4"],
        )

    def test_check(self) -> None:
        """--check prints what is in force without secrets and starts nothing."""
        self.stage.config(
            {"twitch": {"channels": ["ann"], "username": "bot", "oauth": "oauth:t0psecret"}, "kick": None}
        )
        daemon = self.stage.daemon(["--config", str(self.stage.home / "chatlog.yaml"), "--check"])
        self.assertEqual(daemon.popen.wait(30), 0, daemon.output())
        self.assertIn("channels:\n    - ann\n", daemon.output())
        self.assertNotIn("t0psecret", daemon.output())
        self.assertFalse((self.stage.home / "data").exists())


class HangupTests(DaemonCase):
    """SIGHUP reads the configuration again."""

    def test_rooms_come_and_go(self) -> None:
        """A room that was added is recorded, one that was removed no longer is, and the room that stays
        loses nothing. A bad file changes nothing."""
        simulator = self.stage.simulator(rate=100, kick_share=0.3, channels=3, spread="even")
        self.stage.config({"twitch": {"channels": ["room1", "room2"]}})
        daemon = self.stage.daemon()
        self.recording(daemon, "twitch", 2)
        # Until both have a file.
        time.sleep(1)
        self.stage.config(
            {
                "twitch": {"channels": ["room1", "room3"]},
                "kick": {"channels": ["room2"]},
            }
        )
        daemon.send(signal.SIGHUP)
        self.recording(daemon, "kick", 1)
        daemon.says("in force: twitch.channels, kick")
        time.sleep(2)
        good = (self.stage.home / "chatlog.yaml").read_text()
        (self.stage.home / "chatlog.yaml").write_text("twitch: [")
        daemon.send(signal.SIGHUP)
        daemon.says("stays in force")
        (self.stage.home / "chatlog.yaml").write_text(good)
        time.sleep(1)
        self.ended(daemon, signal.SIGTERM)
        simulator.end()
        found = self.stage.judge(None, "--settle", "2")
        self.assertGreater(found["recorded"], 100)
        for fault in ("doubled", "altered", "out_of_order", "invalid"):
            self.assertEqual(found[fault], 0, found["examples"])
        # What was under way when the room was removed is kept, under _server.
        missing = {(hole["platform"], hole["channel"]) for hole in found["missing"]}
        self.assertLessEqual(missing, {("twitch", "room2")})
        names = {name.rpartition("_20")[0] for name in self.stage.local_files()}
        names.discard("twitch__server")
        self.assertEqual(names, {"twitch_room1", "twitch_room2", "twitch_room3", "kick_room2"})


_NO_KEYS = {"access_key_id": "a", "secret_access_key": "b"}
