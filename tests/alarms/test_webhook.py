"""Alarms posted elsewhere: their shapes, the tries, the limits; and that the address stays secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Site

from chatlog.alarms.alarms import Notice
from chatlog.alarms.webhook import QUEUE, Webhook, body_of, shape_of
from chatlog.config.settings import AlarmSettings, Secret
from chatlog.network.dialing import Network
from chatlog.network.http import HttpClient, http_client

URL = "https://hooks.test/services/T0000/sEcReT-pAtH?key=qUeRy"
NOTICE = Notice(
    "begins", "ROOM_REFUSED", "twitch", "2 rooms: a (msg_banned), b", 2, 1_767_004_200.0, 1_767_004_500.0
)


class ShapeTests(SynchronousTestCase):
    """What is posted."""

    def test_by_address(self) -> None:
        """The address decides the format; an address that only looks similar does not."""
        cases = {
            "https://discord.com/api/webhooks/1/abc": "discord",
            "https://canary.discord.com/api/webhooks/1/abc": "discord",
            "https://discordapp.com/api/webhooks/1/abc": "discord",
            "https://discord.com/api/webhooks/1/abc/slack": "slack",
            "https://hooks.slack.com/services/T/B/x": "slack",
            "https://hooks.example.com/discord.com": "json",
            "https://discord.com.example.org/x": "json",
            "http://127.0.0.1:9/x": "json",
        }
        for url, shape in cases.items():
            self.assertEqual(shape_of(url), shape, url)

    def test_json(self) -> None:
        """For programs: every field by itself, times as in the records."""
        self.assertEqual(
            json.loads(body_of("json", "eu1", NOTICE)),
            {
                "source": "chatlog",
                "instance": "eu1",
                "state": "begins",
                "code": "ROOM_REFUSED",
                "subject": "twitch",
                "text": "2 rooms: a (msg_banned), b",
                "severity": "critical",
                "remedy": "",
                "count": 2,
                "since": "2025-12-29T10:30:00.000Z",
                "at": "2025-12-29T10:35:00.000Z",
            },
        )

    def test_discord(self) -> None:
        """The text is one line, and mentions nobody whatever it contains."""
        body = json.loads(body_of("discord", "", replace(NOTICE, text="@everyone <@1>")))
        self.assertEqual(
            body["content"],
            "chatlog: ROOM_REFUSED begins (since 2025-12-29 10:30 UTC): twitch: @everyone <@1>",
        )
        self.assertEqual(body["allowed_mentions"], {"parse": []})

    def test_slack(self) -> None:
        """The same for Slack, where markup has to be escaped."""
        body = json.loads(body_of("slack", "eu1", replace(NOTICE, subject="", text="<!channel> & co")))
        self.assertEqual(
            body,
            {
                "text": "chatlog eu1: ROOM_REFUSED begins (since 2025-12-29 10:30 UTC): "
                "&lt;!channel&gt; &amp; co"
            },
        )

    def test_size(self) -> None:
        """A text that is too long is cut to what the servers take."""
        body = json.loads(body_of("discord", "", replace(NOTICE, text="x" * 5000)))
        self.assertLess(len(body["content"]), 2000)


class Response:
    """An answer whose body ends at once, or never."""

    def __init__(self, code: int, headers: dict[bytes, list[bytes]], ends: bool) -> None:
        self.code = code
        self.headers = Headers(headers)
        self._ends = ends
        self.aborted = False

    def deliverBody(self, protocol: Any) -> None:
        protocol.transport = self
        protocol.dataReceived(b"ok")
        if self._ends:
            protocol.connectionLost(Failure(ResponseDone()))
        self.protocol = protocol

    def abortConnection(self) -> None:
        self.aborted = True
        self.protocol.connectionLost(Failure(ConnectionRefusedError()))

    loseConnection = abortConnection


class FakeAgent:
    """Keeps requests until the test answers them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any], Deferred[Any]]] = []

    def request(self, method: bytes, uri: bytes, headers: Headers, producer: Any) -> Deferred[Any]:
        assert method == b"POST"
        assert headers.getRawHeaders("Content-Type") == ["application/json"]
        body = bytearray()
        producer.startProducing(type("Consumer", (), {"write": lambda self, data: body.extend(data)})())
        assert producer.length == len(body)
        answer: Deferred[Any] = Deferred()
        self.requests.append((uri.decode(), json.loads(body), answer))
        return answer

    def answer(self, code: int, ends: bool = True, **headers: str) -> Response:
        """Answer the latest request."""
        raw = {name.replace("_", "-").encode(): [value.encode()] for name, value in headers.items()}
        response = Response(code, raw, ends)
        self.requests[-1][2].callback(response)
        return response

    def fail(self, error: Exception) -> None:
        self.requests[-1][2].errback(Failure(error))


class WebhookCase(SynchronousTestCase):
    """A webhook, and a server that answers as the test wants."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.agent = FakeAgent()
        agent: Any = self.agent
        client = HttpClient(self.clock, lambda url: agent)
        self.webhook = Webhook(AlarmSettings(webhook=Secret(URL)), "eu1", client, self.clock)
        self.webhook.startService()
        self.addCleanup(self.webhook.stopService)
        self.lines: list[str] = []
        observer: Any = lambda event: self.lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def sent(self) -> list[str]:
        """The codes posted so far."""
        return [body["code"] for _, body, _ in self.agent.requests]

    def next_request(self) -> None:
        """Time passes until there is another one."""
        count = len(self.agent.requests)
        for _ in range(400):
            if len(self.agent.requests) > count:
                return
            self.clock.advance(1)
        raise self.failureException("no other request in 400 s")

    def send(self, *codes: str) -> None:
        for code in codes:
            self.webhook.send(replace(NOTICE, code=code))


class SendingTests(WebhookCase):
    def test_post(self) -> None:
        """A notice is posted at once to the whole address."""
        self.send("A")
        [(url, body, _)] = self.agent.requests
        self.assertEqual((url, body["code"], body["instance"]), (URL, "A", "eu1"))
        self.agent.answer(204)
        self.clock.pump([1.0] * 600)
        self.assertEqual(self.sent(), ["A"])
        self.assertEqual(self.lines, [])

    def test_one_at_a_time(self) -> None:
        """The next one is posted two seconds after the one before was taken, in order."""
        self.send("A", "B", "C")
        self.assertEqual(self.sent(), ["A"])
        self.clock.advance(10)
        self.assertEqual(self.sent(), ["A"])
        self.agent.answer(200)
        self.clock.advance(1.9)
        self.assertEqual(self.sent(), ["A"])
        self.clock.advance(0.1)
        self.agent.answer(200)
        self.clock.advance(2)
        self.assertEqual(self.sent(), ["A", "B", "C"])

    def test_tried_again(self) -> None:
        """What fails for now is tried again after growing delays of minutes at most, until it is taken;
        the log has one line at each end."""
        self.send("A")
        times = [0.0]
        for n in range(20):
            if n % 2:
                self.agent.answer(503)
            else:
                self.agent.fail(ConnectionRefusedError())
            self.next_request()
            self.assertLess(self.clock.seconds() - times[-1], 302)
            times.append(self.clock.seconds())
        self.assertLess(times[1], 3)
        self.assertGreater(times[-1] - times[-2], 140)
        del self.lines[1:]
        self.agent.answer(200)
        self.assertEqual(len(self.lines), 2)
        self.assertIn("the webhook at hooks.test does not take alarms", self.lines[0])
        self.assertIn("takes alarms again", self.lines[1])

    def test_said_once(self) -> None:
        """A server that is away for long is one line in the log."""
        self.send("A")
        for _ in range(30):
            self.agent.answer(500)
            self.next_request()
            self.agent.fail(ConnectionRefusedError())
            self.next_request()
        self.assertEqual(len(self.lines), 1)

    def test_no_answer(self) -> None:
        """A server that does not answer is given up after fifteen seconds, and so is one whose answer
        does not end."""
        self.send("A")
        self.clock.advance(15)
        self.assertIn("no answer within 15 s", self.lines[0])
        self.clock.advance(2)
        response = self.agent.answer(200, ends=False)
        self.assertEqual(len(self.agent.requests), 2)
        self.clock.advance(15)
        self.assertTrue(response.aborted)

    def test_endless_answer(self) -> None:
        """An answer that is too long is not read to its end."""
        self.send("A")
        response = self.agent.answer(200, ends=False)
        for _ in range(100):
            if not response.aborted:
                response.protocol.dataReceived(b"x" * 1000)
        self.assertTrue(response.aborted)

    def test_too_fast(self) -> None:
        """A server that asks to wait is waited for, up to an hour; nonsense is no number."""
        for asked, waits in (("40", 40.0), ("999999", 3600.0), ("Tomorrow", 0.0), ("-5", 0.0), ("nan", 0.0)):
            before = len(self.agent.requests)
            self.send("A") if not before else None
            self.agent.answer(429, Retry_After=asked)
            start, count = self.clock.seconds(), len(self.agent.requests)
            while len(self.agent.requests) == count:
                self.clock.advance(1)
                self.assertLess(self.clock.seconds() - start, 4000)
            self.assertGreaterEqual(self.clock.seconds() - start, waits)
            if asked == "999999":
                self.assertLess(self.clock.seconds() - start, 3700)

    def test_refused(self) -> None:
        """What is refused for good is not sent again, and does not hold up the next one."""
        self.send("A", "B")
        self.agent.answer(404)
        self.clock.advance(2)
        self.assertEqual(self.sent(), ["A", "B"])
        self.assertIn("HTTP 404", self.lines[0])
        self.agent.answer(302, Location="https://elsewhere.test/")
        self.clock.pump([1.0] * 600)
        self.assertEqual(self.sent(), ["A", "B"])

    def test_full_queue(self) -> None:
        """No more than a hundred notices wait; the oldest of those that wait are dropped, and counted."""
        self.send(*(str(n) for n in range(QUEUE + 50)))
        self.agent.answer(500)
        while len(self.agent.requests) < 2:
            self.clock.advance(1)
        for _ in range(QUEUE + 50):
            if self.agent.requests[-1][2].called:
                break
            self.agent.answer(200)
            self.clock.advance(2)
        self.assertEqual(self.sent(), ["0", "0", *(str(n) for n in range(51, QUEUE + 50))])
        self.assertIn("50 were dropped", self.lines[-1])

    def test_no_address(self) -> None:
        """Without an address nothing is posted and nobody is asked; an address that is configured later
        gets what happens from then on."""
        made: list[Any] = []

        def agent(url: str) -> Any:
            made.append(self.agent)
            return self.agent

        webhook = Webhook(AlarmSettings(), "", HttpClient(self.clock, agent), self.clock)
        webhook.startService()
        self.addCleanup(webhook.stopService)
        webhook.send(NOTICE)
        self.assertEqual((self.agent.requests, made), ([], []))
        webhook.settings = AlarmSettings(webhook=Secret(URL), webhook_format="discord")
        webhook.send(NOTICE)
        self.assertIn("content", self.agent.requests[0][1])

    def test_address_taken_away(self) -> None:
        """An address that is removed while notices wait gets none of them."""
        self.send("A", "B")
        self.webhook.settings = AlarmSettings()
        self.agent.answer(200)
        self.clock.pump([1.0] * 600)
        self.assertEqual(self.sent(), ["A"])

    def test_stop(self) -> None:
        """At the end nothing is waited for, and nothing is sent any more."""
        self.send("A", "B")
        self.successResultOf(self.webhook.stopService())
        self.send("C")
        self.clock.pump([1.0] * 600)
        self.assertEqual(self.sent(), ["A"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.lines, [])

    def test_broken_agent(self) -> None:
        """Whatever is raised, the next notice gets its chance."""

        def broken(*args: Any) -> Deferred[Any]:
            raise ValueError(f"unsupported: {URL}")

        self.patch(self.agent, "request", broken)
        self.send("A")
        self.assertEqual(len(self.lines), 1)
        self.assertNotIn("sEcReT", self.lines[0])


class SecretTests(WebhookCase):
    def test_address_stays_secret(self) -> None:
        """Whatever goes wrong, the log names the host and nothing more of the address."""
        for error in (
            ValueError(f"cannot post to {URL}"),
            RuntimeError("no such path: /services/T0000/sEcReT-pAtH"),
            RuntimeError("bad query key=qUeRy"),
        ):
            self.send("A")
            self.agent.fail(error)
            self.next_request()
            self.agent.answer(200)
            self.clock.advance(2)
        text = "\n".join(self.lines)
        self.assertIn("hooks.test", text)
        for secret in ("sEcReT", "qUeRy", "T0000"):
            self.assertNotIn(secret, text)


class Inbox(Resource):
    """Takes posts."""

    isLeaf = True

    def __init__(self, taken: Deferred[None]) -> None:
        super().__init__()
        self.bodies: list[dict[str, Any]] = []
        self.agents: list[str] = []
        self.codes = [500, 204, 204]
        self.taken = taken

    def render_POST(self, request: Any) -> bytes:
        self.bodies.append(json.loads(request.content.read()))
        self.agents.append(request.getHeader("user-agent"))
        request.setResponseCode(self.codes.pop(0))
        if not self.codes:
            self.taken.callback(None)
        return b""


class ServerTests(TestCase):
    """The same over a real connection on the loopback interface."""

    async def test_real_server(self) -> None:
        """Posts arrive, those that failed once more, and the connections are closed again."""
        from twisted.internet import reactor as installed

        reactor: Any = installed
        # Time between the posts passes at once.
        clock = Clock()
        taken: Deferred[None] = Deferred()
        inbox = Inbox(taken)
        port = reactor.listenTCP(0, Site(inbox), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}/hook"
        client = http_client(Network(reactor), _time(clock))
        webhook = Webhook(AlarmSettings(webhook=Secret(url)), "", client, _time(clock))
        webhook.startService()
        self.addCleanup(webhook.stopService)
        webhook.send(NOTICE)
        webhook.send(replace(NOTICE, state="ends"))

        def pass_time() -> None:
            if not taken.called:
                clock.advance(1)
                reactor.callLater(0.01, pass_time)

        pass_time()
        await taken
        self.assertEqual([body["state"] for body in inbox.bodies], ["begins", "begins", "ends"])
        self.assertTrue(inbox.agents[0].startswith("chatlog/"))
        settled: Deferred[None] = Deferred()
        reactor.callLater(0.05, settled.callback, None)
        await settled


def _time(clock: Clock) -> IReactorTime:
    found: Any = clock
    result: IReactorTime = found
    return result
