"""Whatever somebody asks, it is answered, bounded, and never by an error of the server."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from chatlog.config.settings import ArchiveSettings, Secret
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

PIECES = st.sampled_from(
    (
        *("channel", "channelid", "user", "userid", "list", "channels", "random", "search", "stats", "kick"),
        *("optout", "optouts"),
        *("api", "v1", "v2", "archive", "rooms", "messages", "days", "users", "recent-messages", "twitch"),
        *(
            "testchan",
            "alice",
            "id:22222",
            "11111",
            "22222",
            "2026",
            "3",
            "03",
            "1",
            "0",
            "99",
            "namehistory",
        ),
        *("..", ".", "", "%2e%2e", "%00", "%ff", "_server", "a" * 300, "TestChan", "\u00df", "null", "-1"),
    )
)
NAMES = st.sampled_from(
    (
        *(
            "raw",
            "json",
            "jsonBasic",
            "ndjson",
            "reverse",
            "limit",
            "offset",
            "from",
            "to",
            "q",
            "regex",
            "user",
        ),
        *(
            "userid",
            "channel",
            "channelid",
            "room",
            "cursor",
            "order",
            "gaps",
            "type",
            "badge",
            "month",
            "before",
        ),
        *("marks", "id", "step", "days", "deleted", "start", "username"),
        *("after", "platform", "hide_moderated_messages", "clearchat_to_notice"),
    )
)
VALUES = st.one_of(
    st.sampled_from(
        (
            *("", "1", "0", "-1", "9" * 30, "1e5", "NaN", "2026-03-01T00:00:00Z", "9999-12-31T23:59:59Z"),
            *("0001-01-01T00:00:00Z", "1772323200", "99999999999", "(((", "(a*)*b", "[\u0130]", "testchan"),
            *(
                "twitch/testchan",
                "alice",
                "id:22222",
                "newest",
                "oldest",
                "2026-03-01T00:00:01.000Z~1",
                "\ud83d",
            ),
            *("2026-03-01T00:00:00+99:00", "../../etc/passwd", "a,b,c", "kick/", "/", "2026-03"),
        )
    ),
    st.text(max_size=8),
)


#: Lines that no recorder has written.
ODD = (
    b'{"timestamp":5}\n',
    b'{"timestamp":"2026-03-01T99:00:00.000Z","channel":"testchan"}\n',
    b'{"timestamp":"2026-02-30T00:00:00.000Z","channel":"testchan","message":"a"}\n',
    b'{"timestamp":"2026-03-01T00:00:00.000Z","message":7,"details":[],"type":{},"username":null}\n',
    b'{"timestamp":"2026-03-01T00:00:00.000Z","message":"x","details":{"command":5,"params":{}}}\n',
    b'{"timestamp":"2026-03-01T00:00:00.000Z","platform":"kick","details":{"sender":5,"duration":"x"}}\n',
    b'{"timestamp":"2026-03-01T00:00:00.000Z","message":"\\ud83d","details":{"a":"\\ud83d"}}\n',
)


class HostileTests(ArchiveCase):
    archive_settings = ArchiveSettings(optout_key=Secret("ab" * 32), optout_by_chat=True)

    def setUp(self) -> None:
        super().setUp()
        hole = gap(MARCH + 3600.0, MARCH + 7200.0)
        said = [privmsg(n, f"<b>{n}", id=f"i{n}") for n in range(40)]
        self.world.put(MARCH, [*said, hole, b"{not json\n", *ODD], room=ROOM)

    @settings(max_examples=80, deadline=None)
    @given(st.lists(PIECES, min_size=1, max_size=8), st.lists(st.tuples(NAMES, VALUES), max_size=4))
    def test_any_request(self, pieces: list[str], query: list[tuple[str, str]]) -> None:
        """No request makes an error of the server, and none shows what is not in the archive."""
        path = "/".join(quote(piece, "%") for piece in pieces)
        asked = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query)
        self.check(f"/{path}?{asked}")

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(
            (
                "/channel/testchan/2026/3/1",
                "/channel/testchan",
                "/channel/testchan/user/alice/2026/3",
                "/channel/testchan/user/alice/search",
                "/channel/testchan/stats",
                "/list",
                "/api/v2/recent-messages/testchan",
                "/api/v1/archive/rooms",
                "/api/v1/archive/rooms/twitch/testchan/days",
                "/api/v1/archive/rooms/twitch/testchan/messages",
                "/api/v1/archive/rooms/twitch/testchan/timeline",
                "/api/v1/archive/rooms/twitch/testchan/export",
                "/api/v1/archive/overview",
                "/rooms/twitch/testchan/2026-03-01",
                "/",
                "/api/v1/archive/search",
                "/api/v1/archive/users/twitch/alice",
            )
        ),
        st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=5),
    )
    def test_any_query(self, path: str, query: list[tuple[str, str]]) -> None:
        """Nor does any query, where there is something to be asked."""
        asked = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query)
        self.check(f"{path}?{asked}")

    def check(self, target: str) -> None:
        reply = self.ask(target)
        self.assertLess(reply.status, 500, target)
        self.assertNotIn(b"Traceback", reply.body)
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
        if "html" in reply.headers.get("content-type", ""):
            # A document of ours, in which nothing of anybody's is but a name, as text.
            self.assertIn(b'<script src="/assets/theme.js"></script>', reply.body)
            self.assertNotIn(b"<b>", reply.body)
        self.assertEqual(self.logged, [], target)
        self.assertEqual(len(self.desk), 0)

    def test_names_of_others(self) -> None:
        """A name that leads to this address but is not ours is refused, so that no other page reads it."""
        self.assertEqual(self.ask("/channels", host="evil.example").status, 421)
        self.assertEqual(self.ask("/api/v1/archive/rooms", host="evil.example:8081").status, 421)
        for host in ("127.0.0.1", "localhost:8081", "[::1]:8081", "logs.example"):
            self.assertEqual(self.ask("/channels", host=host).status, 200)
        self.assertEqual(self.ask("/healthz", host="evil.example").status, 200)

    def test_own_api_is_for_our_own_pages(self) -> None:
        """What no client of others asks for is not for other sites' pages."""
        self.assertNotIn("access-control-allow-origin", self.ask("/api/v1/archive/rooms").headers)

    def test_recorders_page(self) -> None:
        """The page of the recorder on this machine reads the own API, for its rooms show what was said
        earlier; what only looks like it does not."""
        path, header = "/api/v1/archive/rooms/twitch/testchan/messages", "access-control-allow-origin"
        ours = "http://127.0.0.1:8080"
        reply = self.ask(path, f"Origin: {ours}")
        self.assertEqual((reply.headers[header], reply.headers["vary"]), (ours, "Origin"))
        for origin in (
            "http://127.0.0.1:8082",
            "https://127.0.0.1:8080",
            "http://localhost:8080",
            "http://127.0.0.1:8080.evil.example",
            "http://evil.example:8080",
            "null",
        ):
            self.assertNotIn(header, self.ask(path, f"Origin: {origin}").headers, origin)
        reply = self.ask(path, "Origin: http://localhost:8080", host="localhost:8081")
        self.assertEqual(reply.headers[header], "http://localhost:8080")

    def test_nothing_changes(self) -> None:
        """Only reading is answered."""
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
            for path in ("/channels", "/api/v1/archive/rooms"):
                self.assertEqual(self.ask(path, method=method).status, 405)

    def test_store_that_refuses(self) -> None:
        """A store that does not answer is said to be the trouble, without a word of its address."""
        self.world.now += 100.0

        def refuse(prefix: str = "") -> None:
            from chatlog.store.store import StoreError

            raise StoreError("secret.endpoint refuses")

        self.world.store.folders = refuse  # type: ignore[method-assign, assignment]
        reply = self.ask("/channels")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "30"))
        self.assertNotIn(b"secret", reply.body)
        self.assertEqual(len(self.logged), 1)
