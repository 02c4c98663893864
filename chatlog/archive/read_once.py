"""The files that one answer reads, and those that replaced one of them meanwhile: none is read twice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from chatlog.archive.listings import Named
from chatlog.naming import FileName
from chatlog.uploader.bundle_table import Slice

if TYPE_CHECKING:
    from chatlog.archive.room_files import Part


class ReadOnce:
    """The files that one answer reads: the given ones, and the successors of files that were replaced
    (``followed``)."""

    def __init__(self, given: Sequence[Part]) -> None:
        self._given = given
        self.followed: set[FileName] = set()

    # Seldom asked: only of files that moved while they were read, but then perhaps of thousands.

    @cached_property
    def _names(self) -> frozenset[FileName]:
        return frozenset(part.name for part in self._given)

    @cached_property
    def _stored(self) -> frozenset[tuple[FileName, str, Slice | None]]:
        return frozenset((part.name, part.suffix, part.place) for part in self._given if not part.area)

    def has_name(self, name: FileName) -> bool:
        """Whether a file of this name is among those that were given."""
        return name in self._names

    def has(self, named: Named) -> bool:
        """Whether this very file is among those that were given."""
        return (named.name, named.suffix, named.place) in self._stored
