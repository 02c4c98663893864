"""Makes text from outside safe for one line of a log or an error."""

from __future__ import annotations


def printable(text: str, limit: int = 2000) -> str:
    """``text`` as one line, without characters that move a cursor, break a line or change the direction of
    reading: characters that are not printable for Python are escaped. A text of more than ``limit``
    characters is cut, with a remark."""
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
            for c in text
        )
    return f"{text}... ({cut} more characters)" if cut > 0 else text
