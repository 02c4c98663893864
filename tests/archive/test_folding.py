"""A text is found whatever its case, in every script."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.folding import FoldedText
from chatlog.record import encode_full

TIME = "2025-12-29T10:30:45.123Z"
#: Characters whose cases are not one to one, and some that are.
LETTERS = st.sampled_from(
    'aAkKsSzZ"\\\n\t \u212a\u017f\u00df\u1e9e\ufb00\ufb06\u0130\u0131'
    "\u03c3\u03c2\u03a3\u0436\u0416\u00e9\u00c9\U00010400\U00010428"
)
TEXTS = st.text(LETTERS | st.characters(codec="utf-8"), max_size=12)


def line(message: str) -> bytes:
    return encode_full(TIME, "a", "ann", "1", message, "message", "x", "twitch", "7", TIME, {})


def lines_found(text: str, messages: list[str]) -> list[str]:
    """The messages in whose lines the text may be, and is."""
    wanted = FoldedText(text)
    block = b"".join(map(line, messages))
    starts = {block[:start].count(b"\n") for start in wanted.lines(block)}
    return [message for n, message in enumerate(messages) if n in starts and wanted.within(message)]


class FoldedTextTests(SynchronousTestCase):
    def test_planes(self) -> None:
        """No character beyond the first plane folds to several: the search does not look for such."""
        several = [code for code in range(0x10000, sys.maxunicode + 1) if len(chr(code).casefold()) > 1]
        self.assertEqual(several, [])

    def test_known_pairs(self) -> None:
        """Texts that a reader takes for the same are found."""
        for text, message in (
            ("kappa", "KAPPA"),
            ("STRASSE", "in der Stra\u00dfe"),
            ("stra\u00dfe", "STRASSE"),
            ("kelvin", "300 \u212aelvin"),
            ("\u041f\u0440\u0438\u0432\u0435\u0442", "\u043f\u0420\u0418\u0412\u0415\u0422!"),
            ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2"),
            ('say "hi"', 'SAY "HI"'),
            ("a\\b", "A\\B"),
            ("\ufb01sh", "FISH"),
        ):
            self.assertEqual(lines_found(text, ["other", message, "more"]), [message], (text, message))

    def test_a_half_of_a_pair_does_not_hide_the_rest(self) -> None:
        """A message with half a surrogate pair is found by its other words."""
        message = "broken \ud83d here, \u043f\u0440\u0438\u0432\u0435\u0442"
        self.assertEqual(lines_found("HERE", [message, "no"]), [message])
        self.assertEqual(lines_found("\u041f\u0440\u0438\u0432\u0435\u0442", [message, "no"]), [message])

    @given(TEXTS.filter(bool), st.lists(TEXTS, max_size=5))
    def test_same_as_by_hand(self, text: str, messages: list[str]) -> None:
        """What is found in bytes is what would be found by folding every text."""
        messages = [message + text.swapcase() if n % 2 else message for n, message in enumerate(messages)]
        by_hand = [message for message in messages if text.casefold() in message.casefold()]
        self.assertEqual(lines_found(text, messages), by_hand)
