"""What was said before a room was recorded is no silence: every answer that tells of coverage says so."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from click.testing import CliRunner

from chatlog.cli import commands
from chatlog.record import rfc3339
from chatlog.uploader.manifest_rows import HeadRow, RoomRow, Row, encoded
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

OWN = "/api/v1/archive"
PATH = f"{OWN}/rooms/twitch/testchan"
HOUR = 3600.0
#: 17:10:22: in the middle of the minute for which the first file is named.
BEGUN = MARCH + 17 * HOUR + 622.0
FROM_MIDNIGHT = "from=2026-03-01T00:00:00Z&to="
WHOLE = f"{FROM_MIDNIGHT}2026-03-01T17:11:00Z"
BEFORE = f"{FROM_MIDNIGHT}2026-03-01T17:10:10Z"
NOT_YET = "2026-03-01T00:00:00.000Z/2026-03-01T17:10:22.000Z;before the first recording"


def message(ms: int) -> bytes:
    """A message that arrived when it was sent, so many milliseconds after midnight."""
    arrived = rfc3339(round(MARCH * 1000) + ms).encode()
    return privmsg(ms, f"text {ms}").replace(b"2026-03-01T12:00:00.000Z", arrived)


class BeginningCase(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.now = MARCH + 17 * HOUR + 660.0
        self.first = round((BEGUN - MARCH) * 1000)

    def record_first(self, room: tuple[str, str] = ROOM) -> None:
        said = [message(self.first + n * 1000) for n in range(30)]
        self.world.put(BEGUN, said, room=room)

    def manifest(self, since: float, until: float, *rows: Row) -> None:
        day = rfc3339(round(since * 1000))[:10]
        name = f"main_{day.replace('-', '')}_{round(since % 86400 / 3600):02}00.jsonl"
        head = HeadRow(since, until, "1", "main")
        data = b"".join(encoded(row) for row in (head, *rows))
        self.world.store.put_new(f"manifest/{day.replace('-', '/')}/{name}", data, {})

    def own(self, rest: str) -> Any:
        reply = self.ask(f"{OWN}/{rest}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def room(self, rest: str) -> Any:
        return self.own(f"rooms/twitch/testchan/{rest}")


class FirstHourTests(BeginningCase):
    """No manifest is there yet: the first record says when it began, to the second."""

    def test_headers(self) -> None:
        """What was not recorded yet is named, and counts as missing, with ?gaps and without, in a named time
        and in a day; with ?gaps a line says so."""
        self.record_first()
        for path in (
            f"/channel/testchan?{WHOLE}&gaps",
            f"/channel/testchan?{WHOLE}",
            "/channel/testchan/2026/3/1",
        ):
            headers = self.ask(path).headers
            self.assertEqual(unquote(headers["x-chatlog-gaps"]), NOT_YET, path)
            self.assertEqual(headers["x-chatlog-coverage"], "0.0006", path)
        [first, *rest] = self.text(f"/channel/testchan?{WHOLE}&gaps").splitlines()
        self.assertIn("Not recorded from 2026-03-01T00:00:00.000Z to 2026-03-01T17:10:22.000Z", first)
        self.assertEqual(len(rest), 30)

    def test_recorded(self) -> None:
        """From the first record on, everything was recorded."""
        self.record_first()
        headers = self.ask("/channel/testchan?from=2026-03-01T17:10:22Z&to=2026-03-01T17:11:00Z").headers
        self.assertEqual((headers["x-chatlog-gaps"], headers["x-chatlog-coverage"]), ("none", "1.0000"))

    def test_states(self) -> None:
        """A time before the recording is told from silence, also some seconds before; what of a time was
        before is among its gaps."""
        self.record_first()
        for rest, state in (
            (f"messages?{BEFORE}", "before"),
            (f"timeline?{BEFORE}", "before"),
            ("messages?from=2026-03-01T17:10:45Z&to=2026-03-01T17:10:50Z", "complete"),
            ("messages?from=2026-03-01T17:10:55Z&to=2026-03-01T17:10:59Z", "unfinished"),
        ):
            self.assertEqual(self.room(rest)["state"], state, rest)
        for rest in (f"messages?{WHOLE}&order=oldest", f"messages?{WHOLE}", f"timeline?{WHOLE}"):
            [hole] = self.room(rest)["gaps"]
            self.assertEqual((hole["seconds"], hole["reason"]), (61822.0, "before the first recording"), rest)
        self.assertEqual(self.room("messages")["gaps"], [])

    def test_search(self) -> None:
        """A search says of each room since when it is recorded, where a beginning is named."""
        self.record_first()
        for query, count in ((f"{WHOLE}&q=text", 1), ("q=text", 0)):
            *_, last = self.text(f"{OWN}/search?{query}").splitlines()
            self.assertEqual(last.count("before the first recording"), count, last)

    def test_export(self) -> None:
        """An export says since when there is something, if its time begins earlier."""
        self.record_first()
        since = "x-chatlog-recorded-since"
        for time in (WHOLE, BEFORE):
            self.assertEqual(self.ask(f"{PATH}/export?{time}").headers[since], "2026-03-01T17:10:22.000Z")
        self.assertNotIn(since, self.ask(f"{PATH}/export?from=2026-03-01T17:10:30Z").headers)

    def test_two_recorders(self) -> None:
        """What two recorders have is counted once, and what one alone has as well."""
        self.record_first()
        said = [message(self.first + n * 1000) for n in (28, 29, 90)]
        self.world.put(BEGUN, said, room=ROOM, instance="b")
        self.world.now += 120.0
        [day] = self.room("days")["days"]
        self.assertEqual(day["records"], 31)

    def test_days(self) -> None:
        """The calendar and the overview count what is there: a day that is recorded is not empty."""
        self.record_first()
        [day] = self.room("days")["days"]
        self.assertEqual((day["records"], day["recorded"], day["missing"]), (30, 29.0, 0.0))
        self.assertEqual((day["coverage"], day["finished"]), (round(29 / 61851, 6), False))
        [room] = self.own("overview?days=1")["rooms"]
        self.assertEqual(room["days"], [[30, day["coverage"]]])

    def test_open_file(self) -> None:
        """A file that is still written counts as well."""
        data = [privmsg(self.first, "hi").replace(b"testchan", b"a")]
        self.world.spooled("open", BEGUN, data)
        [day] = self.own("rooms/twitch/a/days")["days"]
        self.assertEqual(day["records"], 1)
        answer = self.own(f"rooms/twitch/a/messages?{BEFORE}")
        self.assertEqual(answer["state"], "before")

    def test_unreadable(self) -> None:
        """Of a file that cannot be read the name says in which minute it was begun."""
        path = self.world.put(BEGUN, [privmsg(self.first, "hi")], room=ROOM)
        with open(path, "wb") as file:
            file.write(b"this is no zstd")
        [hole] = self.room(f"timeline?{WHOLE}")["gaps"]
        self.assertEqual((hole["seconds"], hole["reason"]), (61800.0, "before the first recording"))

    def test_gap_first(self) -> None:
        """A room that was refused at first was wanted since then: that is a gap, and not before."""
        hole = gap(MARCH + 17 * HOUR, BEGUN, "refused")
        self.world.put(BEGUN, [hole, privmsg(self.first, "hi")], room=ROOM)
        found = self.room(f"timeline?{WHOLE}")["gaps"]
        reasons = [(each["reason"], each["seconds"]) for each in found]
        self.assertEqual(reasons, [("before the first recording", 61200.0), ("refused", 622.0)])

    def test_imported(self) -> None:
        """What was imported says nothing of what it lacks: a time with it is not called missing."""
        self.record_first()
        self.world.put(MARCH, [privmsg(1000, "old")], room=ROOM, instance="import20260301000000")
        headers = self.ask(f"/channel/testchan?{WHOLE}&gaps").headers
        self.assertNotIn("before", headers["x-chatlog-gaps"])


class ManifestTests(BeginningCase):
    """Manifests know more than files: a room may be quiet for long."""

    def test_quiet(self) -> None:
        """What they say was recorded before the first record was silence, over midnight too."""
        self.manifest(MARCH - HOUR, MARCH, RoomRow(*ROOM, 1800.0, 0.0, ""))
        self.manifest(MARCH, MARCH + 17 * HOUR, RoomRow(*ROOM, 17 * HOUR, 0.0, ""))
        self.record_first()
        self.assertEqual(self.room(f"messages?{BEFORE}")["state"], "complete")
        early = "messages?from=2026-02-28T00:00:00Z&to=2026-02-28T23:29:00Z"
        self.assertEqual(self.room(early)["state"], "before")
        self.assertEqual(self.room(early.replace("23:29", "23:35"))["state"], "complete")

    def test_first_day(self) -> None:
        """Of its first day a room was recorded only from when it came; of the next one, all of it."""
        day = MARCH - 86400.0
        self.manifest(day + 23 * HOUR, MARCH, RoomRow(*ROOM, 1800.0, 0.0, "", spans=((1800.0, HOUR),)))
        self.manifest(MARCH, MARCH + HOUR, RoomRow(*ROOM, HOUR, 0.0, ""))
        self.world.put(day + 23.5 * HOUR, [privmsg(-1800_000, "hi")], room=ROOM)
        self.world.put(MARCH, [privmsg(0, "hi")], room=ROOM)
        self.world.now = MARCH + 2 * HOUR
        [first] = self.room("days?month=2026-02")["days"]
        self.assertEqual((first["recorded"], first["coverage"]), (1800.0, round(1800 / 86400, 6)))
        [second] = self.room("days?month=2026-03")["days"]
        self.assertEqual((second["recorded"], second["coverage"]), (HOUR, 1.0))


class CommandTests(BeginningCase):
    def test_since(self) -> None:
        """The commands say to the second since when a room is recorded."""
        self.record_first()
        arguments = ["log", "testchan", "2026-03-01", "--utc", "--archive", self.world.archive]
        result = CliRunner().invoke(commands, arguments)
        self.assertIn("17:10:22", result.stderr, result.output)
