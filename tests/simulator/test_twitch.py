"""The simulated Twitch: what a client of the real one may rely on."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.twitch import TwitchRules
from tests.simulator.stage import START, Stage, TwitchClient

CAPS = "CAP REQ :twitch.tv/tags twitch.tv/commands"


class TwitchTests(SynchronousTestCase):
    def stage(self, **rules: object) -> Stage:
        return Stage(self.mktemp(), twitch=TwitchRules(**rules))  # type: ignore[arg-type]

    def test_anonymous_login(self) -> None:
        """CAP is acknowledged and a justinfan nick welcomed, with nothing but the seven numerics."""
        client = TwitchClient(self.stage())
        client.send(CAPS)
        self.assertEqual(client.lines(), [":tmi.twitch.tv CAP * ACK :twitch.tv/tags twitch.tv/commands"])
        client.send("CAP LS 302")
        self.assertIn("twitch.tv/tags", client.lines()[0])
        client.send("NICK justinfan73824")
        lines = client.lines()
        self.assertEqual(lines[0], ":tmi.twitch.tv 001 justinfan73824 :Welcome, GLHF!")
        self.assertEqual(
            [line.split()[1] for line in lines], ["001", "002", "003", "004", "375", "372", "376"]
        )

    def test_named_login(self) -> None:
        """A named login with a token is welcomed and gets its GLOBALUSERSTATE."""
        client = TwitchClient(self.stage())
        for line in (CAPS, "PASS oauth:good", "NICK Chatlog_Bot"):
            client.send(line)
        self.assertRegex(client.lines()[-1], r"\A@\S*;user-id=\d+;\S* :tmi\.twitch\.tv GLOBALUSERSTATE\Z")
        self.assertFalse(client.closed)

    def test_login_failures(self) -> None:
        """A bad token, a PASS without its prefix and a malformed nick get their NOTICE without tags, and
        the connection is closed."""
        for password, nick, text in (
            ("oauth:bad", "somebody", "Login authentication failed"),
            ("good", "somebody", "Improperly formatted auth"),
            ("", "somebody", "Improperly formatted auth"),
            ("oauth:good", "some-body!", "Invalid NICK"),
        ):
            client = TwitchClient(self.stage())
            if password:
                client.send(f"PASS {password}")
            client.send(f"NICK {nick}")
            self.assertEqual(client.lines(), [f":tmi.twitch.tv NOTICE * :{text}"])
            self.assertTrue(client.closed)

    def test_unknown_capability(self) -> None:
        """A request that holds an unknown capability is refused as a whole."""
        client = TwitchClient(self.stage())
        client.send("CAP REQ :twitch.tv/tags twitch.tv/foo")
        self.assertEqual(client.lines(), [":tmi.twitch.tv CAP * NAK :twitch.tv/tags twitch.tv/foo"])

    def test_join(self) -> None:
        """A JOIN is answered with echo, names and ROOMSTATE with the room's id, in this order."""
        stage = self.stage()
        client = stage.twitch_client(nick="justinfan5")
        client.raw()
        client.send("JOIN #Alpha,#beta")
        lines = client.lines()
        self.assertEqual(len(lines), 8)
        self.assertEqual(lines[0], ":justinfan5!justinfan5@justinfan5.tmi.twitch.tv JOIN #alpha")
        self.assertEqual(lines[1], ":justinfan5.tmi.twitch.tv 353 justinfan5 = #alpha :justinfan5")
        self.assertEqual(lines[2], ":justinfan5.tmi.twitch.tv 366 justinfan5 #alpha :End of /NAMES list")
        id = stage.traffic.room("twitch", "alpha").id.decode()
        self.assertIn(f"room-id={id};", lines[3])
        self.assertTrue(lines[3].endswith(" :tmi.twitch.tv ROOMSTATE #alpha"))

    def test_join_before_login(self) -> None:
        """A JOIN before the welcome is not answered."""
        client = TwitchClient(self.stage())
        client.send("JOIN #alpha")
        self.assertEqual(client.raw(), b"")

    def test_without_capabilities(self) -> None:
        """Who did not ask for tags gets none, and who did not ask for commands no ROOMSTATE."""
        stage = self.stage()
        client = stage.twitch_client("alpha", caps=False)
        self.assertNotIn("ROOMSTATE", client.raw().decode())
        stage.traffic.say("twitch", "alpha", 5, stage.traffic.chat("twitch").ordinary)
        for line in client.lines():
            self.assertRegex(line, r"\A:\w+!\w+@\w+\.tmi\.twitch\.tv PRIVMSG #alpha :")

    def test_silence_and_refusals(self) -> None:
        """Rooms that do not exist are not answered; the others that cannot be joined say why, and none of
        them gets chat."""
        stage = self.stage()
        client = stage.twitch_client()
        client.raw()
        client.send("JOIN #ghost_room,#no-such-name")
        self.assertEqual(client.raw(), b"")
        self.assertEqual(stage.oracle.events(), [])
        refused = (
            ("banned_one", "msg_banned"),
            ("suspended1", "msg_channel_suspended"),
            ("blocked1", "msg_channel_blocked"),
            ("tosser", "tos_ban"),
            ("fuller", "msg_concurrent_channel_limit_reached"),
        )
        for name, msg_id in refused:
            client.send(f"JOIN #{name}")
            (line,) = client.lines()
            self.assertTrue(line.startswith(f"@msg-id={msg_id} :tmi.twitch.tv NOTICE #{name} :"), line)
            stage.traffic.say("twitch", name, 3)
            self.assertEqual(client.raw(), b"")
        events = [(event["channel"], event["type"]) for event in stage.oracle.events()]
        self.assertEqual(events, [(name, "notice") for name, _ in refused])

    def test_numbered_rooms(self) -> None:
        """With a number of rooms only room1 to that one exist."""
        stage = self.stage(rooms=3)
        client = stage.twitch_client("room0", "room3", "room4", "other", "roomx")
        joined = [line for line in client.lines() if " JOIN " in line]
        self.assertEqual([line.split("#")[1] for line in joined], ["room3"])

    def test_chat_arrives_and_is_in_the_oracle(self) -> None:
        """Everything said in a joined room arrives, and the oracle says so, in order."""
        stage = self.stage()
        client = stage.twitch_client("alpha")
        client.raw()
        stage.traffic.say("twitch", "alpha", 50, stage.traffic.chat("twitch").ordinary)
        ids = [line.split(";id=")[1][:36] for line in client.lines()]
        events = stage.oracle.events()
        self.assertEqual(ids, [event["id"] for event in events])
        self.assertEqual({event["connection"] for event in events}, {client.connection.number})
        self.assertEqual({event["at"] for event in events}, {round(START * 1000)})

    def test_two_connections_get_one_event(self) -> None:
        """In a room that two connections joined an event has one id, goes to both, and is in the oracle
        once."""
        stage = self.stage()
        one, two = stage.twitch_client("alpha"), stage.twitch_client("alpha")
        one.raw(), two.raw()
        stage.traffic.say("twitch", "alpha", 20)
        self.assertEqual(one.raw(), two.raw())
        rooms = [event for event in stage.oracle.events() if event["channel"]]
        self.assertTrue(rooms)
        for event in rooms:
            self.assertEqual([event["connection"], *event["also"]], [1, 2])

    def test_most_rooms(self) -> None:
        """The room beyond the limit of a connection is refused with its own notice."""
        stage = self.stage(rooms_per_connection=2)
        client = stage.twitch_client("a", "b", "c")
        self.assertIn("@msg-id=msg_concurrent_channel_limit_reached", client.lines()[-1])
        client.send("PART #a")
        client.send("JOIN #c")
        self.assertTrue(client.lines()[-1].endswith("ROOMSTATE #c"))

    def test_joined_twice(self) -> None:
        """A second JOIN of the same room is not answered and doubles nothing."""
        stage = self.stage()
        client = stage.twitch_client("alpha", "alpha")
        client.raw()
        stage.traffic.say("twitch", "alpha", 1, stage.traffic.chat("twitch").ordinary)
        self.assertEqual(len(client.lines()), 1)

    def test_join_limit(self) -> None:
        """Within ten seconds twenty JOINs over all connections pass; the next one costs the connection."""
        stage = self.stage(joins_per_10s=20)
        one, two = stage.twitch_client(), stage.twitch_client()
        one.send("JOIN " + ",".join(f"#a{n}" for n in range(12)))
        two.send("JOIN " + ",".join(f"#b{n}" for n in range(8)))
        self.assertFalse(one.closed or two.closed)
        stage.clock.advance(9.0)
        two.send("JOIN #c")
        self.assertTrue(two.closed)
        self.assertFalse(one.closed)
        self.assertEqual(stage.twitch.violations, 1)
        stage.clock.advance(10.0)
        one.send("JOIN " + ",".join(f"#d{n}" for n in range(20)))
        self.assertFalse(one.closed)

    def test_part(self) -> None:
        """After a PART, requested or not, the client gets the line and no further messages."""
        stage = self.stage()
        client = stage.twitch_client("alpha", "beta", nick="justinfan5")
        client.raw()
        client.send("PART #alpha")
        client.connection.part_room("beta")
        source = ":justinfan5!justinfan5@justinfan5.tmi.twitch.tv"
        self.assertEqual(client.lines(), [f"{source} PART #alpha", f"{source} PART #beta"])
        stage.traffic.say("twitch", "alpha", 5)
        stage.traffic.say("twitch", "beta", 5)
        self.assertEqual(client.raw(), b"")

    def test_client_ping(self) -> None:
        """A client's PING is answered with what it said."""
        client = self.stage().twitch_client()
        client.raw()
        client.send("PING :chat log")
        client.send("PING")
        self.assertEqual(
            client.lines(),
            [":tmi.twitch.tv PONG tmi.twitch.tv :chat log", ":tmi.twitch.tv PONG tmi.twitch.tv"],
        )

    def test_server_ping(self) -> None:
        """The server pings; who answers stays, who does not is closed, even one who sends other things."""
        stage = self.stage(ping_every=60.0, pong_within=10.0)
        good, bad = stage.twitch_client(), stage.twitch_client()
        good.raw(), bad.raw()
        for second in range(120):
            stage.clock.advance(1.0)
            if second == 59:
                self.assertEqual(good.lines(), ["PING :tmi.twitch.tv"])
                good.send("PONG :tmi.twitch.tv")
            bad.send("PING :x")
        self.assertTrue(bad.closed)
        self.assertFalse(good.closed)

    def test_reconnect(self) -> None:
        """RECONNECT is announced and chat goes on until the connection is closed some seconds later."""
        stage = self.stage()
        client = stage.twitch_client("alpha")
        client.raw()
        client.connection.announce_reconnect(5.0)
        self.assertEqual(client.lines(), [":tmi.twitch.tv RECONNECT"])
        stage.clock.advance(4.9)
        stage.traffic.say("twitch", "alpha", 1)
        self.assertEqual(len(client.lines()), 1)
        self.assertFalse(client.closed)
        stage.clock.advance(0.2)
        self.assertTrue(client.closed)

    def test_first_after(self) -> None:
        """With a delay a joined room is acknowledged at once and silent at first."""
        stage = self.stage(first_after=3.0)
        client = stage.twitch_client("alpha")
        self.assertIn("ROOMSTATE #alpha", client.raw().decode())
        stage.traffic.say("twitch", "alpha", 1)
        self.assertEqual(client.raw(), b"")
        stage.clock.advance(3.0)
        stage.traffic.say("twitch", "alpha", 1)
        self.assertEqual(len(client.lines()), 1)

    def test_bytes_at_a_time(self) -> None:
        """What a client sends may arrive in any pieces."""
        client = TwitchClient(self.stage())
        for byte in b"CAP REQ :twitch.tv/tags\r\nNICK justinfan1\r\nJOIN #alpha\r\n":
            client.connection.dataReceived(bytes([byte]))
        self.assertIn("JOIN #alpha", client.raw().decode())

    def test_endless_line(self) -> None:
        """A client that never ends its line is closed before it costs memory."""
        client = TwitchClient(self.stage())
        for _ in range(100):
            client.connection.dataReceived(b"x" * 1000)
        self.assertTrue(client.closed)

    def test_gone(self) -> None:
        """When a client is gone nothing is kept of it: no timer, no listener, and the oracle says when."""
        stage = self.stage()
        before = stage.clock.getDelayedCalls()
        client = stage.twitch_client("alpha")
        client.connection.announce_reconnect(5.0)
        client.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(stage.clock.getDelayedCalls(), before)
        self.assertEqual(stage.traffic.listened("twitch"), [])
        self.assertEqual(stage.twitch.connections, {})
        self.assertEqual(stage.oracle.entries()[-1]["note"], "closed")
