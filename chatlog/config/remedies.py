"""Suggests a correction for a value that is nearly right. Every function returns the rest of a sentence,
beginning with ``; ``, or ``""`` if it has no suggestion."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

# A longer text may be a misplaced credential.
_NAME = re.compile(r"[A-Za-z0-9_#.-]{1,25}\Z")
_SHELL = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)|%([A-Za-z_][A-Za-z0-9_]*)%|\{\{ *([A-Za-z_]\w*) *\}\}")
#: Characters that are invisible or look like others. They come with text that is copied from web pages.
_DECEIVING = {
    "\u00a0": "a no-break space",
    "\u200b": "a space without width",
    "\u200c": "a character without width",
    "\u200d": "a character without width",
    "\u2060": "a character without width",
    "\ufeff": "a byte order mark",
    "\u201c": "a curly quote",
    "\u201d": "a curly quote",
    "\u2018": "a curly quote",
    "\u2019": "a curly quote",
    "\u2013": "a long dash",
    "\u2014": "a long dash",
    "\uff1a": "a wide colon",
    "\u3000": "a wide space",
}
#: Units, each with the words that users write for it.
_UNITS = {
    "ms": "ms msec msecs millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "KB": "k kb kilobyte kilobytes ko",
    "MB": "m mb megabyte megabytes mo",
    "GB": "g gb gigabyte gigabytes go",
    "TB": "t tb terabyte terabytes to",
    "KiB": "ki",
    "MiB": "mi",
    "GiB": "gi",
}
_MINUTES = re.compile(r"([0-9]{1,6})\s*h[a-z]*\s*([0-9]{1,6})\s*m[a-z]*\Z", re.IGNORECASE)


def write_list(key: str, text: str) -> str:
    """A single value where a list belongs."""
    words = [word.strip("'\"") for word in re.split(r"[\s,;]+", text.strip(" ,;[]")) if word]
    if words and all(word.startswith("-") and _NAME.match(word[1:]) for word in words):
        return f"; there is a space between - and a name: - {words[0][1:]}"
    if "${" in text:
        words = ['"${NAME}"']
    elif not words or len(words) > 20 or not all(map(_NAME.match, words)):
        return f"; write {key}: [one, two]"
    return f"; write {key}: [{', '.join(words)}]"


def write_items(key: str, pairs: Sequence[tuple[str, str]], names: bool = False) -> str:
    """Keys with values (the values as text, ``""`` for none) where a list belongs. ``names``: its items are
    names of rooms and nothing else."""
    if not pairs or len(pairs) > 20 or not all(_NAME.match(name) for name, _ in pairs):
        return f"; write {key}: [one, two]"
    if names or not any(value for _, value in pairs):
        return f"; write {key}: [{', '.join(name for name, _ in pairs)}]"
    if key == "channels" and all(value.isdigit() for _, value in pairs):
        return f"; write {key}: [{', '.join(kick_room(*pair) for pair in pairs)}]"
    if key == "levels" and all(map(str.isalpha, (value for _, value in pairs))):
        return f"; write {key}: [{', '.join(f'{name}={value}' for name, value in pairs)}]"
    return f"; a list has a dash before each of its items, or is written {key}: [one, two]"


def write_value(key: str, pairs: Sequence[tuple[str, str]], names: bool) -> str:
    """Keys with values where a single value belongs: that of ``key``, or with ``names`` a room's name in a
    list."""
    if not names:
        return f"; write {key}: and the value behind it, on one line"
    named = [value for name, value in pairs if name.lower() in ("slug", "name", "login", "channel")]
    named = named or [name for name, _ in pairs]
    return f"; write {named[0]}" if len(named) == 1 and _NAME.match(named[0]) else "; write the name alone"


def kick_room(name: str, number: str) -> str:
    """A channel of Kick's with its id."""
    return f"{{slug: {name.lower()}, chatroom_id: {number}}}"


def write_keys(text: str, keys: Sequence[str]) -> str:
    """A single value where keys with values belong."""
    for key in keys:
        if text.startswith(f"{key}:"):
            return f"; the space after the colon is missing ({key}: ...)"
        if re.match(rf"{key}\s*=", text):
            return f"; a key ends with a colon ({key}: ...)"
    if "channels" in keys and _NAME.match(text):
        return f"; write channels: [{text}] below it"
    if "directory" in keys and text.startswith(("/", "./")):
        return "; write directory: in front of the path"
    return f"; such as {keys[0]}: ..., one on a line and indented"


def variable(text: str) -> str:
    """A variable in the way of a shell."""
    found = _SHELL.search(text)
    return f"; a variable is written ${{{next(filter(None, found.groups()))}}}" if found else ""


def dashes(text: str) -> str:
    """Items of a list that have become one, because a dash stands further in than those above it."""
    return "; the dashes of a list stand exactly below each other" if " - " in text else ""


def deceiving(text: str) -> str:
    """A character that looks like another one, or is invisible."""
    for sign in text:
        if sign in _DECEIVING:
            return f"; it holds {_DECEIVING[sign]} (U+{ord(sign):04X}), so type it anew"
    return ""


def quantity(text: str, units: Sequence[str]) -> str:
    """A duration or a size in other words; ``units`` are the possible units."""
    both = _MINUTES.match(text)
    if both and "m" in units:
        return f"; write {int(both[1]) * 60 + int(both[2])}m"
    match = re.match(r"([0-9]{1,15}(?:[.,][0-9]{1,9})?)\s*([A-Za-z]+)\Z", text)
    if match is None:
        return ""
    number, word = match[1].replace(",", "."), match[2].lower()
    meant = [unit for unit in units if word in _UNITS.get(unit, "").split()]
    return f"; write {number}{meant[0]}" if len(meant) == 1 else ""


def choice(text: str, words: Sequence[str]) -> str:
    """One of a few words, nearly."""
    folded = text.lower()
    if folded in words:
        return f"; write {folded}"
    if folded in ("no", "false", "off", "never", "disabled", "null") and "none" in words:
        return "; write none"
    near = [word for word in words if folded and (word.startswith(folded) or folded.startswith(word))]
    near = near or difflib.get_close_matches(folded, words, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""
