"""Items on their way into an archive, in a temporary file that nobody else sees and that is gone with the
process: memory stays small whatever there is to sort and to compare.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from chatlog.importing.items import Item, Room

_TABLES = """
    pragma journal_mode = off;
    pragma synchronous = off;
    pragma cache_size = -16000;
    create table staged (seq integer primary key, platform, channel, time, identity, sort, n, line);
    create unique index once on staged (platform, channel, identity, n);
    create index in_time on staged (platform, channel, time, seq);
    create table known (identity primary key, n) without rowid;
    create table named (key primary key) without rowid;
    create table finished (label, signature, primary key (label, signature)) without rowid;
    create table layers (platform, channel, day, n, primary key (platform, channel, day)) without rowid;
"""
_AT_ONCE = 500


class Staging:
    """To be closed, and used by one thread."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(_TABLES)
        self._base.execute("begin")

    def close(self) -> None:
        """Let go of everything."""
        self._base.close()

    # -- items ---------------------------------------------------------------------------------------

    def add(self, items: Iterable[Item]) -> Iterator[int]:
        """Take items; copies of what was taken already are not. Yields now and then how many came."""
        rest = iter(items)
        while some := list(islice(rest, _AT_ONCE)):
            self._base.executemany(
                "insert or ignore into staged (platform, channel, time, identity, sort, n, line) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                ((*item.room, item.time, item.identity, item.by, item.n, item.line) for item in some),
            )
            yield len(some)

    def clear(self) -> None:
        """Forget all items."""
        self._base.execute("delete from staged")

    def days(self) -> list[tuple[Room, str]]:
        """The rooms and days (``2025-12-29``) that items are of, in order."""
        rows = self._ask(
            "select distinct platform, channel, substr(time, 1, 10) from staged order by 3, 1, 2"
        )
        return [((platform, channel), day) for platform, channel, day in rows]

    def sorts(self, room: Room, day: str) -> set[int]:
        """What the identities of a room's items of a day are made of."""
        rows = self._ask(f"select distinct sort from staged where {_OF_DAY}", *_of_day(room, day))
        return {sort for (sort,) in rows}

    def count(self, room: Room, day: str) -> int:
        """How many items of a room and day there are."""
        [(count,)] = self._ask(f"select count(*) from staged where {_OF_DAY}", *_of_day(room, day))
        return int(count)

    # -- what the archive has ------------------------------------------------------------------------

    def know(self, identities: Iterable[bytes]) -> None:
        """The archive has these, and nothing else that was known before matters."""
        self._base.execute("delete from known")
        self._base.executemany(
            "insert into known values (?, 1) on conflict do update set n = n + 1",
            ((each,) for each in identities),
        )

    def new(self, room: Room, day: str) -> Iterator[tuple[str, bytes]]:
        """Time and line of the items of a room and day that the archive does not have, in order."""
        yield from self._base.execute(
            "select time, line from staged left join known using (identity) "
            f"where {_OF_DAY} and staged.n > coalesce(known.n, 0) order by time, seq",
            _of_day(room, day),
        )

    # -- what imports did before ---------------------------------------------------------------------

    def name(self, key: str) -> None:
        """A manifest names this object."""
        self._base.execute("insert or ignore into named values (?)", (key,))

    def is_named(self, key: str) -> bool:
        """Whether one does."""
        return bool(self._ask("select 1 from named where key = ?", key))

    def finish(self, label: str, signature: str) -> None:
        """A unit of this signature is done."""
        self._base.execute("insert or ignore into finished values (?, ?)", (label, signature))

    def is_finished(self, label: str, signature: str) -> bool:
        """Whether it is."""
        return bool(self._ask("select 1 from finished where label = ? and signature = ?", label, signature))

    def layer(self, room: Room, day: str) -> int:
        """How many times before this one was asked of a room and day."""
        self._base.execute(
            "insert into layers values (?, ?, ?, 0) on conflict do update set n = n + 1", (*room, day)
        )
        [(n,)] = self._ask("select n from layers where platform = ? and channel = ? and day = ?", *room, day)
        return int(n)

    def _ask(self, question: str, *values: Any) -> list[Any]:
        return self._base.execute(question, values).fetchall()


_OF_DAY = "platform = ? and channel = ? and time >= ? and time < ?"


def _of_day(room: Room, day: str) -> tuple[str, str, str, str]:
    return *room, day, f"{day}U"
