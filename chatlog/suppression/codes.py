"""Codes with which people opt out in a chat.

A code is made of the secret of the opt-out list and of the time. So the server that gives it and the
recorders that read it in a chat need no connection to each other; they share only the secret. A code does not
prove who writes it: the platform does. It prevents that a person opts out by mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbelow

from chatlog.suppression.names import Key

#: Seconds of a slot. A code is good in the slot in which it is given and in the next one.
SLOT = 120.0
#: The most codes that are given in a slot, and the characters of a code.
MOST = 1000
LENGTH = 6
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
#: The characters of a code that are its number.
_NUMBER = 2


def code_of(key: Key, slot: int, number: int) -> str:
    """One of the codes of a slot. It begins with its number, so that it need not be compared with all
    codes."""
    proof = int(key.of_code(slot, number)[:15], 16)
    return _written(number, _NUMBER) + _written(proof, LENGTH - _NUMBER)


def _written(value: int, length: int) -> str:
    text = ""
    for _ in range(length):
        value, digit = divmod(value, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text


class GivenCodes:
    """Gives codes. ``choose(n)`` returns a number below n."""

    def __init__(self, choose: Callable[[int], int] = randbelow) -> None:
        self._choose = choose
        self._slot = -1
        self._first = self._given = 0

    def next(self, key: Key, now: float) -> str | None:
        """A code that was not given yet; None if too many were given lately. ``now``: the time of day."""
        slot = int(now // SLOT)
        if slot != self._slot:
            # Not from 0: a server that was started again would give the same codes again.
            self._slot, self._first, self._given = slot, self._choose(MOST), 0
        if self._given >= MOST:
            return None
        self._given += 1
        return code_of(key, slot, (self._first + self._given) % MOST)


class TakenCodes:
    """Knows which codes are good, and which were used: each is good for one person."""

    def __init__(self, key: Key) -> None:
        self._key = key
        #: The slot after which each used code is good no more.
        self._used: dict[str, int] = {}

    def is_good(self, code: str, now: float) -> bool:
        """Whether a code can be used. ``now``: the time of day."""
        if len(code) != LENGTH or not code.isascii() or not code.isalnum() or code in self._used:
            return False
        number, slot = int(code[:_NUMBER], len(_ALPHABET)), int(now // SLOT)
        # The server's clock may be a little ahead.
        return number < MOST and any(
            code_of(self._key, each, number) == code for each in range(slot - 1, slot + 2)
        )

    def use(self, code: str, now: float) -> None:
        """Note that a code was used."""
        slot = int(now // SLOT)
        self._used = {used: last for used, last in self._used.items() if last >= slot}
        self._used[code] = slot + 2
