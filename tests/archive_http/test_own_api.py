"""The archive's own API: rooms, days, pages of records in both directions, search, people."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlog.archive.gaps import Report
from chatlog.archive_http.ranges import Range
from chatlog.archive_http.states import state_of
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, Row, encoded
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

OWN = "/api/v1/archive"
MESSAGES = f"{OWN}/rooms/twitch/testchan/messages"


class RoomTests(ArchiveCase):
    def test_rooms(self) -> None:
        """Rooms with their ids, by a part of the name, a page at a time."""
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        self.world.put(MARCH, [privmsg(0, "hi")], room=("twitch", "other"))
        room = {"platform": "twitch", "name": "testchan", "id": "11111"}
        self.assertEqual(self.ask(f"{OWN}/rooms?q=test").json, {"matching": 1, "rooms": [room]})
        self.assertEqual(len(self.ask(f"{OWN}/rooms?limit=1&offset=1").json["rooms"]), 1)

    def test_days(self) -> None:
        """What the manifests say of each day; null where none does."""
        path = self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        self.world.put(MARCH - 86400.0, [privmsg(-1000, "hi")], room=ROOM)
        key = path.partition("/archive/")[2]
        rows: list[Row] = [
            HeadRow(MARCH, MARCH + 3600.0, "1", "main"),
            ObjectRow(key, 1, "0" * 64, 1, "x", "y"),
            RoomRow("twitch", "testchan", 3500.0, 100.0, "connection lost"),
        ]
        manifest = "manifest/2026/03/01/main_20260301_0000.jsonl"
        self.world.store.put_new(manifest, b"".join(encoded(row) for row in rows), {})
        answer = self.ask(f"{OWN}/rooms/twitch/testchan/days").json
        self.assertEqual(answer["months"], ["2026-02", "2026-03"])
        [day] = answer["days"]
        self.assertEqual(
            day,
            {
                "day": "2026-03-01",
                "records": 1,
                "recorded": 3500.0,
                "missing": 100.0,
                "coverage": round(3500 / 86400, 6),
                "reasons": ["connection lost"],
                "finished": True,
            },
        )
        [before] = self.ask(f"{OWN}/rooms/twitch/testchan/days?month=2026-02").json["days"]
        self.assertEqual((before["day"], before["records"], before["coverage"]), ("2026-02-28", None, None))

    def test_unknown_room(self) -> None:
        """Names that are near are named."""
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        reply = self.ask(f"{OWN}/rooms/twitch/tetschan/days")
        self.assertEqual((reply.status, reply.code), (404, "no_such_room"))
        self.assertIn("testchan", reply.json["error"]["message"])


class PageTests(ArchiveCase):
    def page(self, query: str) -> Any:
        reply = self.ask(f"{MESSAGES}?{query}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    @settings(max_examples=12, deadline=None)
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=25), st.integers(1, 6))
    def test_every_record_once(self, steps: list[int], limit: int) -> None:
        """Whoever follows the cursors in either direction sees every record once, also where many came in one
        millisecond; and from any page the way back leads to the page before."""
        self.setUp()
        at, said = 0, []
        for number, step in enumerate(steps):
            at += step // 2
            said.append(privmsg(at, str(number), id=f"id{number}"))
        self.world.put(MARCH, said, room=ROOM)
        wanted = [str(number) for number in range(len(steps))]
        for order, follow in (("newest", "older"), ("oldest", "newer")):
            pages: list[list[str]] = []
            query = f"order={order}&limit={limit}"
            while True:
                found = self.page(query)
                texts = [record["message"] for record in found["records"]]
                if not texts:
                    break
                pages.append(texts)
                if found[follow] is None:
                    break
                query = f"order={order}&limit={limit}&cursor={found[follow]}"
                back, way = ("oldest", "newer") if order == "newest" else ("newest", "older")
                if len(pages) > 1 and found[way] is not None:
                    again = self.page(f"order={back}&limit={len(pages[-2])}&cursor={found[way]}")
                    self.assertEqual([record["message"] for record in again["records"]], pages[-2])
            if order == "newest":
                pages.reverse()
            self.assertEqual([text for texts in pages for text in texts], wanted)

    def test_states(self) -> None:
        """A time before the archive begins, one that is not over, one that is all gap, and silence: four
        answers."""
        hole = gap(MARCH + 3600.0, MARCH + 7200.0)
        self.world.put(MARCH, [privmsg(0, "hi"), hole, privmsg(7300_000, "back")], room=ROOM)
        self.put_manifest()
        for first, last, state in (
            ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "before"),
            ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "unfinished"),
            ("2026-03-01T01:10:00Z", "2026-03-01T01:20:00Z", "gap"),
            ("2026-03-01T04:00:00Z", "2026-03-01T05:00:00Z", "complete"),
        ):
            self.assertEqual(self.page(f"from={first}&to={last}")["state"], state, state)
        [found] = self.page("order=oldest&from=2026-03-01T01:10:00Z&to=2026-03-01T01:20:00Z")["gaps"]
        self.assertEqual((found["seconds"], found["reason"]), (600.0, "connection lost"))

    def test_not_kept(self) -> None:
        """A time that is not kept any longer is told from one that was never recorded."""
        report, span = Report(), Range(1000.0, 2000.0)
        for begun, is_expired, state in (
            (2e9, lambda until, begun: until == 2000.0 and begun > 1e9, "expired"),
            (2e9, lambda until, begun: False, "before"),
            (1500.0, lambda until, begun: True, "complete"),
            (None, lambda until, begun: True, "complete"),
        ):
            found = state_of(report, (), span, 1e10, begun, lambda until: True, is_expired)
            self.assertEqual(found, state)

    def test_one_end(self) -> None:
        """A range may be open at either end."""
        self.world.put(MARCH, [privmsg(n * 1000, f"m{n}") for n in range(4)], room=ROOM)
        for query, wanted in (
            ("to=2026-03-01T00:00:02Z", ["m0", "m1"]),
            ("order=newest&limit=1&to=2026-03-01T00:00:02Z", ["m1"]),
            ("from=2026-03-01T00:00:02Z", ["m2", "m3"]),
            ("from=2026-03-01T00:00:01Z&to=2026-03-01T00:00:03Z", ["m1", "m2"]),
            ("to=2026-02-01T00:00:00Z", []),
        ):
            found = [record["message"] for record in self.page(query)["records"]]
            self.assertEqual(found, wanted, query)

    def test_mistakes(self) -> None:
        """Each is one sentence."""
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        for query in (
            "cursor=x",
            "limit=0",
            "limit=1001",
            "order=up",
            "from=x",
            "regex=1&q=(",
            "from=5&to=4",
            "to=0",
            "to=x",
        ):
            reply = self.ask(f"{MESSAGES}?{query}")
            self.assertEqual(reply.status, 400, query)


class SearchTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        for day in range(3):
            ms = -day * 86400_000
            said = [privmsg(ms + n * 1000, f"hit {day} {n}" if n % 2 else "miss") for n in range(6)]
            self.world.put(MARCH - day * 86400.0, said, room=ROOM)

    def rows(self, query: str) -> list[Any]:
        reply = self.ask(f"{OWN}/search?{query}")
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.headers["content-type"], "application/x-ndjson")
        return [orjson.loads(row) for row in reply.body.splitlines()]

    def test_search(self) -> None:
        """Records, the newest first, with how far it has come and an end that says where to go on."""
        rows = self.rows("q=HIT&limit=4")
        self.assertIn("progress", rows[0])
        texts = [row["record"]["message"] for row in rows if "record" in row]
        self.assertEqual(texts, ["hit 0 5", "hit 0 3", "hit 0 1", "hit 1 5"])
        end = rows[-1]["end"]
        self.assertEqual((end["found"], end["unread"]), (4, 0))
        for since in ("from=2026-02-01T00:00:00Z&", ""):
            rest = self.rows(f"q=hit&{since}to={end['next']['to']}")
            texts = [row["record"]["message"] for row in rest if "record" in row]
            self.assertEqual(texts, ["hit 1 5", "hit 1 3", "hit 1 1", "hit 2 5", "hit 2 3", "hit 2 1"])
            self.assertIsNone(rest[-1]["end"]["next"])

    def test_what_lies_in_two_steps(self) -> None:
        """A search goes back in steps. A gap and a damaged file that lie in two of them are told once."""
        now = self.world.now
        self.world.put(now - 100.0, [gap(now - 2 * 86400.0, now - 100.0)], room=ROOM)
        path = self.world.put(now - 86460.0, [privmsg(0, "lost")], room=ROOM)
        with open(path, "wb") as file:
            file.write(b"this is no zstd")
        end = self.rows("q=hit")[-1]["end"]
        self.assertEqual(len(end["gaps"]), 1)
        self.assertEqual(end["gaps"][0]["seconds"], 2 * 86400.0 - 100.0)
        self.assertEqual((end["unread"], len(end["files"])), (1, 1))

    def test_ways(self) -> None:
        """By pattern, person and kind, oldest first, in rooms that are named."""
        count = lambda query: self.rows(query)[-1]["end"]["found"]  # noqa: E731
        self.assertEqual(count("q=hit+%5B01%5D&regex=1"), 6)
        self.assertEqual(count("user=id:22222&room=twitch/testchan"), 18)
        self.assertEqual(count("user=nobody"), 0)
        self.assertEqual(count("q=hit&type=ban"), 0)
        first = self.rows("q=hit&order=oldest")[1]
        self.assertEqual(first["record"]["message"], "hit 2 1")

    def test_mistakes(self) -> None:
        """A search for everything, in no room, or by a pattern that is none is refused before it begins."""
        for query, status in (
            ("", 400),
            ("q=x&room=nowhere", 404),
            ("q=(&regex=1", 400),
            ("q=x&order=up", 400),
        ):
            self.assertEqual(self.ask(f"{OWN}/search?{query}").status, status, query)

    def test_a_person(self) -> None:
        """Rooms, days and names of a person."""
        person = self.ask(f"{OWN}/users/twitch/Alice").json
        self.assertEqual(person["who"], "twitch/alice")
        self.assertEqual([name["name"] for name in person["names"]], ["alice"])
        [room] = person["rooms"]
        self.assertEqual((room["room"], room["messages"], len(room["days"])), ("twitch/testchan", 18, 3))
        self.assertIsNone(person["partial"])
        self.assertEqual(self.ask(f"{OWN}/users/twitch/id:22222").json["rooms"], person["rooms"])


class DescriptionTests(ArchiveCase):
    def test_every_path_is_there(self) -> None:
        """What the OpenAPI document lists is served."""
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        document = self.ask(f"{OWN}/openapi.json").json
        for path in document["paths"]:
            bare = (
                path.replace("{platform}", "twitch").replace("{name}", "testchan").replace("{who}", "alice")
            )
            if "/optouts" in path:
                # For whoever has the token, of which there is none here.
                methods = [method.upper() for method in document["paths"][path]]
                self.assertEqual({self.ask(bare, method=each).status for each in methods}, {403})
                continue
            self.assertEqual(self.ask(f"{bare}?q=hi").status, 200, path)
