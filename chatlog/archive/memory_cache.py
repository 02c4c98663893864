"""Keeps values that were looked up, up to a size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class MemoryCache(Generic[V]):
    """Values by key, up to a sum of their sizes, those that were used last. May be used by several
    threads."""

    def __init__(self, most: int, size: Callable[[V], int]) -> None:
        self._most = most
        self._size_of = size
        self._size = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def of(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, which is made if it is not there."""
        found = self.get(key)
        if found is not None:
            return found
        value = make()
        self.put(key, value)
        return value

    def get(self, key: Hashable) -> V | None:
        """The value of a key; None if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value that is never changed."""
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._size += self._size_of(value)
            self._forget()

    def replace(self, key: Hashable, value: V) -> None:
        """Keep a value instead of the one that is there."""
        with self._lock:
            if key in self._values:
                self._size -= self._size_of(self._values.pop(key))
            self._values[key] = value
            self._size += self._size_of(value)
            self._forget()

    def _forget(self) -> None:
        while self._size > self._most and len(self._values) > 1:
            self._size -= self._size_of(self._values.popitem(last=False)[1])
