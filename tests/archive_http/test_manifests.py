"""Where the manifests say that nothing is missing of a day, it is not read twice."""

from __future__ import annotations

from base64 import b64encode
from random import Random

from chatlog.archive_http.logs import FEW_BYTES
from chatlog.uploader.manifest_rows import HeadRow, RoomRow, Row, encoded
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

DAY = "/channel/testchan/2026/3/1?raw&limit=1"


class ManifestTests(ArchiveCase):
    def gaps_header(self, recorded: float, missing: float, size: int = 0) -> str:
        rows: list[Row] = [
            HeadRow(MARCH, MARCH + 86400.0, "1", "main"),
            RoomRow("twitch", "testchan", recorded, missing, ""),
        ]
        self.world.store.put_new(
            "manifest/2026/03/01/main_20260301_0000.jsonl", b"".join(encoded(row) for row in rows), {}
        )
        hole = gap(MARCH + 3600.0, MARCH + 7200.0)
        noise = b64encode(Random(1).randbytes(size)).decode()
        said = [privmsg(n, noise[n * 60_000 :][:60_000]) for n in range(1 + len(noise) // 60_000)]
        self.world.put(MARCH, [*said, hole, privmsg(7300_000, "two")], room=ROOM)
        return self.ask(DAY).headers["x-chatlog-gaps"]

    def test_all_recorded(self) -> None:
        """What the manifests say of a whole day that is over is believed, if the day is large."""
        self.assertEqual(self.gaps_header(86400.0, 0.0, FEW_BYTES), "none")

    def test_a_small_day(self) -> None:
        """A day that is read in no time is read."""
        self.assertIn("connection lost", self.gaps_header(86400.0, 0.0))

    def test_something_missing(self) -> None:
        """Where they say that something is missing, it is looked for."""
        self.assertIn("connection lost", self.gaps_header(82800.0, 3600.0))

    def test_part_of_a_day(self) -> None:
        """Where they do not tell of all of it, so it is."""
        self.assertIn("connection lost", self.gaps_header(43200.0, 0.0))
