"""The table of a bundle says what is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.question import Question
from chatlog.naming import BundleName, parse_bundle_key, parse_key
from chatlog.store.store import Head
from chatlog.uploader.bundle_table import (
    Slice,
    parsed_table,
    read_table,
    table_bytes,
)
from tests.archive.world import ROOM
from tests.stores import MemoryStore

MONTH = "bundle/2025/12/twitch/a/twitch_a_202512{}.jsonl{}"
FIVE_MINUTES = "bundle/2025/12/29/00/main_20251229_0000{}.jsonl{}"
ALL = Question(ROOM)


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

    def test_a_large_table(self) -> None:
        """A table that is longer than what is read at first is read with a second request."""
        store = MemoryStore()
        slices = [Slice(f"{n * 7919 % 1000003}/{n * 104729 % 999983}", "b.zst", n, n) for n in range(20_000)]
        store.objects["b.zst"] = b"x" * 100 + table_bytes(slices)
        found = read_table(store, Head("b.zst", len(store.objects["b.zst"]), ""))
        self.assertEqual(list(found.slices()), slices)
        self.assertEqual(len(store.calls), 2)

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
