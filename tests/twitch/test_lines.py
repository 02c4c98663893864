"""The line splitter: the same lines however the stream was cut, and bounded memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.twitch.lines import MAX_LINE, LineSplitter, Oversized

#: (what it shows, the stream, the lines)
STREAMS: list[tuple[str, bytes, list[bytes]]] = [
    ("lines end with CR LF", b"one\r\ntwo\r\n", [b"one", b"two"]),
    ("a bare LF ends a line too", b"one\ntwo\n", [b"one", b"two"]),
    ("only one CR is the line's end", b"one\r\r\n", [b"one\r"]),
    ("a CR inside stays", b"on\re\r\n", [b"on\re"]),
    ("LF CR leaves the CR to the next line", b"one\n\rtwo\n", [b"one", b"\rtwo"]),
    ("empty lines say nothing", b"\r\n\r\none\r\n\n\r\n", [b"one"]),
    ("spaces at the end stay", b"one  \r\n", [b"one  "]),
    (
        "other line breaks do not split",
        "a\x0bb\x0cc\x1cd\x85e\u2028f\r\n".encode(),
        ["a\x0bb\x0cc\x1cd\x85e\u2028f".encode()],
    ),
    ("bytes that are not UTF-8 pass", b"\xff\xfe\x80\r\n", [b"\xff\xfe\x80"]),
    ("a lone byte 0x85 does not split", b"a\x85b\r\n", [b"a\x85b"]),
    ("NUL passes", b"a\0b\r\n", [b"a\0b"]),
    ("an unfinished line waits", b"one\r\ntwo", [b"one"]),
]


def in_pieces(stream: bytes, size: int) -> tuple[list[bytes], LineSplitter]:
    splitter = LineSplitter()
    lines: list[bytes] = []
    for at in range(0, len(stream), size):
        lines += splitter.feed(stream[at : at + size])
    return lines, splitter


class LineSplitterTests(SynchronousTestCase):
    """Streams of whole and broken lines."""

    def test_streams(self) -> None:
        """Every stream gives its lines, whether it comes whole, in pieces or a byte at a time."""
        for meaning, stream, expected in STREAMS:
            for size in (len(stream), 5, 2, 1):
                lines, _ = in_pieces(stream, size)
                self.assertEqual(lines, expected, f"{meaning}, {size} bytes at a time")

    def test_many_lines_in_one_read(self) -> None:
        """A read with thousands of lines gives them all, in order."""
        expected = [b"line %d" % number for number in range(5000)]
        self.assertEqual(LineSplitter().feed(b"\r\n".join(expected) + b"\r\n"), expected)

    def test_rest(self) -> None:
        """What came of an unfinished line can be asked for, and is gone once the line has ended."""
        splitter = LineSplitter()
        self.assertEqual(splitter.feed(b"one\r\ntw"), [b"one"])
        self.assertEqual(splitter.rest(), b"tw")
        self.assertEqual(splitter.feed(b"o\r\n"), [b"two"])
        self.assertEqual(splitter.rest(), b"")

    def test_longest_line(self) -> None:
        """A line of exactly the limit is whole, with either line end, and not marked."""
        line = b"x" * MAX_LINE
        for end in (b"\r\n", b"\n"):
            for size in (len(line) + 2, 1000, 1):
                lines, _ = in_pieces(line + end, size)
                self.assertEqual(lines, [line])
                self.assertIs(type(lines[0]), bytes)

    def test_overlong_line(self) -> None:
        """Of a longer line the head comes once, marked; the lines around it are untouched."""
        for extra in (1, 2, MAX_LINE, 5 * MAX_LINE):
            stream = b"before\r\n" + b"x" * (MAX_LINE + extra) + b"\r\nafter\r\n"
            for size in (len(stream), MAX_LINE, 1000):
                lines, splitter = in_pieces(stream, size)
                self.assertEqual(lines, [b"before", b"x" * MAX_LINE, b"after"])
                self.assertEqual([type(line) for line in lines], [bytes, Oversized, bytes])
                self.assertEqual(splitter.rest(), b"")

    def test_overlong_line_byte_by_byte(self) -> None:
        """The same where every byte is a read of its own, and with CRs around the limit."""
        for line in (b"x" * (MAX_LINE + 1), b"x" * MAX_LINE + b"\r\r", b"x" * (MAX_LINE - 1) + b"\r\r\r"):
            stream = line + b"\nafter\n"
            lines, _ = in_pieces(stream, 1)
            whole, _ = in_pieces(stream, len(stream))
            self.assertEqual(lines, [line[:MAX_LINE], b"after"])
            self.assertEqual(lines, whole)
            self.assertEqual([type(line) for line in lines], [type(line) for line in whole])

    def test_overlong_line_is_given_out_early(self) -> None:
        """The head of an endless line does not wait for an end that may never come."""
        splitter = LineSplitter()
        self.assertEqual(splitter.feed(b"x" * (MAX_LINE + 2)), [b"x" * MAX_LINE])

    def test_memory(self) -> None:
        """An endless line never makes the splitter keep more than the longest line."""
        splitter = LineSplitter()
        lines = []
        for _ in range(2000):
            lines += splitter.feed(b"x" * 10_000)
            self.assertLessEqual(len(splitter.rest()), MAX_LINE + 1)
        self.assertEqual(lines, [b"x" * MAX_LINE])
        self.assertEqual(splitter.feed(b"xx\nafter\n"), [b"after"])

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"word ", b"\xff", b"\x85", "\u2028".encode()])
        ),
        st.data(),
    )
    def test_any_cut(self, parts: list[bytes], data: st.DataObject) -> None:
        """However a stream is cut into reads, its lines are those of a plain split at LF."""
        stream = b"".join(parts)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
        splitter = LineSplitter()
        lines: list[bytes] = []
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            lines += splitter.feed(stream[start:end])
        *complete, rest = stream.split(b"\n")
        expected = [line[:-1] if line[-1:] == b"\r" else line for line in complete]
        self.assertEqual(lines, [line for line in expected if line])
        self.assertEqual(splitter.rest(), rest)
