"""The API: its answers, and the changes that it allows."""

from __future__ import annotations

import errno

from chatlog.config.settings import HttpSettings, KickChannel
from chatlog.http.api import PAGE, SORTS
from chatlog.http.openapi import document
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.state.lines import encode
from tests.http.wire import BEARER, SiteCase
from tests.state import entries

ANN = {"platform": "twitch", "name": "ann"}


class ReadTests(SiteCase):
    """The facts as JSON."""

    def names(self, query: str) -> list[str]:
        """The names that a query finds, in their order."""
        return [room["name"] for room in self.ask(f"GET /api/v1/rooms?{query}").json["rooms"]]

    def test_status(self) -> None:
        """The status is what the page shows, at most a second old."""
        self.scene.recorded()
        facts = self.ask("GET /api/v1/status").json
        self.assertEqual(facts["platforms"][0]["recorded"], 3)
        self.scene.down(self.scene.links[0], "gone")
        self.scene.advance(1)
        self.assertEqual(self.ask("GET /api/v1/status").json["platforms"][0]["recorded"], 0)

    def test_alarms(self) -> None:
        """An alarm that begins is in the very next answer."""
        self.assertEqual(self.ask("GET /api/v1/status").json["alarms"], [])
        self.scene.status.alarms = lambda: [{"code": "X"}]
        self.assertEqual(self.ask("GET /api/v1/status").json["alarms"], [{"code": "X"}])
        self.assertEqual(self.ask("GET /api/v1/alarms").json, [{"code": "X"}])

    def test_parts(self) -> None:
        """Every part of the status can be had alone, and is the same there."""
        whole = self.ask("GET /api/v1/status").json
        for part in (
            "alarms",
            "conditions",
            "connections",
            "counters",
            "headline",
            "platforms",
            "process",
            "spool",
            "uploads",
        ):
            self.assertEqual(self.ask(f"GET /api/v1/{part}").json, whole[part], part)

    def test_room(self) -> None:
        """One room, as in the list."""
        self.scene.recorded()
        room = self.ask("GET /api/v1/rooms/twitch/room1").json
        self.assertEqual((room["name"], room["state"]), ("room1", "recorded"))
        self.assertIn(room, self.ask("GET /api/v1/rooms").json["rooms"])

    def test_rooms(self) -> None:
        """All rooms, by name unless asked otherwise, with how many there are."""
        self.scene.add("zoe-live", "kick")
        found = self.ask("GET /api/v1/rooms").json
        self.assertEqual((found["total"], found["matching"]), (4, 4))
        self.assertEqual([room["name"] for room in found["rooms"]], ["room0", "room1", "room2", "zoe-live"])

    def test_choice(self) -> None:
        """Rooms by a part of their name, by platform, and only those in trouble."""
        self.scene.recorded()
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.scene.add("zoe", "kick")
        self.assertEqual(self.names("q=OOM1"), ["room1"])
        self.assertEqual(self.names("q=%C3%BC"), [])
        self.assertEqual(self.names("platform=kick"), ["zoe"])
        self.assertEqual(self.names("platform=youtube"), [])
        self.assertEqual(self.names("problems=1"), ["room1", "zoe"])
        self.assertEqual(self.names("problems=0&platform=twitch"), ["room0", "room1", "room2"])
        self.assertEqual(self.ask("GET /api/v1/rooms?platform=kick").json["total"], 4)

    def test_order(self) -> None:
        """The busiest, the latest and the most troubled rooms first."""
        self.scene.recorded()
        for _ in range(130):
            self.scene.say("room2", 3)
            self.scene.say("room1", 1)
            self.scene.advance(1)
        self.scene.say("room0")
        self.scene.advance(1)
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.assertEqual(self.names("sort=rate"), ["room2", "room1", "room0"])
        self.assertEqual(self.names("sort=last")[0], "room0")
        self.assertEqual(self.names("sort=state")[0], "room1")
        for sort in SORTS:
            self.assertEqual(sorted(self.names(f"sort={sort}")), ["room0", "room1", "room2"], sort)

    def test_pages(self) -> None:
        """A page at a time; what lies behind the end is empty."""
        self.assertEqual(self.names("limit=2"), ["room0", "room1"])
        self.assertEqual(self.names("limit=2&offset=2"), ["room2"])
        self.assertEqual(self.names("offset=1000000"), [])

    def test_bad_queries(self) -> None:
        """What cannot be meant is 400 and says what is allowed."""
        for query in (
            "sort=size",
            "limit=0",
            f"limit={PAGE + 1}",
            "limit=x",
            "limit=",
            "offset=-1",
            "offset=1000001",
            "limit=" + "9" * 5000,
        ):
            reply = self.ask(f"GET /api/v1/rooms?{query}")
            self.assertEqual((reply.status, reply.code), (400, "bad_query"), query[:20])

    def test_list_is_shared(self) -> None:
        """However many look, the list of rooms is made once in a few seconds, and packed once."""
        made = []
        rooms = self.scene.status.rooms
        self.scene.status.rooms = lambda: made.append(1) or rooms()  # type: ignore[method-assign, func-returns-value]
        for _ in range(10):
            for query in ("", "?sort=rate", "?q=room"):
                self.ask(f"GET /api/v1/rooms{query}", "Accept-Encoding: gzip")
        self.assertEqual(len(made), 1)
        self.scene.advance(5)
        self.scene.add("room3")
        self.assertEqual(self.ask("GET /api/v1/rooms").json["total"], 4)
        self.assertEqual(len(made), 2)

    def test_many_questions(self) -> None:
        """Answers are right however many different ones are asked for, and few of them are kept."""
        for n in range(100):
            self.assertEqual(self.names(f"offset={n % 4}"), ["room0", "room1", "room2"][n % 4 :])
            self.ask(f"GET /api/v1/rooms?q={n}")
        questions = [{"q": str(n)} for n in range(100)]
        first, second = ([self.api.rooms(question) for question in questions] for _ in range(2))
        kept = sum(one is other for one, other in zip(first, second, strict=True))
        self.assertTrue(0 < kept <= 8, kept)

    def test_document(self) -> None:
        """The description of the API names nothing that is not there."""
        found = self.ask("GET /api/v1/openapi.json").json
        self.assertEqual(found, document())
        for path, methods in found["paths"].items():
            line = path.format(platform="twitch", name="room0")
            for method in methods:
                connection = self.connect().send(
                    f"{method.upper()} {line} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                status = connection.take().split(b" ")[1]
                self.assertNotIn(status, (b"404", b"405", b"500"), (method, path))


class ChangeTests(SiteCase):
    """Rooms that are added and removed, and files that are finished."""

    def test_add(self) -> None:
        """A room that is added is recorded at once, listed at once, and still wanted after a restart."""
        self.ask("GET /api/v1/rooms")
        reply = self.post("/api/v1/rooms", ANN)
        self.assertEqual((reply.status, reply.json), (201, {**ANN, "added": True}))
        self.assertIn("ann", self.scene.pool.rooms)
        self.assertEqual(self.ask("GET /api/v1/rooms").json["total"], 4)
        self.assertIn("ann", str(entries(self.files, "rooms")))
        again = self.post("/api/v1/rooms", ANN)
        self.assertEqual((again.status, again.json["added"]), (200, False))

    def test_add_kick(self) -> None:
        """A room of Kick may come with its ids, so that they need not be looked up."""
        room = {"platform": "kick", "name": "Bob-Live", "chatroom_id": 4, "channel_id": 5}
        reply = self.post("/api/v1/rooms", room)
        self.assertEqual((reply.status, reply.json["name"]), (201, "bob-live"))
        self.assertEqual(self.rooms.rooms()["kick", "bob-live"], KickChannel("bob-live", 4, 5))
        room = {"platform": "kick", "name": "eve", "chatroom_id": 4.0, "channel_id": None}
        self.assertEqual(self.post("/api/v1/rooms", room).status, 201)
        self.assertEqual(self.rooms.rooms()["kick", "eve"], KickChannel("eve", 4))

    def test_remove(self) -> None:
        """A room that is removed is no longer recorded, not even after a restart."""
        reply = self.ask("DELETE /api/v1/rooms/twitch/room0", BEARER)
        self.assertEqual(reply.json, {"platform": "twitch", "name": "room0", "removed": True})
        self.assertNotIn("room0", self.scene.pool.rooms)
        self.assertEqual(entries(self.files, "rooms")[0]["removed"], {"twitch": ["room0"]})
        self.assertEqual(self.ask("GET /api/v1/rooms/twitch/room0").status, 404)
        self.assertEqual(self.ask("DELETE /api/v1/rooms/twitch/room0", BEARER).status, 404)

    def test_seen_at_once(self) -> None:
        """After a change the next list shows it."""
        self.assertEqual(self.ask("GET /api/v1/rooms").json["total"], 3)
        self.ask("DELETE /api/v1/rooms/twitch/room0", BEARER)
        self.assertEqual(self.ask("GET /api/v1/rooms").json["total"], 2)

    def test_rotate(self) -> None:
        """All files are finished now."""
        reply = self.ask("POST /api/v1/rotate", BEARER)
        self.assertEqual((reply.status, self.rotations), (202, 1))

    def test_bad_rooms(self) -> None:
        """What is no room is 400, says why, and changes nothing."""
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'"ann"',
            b"{}",
            b'{"platform":"twitch"}',
            b'{"platform":"twitch","name":7}',
            b'{"platform":"twitch","name":"ann","room":1}',
            b'{"platform":"youtube","name":"ann"}',
            b'{"platform":"twitch","name":""}',
            b'{"platform":"twitch","name":"a b"}',
            b'{"platform":"twitch","name":"../ann"}',
            b'{"platform":"twitch","name":"an\\u0000n"}',
            b'{"platform":"twitch","name":"ann","chatroom_id":1}',
            b'{"platform":"kick","name":"ann","chatroom_id":0}',
            b'{"platform":"kick","name":"ann","chatroom_id":1.5}',
            b'{"platform":"kick","name":"ann","chatroom_id":true}',
            b'{"platform":"kick","name":"ann","channel_id":"1"}',
            b'{"platform":"kick","name":"ann","channel_id":' + b"9" * 5000 + b"}",
            b'{"name":"\xff","platform":"twitch"}',
            b"[" * 30_000 + b"]" * 30_000,
            b'{"a":' * 5000 + b"1" + b"}" * 5000,
        ):
            reply = self.ask("POST /api/v1/rooms", BEARER, body=body)
            self.assertEqual(reply.status, 400, body[:60])
            self.assertTrue(reply.json["error"]["message"], body[:60])
        self.assertEqual(len(self.scene.pool.rooms), 3)
        self.assertEqual(entries(self.files, "rooms"), [])
        self.assertEqual(self.logged, [])

    def test_full_disk(self) -> None:
        """A change that cannot be kept is not made: 507, and afterwards everything is as it was."""
        self.files.capacity = self.files.used()
        reply = self.post("/api/v1/rooms", ANN)
        self.assertEqual((reply.status, reply.code), (507, "not_kept"))
        self.assertIn("No space left", reply.json["error"]["message"])
        self.assertEqual(self.ask("DELETE /api/v1/rooms/twitch/room0", BEARER).status, 507)
        self.assertEqual(sorted(self.scene.pool.rooms), ["room0", "room1", "room2"])
        self.files.capacity = None
        self.assertEqual(self.post("/api/v1/rooms", ANN).status, 201)

    def test_broken_disk(self) -> None:
        """Other errors of the disk are reported in the system's words, without a path."""

        def refuse(operation: str, path: str) -> None:
            if "state/rooms" in path:
                raise OSError(errno.EROFS, "Read-only file system", path)

        self.files.rule = refuse
        reply = self.post("/api/v1/rooms", ANN)
        self.assertEqual(reply.status, 507)
        self.assertIn("Read-only file system", reply.json["error"]["message"])
        self.assertNotIn(b"/data", reply.body)


class PermissionTests(SiteCase):
    """Who may change something."""

    CHANGES = ("POST /api/v1/rooms", "POST /api/v1/rotate", "DELETE /api/v1/rooms/twitch/room0")

    def unchanged(self) -> None:
        """Nothing has happened."""
        self.assertEqual((sorted(self.scene.pool.rooms), self.rotations), (["room0", "room1", "room2"], 0))
        self.assertEqual(entries(self.files, "rooms"), [])

    def test_wrong_token(self) -> None:
        """Without the token, or with another, nothing is changed: 401."""
        for headers in ((), ("Authorization: Bearer wrong",), ("Authorization: Basic YTpi",)):
            for line in self.CHANGES:
                reply = self.ask(line, *headers)
                self.assertEqual((reply.status, reply.code), (401, "wrong_token"), line)
                self.assertEqual(reply.headers["www-authenticate"], "Bearer")
        self.unchanged()

    def test_another_site(self) -> None:
        """Another site's page may change nothing, token or not: 403."""
        for header in ("Origin: http://evil.invalid", "Origin: null", "Sec-Fetch-Site: cross-site"):
            for line in self.CHANGES:
                reply = self.ask(line, BEARER, header)
                self.assertEqual((reply.status, reply.code), (403, "cross_site"), (line, header))
        self.unchanged()

    def test_another_name(self) -> None:
        """Nor may a request for another host."""
        for line in self.CHANGES:
            self.assertEqual(self.ask(line, BEARER, host="evil.invalid").status, 421, line)
        self.unchanged()

    def test_our_own_page(self) -> None:
        """A page of ours may, with the token."""
        own = "Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"
        self.assertEqual(self.ask("POST /api/v1/rotate", BEARER, *own).status, 202)

    def test_reading_changes_nothing(self) -> None:
        """A reader cannot do more with another method or an overriding header."""
        for line in ("GET /api/v1/rotate", "HEAD /api/v1/rotate", "PUT /api/v1/rotate"):
            self.assertEqual(self.ask(line, "X-HTTP-Method-Override: POST").status, 405, line)
        self.unchanged()


class AcknowledgeTests(SiteCase):
    """A room that is known not to be recorded."""

    path = "/api/v1/rooms/twitch/room1/acknowledge"

    def setUp(self) -> None:
        super().setUp()
        self.scene.recorded()
        self.scene.pool.refused(self.scene.links[0], "room1", "msg_banned")
        self.scene.advance(60)

    def codes(self) -> list[str]:
        return [each["code"] for each in self.ask("GET /api/v1/conditions").json]

    def test_acknowledge(self) -> None:
        """It is told of no longer, at once, and /readyz and the headline do without it; until that is taken
        back."""
        self.assertEqual(self.codes(), ["ROOM_REFUSED"])
        self.assertEqual(self.ask("GET /readyz").status, 503)
        reply = self.ask(f"POST {self.path}", BEARER)
        self.assertEqual((reply.status, reply.json["acknowledged"]), (200, True))
        self.assertEqual(self.codes(), [])
        self.assertEqual(self.ask("GET /readyz").status, 200)
        self.assertTrue(self.ask("GET /api/v1/rooms/twitch/room1").json["acknowledged"])
        self.assertEqual(
            self.ask("GET /api/v1/headline").json,
            {"severity": "ok", "text": "Recording 2 of 3 rooms; the other is acknowledged"},
        )
        reply = self.ask(f"DELETE {self.path}", BEARER)
        self.assertEqual((reply.status, reply.json["acknowledged"]), (200, False))
        self.assertEqual(self.codes(), ["ROOM_REFUSED"])

    def test_kept(self) -> None:
        """It outlives the process, and ends when the room is recorded again."""
        self.ask(f"POST {self.path}", BEARER)
        known = Acknowledged(self.files, "/data")
        known.load()
        self.assertEqual(list(known), [("twitch", "room1")])
        self.scene.recorded()
        self.scene.advance(10)
        self.assertFalse(self.ask("GET /api/v1/rooms/twitch/room1").json["acknowledged"])
        known = Acknowledged(self.files, "/data")
        known.load()
        self.assertEqual(list(known), [])

    def test_removed(self) -> None:
        """It ends with the room."""
        self.ask(f"POST {self.path}", BEARER)
        self.rooms.add("twitch", "room1")
        self.assertEqual(self.ask("DELETE /api/v1/rooms/twitch/room1", BEARER).status, 200)
        self.assertEqual(len(self.scene.status.acknowledged or ()), 0)

    def test_removed_elsewhere(self) -> None:
        """It ends with the room also where the room is gone from the configuration, or from the list of a
        cluster; not where another recorder of the cluster has the room now."""
        others = {("twitch", "room1")}
        self.scene.timelines.is_elsewhere = lambda key: key in others
        self.ask(f"POST {self.path}", BEARER)
        self.scene.pool.remove("room1")
        self.scene.advance(10)
        self.assertEqual(list(self.scene.status.acknowledged or ()), [("twitch", "room1")])
        others.clear()
        self.scene.advance(10)
        self.assertEqual(list(self.scene.status.acknowledged or ()), [])

    def test_refusals(self) -> None:
        """A room that is recorded, one that is not on the list, no token, and a disk that takes nothing."""
        for path, status, code in (
            ("/api/v1/rooms/twitch/room0/acknowledge", 409, "is_recorded"),
            ("/api/v1/rooms/twitch/other/acknowledge", 404, "no_such_room"),
        ):
            reply = self.ask(f"POST {path}", BEARER)
            self.assertEqual((reply.status, reply.code), (status, code))
        self.assertEqual(self.ask(f"POST {self.path}").status, 401)
        self.assertEqual(self.ask(f"GET {self.path}").status, 405)
        self.files.capacity = 0
        self.assertEqual(self.ask(f"POST {self.path}", BEARER).status, 507)
        self.assertEqual(self.codes(), ["ROOM_REFUSED"])

    def test_damaged_file(self) -> None:
        """If acknowledgements cannot be read, nothing is hidden: the rooms are reported again."""
        damaged = b"{", b"[]", b"\xff", encode(1, {"twitch": ["x"]})[1:]
        odd: list[object] = [[], {"twitch": "x"}, {"twitch": [1]}]
        for content in (*damaged, *(encode(1, entry) for entry in odd)):
            self.files.put("/data/state/acknowledged", content)
            known = Acknowledged(self.files, "/data")
            known.load()
            self.assertEqual(list(known), [])


class NoTokenTests(SiteCase):
    """A recorder without http.token."""

    http = HttpSettings()

    def test_only_reading(self) -> None:
        """Nothing can be changed, whatever token is sent: 403 says what to configure."""
        for line in PermissionTests.CHANGES:
            for headers in ((), (BEARER,), ("Authorization: Bearer ",)):
                reply = self.ask(line, *headers)
                self.assertEqual((reply.status, reply.code), (403, "no_token"), line)
                self.assertIn("http.token", reply.json["error"]["message"])
        self.assertEqual((len(self.scene.pool.rooms), self.rotations), (3, 0))
        self.assertEqual(self.ask("GET /api/v1/status").status, 200)
