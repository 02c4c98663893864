"""Finds texts that every match of a regular expression has, if the pattern is simple."""

from __future__ import annotations

from collections.abc import Iterator

#: Escapes of one letter for a kind of character or a place.
_KINDS = frozenset("bBdDsSwWAzntrfv")
_MARKS = frozenset(".^$()[]{}?*+\\|")


class _Unclear(Exception):
    """The pattern is not simple."""


def texts_of(pattern: str) -> list[str]:
    """Texts in lower case: every match of the pattern (in RE2's syntax) has each of them, in any case. Empty
    if that is not certain: with alternatives, switches, or rarer escapes."""
    try:
        return [text for text in _texts(pattern) if text]
    except _Unclear:
        return []


def _texts(pattern: str) -> Iterator[str]:
    if "|" in pattern or "(?" in pattern:
        raise _Unclear
    run, at, depth = "", 0, 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "\\":
            after = pattern[at : at + 1]
            at += 1
            if after in _KINDS and after:
                sign = ""
            elif after.isascii() and not after.isalnum() and after:
                sign = after
            else:
                raise _Unclear
        elif sign == "[":
            at, sign = _behind_class(pattern, at), ""
        elif sign == "{":
            # The sign before a repetition may be missing, and the text cannot go on behind it.
            end = pattern.find("}", at)
            run, sign, at = run[:-1], "", end + 1 if end >= 0 else at
        elif sign in "?*":
            run, sign = run[:-1], ""
        elif sign in "()":
            # Groups are left out.
            depth, sign = depth + (1 if sign == "(" else -1), ""
        elif sign in _MARKS or not sign.isascii():
            sign = ""
        if sign and not depth:
            run += sign.lower()
            continue
        yield run
        run = ""
    yield run


def _behind_class(pattern: str, at: int) -> int:
    """The position behind a class of characters that begins before ``at``."""
    if pattern.startswith("^", at):
        at += 1
    if pattern.startswith("]", at):
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "[":
            raise _Unclear
        at += 2 if pattern[at] == "\\" else 1
    return at + 1
