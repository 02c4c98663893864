"""Keeps the results of a verification in a file, so that an interrupted one can be continued."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from typing import Any

from chatlog.verify.findings import DaySums, Problem
from chatlog.verify.object_check import Named, RoomDay

#: Results after which the file is brought to the disk.
_EVERY = 50
_VERSION = 1
#: Kinds of problems that may be gone the next time.
_MAY_PASS = frozenset({"unread-object", "missing-object"})


class NotAFile(Exception):
    """The file cannot be used; the message says why."""


class Resuming:
    """The file at ``path``, which is made if it is not there. Used by one thread."""

    def __init__(self, path: str) -> None:
        """Raises NotAFile."""
        self.path = path
        self._kept = 0
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            [(version,)] = self._base.execute("pragma user_version").fetchall()
            [(tables,)] = self._base.execute("select count(*) from sqlite_master").fetchall()
            if version != _VERSION and tables:
                raise NotAFile(
                    f"{path} is not what an interrupted chatlog verify has left; name another file"
                )
            self._base.execute(f"pragma user_version = {_VERSION}")
            self._base.execute("create table if not exists done (what blob primary key, found) without rowid")
            self._base.execute("begin")
        except sqlite3.Error as error:
            raise NotAFile(f"{path} cannot be used: {error}") from None

    def find(self, group: list[Named]) -> RoomDay | None:
        """The result for these objects, if they were checked already and have not changed."""
        row = self._base.execute("select found from done where what = ?", (_what(group),)).fetchone()
        return None if row is None else _room_day(json.loads(row[0]))

    def keep(self, group: list[Named], found: RoomDay) -> None:
        """Keep a result, unless it has problems that may pass."""
        if _MAY_PASS & set(found.counts):
            return
        self._base.execute("insert or replace into done values (?, ?)", (_what(group), _text(found)))
        self._kept += 1
        if self._kept % _EVERY == 0:
            self._base.execute("commit")
            self._base.execute("begin")

    def close(self, finished: bool) -> None:
        """Keep the file, or remove it: the verification is ``finished``."""
        self._base.execute("commit")
        self._base.close()
        if finished:
            os.remove(self.path)


def _what(group: list[Named]) -> bytes:
    """A digest of the objects' names and sizes, and of their rows in manifests."""
    found = hashlib.sha256()
    for each in group:
        found.update(repr((each.key, each.size, each.row)).encode("utf-8", "surrogatepass"))
    return found.digest()


def _text(found: RoomDay) -> str:
    gaps = {day: [sums.gaps, sums.seconds] for day, sums in found.gaps.items()}
    counted = [found.objects, found.bytes, found.lines, found.copies]
    return json.dumps([counted, found.problems, found.counts, gaps])


def _room_day(read: Any) -> RoomDay:
    counted, problems, counts, gaps = read
    objects, size, lines, copies = counted
    reported = [Problem(*problem) for problem in problems]
    found = RoomDay(objects, size, lines, copies, reported, Counter(counts))
    for day, (count, seconds) in gaps.items():
        found.gaps[day] = sums = DaySums(count)
        sums.seconds.update(seconds)
    return found
