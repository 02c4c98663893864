"""Checks of the servers of a configuration: requests and results."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.online_check import (
    WITHIN,
    Result,
    check_online,
    without_secrets,
)
from chatlog.config.engine_address import read_engine
from chatlog.config.settings import (
    ArchiveSettings,
    ClusterSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
)
from chatlog.kick.client import KickFactory
from chatlog.kick.visit import OneRoom
from chatlog.network.dialing import Network
from chatlog.rooms.chat_protocol import Owner
from chatlog.rooms.visit import Steps, Visit, VisitFailed
from chatlog.store.store import Store, StoreError
from chatlog.twitch.platform import TWITCH
from tests.fakes import environment
from tests.kick import plain
from tests.kick.wire import WELCOME as WELCOME_FRAME
from tests.kick.wire import ConnectionCase, acknowledgement

WELCOME = b":tmi.twitch.tv 001 ann :Welcome, GLHF!\r\n"


class Transport(StringTransport):
    """Tells the protocol when it is closed."""

    def loseConnection(self) -> None:
        self.connected = False

    abortConnection = loseConnection


class CheckCase(SynchronousTestCase):
    """A check of one platform, whose server is at the other end of a connection in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.network = Network(self.reactor)
        self.environment = environment(self.reactor, lambda: 0.0)
        self.steps = Steps()

    def connected(self) -> Any:
        """The protocol, whose connection is made."""
        self.transport = Transport()
        self.factory: Any = self.reactor.tcpClients[0][2]
        client: Any = self.factory.buildProtocol(None)
        client.makeConnection(self.transport)
        return client

    def failed(self, done: Deferred[str]) -> str:
        """Why the check failed."""
        return str(self.failureResultOf(done, VisitFailed).value)


class TwitchTests(CheckCase):
    """A visit to Twitch."""

    def visit(self, oauth: str = "") -> Deferred[str]:
        name, token = ("ann", Secret(oauth)) if oauth else (None, None)
        settings = TwitchSettings(("room", "other"), name, token, tls=False)
        visit = TWITCH.visit(settings, self.environment, self.network, self.steps)
        done = Deferred.fromCoroutine(visit)
        self.protocol = self.connected()
        return done

    def test_joined(self) -> None:
        """Logged in, and the first room joined: that is all, and the connection is closed."""
        for answer in (
            b":ann!ann@ann.tmi.twitch.tv JOIN #room\r\n",
            b"@room-id=1 :tmi.twitch.tv ROOMSTATE #room\r\n",
        ):
            self.setUp()
            done = self.visit("sesame")
            self.assertIn(b"PASS oauth:sesame\r\nNICK ann\r\n", self.transport.value())
            self.protocol.dataReceived(WELCOME)
            self.assertTrue(self.transport.value().endswith(b"JOIN #room\r\n"))
            self.assertNoResult(done)
            self.protocol.dataReceived(answer)
            said = self.successResultOf(done)
            self.assertEqual(said, "irc.chat.twitch.tv:6697: logged in as ann, joined room")
            self.assertFalse(self.transport.connected)

    def test_anonymous(self) -> None:
        """That is reported."""
        done = self.visit()
        self.protocol.dataReceived(WELCOME + b"@room-id=1 :tmi.twitch.tv ROOMSTATE #room\r\n")
        self.assertIn("logged in anonymously", self.successResultOf(done))

    def test_others_are_no_answer(self) -> None:
        """Neither another room's answer nor another person's JOIN is ours; a PING is answered."""
        done = self.visit()
        self.protocol.dataReceived(WELCOME + b"PING :x\r\n\x00\r\n")
        self.protocol.dataReceived(b"@room-id=2 :tmi.twitch.tv ROOMSTATE #other\r\n")
        self.protocol.dataReceived(b":bob!bob@bob.tmi.twitch.tv JOIN #room\r\n")
        self.assertNoResult(done)
        self.assertTrue(self.transport.value().endswith(b"PONG x\r\n"))
        self.assertIn("asking for room", self.steps.now)
        done.addErrback(lambda _: None)
        done.cancel()
        self.assertFalse(self.transport.connected)

    def test_refused(self) -> None:
        """A login that is refused, in the server's words; a room that is refused, in ours."""
        for answer, words in (
            (b":tmi.twitch.tv NOTICE * :Login authentication failed\r\n", "login refused: Login auth"),
            (
                WELCOME + b"@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE #room :It is gone.\r\n",
                "room is refused: Twitch has suspended the channel",
            ),
        ):
            self.setUp()
            done = self.visit("sesame")
            self.protocol.dataReceived(answer)
            if not self.transport.connected and not done.called:
                self.protocol.connectionLost(Failure(ConnectionDone()))
                self.factory.clientConnectionLost(None, Failure(ConnectionDone()))
            self.assertIn(words, self.failed(done))

    def test_lost(self) -> None:
        """Why the connection ended, where that can be known."""
        for reason, words in (
            (ConnectionDone(), "connection lost"),
            (
                ValueError("certificate verify failed"),
                "connection lost: TLS failed [certificate verify failed]",
            ),
        ):
            self.setUp()
            done = self.visit()
            self.protocol.connectionLost(Failure(reason))
            self.factory.clientConnectionLost(None, Failure(reason))
            self.assertEqual(self.failed(done), f"irc.chat.twitch.tv:6697: {words}")


class KickTests(ConnectionCase):
    """A visit to Kick."""

    def visit(self) -> Deferred[str]:
        around = environment(self.clock, lambda: 0.0)
        room = OneRoom("room", "chatrooms.12.v2")

        def dial(owner: Owner) -> KickFactory:
            self.factory = KickFactory(owner, "ws://127.0.0.1:9/app/key", room, room, around)
            return self.factory

        done = Visit("push.example", "room", "connected, subscribed to room", Steps(), dial).done
        self.factory.startedConnecting(self.connector)  # type: ignore[arg-type]
        self.open()
        return done

    def test_subscribed(self) -> None:
        """Connected, and subscribed to the chat of the room: that is all."""
        done = self.visit()
        self.say(WELCOME_FRAME)
        self.assertEqual([frame["data"]["channel"] for frame in self.server.got], ["chatrooms.12.v2"])
        self.assertNoResult(done)
        self.say(acknowledgement("chatrooms.99.v2"))
        self.assertNoResult(done)
        self.say(acknowledgement("chatrooms.12.v2"))
        self.assertEqual(self.successResultOf(done), "push.example: connected, subscribed to room")
        self.pump.flush()
        self.assertEqual((self.factory.chat, self.clock.getDelayedCalls()), (None, []))

    def test_refused(self) -> None:
        """A room or a connection that is refused, in the server's words; no second try."""
        done = self.visit()
        refusal = plain("pusher_internal:subscription_error", '{"status":403}', "chatrooms.12.v2")
        self.say(WELCOME_FRAME, refusal)
        self.assertEqual(str(self.failureResultOf(done).value), "push.example: room is refused: 403")
        done = self.visit()
        self.server.sendClose(4001)
        self.pump.flush()
        said = str(self.failureResultOf(done, VisitFailed).value)
        self.assertEqual(said, "push.example: closed by the server: 4001")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AllTests(SynchronousTestCase):
    """All checks of a configuration together."""

    def test_nobody_answers(self) -> None:
        """Each check has its own result, which says what did not answer, after 15 seconds."""
        reactor: Any = MemoryReactorClock()
        reactor.callFromThread = lambda *arguments: None
        results: list[Result] = []
        settings = Settings(
            platforms={
                "twitch": TwitchSettings(("room",), tls=False),
                "kick": KickSettings((KickChannel("room", 12),), "ws://push.example/app/key"),
            },
        )

        def open_store(settings: Settings) -> Store:
            raise StoreError("nowhere")

        done: Deferred[bool] = check_online(settings, reactor, lambda: 0.0, open_store, results.append)
        self.assertEqual(
            # The reactor in memory knows one address for every name.
            [client[:2] for client in reactor.tcpClients],
            [("127.0.0.1", 6697), ("127.0.0.1", 80)],
        )
        reactor.advance(WITHIN - 1)
        self.assertEqual(results, [])
        reactor.advance(1)
        self.assertEqual({result.name for result in results}, {"store", "twitch", "kick"})
        for result in results:
            self.assertFalse(result.fine)
            self.assertIn("no answer", result.what)
            self.assertIn("within 15 s", result.what)
        self.assertFalse(self.successResultOf(done))

    def test_engine(self) -> None:
        """The engine of a cluster is asked as well; what is wrong with it is said with its address."""
        reactor: Any = MemoryReactorClock()
        reactor.callFromThread = lambda *arguments: None
        results: list[Result] = []
        engine = read_engine("etcd+http://name:password@127.0.0.1")
        settings = Settings(cluster=ClusterSettings("main", engine))
        done = check_online(settings, reactor, lambda: 0.0, lambda settings: Deferred(), results.append)  # type: ignore[arg-type,return-value]
        self.assertEqual([client[:2] for client in reactor.tcpClients], [("127.0.0.1", 2379)])
        reactor.advance(WITHIN)
        [result] = [each for each in results if each.name == "cluster"]
        self.assertFalse(result.fine)
        self.assertIn("etcd+http://127.0.0.1:2379: it cannot be reached: no answer", result.what)
        self.assertNotIn("password", result.what)
        self.assertFalse(self.successResultOf(done))

    def test_secrets(self) -> None:
        """A server that quotes a secret is shown with stars."""
        settings = Settings(
            platforms={"twitch": TwitchSettings(("a",), "ann", Secret("token-of-twitch"))},
            http=HttpSettings(token=Secret("token-of-page")),
            s3=S3Settings("b", access_key_id=Secret("AKIDAKID"), secret_access_key=Secret("key-of-s3")),
            archive=ArchiveSettings(),
            cluster=ClusterSettings("main", read_engine("redis://:key-of-engine@valkey")),
        )
        text = "token-of-twitch token-of-page AKIDAKID key-of-s3 key-of-engine bucket"
        self.assertEqual(without_secrets(text, settings), "*** *** *** *** *** bucket")
