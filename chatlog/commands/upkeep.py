"""The common part of the commands that change an archive afterwards: ledger, progress, and refusals."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from chatlog.commands import reading

if TYPE_CHECKING:
    from chatlog.config.settings import Settings
    from chatlog.store.store import Store, StoreError
    from chatlog.upkeep.ledger import Ledger
    from chatlog.verify.progress import Progress


def ledger_of(settings: Settings, store: Store, kind: str) -> Ledger:
    """The ledger of one kind, compressed and signed as the settings say."""
    from chatlog.signing import signer_of
    from chatlog.upkeep.ledger import Ledger
    from chatlog.uploader.packing import SUFFIXES

    suffix = SUFFIXES[settings.uploader.compression]
    return Ledger(store, kind, suffix, signer_of(settings.archive.signing_key), time.time)


@contextmanager
def refusing(progress: Progress, sentence: Callable[[StoreError], str]) -> Iterator[None]:
    """Ends the command with a sentence if the store refuses, or if another process is at work. Clears the
    progress in any case."""
    from chatlog.store.store import StoreError
    from chatlog.upkeep.lock import Busy, Lost

    try:
        yield
    except StoreError as error:
        progress.clear()
        reading.refuse(sentence(error))
    except (Busy, Lost) as error:
        progress.clear()
        reading.refuse(str(error))
    finally:
        progress.clear()


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Meanwhile SIGTERM, and SIGHUP of a terminal that is closed, end the command as an error would: its
    temporary files and its lock are removed."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    # A shell's nohup ignores SIGHUP, and this stays so.
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, end)
    except ValueError:
        # Not in the main thread, where signals do not arrive.
        yield
        return
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def day_of(moment: float) -> date:
    """The UTC day of a time in seconds since the epoch."""
    return datetime.fromtimestamp(max(moment, 0.0), UTC).date()


class Steps:
    """Shows the progress of one room after the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, room: str, done: int) -> None:
        self._progress.step(f"objects until {room}", done, 0)
