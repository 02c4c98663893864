"""The table of a bundle says what is in it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import zstandard
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import BundleName, parse_bundle_key, parse_key
from chatlog.record import to_line
from chatlog.store.store import Head
from chatlog.uploader.bundle_table import (
    BESIDE,
    MOST,
    TAIL,
    Slice,
    parsed_table,
    read_packed,
    read_table,
    table_bytes,
    table_size,
)
from tests.stores import MemoryStore

MONTH = "bundle/2025/12/twitch/a/twitch_a_202512{}.jsonl{}"
FIVE_MINUTES = "bundle/2025/12/29/00/main_20251229_0000{}.jsonl{}"
#: One object, as it is in a table.
ROW = {"key": "k", "offset": 3, "bytes": 5}


def framed(packed: bytes) -> bytes:
    """A table, as the documentation has it, of what was compressed."""
    size = 20 + len(packed)
    return struct.pack("<II", 0x184D2A5C, size - 8) + packed + struct.pack("<I8s", size, b"chatlog1")


def of_lines(*lines: Any) -> bytes:
    """The table with these lines."""
    return framed(zstandard.compress(b"".join(map(to_line, lines))))


class RangeStore(MemoryStore):
    """Notes the offset and size of what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[tuple[int, int]] = []

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        self.ranges.append((offset, size))
        return super().read_range(key, offset, size)


class TableTests(SynchronousTestCase):
    """The table at the end of a bundle."""

    @given(st.lists(st.tuples(st.text("abc/", min_size=1), st.integers(0, 1 << 40)), max_size=50))
    def test_round_trip(self, rows: list[tuple[str, int]]) -> None:
        """What was written is read, of any number of objects."""
        slices = [Slice(key, "b", number, size) for number, (key, size) in enumerate(rows)]
        found = parsed_table("b", b"before" + table_bytes(slices, ["old"]))
        self.assertEqual(list(found.slices()), slices)
        self.assertEqual(found.replaces, ("old",))

    @given(st.data())
    def test_damage(self, data: st.DataObject) -> None:
        """A table that was cut off, or of which a byte changed, is an error and not another table."""
        whole = table_bytes([Slice("2025/12/29/x", "b", 0, 5)])
        at = data.draw(st.integers(0, len(whole) - 1))
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :]):
            with self.assertRaises(ValueError):
                list(parsed_table("b", damaged).slices())

    def test_form(self) -> None:
        """A table has the documented form; what it replaces is only there if it replaces anything."""
        row = Slice("k", "b", 3, 5)
        for replaces, head in (
            ([], {"format": 1, "slices": 1}),
            (["old", "older"], {"format": 1, "slices": 1, "replaces": ["old", "older"]}),
        ):
            found = table_bytes([row], replaces)
            packed = found[8:-12]
            self.assertEqual(found, framed(packed))
            self.assertEqual(zstandard.decompress(packed), to_line(head) + to_line(ROW))
            self.assertTrue(zstandard.get_frame_parameters(packed).has_checksum)
            table = parsed_table("b", found)
            self.assertEqual(
                (table.bundle, list(table.slices()), table.replaces), ("b", [row], tuple(replaces))
            )

    def test_some(self) -> None:
        """The objects can be had whose keys contain a text."""
        table = parsed_table("b", table_bytes([Slice(key, "b", 0, 5) for key in ("ann", "bob", "anna")]))
        self.assertEqual([each.key for each in table.slices("ann")], ["ann", "anna"])

    def test_what_is_read(self) -> None:
        """A table is read with one request for the end of the bundle, and a longer one with a second; what is
        asked for is there."""
        rows = [Slice(f"{n * 7919 % 1000003}/{n * 104729 % 999983}", "b.zst", n, n) for n in range(20_000)]
        for slices, before in ((rows[:1], 0), (rows[:1], 100), (rows[:1], TAIL), (rows, 0), (rows, 100)):
            store, table = RangeStore(), table_bytes(slices)
            store.objects["b.zst"] = b"x" * before + table
            size = before + len(table)
            found = read_packed(store, Head("b.zst", size, ""))
            self.assertEqual(found, table)
            first = max(size - TAIL, 0)
            asked = (
                [(first, size - first), (before, len(table))] if len(slices) > 1 else [(first, size - first)]
            )
            self.assertEqual(store.ranges, asked)
            self.assertEqual(list(read_table(store, Head("b.zst", size, "")).slices()), slices)

    def test_beside(self) -> None:
        """The table of a bundle that is not compressed with zstd is an object beside it."""
        for bundle in ("b.jsonl", "b.jsonl.gz"):
            store, table = MemoryStore(), table_bytes([Slice("k", bundle, 3, 5)])
            store.objects[bundle + BESIDE] = table
            self.assertEqual(read_packed(store, Head(bundle, 8, "")), table)
            self.assertEqual(
                list(read_table(store, Head(bundle, 8, "")).slices()), [Slice("k", bundle, 3, 5)]
            )
            self.assertEqual(store.calls, [("read", bundle + BESIDE)] * 2)

    def test_size(self) -> None:
        """The last twelve bytes tell how long a table is; a size that no table has is an error."""
        for size in (20, 1000, MOST):
            self.assertEqual(table_size(struct.pack("<I8s", size, b"chatlog1")), size)
        for end in (
            *(struct.pack("<I8s", size, b"chatlog1") for size in (0, 19, MOST + 1)),
            *(struct.pack("<I8s", 20, b"chatlog2"), struct.pack("<I8s", 20, b"chatlog1")[1:], b""),
        ):
            self.assertRaises(ValueError, table_size, end)

    def test_no_table(self) -> None:
        """What is cut off, not as it was packed, or of a later version, is an error and no table; and so is
        what would fill the memory."""
        head = {"format": 1, "slices": 1}
        whole = of_lines(head, ROW)
        self.assertEqual(list(parsed_table("b", whole).slices()), [Slice("k", "b", 3, 5)])
        huge = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0"
        no_names: tuple[Any, ...] = (None, "old", {}, [1], ["a", 1])
        for odd in (
            *(whole[1:], whole[:3] + b"\0" + whole[4:], whole[:4] + b"\0" + whole[5:]),
            *(framed(b""), framed(b"no zstd, and not short"), framed(huge)),
            *(of_lines(), of_lines([]), of_lines(1), of_lines({})),
            *(of_lines({"format": 2, "slices": 0}), of_lines({"slices": 0}), of_lines([1])),
            *(of_lines({"format": 1, "slices": 0, "replaces": each}) for each in no_names),
            *(of_lines({"format": 1}), of_lines(head), of_lines(head, ROW, ROW)),
        ):
            with self.assertRaises(ValueError):
                parsed_table("b", odd)

    def test_no_row(self) -> None:
        """A row that says of no object where it is, is an error; an empty object at the very beginning is
        none."""
        head = {"format": 1, "slices": 1}
        none = {"key": "k", "offset": 0, "bytes": 0}
        self.assertEqual(list(parsed_table("b", of_lines(head, none)).slices()), [Slice("k", "b", 0, 0)])
        odd: Any
        for odd in (
            *([], 1, "text", {}),
            *({**ROW, "key": None}, {**ROW, "key": 1}),
            *({**ROW, "offset": None}, {**ROW, "offset": 1.5}, {**ROW, "offset": -1}),
            *({**ROW, "bytes": None}, {**ROW, "bytes": "5"}, {**ROW, "bytes": -1}),
        ):
            with self.assertRaises(ValueError):
                list(parsed_table("b", of_lines(head, odd)).slices())

    def test_names(self) -> None:
        """Names of bundles look as documented, and are recognised."""
        for key, name in (
            (MONTH.format("", ".zst"), BundleName("202512", "twitch", "a")),
            (MONTH.format("-2", ".gz"), BundleName("202512", "twitch", "a", n=2)),
            (FIVE_MINUTES.format("", ""), BundleName("20251229_0000")),
            (FIVE_MINUTES.format("-12", ".zst"), BundleName("20251229_0000", n=12)),
        ):
            found, suffix = parse_bundle_key(key)
            self.assertEqual((found, found.key(suffix)), (name, key))
        for key in (
            MONTH.format("-1", ""),
            "bundle/2025/11/twitch/a/twitch_a_202512.jsonl",
            "bundle/2025/12/29/01/main_20251229_0000.jsonl",
            "bundle/2025/12/../x",
            "2025/12/29/twitch/a/twitch_a_20251229_0000.jsonl",
        ):
            self.assertRaises(ValueError, parse_bundle_key, key)
        self.assertRaises(ValueError, parse_key, "2025/12/28/twitch/a/twitch_a_20251229_0000.jsonl")
