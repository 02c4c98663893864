"""The names of the entries in the suppression list, and the key that makes them.

    optout/{platform}/{person}                         wants to be recorded nowhere
    optout/{platform}/{person}.in.{channel}            ... not in this room
    optout/{platform}/{person}.name.{name}             is, or was, called so
    optout/key.{check}                                 the list was written with this key

``person`` is the HMAC-SHA256 of the platform's id under a secret key, ``name`` that of the name in lower case
behind an ``@``. So the archive does not show who opted out, and with the key one can check whether a given
person did. A listing of the names is all that a reader needs; the objects hold a word about when and how.
"""

from __future__ import annotations

import hmac
import os
import re
from typing import NamedTuple

#: The folder of the list.
FOLDER = "optout/"
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_ENTRY = re.compile(
    r"optout/(?P<platform>[a-z]{1,16})/(?P<person>[0-9a-f]{64})"
    r"(?:\.in\.(?P<channel>[a-z0-9_-]{1,64})|\.name\.(?P<name>[0-9a-f]{64}))?\Z"
)
_CHECK = re.compile(r"optout/key\.([0-9a-f]{16})\Z")


class Entry(NamedTuple):
    """One entry: a person everywhere, in one room, or, where ``name`` is given, one of the person's names."""

    platform: str
    person: str
    channel: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """The key of the entry's object."""
        end = f".in.{self.channel}" if self.channel else f".name.{self.name}" if self.name else ""
        return f"{FOLDER}{self.platform}/{self.person}{end}"


def entry_of(key: str) -> Entry | None:
    """The entry of an object's key; None if it is none."""
    if match := _ENTRY.match(key):
        return Entry(match["platform"], match["person"], match["channel"] or "", match["name"] or "")
    return None


def check_of(key: str) -> str:
    """The check of an object's key that says with which key the list was written; ``""`` for others."""
    return match[1] if (match := _CHECK.match(key)) else ""


class Key:
    """The secret of a list: 64 hexadecimal digits. Raises ValueError for others."""

    def __init__(self, text: str) -> None:
        if not _HEX.match(text):
            raise ValueError("is no key: 64 hexadecimal digits, as openssl rand -hex 32 prints them")
        # A copy takes half the time of beginning anew.
        self._begun = hmac.new(bytes.fromhex(text), digestmod="sha256")

    def of_id(self, id: str) -> str:
        """The digest that stands for the person with this id."""
        return self._digest(id)

    def of_name(self, name: str) -> str:
        """The digest that stands for this name, in lower case."""
        return self._digest(f"@{name}")

    def of_request(self, text: str) -> str:
        """The digest that stands for a request to be erased."""
        return self._digest(f"@@request {text}")[:16]

    def of_code(self, slot: int, number: int) -> str:
        """The digest of which a code to opt out is made."""
        return self._digest(f"@@code {slot} {number}")

    @property
    def check(self) -> str:
        """Differs from that of other keys, and reveals nothing about the key."""
        return self._digest("@@key")[:16]

    @property
    def check_key(self) -> str:
        """The key of the object that says that a list was written with this key."""
        return f"{FOLDER}key.{self.check}"

    def _digest(self, text: str) -> str:
        digest = self._begun.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def new_key() -> str:
    """A new secret, as a configuration takes it."""
    return os.urandom(32).hex()
