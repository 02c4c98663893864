"""Text from outside, made fit for one line of a log or an error."""

from __future__ import annotations


def printable(text: str, limit: int = 2000) -> str:
    """``text`` on one line, with nothing in it that moves a cursor, breaks a line or turns the reading
    direction round: what Python does not call printable is written as its escape. What is longer than
    ``limit`` characters is cut, and says so."""
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
            for c in text
        )
    return f"{text}... ({cut} more characters)" if cut > 0 else text
