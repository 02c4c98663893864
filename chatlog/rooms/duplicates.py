"""Recognising what arrives more than once.

Two connections overlap when a server asks for a reconnect, and always with two lanes; a service that
remembers what was said repeats it; and Twitch itself may send a message twice. Memory is bounded by
two generations of keys: the older one is forgotten when the younger is full, or old enough.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

#: How long, in seconds, two connections may lie apart in delivering the same event without an id.
WITHOUT_ID_WINDOW = 20.0
#: Seconds by which one connection may be behind the other when it gets the room.
BEHIND = 2.0
#: For how many seconds an id is remembered at least. A connection that stands still for a minute is
#: given up; until then it may come to life again and deliver all that it owes.
REMEMBERED = 90.0
#: Events without an id that look the same, of which this many are told apart.
_ALIKE = 16
#: Of events without an id, which are rare, a tenth of the limit is remembered: they take more.
_RARE = 10


class Duplicates:
    """Remembers events for ``seconds``, or fewer if there are more than ``limit`` in that time. An id
    takes about 80 bytes."""

    __slots__ = ("_began", "_limit", "_nameless", "_older", "_older_nameless", "_seconds", "_younger")

    def __init__(self, limit: int = 250_000, seconds: float = REMEMBERED) -> None:
        self._limit = limit
        self._seconds = seconds
        self._began = float("-inf")
        # Hashes, whose chance to meet by accident is one in 2 ** 64 for any two: sets of numbers take
        # a third of what the ids themselves would take.
        self._younger: set[int] = set()
        self._older: set[int] = set()
        # When events without an id were recorded, with the connections that have brought each.
        self._nameless: dict[int, list[tuple[float, set[int]]]] = {}
        self._older_nameless: dict[int, list[tuple[float, set[int]]]] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older) + len(self._nameless) + len(self._older_nameless)

    def seen(
        self,
        key: Hashable,
        connection: int,
        now: float,
        identified: bool,
        window: float = WITHOUT_ID_WINDOW,
        since: float = -math.inf,
    ) -> bool:
        """Whether ``key`` was here before; remembers it if not.

        An event that carries an id of its own (``identified``) is a duplicate wherever it comes from.
        One without is a duplicate only when another connection has brought it within the last ``window``
        seconds, and this one has not: the same connection saying the same thing again means that it
        happened again. Where it is known ``since`` when this one has had the room, what was brought before
        that is none of its.
        """
        number = hash(key)
        if not identified:
            return self._seen_nameless(number, connection, now, window, since)
        if number in self._younger or number in self._older:
            return True
        if len(self._younger) >= self._limit or now - self._began > self._seconds:
            self._turn(now)
        self._younger.add(number)
        return False

    def _seen_nameless(self, number: int, connection: int, now: float, window: float, since: float) -> bool:
        recorded = self._nameless.get(number) or self._older_nameless.get(number) or []
        # The latest first: a connection that missed the first of two brings the second.
        oldest = max(now - window, since - BEHIND)
        for at, brought_by in reversed(recorded):
            if connection not in brought_by and at > oldest:
                brought_by.add(connection)
                return True
        if len(self._nameless) >= self._limit // _RARE or now - self._began > self._seconds:
            self._turn(now)
        self._nameless[number] = [*recorded[1 - _ALIKE :], (now, {connection})]
        return False

    def _turn(self, now: float) -> None:
        """Forget what is neither new nor of the generation before."""
        self._began = now
        self._older, self._younger = self._younger, set()
        self._older_nameless, self._nameless = self._nameless, {}


class Repeats:
    """Recognises lines that are the same to the last byte as one of the last ``limit`` to ``2 * limit``.

    Costs a quarter of a microsecond, so that it can be asked for every line. Whether such a line really
    is a copy depends on what it says: two events may look the same.
    """

    __slots__ = ("_limit", "older", "younger")

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        #: Hashes of lines, for those who cannot afford a call of ``seen`` for every line.
        self.younger: set[int] = set()
        self.older: set[int] = set()

    def seen(self, line: bytes) -> bool:
        """Whether the line was here before; remembers it if not."""
        number = hash(line)
        if number in self.younger or number in self.older:
            return True
        self.younger.add(number)
        self.forget_old()
        return False

    def forget_old(self) -> None:
        """Forget what is too old; to be called once a read where lines are added without ``seen``."""
        if len(self.younger) >= self._limit:
            self.older, self.younger = self.younger, set()
