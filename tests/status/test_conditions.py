"""The table of conditions: what it yields, and that everything that shows it agrees."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.alarms.alarms import Alarms, Notice
from chatlog.alarms.endings import ending
from chatlog.commands.status_text import is_well, status_lines
from chatlog.config.settings import AlarmSettings, HealthSettings, HttpSettings, UploaderSettings
from chatlog.http.metrics import Metrics
from chatlog.status.condition import CAUSES, CODES, Condition, Observed
from chatlog.status.health import ready
from chatlog.status.machine_rules import machine_rules
from tests.scene import Scene

REFUSED = "cannot connect: Connection was refused by other side: 111: Connection refused."


class TableCase(SynchronousTestCase):
    """A recorder whose rooms are recorded, with alarms after five minutes."""

    rooms = 300

    def setUp(self) -> None:
        self.scene = Scene(self.rooms).start().recorded()
        self.addCleanup(self.scene.stop)
        self.notices: list[Notice] = []
        self.alarms = Alarms(self.scene.status, self.scene.clock, self.scene.now, self.notices.append)
        self.alarms.startService()
        self.addCleanup(self.alarms.stopService)
        self.scene.advance(60)

    def codes(self) -> list[str]:
        return [condition["code"] for condition in self.scene.facts()["conditions"]]

    def headline(self) -> tuple[str, str]:
        headline = self.scene.facts()["headline"]
        return headline["severity"], headline["text"]

    def reported(self) -> list[tuple[str, str]]:
        reported = [(notice.state, notice.code) for notice in self.notices]
        self.notices.clear()
        return reported

    def refuse(self, *names: str, reason: str = "msg_banned") -> None:
        for name in names:
            [subscription] = self.scene.pool.rooms[name].subscriptions
            self.scene.pool.refused(subscription.connection, name, reason)

    def lose_all(self, seconds: float, reason: str = REFUSED) -> None:
        """The whole platform is away for so long, and comes back."""
        for link in self.scene.links:
            self.scene.down(link, reason)
        self.scene.advance(seconds)
        self.scene.recorded()
        self.scene.advance(5)


class ThresholdTests(TableCase):
    """One threshold of the configuration is in force everywhere."""

    rooms = 20

    def everywhere(self) -> tuple[bool, list[str], bool, list[str], float]:
        """What /readyz, the alarms, the terminal, the page's facts and the metrics say of the disk."""
        facts = self.scene.facts()
        metrics = Metrics(self.scene.status).exposition().decode()
        [line] = [line for line in metrics.splitlines() if 'chatlog_alarm{code="DISK_FILLING"}' in line]
        return (
            ready(self.scene.status.conditions()).ok,
            [alarm["code"] for alarm in self.alarms.active()],
            is_well(facts),
            [condition["code"] for condition in facts["conditions"]],
            float(line.split()[-1]),
        )

    def test_one_threshold(self) -> None:
        """alarms.disk is one number: health, alarm, terminal, page and metrics follow it together."""
        self.scene.space = (300_000_000, 1_000_000_000)
        self.scene.advance(40)
        self.assertEqual(self.everywhere(), (True, [], True, [], 0.0))
        status = self.scene.status
        status.settings = replace(status.settings, alarms=AlarmSettings(disk=70))
        self.scene.advance(10)
        found = ["DISK_FILLING"]
        self.assertEqual(self.everywhere(), (False, found, False, found, 1.0))
        text = next(line.words for line in status_lines(self.scene.facts()) if line.about == "warning")
        self.assertIn("70 % of the file system are taken", text)
        status.settings = replace(status.settings, alarms=AlarmSettings(disk=71))
        self.scene.advance(40)
        self.assertEqual(self.everywhere(), (True, [], True, [], 0.0))

    def test_share_of_rooms(self) -> None:
        """http.health.rooms is one number too: it decides between a note and a warning."""
        self.refuse("room1", "room2")
        self.scene.advance(60)
        self.assertFalse(ready(self.scene.status.conditions()).ok)
        self.assertEqual(self.headline()[0], "warning")
        settings = self.scene.status.settings
        http = HttpSettings(health=HealthSettings(rooms=90))
        self.scene.status.settings = replace(settings, http=http)
        self.scene.advance(1)
        self.assertTrue(ready(self.scene.status.conditions()).ok)
        self.assertEqual(self.headline()[0], "note")
        self.assertTrue(is_well(self.scene.facts()))


class ProportionTests(TableCase):
    """A few rooms of many are a note, all of them are not."""

    def test_three_of_300(self) -> None:
        """Three refused rooms of 300 are named with cause and remedy; nothing is red for it."""
        self.refuse("room10", "room7")
        self.refuse("room200", reason="tos_ban")
        self.scene.advance(90)
        self.assertEqual(self.headline(), ("note", "Recording 297 of 300 rooms; 3 rooms are refused"))
        [condition] = self.scene.facts()["conditions"]
        self.assertEqual(condition["count"], 3)
        self.assertEqual(
            condition["text"],
            "3 rooms of 300 are refused: room7, room10 (the account that reads is banned there), room200 "
            "(Twitch has closed the channel for breaking its rules)",
        )
        self.assertIn("room7: Read anonymously", condition["remedy"])
        self.assertNotIn("msg_", condition["text"])
        self.assertTrue(ready(self.scene.status.conditions()).ok)

    def test_all(self) -> None:
        """All of them are critical."""
        self.refuse(*(f"room{n}" for n in range(300)))
        self.scene.advance(90)
        self.assertEqual(self.headline()[0], "critical")
        self.assertIn("None of 300 rooms is recorded", self.headline()[1])

    def test_more_than_two(self) -> None:
        """The headline names the worst troubles, two at most, says how many more there are, and where to see
        them."""
        self.refuse("room7")
        self.scene.space = (10_000_000, 1_000_000_000)
        self.scene.uploads.state, self.scene.uploads.last_error = "refused", "AccessDenied"
        self.scene.uploads.waiting_files = 7
        self.scene.advance(90)
        self.assertEqual(len(self.codes()), 3)
        _, text = self.headline()
        shown = [each for each in self.scene.facts()["conditions"] if each["severity"] == self.headline()[0]]
        named = min(len(shown), 2)
        self.assertEqual(len(text.split("; ")), named + 2, text)
        self.assertTrue(text.endswith(f"; {3 - named} more: see the overview or chatlog status"), text)
        self.refuse("room8")
        self.scene.space = (600_000_000, 1_000_000_000)
        self.scene.uploads.state = "ok"
        self.scene.advance(90)
        self.assertNotIn("more", self.headline()[1])

    def test_more_than_a_full_disk(self) -> None:
        """So it does when nothing is written at all."""

        def full(operation: str, path: str) -> None:
            if operation in ("create", "write", "sync"):
                raise OSError(errno.EIO, "Input/output error")

        self.refuse("room7")
        self.scene.recording.files.rule = full
        self.scene.say("room1")
        self.scene.advance(90)
        self.assertEqual(self.codes(), ["DISK_TROUBLE", "ROOM_REFUSED"])
        self.assertTrue(self.headline()[1].endswith("; 1 more: see the overview or chatlog status"))

    def test_start(self) -> None:
        """A recorder that has just started is joining, and nothing is wrong."""
        scene = Scene(20).start()
        self.addCleanup(scene.stop)
        scene.advance(5)
        self.assertEqual(scene.facts()["headline"]["severity"], "note")
        self.assertIn("connecting to Twitch", scene.facts()["headline"]["text"])

    def test_nothing_on_the_list(self) -> None:
        """Without a room that is said."""
        scene = Scene(0).start()
        self.addCleanup(scene.stop)
        self.assertEqual(scene.facts()["headline"], {"severity": "note", "text": "No room is on the list"})


class CauseTests(TableCase):
    """An effect is silent while its cause is known."""

    rooms = 90

    def test_table(self) -> None:
        """Only codes that exist are causes and effects, and nothing is its own."""
        for effect, causes in CAUSES.items():
            self.assertIn(effect, CODES)
            for cause in causes:
                self.assertIn(cause, CODES)
                self.assertNotIn(effect, CAUSES.get(cause, ()), f"{effect} and {cause}")

    def test_platform_away(self) -> None:
        """A platform that is away for ten minutes is one alarm, and no other: neither while it lasts, nor in
        the hour after it."""
        self.lose_all(600)
        self.scene.advance(40)
        self.assertEqual(self.reported(), [("begins", "PLATFORM_DOWN"), ("ends", "PLATFORM_DOWN")])
        self.scene.advance(3600)
        self.assertEqual(self.reported(), [])

    def test_rooms_that_were_refused_just_before(self) -> None:
        """What began seconds before the platform was away is not reported seconds before that is, nor at the
        moment in which it is back; only if it is still so after a while."""
        pool = self.scene.pool
        [subscription] = pool.rooms["room7"].subscriptions
        pool.refused(subscription.connection, "room7", "msg_banned")
        self.scene.pools["kick"] = self.scene.new_pool("kick")
        self.scene.missing["kick"]["streamer"] = "HTTP 403"
        self.scene.add("other", "kick")
        self.scene.advance(10)
        for link in self.scene.links:
            self.scene.down(link, "connection refused")
        self.scene.advance(600)
        self.assertEqual(self.reported(), [("begins", "PLATFORM_DOWN"), ("begins", "PLATFORM_DOWN")])
        del self.scene.missing["kick"]["streamer"]
        self.scene.recorded()
        [subscription] = pool.rooms["room7"].subscriptions
        pool.refused(subscription.connection, "room7", "msg_banned")
        self.scene.advance(240)
        self.assertEqual(self.reported(), [("ends", "PLATFORM_DOWN"), ("ends", "PLATFORM_DOWN")])
        for _ in range(20):
            self.scene.advance(5)
            pool.refused(pool.rooms["room7"].subscriptions[0].connection, "room7", "msg_banned")
        self.assertEqual(self.reported(), [("begins", "ROOM_REFUSED")])

    def test_a_blink_hides_nothing(self) -> None:
        """A platform that is away for some seconds again and again hides no other trouble."""
        pool = self.scene.pool
        for _ in range(20):
            pool.refused(pool.rooms["room7"].subscriptions[0].connection, "room7", "msg_banned")
            self.scene.advance(35)
            for link in self.scene.links:
                self.scene.down(link, REFUSED)
            self.scene.advance(5)
            self.scene.recorded()
        self.assertIn(("begins", "ROOM_REFUSED"), self.reported())

    def test_short_outages_without_an_alarm(self) -> None:
        """A condition is not hidden behind a cause that no alarm has reported."""
        for _ in range(2):
            self.lose_all(200)
            self.scene.advance(60)
        self.scene.advance(60)
        self.assertEqual(self.reported(), [("begins", "COVERAGE_LOW")])

    def test_restart(self) -> None:
        """A restart of ten minutes explains what is missing."""
        scene = Scene(20)
        for room in scene.pool.rooms.values():
            room.timeline.resume(scene.now() - 600, "restart")
        scene.start()
        self.addCleanup(scene.stop)
        scene.advance(90)
        self.assertNotIn("COVERAGE_LOW", [each.code for each in scene.status.conditions()])
        scene.recorded()
        scene.advance(90)
        self.assertEqual(scene.facts()["conditions"], [])

    def test_full_disk(self) -> None:
        """So does a disk that took nothing."""
        now = self.scene.now()
        for name in self.scene.pool.rooms:
            self.scene.pool.rooms[name].timeline.missed(now - 600, now, "disk full")
        self.scene.advance(120)
        self.assertEqual(self.codes(), [])

    def test_store_down(self) -> None:
        """Files that wait and a spool that fills up are what a store that is away means: one condition, which
        becomes critical as the spool fills."""
        self.scene.uploads.state, self.scene.uploads.last_error = "retrying", "connection refused"
        self.scene.uploads.oldest_waiting = self.scene.now() - 20_000
        self.scene.uploads.waiting_files = 40
        self.scene.advance(400)
        self.assertEqual(self.codes(), ["STORE_DOWN"])
        self.assertEqual(
            self.headline(), ("warning", "Recording all 90 rooms; the store does not take files")
        )
        self.scene.recording.spool.usage.measured(1_700_000_000)
        self.scene.advance(10)
        self.assertEqual(self.codes(), ["STORE_DOWN"])
        [condition] = self.scene.facts()["conditions"]
        self.assertEqual(condition["severity"], "critical")
        self.assertIn("the spool is 85 % full", condition["text"])
        # That is reported: it is worse than before.
        self.assertEqual(self.reported()[-1], ("grows", "STORE_DOWN"))
        self.scene.uploads.state = "ok"
        self.scene.advance(10)
        self.assertEqual(set(self.codes()), {"UPLOAD_LATE", "SPOOL_FILLING"})

    def test_refused_file(self) -> None:
        """A file that the store does not take is named, with the reason; what the store's own table knows to
        do about a store that refuses everything is said."""
        self.scene.uploads.quarantined = 2
        self.scene.uploads.quarantined_files = [("a.jsonl.zst", 9000, "EntityTooLarge: no", 3, 60.0)]
        self.scene.advance(10)
        [condition] = self.scene.facts()["conditions"]
        self.assertEqual(
            condition["text"],
            "2 files cannot be uploaded and stay on the disk; the oldest is a.jsonl.zst (9.0 KB): something "
            "on the way takes no file of this size",
        )
        self.assertIn("Raise the proxy's limit", condition["remedy"])
        self.scene.uploads.quarantined, self.scene.uploads.quarantined_files = 0, ()
        self.scene.uploads.state, self.scene.uploads.last_error = "refused", "AccessDenied"
        self.scene.uploads.remedy = "the key needs s3:PutObject"
        self.scene.advance(10)
        [condition] = self.scene.facts()["conditions"]
        self.assertEqual(condition["remedy"], "The key needs s3:PutObject.")

    def test_late_uploads(self) -> None:
        """What to do about late uploads is something that is not done already."""
        for uploader, wanted, unwanted in (
            (UploaderSettings("none"), "raise uploader.concurrency, or use compression: zstd, or", "!"),
            (UploaderSettings("zstd"), "raise uploader.concurrency, or look at the line", "compression"),
            (UploaderSettings("zstd", 16), "leaves: look at the line to the store", "concurrency"),
        ):
            self.scene.uploads.waiting_files = 1
            self.scene.uploads.oldest_waiting = self.scene.now() - 20_000
            self.scene.advance(10)
            facts, settings = self.scene.facts(), replace(self.scene.settings, uploader=uploader)
            [condition] = [
                found for found in machine_rules(facts, Observed(), settings) if found.code == "UPLOAD_LATE"
            ]
            self.assertIn("1 file waits for the upload", condition.text)
            self.assertIn(wanted, condition.remedy)
            self.assertNotIn(unwanted, condition.remedy)

    def test_refused_file_that_is_old(self) -> None:
        """A file that waits for hours because it is refused is reported once; /readyz fails nevertheless."""
        self.scene.uploads.quarantined = self.scene.uploads.waiting_files = 1
        self.scene.uploads.oldest_waiting = self.scene.now() - 20_000
        self.scene.advance(10)
        self.assertEqual(self.codes(), ["FILE_QUARANTINED"])
        [failing] = ready(self.scene.status.conditions()).failing
        self.assertEqual(failing.code, "UPLOAD_LATE")
        self.scene.uploads.waiting_files = 2
        self.scene.advance(10)
        self.assertEqual(set(self.codes()), {"FILE_QUARANTINED", "UPLOAD_LATE"})

    def test_alarm_behind_its_cause(self) -> None:
        """An alarm does not end because something larger hides it."""
        self.scene.pool.remove("room1")
        self.scene.add("nobody")
        self.scene.advance(400)
        self.assertIn(("begins", "ROOM_SILENT"), self.reported())
        for link in self.scene.links:
            self.scene.down(link, REFUSED)
        self.scene.advance(200)
        self.assertEqual(self.reported(), [])


class DiskTests(TableCase):
    """A disk that takes nothing."""

    rooms = 4

    def test_full(self) -> None:
        """The headline says that nothing is written, since when and why; no room is shown as recorded, and
        none as covered while that lasts. With space everything is as before."""
        self.scene.advance(120)
        self.scene.recording.files.capacity = 0
        self.scene.say("room0")
        self.scene.advance(55)
        severity, text = self.headline()
        self.assertEqual(severity, "critical")
        self.assertRegex(text, r"\ANothing has been written since 10:33 UTC \(5\d s\): the disk is full\Z")
        self.assertEqual(self.scene.platform()["recorded"], 0)
        self.assertEqual(self.scene.platform()["states"], {"recorded": 0, "unwritten": 4})
        for name in ("room0", "room1"):
            room = self.scene.room(name)
            self.assertEqual((room["state"], room["reason"]), ("unwritten", "the disk is full"))
            self.assertLess(room["coverage_today"], 0.8)
            self.assertEqual(room["gaps_today"], 1)
        self.scene.recording.files.capacity = None
        self.scene.advance(5)
        self.assertEqual(self.headline(), ("ok", "Recording all 4 rooms"))
        self.assertEqual(self.scene.room("room1")["coverage_today"], 1.0)

    def test_no_inodes(self) -> None:
        """Where a disk that takes nothing has room all the same, inodes are what to look at."""

        def refuse(operation: str, path: str) -> None:
            if operation in ("create", "write"):
                raise OSError(errno.ENOSPC, "No space left on device")

        self.scene.recording.files.rule = refuse
        self.scene.say("room0")
        for seconds, reported in ((10, False), (30, True)):
            self.scene.advance(seconds)
            self.assertIn("the disk is full", self.headline()[1])
            self.assertEqual("df -i" in self.scene.facts()["conditions"][0]["remedy"], reported)

    def test_full_spool(self) -> None:
        """A spool at its own limit is reported as such."""
        self.scene.recording.spool.usage.measured(2_000_000_000)
        self.scene.say("room0")
        self.scene.advance(10)
        self.assertIn("the spool is full (recorder.max_size)", self.headline()[1])
        self.assertEqual(self.codes(), ["DISK_TROUBLE"])


class EndingTests(TableCase):
    """What is said when something is over."""

    rooms = 3

    def test_every_code(self) -> None:
        """Every ending speaks of how it is now."""
        facts = self.scene.facts()
        for code in CODES:
            over = Condition(code, "warning", "98 % are taken", subject="twitch")
            text = ending(over, facts, [])
            self.assertTrue(text, code)
            self.assertNotIn("98 %", text)

    def test_turned(self) -> None:
        """Where another trouble has taken its place, that is what is said; but not that of another
        platform."""
        over = Condition("PLATFORM_DOWN", "critical", "no connection", subject="kick")
        other = Condition("LOGIN_REFUSED", "critical", "Twitch refuses the login", subject="twitch")
        facts: dict[str, Any] = self.scene.facts()
        self.assertNotIn("login", ending(over, facts, [other]))
        self.assertIn("login", ending(over, facts, [replace(other, subject="kick")]))
