"""The interface between an erasure and a recorder on this machine."""

from __future__ import annotations

from typing import Protocol

from chatlog.naming import FileName
from chatlog.upkeep.person_search import PersonSearch


class LocalRecorder(Protocol):
    """The files of a recorder on this machine that are not in the store yet."""

    def busy(self) -> set[FileName]:
        """The names of these files: their objects are left alone, for the recorder may store them again."""

    def before_erasure(self, search: PersonSearch) -> None:
        """Call this once the person is known: erases the person from the files, unless a recorder works on
        them."""

    def after_erasure(self, search: PersonSearch) -> bool:
        """Call this once nothing is left in the store. Returns whether files may have been stored since it
        was searched, so that it has to be searched again."""


class NoRecorder:
    """There is no recorder on this machine."""

    def busy(self) -> set[FileName]:
        """See ``LocalRecorder``."""
        return set()

    def before_erasure(self, search: PersonSearch) -> None:
        """See ``LocalRecorder``."""

    def after_erasure(self, search: PersonSearch) -> bool:
        """See ``LocalRecorder``."""
        return False
