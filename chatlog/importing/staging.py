"""Items on their way into an archive, in a temporary database that only this process sees and that ends with
it: sorting and comparing take little memory.
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
    create table finished (label, signature, lines, primary key (label, signature)) without rowid;
    create table layers (platform, channel, day, n, primary key (platform, channel, day)) without rowid;
"""
_AT_ONCE = 500


class Staging:
    """A temporary database of items. Use it in one thread, and close it."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(_TABLES)
        self._base.execute("begin")

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    # -- items ---------------------------------------------------------------------------------------

    def add(self, items: Iterable[Item]) -> Iterator[int]:
        """Add items, without copies of those that are there already. Yields the number of items now and
        then."""
        rest = iter(items)
        while some := list(islice(rest, _AT_ONCE)):
            self._base.executemany(
                "insert or ignore into staged (platform, channel, time, identity, sort, n, line) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                ((*item.room, item.time, item.identity, item.by, item.n, item.line) for item in some),
            )
            yield len(some)

    def clear(self) -> None:
        """Remove all items."""
        self._base.execute("delete from staged")

    def days(self) -> list[tuple[Room, str]]:
        """The rooms and days (``2025-12-29``) of the items, in order."""
        rows = self._ask(
            "select distinct platform, channel, substr(time, 1, 10) from staged order by 3, 1, 2"
        )
        return [((platform, channel), day) for platform, channel, day in rows]

    def sorts(self, room: Room, day: str) -> set[int]:
        """The sorts of identities among a room's items of a day."""
        rows = self._ask(f"select distinct sort from staged where {_OF_DAY}", *_of_day(room, day))
        return {sort for (sort,) in rows}

    def count(self, room: Room, day: str) -> int:
        """The number of items of a room and day."""
        [(count,)] = self._ask(f"select count(*) from staged where {_OF_DAY}", *_of_day(room, day))
        return int(count)

    # -- what the archive has ------------------------------------------------------------------------

    def know(self, identities: Iterable[bytes]) -> None:
        """Replace the known identities by these, which the archive has."""
        self._base.execute("delete from known")
        self._base.executemany(
            "insert into known values (?, 1) on conflict do update set n = n + 1",
            ((each,) for each in identities),
        )

    def new(self, room: Room, day: str) -> Iterator[tuple[str, bytes]]:
        """The time and the line of each item of a room and day that the archive does not have, in order."""
        yield from self._base.execute(
            "select time, line from staged left join known using (identity) "
            f"where {_OF_DAY} and staged.n > coalesce(known.n, 0) order by time, seq",
            _of_day(room, day),
        )

    # -- earlier imports ---------------------------------------------------------------------

    def name(self, key: str) -> None:
        """Note that a manifest names this object."""
        self._base.execute("insert or ignore into named values (?)", (key,))

    def is_named(self, key: str) -> bool:
        """Whether a manifest names this object."""
        return bool(self._ask("select 1 from named where key = ?", key))

    def finish(self, label: str, signature: str, lines: int) -> None:
        """Note that the unit with this signature is finished, and how many lines it had."""
        self._base.execute("insert or ignore into finished values (?, ?, ?)", (label, signature, lines))

    def finished(self, label: str, signature: str) -> int | None:
        """How many lines the unit with this signature had; None if it is not finished."""
        rows = self._ask("select lines from finished where label = ? and signature = ?", label, signature)
        return int(rows[0][0]) if rows else None

    def layer(self, room: Room, day: str) -> int:
        """How many times this was called before for the room and day."""
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
