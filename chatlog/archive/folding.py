"""Finds a text in lines without parsing them, ignoring case.

Texts are compared after Unicode's case folding (``str.casefold``): ``STRASSE`` finds ``straße``, and the
Kelvin sign is a ``k``. A search has two steps: RE2 searches the bytes for lines that may have the text; then
their messages are parsed and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

from chatlog.record import to_line

#: The beginning of the escape of half a surrogate pair. A line with such an escape is written in ASCII
#: throughout.
_HALF_PAIR = r"\\ud[89a-f]"


@cache
def _expanding() -> str:
    """A pattern for the characters that fold to several characters, which RE2 does not support. They are all
    in the first plane: to look through the others takes half a second."""
    codes = chain(range(0x80, 0xD800), range(0xE000, 0x10000))
    return f"[{''.join(chr(code) for code in codes if len(chr(code).casefold()) > 1)}]"


class FoldedText:
    """A text to find. ``lines(block)`` yields the starts of the lines that may have it, and ``within(text)``
    says whether a text has it."""

    def __init__(self, text: str) -> None:
        import re2

        self._folded = text.casefold()
        # The text as a line has it, with quotation marks and the like escaped.
        written = to_line(self._folded.encode("utf-8", "replace").decode()).decode().strip()[1:-1]
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        pattern = f"{re2.escape(written)}|{_expanding()}|{_HALF_PAIR}"
        self._pattern: Any = re2.compile(pattern.encode(), options)

    def within(self, text: str) -> bool:
        """Whether the text has it."""
        return self._folded in text.casefold()

    def lines(self, block: bytes) -> Iterator[int]:
        """Positions in the block, in order, of the lines that may have it."""
        search = self._pattern.search
        match = search(block)
        while match is not None:
            at = match.start()
            yield block.rfind(b"\n", 0, at) + 1
            end = block.find(b"\n", at)
            if end < 0:
                return
            match = search(block, end)
