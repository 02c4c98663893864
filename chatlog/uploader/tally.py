"""Counts the uploads."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from chatlog.counted import many
from chatlog.counters import Counters
from chatlog.uploader.deposit import Stored
from chatlog.uploader.whose_trouble import rounded

#: Seconds between two lines of the log about objects whose name was taken.
RENAMED_AGAIN = 3600.0


class Tally:
    """``last_success`` is the time of day at which the latest object was verified, None before the first."""

    _log = Logger()

    def __init__(self, counters: Counters, wall: Callable[[], float]) -> None:
        self._counters = counters
        self._wall = wall
        # Files and bytes since the last time that no file waited.
        self._since_empty = (0, 0)
        self.last_success: float | None = None
        self._renamed_at = float("-inf")

    def add(self, stored: Stored, again: bool, asked: str) -> None:
        """An object was verified, and its files are gone. ``again``: it was in the store before. ``asked``:
        the name that it was to have."""
        if stored.name != asked:
            self._renamed(stored.name, asked)
        count = len(stored.inside) or 1
        self._counters.uploaded += count
        self._counters.verified += count
        self._counters.deleted += count
        if again:
            self._counters.upload_retries["conflict"] += 1
        self.last_success = self._wall()
        files, size = self._since_empty
        self._since_empty = files + count, size + stored.bytes
        self._log.debug("stored {key}, {size} bytes", key=stored.key, size=stored.bytes)

    def _renamed(self, name: str, asked: str) -> None:
        now = self._wall()
        if now - self._renamed_at >= RENAMED_AGAIN:
            self._renamed_at = now
            self._log.warn(
                "{asked} is in the store as {stored}, because another object has its name. If this line "
                "comes every hour, another recorder stores under the same name: give each its own `instance`",
                asked=asked,
                stored=name,
            )

    def found(self, files: int, size: int) -> None:
        """So many files, of so many bytes, wait from an earlier run."""
        self._log.info(
            "{files} for upload, {size}",
            files=many(files, "file of an earlier run waits", "files of an earlier run wait"),
            count=files,
            size=rounded(size),
        )

    def none_waits(self) -> None:
        """No file waits any more."""
        files, size = self._since_empty
        if files:
            self._since_empty = 0, 0
            self._log.info(
                "{files} in the store, {size}; none waits",
                files=many(files, "file is", "files are"),
                count=files,
                size=rounded(size),
            )
