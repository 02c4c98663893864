"""Trying the servers of a configuration: what is sent to them, and what comes of it."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.online_check import (
    WITHIN,
    CheckFailed,
    KickVisit,
    Result,
    Steps,
    TwitchVisit,
    check_online,
    without_secrets,
)
from chatlog.config.settings import (
    ArchiveSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
)
from chatlog.kick.pusher import Closing
from chatlog.store.store import Store, StoreError

WELCOME = b":tmi.twitch.tv 001 ann :Welcome, GLHF!\r\n"


class Transport(StringTransport):
    """Tells the protocol when it is closed."""

    def loseConnection(self) -> None:
        self.connected = False

    abortConnection = loseConnection


class TwitchTests(SynchronousTestCase):
    """A visit to Twitch."""

    def visit(self, oauth: str = "") -> TwitchVisit:
        settings = TwitchSettings(
            ("room", "other"), "ann" if oauth else None, Secret(oauth) if oauth else None
        )
        self.steps = Steps()
        visit = TwitchVisit(settings, Clock(), self.steps)
        self.transport = Transport()
        visit.protocol.makeConnection(cast(Any, self.transport))
        return visit

    def test_joined(self) -> None:
        """Logged in, and the first room joined: that is all, and the connection is closed."""
        for answer in (
            b":ann!ann@ann.tmi.twitch.tv JOIN #room\r\n",
            b"@room-id=1 :tmi.twitch.tv ROOMSTATE #room\r\n",
        ):
            visit = self.visit("sesame")
            self.assertIn(b"PASS oauth:sesame\r\nNICK ann\r\n", self.transport.value())
            visit.protocol.dataReceived(WELCOME)
            self.assertTrue(self.transport.value().endswith(b"JOIN #room\r\n"))
            self.assertNoResult(visit.done)
            visit.protocol.dataReceived(answer)
            said = self.successResultOf(visit.done)
            self.assertEqual(said, "irc.chat.twitch.tv:6697: logged in as ann, joined room")
            self.assertFalse(self.transport.connected)

    def test_anonymous(self) -> None:
        """So it is said."""
        visit = self.visit()
        visit.protocol.dataReceived(WELCOME + b"@room-id=1 :tmi.twitch.tv ROOMSTATE #room\r\n")
        self.assertIn("logged in anonymously", self.successResultOf(visit.done))

    def test_others_are_no_answer(self) -> None:
        """Neither another room's answer nor another person's JOIN is ours; a PING is answered."""
        visit = self.visit()
        visit.protocol.dataReceived(WELCOME + b"PING :x\r\n\x00\r\n")
        visit.protocol.dataReceived(b"@room-id=2 :tmi.twitch.tv ROOMSTATE #other\r\n")
        visit.protocol.dataReceived(b":bob!bob@bob.tmi.twitch.tv JOIN #room\r\n")
        self.assertNoResult(visit.done)
        self.assertTrue(self.transport.value().endswith(b"PONG :tmi.twitch.tv\r\n"))
        self.assertIn("joining room", self.steps.now)
        visit.done.addErrback(lambda _: None)
        visit.done.cancel()
        self.assertFalse(self.transport.connected)

    def test_refused(self) -> None:
        """A login or a room that is refused, in the server's words."""
        for answer, words in (
            (b":tmi.twitch.tv NOTICE * :Login authentication failed\r\n", "login refused: Login auth"),
            (
                WELCOME + b"@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE #room :It is gone.\r\n",
                "room is refused: It is gone.",
            ),
        ):
            visit = self.visit("sesame")
            visit.protocol.dataReceived(answer)
            self.assertIn(words, str(self.failureResultOf(visit.done, CheckFailed).value))

    def test_lost(self) -> None:
        """Why the connection ended, where that can be known."""
        for reason, words in (
            (ConnectionDone(), "connection lost"),
            (ValueError("certificate verify failed"), "connection lost: certificate verify failed"),
        ):
            visit = self.visit()
            visit.protocol.connectionLost(Failure(reason))
            said = str(self.failureResultOf(visit.done, CheckFailed).value)
            self.assertEqual(said, f"irc.chat.twitch.tv:6697: {words}")


class FakeFactory:
    """What makes the connection to Kick."""

    def __init__(self) -> None:
        self.connection = self
        self.subscribed: list[str] = []
        self.stopped = False

    def subscribe(self, channel: str) -> None:
        self.subscribed.append(channel)

    def stop(self) -> None:
        self.stopped = True


class KickTests(SynchronousTestCase):
    """A visit to Kick."""

    def visit(self) -> KickVisit:
        settings = KickSettings((), "wss://push.example/app/key")
        visit = KickVisit(settings, KickChannel("room", 12), Steps())
        visit.factory = FakeFactory()
        return visit

    def test_subscribed(self) -> None:
        """Connected, and subscribed to the chat of the room: that is all."""
        visit = self.visit()
        visit.connected()
        self.assertEqual(visit.factory.subscribed, ["chatrooms.12.v2"])
        self.assertNoResult(visit.done)
        visit.subscribed("chatrooms.12.v2")
        said = self.successResultOf(visit.done)
        self.assertEqual(said, "push.example: connected, subscribed to room (chatrooms.12.v2)")
        self.assertTrue(visit.factory.stopped)
        visit.lost(0.0, "stopped", Closing.BACK_OFF)

    def test_refused(self) -> None:
        """A room or a connection that is refused, in the server's words; no second try."""
        visit = self.visit()
        visit.subscription_refused("chatrooms.12.v2", "403")
        said = str(self.failureResultOf(visit.done, CheckFailed).value)
        self.assertEqual(said, "push.example: room is refused: 403")
        visit = self.visit()
        visit.lost(None, "closed by the server: 4001", Closing.REFUSED)
        said = str(self.failureResultOf(visit.done, CheckFailed).value)
        self.assertEqual(said, "push.example: closed by the server: 4001")
        self.assertTrue(visit.factory.stopped)


class AllTests(SynchronousTestCase):
    """All checks of a configuration together."""

    def test_nobody_answers(self) -> None:
        """Each check has its own result, which says what did not answer, after 15 seconds."""
        reactor: Any = MemoryReactorClock()
        reactor.callFromThread = lambda *arguments: None
        told: list[Result] = []
        settings = Settings(
            twitch=TwitchSettings(("room",), tls=False),
            kick=KickSettings((KickChannel("room", 12),), "ws://push.example/app/key"),
        )

        def open_store(settings: Settings) -> Store:
            raise StoreError("nowhere")

        done: Deferred[bool] = check_online(settings, reactor, lambda: 0.0, open_store, told.append)
        self.assertEqual(
            # The reactor in memory knows one address for every name.
            [client[:2] for client in reactor.tcpClients],
            [("127.0.0.1", 6697), ("127.0.0.1", 80)],
        )
        reactor.advance(WITHIN - 1)
        self.assertEqual(told, [])
        reactor.advance(1)
        self.assertEqual({result.name for result in told}, {"store", "twitch", "kick"})
        for result in told:
            self.assertFalse(result.fine)
            self.assertIn("no answer", result.what)
            self.assertIn("within 15 s", result.what)
        self.assertFalse(self.successResultOf(done))

    def test_secrets(self) -> None:
        """Whoever quotes a secret quotes stars."""
        settings = Settings(
            twitch=TwitchSettings(("a",), "ann", Secret("token-of-twitch")),
            http=HttpSettings(token=Secret("token-of-page")),
            s3=S3Settings("b", access_key_id=Secret("AKIDAKID"), secret_access_key=Secret("key-of-s3")),
            archive=ArchiveSettings(),
        )
        text = "token-of-twitch token-of-page AKIDAKID key-of-s3 bucket"
        self.assertEqual(without_secrets(text, settings), "*** *** *** *** bucket")
