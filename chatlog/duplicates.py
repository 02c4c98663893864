"""Recognising what arrives twice because two connections carry the same room.

Two connections overlap when a server asks for a reconnect, and always with two lanes. Memory is
bounded by two generations of keys: the older one is forgotten when the younger is full.
"""

from __future__ import annotations

from collections.abc import Hashable

#: How long, in seconds, two connections may lie apart in delivering the same event without an id.
WITHOUT_ID_WINDOW = 10.0


class Duplicates:
    """Remembers the last ``limit`` to ``2 * limit`` keys."""

    __slots__ = ("_limit", "_older", "_younger")

    def __init__(self, limit: int = 30_000) -> None:
        self._limit = limit
        self._younger: dict[Hashable, tuple[int, float]] = {}
        self._older: dict[Hashable, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def seen(self, key: Hashable, connection: int, now: float, identified: bool) -> bool:
        """Whether ``key`` was here before; remembers it if not.

        An event that carries an id of its own (``identified``) is a duplicate wherever it comes from.
        One without is a duplicate only when another connection brought it within the last seconds:
        the same connection saying the same thing again means that it happened again.
        """
        first = self._younger.get(key) or self._older.get(key)
        if first is not None and (
            identified or (first[0] != connection and now - first[1] < WITHOUT_ID_WINDOW)
        ):
            return True
        if len(self._younger) >= self._limit:
            self._older = self._younger
            self._younger = {}
        self._younger[key] = (connection, now)
        return False
