"""Whose trouble an upload had: the file's own, the store's, or this machine's.

Where that is open, another file decides, or else the probe of the store.
"""

from __future__ import annotations

import enum

from twisted.logger import Logger

from chatlog.counters import Counters
from chatlog.store.store import CLOCK, CORRUPT, OBJECT, TRANSIENT, StoreError
from chatlog.uploader.shipment import Item, LocalError
from chatlog.uploader.turns import OWN_MOST, PASSING_MOST, Failing, Turns

#: Seconds after which a file that there was no space or no descriptor for is tried again.
LATER = 5.0
#: Seconds after which a file that cannot be read is tried again.
ASIDE_AGAIN = 3600.0
#: Codes of trouble that is that of a single key.
OF_ONE_FILE = frozenset({"two minds"})
#: How often a file fails, where others do not, before it is told of.
TELL_AFTER = 2
TELL_PASSING_AFTER = 3
#: How many files in doubt make the probe decide, if their trouble may pass, and if they are refused.
DOUBTS_PASSING = 2
DOUBTS = 4
#: Files that are told of by name at a time; the others are counted.
MOST_NAMED = 10


class Whose(enum.Enum):
    """What has to be done about it: nothing more, wait for the store, or ask the store with a probe."""

    FILE = enum.auto()
    STORE = enum.auto()
    OPEN = enum.auto()


class Judge:
    """Gives each file its next turn after it failed, and names the files that have trouble of their own."""

    _log = Logger()

    def __init__(self, turns: Turns, counters: Counters) -> None:
        self._turns = turns
        self._counters = counters
        # Whether it has been said that there is no space or no descriptor.
        self._starved = False
        # How many files with a history have failed since one passed.
        self._in_a_row = 0

    def passed(self) -> None:
        """A file is in the store."""
        self._starved, self._in_a_row = False, 0

    def local(self, item: Item, error: LocalError, now: float) -> None:
        """This machine could not give the file away."""
        if not error.passes:
            self.put_aside(item, error.reason, now)
            return
        # The disk is full, or there are no descriptors: that is no trouble of the file's.
        if not self._starved:
            self._starved = True
            self._log.warn("{reason}; uploads that need more are tried again", reason=str(error))
        self._turns.put_off(item, now, LATER)

    def put_aside(self, item: Item, reason: str, now: float) -> None:
        """The file itself is at fault."""
        self._turns.strike(item, now, Failing(reason, least=ASIDE_AGAIN))
        self.name_files()

    def store(self, item: Item, error: StoreError, well: bool, now: float) -> Whose:
        """The store did not take the file; ``well``: until now it takes others. Files that come to have
        trouble of their own by it are named by the next ``name_files``."""
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
        """Name the files that have come to have trouble of their own."""
        for own in self._turns.untold():
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
    """What is said of a file that a store does not take."""
    passing = error.kind == TRANSIENT
    words = f"{error}; {error.remedy}" if error.remedy else str(error)
    patience = 1 if error.kind == OBJECT else TELL_PASSING_AFTER if passing else TELL_AFTER
    return Failing(words, error.size, patience, most=PASSING_MOST if passing else OWN_MOST)


def rounded(size: int) -> str:
    """A size for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
