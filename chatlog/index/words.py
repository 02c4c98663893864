"""The words of messages, and the pieces of words that every message with a given text has.

A message is folded as the search folds it (``str.casefold``). Its words are the longest runs of letters,
digits and underscores. Each letter of a script that is written without spaces is a word by itself.

If a message has a text, each run of the text lies inside a word of the message. Where the text goes on beside
a run, the word ends there too. So a text is narrowed by pieces of words, and never by a guess:

    "big news"      a word that ends in "big", and one that begins with "news"
    " big news "    the words "big" and "news"
    "ello"          a word that has "ello" in it
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

#: Longer words are cut off here; no message on Twitch or Kick is longer.
LONGEST = 500

#: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
_SINGLE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_SINGLE}]|[^\\W{_SINGLE}]+")
_ONE = re.compile(f"[{_SINGLE}]")
#: For texts in ASCII: everything that is in no word becomes a space.
_ASCII = bytes(
    byte if chr(byte).isalnum() or chr(byte) == "_" else 0x20 for byte in bytes(range(128)).lower()
) + bytes(128)


class Piece(NamedTuple):
    """A message has a word with ``text`` in it; the word begins with it (``begins``), ends with it
    (``ends``), or is it."""

    text: str
    begins: bool
    ends: bool


def words_of(messages: Iterable[bytes]) -> set[str]:
    """The words of messages, which are texts in UTF-8."""
    plain: list[bytes] = []
    other: list[bytes] = []
    for message in messages:
        (plain if message.isascii() else other).append(message)
    found = {word.decode("ascii") for word in set(b"\n".join(plain).translate(_ASCII).split())}
    if other:
        found.update(_WORD.findall(b"\n".join(other).decode("utf-8", "replace").casefold()))
    return {word[:LONGEST] for word in found}


def pieces_of(text: str) -> frozenset[Piece]:
    """The pieces of words that every message with this text has, in any case; empty if there are none."""
    folded = text.casefold()
    found = []
    for match in _WORD.finditer(folded):
        run = match[0]
        begins = match.start() > 0 or _ONE.match(run) is not None
        ends = match.end() < len(folded) or _ONE.match(run) is not None
        if len(run) > LONGEST or (begins and len(run) == LONGEST):
            # The index has only the beginning of a longer word.
            found.append(Piece(run[:LONGEST], True, False) if begins else Piece("", False, False))
        else:
            found.append(Piece(run, begins, ends))
    return frozenset(piece for piece in found if piece.text)
