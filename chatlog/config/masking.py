"""Hides misplaced credentials in errors about a file or an address that cannot be read.

While a file is not understood, it is unknown which of its words are secret. So a word is hidden if it follows
the name of a secret anywhere in the file, or if it looks random.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
#: The names of secrets with their values: ``oauth: x``, ``token=x``, ``password: "x"``.
_NAMED = re.compile(
    r"(?i)\b\w*(?:oauth|token|secret|password|passwd|webhook|access_key)\w*[\"']?\s*[:=]+\s*([^\s][^\n]*)"
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
#: A variable, whose default may be a secret.
_VARIABLE = re.compile(r"\$\{\w*(?::-([^}]*))?\}")
_LOGIN = re.compile(r"//[^/@\s]*@")
_QUERY = re.compile(r"\?\S*")


def secrets_in(text: str) -> list[str]:
    """The words of a file that follow the name of a secret, the longest first, without names of variables."""
    found: set[str] = set()
    # The $ keeps the place of a variable: an empty value would end at the next line, in the name of its key.
    for match in _NAMED.finditer(_VARIABLE.sub(r"$ \1 ", text)):
        words = (_behind_host(word) for word in _BETWEEN.split(match[1]))
        found.update(word for word in words if len(word) >= _SHORTEST and not word.startswith("$"))
    return sorted(found, key=len, reverse=True)


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
