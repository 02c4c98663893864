"""A connection to Kick's Pusher server: frames, subscriptions, keepalive, goodbye."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatlog.kick import pusher
from chatlog.kick.client import MESSAGE_LIMIT
from chatlog.rooms.closing import Closing
from tests.kick import CHANNEL, chat, frame, plain
from tests.kick.wire import RECEIVED, WELCOME, ConnectionCase, acknowledgement


class FrameTests(ConnectionCase):
    """What arrives."""

    def test_event(self) -> None:
        """A published event is handed on with its bytes and the time of its arrival."""
        self.established()
        data = frame("App\\Events\\ChatMessageEvent", chat())
        self.say(data)
        self.assertEqual(
            self.owner.calls, [("event", "App\\Events\\ChatMessageEvent", CHANNEL, data, RECEIVED)]
        )

    def test_event_before_the_welcome(self) -> None:
        """An event is taken whenever it comes."""
        self.open()
        self.say(frame("Some", {}), WELCOME)
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "welcomed"])

    def test_any_partition(self) -> None:
        """Frames come through the same a byte at a time, all in one read, and in fragments."""
        frames = [frame("Some", {"n": n, "text": "é" * n * 40}) for n in range(8)]
        expected = [("event", "Some", CHANNEL, data, RECEIVED) for data in frames]
        self.established()
        for data in frames:
            self.server.sendMessage(data)
        stream = self.pump.serverIO.getOutBuffer()
        assert stream is not None
        for place in range(len(stream)):
            self.client.dataReceived(stream[place : place + 1])
        self.assertEqual(self.owner.calls, expected)
        self.owner.calls.clear()
        self.client.dataReceived(stream)
        self.assertEqual(self.owner.calls, expected)
        self.owner.calls.clear()
        for data in frames:
            self.server.sendMessage(data, fragmentSize=11)
        self.pump.flush()
        self.assertEqual(self.owner.calls, expected)

    def test_welcome_in_the_same_read(self) -> None:
        """What comes in one read with the handshake's answer is taken."""
        self.raw_open()
        self.pump.pump()
        self.server.sendMessage(WELCOME)
        self.server.sendMessage(frame("Some", {}))
        stream = self.pump.serverIO.getOutBuffer()
        assert stream is not None
        self.client.dataReceived(stream)
        self.assertEqual([call[0] for call in self.owner.calls], ["welcomed", "event"])

    def test_junk(self) -> None:
        """A frame that is no event is handed on as it is, and the connection goes on."""
        self.established()
        self.say(b"", b"junk", b"[1]")
        self.server.sendMessage(b"\x00\xff", isBinary=True)
        self.say(frame("Some", {}))
        self.assertEqual(
            [call[:2] for call in self.owner.calls],
            [
                ("not_understood", b""),
                ("not_understood", b"junk"),
                ("not_understood", b"[1]"),
                ("not_understood", b"\x00\xff"),
                ("event", "Some"),
            ],
        )

    def test_bytes_that_are_not_utf8(self) -> None:
        """Bad UTF-8 in a text frame does not cost the connection."""
        self.established()
        data = frame("Some", {"content": "??"}).replace(b"??", b"\xff\xfe")
        self.server.sendMessage(data)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("event", "Some", CHANNEL, data, RECEIVED)])

    def test_large_frames(self) -> None:
        """A frame too large to be looked into is handed on whole; one beyond the limit costs the
        connection, which comes back, and its bytes are not kept."""
        self.established()
        large = frame("Some", {"content": "x" * (pusher.MAX_FRAME + 10)})
        self.say(large)
        self.assertEqual(self.owner.calls, [("not_understood", large, RECEIVED)])
        self.owner.calls.clear()
        self.say(b"y" * (MESSAGE_LIMIT + 1))
        (reason,) = self.reasons()
        self.assertIn("exceeds payload limit", reason)
        self.assertEqual(len(self.owner.calls), 1)
        self.assertGreater(self.next_attempt(), 0)

    def test_endless_fragments(self) -> None:
        """A message that goes on in fragments is given up at the limit as well."""
        self.established()
        self.server.beginMessage()
        for _ in range(3):
            self.server.sendMessageFrame(b"z" * pusher.MAX_FRAME)
        self.pump.flush()
        self.assertEqual(len(self.reasons()), 1)

    def test_protocol_violation(self) -> None:
        """A stream that is no WebSocket any more is given up."""
        self.established()
        self.raw(b"\xff\xff\xff\xff")
        [reason] = self.reasons()
        self.assertRegex(reason, "^protocol violated: [A-Za-z]")
        self.assertEqual(self.losses(), [Closing.BACK_OFF])

    def test_failing_owner(self) -> None:
        """An event on which its sink fails is handed on as not understood; the connection and the
        frames after it are not affected, and the log says so once."""
        self.established()
        self.owner.fail.add("event")
        data = frame("Some", {})
        self.say(data, data, data)
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "not_understood"] * 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.owner.fail.clear()
        self.say(data)
        self.assertEqual(self.owner.calls[-1][0], "event")

    def test_failing_owner_twice(self) -> None:
        """When not even that can be taken, the connection is dropped and comes back: a gap is known
        for what it is."""
        self.established()
        self.owner.fail |= {"event", "not_understood"}
        self.say(frame("Some", {}))
        self.assertEqual(self.reasons(), ["a frame could not be taken"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertGreater(self.next_attempt(), 0)


class ControlTests(ConnectionCase):
    """The protocol's own events."""

    def test_ping(self) -> None:
        """A ping is answered, on either level; nobody else hears of it."""
        self.established()
        self.say(plain("pusher:ping", {}, None))
        self.assertEqual(self.server.got, [{"event": "pusher:pong", "data": {}}])
        self.server.sendPing(b"are you there")
        self.pump.flush()
        self.assertEqual(self.server.pongs, 1)
        self.assertEqual(self.owner.calls, [])

    def test_subscribing(self) -> None:
        """A subscription is asked for, and its answer reported with the channel."""
        self.established()
        self.client.subscribe([CHANNEL])
        self.pump.flush()
        expected = {"event": "pusher:subscribe", "data": {"auth": "", "channel": CHANNEL}}
        self.assertEqual(self.server.got, [expected])
        self.say(acknowledgement())
        self.assertEqual(self.owner.calls, [("acknowledged", CHANNEL)])

    def test_refused_subscription(self) -> None:
        """A refusal is reported in the server's words, whichever name it has."""
        self.established()
        words = '{"type":"AuthError","error":"nope","status":401}'
        for name in ("pusher_internal:subscription_error", "pusher:subscription_error"):
            self.say(plain(name, words, "private-thing.1"))
        expected = ("refused", "private-thing.1", "AuthError nope 401")
        self.assertEqual(self.owner.calls, [expected, expected])

    def test_asking_twice(self) -> None:
        """The server's complaint about a second subscription says that there is one."""
        self.established()
        message = f"Existing subscription to channel {CHANNEL}"
        self.say(plain(pusher.ERROR, {"code": None, "message": message}, None))
        self.assertEqual(self.owner.calls, [("acknowledged", CHANNEL)])

    def test_harmless_errors(self) -> None:
        """An error without a code, or about one request, is logged once and costs nothing."""
        self.established()
        self.say(*[plain(pusher.ERROR, {"code": None, "message": f"n {n}"}, None) for n in range(5)])
        self.say(plain(pusher.ERROR, {"code": 4301, "message": "slow down"}, None))
        self.assertEqual(self.owner.calls, [])
        self.assertEqual(self.warnings(), ["kick: the server says: {message}"])
        self.say(frame("Some", {}))
        self.assertEqual(len(self.owner.calls), 1)

    def test_unknown_talk(self) -> None:
        """Events of the protocol that nobody knows yet are neither records nor errors."""
        self.established()
        self.say(plain("pusher:cache_miss", None), plain("pusher_internal:subscription_count", {"n": 1}))
        self.assertEqual(self.owner.calls, [])

    def test_giving_up_a_channel(self) -> None:
        """Unsubscribing tells the server."""
        self.established()
        self.client.unsubscribe(CHANNEL)
        self.pump.flush()
        self.assertEqual(self.server.got, [{"event": "pusher:unsubscribe", "data": {"channel": CHANNEL}}])

    def test_nothing_is_sent_when_closed(self) -> None:
        """Asking on a connection that is closing or gone does nothing."""
        self.established()
        self.client.close("over")
        self.client.subscribe([CHANNEL])
        self.client.unsubscribe(CHANNEL)
        self.pump.flush()
        self.client.subscribe([CHANNEL])
        self.assertEqual(self.server.got, [])
        self.assertEqual(self.reasons(), ["over"])

    def test_failing_owner(self) -> None:
        """An owner that fails to take a welcome costs the connection, which comes back."""
        self.owner.fail.add("welcomed")
        self.open()
        self.say(WELCOME)
        self.assertEqual(self.reasons(), ["could not take pusher:connection_established"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertGreater(self.next_attempt(), 0)


class EndTests(ConnectionCase):
    """How a connection ends."""

    def test_server_closes(self) -> None:
        """The code decides the class, and code and text are the reason."""
        for code, closing in (
            (4001, Closing.REFUSED),
            (4100, Closing.LATER),
            (4200, Closing.AT_ONCE),
            (4301, Closing.LATER),
            (1000, Closing.BACK_OFF),
        ):
            self.established()
            self.clock.advance(3)
            self.server.sendClose(code, "some\nreason")
            self.pump.flush()
            self.assertEqual(
                self.owner.calls, [("lost", 0.0, f"closed by the server: {code} some\\nreason", closing)]
            )
            self.assertIsNone(self.factory.chat)
            self.clock.advance(2000)

    def test_server_closes_without_a_code(self) -> None:
        """A goodbye without a code is a plain loss."""
        self.established()
        self.client.dataReceived(b"\x88\x00")
        self.tick(1)
        self.pump.flush()
        self.assertEqual(self.reasons(), ["closed by the server"])
        self.assertEqual(self.losses(), [Closing.BACK_OFF])

    def test_invalid_close_code(self) -> None:
        """A goodbye with a code that there cannot be is a plain loss as well."""
        self.established()
        self.raw(b"\x88\x02\x13\x88")
        self.assertEqual(self.losses(), [Closing.LATER])

    def test_server_closes_and_stays(self) -> None:
        """A server that says goodbye and keeps the connection open is not waited for."""
        self.established()
        self.client.dataReceived(b"\x88\x02\x0f\xa1")
        self.assertFalse(self.pump.clientIO.disconnecting)
        self.tick(1)
        self.assertTrue(self.pump.clientIO.disconnecting)
        self.pump.flush()
        self.assertEqual(self.reasons(), ["closed by the server: 4001"])
        self.assertEqual(self.losses(), [Closing.REFUSED])

    def test_connection_is_cut(self) -> None:
        """A connection that is just gone is lost, with the class of plain losses."""
        self.established()
        self.clock.advance(7)
        self.pump.serverIO.loseConnection()
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("lost", 7.0, "connection lost", Closing.BACK_OFF)])

    def test_certificate(self) -> None:
        """What TLS does not like is the reason."""
        self.raw_open()
        self.client.connectionLost(Failure(ValueError("it is another host")))
        self.ended(Failure(ConnectionDone()))
        self.assertEqual(self.reasons(), ["connection lost: TLS failed [it is another host]"])

    def test_error_with_a_code(self) -> None:
        """An error with a code of the first three classes ends the connection with that class, though
        the goodbye has another code."""
        for code, closing in ((4000, Closing.REFUSED), (4100, Closing.LATER), (4299, Closing.AT_ONCE)):
            self.established()
            self.say(plain(pusher.ERROR, {"code": code, "message": "because"}, None))
            self.assertEqual(
                self.owner.calls, [("lost", 0.0, f"error from the server: {code} because", closing)]
            )
            self.clock.advance(2000)

    def test_close(self) -> None:
        """Closing says goodbye with code 1000 and is over when the server has said it too."""
        self.established()
        self.client.close("no longer needed")
        self.pump.flush()
        self.assertEqual(self.server.close_code, 1000)
        self.assertEqual(self.reasons(), ["no longer needed"])

    def test_close_is_bounded(self) -> None:
        """A server that does not answer a goodbye is waited for less than half a second."""
        self.established()
        self.client.close("no longer needed")
        self.clock.advance(0.39)
        self.assertFalse(self.pump.clientIO.disconnecting)
        self.clock.advance(0.02)
        self.assertTrue(self.pump.clientIO.disconnecting)

    def test_events_until_the_end(self) -> None:
        """What arrives between our goodbye and the server's is still taken."""
        self.established()
        self.server.sendMessage(frame("Some", {}))
        self.client.close("no longer needed")
        self.pump.flush()
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "lost"])
