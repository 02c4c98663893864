"""Credentials that went astray, taken out of what is said about a file or an address that cannot be read.

While a file is not understood, nobody knows which of its words are secret. So a word is hidden if it stands
behind the name of a secret anywhere in the file, or looks as only made-up words do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
#: What is secret by its name, with its value: ``oauth: x``, ``token=x``, ``password: "x"``.
_NAMED = re.compile(
    r"(?i)\b\w*(?:oauth|token|secret|password|passwd|webhook|access_key)\w*[\"']?\s*[:=]+\s*([^\s][^\n]*)"
)
#: Between the words of a value; what a secret may hold is not among it.
_BETWEEN = re.compile(r"[\s\"'`\[\]{},;<>]+")
#: A word may be secret if it has this many characters; the beginning of it is enough to know it by.
_SHORTEST = 8
#: Words that look made up: long ones in which letters and digits take turns this often. Amazon's ids of keys
#: do not have to.
_WORD = re.compile(r"[A-Za-z0-9+=%]{16,}")
_KEY_ID = re.compile(r"(?i)\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_TURN = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
_TURNS = 3
#: A variable; what it has where it is not set may be a secret.
_VARIABLE = re.compile(r"\$\{\w*(?::-([^}]*))?\}")
_LOGIN = re.compile(r"//[^/@\s]*@")
_QUERY = re.compile(r"\?\S*")


def secrets_in(text: str) -> list[str]:
    """The words of a file that stand behind the name of a secret, the longest first. Names of variables are
    none."""
    found: set[str] = set()
    for match in _NAMED.finditer(_VARIABLE.sub(r" \1 ", text)):
        words = (_behind_host(word) for word in _BETWEEN.split(match[1]))
        found.update(word for word in words if len(word) >= _SHORTEST and not word.startswith("$"))
    return sorted(found, key=len, reverse=True)


def _behind_host(word: str) -> str:
    """What is secret of a word: of an address not its beginning, which others share."""
    _, slashes, rest = word.partition("://")
    return rest.partition("/")[2] if slashes else word


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without these secrets, as far as it shows them from their beginning on, in capital or small
    letters; and without words that look made up."""
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
