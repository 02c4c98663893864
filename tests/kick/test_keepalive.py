"""How a connection to Kick is kept alive, and when its reading is paced."""

from __future__ import annotations

from chatlog.kick import pusher
from chatlog.rooms.closing import Closing
from tests.kick import frame, plain
from tests.kick.wire import ConnectionCase, acknowledgement


class SettlingTests(ConnectionCase):
    """When a connection begins to be read once a tick."""

    def test_after_the_last_answer(self) -> None:
        """Once, when every subscription is answered, one way or the other."""
        self.established()
        self.assertEqual(self.settled, [])
        for channel in ("a", "b", "c"):
            self.client.subscribe(channel)
        self.say(acknowledgement("a"), plain("pusher_internal:subscription_error", "{}", "b"))
        self.assertEqual(self.settled, [])
        self.say(acknowledgement("c"))
        self.assertEqual(self.settled, [self.client.transport])
        self.client.subscribe(["d"])
        self.say(acknowledgement("d"))
        self.assertEqual(len(self.settled), 1)

    def test_given_up_channel(self) -> None:
        """A channel that is given up is not waited for."""
        self.established()
        self.client.subscribe(["a"])
        self.client.subscribe(["b"])
        self.say(acknowledgement("a"))
        self.client.unsubscribe("b")
        self.assertEqual(len(self.settled), 1)

    def test_answer_that_never_comes(self) -> None:
        """An answer is not waited for longer than half a minute."""
        self.established()
        self.client.subscribe(["a"])
        self.tick(29)
        self.assertEqual(self.settled, [])
        self.tick(1)
        self.assertEqual(len(self.settled), 1)

    def test_goodbyes_are_read(self) -> None:
        """Whoever says goodbye first, the connection is read as it comes again."""
        self.established()
        self.client.close("over")
        self.assertEqual(self.closing, [self.client.transport])
        self.pump.flush()
        self.established()
        self.server.sendClose(4200, "restart")
        self.pump.pump()
        self.assertEqual(self.closing[-1], self.client.transport)


class KeepaliveTests(ConnectionCase):
    """How a dead path is found."""

    def pings(self) -> int:
        """How many pings the server got."""
        self.pump.pump()
        return sum(1 for frame in self.server.got if frame["event"] == "pusher:ping")

    def test_ping_after_silence(self) -> None:
        """A quiet connection is pinged after half a minute, and again after the next."""
        self.established()
        self.tick(29)
        self.assertEqual(self.pings(), 0)
        self.tick(1)
        self.assertEqual(self.pings(), 1)
        self.say(plain("pusher:pong", "{}", None))
        self.tick(29)
        self.assertEqual(self.pings(), 1)
        self.tick(1)
        self.assertEqual(self.pings(), 2)
        self.assertEqual(self.owner.calls, [])

    def test_shorter_activity_timeout(self) -> None:
        """Where the server wants to hear from us more often, it does."""
        self.open()
        self.say(frame(pusher.ESTABLISHED, {"activity_timeout": 10}, None))
        self.tick(9)
        self.assertEqual(self.pings(), 0)
        self.tick(1)
        self.assertEqual(self.pings(), 1)

    def test_no_ping_while_there_is_talk(self) -> None:
        """A connection on which anything arrives is not pinged."""
        self.established()
        for _ in range(10):
            self.tick(20)
            self.say(frame("Some", {}))
        self.assertEqual(self.pings(), 0)

    def test_dead_path(self) -> None:
        """Half a minute after an unanswered ping the connection is lost; the owner learns how long ago
        the last byte came."""
        self.established()
        self.tick(59)
        self.pump.pump()
        self.assertEqual(self.owner.calls, [])
        self.tick(1)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("lost", 60.0, "connection lost", Closing.BACK_OFF)])
        self.assertEqual(len(self.server.got), 1)

    def test_any_byte_counts(self) -> None:
        """Any byte answers a ping, even half of a frame."""
        self.established()
        self.tick(45)
        self.client.dataReceived(b"\x81")
        self.assertEqual(self.client.arrivals.heard, self.clock.seconds())
        self.tick(29)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [])
