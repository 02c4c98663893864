"""Asking a store again while its trouble may pass, and telling trouble with one object from a store that is
away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from chatlog.store.store import TRANSIENT, StoreError

T = TypeVar("T")

#: Seconds between tries of a store in passing trouble.
PAUSES = (1.0, 3.0, 10.0)
#: So many calls in a row that failed in the end: the store itself may be away.
_SUSPICIOUS = 3
#: The code of an answer that did not come within the time that an object of any size may take.
_SLOW = "timeout"


class StoreAway(StoreError):
    """The store is away, or refuses to list what it has: there is no use in going on."""


class Patience:
    """Makes calls, from several threads. ``ask(call)`` may raise StoreError: that is the trouble of what was
    asked for. It raises StoreAway if the store as a whole does not answer: ``look`` finds that out, which
    raises StoreError then."""

    def __init__(self, sleep: Callable[[float], object], look: Callable[[], object]) -> None:
        self._sleep = sleep
        self._look = look
        self._lock = threading.Lock()
        self._failed = 0

    def ask(self, call: Callable[[], T]) -> T:
        """The result of a call, made again while its trouble may pass."""
        # Where nothing has come of waiting again and again, nobody waits.
        pauses = iter(() if self._failed >= _SUSPICIOUS else PAUSES)
        while True:
            try:
                return self._made(call)
            except StoreError as error:
                pause = next(pauses, None) if error.kind == TRANSIENT else None
                if pause is None:
                    self._failed_for_good(error)
                    raise
                if error.code == _SLOW:
                    # That took minutes already; once more is enough.
                    pauses = iter(())
            self._sleep(pause)

    def _made(self, call: Callable[[], T]) -> T:
        result = call()
        with self._lock:
            self._failed = 0
        return result

    def _failed_for_good(self, error: StoreError) -> None:
        """Find out whether it is the store that fails, where that may be."""
        suspicious = error.of_all
        if error.kind == TRANSIENT:
            with self._lock:
                self._failed += 1
                suspicious |= self._failed >= _SUSPICIOUS
        if suspicious:
            try:
                self._look()
            except StoreError as away:
                raise StoreAway(str(away), away.kind, away.code, away.remedy, away.of_all) from error
