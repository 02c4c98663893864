"""What the upkeep of an archive costs: Parquet and indexes, bundles, and looking at them again.

    python -m bench.archive [--messages 400000] [--days 2] [--rooms 3]
    python -m bench.archive --archive DIRECTORY [--only 7]
    python -m bench.archive --home DIRECTORY --messages 5000000 --days 30 --rooms 22 --kick-rooms 2

Writes an archive of made-up chat, or takes the first days (``--only``) of the one at ``--archive``, whose
objects are linked and not changed. Each command runs as a process of its own; its CPU time and its peak of
memory are printed beside the budget. At the end the objects and Parquet are asked the same, and have to give
the same answers. Small archives look dear: each command needs about a second to begin.

With ``--home`` the archive stays there, and so does what each step cost: whoever ends the program, or is
ended, goes on with the step that was not done yet. Long steps are done day by day; ``--check`` leaves out the
longest for most days.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import duckdb

from chatlog.archive.opening import open_archive
from chatlog.archive.question import Question
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.record import from_json

CHATLOG = [sys.executable, "-m", "chatlog"]


class Cost(NamedTuple):
    """What a command took: CPU seconds, the peak of memory in bytes, seconds, and what it said."""

    cpu: float
    peak: int
    seconds: float
    said: str


def run(*arguments: str) -> Cost:
    """Run a command of chatlog. Ends the program if it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([*CHATLOG, *arguments], stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode("utf-8", "replace").strip()
    if child.returncode:
        sys.exit(f"chatlog {' '.join(arguments)} ends with {child.returncode}: {said[-2000:]}")
    return Cost(
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        time.monotonic() - began,
        said.splitlines()[-1],
    )


def size_of(directory: Path) -> int:
    """The bytes of the files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def together(first: Cost, second: Cost) -> Cost:
    """What two commands took."""
    cpu, seconds = first.cpu + second.cpu, first.seconds + second.seconds
    return Cost(cpu, max(first.peak, second.peak), seconds, second.said)


class Steps:
    """The steps of one run, and what each cost, in a file if there is a home to come back to."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._done: dict[str, Cost] = {}
        if file is not None and file.exists():
            rows = map(json.loads, file.read_text().splitlines())
            self._done = {row["step"]: Cost(*row["cost"]) for row in rows}

    def run(self, step: str, *arguments: str) -> Cost:
        """Run a command of chatlog, unless that was done."""
        if step not in self._done:
            self._done[step] = cost = run(*arguments)
            if self._file is not None:
                with self._file.open("a") as file:
                    file.write(json.dumps({"step": step, "cost": cost}) + "\n")
        return self._done[step]

    def by_day(self, step: str, days: list[date], *arguments: str) -> Cost:
        """Run a command day by day, or for all days if none are named. Each command needs time to begin,
        which is left out of the sum as often as it was not needed."""
        if not days:
            return self.run(step, *arguments)
        costs = []
        for day in days:
            since, until = f"{day}", f"{day + timedelta(days=1)}"
            costs.append(self.run(f"{step} {day}", *arguments, "--since", since, "--until", until))
        begin = self.run("version", "--version")
        whole = reduce(together, costs)
        return whole._replace(cpu=whole.cpu - (len(days) - 1) * begin.cpu)


def link_days(source: Path, target: Path, only: int) -> None:
    """Link the first days of an archive, with their manifests."""
    days = sorted(path.relative_to(source) for path in source.glob("[0-9]*/[0-9]*/[0-9]*"))
    chosen = {part for day in days[:only] for part in (day, Path("manifest") / day)}
    if only >= len(days):
        # The last objects are named by a manifest of the day after.
        manifests = source.glob("manifest/[0-9]*/[0-9]*/[0-9]*")
        chosen.update(path.relative_to(source) for path in manifests)
    for part in sorted(chosen):
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, copy_function=os.link)


def write_archive(target: Path, options: argparse.Namespace) -> None:
    """Write an archive of a month that is over."""
    until = datetime.now(UTC).date().replace(day=1) - timedelta(days=5)
    subprocess.run(
        [
            *(sys.executable, "-m", "chatlog.simulator.write_archive", str(target)),
            *("--messages", str(options.messages), "--days", str(options.days), "--until", until.isoformat()),
            *("--rooms", str(options.rooms), "--kick-rooms", str(options.kick_rooms)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def figure(what: str, value: str, budget: str, cost: Cost | None = None) -> None:
    """Print one line."""
    took = f"({cost.seconds:.1f} s, {cost.said})" if cost is not None else ""
    print(f"{what:<52}{value:>14}   {budget:<10}{took}", flush=True)


def costs(title: str, cost: Cost, messages: int, budget: str) -> None:
    """Print what a command took."""
    figure(title, f"{cost.cpu / messages * 1e6:.1f} us", budget, cost)
    figure("    peak of memory", f"{cost.peak / 1e6:.0f} MB", "256 MB" if "compact" in title else "")


def messages_in(archive: Path, day: date | None = None) -> int:
    """The records in the Parquet of an archive, or of one day."""
    files = f"{archive}/parquet/{f'date={day}' if day else '*'}/*/*/*.parquet"
    found = duckdb.execute(
        f"SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata('{files}')"
    ).fetchone()
    assert found is not None
    return int(found[0])


def asked_both_ways(archive: Path) -> Iterator[str]:
    """Ask the objects and Parquet of the busiest room how often its people spoke, by kind of record, on the
    days that are compacted: the last one may not be over for a day. What differs."""
    files = f"read_parquet('{archive}/parquet/*/*/*/*.parquet', hive_partitioning = true)"
    ((platform, channel),) = duckdb.execute(
        f"SELECT platform, channel FROM {files} GROUP BY ALL ORDER BY count(*) DESC LIMIT 1"
    ).fetchall()
    rows = duckdb.execute(
        f"SELECT user_id, type, count(*) FROM {files} WHERE platform = ? AND channel = ? GROUP BY ALL",
        [platform, channel],
    ).fetchall()
    by_parquet = {(user or "", kind): count for user, kind, count in rows}
    days = sorted(
        date.fromisoformat(path.name.removeprefix("date=")) for path in archive.glob("parquet/date=*")
    )
    since, until = (
        datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for day in (days[0], days[-1] + timedelta(days=1))
    )
    opened = open_archive(Settings(archive=ArchiveSettings(directory=str(archive))), time.time, spool=False)
    by_objects: Counter[tuple[str, str]] = Counter()
    for found in opened.reader.ask(Question((platform, channel), since, until)):
        record = from_json(found.line)
        by_objects[record.get("user_id", ""), record["type"]] += 1
    for key in by_objects.keys() | by_parquet.keys():
        if by_objects[key] != by_parquet.get(key, 0):
            yield f"{platform}/{channel} {key}: {by_objects[key]} in the objects, {by_parquet.get(key, 0)}"
    figure(
        f"records of {len(by_objects)} people and kinds of {channel}",
        f"{sum(by_objects.values()):,}",
        "both ways",
    )


def measured(home: Path, options: argparse.Namespace) -> list[str]:
    """Print the figures of the archive at ``home``; where the answers differ."""
    archive, config, begun = home / "archive", home / "chatlog.yaml", home / "begun"
    if not begun.exists():
        if options.archive:
            link_days(Path(options.archive), archive, options.only)
        elif not archive.exists():
            write_archive(archive, options)
        config.write_text(
            f"twitch: {{channels: [room1]}}\nhttp: {{listen: null}}\narchive: {{directory: {archive}}}\n"
            f"recorder: {{directory: {home}/spool}}\n"
        )
        begun.write_text(f"{size_of(archive) - size_of(archive / 'manifest')}")
    stored = int(begun.read_text())
    steps, named = Steps(home / "steps.jsonl" if options.home else None), ("--config", str(config))
    catalog = open_archive(Settings(archive=ArchiveSettings(directory=str(archive))), time.time, spool=False)
    days = [date.fromisoformat(day) for day in catalog.catalog.days()] if options.home else []
    made = steps.by_day("compact", days, "compact", *named)
    made = together(made, steps.run("compact", "compact", *named)) if days else made
    messages = messages_in(archive)
    print(f"{messages:,} records, {stored / messages:.1f} bytes each in {stored / 1e6:.0f} MB of objects")
    costs("compact, with indexes", made, messages, "20 us")
    figure("    Parquet, bytes a record", f"{size_of(archive / 'parquet') / messages:.1f}", "60")
    figure("    indexes, bytes a record", f"{size_of(archive / 'index') / messages:.2f}", "2")
    costs("compact, when nothing has changed", steps.run("again", "compact", *named), messages, "")
    some = days[: options.check]
    checked = steps.by_day("check", some, "compact", "--check", *named)
    costs("compact --check", checked, sum(messages_in(archive, day) for day in some) or messages, "")
    bundled = steps.run("bundle", "bundle", *named)
    costs("bundle", bundled, messages, "")
    costs("compact of the bundled archive", steps.run("bundled", "compact", *named), messages, "")
    costs("verify", steps.run("verify", "verify", *named), messages, "")
    return list(asked_both_ways(archive))


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--rooms", type=int, default=3, help="of Twitch; there is one of Kick besides")
    parser.add_argument("--archive", default="", help="what write_archive made")
    parser.add_argument("--only", type=int, default=31, help="so many days of it")
    parser.add_argument("--kick-rooms", type=int, default=1)
    parser.add_argument("--directory", default=None, help="where the copy lies")
    parser.add_argument("--check", type=int, default=31, help="with --home: so many days are checked")
    parser.add_argument("--home", default="", help="where it stays, so that another run goes on")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="chatlog-bench-", dir=options.directory)
        )
        wrong = measured(Path(home), options)
    for line in wrong[:20]:
        print(f"DIFFERENT: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
