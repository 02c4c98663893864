"""What a run measured, and the table of all runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Result(NamedTuple):
    """One program at one rate, over one window. ``sent`` and ``got`` are chat messages, ``cpu`` is in seconds
    of the whole process, ``memory`` in MB at most."""

    name: str
    rate: float
    sent: int
    got: int
    cpu: float
    memory: float

    @property
    def each(self) -> float:
        """Microseconds of CPU for each message it got. Infinite if it got none."""
        return self.cpu / self.got * 1e6 if self.got else float("inf")


def spread(values: Sequence[float]) -> str:
    """The median, and the range if there is more than one value: ``52 (50-55)``."""
    middle = f"{statistics.median(values):.0f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.0f}-{max(values):.0f})"


def received(results: Iterable[Result]) -> str:
    """How many messages it got over all runs, and how many it lost."""
    sent, got = (sum(column) for column in zip(*((r.sent, r.got) for r in results), strict=True))
    return f"all {sent:,}" if got == sent else f"{got:,} of {sent:,}, lost {sent - got:,}"


def table(results: Sequence[Result], failed: Sequence[tuple[str, float]] = ()) -> list[str]:
    """The lines of a Markdown table: a row for each program, the cheapest at the lowest rate first. A program
    that did not come to an end of all its runs says how many it did not."""
    rates = sorted({r.rate for r in results} | {rate for _, rate in failed})
    head, rule = "| |", "| --- |"
    for rate in rates:
        head += f" {rate:.0f} messages/s: CPU a message (us) | most memory (MB) | got |"
        rule += " ---: | ---: | --- |"
    lines = [head, rule]
    for name in _by_cost(results, rates) + sorted({n for n, _ in failed} - {r.name for r in results}):
        line = f"| {name} |"
        for rate in rates:
            line += _cells(
                [r for r in results if (r.name, r.rate) == (name, rate)], failed.count((name, rate))
            )
        lines.append(line)
    return lines


def _cells(own: Sequence[Result], failures: int) -> str:
    ended = f"failed: {failures}" if failures else ""
    if not own:
        return f" - | - | {ended or 'not run'} |"
    got = ", ".join(filter(None, (received(own), ended)))
    return f" {spread([r.each for r in own])} | {statistics.median(r.memory for r in own):.0f} | {got} |"


def _by_cost(results: Sequence[Result], rates: Sequence[float]) -> list[str]:
    """The names, by their medians at the lowest rate, then at the next."""

    def cost(name: str) -> list[float]:
        found = []
        for rate in rates:
            own = [r.each for r in results if (r.name, r.rate) == (name, rate)]
            found.append(statistics.median(own) if own else float("inf"))
        return found

    return sorted({r.name for r in results}, key=cost)
