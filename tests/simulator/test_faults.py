"""Faults: the file that orders them, and what each does to a client."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.faults import (
    CONNECTION_FAULTS,
    SERVER_FAULTS,
    Fault,
    Faults,
    FaultsError,
    Server,
    read_faults,
)
from chatlog.simulator.kick_chat import TOPICS
from chatlog.simulator.twitch import SimulatedTwitch
from tests.simulator.stage import KickClient, Stage, TwitchClient


class File(SynchronousTestCase):
    def test_entries(self) -> None:
        """An entry gives time and kind; the rest has defaults by kind."""
        (fault, other) = read_faults(
            "[{at: 5, what: half_open, platform: kick, which: 0.5, for: 60}, {at: 1.5, what: reconnect}]"
        )
        self.assertEqual(fault, Fault(at=5, what="half_open", platform="kick", which=0.5, lasting=60))
        self.assertEqual((other.platform, other.which, other.lasting), (None, "all", 5.0))

    def test_nothing(self) -> None:
        """An empty file is no faults."""
        self.assertEqual(read_faults(""), [])

    def test_mistakes(self) -> None:
        """A mistake is named with the number of its entry."""
        for text, words in (
            ("{at: 1}", "not a list"),
            ("[drop]", "fault 1: not a mapping"),
            ("[{at: 1, what: drop}, {at: 1, what: explode}]", "fault 2: what must be one of"),
            ("[{at: soon, what: drop}]", "fault 1: at must be a number"),
            ("[{at: -1, what: drop}]", "fault 1: at must be a number"),
            ("[{what: drop, for: true}]", "fault 1: for must be a number"),
            ("[{what: drop, platform: youtube}]", "fault 1: platform must be"),
            ("[{what: drop, who: all}]", "fault 1: unknown key who"),
            ("[{what: drop, which: [1]}]", "fault 1: which must be"),
            ("[", "not YAML"),
        ):
            error = self.assertRaises(FaultsError, read_faults, text)
            self.assertIn(words, str(error))


class Happening(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(self.mktemp())
        self.reports: list[str] = []
        servers: dict[str, Server] = {"twitch": self.stage.twitch, "kick": self.stage.kick}
        self.faults = Faults(self.stage.clock, servers, report=self.reports.append)

    def client(self) -> TwitchClient:
        client = self.stage.twitch_client("alpha", "beta")
        client.raw()
        return client

    def kick_client(self) -> KickClient:
        room = self.stage.kick.know("gamma")
        client = self.stage.kick_client(TOPICS[0].format(chatroom=room.id.decode()))
        client.events()
        return client

    def make(self, what: str, which: str | int | float = "all", **more: object) -> None:
        self.faults.make(Fault(at=0, what=what, which=which, **more))  # type: ignore[arg-type]

    def say(self, room: str = "alpha", count: int = 1) -> None:
        self.stage.traffic.say("twitch", room, count, self.stage.traffic.chat("twitch").ordinary)

    def say_kick(self) -> None:
        self.stage.traffic.say("kick", "gamma", 1, self.stage.traffic.chat("kick").ordinary)

    def test_schedule(self) -> None:
        """A fault happens at its time, repeatedly with ``every``, and is reported."""
        self.client()
        self.faults.schedule(read_faults("[{at: 5, what: split, every: 10, for: 1, platform: twitch}]"))
        self.stage.clock.advance(4.9)
        self.assertEqual(self.reports, [])
        self.stage.clock.pump([0.2, 10.0, 10.0])
        self.assertEqual(self.reports, ["twitch: split 1"] * 3)

    def test_which(self) -> None:
        """Connections are chosen by number, room, fraction, or all; dead ones never."""
        for rooms in (("a",), ("a", "b"), ("c",), ("d",)):
            self.stage.twitch_client(*rooms)
        chosen = {
            which: [c.number for c in self.faults.choose(self.stage.twitch, which)]
            for which in ("all", "a", "nowhere", 3, 99)
        }
        self.assertEqual(chosen, {"all": [1, 2, 3, 4], "a": [1, 2], "nowhere": [], 3: [3], 99: []})
        self.assertEqual(len(self.faults.choose(self.stage.twitch, 0.5)), 2)
        self.assertEqual(len(self.faults.choose(self.stage.twitch, 0.01)), 1)
        self.stage.twitch.connections[3].half_open(60.0)
        self.assertEqual([c.number for c in self.faults.choose(self.stage.twitch, "all")], [1, 2, 4])
        self.assertEqual(self.faults.choose(self.stage.kick, 0.5), [])

    def test_drop(self) -> None:
        """A dropped connection is reset, and the oracle says from when on arrivals are not certain."""
        client = self.client()
        self.make("drop")
        self.assertTrue(client.transport.aborted)
        note = self.stage.oracle.entries()[-1]
        self.assertEqual((note["note"], note["connection"], note["at"] - note["since"]), ("cut", 1, 1000))

    def test_close(self) -> None:
        """A close comes after what was said; on Kick it has its code."""
        client, kick = self.client(), self.kick_client()
        self.say()
        self.make("close", code=4202)
        self.assertEqual((len(client.lines()), client.closed, client.transport.aborted), (1, True, False))
        ((opcode, payload),) = kick.frames()
        self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (8, 4202))

    def test_half_open(self) -> None:
        """Half open: nothing is sent, read or closed; after the time the connection is reset."""
        client = self.client()
        self.make("half_open", lasting=30.0)
        self.say()
        client.send("PING :are you there")
        self.stage.clock.advance(29.0)
        self.assertEqual(
            (client.raw(), client.closed, client.transport.producerState), (b"", False, "paused")
        )
        self.stage.clock.advance(2.0)
        self.assertTrue(client.transport.aborted)

    def test_reconnect(self) -> None:
        """Twitch announces a reconnect and closes some seconds later; Kick closes with 4200."""
        client, kick = self.client(), self.kick_client()
        self.make("reconnect", lasting=3.0)
        self.assertEqual(client.lines(), [":tmi.twitch.tv RECONNECT"])
        self.stage.clock.advance(3.1)
        self.assertTrue(client.closed)
        self.assertEqual([payload[:2] for opcode, payload in kick.frames() if opcode == 8], [b"\x10\x68"])

    def test_garbage(self) -> None:
        """Garbage comes between the messages, and the messages arrive whole."""
        client, kick = self.client(), self.kick_client()
        self.say()
        self.make("garbage")
        self.say()
        lines = client.raw().split(b"\r\n")
        self.assertEqual(sum(b" PRIVMSG #alpha :" in line for line in lines), 2)
        self.assertGreater(max(map(len, lines)), 65536)
        self.say_kick()
        frames = kick.frames()
        self.assertIn(2, [opcode for opcode, _ in frames])
        self.assertIn(b"ChatMessageEvent", frames[-1][1])

    def test_broken(self) -> None:
        """A broken stream is followed by silence and a reset; later messages count as undelivered."""
        client, kick = self.client(), self.kick_client()
        self.say()
        self.make("broken")
        self.assertEqual(len(client.lines()), 1)
        self.stage.clock.advance(0.1)
        self.assertEqual(kick.frames()[-1][0], 3)
        self.assertTrue(client.raw())
        self.say()
        self.assertEqual(client.raw(), b"")
        self.assertTrue(self.stage.oracle.events()[-1]["dead"])
        self.stage.clock.advance(5.1)
        self.assertTrue(client.transport.aborted and kick.transport.aborted)

    def test_slow_and_split(self) -> None:
        """Slow and split end by themselves, and everything said meanwhile has arrived in order."""
        for what in ("slow", "split"):
            client = self.client()
            before = len(self.stage.oracle.events())
            self.make(what, client.connection.number, lasting=2.0, rate=300)
            self.say(count=10)
            self.stage.clock.pump([0.05] * 20)
            self.stage.clock.advance(2.0)
            self.say()
            ids = [event["id"] for event in self.stage.oracle.events()[before:]]
            self.assertEqual([line.split(";id=")[1][:36] for line in client.lines()], ids)
            client.connection.cut()

    def test_slow_unsent(self) -> None:
        """When a slow connection goes before everything was sent the oracle says since when."""
        client = self.client()
        self.make("slow", lasting=60.0, rate=10)
        self.say()
        self.stage.clock.advance(5.0)
        client.connection.lost()
        note = self.stage.oracle.entries()[-1]
        self.assertEqual((note["note"], note["at"] - note["since"]), ("cut", 6000))

    def test_silence(self) -> None:
        """Silence: pings are answered, no message comes, in one room or in all; then it goes on."""
        client = self.client()
        self.make("silence", "alpha", lasting=10.0)
        self.say("alpha")
        self.say("beta")
        client.send("PING :x")
        self.assertEqual(["PRIVMSG #beta" in line for line in client.lines()], [True, False])
        self.stage.clock.advance(10.1)
        self.say("alpha")
        self.assertEqual(len(client.lines()), 1)

    def test_part(self) -> None:
        """The server takes a client out of one room, or out of all."""
        client = self.client()
        self.make("part", "alpha")
        (line,) = client.lines()
        self.assertTrue(line.endswith(" PART #alpha"))
        self.make("part")
        (line,) = client.lines()
        self.assertTrue(line.endswith(" PART #beta"))

    def test_repeat(self) -> None:
        """Everything comes twice for a while, and is one event in the oracle."""
        client = self.client()
        self.make("repeat", lasting=5.0)
        self.say()
        one, two = client.lines()
        self.assertEqual(one, two)
        self.stage.clock.advance(5.1)
        self.say()
        self.assertEqual((len(client.lines()), len(self.stage.oracle.events())), (1, 2))

    def test_refused_logins(self) -> None:
        """Logins are refused for a while on both platforms."""
        self.make("refuse_login", lasting=10.0)
        self.assertIn("Login authentication failed", self.stage.twitch_client().lines()[-1])
        ((opcode, payload),) = self.stage.kick_client().frames()
        self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (8, 4001))
        self.stage.clock.advance(10.1)
        self.assertEqual(len(self.stage.twitch_client().lines()), 8)

    def test_stall(self) -> None:
        """New clients are not welcomed for a while; those that are there notice nothing."""
        client = self.client()
        self.make("stall", lasting=10.0)
        self.assertEqual(len(self.stage.twitch_client().lines()), 1)
        self.assertEqual(self.stage.kick_client().frames(), [])
        self.say()
        self.assertEqual(len(client.lines()), 1)

    def test_ignored_joins(self) -> None:
        """Joins and subscriptions are not answered for a while; asked again later they are."""
        client, kick = self.client(), self.kick_client()
        self.make("ignore_joins", lasting=10.0)
        client.send("JOIN #late")
        kick.send("pusher:subscribe", {"channel": "chatrooms.5.v2"})
        self.assertEqual((client.raw(), kick.frames()), (b"", []))
        self.stage.clock.advance(10.1)
        client.send("JOIN #late")
        self.assertEqual(len(client.lines()), 4)

    def test_blocked_lookup(self) -> None:
        """The lookup of ids is blocked for a while."""
        self.make("block_lookup", lasting=10.0)
        self.assertEqual(self.stage.kick.look_up("/api/v2/channels/gamma")[0], "403 Forbidden")
        self.stage.clock.advance(10.1)
        self.assertEqual(self.stage.kick.look_up("/api/v2/channels/gamma")[0], "200 OK")

    def test_refused_connections(self) -> None:
        """The server listens no more for a while, then on the same port again, and only on loopback."""
        reactor = MemoryReactorClock()
        server = SimulatedTwitch(reactor, self.stage.traffic)
        server.listen(4242)
        faults = Faults(reactor, {"twitch": server})
        faults.make(Fault(at=0, what="refuse_connections", lasting=10.0))
        self.assertEqual(len(reactor.tcpServers), 1)
        reactor.advance(10.1)
        self.assertEqual([call[0] for call in reactor.tcpServers], [4242, server.port])
        self.assertEqual({call[3] for call in reactor.tcpServers}, {"127.0.0.1"})
        server.stop()

    def test_every_kind_is_made(self) -> None:
        """Every kind that the file may name does something rather than nothing, on both platforms."""
        for what in (*CONNECTION_FAULTS, *SERVER_FAULTS):
            stage = Stage(self.mktemp())
            stage.twitch_client("alpha")
            room = stage.kick.know("gamma")
            stage.kick_client(TOPICS[0].format(chatroom=room.id.decode()))
            reports: list[str] = []
            Faults(stage.clock, {"twitch": stage.twitch, "kick": stage.kick}, report=reports.append).make(
                Fault(at=0, what=what, lasting=1.0)
            )
            self.assertEqual(len(reports), 2)
