"""docs/records.md says what the code does."""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from chatlog.kick import facts
from chatlog.naming import parse_name
from chatlog.parquet.columns import COLUMNS
from chatlog.record import KEYS, TYPES, encode_full
from chatlog.rooms.gap import gap_line
from chatlog.timeline.timeline import Gap
from chatlog.twitch import events as twitch
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, SignatureRow, encoded, parsed
from chatlog.verify.record_check import check
from tests.test_packaging import read


class RecordsPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = read("docs/records.md")
        self.examples = re.findall(r"(?m)^\{.*\}$", self.page)

    def rows(self, heading: str) -> list[str]:
        """The first column of the first table behind a heading."""
        text = self.page.partition(f"\n{heading}\n")[2]
        table = re.search(r"(?ms)^\|.*?(?=\n\n)", text)
        assert table is not None
        return [line.split("|")[1].strip() for line in table[0].splitlines()[2:]]

    def test_keys(self) -> None:
        """The table of keys has all of them, in their order."""
        self.assertEqual([row.strip("`") for row in self.rows("## A record")], list(KEYS))

    def test_kinds(self) -> None:
        """The table of kinds has each kind, and those of the platforms' rules in their rows."""
        # "`gift` (`username` gives)" is about one kind.
        rows = [row.partition(" (")[0] for row in self.rows("### Kinds")]
        kinds = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
        self.assertEqual(kinds, TYPES)
        table = self.page.partition("### Kinds")[2].partition("\n## ")[0]
        named = {name: line for line in table.splitlines() for name in re.findall(r"^\| `(\w+)`", line)}
        for kind, of_kind in twitch.USERNOTICE_TYPES.items():
            if of_kind != "event":
                self.assertRegex(named[of_kind], rf"\b{kind}\b")
        for event, (kind_of_event, _) in facts.RULES.items():
            if kind_of_event not in ("event", "unban"):
                self.assertIn(event, named[kind_of_event])

    def test_records(self) -> None:
        """The examples of records are records, byte for byte as they would be written."""
        records = [example for example in self.examples if example.startswith('{"timestamp"')]
        self.assertEqual(len(records), 2)
        for example in records:
            record = check(example.encode(), "twitch", "pixelharbor")
            self.assertEqual(encode_full(*record.values()), example.encode() + b"\n")
        hole = Gap(1767004245.557, 1767004262.1, "connection lost")
        self.assertEqual(
            gap_line(encode_full, "twitch", "pixelharbor", "594641369", hole), records[1].encode() + b"\n"
        )

    def test_manifest(self) -> None:
        """The examples of rows are those of a manifest."""
        rows = [example for example in self.examples if example.startswith('{"kind"')]
        kinds = [type(parsed(row.encode())) for row in rows]
        self.assertEqual(kinds, [HeadRow, ObjectRow, RoomRow, SignatureRow])
        for row in rows:
            found = parsed(row.encode())
            assert found is not None
            self.assertEqual(json.loads(encoded(found)), json.loads(row))

    def test_columns_of_parquet(self) -> None:
        """Every column of Parquet is named, some by how their names begin."""
        section = self.page.partition("\n## Parquet\n")[2].partition("\n## ")[0]
        named = re.findall(r"`([a-z_]+\*?)`", section)
        begun = tuple(name[:-1] for name in named if name.endswith("*"))
        missing = [name for name in COLUMNS if name not in named and not name.startswith(begun)]
        self.assertEqual(missing, [], "say in docs/records.md, under Parquet, what these columns hold")

    def test_details_of_twitch(self) -> None:
        """Each key of ours is in the table, and under which name a tag of that name is kept."""
        rows = " ".join(self.rows("### `details` on Twitch"))
        for key in twitch.OWN_DETAILS:
            self.assertIn(f"`{key}`", rows)
            self.assertIn(f"`@{key}`", rows)

    def test_key_of_an_object(self) -> None:
        """The example of a key is the key of its name."""
        key = re.search(r"(?m)^    (2025/\S+)$", self.page)
        assert key is not None
        name = key[1].rpartition("/")[2].removesuffix(".zst")
        self.assertEqual(parse_name(name).key(suffix=".zst"), key[1])
