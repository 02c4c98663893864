"""Exports over HTTP."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import orjson

from tests.archive_http.served import MARCH, ROOM, ArchiveCase, line, privmsg

EXPORT = "/api/v1/archive/rooms/twitch/testchan/export"
DAY = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"


class DownloadTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        gone = line(
            "@login=alice;room-id=11111;target-msg-id=id-1000;tmi-sent-ts=1772323260000 "
            ":tmi.twitch.tv CLEARMSG #testchan :=1+1"
        )
        self.said = [privmsg(0, "zero"), privmsg(1000, "=1+1"), privmsg(2000, "two", user="bob"), gone]
        self.world.put(MARCH, self.said, room=ROOM)

    def export(self, query: str) -> str:
        return self.text(f"{EXPORT}?{DAY}&{query}")

    def test_formats(self) -> None:
        """Each form is what ``chatlog export`` writes, as a file with a name that says what it is."""
        self.assertEqual(self.export("format=jsonl").encode(), b"".join(self.said))
        self.assertIn("[2026-03-01 00:00:02] Bob: two\n", self.export("format=text"))
        self.assertIn(" PRIVMSG #testchan :zero\r\n", self.export("format=irc"))
        rows = list(csv.reader(io.StringIO(self.export("format=csv"))))
        self.assertEqual((rows[0][0], rows[2][8]), ("timestamp", "'=1+1"))
        root = orjson.loads(self.export("format=chatjson&start=2026-03-01T00:00:00Z&offset=3"))
        offsets = [each["content_offset_seconds"] for each in root["comments"]]
        self.assertEqual(offsets, [3.0, 4.0, 5.0])
        reply = self.ask(f"{EXPORT}?{DAY}&format=csv")
        name = 'attachment; filename="twitch_testchan_20260301_0000.csv"'
        self.assertEqual(reply.headers["content-disposition"], name)

    def test_deleted_and_filter(self) -> None:
        """What moderators removed is kept, marked or left out; a filter holds for exports as well."""
        self.assertIn("=1+1", self.export("format=text&type=message"))
        self.assertNotIn("=1+1", self.export("format=text&type=message&deleted=drop"))
        self.assertIn("=1+1 [deleted]", self.export("format=text&deleted=mark"))
        self.assertEqual(self.export("format=text&user=bob").count("\n"), 1)

    def test_mistakes(self) -> None:
        """Each is one sentence, before anything is sent."""
        for query in (
            "format=xml",
            "deleted=yes",
            "format=chatjson&offset=x",
            "offset=1e400",
            "start=x",
            "from=x",
        ):
            self.assertEqual(self.ask(f"{EXPORT}?{query}").status, 400, query)
        self.assertEqual(self.ask("/api/v1/archive/rooms/twitch/nobody/export").status, 404)

    def test_damaged(self) -> None:
        """A file that cannot be read is named at the end, so that nobody takes the rest for the whole."""
        path = self.world.put(MARCH + 3600.0, [privmsg(3600_000, "lost")], room=ROOM)
        Path(path).write_bytes(b"not zstd")
        for form in ("jsonl", "text", "csv", "irc"):
            last = self.export(f"format={form}").splitlines()[-1]
            self.assertIn(f"{Path(path).name} is damaged: it cannot be unpacked", last, form)
