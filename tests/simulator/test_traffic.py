"""Traffic: how much, to whom, and what the oracle says of it."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.twitch import TwitchRules
from tests.simulator.stage import Stage


class TrafficTests(SynchronousTestCase):
    def run_for(self, stage: Stage, seconds: float) -> None:
        stage.traffic.start()
        for _ in range(round(seconds / 0.025)):
            stage.clock.advance(0.025)
        stage.traffic.stop()

    def near(self, count: int, expected: float, most: float) -> None:
        self.assertLessEqual(abs(count - expected), most, count)

    def test_rate(self) -> None:
        """The rate is met exactly, also when it gives less than one event a tick."""
        for rate, seconds in ((1000.0, 5.0), (3.0, 10.0)):
            stage = Stage(self.mktemp(), rate=rate)
            stage.twitch_client("alpha")
            self.run_for(stage, seconds)
            self.near(len(stage.oracle.events()), rate * seconds, 1)

    def test_nobody_listens(self) -> None:
        """No chat is generated for rooms without listeners."""
        stage = Stage(self.mktemp(), rate=1000.0)
        stage.twitch_client()
        self.run_for(stage, 1.0)
        self.assertEqual(stage.oracle.events(), [])

    def test_kick_share(self) -> None:
        """Kick gets its share; all of it where Twitch has no listener."""
        stage = Stage(self.mktemp(), rate=1000.0, kick_share=0.25)
        channel = f"chatrooms.{stage.kick.know('beta').id.decode()}.v2"
        stage.twitch_client("alpha")
        stage.kick_client(channel)
        self.run_for(stage, 8.0)
        platforms = Counter(event["platform"] for event in stage.oracle.events())
        # What is published on other channels of the room nobody here asked for.
        self.near(platforms["kick"], 2000, 100)
        alone = Stage(self.mktemp(), rate=1000.0, kick_share=0.25)
        alone.kick.know("beta")
        alone.kick_client(channel)
        self.run_for(alone, 2.0)
        self.assertGreater(len(alone.oracle.events()), 1900)

    def test_spread(self) -> None:
        """Even: all rooms alike. Zipf: the first room asked for is about twice as busy as the second."""
        for spread, first, second in (("even", 0.25, 0.25), ("zipf", 0.48, 0.24)):
            stage = Stage(self.mktemp(), rate=2000.0, spread=spread)
            stage.twitch_client("a", "b", "c", "d")
            self.run_for(stage, 5.0)
            rooms = Counter(event["channel"] for event in stage.oracle.events())
            self.near(rooms["a"], first * 10000, 500)
            self.near(rooms["b"], second * 10000, 500)

    def test_a_stall_is_made_up_for_a_little(self) -> None:
        """After a stall a second's worth is sent at once, not more."""
        stage = Stage(self.mktemp(), rate=100.0)
        stage.twitch_client("alpha")
        stage.traffic.start()
        stage.clock.advance(60.0)
        stage.traffic.stop()
        self.near(len(stage.oracle.events()), 100, 1)

    def test_batches(self) -> None:
        """What is due in one tick is one write; with records of their own each event is one."""
        for own, writes in ((False, 1), (True, 10)):
            stage = Stage(self.mktemp(), TwitchRules(own_records=own))
            client = stage.twitch_client("alpha")
            written: list[bytes] = []
            client.transport.write = written.append  # type: ignore[method-assign]
            stage.traffic.say("twitch", "alpha", 10, stage.traffic.chat("twitch").ordinary)
            self.assertEqual(len(written), writes)

    def test_oracle_is_written_while_it_runs(self) -> None:
        """A reader of the oracle is never more than a moment behind."""
        path = self.mktemp()
        stage = Stage(path, rate=100.0)
        stage.twitch_client("alpha")
        stage.traffic.start()
        for _ in range(40):
            stage.clock.advance(0.025)
        with open(path, "rb") as file:
            self.assertGreaterEqual(sum(1 for _ in file), 80)
        stage.traffic.stop()

    def test_dead_connections(self) -> None:
        """An event that only dead connections would get is marked; one that a live one gets is not."""
        stage = Stage(self.mktemp())
        one, two = stage.twitch_client("alpha"), stage.twitch_client("alpha")
        ordinary = stage.traffic.chat("twitch").ordinary
        one.raw(), two.raw()
        one.connection.half_open(60.0)
        stage.traffic.say("twitch", "alpha", 1, ordinary)
        two.connection.half_open(60.0)
        stage.traffic.say("twitch", "alpha", 1, ordinary)
        first, second = stage.oracle.events()
        self.assertEqual((first["connection"], first.get("also"), first.get("dead")), (2, None, None))
        self.assertTrue(second["dead"])
        self.assertEqual(one.raw(), b"")
        self.assertEqual(len(two.lines()), 1)
