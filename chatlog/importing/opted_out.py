"""Leaves out of an import what belongs to people who opted out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chatlog.importing.items import Item
from chatlog.importing.source import ImportReport, Unit
from chatlog.suppression.left_out import LeftOut, line_without


def without(units: Iterable[Unit], left_out: LeftOut) -> Iterator[Unit]:
    """The units without records of those people, and without them in the records of others."""
    for unit in units:
        yield replace(unit, items=_Items(unit, left_out))


class _Items:
    def __init__(self, unit: Unit, left_out: LeftOut) -> None:
        self._unit = unit
        self._left_out = left_out

    def __call__(self, report: ImportReport) -> Iterator[Item]:
        for item in self._unit.items(report):
            who = self._left_out.of_room(*item.room)
            line = item.line if who is None else line_without(item.line, who)
            if line is None:
                self._left_out.counts[item.room] += 1
            elif line is item.line:
                yield item
            else:
                yield item._replace(line=line)
