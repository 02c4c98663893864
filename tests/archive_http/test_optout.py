"""Opting out over HTTP: the page, the code, the list; and what everybody may do in a public archive."""

from __future__ import annotations

import re

import orjson

from chatlog.archive_http.rates import BURST, CODE
from chatlog.config.settings import ArchiveSettings, Secret
from chatlog.store.store import Store, StoreError
from chatlog.suppression.codes import MOST, SLOT, TakenCodes
from tests.archive.world import KEY
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

OWN = "/api/v1/archive"
LIST = f"{OWN}/optouts"
TOKEN = "the-token-of-the-test"
BEARER = f"Authorization: Bearer {TOKEN}"
BROWSER = "Accept: text/html,*/*;q=0.8"
PUBLIC = ArchiveSettings(optout_key=Secret("ab" * 32), public=True)
AT = "2026-03-01T00:00:00Z"


class OptOutCase(ArchiveCase):
    token = Secret(TOKEN)

    def setUp(self) -> None:
        super().setUp()
        self.world.put(
            MARCH,
            [
                privmsg(1000, "hello"),
                privmsg(2000, "hello from bob", "bob", user_id="5"),
                privmsg(3000, "renamed", "alicia"),
            ],
            room=ROOM,
        )


class CodeTests(OptOutCase):
    """A code to be written in a chat."""

    archive_settings = PUBLIC

    def test_clients(self) -> None:
        """Clients of justlog and rustlog get a string, six letters and digits, each time another; pages of
        other sites may ask."""
        codes = set()
        for path in ("/optout", "/optout/", "/kick/optout"):
            reply = self.ask(path, "Origin: https://logs.example.org", method="POST")
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["access-control-allow-origin"], "*")
            codes.add(orjson.loads(reply.body))
        self.assertEqual(len(codes), 3)
        for code in codes:
            self.assertRegex(code, r"\A[0-9a-z]{6}\Z")
            self.assertTrue(TakenCodes(KEY).is_good(code, self.world.now))
        reply = self.ask("/optout", method="OPTIONS")
        self.assertIn("POST", reply.headers["access-control-allow-methods"])
        self.assertEqual(self.ask("/optout", method="DELETE").status, 405)

    def test_page(self) -> None:
        """The page has a form, which needs no script and may be sent here alone; it gives the whole line to
        be written."""
        page = self.ask("/optout", BROWSER)
        self.assertIn(b'<form method="post" action="/optout">', page.body)
        self.assertIn("form-action 'self'", page.headers["content-security-policy"])
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        self.assertIn("form-action 'none'", self.ask("/", BROWSER).headers["content-security-policy"])
        form = "Content-Type: application/x-www-form-urlencoded"
        given = self.ask("/optout", BROWSER, form, method="POST")
        match = re.search(rb"<code>!chatlog optout ([0-9a-z]{6})</code>", given.body)
        assert match is not None
        self.assertTrue(TakenCodes(KEY).is_good(match[1].decode(), self.world.now))
        self.assertEqual(given.headers["cache-control"], "no-store")

    def test_linked(self) -> None:
        """Every page leads to it."""
        for path in ("/", "/search", "/rooms/twitch/testchan", "/people/twitch/alice"):
            self.assertIn(b'<a href="/optout">', self.ask(path, BROWSER).body, path)

    def test_not_too_many(self) -> None:
        """One address gets a few codes, and all of them together a thousand in two minutes; then 429, on the
        page in words."""
        taken = 0
        while self.ask("/optout", method="POST").status == 200:
            taken += 1
        self.assertEqual(taken, BURST // CODE)
        while taken < MOST:
            self.scene.clock.advance(10.0)
            for _ in range(BURST // CODE):
                taken += self.ask("/optout", method="POST").status == 200
        self.scene.clock.advance(10.0)
        reply = self.ask("/optout", BROWSER, method="POST")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, str(round(SLOT))))
        self.assertIn(b"too many codes", reply.body.lower())
        self.world.now += SLOT
        self.assertEqual(self.ask("/optout", method="POST").status, 200)

    def test_other_names(self) -> None:
        """Under a name that is not ours, there is no code."""
        self.assertEqual(self.ask("/optout", method="POST", host="evil.example").status, 421)


class WithoutCodes(OptOutCase):
    """A public archive whose recorders take no codes."""

    archive_settings = ArchiveSettings(public=True, optout_by_chat=False)

    def test_page(self) -> None:
        """The page says whom to ask; there is no code."""
        page = self.ask("/optout", BROWSER)
        self.assertIn(b"Ask whoever runs this archive", page.body)
        self.assertNotIn(b"<form", page.body)
        self.assertEqual(self.ask("/optout", method="POST").status, 405)


class WithoutTheKey(OptOutCase):
    """A server to which nobody has given the key."""

    archive_settings = ArchiveSettings(public=True)

    def test_no_code(self) -> None:
        """No code is given that no recorder would take."""
        reply = self.ask("/optout", method="POST")
        self.assertEqual(reply.status, 503)
        self.assertIn(b"not possible", reply.body)
        page = self.ask("/optout", BROWSER, method="POST")
        self.assertEqual(page.status, 503)
        self.assertIn(b'role="alert"', page.body)


class Off(ArchiveCase):
    """An archive that is not public."""

    def test_nothing_there(self) -> None:
        """There is neither page, code, nor link."""
        self.assertEqual(self.ask("/optout", BROWSER).status, 404)
        self.assertEqual(self.ask("/optout", method="POST").status, 404)
        self.assertNotIn(b"/optout", self.ask("/", BROWSER).body)

    def test_no_token(self) -> None:
        """Without a token in the configuration nobody sees or changes the list."""
        for method, path in (("GET", LIST), ("POST", LIST), ("DELETE", f"{LIST}/twitch/alice")):
            reply = self.ask(path, method=method)
            self.assertEqual((reply.status, reply.code), (403, "no_token"), method)


class ListTests(OptOutCase):
    """The list, for whoever has the token."""

    def add(self, who: str, **more: str) -> int:
        reply = self.ask(LIST, BEARER, method="POST", body=orjson.dumps({"who": who, **more}).decode())
        self.last = reply.json
        return reply.status

    def test_add_and_remove(self) -> None:
        """Who is added is out of the very next answer, with every name that is known; who is removed is in
        it again."""
        self.assertIn("alice", self.text("/channel/testchan/2026/3/1"))
        self.assertEqual(self.add("twitch/Alice"), 201)
        self.assertEqual(self.last["names"], ["alice", "alicia"])
        self.assertEqual(self.last["who"], "twitch/id:22222")
        self.assertNotIn("alic", self.text("/channel/testchan/2026/3/1"))
        self.assertEqual(self.add("twitch/id:22222"), 200)
        self.assertFalse(self.last["added"])
        reply = self.ask(f"{LIST}/twitch/alicia", BEARER, method="DELETE")
        self.assertEqual((reply.status, reply.json["removed"]), (200, 1))
        self.assertIn("alice", self.text("/channel/testchan/2026/3/1"))
        again = self.ask(f"{LIST}/twitch/id:22222", BEARER, method="DELETE")
        self.assertEqual((again.status, again.code), (404, "not_listed"))

    def test_one_room(self) -> None:
        """A person may be left out of one room; taken off its list by name or by id."""
        for who in ("bob", "id:5"):
            self.assertEqual(self.add("twitch/id:5", room="twitch/testchan"), 201)
            self.assertNotIn("bob", self.text("/channel/testchan/2026/3/1"))
            path = f"{LIST}/twitch/{who}?room=twitch/testchan"
            self.assertEqual(self.ask(path, BEARER, method="DELETE").json["removed"], 1)
        self.assertEqual(self.add("twitch/id:5", room="twitch/nowhere"), 404)
        self.assertEqual(self.add("twitch/id:5", room="kick/testchan"), 400)

    def test_list(self) -> None:
        """It says how many, and of what; not who."""
        self.add("twitch/alice")
        self.add("twitch/id:5", room="twitch/testchan")
        reply = self.ask(LIST, BEARER)
        self.assertEqual((reply.json["people"], reply.json["matching"]), (2, 2))
        self.assertEqual({row["room"] for row in reply.json["optouts"]}, {None, "testchan"})
        for word in (b"alice", b"22222", b'"5"'):
            self.assertNotIn(word, reply.body)
        self.assertEqual(len(self.ask(f"{LIST}?limit=1&offset=1", BEARER).json["optouts"]), 1)

    def test_refused(self) -> None:
        """Without the token, with a wrong one, or from another site's page nothing is changed or seen."""
        body = '{"who":"twitch/id:5"}'
        for headers, expected in (
            ([], (401, "wrong_token")),
            (["Authorization: Bearer x"], (401, "wrong_token")),
            ([BEARER, "Origin: http://evil.example"], (403, "cross_site")),
            ([BEARER, "Sec-Fetch-Site: cross-site"], (403, "cross_site")),
        ):
            reply = self.ask(LIST, *headers, method="POST", body=body)
            self.assertEqual((reply.status, reply.code), expected, headers)
        self.assertEqual(self.ask(LIST).code, "wrong_token")
        self.assertEqual(self.ask(f"{LIST}/twitch/bob", method="DELETE").code, "wrong_token")
        self.assertEqual(self.ask(LIST, BEARER).json["people"], 0)

    def test_nonsense(self) -> None:
        """A body that makes no sense, and a name of nobody, are refused in a sentence."""
        for body, status in (
            ("", 400),
            ("{", 400),
            ("[]", 400),
            ("{}", 400),
            ('{"who":5}', 400),
            ('{"who":"alice"}', 400),
            ('{"who":"twitch/id:x"}', 400),
            ('{"who":"twitch/id:5","room":7}', 400),
            ('{"who":"twitch/id:\\u0665"}', 400),
            ('{"who":"twitch/nobody"}', 404),
            ("[" * 60_000, 400),
        ):
            reply = self.ask(LIST, BEARER, method="POST", body=body)
            self.assertEqual(reply.status, status, body[:50])
            self.assertTrue(reply.json["error"]["message"])
        for who in ("youtube/x", "twitch/id:", "twitch/%00", "twitch/a%2fb"):
            self.assertIn(self.ask(f"{LIST}/{who}", BEARER, method="DELETE").status, (400, 404), who)
        self.assertEqual(self.logged, [])

    def test_two_people(self) -> None:
        """A name of two people is not guessed."""
        self.world.put(MARCH + 3600.0, [privmsg(3_600_000, "hi", user_id="7")], room=ROOM)
        self.assertEqual(self.add("twitch/alice"), 409)
        self.assertIn("id:22222", self.last["error"]["message"])
        self.assertIn("id:7", self.last["error"]["message"])

    def test_cannot_be_written(self) -> None:
        """A store that takes nothing is said, without a word of its address; the log has the reason."""

        def refuse(*_: object) -> None:
            raise StoreError("secret.endpoint refuses")

        store: Store = self.world.store
        store.put_new = refuse  # type: ignore[method-assign, assignment]
        self.assertEqual(self.add("twitch/id:5"), 507)
        self.assertEqual(self.last["error"]["code"], "not_kept")
        self.assertNotIn("secret", str(self.last))
        self.assertEqual(len(self.logged), 1)


class PublicTests(OptOutCase):
    """What everybody may do in a public archive, and what needs the token."""

    archive_settings = PUBLIC
    rooms = f"room=twitch/testchan&from={AT}"

    def test_one_room_at_a_time(self) -> None:
        """Days, logs and one room at a time are for everybody; all rooms are for whoever has the token."""
        for path in (
            "/channels",
            "/channel/testchan/2026/3/1",
            "/channel/testchan/user/alice/2026/3",
            "/channel/testchan/user/alice/search?q=hello",
            "/list?channel=testchan&user=alice",
            "/api/v2/recent-messages/testchan",
            f"{OWN}/rooms",
            f"{OWN}/overview",
            f"{OWN}/rooms/twitch/testchan/messages",
            f"{OWN}/rooms/twitch/testchan/timeline",
            f"{OWN}/rooms/twitch/testchan/export",
            f"{OWN}/search?q=hello&{self.rooms}",
            f"{OWN}/users/twitch/alice?{self.rooms}",
        ):
            self.assertEqual(self.ask(path).status, 200, path)
        for path in (
            f"{OWN}/search?q=hello",
            f"{OWN}/search?q=hello&room=",
            f"{OWN}/search?q=hello&room=twitch/testchan,kick/testchan",
            f"{OWN}/users/twitch/alice",
            f"{OWN}/users/twitch/alice?room=testchan,testchan",
            "/namehistory/22222",
        ):
            reply = self.ask(path)
            self.assertEqual((reply.status, reply.headers["www-authenticate"]), (401, "Bearer"), path)
            self.assertIn(b"one room at a time", reply.body)
            wrong = self.ask(path, "Authorization: Bearer nonsense")
            self.assertEqual(wrong.status, 401, path)
            self.assertNotIn(self.ask(path, BEARER).status, (401, 403), path)

    def test_capabilities(self) -> None:
        """Clients are not told of what they may not ask for."""
        self.assertNotIn("namehistory", self.ask("/capabilities").json)
        self.assertNotIn("namehistory", self.ask("/channels").headers["x-rustlog-capabilities"])

    def test_limited_all_the_same(self) -> None:
        """Whoever tries tokens is limited like everybody."""
        statuses = [self.ask("/namehistory/22222").status for _ in range(BURST // 10 + 1)]
        self.assertEqual(statuses[-1], 429)

    def test_list_cannot_be_applied(self) -> None:
        """Where the list was written with another key, nothing of the archive is shown, and the log says
        why."""
        self.world.store.put_new(f"optout/twitch/{'0' * 64}", b"{}\n", {})
        self.world.store.put_new("optout/key.0123456789abcdef", b"\n", {})
        self.world.now += 10.0
        for path in ("/channel/testchan/2026/3/1", f"{OWN}/rooms/twitch/testchan/messages"):
            self.assertEqual(self.ask(path).status, 503, path)


class PublicSearchTests(OptOutCase):
    archive_settings = ArchiveSettings(optout_key=Secret("ab" * 32), public=True, public_search=True)

    def test_everybody(self) -> None:
        """With public_search all rooms are for everybody."""
        for path in (f"{OWN}/search?q=hello", f"{OWN}/users/twitch/alice", "/namehistory/22222"):
            self.assertEqual(self.ask(path).status, 200, path)
        self.assertIn("namehistory", self.ask("/capabilities").json)
