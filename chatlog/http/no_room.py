"""The page for a room that is not recorded, with links to rooms with similar names."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chatlog.config.platform import Key
from chatlog.http.answers import Answer
from chatlog.http.documents import Documents, links_to_rooms
from chatlog.naming import CHANNEL
from chatlog.near_names import near
from chatlog.printable import printable

#: After a search for similar names there is none for this many times the time that it took. So repeated
#: requests cost at most a hundredth of the processor.
_PATIENCE = 100
_LONGEST = 64


class NoRoom:
    """``recorded()`` returns all rooms; ``seconds`` is the clock."""

    def __init__(
        self, documents: Documents, recorded: Callable[[], Collection[Key]], seconds: Callable[[], float]
    ) -> None:
        self._documents = documents
        self._recorded = recorded
        self._seconds = seconds
        self._rested_at = float("-inf")

    def answer(self, platform: str, name: str) -> Answer:
        """The 404 page."""
        shown = printable(f"{platform}/{name[:_LONGEST]}")
        return self._documents.missing("is not recorded", shown, self._links(platform, name))

    def _links(self, platform: str, name: str) -> str:
        adding = f'<a href="/#add={platform}/{name}">Record it</a> · ' if CHANNEL.match(name) else ""
        return f"{links_to_rooms(self._near(platform, name))}{adding}"

    def _near(self, platform: str, name: str) -> list[Key]:
        now = self._seconds()
        if now < self._rested_at:
            return []
        recorded = self._recorded()
        names = near(name[:_LONGEST].strip("#@ "), {name for _, name in recorded})
        self._rested_at = now + _PATIENCE * (self._seconds() - now)
        others = sorted({each for each, _ in recorded} - {platform})
        return [(p, n) for n in names for p in (platform, *others) if (p, n) in recorded]
