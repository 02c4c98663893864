"""Fetches objects ahead, so that an answer does not wait for the store at each of them.

An answer reads its objects in order. While one is read, the next ones are fetched: one at first, and more as
the answer gets longer, since many answers end early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Generic, TypeVar

T = TypeVar("T")

#: The most objects of one answer that are fetched at the same time.
DEEPEST = 16
#: The most objects of all answers that are fetched at the same time.
AT_ONCE = 24
#: The most bytes of an object that are fetched ahead; the rest follows when the object is read.
HEAD = 256 << 10


class ReadAhead:
    """Fetches ahead for many answers, in up to ``at_once`` threads, which are started when needed. May be
    used by several threads."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._pool = ThreadPoolExecutor(at_once, "read-ahead")

    def of(self, objects: Iterable[T], read: Callable[[T], Iterator[bytes]], depth: int = 1) -> Fetching[T]:
        """The objects of one answer. ``read(object)`` yields the chunks of an object. ``depth`` are fetched
        while the first one is read: none if that is likely to be enough, DEEPEST if all will be read."""
        return Fetching(self._pool, objects, read, depth)


class Fetching(Generic[T]):
    """The objects of one answer, read in their order; objects may be skipped."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        objects: Iterable[T],
        read: Callable[[T], Iterator[bytes]],
        depth: int = 1,
    ) -> None:
        self._pool = pool
        self._waiting = deque(objects)
        self._read = read
        self._coming: dict[T, Future[tuple[list[bytes], Iterator[bytes]]]] = {}
        self._depth = depth

    def chunks(self, wanted: T) -> Iterator[bytes]:
        """The chunks of an object. Raises what reading it raises."""
        while wanted in self._waiting:
            self._waiting.popleft()
        future = self._coming.pop(wanted, None)
        self._fetch_more()
        # An object that no thread has begun to fetch is read here.
        if future is None or future.cancel():
            return self._read(wanted)
        head, rest = future.result()
        return chain(head, rest)

    def _fetch_more(self) -> None:
        while self._waiting and len(self._coming) < self._depth:
            ahead = self._waiting.popleft()
            self._coming[ahead] = self._pool.submit(self._head, ahead)
        self._depth = min(max(1, 2 * self._depth), DEEPEST)

    def _head(self, ahead: T) -> tuple[list[bytes], Iterator[bytes]]:
        chunks = self._read(ahead)
        head, size = [], 0
        for chunk in chunks:
            head.append(chunk)
            size += len(chunk)
            if size >= HEAD:
                break
        return head, chunks

    def close(self) -> None:
        """Fetch nothing more."""
        self._waiting.clear()
        for future in self._coming.values():
            future.cancel()
        self._coming.clear()
