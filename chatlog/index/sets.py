"""The objects of an index. Four of them are a set, which belongs to a day or, once that is over, to a month.

    index/days/2025-12.parquet     platform, channel, day, listing, known, files, digest   by room and day
    index/users/2025-12.parquet    user_id, username, platform, channel, days              by person
    index/names/2025-12.parquet    username, user_id                                       by name
    index/words/2025-12.parquet    word, units                                             by word

A room's day has the records of the files that were begun on it. ``listing`` is a digest of their names and
sizes, and ``known`` the facts of all of them together: so a search leaves out most days without checking each
file. ``days`` are bits: ``1 << 29`` is the 29th. A unit is a room's day as a number: 32 times the place of
the room in the list of rooms, which is in the metadata of the words, plus the day. The four objects of a set
have one digest in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chatlog.store.store import Head

DAYS, NAMES, USERS, WORDS = KINDS = ("days", "names", "users", "words")
#: The number of the layout: a set of another layout is not used, and made again.
LAYOUT = 2
#: Where the objects are.
ABOVE = "index/"
#: The keys of the metadata: the layout, the digest of the sources, and the rooms of the units.
LAYOUT_KEY, SOURCES_KEY, ROOMS_KEY = "chatlog.index", "chatlog.sources", "chatlog.rooms"

#: Platform and channel.
Room = tuple[str, str]
#: For each room the days as bits.
Days = dict[Room, int]

_KEY = re.compile(r"index/(days|names|users|words)/([0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)\.parquet\Z")


@dataclass(frozen=True, slots=True)
class IndexSet:
    """A listed set: ``span`` is its day or month, ``heads`` are its objects by kind."""

    span: str
    heads: tuple[Head, ...]

    def head(self, kind: str) -> Head:
        """The object of a kind."""
        return self.heads[KINDS.index(kind)]


def key_of(kind: str, span: str) -> str:
    """The key of an object of a set."""
    return f"{ABOVE}{kind}/{span}.parquet"


def span_of(key: str) -> str:
    """The day or month in the key of an object."""
    return key.rpartition("/")[2].removesuffix(".parquet")


def sets_of(heads: Iterable[Head]) -> tuple[dict[str, IndexSet], dict[str, list[str]]]:
    """The sets among objects by their spans, and the keys of objects whose set is not whole."""
    found: dict[str, dict[str, Head]] = {}
    for head in heads:
        if match := _KEY.match(head.key):
            found.setdefault(match[2], {})[match[1]] = head
    whole = {
        span: IndexSet(span, tuple(there[kind] for kind in KINDS))
        for span, there in sorted(found.items())
        if len(there) == len(KINDS)
    }
    return whole, {
        span: sorted(head.key for head in there.values())
        for span, there in found.items()
        if span not in whole
    }
