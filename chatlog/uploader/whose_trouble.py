"""Decides what caused a failed upload: the file, the store, or this machine.

If the error leaves that open, another file decides, or else the probe of the store.
"""

from __future__ import annotations

import enum

from twisted.logger import Logger

from chatlog.counters import Counters
from chatlog.reasons import SPOOL
from chatlog.store.store import CLOCK, CORRUPT, OBJECT, TRANSIENT, StoreError
from chatlog.uploader.shipment import Item, LocalError
from chatlog.uploader.turns import OWN_MOST, PASSING_MOST, Failing, Turns

#: Seconds until the next attempt for a file that failed because the disk is full or no descriptor is left.
LATER = 5.0
#: Seconds until the next attempt for a file that cannot be read.
QUARANTINED_AGAIN = 3600.0
#: The longest delay of a file, in seconds, while it or the spool lacks rights and nothing was sent.
UNSENT_MOST = 60.0
#: Error codes that concern a single key.
OF_ONE_FILE = frozenset({"two minds"})
#: A file is reported after so many failures while other files succeed: refusals, and errors that may pass.
REPORT_AFTER = 2
REPORT_PASSING_AFTER = 3
#: So many files in doubt let the probe decide: for errors that may pass, and for refusals.
DOUBTS_PASSING = 2
DOUBTS = 4
#: Files that the log names at a time; further ones are only counted.
MOST_NAMED = 10


class Whose(enum.Enum):
    """The cause of a failed upload: the file, the store, or still open. If it is open, the probe decides."""

    FILE = enum.auto()
    STORE = enum.auto()
    OPEN = enum.auto()


class Judge:
    """Decides when a failed file is tried again, and reports the files that are themselves the cause."""

    _log = Logger()

    def __init__(self, turns: Turns, counters: Counters) -> None:
        self._turns = turns
        self._counters = counters
        # Whether the log has reported that the disk is full or that no descriptor is left.
        self._starved = False
        # How many files that had failed before have failed again since the last success.
        self._in_a_row = 0

    def passed(self) -> None:
        """A file was uploaded."""
        self._starved, self._in_a_row = False, 0

    def local(self, item: Item, error: LocalError, now: float) -> None:
        """An upload failed on this machine, before or after the store was asked."""
        if not error.passes:
            reason = f"{SPOOL}{error.reason}" if error.of_system else error.reason
            if error.may_pass:
                # An attempt that fails at its end has sent the file to the store again.
                most = UNSENT_MOST if error.unsent else PASSING_MOST
                failing = Failing(reason, patience=REPORT_PASSING_AFTER, most=most)
                self._turns.strike(item, now, failing)
                self.name_files()
            else:
                self.quarantine(item, reason, now)
            return
        # The disk is full or no descriptor is left: the file is not the cause.
        if not self._starved:
            self._starved = True
            self._log.warn("{reason}; uploads that need more are tried again", reason=str(error))
        self._turns.put_off(item, now, LATER)

    def quarantine(self, item: Item, reason: str, now: float) -> None:
        """The file itself is the cause."""
        self._turns.strike(item, now, Failing(reason, least=QUARANTINED_AGAIN))
        self.name_files()

    def store(self, item: Item, error: StoreError, well: bool, now: float) -> Whose:
        """The store did not accept the file. ``well``: until now it has accepted other files. The next
        ``name_files`` reports the files that are themselves the cause."""
        turns, failing = self._turns, failing_of(error)
        if error.kind in (OBJECT, CORRUPT) or error.code in OF_ONE_FILE:
            self._counters.upload_retries[error.kind] += 1
            turns.strike(item, now, failing)
            return Whose.FILE
        if error.of_all and error.kind in (TRANSIENT, CLOCK):
            turns.doubt(item)
            return Whose.STORE
        if not well:
            turns.doubt(item, failing)
            return Whose.STORE
        self._counters.upload_retries[error.kind] += 1
        if turns.strikes(item) and not error.of_all:
            turns.strike(item, now, failing)
            self._in_a_row += 1
        else:
            turns.doubt(item, failing)
        enough = DOUBTS_PASSING if error.kind == TRANSIENT else DOUBTS
        if error.of_all or turns.doubted >= enough or self._in_a_row >= DOUBTS:
            self._in_a_row = 0
            return Whose.OPEN
        return Whose.FILE

    def name_files(self) -> None:
        """Report the files that are newly known to be themselves the cause."""
        for own in self._turns.unreported():
            self._counters.quarantined += 1
            if self._turns.named_count <= MOST_NAMED:
                self._log.error(
                    "{name}, {size}: {reason}; all others go on, this one stays on the disk and is tried "
                    "again in {delay} s, and then ever more rarely",
                    name=own.name,
                    size=rounded(own.size),
                    reason=own.reason,
                    delay=round(own.delay),
                )


def failing_of(error: StoreError) -> Failing:
    """How a file is treated that the store does not accept."""
    passing = error.kind == TRANSIENT
    words = f"{error}; {error.remedy}" if error.remedy else str(error)
    patience = 1 if error.kind == OBJECT else REPORT_PASSING_AFTER if passing else REPORT_AFTER
    return Failing(words, error.size, patience, most=PASSING_MOST if passing else OWN_MOST)


def rounded(size: int) -> str:
    """A size with its unit."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
