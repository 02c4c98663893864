"""How much was said when, with what is missing; and rooms and days at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, Row, encoded
from tests.archive.damages import damages
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, line, privmsg

OWN = "/api/v1/archive"
TIMELINE = f"{OWN}/rooms/twitch/testchan/timeline"
DAY = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"


class TimelineTests(ArchiveCase):
    def asked(self, query: str = DAY) -> Any:
        reply = self.ask(f"{TIMELINE}?{query}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def test_counts(self) -> None:
        """Records by minute, whatever file they lie in; the sum is what the messages of the time are."""
        self.world.put(MARCH, [privmsg(n * 1000, "hi") for n in range(90)], room=ROOM)
        self.world.put(MARCH + 3600.0, [privmsg(3600_000, "later")], room=ROOM)
        self.put_manifest()
        found = self.asked()
        self.assertEqual((len(found["counts"]), found["total"], found["step"]), (1440, 91, 60))
        self.assertEqual((found["counts"][:3], found["counts"][60]), ([60, 30, 0], 1))
        self.assertEqual((found["seconds"], found["state"], found["gaps"]), ({}, "complete", []))
        self.assertEqual(found["days"], {"first": "2026-03-01", "last": "2026-03-01"})

    def test_busy_minute(self) -> None:
        """A minute in which very much was said is told by second: nobody has to fetch all of it."""
        self.world.put(MARCH, [privmsg(60_000 + n * 100, "hi", id=f"i{n}") for n in range(400)], room=ROOM)
        seconds = self.asked()["seconds"]
        self.assertEqual((list(seconds), seconds["1"][:41]), (["1"], [10] * 40 + [0]))

    def test_filter_and_step(self) -> None:
        """A filter counts what it finds; steps may be longer; too many are refused."""
        self.world.put(MARCH, [privmsg(n * 1000, f"number {n % 3}") for n in range(90)], room=ROOM)
        found = self.asked(f"{DAY}&q=NUMBER+1&step=3600")
        self.assertEqual((found["total"], found["counts"][:2], len(found["counts"])), (30, [30, 0], 24))
        self.assertEqual(
            self.ask(f"{TIMELINE}?from=2020-01-01T00:00:00Z&to=2026-03-02T00:00:00Z").status, 400
        )
        for query in ("step=0", "step=x", "regex=1&q=(", "from=5&to=4"):
            self.assertEqual(self.ask(f"{TIMELINE}?{query}").status, 400, query)

    def test_states(self) -> None:
        """A day before the archive begins, one that is all gap, one of silence and one that is not over are
        told apart."""
        holes = [gap(MARCH - 86400.0, MARCH)]
        self.world.put(MARCH - 2 * 86400.0, [privmsg(-2 * 86400_000, "hi")], room=ROOM)
        self.world.put(MARCH, [*holes, privmsg(0, "back")], room=ROOM)
        self.put_manifest()
        for day, state in (
            ("02-26", "before"),
            ("02-28", "gap"),
            ("03-01", "complete"),
            ("03-02", "unfinished"),
        ):
            after = f"{day[:3]}{int(day[3:]) + 1:02}" if day != "02-28" else "03-01"
            found = self.asked(f"from=2026-{day}T00:00:00Z&to=2026-{after}T00:00:00Z")
            self.assertEqual(found["state"], state, day)
        found = self.asked("from=2026-02-28T00:00:00Z&to=2026-03-01T00:00:00Z")
        self.assertEqual([each["reason"] for each in found["gaps"]], ["connection lost"])

    def test_damaged(self) -> None:
        """A file that cannot be read is named by its key; the others are counted."""
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        path = self.world.put(MARCH + 3600.0, [privmsg(3600_000, "lost")], room=ROOM)
        Path(path).write_bytes(b"not zstd")
        found = self.asked()
        self.assertEqual((found["total"], found["state"]), (1, "partial"))
        [unread] = found["unread"]
        self.assertEqual(unread["name"], path.partition("/archive/")[2])
        rows = self.text(f"{OWN}/search?q=hi&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z")
        self.assertIn(unread["name"], rows.splitlines()[-1])

    def test_kept_and_made_again(self) -> None:
        """What was counted of a day long ago is not counted again until a file of it is damaged, replaced or
        removed: that is noticed after a minute, and a log that was answered before is not said to be
        unchanged."""
        self.world.now += 30 * 86400.0
        path = self.world.put(MARCH, [privmsg(0, "hi"), privmsg(1, "there")], room=ROOM)
        self.put_manifest()
        good = Path(path).read_bytes()
        self.assertEqual(self.asked()["total"], 2)
        log = "/channel/testchan/2026/3/1?raw"
        tag = self.ask(log).headers["etag"]
        Path(path).write_bytes(b"")
        self.assertEqual(self.asked()["total"], 2)
        for data, total, unread in ((b"", 0, 1), (good, 2, 0), (good[:-3], 2, 1)):
            Path(path).write_bytes(data)
            self.world.now += 61.0
            found = self.asked()
            self.assertEqual((found["total"], len(found["unread"])), (total, unread))
            self.assertEqual(self.ask(log, f"If-None-Match: {tag}").status, 200 if total else 404)
        Path(path).unlink()
        self.world.now += 61.0
        self.assertEqual((self.asked()["total"], self.asked()["unread"]), (0, []))
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM, n=2)
        self.world.now += 61.0
        self.assertEqual(self.asked()["total"], 1)

    def test_every_damage(self) -> None:
        """However a file is damaged, the timeline, a log, a search and an export tell the same of it, and
        give what comes before the damage."""
        lines = [privmsg(n * 1000, f"hi {n}", id=f"i{n}") for n in range(4)]
        for damage in damages(lines):
            path = Path(self.world.put(MARCH, lines, damage.suffix, room=ROOM))
            path.write_bytes(damage.data)
            self.world.now += 10.0
            text = f"{path.name} is damaged: {damage.why}"
            found = self.asked()
            self.assertIn(text, found["unread"][0]["text"], damage.name)
            self.assertEqual(found["total"], damage.given, damage.name)
            log = self.text("/channel/testchan/2026/3/1?text") if damage.given else text
            self.assertIn(text, log, damage.name)
            rows = self.text(f"{OWN}/search?user=ann&{DAY}").splitlines()
            if damage.is_found_by_search:
                self.assertIn(text, rows[-1], damage.name)
            lines_of_export = self.text(f"{OWN}/rooms/twitch/testchan/export?{DAY}").splitlines()
            self.assertIn(text, lines_of_export[-1], damage.name)
            self.assertEqual(len(lines_of_export), damage.given + 1, damage.name)
            path.unlink()


class MarkTests(ArchiveCase):
    def test_marks(self) -> None:
        """With ``marks`` each message says what moderators did to it, also where they did it after the page's
        end; without it nothing more is read."""
        gone = line(
            "@login=bob;room-id=11111;target-msg-id=id-1000;tmi-sent-ts=1772323260000 "
            ":tmi.twitch.tv CLEARMSG #testchan :one"
        )
        self.world.put(MARCH, [privmsg(0, "zero"), privmsg(1000, "one"), gone], room=ROOM)
        query = "order=oldest&from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:30Z"
        found = self.ask(f"{OWN}/rooms/twitch/testchan/messages?{query}&marks=1").json
        self.assertEqual((len(found["records"]), found["marks"]), (2, {"1": "deleted"}))
        self.assertNotIn("marks", self.ask(f"{OWN}/rooms/twitch/testchan/messages?{query}").json)

    def test_by_id(self) -> None:
        """A record is found by its id: that is where a link to it leads, and what answers it."""
        self.world.put(MARCH, [privmsg(n, f"text {n}", id=f"i{n}") for n in range(9)], room=ROOM)
        found = self.ask(f"{OWN}/rooms/twitch/testchan/messages?id=i4").json
        self.assertEqual([record["message"] for record in found["records"]], ["text 4"])
        self.assertEqual(self.ask(f"{OWN}/rooms/twitch/testchan/messages?id=i44").json["records"], [])


class OverviewTests(ArchiveCase):
    def manifest(self, day: str, *rows: Row, hour: int = 0) -> None:
        key = f"manifest/{day.replace('-', '/')}/main_{day.replace('-', '')}_{hour:02}00.jsonl"
        self.world.store.put_new(key, b"".join(encoded(row) for row in rows), {})

    def test_rooms(self) -> None:
        """Every room with its records and its coverage of the latest days; null where nothing is known. Of
        what was recorded after the last manifest nobody knows, and a day later that is too late."""
        key = self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM).partition("/archive/")[2]
        self.world.put(MARCH, [privmsg(0, "hi")], room=("twitch", "other"))
        rows = (
            HeadRow(MARCH, MARCH + 3600.0, "1", "main"),
            ObjectRow(key, 1, "0" * 64, 7, "x", "y"),
            RoomRow("twitch", "testchan", 2700.0, 900.0, "connection lost"),
        )
        self.manifest("2026-03-01", *rows)
        found = self.ask(f"{OWN}/overview?days=2").json
        self.assertEqual((found["matching"], found["days"]), (2, ["2026-03-01", "2026-03-02"]))
        days = {room["name"]: room["days"] for room in found["rooms"]}
        self.assertEqual(days, {"testchan": [[7, 0.03125], None], "other": [[1, None], None]})
        self.assertEqual(len(self.ask(f"{OWN}/overview?limit=1&offset=1").json["rooms"]), 1)
        self.assertEqual(
            [room["name"] for room in self.ask(f"{OWN}/overview?q=oth").json["rooms"]], ["other"]
        )

    def test_empty(self) -> None:
        """An archive in which nothing is yet has no rooms and no days."""
        self.assertEqual(self.ask(f"{OWN}/overview").json, {"matching": 0, "days": [], "rooms": []})

    def test_days_without_files(self) -> None:
        """A day on which nobody said anything has no file, but the manifests know whether it was recorded;
        days that follow each other are right also where one manifest tells of two."""
        first = self.world.put(MARCH - 86400.0, [privmsg(-1000, "hi")], room=ROOM).partition("/archive/")[2]
        self.world.put(MARCH, [privmsg(0, "hi")], room=("twitch", "other"))
        at = MARCH - 86400.0
        self.manifest("2026-02-28", HeadRow(at, at + 3600.0, "1", "main"), RoomRow(*ROOM, 3600.0, 0.0, ""))
        self.manifest(
            "2026-03-01",
            HeadRow(MARCH, MARCH + 3600.0, "1", "main"),
            ObjectRow(first, 1, "0" * 64, 5, "x", "y"),
            RoomRow(*ROOM, 0.0, 3600.0, "refused"),
        )
        path = f"{OWN}/rooms/twitch/testchan/days"
        [before] = self.ask(f"{path}?month=2026-02").json["days"]
        self.assertEqual(
            (before["day"], before["records"], before["coverage"]), ("2026-02-28", 5, round(1 / 24, 6))
        )
        [silent] = self.ask(f"{path}?month=2026-03").json["days"]
        self.assertEqual((silent["records"], silent["coverage"], silent["reasons"]), (0, 0.0, ["refused"]))
        for month in ("2026", "2026-13", "x", "2026-3%D9%A1"):
            self.assertEqual(self.ask(f"{path}?month={month}").status, 400, month)
