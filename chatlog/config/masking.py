"""Hides misplaced credentials in errors about a file or an address that cannot be read.

While a file is not understood, it is unknown which of its words are secret. So a word is hidden if it follows
the name of a secret anywhere in the file, or if it looks random.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator

HIDDEN = "***"
#: The names of secrets with their values: ``oauth: x``, ``token=x``, ``password: "x"``.
_NAMED = re.compile(
    r"(?i)\b\w*(?:oauth|token|secret|password|passwd|webhook(?!_format)|(?:access|signing|optout)_key)\w*[\"']?\s*[:=]+\s*([^\s][^\n]*)"
)
#: The separators of words in a value. No secret contains one of these.
_BETWEEN = re.compile(r"[\s\"'`\[\]{},;<>]+")
#: The fewest characters of a secret word. So many characters of its beginning are enough to recognise it.
_SHORTEST = 8
#: Words that look random: long ones in which letters and digits alternate at least this often. Amazon's key
#: ids are recognised by their prefix.
_WORD = re.compile(r"[A-Za-z0-9+=%]{16,}")
_KEY_ID = re.compile(r"(?i)\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_TURN = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
_TURNS = 3
#: The most letters by which a misspelt key is longer or shorter.
_SLIPS = 2
#: A part of the path of a key at the beginning of a sentence: ``alarms.``, ``channels[3]: ``.
_PART = re.compile(r"(\w+)(?:\[\d+\])?(\.|: )")
#: A variable, whose default may be a secret.
_VARIABLE = re.compile(r"\$\{\w*(?::-([^}]*))?\}")
_LOGIN = re.compile(r"//[^/@\s]*@")
_QUERY = re.compile(r"\?\S*")


def secrets_in(text: str, keys: Collection[str] = ()) -> list[str]:
    """The words of a file that follow the name of a secret in its line, the longest first, without names of
    variables, and without these ``keys`` and their misspellings where they are keys."""
    found: set[str] = set()
    # The $ keeps the place of a variable: an empty value would end at the next line, in the name of its key.
    for match in _NAMED.finditer(_VARIABLE.sub(r"$ \1 ", text)):
        words = (_behind_host(word) for word in _without_keys(_BETWEEN.split(match[1]), keys))
        found.update(word for word in words if len(word) >= _SHORTEST and not word.startswith("$"))
    return sorted(found, key=len, reverse=True)


def _without_keys(words: list[str], keys: Collection[str]) -> Iterator[str]:
    for word, behind in zip(words, [*words[1:], ""], strict=True):
        if not ((word.endswith(":") or behind.startswith(":")) and _is_key(word.removesuffix(":"), keys)):
            yield word


def _is_key(word: str, keys: Collection[str]) -> bool:
    # A secret that ran together with a key is much longer than the key.
    alike = difflib.get_close_matches(word.lower().replace("-", "_"), keys, 1, 0.8)
    return any(abs(len(word) - len(key)) <= _SLIPS for key in alike)


def _behind_host(word: str) -> str:
    """The secret part of a word: for an address, only its path."""
    _, slashes, rest = word.partition("://")
    return rest.partition("/")[2] if slashes else word


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without these secrets and their beginnings, in upper or lower case, and without words that
    look random."""
    for secret in secrets:
        text = _without(text, secret)
        plain = re.sub(r"[^A-Za-z0-9]", "", secret)
        if plain != secret and len(plain) >= _SHORTEST:
            text = _without(text, plain)
    text = _KEY_ID.sub(HIDDEN, text)
    return _WORD.sub(lambda word: HIDDEN if len(_TURN.findall(word[0])) >= _TURNS else word[0], text)


def masked_behind_path(text: str, secrets: Iterable[str], keys: Collection[str]) -> str:
    """A sentence that begins with the path of a key, masked; the path stays if all its parts are ``keys``."""
    at = 0
    while (part := _PART.match(text, at)) and part[1] in keys:
        at = part.end()
        if part[2] == ": ":
            return text[:at] + masked(text[at:], secrets)
    return masked(text, secrets)


def _without(text: str, secret: str) -> str:
    begin = secret[:_SHORTEST].lower()
    at = text.lower().find(begin)
    while at >= 0:
        end = at
        while end - at < len(secret) and text[end : end + 1].lower() == secret[end - at].lower():
            end += 1
        text = text[:at] + HIDDEN + text[end:]
        at = text.lower().find(begin, at + len(HIDDEN))
    return text


def masked_address(url: str) -> str:
    """An address without login and query, which may hold a key."""
    return _QUERY.sub(f"?{HIDDEN}", _LOGIN.sub(f"//{HIDDEN}@", url))
