"""What an erasure has to know of a recorder on this machine."""

from __future__ import annotations

from typing import Protocol

from chatlog.naming import FileName
from chatlog.upkeep.person_search import PersonSearch


class Beside(Protocol):
    """The files of a recorder on this machine that are not in the store yet."""

    def busy(self) -> set[FileName]:
        """Those that are there: their objects are left alone, for the recorder may store them again."""

    def before(self, search: PersonSearch) -> None:
        """The person is known: erase them from the files, if no recorder is at work on them."""

    def after(self, search: PersonSearch) -> bool:
        """Nothing is left in the store. Whether files may have been stored since it was looked at, so that it
        is to be looked at again."""


class NoRecorder:
    """There is no recorder on this machine."""

    def busy(self) -> set[FileName]:
        """See ``Beside``."""
        return set()

    def before(self, search: PersonSearch) -> None:
        """See ``Beside``."""

    def after(self, search: PersonSearch) -> bool:
        """See ``Beside``."""
        return False
