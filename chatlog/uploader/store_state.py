"""The state of the store, and when the log reports it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from twisted.logger import Logger

from chatlog.counted import many
from chatlog.services import Backoff
from chatlog.store.store import CLOCK, MISCONFIGURED, OBJECT, REFUSED, UNSUPPORTED, Store, StoreError

#: Seconds between two attempts while the store refuses, and between two log lines about that.
REFUSED_AGAIN = 60.0
REPORT_AGAIN = 600.0

OK = "ok"
RETRYING = "retrying"
_STATES: Mapping[str, str] = MappingProxyType(
    {
        REFUSED: "refused",
        MISCONFIGURED: "refused",
        UNSUPPORTED: "refused",
        OBJECT: "refused",
        CLOCK: "clock wrong",
    }
)


class StoreState:
    """``name`` is ``ok``, ``retrying``, ``refused`` or ``clock wrong``. ``words`` is the store's own text,
    ``remedy`` what to do about it; both are ``""`` if there is nothing to say."""

    _log = Logger()

    def __init__(self, store: Store, backoff: Backoff) -> None:
        self._store = store
        self._backoff = backoff
        self._code = ""
        self._reported_at = float("-inf")
        self.name = OK
        self.words = ""
        self.remedy = ""

    def trouble(self, error: BaseException | None, waiting: int, now: float) -> float:
        """The store failed while ``waiting`` files wait. Returns the seconds until the next attempt."""
        name, code, remedy = RETRYING, type(error).__name__, ""
        if isinstance(error, StoreError):
            name, code, remedy = _STATES.get(error.kind, RETRYING), error.code, error.remedy
        changed = (name, code) != (self.name, self._code)
        self.name, self._code, self.words, self.remedy = name, code, str(error), remedy
        if changed or (name != RETRYING and now - self._reported_at >= REPORT_AGAIN):
            self._reported_at = now
            self._report(waiting)
        return self._backoff.next() if name == RETRYING else REFUSED_AGAIN

    def _report(self, waiting: int) -> None:
        store = self._store.describe()
        words = f"{self.words}; {self.remedy}" if self.remedy else self.words
        if self.name == RETRYING:
            self._log.warn(
                "{store}: {error}; {files}, and it is tried again",
                store=store,
                error=words,
                files=many(waiting, "file waits", "files wait"),
                count=waiting,
            )
        else:
            self._log.error(
                "{store} refuses: {error}; {files} on the disk, one try a minute",
                store=store,
                error=words,
                files=many(waiting, "file waits and stays", "files wait and stay"),
                count=waiting,
            )

    def well(self, waiting: int) -> None:
        """The store works again, and ``waiting`` files still wait."""
        self.name, self._code, self.words, self.remedy = OK, "", "", ""
        self._backoff.reset()
        self._log.info("{store} takes files again; {count} wait", store=self._store.describe(), count=waiting)
