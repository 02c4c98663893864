"""The recipes of docs/analyse.md, and an archive in which they are run.

``python -m tests.analyse`` runs those in Python and in the shell as they stand there, each in a process of
its own, as far as its libraries are installed. ``.ci/analyse`` installs them. Every recipe has to print how
many messages there were.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from chatlog.archive.opening import open_archive
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.record import encode_full, rfc3339
from chatlog.rooms.gap import gap_line
from chatlog.timeline.timeline import Gap
from chatlog.upkeep.compact import Compactor
from chatlog.upkeep.lock import ArchiveLock
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow
from tests.processes import KEYS, Stage
from tests.sample_archive import HOUR, MIDNIGHT, Archive

PAGE = Path(__file__).resolve().parent.parent / "docs" / "analyse.md"
DAY = 86400.0
#: The bucket of the page.
BUCKET = "chatlog-archive"
#: Messages of twitch/pixelharbor on the two days of the archive.
FIRST, SECOND = 1117, 1013
ROOMS = (("twitch", "pixelharbor"), ("twitch", "lagoonlive"), ("kick", "pixelharbor"))


class Recipe(NamedTuple):
    """A code block: the heading above it, its language and its text."""

    heading: str
    language: str
    text: str

    @property
    def libraries(self) -> list[str]:
        """The libraries that it names in its first line."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("# needs: ").split() if first.startswith("# needs: ") else []


def recipes() -> Iterator[Recipe]:
    """All code blocks of the page, in order."""
    heading = ""
    page = PAGE.read_text("utf-8")
    for found in re.finditer(r"(?ms)^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", page):
        if found[1]:
            heading = found[1]
        else:
            yield Recipe(heading, found[2], found[3])


def make_archive(home: Path) -> None:
    """An archive at ``home``/archive with Parquet. twitch/pixelharbor has FIRST messages on 2025-12-29, from
    10:00 to 11:00, a hole from 11:00 to 11:30, and SECOND on the next day; others have some as well. From
    13:00 to 14:00 nothing was recorded."""
    archive = Archive(str(home / "archive"))
    for day, count in ((MIDNIGHT, FIRST), (MIDNIGHT + DAY, SECOND)):
        rows = [
            archive.store(day + 10 * HOUR, "pixelharbor", list(_said("twitch", "pixelharbor", day, count)))
        ]
        rows.append(archive.store(day + 10 * HOUR, "lagoonlive", list(_said("twitch", "lagoonlive", day, 7))))
        others = list(_said("kick", "pixelharbor", day, 11))
        rows.append(archive.store(day + 10 * HOUR, "pixelharbor", others, platform="kick"))
        for hour in range(24):
            _manifest(archive, day, hour, rows if hour == 12 else [])
    opened = open_archive(Settings(archive=ArchiveSettings(directory=archive.root)), time.time, spool=False)
    compactor = Compactor(opened, time.time)
    with ArchiveLock(opened.store, "compact", time.time, renewing=False) as lock:
        outcome = compactor.run(list(compactor.days(None, None)), None, lock)
    assert outcome.made == 6, outcome


def _said(platform: str, channel: str, day: float, count: int) -> Iterator[bytes]:
    hole = Gap(day + 11 * HOUR, day + 11.5 * HOUR, "connection lost")
    for n in range(count):
        at = day + 10 * HOUR + n * (HOUR / count)
        time = rfc3339(round(at * 1000))
        id = f"585d6217-0b36-4488-8b3e-{round(at):012d}"
        details = (
            {"command": "PRIVMSG", "bits": "100", "subscriber": "1"} if n % 50 == 0 else {"subscriber": "0"}
        )
        yield encode_full(
            time,
            channel,
            f"user{n % 9}",
            str(n % 9),
            f"hello {n}",
            "message",
            id,
            platform,
            "7",
            time,
            details,
        )
    yield gap_line(encode_full, platform, channel, "7", hole)


def _manifest(archive: Archive, day: float, hour: int, rows: list[ObjectRow]) -> None:
    since = day + hour * HOUR
    missing = {11: 1800.0, 13: HOUR}.get(hour, 0.0)
    rooms = [
        RoomRow(platform, channel, HOUR - missing, missing, "connection lost" if missing else "")
        for platform, channel in (
            ("twitch", "pixelharbor"),
            ("twitch", "lagoonlive"),
            ("kick", "pixelharbor"),
        )
    ]
    archive.manifest_of(HeadRow(since, since + HOUR, "1.2.3", "main", False, "", 1), [*rows, *rooms])


@contextmanager
def _in_s3(home: Path) -> Iterator[dict[str, str]]:
    """The archive in the bucket of an S3 server on this machine; the environment with which it is found."""
    stage = Stage(str(home / "s3"))
    try:
        stage.s3(BUCKET)
        bucket = stage.store(BUCKET, make=False)
        for path in (home / "archive").rglob("*"):
            if path.is_file():
                bucket.upload_file(str(path), path.relative_to(home / "archive").as_posix())
        yield {
            "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": stage.endpoint,
            # There is no TLS on this machine.
            "AWS_ALLOW_HTTP": "true",
        }
    finally:
        stage.close()


def _run(recipe: Recipe, home: Path) -> str:
    """Run a recipe; why it fails, ``""`` if it does not."""
    place: AbstractContextManager[dict[str, str]] = (
        _in_s3(home) if recipe.heading == "From S3" else nullcontext({})
    )
    with place as environ:
        return _ran(recipe, home, environ)


def _ran(recipe: Recipe, home: Path, environ: dict[str, str]) -> str:
    command = [sys.executable, "-"] if recipe.language == "python" else ["sh", "-e", "-s"]
    done = subprocess.run(
        command,
        input=recipe.text,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environ},
    )
    if done.returncode:
        return f"it ends with {done.returncode}:\n{done.stderr[-2000:]}"
    digits = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", done.stdout)
    for count in (FIRST, SECOND):
        if not re.search(rf"\b{count}\b", digits):
            return f"it does not print {count}:\n{done.stdout}"
    return ""


def main() -> int:
    """Run the recipes that are no SQL."""
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="chatlog-analyse-") as name:
        make_archive(Path(name))
        for recipe in recipes():
            if recipe.language == "sql":
                continue
            if sys.argv[1:] and recipe.heading not in sys.argv[1:]:
                continue
            lacking = [library for library in recipe.libraries if find_spec(library) is None]
            if lacking:
                print(f"skip {recipe.heading}: {', '.join(lacking)} is not installed")
                continue
            began = time.monotonic()
            why = _run(recipe, Path(name))
            print(
                f"{'FAIL' if why else 'ok'} {recipe.heading} ({time.monotonic() - began:.1f} s) {why}",
                flush=True,
            )
            failed, passed = failed + bool(why), passed + (not why)
    print(f"{datetime.now(UTC):%H:%M} {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
