"""Who speaks the API of rustlog or justlog gets the answers that these give."""

from __future__ import annotations

import orjson

from tests.archive.world import gap, said
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, line, privmsg

DAY = "/channel/testchan/2026/3/1"
SENT = int(MARCH * 1000)
ALICE = (
    "@badge-info=;badges=subscriber/12;color=#FF0000;display-name=Alice;emotes=;flags=;"
    "id=00000000-0000-0000-0000-000000000001;room-id=11111;subscriber=1;tmi-sent-ts=1772348400000;"
    "user-id=22222;user-type= :alice!alice@alice.tmi.twitch.tv PRIVMSG #testchan :hello world"
)
BAN = (
    "@ban-duration=600;room-id=11111;target-user-id=33333;tmi-sent-ts=1772352000000 "
    ":tmi.twitch.tv CLEARCHAT #testchan :bob"
)
SUB = (
    "@badge-info=;badges=;color=;display-name=Carol;emotes=;flags=;id=s1;login=carol;mod=0;msg-id=resub;"
    "room-id=11111;subscriber=1;system-msg=Carol\\shas\\ssubscribed.;tmi-sent-ts=1772355600500;user-id=44444;"
    "user-type= :tmi.twitch.tv USERNOTICE #testchan :thanks"
)
DELETION = (
    "@login=alice;room-id=;target-msg-id=00000000-0000-0000-0000-000000000001;tmi-sent-ts=1772359200000 "
    ":tmi.twitch.tv CLEARMSG #testchan :hello world"
)


class GoldenTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.put(MARCH + 7 * 3600.0, [line(each) for each in (ALICE, BAN, SUB, DELETION)], room=ROOM)

    def test_text(self) -> None:
        """The form that people read and Supibot parses, with its line ends."""
        reply = self.ask(DAY)
        self.assertEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(
            reply.body.decode(),
            "[2026-03-01 07:00:00] #testchan alice: hello world\r\n"
            "[2026-03-01 08:00:00] #testchan bob has been timed out for 600 seconds\r\n"
            "[2026-03-01 09:00:00] #testchan carol: Carol has subscribed. thanks\r\n"
            "[2026-03-01 10:00:00] #testchan a message of alice was deleted: hello world\r\n",
        )

    def test_raw(self) -> None:
        """The lines as the server sent them: this alone is what justgrep reads."""
        self.assertEqual(
            self.text(f"{DAY}?raw"), "".join(f"{each}\r\n" for each in (ALICE, BAN, SUB, DELETION))
        )

    def test_json(self) -> None:
        """rustlog's nine keys, with all tags; milliseconds are shown where they are not zero."""
        reply = self.ask(f"{DAY}?json=1")
        self.assertEqual(reply.headers["content-type"], "application/json")
        first, ban, sub, deletion = reply.json["messages"]
        tags = dict(pair.split("=", 1) for pair in ALICE[1:].split(" ")[0].split(";"))
        self.assertEqual(
            first,
            {
                "text": "hello world",
                "displayName": "Alice",
                "timestamp": "2026-03-01T07:00:00Z",
                "id": "00000000-0000-0000-0000-000000000001",
                "tags": tags,
                "username": "alice",
                "channel": "testchan",
                "raw": ALICE,
                "type": 1,
            },
        )
        self.assertEqual(list(first)[:5], ["text", "displayName", "timestamp", "id", "tags"])
        self.assertEqual((ban["text"], ban["type"]), ("bob has been timed out for 600 seconds", 2))
        self.assertEqual((ban["username"], ban["displayName"], ban["id"]), ("bob", "bob", ""))
        self.assertEqual((sub["text"], sub["type"]), ("Carol has subscribed. thanks", 4))
        self.assertEqual(sub["timestamp"], "2026-03-01T09:00:00.500Z")
        self.assertEqual(deletion["type"], 13)

    def test_short_json(self) -> None:
        """jsonBasic is the first five keys, and goes before json; raw goes before both."""
        [message] = self.ask(f"{DAY}?json&jsonBasic=1&limit=1").json["messages"]
        self.assertEqual(list(message), ["text", "displayName", "timestamp", "id", "tags"])
        self.assertEqual(self.text(f"{DAY}?json&jsonBasic&raw&limit=1"), f"{ALICE}\r\n")

    def test_json_by_lines(self) -> None:
        """ndjson is jsonBasic, one a line."""
        reply = self.ask(f"{DAY}?ndjson")
        self.assertEqual(reply.headers["content-type"], "application/x-ndjson")
        *rows, last = reply.body.split(b"\r\n")
        self.assertEqual((len(rows), last), (4, b""))
        self.assertEqual(list(orjson.loads(rows[0])), ["text", "displayName", "timestamp", "id", "tags"])

    def test_ways_of_justlog(self) -> None:
        """justlog takes the form as type= and as the type of the request's own content."""
        self.assertEqual(self.text(f"{DAY}?type=raw&limit=1"), f"{ALICE}\r\n")
        self.assertIn(b'"raw"', self.ask(DAY, "Content-Type: application/json").body)

    def test_reverse_limit_and_offset(self) -> None:
        """The newest first; the offset is counted in that order."""
        self.assertEqual(self.text(f"{DAY}?raw&reverse&limit=1&offset=1"), f"{SUB}\r\n")

    def test_who_is_meant(self) -> None:
        """Logins and ids, in all four combinations, with leading zeros or not."""
        for channel in ("channel/testchan", "channelid/11111"):
            for user in ("user/alice", "userid/22222"):
                for path in (f"/{channel}/{user}/2026/3", f"/{channel}/{user}/2026/03/01"):
                    self.assertIn("alice: hello world\r\n", self.text(path))
        self.assertIn("timed out", self.text("/channel/testchan/userid/33333/2026/3"))

    def test_redirects(self) -> None:
        """A room leads to its latest day, a person to their latest month, capitals to small letters; and the
        query is kept."""
        for path, status, to in (
            ("/channel/testchan?raw=&reverse=", 303, "/channel/testchan/2026/3/1?raw=&reverse="),
            ("/channelid/11111/", 303, "/channelid/11111/2026/3/1"),
            ("/channel/testchan/user/alice", 303, "/channel/testchan/user/alice/2026/3"),
            ("/channel/TestChan/2026/3/1", 302, "/channel/testchan/2026/3/1"),
        ):
            reply = self.ask(path)
            self.assertEqual((reply.status, reply.headers.get("location")), (status, to))

    def test_ranges(self) -> None:
        """from is in a range and to is not; RFC 3339 or Unix seconds, with a date in the path or without."""
        for path in ("/channel/testchan", DAY):
            for first, last in (
                ("2026-03-01T07:00:00Z", "2026-03-01T08:00:00Z"),
                ("1772348400", "1772352000"),
                ("2026-03-01T08:00:00%2B01:00", "2026-03-01T08:00:00.000Z"),
            ):
                self.assertEqual(self.text(f"{path}?raw&from={first}&to={last}"), f"{ALICE}\r\n")

    def test_errors(self) -> None:
        """One line of text, and what other sites' pages need to read it."""
        for path, status in (
            ("/channel/testchan/2026/2/1", 404),
            ("/channel/nobody/2026/3/1", 404),
            ("/channelid/999/2026/3/1", 404),
            ("/channel/testchan/user/nobody/2026/3", 404),
            ("/channel/testchan/2026/13/1", 400),
            ("/channel/testchan/2026/2/30", 400),
            ("/channel/testchan?from=x&to=y", 400),
            ("/channel/testchan?from=1772352000&to=1772348400", 400),
            ("/channel/testchan?to=1772348400", 400),
            (f"{DAY}?limit=x", 400),
            ("/list", 400),
            ("/nothing", 404),
        ):
            reply = self.ask(path)
            self.assertEqual(reply.status, status, path)
            self.assertEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
            self.assertEqual(reply.headers["access-control-allow-origin"], "*")
            self.assertEqual(len(reply.body.splitlines()), 1)
        self.assertIn(b"testchan", self.ask("/channel/testchans/2026/3/1").body)

    def test_lists(self) -> None:
        """Rooms with their ids; days and months as strings without zeros in front, the newest first."""
        self.world.put(MARCH - 28 * 86400.0, [privmsg(-28 * 86400_000, "before")], room=ROOM)
        self.assertEqual(self.ask("/channels").json, {"channels": [{"name": "testchan", "userID": "11111"}]})
        february, march = {"year": "2026", "month": "2"}, {"year": "2026", "month": "3"}
        for query in ("channel=testchan", "channelid=11111"):
            days = [{**march, "day": "1"}, {**february, "day": "1"}]
            self.assertEqual(self.ask(f"/list?{query}").json, {"availableLogs": days})
        for user in ("user=alice", "userid=22222"):
            answer = self.ask(f"/list?channel=testchan&{user}").json
            self.assertEqual(answer, {"availableLogs": [march, february]})
        self.assertEqual(self.ask("/list?channel=testchan&user=nobody").status, 404)

    def test_counts_names_and_chance(self) -> None:
        """stats, namehistory and random have rustlog's keys."""
        top = [{"userId": "22222", "userLogin": "alice", "messageCount": 1}]
        stats = self.ask("/channel/testchan/stats").json
        self.assertEqual(stats, {"messageCount": 1, "topChatters": top})
        self.assertEqual(self.ask("/channel/testchan/user/alice/stats").json, top[0])
        times = {"last_timestamp": "2026-03-01T07:00:00.000Z", "first_timestamp": "2026-03-01T07:00:00.000Z"}
        names = self.ask("/namehistory/22222").json
        self.assertEqual(names[0]["user_login"], "alice")
        self.assertEqual(names[0]["first_timestamp"], times["first_timestamp"])
        for path in ("/channel/testchan/random", "/channel/testchan/user/alice/random"):
            self.assertEqual(self.text(f"{path}?raw"), f"{ALICE}\r\n")

    def test_search(self) -> None:
        """What a person wrote, whatever its case."""
        self.assertEqual(self.text("/channel/testchan/user/alice/search?q=HELLO&raw").splitlines()[0], ALICE)
        self.assertEqual(self.ask("/channel/testchan/user/alice/search?q=absent").status, 404)
        self.assertEqual(self.ask("/channel/testchan/user/alice/search").status, 400)

    def test_capabilities(self) -> None:
        """What clients look for before they use more than justlog has."""
        known = ["arbitrary-range-query", "search", "stats", "namehistory", "firehose"]
        reply = self.ask("/capabilities")
        self.assertEqual(reply.json, known)
        self.assertEqual(reply.headers["x-rustlog-capabilities"], ",".join(known))

    def test_pages_of_other_sites(self) -> None:
        """A browser may ask first whether it may ask."""
        reply = self.ask(DAY, "Origin: https://logs.example", method="OPTIONS")
        self.assertEqual((reply.status, reply.headers["access-control-allow-origin"]), (200, "*"))
        self.assertIn("GET", reply.headers["access-control-allow-methods"])

    def test_head(self) -> None:
        """HEAD has the headers and nothing else."""
        reply = self.ask(DAY, method="HEAD")
        self.assertEqual((reply.status, reply.body), (200, b""))

    def test_what_does_not_change(self) -> None:
        """A range that is over is asked for again for nothing; one that is not has no tag."""
        self.put_manifest()
        reply = self.ask(DAY)
        self.assertEqual(reply.headers["cache-control"], "no-cache")
        again = self.ask(DAY, f"If-None-Match: {reply.headers['etag']}")
        self.assertEqual((again.status, again.body), (304, b""))
        other = self.ask(f"{DAY}?raw", f"If-None-Match: {reply.headers['etag']}")
        self.assertEqual(other.status, 200)
        self.world.now = MARCH + 20 * 3600.0
        self.assertNotIn("etag", self.ask(DAY).headers)

    def test_what_was_added_since(self) -> None:
        """A file that came later is in the answer, whatever tag is sent along."""
        self.put_manifest()
        tag = self.ask(DAY).headers["etag"]
        self.world.put(MARCH + 8 * 3600.0, [privmsg(9 * 3600_000, "late")], room=ROOM)
        self.world.now += 10.0
        reply = self.ask(DAY, f"If-None-Match: {tag}")
        self.assertEqual(reply.status, 200)
        self.assertIn(b"late", reply.body)


class KickTests(ArchiveCase):
    def test_kick_is_below_its_name(self) -> None:
        """A room of Kick is not mistaken for Twitch's of the same name."""
        record = said(MARCH + 60.0, "hi", "bob").replace(b'"platform":"twitch"', b'"platform":"kick"')
        self.world.put(MARCH, [record], room=("kick", "a"))
        self.assertEqual(self.ask("/channels").json, {"channels": []})
        self.assertEqual(self.ask("/kick/channels").json, {"channels": [{"name": "a", "userID": "7"}]})
        self.assertEqual(self.text("/kick/channel/a/2026/3/1"), "[2026-03-01 00:01:00] #a bob: hi\r\n")
        self.assertEqual(self.ask("/channel/a/2026/3/1").status, 404)
        self.assertEqual(self.ask("/kick/channel/a").headers["location"], "/kick/channel/a/2026/3/1")


class MissingTests(ArchiveCase):
    """A hole is never mistaken for silence."""

    def setUp(self) -> None:
        super().setUp()
        hole = gap(MARCH + 3600.0, MARCH + 2 * 3600.0)
        self.world.put(MARCH - 3600.0, [privmsg(-3600_000, "zero")], room=ROOM)
        self.world.put(MARCH, [privmsg(1000, "one"), hole, privmsg(7200_000, "two")], room=ROOM)
        self.put_manifest(missing=3600.0)

    def test_headers(self) -> None:
        """Every answer says in its headers what is missing, and how much was recorded."""
        for path in (
            DAY,
            f"{DAY}?limit=1",
            "/channel/testchan/user/alice/2026/3?to=1772409600&from=1772323200",
        ):
            headers = self.ask(path).headers
            self.assertEqual(
                headers["x-chatlog-gaps"], "2026-03-01T01:00:00.000Z/2026-03-01T02:00:00.000Z;connection lost"
            )
            self.assertEqual(headers["x-chatlog-coverage"], "0.9583")

    def test_lines(self) -> None:
        """With ?gaps a line stands where something is missing, in both directions."""
        missing = "[2026-03-01 01:00:00] #testchan Not recorded from 2026-03-01T01:00:00.000Z"
        for query in ("gaps", "gaps&reverse"):
            _, between, _ = self.text(f"{DAY}?{query}").splitlines()
            self.assertTrue(between.startswith(missing), between)
        raw = self.text(f"{DAY}?gaps&raw").splitlines()[1]
        self.assertIn("msg-id=chatlog-gap", raw)
        self.assertIn(" NOTICE #testchan :Not recorded", raw)
        self.assertIn("chatlog-gap", self.text("/channel/testchan/user/alice/2026/3?gaps&raw"))

    def test_nothing_but_a_gap(self) -> None:
        """A time in which nothing was recorded is told from one in which nothing was said."""
        inside = "/channel/testchan?from=2026-03-01T01:10:00Z&to=2026-03-01T01:20:00Z"
        self.assertEqual(self.ask(inside).status, 404)
        self.assertIn("Not recorded", self.text(f"{inside}&gaps"))

    def test_a_damaged_file(self) -> None:
        """The rest is given, and the damage is named; the answer is not said to be unchanged later."""
        path = self.world.put(MARCH + 4 * 3600.0, [privmsg(5 * 3600_000, "three")], room=ROOM)
        with open(path, "wb") as file:
            file.write(b"this is no zstd")
        reply = self.ask(f"{DAY}?raw")
        self.assertEqual(reply.headers["x-chatlog-unread"], "1")
        self.assertIn("msg-id=chatlog-unread", reply.body.decode().splitlines()[-1])
        self.assertNotIn("etag", reply.headers)
