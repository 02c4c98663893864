"""A request that would read more than its limit is answered in part, and says where to go on."""

from __future__ import annotations

import re

import orjson

from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

DAY = "/channel/testchan/2026/3/1"
FILES, EACH = 6, 50


class LimitTests(ArchiveCase):
    most_bytes = 40_000

    def setUp(self) -> None:
        super().setUp()
        for hour in range(FILES):
            start = hour * 3600_000
            said = [privmsg(start + n * 60_000, f"m{hour * EACH + n}:") for n in range(EACH)]
            self.world.put(MARCH + hour * 3600.0, said, room=ROOM)

    def numbers(self, body: bytes) -> list[int]:
        return [int(n) for n in re.findall(rb":m(\d+):", body)]

    def test_log(self) -> None:
        """Whoever goes on where each part ends has every message once, in either direction."""
        for reverse in ("", "&reverse"):
            since, until = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"
            found: list[int] = []
            parts = 0
            while True:
                reply = self.ask(f"/channel/testchan?raw&from={since}&to={until}{reverse}")
                self.assertEqual(reply.status, 200)
                found += self.numbers(reply.body)
                parts += 1
                rest = reply.headers.get("x-chatlog-partial")
                if rest is None:
                    break
                last = reply.body.decode().splitlines()[-1]
                self.assertIn("msg-id=chatlog-partial", last)
                self.assertIn(rest, last)
                self.assertEqual(reply.headers["x-chatlog-gaps"], "unknown")
                since, until = (since, rest) if reverse else (rest, until)
            wanted = list(range(FILES * EACH))
            self.assertEqual(found, wanted[::-1] if reverse else wanted)
            self.assertGreater(parts, 1)

    def test_nothing_in_the_part(self) -> None:
        """That nothing was found in a part is not said of the whole."""
        reply = self.ask("/channel/testchan/user/nobody/2026/3")
        self.assertEqual(reply.status, 404)
        self.assertIn(b"go on with 2026-03-01T", reply.body)

    def test_facts(self) -> None:
        """Counts and lists say that they are not of everything."""
        for path in ("/channel/testchan/stats", "/namehistory/22222"):
            self.assertRegex(self.ask(path).headers["x-chatlog-partial"], r"^2026-03-01T0[0-9]:")

    def test_search(self) -> None:
        """A search that reads too much says with which range to go on."""
        rows = self.ask("/api/v1/archive/search?q=m299:&order=oldest&from=2026-02-01T00:00:00Z").body
        ends = [orjson.loads(row)["end"] for row in rows.splitlines() if b'"end"' in row]
        found = ends[0]["found"]
        while (following := ends[-1]["next"]) is not None:
            self.assertEqual(list(following), ["from"])
            path = f"/api/v1/archive/search?q=m299:&order=oldest&from={following['from']}"
            ends.append(orjson.loads(self.ask(path).body.splitlines()[-1])["end"])
            found += ends[-1]["found"]
        self.assertEqual(found, 1)
        self.assertGreater(len(ends), 1)
