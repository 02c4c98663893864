"""Tests of chatlog.config.yaml_positions. The C parser and the Python one are both held to them."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.yaml_positions import (
    MAX_BYTES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Unusable,
    YamlError,
    compose,
    decode,
    expand,
)

LOADERS: list[Any] = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


def plain(node: Node | None) -> Any:
    """The tree as lists, dicts and (line, text)."""
    if isinstance(node, Scalar):
        return (node.line, node.text)
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(child) for key, (_, child) in node.entries.items()}
    return node


class ComposeTests(SynchronousTestCase):
    """From YAML to a tree with lines."""

    def composed(self, text: str) -> Node | None:
        """The tree that all parsers agree on."""
        trees = [compose(text, loader) for loader in LOADERS]
        for tree in trees:
            self.assertEqual(tree, trees[0])
        return trees[0]

    def refusal(self, text: str) -> tuple[int, str]:
        """Line and text of the error, of which the line is the same with all parsers."""
        errors = []
        for loader in LOADERS:
            with self.assertRaises(YamlError, msg=text) as caught:
                compose(text, loader)
            errors.append(caught.exception)
        self.assertEqual(len({error.line for error in errors}), 1, [str(e) for e in errors])
        return errors[-1].line, str(errors[-1])

    def test_text_is_kept_as_written(self) -> None:
        """A value keeps its own text: no, 0x10, 1e3 and 012 do not become something else."""
        node = self.composed("a: [no, 0x10, 1e3, 012, 12:30, ~, 2026-01-01, 'x', \"y\\n\"]")
        self.assertEqual(
            [text for _, text in plain(node)["a"]],
            ["no", "0x10", "1e3", "012", "12:30", "~", "2026-01-01", "x", "y\n"],
        )

    def test_lines(self) -> None:
        """Keys, values and items know their lines, also behind comments and blank lines."""
        node = self.composed("# one\n\na: 1\nb:\n  # two\n  - x\n\n  - {c: y}\r\nd: z\n")
        self.assertEqual(plain(node), {"a": (3, "1"), "b": [(6, "x"), {"c": (8, "y")}], "d": (9, "z")})
        assert isinstance(node, Mapping)
        self.assertEqual([line for line, _ in node.entries.values()], [3, 4, 9])

    def test_second_of_two_equal_keys(self) -> None:
        """Of a repeated key the first value counts, and the second is reported with its line."""
        node = self.composed("a: 1\nb: 2\na: 3\n")
        assert isinstance(node, Mapping)
        self.assertEqual(plain(node), {"a": (1, "1"), "b": (2, "2")})
        self.assertEqual(node.twice, [(3, "a")])

    def test_null_needs_no_quotes_and_gets_none(self) -> None:
        """null and ~ mean nothing only where they stand without quotes; an empty text always does."""
        node = self.composed("[null, ~, 'null', '', x]")
        assert isinstance(node, Sequence)
        nulls = [item.is_null(item.text) for item in node.items if isinstance(item, Scalar)]
        self.assertEqual(nulls, [True, True, False, True, False])

    def test_empty_documents(self) -> None:
        """Nothing but comments is no tree."""
        for text in ("", "\n\n", "# a comment", "# a\n# b\n"):
            self.assertIsNone(self.composed(text), text)

    def test_aliases_are_not_followed(self) -> None:
        """An alias becomes a marker at its line, so that no few lines can stand for millions of values."""
        bomb = "a: &a [x,x]\n" + "\n".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]" for n in range(20)
        )
        node = self.composed(bomb)
        assert isinstance(node, Mapping)
        last = node.entries["u"][1]
        assert isinstance(last, Sequence)
        self.assertEqual([type(item) for item in last.items], [Unusable, Unusable])
        self.assertEqual(last.items[0].line, 21)

    def test_tags_construct_nothing(self) -> None:
        """A tag makes its value unusable, wherever it is, and the value's content is ignored."""
        node = self.composed("a: !!python/object/apply:os.system [ls]\nb: !x {c: d}\ne: !!int 3\nf: 1")
        assert isinstance(node, Mapping)
        kinds = {key: type(child) for key, (_, child) in node.entries.items()}
        self.assertEqual(kinds, {"a": Unusable, "b": Unusable, "e": Unusable, "f": Scalar})

    def test_depth_is_bounded(self) -> None:
        """A hundred thousand brackets are refused at once, not followed until the stack ends."""
        self.assertIn("nesting", self.refusal("[" * 100_000)[1])
        self.assertIn("nesting", self.refusal("{a: " * 100_000)[1])

    def test_mistakes_are_explained(self) -> None:
        """The usual mistakes get their line and a word on what to do."""
        cases = [
            ("a:\n\tb: 1", 2, "tab"),
            ("a: 1\nb: [${X}]", 2, 'quoted: ["${NAME}"]'),
            ("a: 1\nb: c: d", 2, "colon"),
            ("a: 1\nb: ${X}: d", 2, "colon"),
            ("a: 1\nb: 'c\nd: e", 2, "a quote that is never closed"),
            ('a: 1\nb: "c\nd: e\n', 2, "a quote that is never closed"),
            ("{a", 1, "closing bracket"),
            ("a: [b,\nc: d", 2, "[ is open since line 1"),
            ("a: [b,, c]", 1, "missing before this comma"),
            ("a: [b]]", 1, "closing bracket that nothing opened"),
            ("a: [b] c\n", 1, "behind a closing"),
            ("a: 'b' c\n", 1, "behind a closing"),
            ("a: 1\nb\nc: d", 2, "colon is missing"),
            ("a: 1\nb\n", 2, "colon is missing"),
            ("a: 1\nb:c\n", 2, "the space after it"),
            ("a:b\nc: d", 1, "space after the colon is missing"),
            ("a: 1\n: b", 2, "no key before this colon"),
            ("a: - b", 1, "a line of its own"),
            (" a: 1\nb: 2", 2, "indentation"),
            ("a: 1\n  b: 2\n", 2, "further in than a line that has a value already"),
            ("a: 1\n- b\n", 2, "indentation"),
            ("a:\n  - b\n c: d", 3, "indentation"),
            ("a: 1\nb: @x", 2, "must be quoted"),
            ("a: 1\nb: `x", 2, "must be quoted"),
            ("a: 1\nb: %x", 2, "begins with % must be quoted"),
            ("a: >b", 1, "begins with > must be quoted"),
            ("a: *b: c", 1, "begins with * must be quoted"),
            ('a: 1\nb: "C:\\dir"', 2, "backslash"),
            ('a: 1\nb: "\\u12"', 2, "backslash"),
            ("a: b\n...\nc: d", 3, "second YAML document"),
            ("a: b\n---\nc: d", 2, "second YAML document"),
            ("%YAML 3.0\n---\na: b", 1, "YAML 1.x"),
            ("? [a]\n: b", 1, "plain word"),
            ("{[a]: b}", 1, "plain word"),
        ]
        for text, line, words in cases:
            found = self.refusal(text)
            self.assertEqual(found[0], line, text)
            self.assertIn(words, found[1], text)

    def test_no_error_quotes_the_file(self) -> None:
        """A line that cannot be read may hold a secret, so no error repeats it."""
        secret = "s3cr3tvalue"
        for line in (
            f"oauth: '{secret}",
            f"oauth: !{secret}!x y",
            f"oauth: @{secret}",
            f"oauth: *{secret}: x: y",
            f'oauth: "\\{secret}"',
            f"oauth: [{secret}",
            f"oauth:\n\t{secret}",
            f"&{secret} &{secret} a",
            f"%YAML {secret}\n---\na: b",
            f"oauth: {secret}: {secret}",
        ):
            for loader in LOADERS:
                with self.assertRaises(YamlError, msg=line) as caught:
                    compose(line, loader)
                self.assertNotIn(secret, str(caught.exception))

    @given(st.text(alphabet="ab:-[]{},'\"|>&*!%@#?\\ \n\t0~<=$", max_size=60))
    @settings(max_examples=400, deadline=None)
    def test_anything_is_a_tree_or_an_error(self, text: str) -> None:
        """No text makes either parser do anything else than give a tree or the one error."""
        for loader in LOADERS:
            try:
                compose(text, loader)
            except YamlError as error:
                self.assertGreaterEqual(error.line, 1)
                self.assertLessEqual(error.line, text.count("\n") + 1)


class DecodeTests(SynchronousTestCase):
    """From bytes to text."""

    def test_byte_order_mark(self) -> None:
        """A byte order mark, as some editors write it, does no harm."""
        self.assertEqual(decode(b"\xef\xbb\xbfa: \xc3\xa4"), "a: ä")

    def test_other_encodings(self) -> None:
        """Bytes that are not UTF-8 are reported with their line."""
        for data, line in ((b"a: 1\nb: \xe4", 2), ("a: ä".encode("utf-16"), 1)):
            with self.assertRaises(YamlError) as caught:
                decode(data)
            self.assertEqual((caught.exception.line, "UTF-8" in str(caught.exception)), (line, True))

    def test_control_characters(self) -> None:
        """A control character is reported by its code and line, and never printed."""
        for data, line, code in (
            (b"a: 1\nb: \x00", 2, "U+0000"),
            (b"\x1b[2J", 1, "U+001B"),
            (b"a\r\n\r\n\x7f", 3, "U+007F"),
            (b"\xff\xfea\x00", 1, "UTF-8"),
        ):
            with self.assertRaises(YamlError) as caught:
                decode(data)
            self.assertEqual(caught.exception.line, line)
            self.assertIn(code, str(caught.exception))

    def test_size(self) -> None:
        """A file up to the limit is read; one byte more is refused before it is parsed."""
        self.assertEqual(len(decode(b"#" * MAX_BYTES)), MAX_BYTES)
        with self.assertRaises(YamlError):
            decode(b"\xff" * (MAX_BYTES + 1))


class ExpandTests(SynchronousTestCase):
    """Environment variables in values."""

    ENVIRON = {"A": "one", "B_2": "two", "EMPTY": "", "NESTED": "${A}"}  # noqa: RUF012

    def test_values(self) -> None:
        """Variables are replaced wherever they stand; the default is taken where one is unset or empty;
        what is put in is not looked at again."""
        cases = {
            "${A}": "one",
            "x${A}y${B_2}z": "xoneytwoz",
            "${EMPTY}": "",
            "${EMPTY:-d}": "d",
            "${NONE:-d}": "d",
            "${NONE:-}": "",
            "${EMPTY-d}": "",
            "${NONE-d}": "d",
            "${NONE-}": "",
            "${A-d}": "one",
            "${NONE--}": "-",
            "${A:-d}": "one",
            "${NONE:-http://h:1/p?}": "http://h:1/p?",
            "${NESTED}": "${A}",
            "$A {A} $ $$": "$A {A} $ $$",
            "": "",
        }
        for text, value in cases.items():
            self.assertEqual(expand(text, self.ENVIRON), value, text)

    def test_unset(self) -> None:
        """A variable that is not set is named."""
        with self.assertRaises(ValueError) as caught:
            expand("${A}${TWITCH_OAUTH}", self.ENVIRON)
        self.assertIn("TWITCH_OAUTH is not set", str(caught.exception))

    def test_malformed(self) -> None:
        """What begins like a variable and is none is refused, and not repeated."""
        for text in (
            "${",
            "${A",
            "${}",
            "${A B}",
            "${1A}",
            "${A:d}",
            "${A:-${B}}",
            "${A-${B}}",
            "${s3cret!}",
        ):
            with self.assertRaises(ValueError, msg=text) as caught:
                expand(text, self.ENVIRON)
            self.assertIn("${NAME}", str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))
