"""What was said after a room was recorded is no silence, nor what was said between two recordings: every
answer that tells of coverage says so."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote

from click.testing import CliRunner

from chatlog.archive import lines
from chatlog.cli import commands
from chatlog.record import rfc3339
from chatlog.uploader.manifest_rows import HeadRow, RoomRow, encoded
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

OWN = "/api/v1/archive"
PATH = f"{OWN}/rooms/twitch/testchan"
HOUR, DAY = 3600.0, 86400.0
QUIET = ("twitch", "quiet")
#: The last record is of 10:00:05, and the last manifest tells until 10:00:00.
LAST = MARCH + 10 * HOUR
NO_LONGER = "after the last recording"
BETWEEN = "between two recordings"


def at(hour: float) -> str:
    """A time so many hours after MARCH, as it is asked for."""
    return f"{MARCH + hour * HOUR:.0f}"


def time(hour: float) -> str:
    """The same, to be asked for by the log."""
    return rfc3339(round((MARCH + hour * HOUR) * 1000))


class EndingCase(ArchiveCase):
    """A recorder whose machine died on the first of March at 10:00. Two days later it is still away."""

    def setUp(self) -> None:
        super().setUp()
        self.world.now = MARCH + 60 * HOUR
        self.record(range(11))
        self.world.put(MARCH, [privmsg(0, "hello")], room=QUIET)
        for hour in range(10):
            self.put_manifests(hour)

    def put_manifests(self, hour: int) -> None:
        rows = [ROOM, QUIET]
        begin = MARCH + hour * HOUR
        for n, room in enumerate(rows):
            # Two recorders that have one room each, so that each is in a manifest of its own.
            self.put_manifest(begin, begin + HOUR, room, instance=f"r{n}")

    def record(self, hours: range, instance: str = "") -> None:
        for hour in hours:
            said = [privmsg(round(hour * HOUR * 1000) + ms, f"said at {hour}") for ms in (0, 5000)]
            self.world.put(MARCH + hour * HOUR, self.arrived(said), room=ROOM, instance=instance)

    def arrived(self, said: list[bytes]) -> list[bytes]:
        """The messages arrive when they are sent."""
        return [each.replace(b"2026-03-01T12:00:00.000Z", each[14:38]) for each in said]

    def room(self, rest: str, name: str = "testchan") -> Any:
        reply = self.ask(f"{OWN}/rooms/twitch/{name}/{rest}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def holes(self, since: float, until: float, name: str = "testchan") -> list[tuple[float, float, str]]:
        """The gaps of a time, in hours and with their reasons, and as the timeline and a page have them."""
        query = f"from={time(since)}&to={time(until)}"
        by_timeline = self.room(f"timeline?{query}&step=86400", name)["gaps"]
        by_page = self.room(f"messages?{query}&order=oldest&limit=1000", name)["gaps"]
        self.assertEqual(by_timeline, by_page)
        found = []
        for each in by_timeline:
            hour = (lines.seconds(each["from"]) - MARCH) / HOUR
            found.append((round(hour, 2), round(each["seconds"] / HOUR, 2), each["reason"]))
        return found


class StoppedTests(EndingCase):
    def test_gaps(self) -> None:
        """From the last record, or the last manifest that tells of the room, until now nobody recorded it: in
        the day of the end, in a time after it, in a whole day later, and over all of it."""
        for since, until, found in (
            (0, 24, [(10.0, 14.0, NO_LONGER)]),
            (12, 14, [(12.0, 2.0, NO_LONGER)]),
            (24, 48, [(24.0, 24.0, NO_LONGER)]),
            (0, 48, [(10.0, 38.0, NO_LONGER)]),
            (8, 9, []),
        ):
            for name in ("testchan", "quiet"):
                self.assertEqual(self.holes(since, until, name), found, (since, until, name))

    def test_states(self) -> None:
        """A time after the end is a gap; a time before it that was quiet is silence; and of the last hours
        nobody knows it yet."""
        for since, until, state in (
            (12, 14, "gap"),
            (24, 48, "gap"),
            (9, 9.5, "complete"),
            (58, 59, "unfinished"),
            (0, 24, "complete"),
        ):
            for path in ("messages", "timeline"):
                answer = self.room(f"{path}?from={time(since)}&to={time(until)}", "quiet")
                self.assertEqual(answer["state"], state, (path, since))
        found = self.room(f"timeline?from={time(24)}&to={time(48)}")
        self.assertEqual(found["ended"], "2026-03-01T10:00:05.000Z")
        self.assertEqual(found["days"]["last"], "2026-03-01")

    def test_headers(self) -> None:
        """What was not recorded is named, and counts as missing; where there is nothing, too. Such an answer
        has no tag: a recorder that comes back tells more."""
        ended = f"2026-03-01T10:00:05.000Z/2026-03-02T00:00:00.000Z;{NO_LONGER}"
        for path in ("/channel/testchan/2026/3/1", "/channel/testchan/2026/3/1?gaps&raw"):
            reply = self.ask(path)
            self.assertEqual(unquote(reply.headers["x-chatlog-gaps"]), ended)
            self.assertEqual(reply.headers["x-chatlog-coverage"], f"{10 / 24 + 5 / DAY:.4f}")
            self.assertNotIn("etag", reply.headers)
        self.assertIn("Not recorded from 2026-03-01T10:00:05", self.text("/channel/testchan/2026/3/1?gaps"))
        reply = self.ask("/channel/testchan/2026/3/2")
        self.assertEqual(reply.status, 404)
        self.assertIn(NO_LONGER, unquote(reply.headers["x-chatlog-gaps"]))
        self.assertEqual(reply.headers["x-chatlog-coverage"], "0.0000")
        before = self.ask(f"/channel/testchan?from={at(0)}&to={at(8)}").headers
        self.assertEqual((before["x-chatlog-gaps"], before["x-chatlog-coverage"]), ("none", "1.0000"))
        self.assertIn("etag", before)
        until_now = self.ask(f"/channel/testchan?from={at(36)}&to={at(60)}").headers
        self.assertEqual(until_now["x-chatlog-coverage"], "0.0000")

    def test_search_and_export(self) -> None:
        """A search says of a room that is named until when it was recorded, and so does an export."""
        *_, last = self.text(f"{OWN}/search?q=hello&room=twitch/testchan").splitlines()
        self.assertIn(NO_LONGER, last)
        until = "x-chatlog-recorded-until"
        reply = self.ask(f"{PATH}/export?from={time(0)}&to={time(48)}")
        self.assertEqual(reply.headers[until], "2026-03-01T10:00:05.000Z")
        later = self.ask(f"{PATH}/export?from={time(24)}&to={time(48)}")
        self.assertEqual(later.headers[until], "2026-03-01T10:00:05.000Z")
        self.assertNotIn(until, self.ask(f"{PATH}/export?from={time(0)}&to={time(9)}").headers)

    def test_days(self) -> None:
        """The calendar has the share of the last day, and the days after it, with the reason."""
        days = {row["day"][8:]: row for row in self.room("days?month=2026-03")["days"]}
        self.assertEqual(list(days), ["01", "02"])
        self.assertEqual(days["01"]["coverage"], round(10 / 24, 6))
        self.assertEqual(
            (days["02"]["records"], days["02"]["coverage"], days["02"]["reasons"]), (0, 0.0, [NO_LONGER])
        )
        self.assertEqual(self.room("days")["ended"], "2026-03-01T10:00:05.000Z")

    def test_overview(self) -> None:
        """A day of which others tell and nobody of this room was not recorded."""
        for hour in range(10, 48):
            begin = MARCH + hour * HOUR
            self.put_manifest(begin, begin + HOUR, ("twitch", "other"), instance="r3")
        self.world.put(MARCH + 47 * HOUR, [privmsg(round(47 * HOUR * 1000), "x")], room=("twitch", "other"))
        found = self.ask(f"{OWN}/overview?days=3").json
        self.assertEqual(found["days"][-1], "2026-03-03")
        rooms = {room["name"]: room["days"] for room in found["rooms"]}
        self.assertEqual(rooms["quiet"], [[0, round(10 / 24, 6)], [0, 0.0], None])
        self.assertEqual(rooms["other"][1], [0, 1.0])

    def test_overview_of_an_import(self) -> None:
        """Of a day of which something was imported, the overview says no more than the calendar: its figures
        are not known. It does not say that nothing is there."""
        for hour in range(10, 48):
            begin = MARCH + hour * HOUR
            self.put_manifest(begin, begin + HOUR, ("twitch", "other"), instance="r3")
        said = [privmsg(round(30 * HOUR * 1000), "hello")]
        self.world.put(MARCH + 30 * HOUR, said, room=QUIET, instance="import20260401000000")
        rooms = {room["name"]: room["days"] for room in self.ask(f"{OWN}/overview?days=3").json["rooms"]}
        self.assertEqual(rooms["quiet"], [[0, round(10 / 24, 6)], None, None])
        self.assertEqual(rooms["testchan"], [[0, round(10 / 24, 6)], [0, 0.0], None])
        [day] = [row for row in self.room("days?month=2026-03", "quiet")["days"] if row["day"][8:] == "02"]
        self.assertEqual((day["records"], day["coverage"]), (None, None))

    def test_recent_messages(self) -> None:
        """A client is told that the room is not recorded any more."""
        self.assertEqual(
            self.ask("/api/v2/recent-messages/testchan").json["error_code"], "channel_not_joined"
        )

    def test_commands(self) -> None:
        """The commands say until when the room was recorded."""
        for command in (
            ["log", "quiet", "2026-03-02"],
            ["export", "quiet", "--since", "2026-03-01", "--until", "2026-03-03"],
            ["search", "hello", "--room", "quiet", "--since", "2026-03-01", "--until", "2026-03-03"],
            ["user", "twitch/alice", "--room", "quiet", "--since", "2026-03-01", "--until", "2026-03-03"],
        ):
            result = CliRunner().invoke(commands, [*command, "--utc", "--archive", self.world.archive])
            said = "twitch/quiet was recorded until 2026-03-01 10:00:00: since then"
            self.assertIn(said, result.stderr, command)


class BackTests(EndingCase):
    """The recorder is there again after two days."""

    def setUp(self) -> None:
        super().setUp()
        self.tag = self.ask("/channel/testchan/2026/3/1").headers.get("etag")

    def come_back(self, *first: bytes) -> None:
        said = self.arrived([privmsg(round(48.5 * HOUR * 1000), "back")])
        self.world.put(MARCH + 48.5 * HOUR, [*first, *said], room=ROOM)
        for hour in range(49, 60):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, instance="r0")
        self.put_manifest(MARCH + 48.5 * HOUR, MARCH + 49 * HOUR, instance="r0")
        self.world.now += 3700.0

    def test_with_a_gap_record(self) -> None:
        """Its gap record tells the whole hole, with its reason, and nothing is told twice."""
        self.come_back(gap(LAST + 30.0, MARCH + 48.5 * HOUR, "machine died"))
        self.put_manifest(LAST, LAST + HOUR, ROOM, HOUR - 30.0, "machine died", "r0")
        self.assertEqual(self.holes(0, 24), [(10.01, 13.99, "machine died")])
        self.assertEqual(self.holes(24, 48), [(24.0, 24.0, "machine died")])
        self.assertEqual(self.holes(24, 72)[0], (24.0, 24.5, "machine died"))
        reply = self.ask("/channel/testchan/2026/3/1")
        self.assertIn("machine died", unquote(reply.headers["x-chatlog-gaps"]))
        self.assertIn("etag", reply.headers)

    def test_on_a_new_disk(self) -> None:
        """A recorder that began anew knows nothing of the time before: the hole is still told."""
        self.come_back()
        self.assertEqual(self.holes(0, 24), [(10.0, 14.0, BETWEEN)])
        self.assertEqual(self.holes(24, 48), [(24.0, 24.0, BETWEEN)])
        self.assertEqual(self.holes(36, 49), [(36.0, 12.5, BETWEEN)])
        self.assertEqual(self.holes(49, 50), [])
        self.assertIsNone(self.room(f"timeline?from={time(24)}&to={time(48)}")["ended"])
        days = {row["day"][8:]: row for row in self.room("days?month=2026-03")["days"]}
        self.assertEqual((days["02"]["coverage"], days["02"]["reasons"]), (0.0, [BETWEEN]))

    def test_tags(self) -> None:
        """An answer from before it came back is not said to be unchanged."""
        self.assertIsNone(self.tag)
        self.come_back()
        first = self.ask("/channel/testchan/2026/3/1").headers["etag"]
        self.world.put(MARCH + 20 * HOUR, [privmsg(round(20 * HOUR * 1000), "late")], room=ROOM, instance="b")
        self.world.now += 3700.0
        reply = self.ask("/channel/testchan/2026/3/1", f"If-None-Match: {first}")
        self.assertEqual(reply.status, 200)


class OtherCases(EndingCase):
    def test_another_recorder(self) -> None:
        """Where several recorders have a room, it was recorded as long as one of them did."""
        self.record(range(11, 14), instance="b")
        for hour in range(10, 14):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, instance="b")
        self.assertEqual(self.holes(0, 24), [(14.0, 10.0, NO_LONGER)])

    def test_quiet(self) -> None:
        """Nobody said anything, and a recorder was there: that is silence, and it has a tag."""
        for hour in range(10, 58):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, QUIET, instance="r1")
        self.assertEqual(self.holes(0, 48, "quiet"), [])
        state = self.room(f"messages?from={time(24)}&to={time(48)}", "quiet")["state"]
        self.assertEqual(state, "complete")
        self.assertIn("etag", self.ask("/channel/quiet/2026/3/1").headers)

    def test_taken_off_and_added_again(self) -> None:
        """A room that was taken off the list for a while was not recorded then, though its recorder was."""
        for hour in (*range(10, 14), *range(20, 58)):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, QUIET, instance="r1")
        self.assertEqual(self.holes(0, 48, "quiet"), [(14.0, 6.0, BETWEEN)])
        [day] = [row for row in self.room("days", "quiet")["days"] if row["day"] == "2026-03-01"]
        self.assertEqual(day["coverage"], round(18 / 24, 6))

    def test_taken_off_within_an_hour(self) -> None:
        """The manifest of the hour tells for how long it still was on the list."""
        since = MARCH + 10 * HOUR
        self.put_removed(since)
        self.assertEqual(self.holes(0, 24, "quiet"), [(10.25, 13.75, NO_LONGER)])

    def put_removed(self, since: float) -> None:
        rows = HeadRow(since, since + HOUR, "1", "r1"), RoomRow(*QUIET, 900.0, 0.0, "removed")
        data = b"".join(encoded(row) for row in rows)
        self.world.store.put_new("manifest/2026/03/01/r1_20260301_1000.jsonl", data, {})

    def test_refused(self) -> None:
        """A room that the platform refuses since then is missing with that reason, though its gap record is
        written only when it is back."""
        for hour in range(10, 58):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, ROOM, HOUR, "banned", "r0")
        self.assertEqual(self.holes(0, 24), [(10.0, 14.0, "banned")])
        self.assertNotIn("etag", self.ask("/channel/testchan/2026/3/1").headers)

    def test_no_manifests(self) -> None:
        """Without manifests the last record tells when it ended; between two records nobody knows."""
        room = ("twitch", "bare")
        for hour in (0, 20):
            self.world.put(MARCH + hour * HOUR, [privmsg(round(hour * HOUR * 1000), "hi")], room=room)
        found = self.holes(0, 48, "bare")
        self.assertEqual([reason for _, _, reason in found], [NO_LONGER])

    def test_in_the_spool(self) -> None:
        """What a recorder here has not stored yet counts."""
        said = [privmsg(round(30 * HOUR * 1000), "hi")]
        self.world.put(MARCH, said, room=("twitch", "a"))
        self.world.spooled("open", MARCH + 30 * HOUR, self.arrived(said))
        self.assertEqual(self.holes(31, 48, "a"), [(31.0, 17.0, NO_LONGER)])
        self.world.now = MARCH + 31 * HOUR
        self.assertEqual(self.room("messages", "a")["gaps"], [])
        [young] = [self.room(f"messages?from={time(30.5)}&to={time(30.75)}", "a")]
        self.assertEqual((young["state"], young["gaps"]), ("unfinished", []))

    def test_manifests_that_wait(self) -> None:
        """While the store takes nothing, what the recorder here has told so far is in its spool."""
        os.mkdir(os.path.join(self.world.spool, "manifest"))
        for hour in range(10, 50):
            begin = MARCH + hour * HOUR
            rows = HeadRow(begin, begin + HOUR, "1", "r1"), RoomRow(*QUIET, HOUR, 0.0, "")
            name = f"r1_202603{1 + hour // 24:02}_{hour % 24:02}00.jsonl"
            with open(os.path.join(self.world.spool, "manifest", name), "wb") as file:
                file.write(b"".join(encoded(row) for row in rows))
        # One of them has been stored by now.
        self.put_manifest(LAST, LAST + HOUR, QUIET, instance="r1")
        self.assertEqual(self.holes(0, 60, "quiet"), [(50.0, 7.5, NO_LONGER)])
        [day] = [row for row in self.room("days", "quiet")["days"] if row["day"] == "2026-03-01"]
        self.assertEqual((day["recorded"], day["coverage"]), (DAY, 1.0))

    def test_imported(self) -> None:
        """What was imported says nothing of what it lacks: a day with it is not called missing."""
        said = [privmsg(round(30 * HOUR * 1000), "old")]
        self.world.put(MARCH + 30 * HOUR, said, room=ROOM, instance="import20260301000000")
        self.assertEqual(self.holes(0, 48), [(10.0, 14.0, NO_LONGER)])

    def test_long_silence(self) -> None:
        """Of a room in which nobody wrote for months, it is still found out on which day its recorder
        ended."""
        for day in range(1, 50):
            self.put_manifest(MARCH + day * DAY, MARCH + (day + 1) * DAY, QUIET, instance="r1")
        self.put_manifest(MARCH + 10 * HOUR, MARCH + DAY, QUIET, instance="r1")
        self.world.now = MARCH + 90 * DAY
        self.assertEqual(self.holes(0, 80 * 24, "quiet"), [(50 * 24.0, 30 * 24.0, NO_LONGER)])

    def test_long_absence(self) -> None:
        """The same of the days on which it was not recorded for weeks, and then again."""
        for day in (*range(1, 20), *range(45, 60)):
            self.put_manifest(MARCH + day * DAY, MARCH + (day + 1) * DAY, QUIET, instance="r1")
        self.put_manifest(MARCH + 10 * HOUR, MARCH + DAY, QUIET, instance="r1")
        self.world.now = MARCH + 60 * DAY
        self.assertEqual(self.holes(0, 59 * 24, "quiet"), [(20 * 24.0, 25 * 24.0, BETWEEN)])


class OpenGapTests(EndingCase):
    """A room that the recorder has lost, and does not get back: the gap record is yet to come."""

    def lose(self, room: tuple[str, str] = QUIET) -> None:
        # Ten minutes of the hour were missing and came back; the last fifteen did not.
        self.world.put(MARCH + 10 * HOUR, [gap(LAST, LAST + 600.0)], room=room)
        self.put_manifest(LAST, LAST + HOUR, room, 1500.0, "banned", "r1")
        for hour in range(11, 58):
            self.put_manifest(MARCH + hour * HOUR, MARCH + (hour + 1) * HOUR, room, HOUR, "banned", "r1")

    def test_from_the_minute_on(self) -> None:
        """It is missing since then, and not for longer: what came back is told by its own record."""
        self.lose()
        found = [(10.0, round(1 / 6, 2), "connection lost"), (10.75, 13.25, "banned")]
        self.assertEqual(self.holes(0, 24, "quiet"), found)
        self.assertEqual(self.holes(24, 48, "quiet"), [(24.0, 24.0, "banned")])

    def test_back(self) -> None:
        """With the gap record nothing else is told."""
        self.lose()
        hole = gap(LAST + 2750.0, MARCH + 58 * HOUR, "banned")
        said = self.arrived([privmsg(round(58 * HOUR * 1000), "back")])
        self.world.put(MARCH + 58 * HOUR, [hole, *said], room=QUIET)
        found = [(10.0, round(1 / 6, 2), "connection lost"), (10.76, 13.24, "banned")]
        self.assertEqual(self.holes(0, 24, "quiet"), found)
