"""Repeats requests to a store while an error may pass, and notices when the store itself is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from chatlog.store.store import TRANSIENT, StoreError

T = TypeVar("T")

#: Seconds between two attempts after an error that may pass.
PAUSES = (1.0, 3.0, 10.0)
#: After so many failed calls in a row, the store itself may be away.
_SUSPICIOUS = 3
#: The code of the error after the longest time that a request may take.
_SLOW = "timeout"


class StoreAway(StoreError):
    """The store is away or refuses to list objects: the verification cannot go on."""


class Patience:
    """Makes calls, from several threads. ``ask(call)`` raises StoreError for an error of one object, and
    StoreAway if the store as a whole fails. ``check()`` finds that out, and raises StoreError then."""

    def __init__(self, sleep: Callable[[float], object], check: Callable[[], object]) -> None:
        self._sleep = sleep
        self._check = check
        self._lock = threading.Lock()
        self._failed = 0

    def ask(self, call: Callable[[], T]) -> T:
        """The result of a call, which is repeated after errors that may pass."""
        # After several calls that failed in spite of pauses, there are no more pauses.
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
                    # The call took minutes; one more attempt is enough.
                    pauses = iter(())
            self._sleep(pause)

    def _made(self, call: Callable[[], T]) -> T:
        result = call()
        with self._lock:
            self._failed = 0
        return result

    def _failed_for_good(self, error: StoreError) -> None:
        """Find out whether the store itself fails, if that is possible."""
        suspicious = error.of_all
        if error.kind == TRANSIENT:
            with self._lock:
                self._failed += 1
                suspicious |= self._failed >= _SUSPICIOUS
        if suspicious:
            try:
                self._check()
            except StoreError as away:
                raise StoreAway(str(away), away.kind, away.code, away.remedy, away.of_all) from error
