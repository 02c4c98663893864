"""What is known of a message by its words holds for every text that is found in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.matching import compiled
from chatlog.index.patterns import texts_of
from chatlog.index.words import LONGEST, Piece, pieces_of, words_of

#: Letters that fold to others, to several, or to none; with and without spaces between words; no letters.
LETTERS = st.sampled_from("aAbkKsSßẞ\u017f\u212aİ\u0131éΣςǅﬁ漢字のไทย9_ -.\n'!\t\u0301\u00ad😀ªⅨ")
TEXTS = st.text(LETTERS, max_size=12)


def has(words: set[str], piece: Piece) -> bool:
    """Whether one of the words has the piece, as a look-up decides it."""
    return any(
        word == piece.text
        if piece.begins and piece.ends
        else word.startswith(piece.text)
        if piece.begins
        else word.endswith(piece.text) or len(word) >= LONGEST
        if piece.ends
        else piece.text in word or len(word) >= LONGEST
        for word in words
    )


class WordsTests(SynchronousTestCase):
    def test_words(self) -> None:
        """Words are letters, digits and underscores in one case; a Chinese character is a word by itself."""
        self.assertEqual(words_of([b"Hello, WORLD_9", b"it's"]), {"hello", "world_9", "it", "s"})
        self.assertEqual(words_of(["STRASSE straße".encode()]), {"strasse"})
        self.assertEqual(words_of(["漢字 ok".encode()]), {"漢", "字", "ok"})
        self.assertEqual(words_of([b"a\xffb"]), {"a", "b"})

    def test_pieces(self) -> None:
        """Where a text goes on beside a word, the word ends there; else more may follow."""
        self.assertEqual(pieces_of("ello"), {Piece("ello", False, False)})
        self.assertEqual(pieces_of("Big news"), {Piece("big", False, True), Piece("news", True, False)})
        self.assertEqual(pieces_of(" news!"), {Piece("news", True, True)})
        self.assertEqual(pieces_of("漢"), {Piece("漢", True, True)})
        self.assertEqual(pieces_of(":-)"), frozenset())

    def test_long_words(self) -> None:
        """Of a very long word the beginning is known, and nothing is claimed of its end."""
        message = b"x" * (LONGEST + 9) + b"yz"
        for text in ("yz", "x" * 30 + "yz", " ", "x" * LONGEST):
            for piece in pieces_of(text):
                self.assertTrue(has(words_of([message]), piece), text)

    @settings(max_examples=120, deadline=None)
    @given(TEXTS, TEXTS, TEXTS)
    def test_nothing_is_missed(self, before: str, text: str, behind: str) -> None:
        """A message in which a text is found has all the pieces of the text."""
        message = before + text + behind
        if text.casefold() in message.casefold():
            words = words_of([message.encode()])
            for piece in pieces_of(text):
                self.assertTrue(has(words, piece), (message, piece))


class PatternTests(SynchronousTestCase):
    def test_texts(self) -> None:
        """What is certain of a pattern is taken from it, and nothing else."""
        for pattern, texts in {
            "Hello": ["hello"],
            "fo+bar?baz": ["fo", "ba", "baz"],
            r"\bbig news\b": ["big news"],
            "a|b": [],
            "(?-i)abc": [],
            "(abc)?def": ["def"],
            "(abc)def": ["def"],
            r"x\.y{2}z": ["x.", "z"],
            "[a-z]foo[^]x]q": ["foo", "q"],
            r"\Qa|b\E": [],
            r"a\x41b": [],
            "^one$": ["one"],
            "öabcü": ["abc"],
            ".*": [],
        }.items():
            self.assertEqual(texts_of(pattern), texts, pattern)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from([*"abkKs9 _.", "\\.", "\\b", "[ab]", "(ab)", "x?", "k*", "s+", "é", "a{2}", "^"])
        ),
        TEXTS,
        st.lists(
            st.sampled_from(["ab", "a", "b", "k", "\u212a", "\u017f", "s", " ", "9", "é", "_", "."])
        ).map("".join),
    )
    def test_nothing_is_missed(self, parts: list[str], before: str, message: str) -> None:
        """A message that matches a pattern has all the texts of the pattern."""
        pattern, said = "".join(parts), f"{before}{message}"
        try:
            found = compiled(pattern).search(said.encode())
        except ValueError:
            return
        if found is not None:
            words = words_of([said.encode()])
            for text in texts_of(pattern):
                for piece in pieces_of(text):
                    self.assertTrue(has(words, piece), (pattern, said, piece))
