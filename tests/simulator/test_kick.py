"""The simulated Kick: what a client of the real one may rely on."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.kick import KickRules
from chatlog.simulator.kick_chat import TOPICS
from tests.simulator.stage import KickClient, Stage, Transport


class KickTests(SynchronousTestCase):
    def stage(self, **rules: object) -> Stage:
        return Stage(self.mktemp(), kick=KickRules(**rules))  # type: ignore[arg-type]

    def channel(self, stage: Stage, name: str, topic: int = 0) -> str:
        room = stage.kick.know(name)
        return TOPICS[topic].format(chatroom=room.id.decode(), channel=room.channel_id.decode())

    def test_welcome(self) -> None:
        """The first frame is connection_established; its data is a string with JSON in it."""
        client = self.stage(activity_timeout=77).kick_client()
        (event,) = client.events()
        self.assertEqual(event["event"], "pusher:connection_established")
        data = json.loads(event["data"])
        self.assertEqual(data["activity_timeout"], 77)
        self.assertRegex(data["socket_id"], r"\A\d+\.\d+\Z")

    def test_close_codes_at_connect(self) -> None:
        """A wrong key, path or protocol closes the WebSocket with the code that says which."""
        for path, code in (
            ("/app/other?protocol=7", 4001),
            ("/somewhere?protocol=7", 4005),
            ("/app/demo", 4008),
            ("/app/demo?protocol=99", 4007),
        ):
            client = KickClient(self.stage(), path)
            ((opcode, payload),) = client.frames()
            self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (8, code), path)

    def test_subscribe(self) -> None:
        """A subscription is confirmed with the string {} as data, and chat follows."""
        stage = self.stage()
        channel = self.channel(stage, "alpha")
        client = stage.kick_client()
        client.events()
        client.send("pusher:subscribe", {"auth": "", "channel": channel})
        expected = {"event": "pusher_internal:subscription_succeeded", "data": "{}", "channel": channel}
        self.assertEqual(client.events(), [expected])
        stage.traffic.say("kick", "alpha", 5, stage.traffic.chat("kick").ordinary)
        got = [json.loads(event["data"])["id"] for event in client.events()]
        self.assertEqual(got, [event["id"] for event in stage.oracle.events()])
        self.assertEqual(len(got), 5)

    def test_wrong_id(self) -> None:
        """A subscription to an id that no room has is confirmed, and silent for ever."""
        stage = self.stage()
        client = stage.kick_client("chatrooms.12345.v2")
        self.assertEqual(client.events()[-1]["event"], "pusher_internal:subscription_succeeded")
        stage.traffic.say("kick", "alpha", 5)
        self.assertEqual(client.events(), [])
        self.assertEqual(stage.oracle.events(), [])

    def test_other_channels(self) -> None:
        """What is published on another Pusher channel of the room comes to those who asked for it only."""
        stage = self.stage()
        chat = stage.kick_client(self.channel(stage, "alpha"))
        every = stage.kick_client(*(self.channel(stage, "alpha", topic) for topic in range(len(TOPICS))))
        chat.events(), every.events()
        stage.traffic.say("kick", "alpha", 6000)
        chat_names = {json.loads(p.decode("utf-8", "replace")).get("event") for _, p in _json_frames(chat)}
        names = {json.loads(p.decode("utf-8", "replace")).get("event") for _, p in _json_frames(every)}
        self.assertNotIn("RewardRedeemedEvent", chat_names)
        self.assertNotIn("KicksGifted", chat_names)
        self.assertIn("App\\Events\\ChatMessageEvent", chat_names)
        self.assertLessEqual({"RewardRedeemedEvent", "KicksGifted", "App\\Events\\StreamHostedEvent"}, names)

    def test_existing_subscription(self) -> None:
        """A second subscription to the same channel is an error without a code and doubles nothing."""
        stage = self.stage()
        channel = self.channel(stage, "alpha")
        client = stage.kick_client(channel, channel)
        error = client.events()[-1]
        self.assertEqual(error["event"], "pusher:error")
        expected = {"code": None, "message": f"Existing subscription to channel {channel}"}
        self.assertEqual(error["data"], expected)
        stage.traffic.say("kick", "alpha", 1, stage.traffic.chat("kick").ordinary)
        self.assertEqual(len(client.events()), 1)
        self.assertFalse(client.closed)

    def test_private_channel(self) -> None:
        """A private channel is refused."""
        client = self.stage().kick_client("private-livestream.1")
        event = client.events()[-1]
        self.assertEqual(event["event"], "pusher_internal:subscription_error")
        self.assertEqual(json.loads(event["data"])["status"], 401)

    def test_unsubscribe(self) -> None:
        """After unsubscribing nothing comes, and there is no message about it."""
        stage = self.stage()
        channel = self.channel(stage, "alpha")
        client = stage.kick_client(channel)
        client.events()
        client.send("pusher:unsubscribe", {"channel": channel})
        stage.traffic.say("kick", "alpha", 3)
        self.assertEqual(client.frames(), [])

    def test_ping(self) -> None:
        """A client's ping is answered at once, with data that is a string."""
        client = self.stage().kick_client()
        client.events()
        client.send("pusher:ping", {})
        self.assertEqual(client.events(), [{"event": "pusher:pong", "data": "{}"}])

    def test_not_json(self) -> None:
        """What is no JSON gets an error that does not end the connection."""
        client = self.stage().kick_client()
        client.events()
        for text in (b"nonsense", b"[]", b'{"event":"pusher:subscribe","data":"{"}'):
            client.send_text(text)
            self.assertEqual(client.events()[0]["data"], {"code": None, "message": "Invalid JSON"})
        self.assertFalse(client.closed)

    def test_server_ping(self) -> None:
        """After the time of activity_timeout without a word the server pings; whoever stays silent is
        closed with 4201."""
        stage = self.stage(activity_timeout=20, pong_within=5.0)
        good, bad = stage.kick_client(), stage.kick_client()
        good.events(), bad.events()
        for second in range(30):
            stage.clock.advance(1.0)
            if second == 21:
                self.assertEqual(good.events(), [{"event": "pusher:ping", "data": "{}"}])
                good.send("pusher:pong", {})
        closing = [payload for opcode, payload in bad.frames() if opcode == 8]
        self.assertEqual([int.from_bytes(payload[:2], "big") for payload in closing], [4201])
        self.assertEqual([opcode for opcode, _ in good.frames() if opcode == 8], [])

    def test_close(self) -> None:
        """A close with a code comes behind everything that was said before, and nothing after it."""
        stage = self.stage()
        client = stage.kick_client(self.channel(stage, "alpha"))
        client.events()
        stage.traffic.say("kick", "alpha", 3, stage.traffic.chat("kick").ordinary)
        client.connection.close(4100)
        stage.traffic.say("kick", "alpha", 3, stage.traffic.chat("kick").ordinary)
        frames = client.frames()
        self.assertEqual([opcode for opcode, _ in frames], [1, 1, 1, 8])
        self.assertEqual(int.from_bytes(frames[-1][1][:2], "big"), 4100)
        self.assertEqual(
            [event.get("dead", False) for event in stage.oracle.events()], [False] * 3 + [True] * 3
        )

    def test_close_without_answer(self) -> None:
        """A client that does not answer a close is dropped all the same."""
        stage = self.stage()
        client = stage.kick_client()
        client.connection.close(4200)
        stage.clock.advance(1.9)
        self.assertFalse(client.transport.aborted)
        stage.clock.advance(0.2)
        self.assertTrue(client.transport.aborted)

    def test_lookup(self) -> None:
        """The lookup gives three different ids, the same ones every time, and makes the room exist."""
        stage = self.stage()
        status, body = stage.kick.look_up("/api/v2/channels/alpha-b")
        self.assertEqual(status, "200 OK")
        found = json.loads(body)
        self.assertEqual((status, body), stage.kick.look_up("/api/v1/channels/alpha-b"))
        ids = {found["id"], found["user_id"], found["chatroom"]["id"]}
        self.assertEqual(len(ids), 3)
        client = stage.kick_client(f"chatrooms.{found['chatroom']['id']}.v2")
        client.events()
        stage.traffic.say("kick", "alpha-b", 1, stage.traffic.chat("kick").ordinary)
        self.assertEqual(len(client.events()), 1)

    def test_lookup_refused(self) -> None:
        """Rooms that do not exist are 404; a lookup that is blocked is 403, as Cloudflare's."""
        stage = self.stage(rooms=2)
        self.assertEqual(stage.kick.look_up("/api/v2/channels/room2")[0], "200 OK")
        self.assertEqual(stage.kick.look_up("/api/v2/channels/room3")[0], "404 Not Found")
        self.assertEqual(self.stage().kick.look_up("/api/v2/channels/ghost1")[0], "404 Not Found")
        self.assertEqual(self.stage().kick.look_up("/etc/passwd")[0], "404 Not Found")
        stage.kick.lookup_blocked = True
        status, body = stage.kick.look_up("/api/v2/channels/room2")
        self.assertEqual(status, "403 Forbidden")
        self.assertEqual(json.loads(body)["error"], "Request blocked by security policy.")

    def test_lookup_over_http(self) -> None:
        """The lookup is on the same port: a request that is no WebSocket one gets JSON and a close."""
        stage = self.stage()
        transport = Transport()
        connection = stage.kick.connection(None)
        connection.makeConnection(transport)
        connection.dataReceived(b"GET /api/v2/channels/alpha HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, body = transport.value().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(json.loads(body)["slug"], "alpha")
        self.assertTrue(transport.disconnecting)


def _json_frames(client: KickClient) -> list[tuple[int, bytes]]:
    """The frames that are JSON objects; a few in the chat are not."""
    found = []
    for opcode, payload in client.frames():
        try:
            if isinstance(json.loads(payload.decode("utf-8", "replace")), dict):
                found.append((opcode, payload))
        except ValueError:
            pass
    return found
