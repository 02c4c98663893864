"""Prints what an archive costs in a month.

    python -m chatlog.cost --rooms 100 --messages 20000 --compression none

The output is Markdown tables with the prices of requests and storage at several object stores. ``prices`` has
the prices, ``sizes`` the bytes of a record, and ``bill`` the arithmetic.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chatlog.config.units import parse_duration, parse_size, rough_size, show_duration, show_size
from chatlog.cost.bill import (
    DAYS,
    VOLUME,
    Load,
    class_cost,
    host_cost,
    month_of,
    requests_cost,
    storage_cost,
    total_cost,
)
from chatlog.cost.bundles import (
    Plan,
    bundling_cost,
    class_storage,
    early_cost,
    moving_cost,
    pays_in,
    plain,
)
from chatlog.cost.bundles import cost as bundled_cost
from chatlog.cost.prices import CLASSES, FLY, STORES, Prices
from chatlog.output import guarded


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}"


def about(load: Load) -> str:
    """The load as one sentence."""
    every = f"a file every {show_duration(load.rotate_interval)} or {show_size(load.rotate_size)}"
    bundle = f", bundle {show_duration(load.bundle)}" if load.bundle else ""
    hours = "" if load.hours == 24 else f" in {load.hours:g} hours"
    return (
        f"{load.platform}, {load.detail} detail, compression {load.compression}, {every}{bundle}, "
        f"{load.messages:,.0f} messages a day and room{hours}"
    )


def one(load: Load, months: int) -> Iterator[str]:
    """The table of one archive: each part of the cost."""
    month = month_of(load)
    average = rough_size(round(month.stored / month.requests)) if month.requests else "0 B"
    yield f"{load.rooms} rooms; {about(load)}."
    yield f"A month: {month.requests:,.0f} objects, {rough_size(round(month.stored))}; an object {average};"
    yield f"a message {month.raw:.0f} bytes, stored {month.packed:.0f}. US dollars:"
    yield ""
    yield _row("", *(f"{prices.name}" for prices in STORES))
    yield _row("---", *("---:" for _ in STORES))
    parts: list[tuple[str, Callable[[Prices], float]]] = [
        ("PUT, a month", lambda prices: requests_cost(prices, month)[0]),
        ("HEAD, a month", lambda prices: requests_cost(prices, month)[1]),
        ("storage, month 1", lambda prices: storage_cost(prices, month, 1)),
        (f"storage, month {months}", lambda prices: storage_cost(prices, month, months)),
        ("month 1", lambda prices: total_cost(prices, month, 1)),
        (f"month {months}", lambda prices: total_cost(prices, month, months)),
        (
            f"all {months} months",
            lambda prices: math.fsum(total_cost(prices, month, number) for number in range(1, months + 1)),
        ),
    ]
    for name, cost in parts:
        yield _row(name, *(_dollars(cost(prices)) for prices in STORES))
    yield ""
    sent = f"of it {_dollars(month.stored / 10**9 * FLY.sending)} for sending to the store"
    yield f"A machine on fly.io with {VOLUME} GB: {_dollars(host_cost(month))} a month, {sent}."


def many(loads: Sequence[Load], months: int) -> Iterator[str]:
    """The table with a line for each number of rooms: the costs of month 1 and of the last month."""
    yield f"{about(loads[0])}; US dollars in month 1 and month {months}."
    yield ""
    yield _row("rooms", "objects a month", "a month adds", *(prices.name for prices in STORES), "fly.io")
    yield _row(*("---:" for _ in range(4 + len(STORES))))
    for load in loads:
        month = month_of(load)
        costs = (
            f"{_dollars(total_cost(prices, month, 1))} / {_dollars(total_cost(prices, month, months))}"
            for prices in STORES
        )
        added = rough_size(round(month.stored))
        yield _row(load.rooms, f"{month.requests:,.0f}", added, *costs, _dollars(host_cost(month)))


def classes(load: Load) -> Iterator[str]:
    """The table of the cheaper storage classes, for the objects of one month."""
    month = month_of(load)
    size = rough_size(round(month.stored / month.requests))
    yield f"{load.rooms} rooms; {about(load)}."
    yield f"The {month.requests:,.0f} objects of one month, {size} each on average; US dollars:"
    yield ""
    yield _row("store", "class", "moving once", "a month", "least size", "least days", "reading a GB")
    yield _row("---", "---", *("---:" for _ in range(5)))
    for prices in STORES:
        kept = month.stored / prices.gb * prices.storage
        yield _row(prices.name, "standard", "-", _dollars(kept), "-", "-", "-")
        for storage in CLASSES:
            if storage.store == prices.name:
                moving, keeping = class_cost(storage, prices, month)
                least = f"{storage.minimum // 1024} KiB" if storage.minimum else "-"
                dollars = _dollars(moving), _dollars(keeping)
                reading = _dollars(storage.reading)
                yield _row(prices.name, storage.name, *dollars, least, storage.days, reading)


def bundled(load: Load, months: int, after: float, keep: float | None) -> Iterator[str]:
    """The table of bundles: what they cost and save at each store, in each class."""
    plan = Plan(load)
    size = rough_size(round(plan.stored / plan.bundles)) if plan.bundles else "0 B"
    yield f"{load.rooms} rooms; {about(load)}."
    yield (
        f"The {plan.month.objects:,.0f} objects of a month become {plan.bundles:,.0f} bundles of {size} on "
        "average,"
    )
    yield f"which are moved after {show_duration(after)}; US dollars:"
    yield ""
    early = [] if keep is None else [f"deleted after {show_duration(keep)}"]
    head = ["store", "class", "bundling", "moving", "a month there", *early]
    yield _row(*head, f"{months} months as it is", f"{months} months bundled", "pays in month")
    yield _row("---", "---", *("---:" for _ in range(len(head) + 1)))
    for prices in STORES:
        for storage in (None, *(each for each in CLASSES if each.store == prices.name)):
            plan = Plan(load, storage, after / 86400 / DAYS)
            numbers = range(1, months + 1)
            month = pays_in(plan, prices)
            cells = [_dollars(bundling_cost(plan, prices))]
            cells += (
                [_dollars(moving_cost(plan)), _dollars(class_storage(plan, prices))]
                if storage
                else ["-", "-"]
            )
            if keep is not None:
                cells.append(_dollars(early_cost(plan, prices, keep / 86400 / DAYS)) if storage else "-")
            cells.append(_dollars(math.fsum(plain(plan, prices, number) for number in numbers)))
            cells.append(_dollars(math.fsum(bundled_cost(plan, prices, number) for number in numbers)))
            yield _row(prices.name, storage.name if storage else "standard", *cells, month or "-")


def sources() -> Iterator[str]:
    """The sources of the prices."""
    yield "Prices as published, without what is free every month:"
    yield ""
    for place in (*STORES, FLY):
        yield f"- {place.name}: {place.source} (read {place.read})"


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    # Comparisons with "nan" are always false.
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f'"{text[:40]}" is not a number from {least:g} to {most:g}')
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = _number(text, least, most)
        if value != int(value):
            raise argparse.ArgumentTypeError(f'"{text[:40]}" is not a whole number')
        return int(value)

    return read


def _between(least: float, most: float) -> Callable[[str], float]:
    return lambda text: _number(text, least, most)


def _unit(parse: Callable[[str], Any], least: str, most: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f'"{text[:40]}" {error}') from None
        if not parse(least) <= value <= parse(most):
            raise argparse.ArgumentTypeError(f'"{text[:40]}" is not from {least} to {most}')
        return value

    return read


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    load = Load()
    parser = argparse.ArgumentParser(
        prog="python -m chatlog.cost", description="What an archive costs in a month, in US dollars."
    )
    add = parser.add_argument
    add("--rooms", type=_whole(1, 1_000_000), nargs="+", default=[10, 100, 1000], metavar="N")
    add("--messages", type=_between(0, 1e9), default=load.messages, help="of a room in a day (%(default)g)")
    add("--hours", type=_between(0.1, 24), default=load.hours, help="of a day in which they come (24)")
    add("--bytes", type=_between(1, 1e6), default=None, help="of a record before compression (as measured)")
    add("--platform", choices=("twitch", "kick"), default=load.platform)
    add("--detail", choices=("full", "basic"), default=load.detail)
    add("--compression", choices=("none", "gzip", "zstd"), default=load.compression)
    add("--rotate-interval", type=_unit(parse_duration, "1s", "1d"), default=load.rotate_interval)
    add("--rotate-size", type=_unit(parse_size, "1KB", "4GB"), default=load.rotate_size)
    add("--bundle", type=_unit(parse_duration, "0s", "1h"), default=load.bundle, help="uploader.bundle")
    add("--months", type=_whole(1, 1200), default=12, help="after how many it is shown again (12)")
    add("--bundles", action="store_true", help="bundles that are moved to a cheaper class, for the first N")
    add(
        "--tier-after",
        type=_unit(parse_duration, "1d", "3650d"),
        default=7776000.0,
        help="with --bundles (90d)",
    )
    add("--keep", type=_unit(parse_duration, "1d", "36500d"), help="of bundles: what is older is deleted")
    add("--classes", action="store_true", help="the cheaper classes of the stores, for the first N")
    return parser.parse_args(arguments)


def report(arguments: Sequence[str]) -> str:
    """The output of the command. Raises SystemExit for a wrong option."""
    options = _arguments(arguments)
    loads = [
        Load(
            rooms,
            options.messages,
            options.hours,
            options.bytes,
            options.platform,
            options.detail,
            options.compression,
            options.rotate_interval,
            options.rotate_size,
            options.bundle,
        )
        for rooms in options.rooms
    ]
    if options.bundles:
        lines = bundled(loads[0], options.months, options.tier_after, options.keep)
    elif options.classes:
        lines = classes(loads[0])
    elif len(loads) == 1:
        lines = one(loads[0], options.months)
    else:
        lines = many(loads, options.months)
    return "\n".join([*lines, "", *sources(), ""])


def main(arguments: Sequence[str]) -> int:
    """Print the output. Returns the exit status."""
    sys.stdout.write(report(arguments))
    return 0


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
