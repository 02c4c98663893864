"""The rows of a manifest: what is written is what is read, and what is no row is refused."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import ManifestName
from chatlog.uploader.manifest_rows import (
    BundledRow,
    ExpiredRow,
    HeadRow,
    ObjectRow,
    ReplacedRow,
    RequestRow,
    RoomRow,
    Row,
    SignatureRow,
    encoded,
    name_of,
    parsed,
    row_of,
    seconds_of,
)

A, B = "a" * 64, "b" * 64
TIME = "2025-12-29T10:00:00.000Z"
_SPANS = st.none() | st.lists(st.sampled_from([(0.0, 0.0), (0.5, 12.125), (20.0, 3600.0)])).map(tuple)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_COUNT = st.integers(0, (1 << 63) - 1)
_DIGEST = st.sampled_from([A, B])
_SECONDS = st.integers(0, 10**9).map(lambda ms: ms / 1000)
#: Every kind of row.
ROWS: st.SearchStrategy[Row] = st.one_of(
    st.builds(
        HeadRow,
        st.integers(1, 4 * 10**9).map(float),
        st.integers(1, 4 * 10**9).map(float),
        _TEXT,
        _TEXT,
        st.booleans(),
        st.sampled_from(["", A]),
        st.integers(2, 9),
    ),
    st.builds(
        HeadRow, st.just(3600.0), st.just(7200.25), _TEXT, _TEXT, st.booleans(), st.just(""), st.just(1)
    ),
    st.builds(ObjectRow, _TEXT, _COUNT, _DIGEST, _COUNT, _TEXT, _TEXT),
    st.builds(
        RoomRow,
        _TEXT,
        _TEXT,
        _SECONDS,
        _SECONDS,
        _TEXT,
        _COUNT,
        _SPANS,
        _SPANS.map(lambda spans: spans or ()),
    ),
    st.builds(RequestRow, _TEXT, _TEXT),
    st.builds(
        lambda lines, gone, new, text: ReplacedRow(
            text, A, lines + gone, text, lines, new, lines, gone, gone, text, TIME
        ),
        st.integers(0, 1 << 40),
        st.integers(0, 1 << 40),
        st.sampled_from(["", B]),
        _TEXT,
    ),
    st.builds(BundledRow, _TEXT, _TEXT, _COUNT, _COUNT, _DIGEST),
    st.builds(ExpiredRow, _TEXT, _DIGEST, _COUNT, _TEXT, _TEXT),
    st.builds(SignatureRow, _TEXT, _TEXT),
)
HEAD: dict[str, Any] = {"kind": "manifest", "from": TIME, "to": TIME, "version": "1", "instance": "main"}


class RowTests(SynchronousTestCase):
    @given(ROWS)
    def test_what_is_written_is_read(self, row: Row) -> None:
        """Every row comes back from its line, which is one line of JSON."""
        line = encoded(row)
        self.assertEqual((parsed(line), line[-1:], line.count(b"\n")), (row, b"\n", 1))

    def test_lines(self) -> None:
        """The lines of rows are what docs/records.md says."""
        for row, facts in (
            (HeadRow(3600.0, 7200.25, "1", "main"), {"format": 2, "previous": ""}),
            (HeadRow(3600.0, 7200.25, "1", "main", True, A), {"format": 2, "previous": A, "new_spool": True}),
            (HeadRow(3600.0, 7200.25, "1", "main", format=1), {}),
        ):
            times = {"from": "1970-01-01T01:00:00.000Z", "to": "1970-01-01T02:00:00.250Z"}
            whole = {"kind": "manifest", **times, "version": "1", "instance": "main", **facts}
            self.assertEqual(json.loads(encoded(row)), whole)
        self.assertEqual(
            json.loads(encoded(RoomRow("twitch", "a", 1.23456, 3598.76544, "x"))),
            {
                "kind": "room",
                "platform": "twitch",
                "channel": "a",
                "recorded": 1.235,
                "missing": 3598.765,
                "reason": "x",
            },
        )
        self.assertEqual(
            json.loads(encoded(BundledRow("k", "b", 3, 4, A))),
            {"kind": "bundled", "key": "k", "in": "b", "offset": 3, "bytes": 4, "sha256": A},
        )

    def test_manifests_of_the_first_form(self) -> None:
        """A head without a format is of the first one, which has no chain; a spool is only new if it says
        so."""
        self.assertEqual(row_of(HEAD), HeadRow(1767002400.0, 1767002400.0, "1", "main", False, "", 1))
        for new in (False, "yes", 1):
            self.assertFalse(row_of({**HEAD, "new_spool": new}).new_spool)  # type: ignore[union-attr]
        self.assertRaises(ValueError, row_of, {**HEAD, "format": 2})

    def test_other_kinds(self) -> None:
        """Rows of a kind that a later version adds are passed over."""
        self.assertIsNone(row_of({"kind": "later", "key": 5}))

    def test_what_is_no_row(self) -> None:
        """A line that is none, lacks something, or holds something impossible is refused, and the key is
        named."""
        good = {"kind": "object", "key": "k", "bytes": 1, "sha256": A, "lines": 1, "first": "", "last": ""}
        room = {"kind": "room", "platform": "p", "channel": "c", "recorded": 1, "missing": 0.5, "reason": ""}
        replaced = {
            "kind": "replaced",
            "key": "k",
            "sha256": A,
            "lines": 3,
            "by": "",
            "bytes": 0,
            "sha256_new": "",
            "lines_new": 2,
            "removed": 1,
            "redacted": 0,
            "request": "r",
            "at": TIME,
        }
        for row in (good, room, replaced):
            self.assertIsNotNone(row_of(row))
        for row, key, values in (
            (good, "bytes", (-1, 1 << 63, True, 1.0, "1", None)),
            (good, "key", (1, None, ["k"])),
            (good, "sha256", ("", A[:-1], A + "a", A.upper(), A + "\n", 5)),
            (room, "recorded", (-0.1, 1e12, True, "1", None, float("nan"))),
            (room, "reason", (None, 0)),
            (replaced, "sha256_new", ("x", 0)),
            (replaced, "lines", (2, 4)),
            (HEAD, "from", ("", "2025-12-29", "2025-12-29T10:00:00", "x" + TIME, TIME + "\n", 5)),
            (HEAD, "format", (-1, "2", True, None)),
            (HEAD | {"format": 2, "previous": ""}, "previous", ("x", 0, None)),
        ):
            for value in values:
                self.assertRaises(ValueError, row_of, {**row, key: value})
            self.assertRaises(ValueError, row_of, {k: v for k, v in row.items() if k != key} | {"format": 2})
        error = self.assertRaises(ValueError, row_of, {**good, "bytes": -1})
        self.assertIn("bytes", str(error))
        others: tuple[Any, ...] = ([], "x", None, 5)
        for other in others:
            self.assertEqual(str(self.assertRaises(ValueError, row_of, other)), "not an object")
        for without in ({}, {"key": "k"}):
            self.assertRaises(ValueError, row_of, without)
        for line in (b"", b"{", b"[]\n", b"null"):
            self.assertRaises(ValueError, parsed, line)

    def test_times_that_are_none(self) -> None:
        """When a room was recorded, and when it was missing, are pairs of times in order; anything else is
        refused. They are written to the millisecond, as its seconds are."""
        room = {"kind": "room", "platform": "p", "channel": "c", "recorded": 1, "missing": 0.5, "reason": ""}
        none: tuple[Any, ...] = (
            *({}, "ab", 5, None, [5], ["ab"], [[1]]),
            *([[1, 2, 3]], [[2, 1]], [[-1, 2]], [[1, "2"]]),
        )
        for key in ("spans", "gaps"):
            self.assertIsNotNone(row_of(room | {key: [[1, 1], [2, 3.5]]}))
            for value in none:
                error = self.assertRaises(ValueError, row_of, room | {key: value})
                self.assertIn(key, str(error), value)
        times = ((1.00049, 2.0006),)
        row = parsed(encoded(RoomRow("p", "c", 1.00049, 0.0006, "", spans=times, gaps=times)))
        rounded = ((1.0, 2.001),)
        self.assertEqual(row, RoomRow("p", "c", 1.0, 0.001, "", spans=rounded, gaps=rounded))

    def test_bounds(self) -> None:
        """Nothing, and the largest number that there may be, are numbers."""
        row = row_of(
            {"kind": "bundled", "key": "", "in": "", "offset": 0, "bytes": (1 << 63) - 1, "sha256": A}
        )
        self.assertEqual(row, BundledRow("", "", 0, (1 << 63) - 1, A))
        zero = {"kind": "room", "platform": "", "channel": "", "recorded": 0, "missing": 0, "reason": ""}
        self.assertEqual(row_of(zero), RoomRow("", "", 0.0, 0.0, ""))

    def test_times(self) -> None:
        """Times may have fractions of a second, to the nanosecond."""
        self.assertEqual(seconds_of("1970-01-01T00:00:01Z"), 1.0)
        self.assertEqual(seconds_of("1970-01-01T00:00:01.25Z"), 1.25)
        self.assertAlmostEqual(seconds_of("1970-01-01T00:00:01.123456789Z"), 1.123456789)
        self.assertRaises(ValueError, seconds_of, "1970-01-01T00:00:01.1234567890Z")

    def test_names(self) -> None:
        """A manifest has the name of the hour in which its period begins; the main instance is in no name."""
        self.assertEqual(
            name_of(HeadRow(3600.0 + 3599.9, 9000.0, "1", "main")), ManifestName("19700101_0100", "")
        )
        self.assertEqual(name_of(HeadRow(3600.0, 9000.0, "1", "two")), ManifestName("19700101_0100", "two"))
