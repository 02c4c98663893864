"""``chatlog search``: finds messages."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there, users_there
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.matching import Filter
    from chatlog.archive.moderation import Hits
    from chatlog.archive.ordering import Found
    from chatlog.archive.reader import Answer

#: The default for the most records that are shown.
LIMIT = 100


@click.command(cls=Command)
@click.argument("text", required=False, default="")
@click.option(
    "--room",
    "rooms",
    multiple=True,
    metavar="ROOM",
    help="In this room; may be given again.",
    shell_complete=rooms_there,
)
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="NAME|id:1234",
    help="By this person; may be given again.",
    shell_complete=users_there,
)
@click.option(
    "--since", metavar="TIME", help="From then on: 2025-12-29, 21:30, yesterday, 2h. [default: 30d]"
)
@click.option("--until", metavar="TIME", help="Before then.")
@click.option(
    "--type", "types", multiple=True, metavar="KIND", help="Only this kind, like ban; may be given again."
)
@click.option("--regex", is_flag=True, help="TEXT is a regular expression (RE2).")
@click.option("--badge", default="", metavar="BADGE", help="By people with this badge, like moderator.")
@click.option("--without", default="", metavar="BADGE", help="By people without it.")
@click.option("--context", type=click.IntRange(0, 50), default=0, help="Also so many records around each.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="At most so many.")
@click.option("--oldest", is_flag=True, help="The oldest first; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="Whole records, one JSON object a line.")
@reading.options
def search(
    text: str,
    rooms: tuple[str, ...],
    users: tuple[str, ...],
    since: str | None,
    until: str | None,
    types: tuple[str, ...],
    regex: bool,
    badge: str,
    without: str,
    context: int,
    limit: int,
    oldest: bool,
    as_json: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Find messages.

    TEXT is found in upper and lower case. Without --room every room is searched; a room is twitch/x, x, #x or
    the address of its page.

    Exit status 0: something was found, 1: nothing was found or a file cannot be read,
    2: the archive cannot be read.
    """
    from chatlog.archive.matching import Filter, FilterError

    wanted = Filter(
        text="" if regex else text,
        regex=text if regex else "",
        users=reading.user_filter(users),
        types=types,
        badge=badge,
        without=without,
    )
    _check_kinds(types)
    if wanted.everything:
        reading.refuse("say what to look for: a text, --user, --type or --badge")
    try:
        _Search(path, archive, utc, oldest).run(wanted, rooms, since, until, limit, context, as_json)
    except FilterError as error:
        reading.refuse(str(error))


def _check_kinds(kinds: tuple[str, ...]) -> None:
    """End the command if no record has such a type: an empty result would be misleading."""
    from chatlog.record import TYPES

    for kind in kinds:
        if kind not in TYPES:
            reading.refuse(f"--type: {kind!r} is not a kind of record; there are {', '.join(sorted(TYPES))}")


class _Search:
    """One search over one archive."""

    def __init__(self, path: str, archive: str | None, utc: bool, oldest: bool) -> None:
        self._archive = reading.opened(path, archive)
        self._clock = reading.clock(utc)
        self._oldest = oldest
        self._answers: list[tuple[str, Answer]] = []
        #: How many records were found and shown, without those around them.
        self._found = 0

    def run(
        self,
        wanted: Filter,
        rooms: tuple[str, ...],
        since: str | None,
        until: str | None,
        limit: int,
        context: int,
        as_json: bool,
    ) -> None:
        from chatlog.archive.question import Question
        from chatlog.store.store import StoreError
        from chatlog.verify.progress import Progress

        start = reading.moment(self._clock, since, reading.days_back(self._clock.now, 30), "--since")
        end = reading.moment(self._clock, until, self._clock.now + 60.0, "--until")
        if end <= start:
            reading.refuse("--until is not later than --since")
        progress = Progress(sys.stderr, os.environ)
        named = reading.rooms_named(self._archive, rooms)
        try:
            moment = self._archive.reader.moment()
            self._archive.reader.list_ahead(named, start, end, moment)
        except StoreError as error:
            reading.refuse(f"cannot read {self._archive.store.describe()}: {error}")
        for number, room in enumerate(named):
            progress.step("rooms", number, len(named))
            question = Question(room, start, end, wanted, newest=not self._oldest, moment=moment)
            answer = self._archive.reader.ask(question)
            self._answers.append((f"{room[0]}/{room[1]}", answer))
        try:
            for line in self._shown(islice(self._merged(), limit), wanted, len(named) > 1, context, as_json):
                progress.clear()
                click.echo(line)
        except StoreError as error:
            reading.refuse(f"cannot read {self._archive.store.describe()}: {error}")
        progress.clear()
        self._print_summary(start, end, limit)
        if not self._found:
            reading.say_who_opted_out(self._archive, named, wanted.users)
        reading.say_what_is_not_recorded(self._archive, named if rooms else [], self._clock, start, end)
        damaged = any(answer.report.unread for _, answer in self._answers)
        raise click.exceptions.Exit(reading.NOTHING if not self._found or damaged else 0)

    def _merged(self) -> Iterator[Found]:
        from chatlog.archive.many_answers import merged

        return merged([answer for _, answer in self._answers], not self._oldest)

    def _shown(
        self, found: Iterator[Found], wanted: Filter, several: bool, context: int, as_json: bool
    ) -> Iterator[str]:
        from chatlog.archive import lines
        from chatlog.archive.formats.text import ChatText, plain
        from chatlog.archive.moderation import Hits

        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        text = ChatText(click.style if color else plain, self._time, several)
        hits = Hits(self._archive.reader.ask)
        for item in found:
            if as_json:
                self._found += 1
                yield item.line.decode("utf-8", "replace")
                continue
            record = lines.record_of(item.line)
            if record is None:
                continue
            self._found += 1
            if not context:
                yield text.line(record, hits.hit(record))
                continue
            yield from self._around(record, item, text, hits, context)
            yield ""

    def _around(
        self, record: dict[str, Any], item: Found, text: Any, hits: Hits, context: int
    ) -> Iterator[str]:
        """The record with those before and after it."""
        from chatlog.archive import lines
        from chatlog.archive.question import Question

        at = lines.seconds(item.time)
        room = str(record.get("platform", "twitch")), str(record.get("channel", ""))
        before: deque[Found] = deque(maxlen=context)
        behind: list[Found] = []
        seen = False
        for other in self._archive.reader.ask(Question(room, at - 3600.0, at + 3600.0)):
            if seen:
                behind.append(other)
                if len(behind) >= context:
                    break
            elif other.line == item.line:
                seen = True
            else:
                before.append(other)
        for other in (*before, item, *behind):
            if (shown := lines.record_of(other.line)) is not None:
                yield text.line(shown, hits.hit(shown), mark=other is item)

    def _time(self, timestamp: str) -> str:
        from chatlog.archive import lines

        try:
            return self._clock.shown(lines.seconds(timestamp))
        except ValueError:
            return timestamp[:19]

    def _print_summary(self, start: float, end: float, limit: int) -> None:
        found = self._found
        shown = self._clock.shown(start)
        until = self._clock.shown(reading.past(end, start, self._clock))
        what = f"{found} found" if found != limit else f"the first {found}; --limit shows more"
        click.echo(f"{what}; looked at {shown} to {until} {self._clock.zone_name}", err=True)
        for room, answer in self._answers:
            reading.report_missing(answer.report, self._clock, start, end, room)
