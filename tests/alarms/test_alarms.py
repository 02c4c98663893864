"""Alarms: when they begin, what they say, when they end."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatlog.alarms.alarms import Alarms, Notice
from chatlog.config.settings import AlarmSettings
from chatlog.counters import UNKNOWN_APART, Counters
from chatlog.recorder.recorder import Recorder
from chatlog.rooms.subscriptions import State
from chatlog.status.condition import CODES, Condition
from chatlog.status.drift import Drift
from tests.scene import Scene


class AlarmCase(SynchronousTestCase):
    """A recorder whose three rooms are recorded, watched for two minutes and found well. Alarms wait for
    five minutes of trouble."""

    rooms = 3

    def setUp(self) -> None:
        self.scene = Scene(self.rooms).start().recorded()
        self.addCleanup(self.scene.stop)
        self.notices: list[Notice] = []
        self.alarms = Alarms(self.scene.status, self.scene.clock, self.scene.now, self.notices.append)
        self.alarms.startService()
        self.addCleanup(self.alarms.stopService)
        self.logged: list[LogEvent] = []
        observer: Any = self.logged.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.scene.advance(120)
        self.assertEqual(self.notices, [])

    def reported(self) -> list[tuple[str, str, str]]:
        """State, code and subject of all notices since the last call."""
        reported = [(notice.state, notice.code, notice.subject) for notice in self.notices]
        self.notices.clear()
        return reported

    def codes(self) -> list[str]:
        return [alarm["code"] for alarm in self.alarms.active()]

    def lines(self) -> list[tuple[str, str]]:
        """Level and text of what the alarms logged."""
        return [
            (event["log_level"].name, formatEvent(event))
            for event in self.logged
            if event["log_namespace"].startswith("chatlog.alarms.alarms")
        ]


class LineTests(AlarmCase):
    """What is reported, and how often."""

    def test_one_line_at_each_end(self) -> None:
        """One line when it begins and one when it ends, both with the code; nothing in between, however
        long it lasts."""
        self.scene.space = (50_000_000, 1_000_000_000)
        self.scene.advance(3600)
        self.scene.space = (500_000_000, 1_000_000_000)
        self.scene.advance(60)
        [(level, begins), (other, ends)] = self.lines()
        self.assertEqual((level, other), ("error", "info"))
        self.assertEqual(
            begins,
            "DISK_FILLING: 95 % of the file system are taken, 50.0 MB are free. Make room on the disk of "
            "recorder.directory, or make it larger.",
        )
        self.assertRegex(
            ends,
            r"\ADISK_FILLING is over after 6\d min: there is room on the disk again; 50 % are taken, 500 MB",
        )
        self.assertEqual(
            [(event["code"], event["alarm"]) for event in self.logged if "alarm" in event],
            [("DISK_FILLING", "begins"), ("DISK_FILLING", "ends")],
        )
        self.assertEqual(self.reported(), [("begins", "DISK_FILLING", ""), ("ends", "DISK_FILLING", "")])

    def test_coming_and_going(self) -> None:
        """What is well for a few seconds only is not well."""
        for _ in range(20):
            self.scene.space = (50_000_000, 1_000_000_000)
            self.scene.advance(15)
            self.scene.space = (500_000_000, 1_000_000_000)
            self.scene.advance(15)
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(self.codes(), ["DISK_FILLING"])
        self.scene.advance(45)
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(self.codes(), [])

    def test_active(self) -> None:
        """What is wrong at present is listed for page and API, through the status, ready for JSON."""
        self.scene.uploads.state = "refused"
        self.scene.uploads.last_error = "AccessDenied"
        self.scene.uploads.waiting_files = 7
        self.scene.advance(320)
        [alarm] = self.scene.facts()["alarms"]
        self.assertEqual(json.loads(json.dumps(alarm)), alarm)
        since = alarm.pop("since")
        self.assertTrue(310 <= self.scene.now() - since <= 320, self.scene.now() - since)
        self.assertRegex(
            alarm.pop("text"),
            r"\Athe store has refused files for 5 min: it does not permit the upload\. 7 files wait on",
        )
        self.assertIn("Let the credentials write", alarm.pop("remedy"))
        self.assertEqual(
            alarm,
            {
                "code": "STORE_REFUSED",
                "meaning": CODES["STORE_REFUSED"],
                "severity": "critical",
                "subject": "",
                "raw": "AccessDenied",
                "count": 7,
            },
        )

    def test_hostile_words(self) -> None:
        """A server's text can neither break the line nor be used as a format."""
        self.scene.uploads.state = "refused"
        self.scene.uploads.last_error = "no\n2026-11-23 ERROR {code} \x1b[31m" + "x" * 9000
        self.scene.advance(320)
        [(_, line)] = self.lines()
        self.assertNotIn("\n", line)
        self.assertNotIn("\x1b", line)
        self.assertIn("{code}", line)
        self.assertLess(len(line), 1400)

    def test_failing_look(self) -> None:
        """When polling itself fails, that is reported once, and polling goes on."""
        whole = self.scene.status.conditions

        def broken() -> list[Condition]:
            raise RuntimeError("broken")

        self.scene.status.conditions = broken  # type: ignore[method-assign]
        self.scene.advance(60)
        self.assertGreaterEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.scene.status.conditions = whole  # type: ignore[method-assign]
        self.scene.space = (0, 1_000_000_000)
        self.scene.advance(10)
        self.assertEqual(self.codes(), ["DISK_FILLING"])


class RoomTests(AlarmCase):
    """Rooms that are refused, silent, without ids, or badly covered."""

    rooms = 600

    def refuse(self, *names: str) -> None:
        for name in names:
            [subscription] = self.scene.pool.rooms[name].subscriptions
            self.scene.pool.refused(subscription.connection, name, "msg_channel_suspended")

    def refuse_for(self, seconds: int) -> None:
        """Time passes, and whatever is asked for is refused."""
        for _ in range(seconds // 5):
            self.scene.advance(5)
            rooms = self.scene.pool.rooms.values()
            self.refuse(*(room.name for room in rooms if room.state is State.REQUESTED))

    def test_refused_room(self) -> None:
        """A room that is refused is an alarm after five minutes, in plain words, and until it is
        recorded, through all the tries in between."""
        self.refuse("room7")
        self.scene.advance(290)
        self.assertEqual(self.codes(), [])
        self.scene.advance(20)
        self.assertEqual(self.reported(), [("begins", "ROOM_REFUSED", "twitch")])
        [alarm] = self.alarms.active()
        self.assertEqual(alarm["text"], "1 room of 600 is refused: room7 (Twitch has suspended the channel)")
        self.refuse_for(3600)
        self.assertEqual(self.reported(), [])
        [subscription] = self.scene.pool.rooms["room7"].subscriptions
        self.scene.pool.acknowledged(subscription.connection, "room7")
        self.scene.advance(40)
        # What it missed of the last hour is another matter.
        self.assertIn(("ends", "ROOM_REFUSED", "twitch"), self.reported())

    def test_many_rooms_are_one_alarm(self) -> None:
        """500 rooms that are refused at once are one line, with their number and a few names."""
        self.refuse(*(f"room{n}" for n in range(500)))
        self.scene.advance(310)
        self.assertEqual(self.reported(), [("begins", "ROOM_REFUSED", "twitch")])
        [(_, line)] = self.lines()
        self.assertEqual(
            line,
            "ROOM_REFUSED: twitch: 500 rooms of 600 are refused: room0, room1, room2, room3, room4 (Twitch "
            "has suspended the channel) and 495 more. Remove the room if it is gone for good; until then "
            "Chatlog tries it again from time to time. [msg_channel_suspended]",
        )

    def test_growing(self) -> None:
        """If an alarm concerns many more rooms than last reported, that is reported, but not one by one."""
        for n in range(40):
            self.refuse(f"room{n}")
            self.refuse_for(10)
        self.refuse_for(310)
        notices = [(notice.state, notice.count) for notice in self.notices]
        self.assertEqual(notices[0], ("begins", 31))
        self.assertTrue(all(state == "grows" for state, _ in notices[1:]))
        self.assertLess(len(notices), 8)
        self.assertGreaterEqual(notices[-1][1], 20)

    def test_silent_room(self) -> None:
        """So is a room for which the server never answers."""
        self.scene.add("nobody")
        self.scene.advance(330)
        self.assertEqual(self.reported(), [])
        self.scene.advance(20)
        self.assertEqual(self.reported(), [("begins", "ROOM_SILENT", "twitch")])
        self.scene.pool.remove("nobody")
        self.scene.advance(40)
        self.assertEqual(self.reported(), [("ends", "ROOM_SILENT", "twitch")])

    def test_room_without_ids(self) -> None:
        """And one that cannot be asked for."""
        self.scene.pools["kick"] = self.scene.new_pool("kick")
        self.scene.missing["kick"]["streamer"] = "HTTP 403"
        self.scene.advance(310)
        self.assertEqual(self.reported(), [("begins", "ROOM_UNIDENTIFIED", "kick")])
        self.assertEqual(
            self.alarms.active()[0]["text"],
            "1 room of 601 cannot be joined: streamer (Kick's site refuses programs on this machine)",
        )
        del self.scene.missing["kick"]["streamer"]
        self.scene.advance(40)
        self.assertEqual(self.reported(), [("ends", "ROOM_UNIDENTIFIED", "kick")])

    def test_low_coverage(self) -> None:
        """Rooms that lost more than three of the last sixty minutes, in however many pieces, are an alarm
        until an hour later."""
        link = self.scene.links[0]
        for _ in range(4):
            self.scene.down(link)
            self.scene.advance(50)
            self.scene.up(link)
            self.scene.advance(100)
        self.assertEqual(self.reported(), [("begins", "COVERAGE_LOW", "twitch")])
        [alarm] = self.alarms.active()
        self.assertEqual(alarm["count"], 90)
        self.assertIn("90 rooms missed more than 5 % of the last hour: room0 (3 min), room1", alarm["text"])
        self.scene.advance(3600)
        self.assertEqual(self.reported(), [("ends", "COVERAGE_LOW", "twitch")])

    def test_slightly_low_coverage(self) -> None:
        """Two minutes of an hour are within what the settings allow."""
        self.scene.down(self.scene.links[0])
        self.scene.advance(120)
        self.scene.up(self.scene.links[0])
        self.scene.advance(300)
        self.assertEqual(self.reported(), [])


class PlatformTests(AlarmCase):
    """Platforms and what they say."""

    def test_platform_down(self) -> None:
        """A platform that is away for five minutes, for the reason that the latest try gave."""
        self.scene.down(self.scene.links[0], "cannot connect: no route to host")
        self.scene.advance(320)
        self.assertIn(("begins", "PLATFORM_DOWN", "twitch"), self.reported())
        self.assertIn("no route to host", self.lines()[-1][1])
        self.scene.recorded()
        self.scene.advance(40)
        self.assertIn(("ends", "PLATFORM_DOWN", "twitch"), self.reported())

    def test_refused_login(self) -> None:
        """A refused login needs somebody, so it is told at once; that there is no connection then goes
        without saying."""
        link = self.scene.links[0]
        self.scene.down(link, "login refused: Login authentication failed")
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "LOGIN_REFUSED", "twitch")])
        self.assertIn("Login authentication failed", self.lines()[0][1])
        self.scene.advance(600)
        self.assertNotIn("PLATFORM_DOWN", self.codes())
        self.scene.recorded()
        self.scene.advance(40)
        self.assertIn(("ends", "LOGIN_REFUSED", "twitch"), self.reported())

    def saw(self, kind: str, room: str, count: int = 1) -> None:
        for _ in range(count):
            self.scene.counters.saw_unknown("twitch", kind, room)

    def test_protocol_drift(self) -> None:
        """More unknown things in an hour than the settings allow, of several kinds or in several rooms, mean
        that a platform has changed; the alarm names the kinds."""
        self.saw("newthing", "ann", 60)
        self.saw("newthing", "bob", 49)
        self.scene.advance(600)
        self.assertEqual(self.reported(), [])
        self.saw("newthing", "bob")
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "PROTOCOL_DRIFT", "twitch")])
        self.assertIn("110 events in 2 rooms within an hour are of kinds that", self.lines()[0][1])
        self.assertIn("does not know: newthing.", self.lines()[0][1])
        self.scene.advance(3700)
        self.assertEqual(self.reported(), [("ends", "PROTOCOL_DRIFT", "twitch")])

    def test_one_combo_is_no_drift(self) -> None:
        """However often one new kind comes in one room, with something else beside it or not, nothing has
        changed yet."""
        self.saw("newcombo", "ann", 5000)
        self.saw("other", "bob", 3)
        self.scene.advance(600)
        self.assertEqual(self.reported(), [])

    def test_many_rooms_with_one_each(self) -> None:
        """The same new thing once in every room is a change of the platform's."""
        for number in range(101):
            self.saw("newthing", f"room{number}")
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "PROTOCOL_DRIFT", "twitch")])

    def test_unreadable_lines(self) -> None:
        """So do lines that cannot be read at all."""
        self.scene.counters.unparsed += 101
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "PROTOCOL_DRIFT", "")])
        self.assertIn("101 lines that could not be read", self.lines()[0][1])

    def test_drift_over_weeks(self) -> None:
        """A few unknown things now and then add up to nothing."""
        drift = Drift(0.0)
        counters = Counters()
        for step in range(12_000):
            counters.saw_unknown("kick", f"kind {step % 7}", f"room {step % 5}")
            found = drift.poll(counters, step * 300.0)
            self.assertLessEqual(found["kick"].count, 12)
            self.assertLessEqual(drift.unreadable(step, step * 300.0), 12)

    def test_names_without_end(self) -> None:
        """Kinds with a new, long and hostile name each time are bounded in memory and in the text."""
        drift = Drift(0.0)
        counters = Counters()
        for step in range(5000):
            counters.saw_unknown("kick", f"\n\u202e{step}" + "x" * 10_000, f"room {step}")
            if step % 100 == 0:
                found = drift.poll(counters, step / 10)
        self.assertLessEqual(len(counters.unknown_kinds), UNKNOWN_APART + 1)
        found = drift.poll(counters, 500.0)
        self.assertEqual(found["kick"].count, 5000)
        self.assertLess(len(found["kick"].pairs), 3 * UNKNOWN_APART)
        self.assertTrue(found["kick"].is_drift(100))
        self.assertLess(len(found["kick"].kinds()), 1000)
        self.assertTrue(found["kick"].kinds().isprintable())


class PartTests(AlarmCase):
    """Store, disk, process, clock."""

    def test_store_down(self) -> None:
        """A store that fails for five minutes, in its own words; one that fails for less is no alarm."""
        self.scene.uploads.state, self.scene.uploads.last_error = "retrying", "connection refused"
        self.scene.advance(290)
        self.scene.uploads.state = "ok"
        self.scene.advance(60)
        self.assertEqual(self.reported(), [])
        self.scene.uploads.state = "retrying"
        self.scene.advance(320)
        self.assertEqual(self.reported(), [("begins", "STORE_DOWN", "")])
        self.assertIn("connection refused", self.lines()[-1][1])
        # It turns out that it refuses us.
        self.scene.uploads.state = "refused"
        self.scene.advance(60)
        self.assertEqual(self.reported(), [("begins", "STORE_REFUSED", ""), ("ends", "STORE_DOWN", "")])

    def test_late_uploads(self) -> None:
        """Files that wait for hours, although nothing seems to be wrong."""
        self.scene.uploads.oldest_waiting = self.scene.now() - 10700
        self.scene.advance(200)
        self.assertEqual(self.reported(), [("begins", "UPLOAD_LATE", "")])

    def test_clock_of_the_store(self) -> None:
        """A store that refuses us because of our clock is one that refuses us."""
        self.scene.uploads.state = "clock wrong"
        self.scene.advance(320)
        self.assertEqual(self.reported(), [("begins", "STORE_REFUSED", "")])

    def test_quarantined_files(self) -> None:
        """Files that cannot be uploaded, until they can."""
        self.scene.uploads.quarantined = 2
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "FILE_QUARANTINED", "")])
        self.assertEqual(self.alarms.active()[0]["count"], 2)
        self.scene.uploads.quarantined = 0
        self.scene.advance(40)
        self.assertEqual(self.reported(), [("ends", "FILE_QUARANTINED", "")])

    def test_filling(self) -> None:
        """The spool at its limit's percentage."""
        self.scene.recording.spool.usage.measured(1_599_000_000)
        self.scene.advance(60)
        self.assertEqual(self.reported(), [])
        self.scene.recording.spool.usage.measured(1_600_000_000)
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "SPOOL_FILLING", "")])

    def test_disk_trouble(self) -> None:
        """A disk that cannot be written is reported at once, in the system's words."""

        def full(operation: str, path: str) -> None:
            if operation == "write":
                raise OSError(errno.EIO, "Input/output error")

        self.scene.recording.files.rule = full
        self.scene.say("room0")
        self.scene.advance(11)
        self.assertEqual(self.reported(), [("begins", "DISK_TROUBLE", "")])
        self.assertIn("Input/output error", self.lines()[0][1])
        self.scene.recording.files.rule = lambda operation, path: None
        self.scene.advance(60)
        self.assertEqual(self.reported(), [("ends", "DISK_TROUBLE", "")])

    def test_slow_disk(self) -> None:
        """So is one that does not answer."""
        self.patch(Recorder, "durable_lag", 21.0)
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "DISK_TROUBLE", "")])

    def test_blocked(self) -> None:
        """A process that was held up says so once it can."""
        self.scene.clock.advance(20)
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "REACTOR_BLOCKED", "")])

    def test_clock(self) -> None:
        """A clock that differs from the messages' by more than ten seconds."""
        for _ in range(90):
            self.scene.recorder.room("twitch", "room0").append(
                b'{"timestamp":"2025-12-29T10:30:00.000Z","type":"message"}\n'
            )
            self.scene.advance(1)
        self.assertEqual(self.reported(), [("begins", "CLOCK_OFF", "")])
        self.assertIn("ahead of the time of the messages", self.lines()[0][1])

    def test_clock_in_the_words_of_the_store(self) -> None:
        """A store that refuses a request for its time says the same; its word counts for ten minutes."""
        self.scene.counters.upload_retries["clock"] += 1
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "CLOCK_OFF", "")])
        self.scene.advance(660)
        self.assertEqual(self.reported(), [("ends", "CLOCK_OFF", "")])

    def test_changed_thresholds(self) -> None:
        """Thresholds that are changed while it runs count from the next look on."""
        status = self.scene.status
        status.settings = replace(status.settings, alarms=AlarmSettings(disk=30))
        self.scene.advance(10)
        self.assertEqual(self.reported(), [("begins", "DISK_FILLING", "")])
        status.settings = replace(status.settings, alarms=AlarmSettings())
        self.scene.advance(40)
        self.assertEqual(self.reported(), [("ends", "DISK_FILLING", "")])

    def test_levels(self) -> None:
        """Alarms are errors, so that they show at every level of the log but the highest."""
        self.scene.space = (0, 1000)
        self.scene.advance(10)
        self.assertEqual([event["log_level"] for event in self.logged if "alarm" in event], [LogLevel.error])
