"""The suppression list for readers: records of people on it are not shown, also not older ones."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from chatlog.config.settings import Settings
from chatlog.store.store import MISCONFIGURED, Store, StoreError
from chatlog.suppression.book import read_list
from chatlog.suppression.key_file import KeyFileError, key_in
from chatlog.suppression.suppressions import OptedOutPeople, Suppressions

#: Seconds after which the list is read again.
FRESH = 10.0


class Hidden:
    """The list. ``read()`` returns it, and why its key cannot be used (``""`` if it can). It is read at first
    use, and again once it is older than FRESH. While the store does not answer, the last list stays in force.
    If the list is ``strict``, nothing is shown while its people cannot be recognised. May be used by several
    threads."""

    def __init__(
        self,
        read: Callable[[], tuple[Suppressions, str]] = lambda: (Suppressions(), ""),
        strict: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read = read
        self._strict = strict
        self._clock = clock
        self._lock = Lock()
        self._list: Suppressions | None = None
        self._at = float("-inf")
        #: Why the people on the list cannot be recognised; "" if they can, or if the list is empty.
        self.trouble = ""

    def now(self) -> Suppressions:
        """The list. Raises StoreError if it was never read, or if it is strict and its people cannot be
        recognised."""
        found = self._list
        if found is None or self._clock() - self._at >= FRESH:
            found = self._renewed(found)
        if self._strict and self.trouble:
            raise StoreError(f"the opt-out list cannot be applied: {self.trouble}", MISCONFIGURED)
        return found

    def of_room(self, platform: str, channel: str = "") -> OptedOutPeople | None:
        """The people who are not shown in a room, or, without ``channel``, in any room of the platform; None
        if there are none. Raises StoreError as ``now`` does."""
        return self.now().who(platform, channel)

    def renew(self) -> None:
        """Read the list now. Raises StoreError."""
        with self._lock:
            self._take(*self._read())

    def _renewed(self, known: Suppressions | None) -> Suppressions:
        # One thread asks the store. The others go on with the list that is known, or wait for the first one.
        if not self._lock.acquire(blocking=known is None):
            assert known is not None
            return known
        try:
            if self._list is not None and self._clock() - self._at < FRESH:
                return self._list
            try:
                return self._take(*self._read())
            except StoreError:
                if self._list is None:
                    raise
                self._at = self._clock()
                return self._list
        finally:
            self._lock.release()

    def _take(self, found: Suppressions, trouble: str) -> Suppressions:
        known = self._list
        self._at = self._clock()
        self.trouble = trouble or found.trouble
        # An unchanged list keeps the digests and names that it has learned.
        if known is None or known.version != found.version:
            self._list = known = found
        return known


def hidden_in(settings: Settings, store: Store) -> Hidden:
    """The list of an archive. It is strict where the archive is public."""

    def read() -> tuple[Suppressions, str]:
        try:
            key, trouble = key_in(settings), ""
        except KeyFileError as error:
            key, trouble = None, str(error)
        found = read_list(store, key)
        return found, trouble if found.people else ""

    return Hidden(read, settings.archive.public)
