"""The facts: what everything that shows or judges the recorder is told."""

from __future__ import annotations

import errno
import json
from dataclasses import fields

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import HttpSettings, S3Settings, Secret
from tests.scene import HALF_PAST_TEN, Scene

MIDNIGHT = HALF_PAST_TEN - 37800


class StatusCase(SynchronousTestCase):
    """A recorder with three Twitch rooms, started at half past ten."""

    def setUp(self) -> None:
        self.scene = Scene().start()
        self.addCleanup(self.scene.stop)


class RoomTests(StatusCase):
    """What is said of a room."""

    def test_recorded(self) -> None:
        """A room is recorded once the server has acknowledged it, and since then."""
        self.assertEqual(self.scene.room("room0")["state"], "wanted")
        self.scene.advance(10)
        self.scene.recorded()
        self.scene.advance(20)
        room = self.scene.room("room0")
        self.assertEqual((room["state"], room["reason"], room["since"]), ("recorded", "", HALF_PAST_TEN + 10))
        self.assertEqual((room["platform"], room["name"], room["id"]), ("twitch", "room0", "id of room0"))

    def test_refused(self) -> None:
        """A refusal is told in plain words with the remedy, beside the server's own, and only of the room
        that was refused."""
        self.scene.recorded()
        self.scene.advance(60)
        [link] = self.scene.links
        self.scene.pool.refused(link, "room1", "msg_channel_suspended")
        room = self.scene.room("room1")
        self.assertEqual((room["state"], room["problem"]), ("refused", "refused"))
        self.assertEqual(room["reason"], "Twitch has suspended the channel")
        self.assertIn("Remove the room", room["remedy"])
        self.assertEqual(room["raw"], "msg_channel_suspended")
        self.assertEqual(room["since"], HALF_PAST_TEN + 60)
        self.assertEqual(self.scene.room("room0")["state"], "recorded")

    def test_lost(self) -> None:
        """A room whose connection was lost is wanted again, for the reason of the loss, and missing
        since the last byte that came."""
        self.scene.recorded()
        self.scene.advance(60)
        self.scene.down(self.scene.links[0], "connection lost", ago=40.0)
        room = self.scene.room("room2")
        self.assertEqual(
            (room["state"], room["reason"], room["since"]),
            ("wanted", "the connection was lost", HALF_PAST_TEN + 20),
        )

    def test_reason_of_now(self) -> None:
        """Why a room is not recorded is why there is no connection now, and not why there was none first."""
        self.scene.recorded()
        self.scene.advance(60)
        [link] = self.scene.links
        self.scene.down(link, "closed by the server: 4200 closing")
        self.assertIn("has closed the connection", self.scene.room("room2")["reason"])
        link.trouble = "cannot connect: connection refused"
        self.scene.advance(5)
        room = self.scene.room("room2")
        self.assertEqual((room["problem"], room["raw"]), ("disconnected", link.trouble))
        self.assertIn("takes no connections", room["reason"])

    def test_gaps_and_coverage(self) -> None:
        """A room that was not recorded for a part of today has gaps of today: those that are over, the one
        that is open, what an earlier process lost, and what was never recorded at all."""
        self.assertEqual(self.scene.room("room0")["gaps_today"], 1)
        self.scene.recorded()
        self.assertEqual(self.scene.room("room0")["gaps_today"], 0)
        self.scene.advance(60)
        self.scene.down(self.scene.links[0])
        self.scene.advance(60)
        room = self.scene.room("room0")
        self.assertEqual((room["gaps_today"], room["coverage_today"]), (1, 0.5))
        self.scene.recorded()
        self.assertEqual(self.scene.room("room0")["gaps_today"], 1)
        scene = Scene()
        since = scene.now() - 1000
        scene.timelines.start(since)
        for recorded_room in scene.pool.rooms.values():
            recorded_room.timeline.resume(scene.now(), "restart")
        scene.pool.rooms["room1"].timeline.lost_earlier(since, scene.now(), 650.0)
        scene.start().recorded()
        self.addCleanup(scene.stop)
        scene.advance(1)
        for name, gaps in (("room0", 0), ("room1", 1)):
            room = scene.room(name)
            self.assertEqual((room["gaps_today"], room["coverage_today"] == 1.0), (gaps, not gaps), name)

    def test_rate(self) -> None:
        """The rate is what was written in the last minute, and falls to nothing when nothing comes."""
        self.scene.recorded()
        for _ in range(90):
            self.scene.say("room0", 2)
            self.scene.advance(1)
        self.assertApproximates(self.scene.room("room0")["rate"], 120, 5)
        self.assertEqual(self.scene.room("room1")["rate"], 0)
        self.scene.advance(125)
        self.assertEqual(self.scene.room("room0")["rate"], 0)

    def test_sparkline(self) -> None:
        """The last sixty whole minutes, the latest last; older ones are gone."""
        self.scene.recorded()
        for minute in range(70):
            self.scene.say("room0", minute)
            self.scene.advance(60)
        line = self.scene.room("room0")["sparkline"]
        self.assertEqual(line, list(range(10, 70)))
        self.assertEqual(self.scene.room("room1")["sparkline"], [0] * 60)
        self.scene.advance(60)
        self.assertEqual(self.scene.room("room0")["sparkline"], [*range(11, 70), 0])

    def test_last(self) -> None:
        """The time of the latest record; nothing before the first."""
        self.assertIsNone(self.scene.room("room0")["last"])
        self.scene.advance(30)
        self.scene.say("room0")
        self.scene.advance(30)
        self.assertEqual(self.scene.room("room0")["last"], HALF_PAST_TEN + 30.5)

    def test_today(self) -> None:
        """Records and gaps of today are those since midnight in UTC."""
        self.scene.recorded()
        self.scene.say("room0", 5)
        self.scene.advance(60)
        self.scene.down(self.scene.links[0])
        self.scene.advance(60)
        self.scene.recorded()
        self.scene.advance(5)
        room = self.scene.room("room0")
        self.assertEqual((room["records_today"], room["gaps_today"]), (5, 1))
        self.scene.recording.wall += MIDNIGHT + 86400 - self.scene.now()
        self.scene.advance(5)
        self.scene.say("room0", 2)
        self.scene.advance(5)
        room = self.scene.room("room0")
        self.assertEqual((room["records_today"], room["gaps_today"]), (2, 0))
        self.assertEqual(room["coverage_today"], 1.0)

    def test_coverage(self) -> None:
        """The share of the time that was recorded counts closed gaps and the one that is open."""
        self.scene.recorded()
        self.scene.advance(100)
        self.scene.down(self.scene.links[0])
        self.scene.advance(100)
        self.assertEqual(self.scene.room("room0")["coverage_today"], 0.5)
        self.scene.recorded()
        self.scene.advance(200)
        room = self.scene.room("room0")
        self.assertEqual((room["coverage_today"], room["coverage_hour"]), (0.75, 0.75))

    def test_never_recorded(self) -> None:
        """A room that was never acknowledged is covered to no part, and its time is counted from when
        it was wanted."""
        self.scene.recorded()
        self.scene.advance(100)
        self.scene.add("nobody")
        self.scene.advance(100)
        room = self.scene.room("nobody")
        self.assertLessEqual(room["since"] - HALF_PAST_TEN, 105)
        self.assertEqual(self.scene.room("room0")["coverage_today"], 1.0)
        self.assertLess(room["coverage_today"], 0.6)

    def test_without_ids(self) -> None:
        """A room that cannot be asked for yet, because its ids are not known, is listed with the reason."""
        self.scene.pools["kick"] = self.scene.new_pool("kick")
        self.scene.missing["kick"]["streamer"] = "looking up its ids"
        self.scene.advance(60)
        room = self.scene.room("streamer", "kick")
        self.assertEqual((room["state"], room["raw"]), ("wanted", "looking up its ids"))
        self.assertEqual(room["reason"], "its id is being looked up on Kick's site")
        self.assertIn(room, self.scene.facts(rooms=True)["rooms"])
        [kick] = [each for each in self.scene.facts()["platforms"] if each["platform"] == "kick"]
        self.assertEqual((kick["rooms"], kick["recorded"], kick["late"]), (1, 0, 1))
        # As soon as it is in the pool it is listed once, from there.
        self.scene.add("streamer", "kick")
        self.scene.advance(1)
        rooms = [room for room in self.scene.facts(rooms=True)["rooms"] if room["platform"] == "kick"]
        self.assertEqual([room["id"] for room in rooms], ["id of streamer"])

    def test_unknown(self) -> None:
        """There is nothing to say of a room that nobody asked for."""
        self.assertIsNone(self.scene.status.room("twitch", "other"))
        self.assertIsNone(self.scene.status.room("nowhere", "room0"))

    def test_removed(self) -> None:
        """A room that is no longer wanted is no longer there."""
        self.scene.pool.remove("room1")
        self.assertIsNone(self.scene.status.room("twitch", "room1"))
        self.assertEqual([room["name"] for room in self.scene.status.rooms()], ["room0", "room2"])


class PlatformTests(StatusCase):
    """How many rooms are in which state, and whether there is a connection."""

    def test_counts(self) -> None:
        """Rooms are counted by state."""
        self.scene.recorded()
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        platform = self.scene.platform()
        self.assertEqual((platform["rooms"], platform["recorded"]), (3, 2))
        self.assertEqual(platform["states"], {"recorded": 2, "refused": 1})

    def test_late(self) -> None:
        """A room is late when it has not been recorded for longer than the grace of the settings."""
        self.scene.recorded()
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.scene.advance(45)
        self.assertEqual(self.scene.platform()["late"], 0)
        self.scene.advance(1)
        self.assertEqual((self.scene.platform()["late"], self.scene.platform()["late_rooms"]), (1, ["room1"]))
        self.scene.recorded()
        self.scene.advance(1)
        self.assertEqual(self.scene.platform()["late"], 0)

    def test_names_are_few(self) -> None:
        """However many rooms are late, only ten are named."""
        for n in range(50):
            self.scene.add(f"other{n}")
        self.scene.advance(60)
        platform = self.scene.platform()
        self.assertEqual((platform["late"], len(platform["late_rooms"])), (53, 10))

    def test_time_before_the_start_is_no_delay(self) -> None:
        """A room that an earlier process lost hours ago gets its grace from the start of this one."""
        scene = Scene(1)
        scene.pool.rooms["room0"].timeline.resume(scene.now() - 7200, "restart")
        scene.start()
        self.addCleanup(scene.stop)
        scene.advance(40)
        self.assertEqual(scene.platform()["late"], 0)
        scene.advance(10)
        self.assertEqual(scene.platform()["late"], 1)

    def test_down(self) -> None:
        """A platform without any connection is down, since it was noticed and for a reason."""
        self.scene.recorded()
        self.scene.advance(10)
        self.assertIsNone(self.scene.platform()["down_since"])
        self.scene.down(self.scene.links[0], "login refused: no")
        self.scene.advance(10)
        platform = self.scene.platform()
        self.assertLess(self.scene.now() - platform["down_since"], 11)
        self.assertEqual((platform["up"], platform["trouble"]), (0, "login refused: no"))
        self.scene.recorded()
        self.scene.advance(10)
        self.assertEqual((self.scene.platform()["down_since"], self.scene.platform()["trouble"]), (None, ""))

    def test_connections(self) -> None:
        """Every connection, how many rooms it carries, and since when it is as it is."""
        self.scene.recorded()
        self.scene.advance(60)
        self.scene.down(self.scene.links[0], "cannot connect: refused")
        self.scene.advance(10)
        [link] = self.scene.facts()["connections"]
        since = link.pop("since")
        self.assertTrue(HALF_PAST_TEN + 60 <= since <= HALF_PAST_TEN + 65, since - HALF_PAST_TEN)
        self.assertEqual(
            link,
            {
                "platform": "twitch",
                "number": 1,
                "lane": 0,
                "up": False,
                "rooms": 3,
                "retiring": False,
                "refused": False,
                "trouble": "cannot connect: refused",
                "raw": "cannot connect: refused",
            },
        )


class PartTests(StatusCase):
    """Disk, uploads, process."""

    def test_process(self) -> None:
        """Memory and processor are those of this process; the share is of one processor."""
        self.scene.cpu = 1.0
        self.scene.advance(10)
        process = self.scene.facts()["process"]
        self.assertGreater(process["resident_bytes"], 1_000_000)
        self.assertGreater(process["descriptors"], 2)
        self.scene.cpu = 2.0
        self.scene.advance(5)
        self.assertEqual(self.scene.facts()["process"]["cpu_percent"], 20.0)
        self.assertEqual(self.scene.facts()["process"]["cpu_seconds"], 2.0)

    def test_reactor_lag(self) -> None:
        """A reactor that was blocked says so for half a minute, so that a check that comes seldom sees
        it."""
        self.scene.advance(10)
        self.assertEqual(self.scene.facts()["process"]["reactor_lag"], 0)
        self.scene.clock.advance(8)
        self.scene.advance(20)
        self.assertApproximates(self.scene.facts()["process"]["reactor_lag"], 7, 1)
        self.scene.advance(31)
        self.assertEqual(self.scene.facts()["process"]["reactor_lag"], 0)

    def test_spool(self) -> None:
        """What is on the disk, what may be, and what waits in memory because it cannot get there."""
        self.scene.say("room0", 100)
        self.scene.advance(5)
        spool = self.scene.facts()["spool"]
        self.assertEqual((spool["bytes"], spool["open_files"], spool["buffered_bytes"]), (1690, 1, 0))
        self.assertEqual((spool["free_bytes"], spool["disk_bytes"]), self.scene.space)
        self.assertEqual((spool["trouble_since"], spool["dropped"]), (None, 0))
        written = spool["written"]
        self.assertLess(self.scene.now() - written, 6)
        self.scene.recording.files.capacity = 0
        self.scene.say("room0", 10)
        self.scene.advance(5)
        spool = self.scene.facts()["spool"]
        self.assertIn("the disk is full", spool["trouble"])
        self.assertEqual(spool["buffered_bytes"], 160)
        self.assertLess(self.scene.now() - spool["trouble_since"], 6)
        self.assertEqual(spool["written"], written)

    def test_space_unknown(self) -> None:
        """A file system that cannot be asked leaves the figures as they were."""
        self.scene.space_error = OSError(errno.EIO, "broken")
        self.scene.advance(10)
        spool = self.scene.facts()["spool"]
        self.assertEqual((spool["free_bytes"], spool["disk_bytes"]), self.scene.space)

    def test_uploads(self) -> None:
        """The queue, and since when the store has been in trouble."""
        uploads = self.scene.uploads
        uploads.waiting_files, uploads.waiting_bytes = 3, 999
        uploads.oldest_waiting = self.scene.now() - 30
        uploads.state, uploads.last_error = "refused", "AccessDenied: Access Denied"
        self.scene.counters.uploaded = 7
        self.scene.advance(20)
        facts = self.scene.facts()["uploads"]
        self.assertEqual((facts["waiting_files"], facts["waiting_bytes"], facts["oldest"]), (3, 999, 50))
        self.assertEqual((facts["state"], facts["last_error"]), ("refused", "AccessDenied: Access Denied"))
        self.assertEqual((facts["state_since"], facts["uploaded"]), (HALF_PAST_TEN + 5, 7))
        uploads.state, uploads.oldest_waiting = "ok", None
        self.scene.advance(5)
        facts = self.scene.facts()["uploads"]
        self.assertEqual((facts["state_since"], facts["oldest"]), (None, None))

    def test_counters(self) -> None:
        """Every total is there under its own name."""
        self.scene.counters.dropped["overflow"] = 4
        self.scene.counters.duplicates = 2
        counters = self.scene.facts()["counters"]
        self.assertEqual((counters["dropped"], counters["duplicates"]), ({"overflow": 4}, 2))

    def test_facts_are_json(self) -> None:
        """Whatever was counted, the facts can be written as JSON."""
        for field in fields(self.scene.counters):
            total = getattr(self.scene.counters, field.name)
            if isinstance(total, dict):
                total[("twitch", "room0", "new") if field.name == "unknown_kinds" else "x"] = 1
        facts = json.loads(orjson.dumps(self.scene.facts()))
        self.assertEqual(facts["counters"]["unknown_kinds"], {"twitch room0 new": 1})


class SnapshotTests(StatusCase):
    """The snapshot as a whole."""

    def test_is_json(self) -> None:
        """All facts can be written as JSON as they are."""
        self.scene.recorded()
        self.scene.say("room0", 3)
        self.scene.advance(70)
        facts = self.scene.facts(rooms=True)
        self.assertEqual(json.loads(json.dumps(facts)), facts)
        self.assertEqual(len(facts["rooms"]), 3)
        self.assertNotIn("rooms", self.scene.facts())

    def test_is_cached_for_a_second(self) -> None:
        """However often it is asked for, it is made once a second; then it is new."""
        first = self.scene.facts(rooms=True)
        self.scene.recorded()
        again = self.scene.facts(rooms=True)
        self.assertIs(again["rooms"], first["rooms"])
        self.assertEqual(again["platforms"], first["platforms"])
        self.scene.clock.advance(1)
        self.assertEqual(self.scene.platform()["recorded"], 3)
        self.assertEqual(self.scene.facts(rooms=True)["rooms"][0]["state"], "recorded")

    def test_alarms(self) -> None:
        """The active alarms are those of this moment."""
        self.scene.status.alarms = lambda: [{"code": "X"}]
        self.assertEqual(self.scene.facts()["alarms"], [{"code": "X"}])
        self.scene.status.alarms = list
        self.assertEqual(self.scene.facts()["alarms"], [])

    def test_no_secret(self) -> None:
        """Nothing that was configured as a secret is among the facts."""
        secret = Secret("hunter2-abc")
        scene = Scene(
            s3=S3Settings("bucket", access_key_id=secret, secret_access_key=secret),
            http=HttpSettings(token=secret),
        ).start()
        self.addCleanup(scene.stop)
        scene.advance(60)
        self.assertNotIn("hunter2", json.dumps(scene.facts(rooms=True)))


class RestartTests(SynchronousTestCase):
    """What the time before the process does to today."""

    def restarted(self, after: float) -> Scene:
        """A process whose rooms were recorded by another one until so many seconds ago."""
        scene = Scene()
        scene.timelines.start(scene.now() - after)
        for room in scene.pool.rooms.values():
            room.timeline.resume(scene.now() - after, "restart")
        self.addCleanup(scene.stop)
        return scene.start()

    def test_hole_of_a_restart(self) -> None:
        """The time between two processes counts as missing today, for every room alike."""
        scene = self.restarted(100)
        scene.advance(10)
        self.assertEqual(scene.room("room0")["coverage_today"], 0.0)
        scene.recorded()
        scene.advance(110)
        for room in scene.facts(rooms=True)["rooms"]:
            self.assertEqual((room["coverage_today"], room["coverage_hour"]), (0.5, 0.5))
            self.assertEqual(room["gaps_today"], 1)
        self.assertEqual(scene.facts()["today"], HALF_PAST_TEN - 100)

    def test_long_hole_of_a_restart(self) -> None:
        """Of a gap that began yesterday only today's part is today's, and only an hour of it is the
        last hour's."""
        scene = self.restarted(90000)
        scene.recorded()
        scene.advance(1800)
        self.assertEqual(scene.facts()["today"], MIDNIGHT)
        self.assertAlmostEqual(scene.room("room0")["coverage_today"], 1800 / 39600, places=4)
        self.assertApproximates(scene.room("room0")["coverage_hour"], 1800 / 3600, 0.05)
        scene.advance(2100)
        self.assertEqual(scene.room("room0")["coverage_hour"], 1.0)
