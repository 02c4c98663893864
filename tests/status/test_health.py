"""The verdicts: when /healthz and /readyz say no, why, and when they say yes again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import HealthSettings, HttpSettings
from chatlog.status.condition import Observed
from chatlog.status.conditions import conditions
from chatlog.status.health import Verdict, alive, ready
from tests.scene import Scene


class HealthCase(SynchronousTestCase):
    """A recorder whose three rooms are recorded and whose store takes everything."""

    def setUp(self) -> None:
        self.scene = Scene().start().recorded()
        self.addCleanup(self.scene.stop)
        self.scene.advance(120)

    def alive(self) -> Verdict:
        return alive(self.scene.status.conditions())

    def ready(self) -> Verdict:
        return ready(self.scene.status.conditions())

    def judged(self, **spool: Any) -> Verdict:
        """The verdict of life about a spool with these facts."""
        facts = self.scene.facts()
        facts["spool"] = {**facts["spool"], **spool}
        return alive(conditions(facts, Observed(), self.scene.settings))

    def parts(self, verdict: Verdict) -> list[str]:
        return [failing.part for failing in verdict.failing]

    def seconds_until(self, wanted: bool, verdict: Callable[[], Verdict], most: int = 300) -> int:
        """After how many seconds the verdict is as wanted."""
        for seconds in range(most):
            if verdict().ok is wanted:
                return seconds
            self.scene.advance(1)
        raise self.failureException(f"not {wanted} within {most} s: {verdict().body}")


class WellTests(HealthCase):
    def test_all_well(self) -> None:
        """A recorder that works is alive and ready, with nothing to add."""
        for verdict in (self.alive(), self.ready()):
            self.assertEqual((verdict.ok, verdict.status), (True, 200))
            self.assertEqual(verdict.body, {"ok": True, "failing": []})

    def test_no_rooms(self) -> None:
        """Nothing to record is nothing that is missing."""
        for name in list(self.scene.pool.rooms):
            self.scene.pool.remove(name)
        self.scene.advance(60)
        self.assertTrue(self.ready().ok)


class AliveTests(HealthCase):
    def test_blocked_reactor(self) -> None:
        """A process that was held up for longer than the limit is not well for half a minute."""
        self.scene.clock.advance(7)
        self.scene.clock.advance(1)
        self.scene.advance(1)
        self.assertEqual(self.parts(self.alive()), ["reactor"])
        self.assertIn("6.", self.alive().failing[0].reason)
        self.assertEqual(self.alive().status, 503)
        self.assertLessEqual(self.seconds_until(True, self.alive), 31)

    def test_no_ticks(self) -> None:
        """A recorder that no longer ticks is not alive, although the process answers."""
        settings = replace(self.scene.settings.recorder, flush_interval=3600.0)
        self.scene.recorder.reconfigure(settings)
        self.scene.clock.pump([1.0] * 4)
        self.assertTrue(self.alive().ok)
        self.scene.clock.pump([1.0] * 4)
        self.assertEqual(self.parts(self.alive()), ["recorder"])

    def test_disk_does_not_answer(self) -> None:
        """What is written and not on the disk for longer than the limit is the disk's failure."""
        self.assertEqual(self.parts(self.judged(durable_lag=20.1)), ["disk"])
        self.assertTrue(self.judged(durable_lag=19.9).ok)

    def test_fatal(self) -> None:
        """A disk that cannot be trusted is said to be so in its own words."""
        [failing] = self.judged(fatal="the disk did not keep what was written").failing
        self.assertEqual((failing.part, failing.code), ("disk", "DISK_TROUBLE"))
        self.assertIn("the disk did not keep what was written", failing.reason)

    def test_cannot_write(self) -> None:
        """A full disk makes it fail at the next tick, space makes it well again."""
        self.scene.recording.files.capacity = 0
        self.scene.say("room0")
        self.scene.advance(2)
        verdict = self.alive()
        self.assertEqual(self.parts(verdict), ["recorder"])
        self.assertIn("Nothing has been written since 10:3", verdict.failing[0].reason)
        self.assertIn("the disk is full", verdict.failing[0].reason)
        self.scene.recording.files.capacity = None
        self.assertLessEqual(self.seconds_until(True, self.alive), 5)

    def test_store_and_rooms_are_no_matter_of_life(self) -> None:
        """A new start would help neither against a store nor against a platform that is away."""
        self.scene.uploads.state = "refused"
        self.scene.down(self.scene.links[0])
        self.scene.advance(600)
        self.assertTrue(self.alive().ok)
        self.assertFalse(self.ready().ok)


class ReadyTests(HealthCase):
    def test_lost_platform(self) -> None:
        """A platform that is lost shows within a minute, in words, and no longer once it is back."""
        self.scene.down(self.scene.links[0], "cannot connect: Connection refused")
        self.assertLessEqual(self.seconds_until(False, self.ready), 60)
        self.scene.advance(10)
        verdict = self.ready()
        self.assertEqual(self.parts(verdict), ["twitch"])
        self.assertIn("takes no connections (connection refused)", verdict.failing[0].reason)
        self.scene.recorded()
        self.assertLessEqual(self.seconds_until(True, self.ready), 6)

    def test_platform_that_never_came(self) -> None:
        """Nor does one have to be there first in order to be missed."""
        scene = Scene().start()
        self.addCleanup(scene.stop)
        self.scene = scene
        self.assertTrue(self.ready().ok)
        self.assertLessEqual(self.seconds_until(False, self.ready), 60)

    def test_short_loss(self) -> None:
        """A connection that comes back within the grace turns nothing red."""
        self.scene.down(self.scene.links[0])
        for _ in range(40):
            self.scene.advance(1)
            self.assertTrue(self.ready().ok)
        self.scene.recorded()
        self.scene.advance(30)
        self.assertTrue(self.ready().ok)

    def test_room_that_is_not_acknowledged(self) -> None:
        """One room that the server says nothing about shows within a minute, by name."""
        self.scene.add("nobody")
        self.assertLessEqual(self.seconds_until(False, self.ready), 60)
        [failing] = self.ready().failing
        self.assertEqual(failing.part, "twitch rooms")
        self.assertEqual((failing.part, failing.code), ("twitch rooms", "ROOM_SILENT"))
        self.assertIn("1 room of 4 gets no answer: nobody (Twitch does not answer", failing.reason)
        self.scene.recorded()
        self.assertLessEqual(self.seconds_until(True, self.ready), 2)

    def test_refused_room(self) -> None:
        """A room that is refused later on, too."""
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.assertLessEqual(self.seconds_until(False, self.ready), 60)
        self.scene.pool.remove("room1")
        self.assertLessEqual(self.seconds_until(True, self.ready), 2)

    def test_share_of_rooms(self) -> None:
        """With less than all required, single rooms do not matter."""
        self.scene.settings = self.scene.status.settings = replace(
            self.scene.settings, http=HttpSettings(health=HealthSettings(rooms=60))
        )
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.scene.advance(120)
        self.assertTrue(self.ready().ok)
        self.scene.pool.refused(self.scene.links[0], "room2", "msg_banned")
        self.scene.advance(120)
        self.assertFalse(self.ready().ok)

    def test_refusing_store(self) -> None:
        """A store that refuses shows within a minute, in its own words."""
        self.scene.uploads.state = "refused"
        self.scene.uploads.last_error = "AccessDenied"
        self.assertLessEqual(self.seconds_until(False, self.ready), 60)
        [failing] = self.ready().failing
        self.assertEqual(failing.part, "store")
        self.assertRegex(failing.reason, r"\Athe store has refused files for \d+ s: it does not permit")
        self.scene.uploads.state = "ok"
        self.assertLessEqual(self.seconds_until(True, self.ready), 6)

    def test_old_file(self) -> None:
        """Files that wait for too long show, whatever the store says."""
        self.scene.uploads.oldest_waiting = self.scene.now() - 10790
        self.scene.uploads.waiting_files = 4
        self.assertTrue(self.ready().ok)
        self.scene.advance(15)
        [failing] = self.ready().failing
        self.assertEqual(failing.part, "uploads")
        self.assertEqual(failing.reason, "4 files wait for the upload, the oldest for 3.0 h")

    def test_filling(self) -> None:
        """So do a spool and a disk that are nearly full."""
        self.scene.space = (99_000_000, 1_000_000_000)
        self.scene.recording.spool.usage.measured(1_600_000_000)
        self.scene.advance(6)
        verdict = self.ready()
        self.assertEqual(self.parts(verdict), ["spool", "disk"])
        self.assertIn("80 % of the spool are taken (2.0 GB", verdict.failing[0].reason)
        self.assertIn("90 % of the file system are taken, 99.0 MB are free", verdict.failing[1].reason)

    def test_everything_is_named(self) -> None:
        """When several parts fail each is named, and the answer is JSON."""
        self.scene.down(self.scene.links[0])
        self.scene.uploads.state = "retrying"
        self.scene.recording.files.capacity = 0
        self.scene.say("room0")
        self.scene.advance(120)
        body: dict[str, Any] = json.loads(json.dumps(self.ready().body))
        self.assertEqual([part["part"] for part in body["failing"]], ["recorder", "twitch", "store"])
        self.assertFalse(body["ok"])
