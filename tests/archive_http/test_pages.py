"""The archive server's pages: which document is where, where links of others lead, what is not there."""

from __future__ import annotations

from pathlib import Path

import chatlog.archive_http
import chatlog.http
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

PLACES = [Path(package.__file__ or "").parent / "assets" for package in (chatlog.http, chatlog.archive_http)]


class PageTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)

    def document(self, name: str) -> bytes:
        return next(path.read_bytes() for place in PLACES if (path := place / name).is_file())

    def test_documents(self) -> None:
        """Rooms, a room, a day, a person, the search: each is a document with the policy that lets nothing in
        from elsewhere."""
        for path, name in (
            ("/", "archive.html"),
            ("/search", "search.html"),
            ("/rooms/twitch/testchan", "calendar.html"),
            ("/rooms/twitch/testchan?month=2026-03", "calendar.html"),
            ("/rooms/twitch/testchan/2026-03-01", "day.html"),
            ("/rooms/twitch/testchan/1999-01-01", "day.html"),
            ("/people/twitch/alice", "person.html"),
            ("/people/kick/id:5", "person.html"),
        ):
            reply = self.ask(path)
            self.assertEqual((reply.status, reply.body), (200, self.document(name)), path)
            self.assertIn("default-src 'none'", reply.headers["content-security-policy"])
            self.assertNotIn("access-control-allow-origin", reply.headers)

    def test_assets(self) -> None:
        """Every file that a document may need is there, also those of the recorder's page that it shares."""
        for place in PLACES:
            for path in place.iterdir():
                reply = self.ask(f"/assets/{path.name}")
                self.assertEqual((reply.status, reply.body), (200, path.read_bytes()), path.name)
        self.assertEqual(self.ask("/assets/nothing.js").status, 404)
        self.assertEqual(self.ask("/assets/base.css", method="POST").status, 405)

    def test_no_two_of_one_name(self) -> None:
        """No file of one page hides one of another."""
        names = [path.name for place in PLACES for path in place.iterdir()]
        self.assertEqual(len(names), len(set(names)))

    def test_no_day(self) -> None:
        """A day that no calendar has is a page that says so, as the API refuses it."""
        for day in ("2026-13-45", "2026-02-30", "0000-01-01", "2026-00-10"):
            reply = self.ask(f"/rooms/twitch/testchan/{day}")
            self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html; charset=utf-8"))
            self.assertIn(f"<bdi>{day}</bdi> is no day".encode(), reply.body)

    def test_unknown_room(self) -> None:
        """The page says that it is not there, names those that are like it, and what it was asked for stays a
        text."""
        for path in ("/rooms/twitch/tetschan", "/rooms/kick/tetschan/2026-03-01", "/?channel=tetschan"):
            reply = self.ask(path)
            self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html; charset=utf-8"))
            self.assertIn(b'<a href="/rooms/twitch/testchan">twitch/testchan</a>', reply.body)
        reply = self.ask("/rooms/twitch/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        self.assertEqual(reply.status, 404)
        self.assertNotIn(b"<script>alert", reply.body)

    def test_links_of_justlog(self) -> None:
        """``?channel=x&username=y``, by name or by id, leads to what is meant."""
        for query, where in (
            ("channel=testchan", "/rooms/twitch/testchan"),
            ("channel=TestChan", "/rooms/twitch/testchan"),
            ("channel=id:11111", "/rooms/twitch/testchan"),
            ("channel=testchan&username=Alice", "/people/twitch/alice?room=twitch%2Ftestchan"),
            ("channel=id:11111&username=id:22222", "/people/twitch/id:22222?room=twitch%2Ftestchan"),
            ("username=alice", "/people/twitch/alice"),
            ("channel=testchan&username=../../x", "/people/twitch/..%2F..%2Fx?room=twitch%2Ftestchan"),
        ):
            reply = self.ask(f"/?{query}")
            self.assertEqual((reply.status, reply.headers.get("location")), (303, where), query)
        self.assertEqual(self.ask("/?channel=id:99").status, 404)

    def test_nothing_there(self) -> None:
        """People get a page with a way on; clients of log servers a line; programs JSON."""
        reply = self.ask("/nothing/here", "Accept: text/html,*/*")
        self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html; charset=utf-8"))
        self.assertIn(b'<a href="/">All rooms</a>', reply.body)
        self.assertEqual(self.ask("/nothing/here").body, b"route not found")
        self.assertEqual(self.ask("/api/v1/archive/nothing", "Accept: text/html").code, "not_found")
