"""Recognises events that arrive more than once.

Two connections overlap when a server asks for a reconnect, and always with two lanes. A service of recent
messages repeats earlier events. And Twitch itself may send a message twice. Two generations of keys limit the
memory: the older one is dropped when the younger one is full, or old enough.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

#: The most seconds between two connections' deliveries of the same event without an id.
WITHOUT_ID_WINDOW = 20.0
#: The most seconds by which one connection may be behind the other when it gets the room.
BEHIND = 2.0
#: The fewest seconds for which an id is kept. A stalled connection is given up after a minute; until then it
#: may recover and deliver everything that was delayed.
REMEMBERED = 90.0
#: The most equal events without an id that are counted separately.
_ALIKE = 16
#: Events without an id are rare and take more memory; a tenth of the limit is kept for them.
_RARE = 10


class Duplicates:
    """Keeps the keys of events for ``seconds``, or for less if there are more than ``limit`` in that time. An
    id takes about 80 bytes."""

    __slots__ = ("_began", "_limit", "_nameless", "_older", "_older_nameless", "_seconds", "_younger")

    def __init__(self, limit: int = 250_000, seconds: float = REMEMBERED) -> None:
        self._limit = limit
        self._seconds = seconds
        self._began = float("-inf")
        # Hashes; two of them are equal by accident once in 2 ** 64. Sets of numbers take a third of the
        # memory of the ids themselves.
        self._younger: set[int] = set()
        self._older: set[int] = set()
        # When events without an id were recorded, and the connections that delivered each.
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
        """Whether ``key`` was seen before; keeps it if not.

        An event with an id of its own (``identified``) is a duplicate if any connection delivered it. An
        event without one is a duplicate only if another connection delivered it within the last ``window``
        seconds, and this connection did not: if one connection delivers it again, it happened again.
        ``since``: when this connection got the room; an event delivered before that is not the original of
        one of its events.
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
        # The latest first: a connection that missed the first of two equal events delivers the second.
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
        """Drop the older generation, and begin a new one."""
        self._began = now
        self._older, self._younger = self._younger, set()
        self._older_nameless, self._nameless = self._nameless, {}


class Repeats:
    """Recognises lines that equal one of the last ``limit`` to ``2 * limit`` lines, byte by byte.

    A check costs a quarter of a microsecond, so every line can be checked. Whether an equal line really is a
    copy depends on its contents: two events may look the same.
    """

    __slots__ = ("_limit", "older", "younger")

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        #: Hashes of lines, for callers that cannot afford a call of ``seen`` for every line.
        self.younger: set[int] = set()
        self.older: set[int] = set()

    def seen(self, line: bytes) -> bool:
        """Whether the line was seen before; keeps it if not."""
        number = hash(line)
        if number in self.younger or number in self.older:
            return True
        self.younger.add(number)
        self.forget_old()
        return False

    def forget_old(self) -> None:
        """Drop lines that are too old. Call this once for each read if lines are added without ``seen``."""
        if len(self.younger) >= self._limit:
            self.older, self.younger = self.younger, set()
