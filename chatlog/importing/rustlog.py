"""A server with rustlog's API as a source: days of rooms, fetched one at a time and no faster than the server
permits. Each answer is first written to a temporary file, so that a partial answer is not used.
"""

from __future__ import annotations

import http.client
import json
import re
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from chatlog import __version__
from chatlog.counted import many
from chatlog.importing import server_notices
from chatlog.importing.files import lines_of_chunks
from chatlog.importing.irc_lines import IrcLines
from chatlog.importing.items import Item, Maker, counted
from chatlog.importing.source import ImportReport, SourceError, Unit, items_of_lines
from chatlog.platforms import PLATFORMS
from chatlog.printable import printable

#: Seconds until a silent server counts as failed; tries of one request; seconds before the second try,
#: doubled for each further one; and the most seconds that we wait if the server asks for it.
WITHIN = 60.0
TRIES = 6
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
#: Every wait of so many seconds is reported; of shorter ones, only the first for the same cause.
LONG_PAUSE = 10.0
#: The most bytes of a list of rooms or days.
_LONGEST_LIST = 64 << 20
_LONGEST_REFUSAL = 1000
_CHUNK = 1 << 17
#: Seconds after the end of a day until it does not change any more.
_SETTLED = 3600.0


class NotThere(Exception):
    """The server does not have what was asked for; the message is its answer."""


class OptedOut(Exception):
    """The server refuses, because the user has opted out."""


class Channel(NamedTuple):
    """A room on the server."""

    name: str
    id: str


class Server:
    """The server at ``address``: the root of the API, or the page of a channel there. Raises SourceError if
    that is no address. ``sleep(seconds)`` waits; before that, ``notify(text)`` is called."""

    def __init__(
        self,
        address: str,
        sleep: Callable[[float], object],
        within: float = WITHIN,
        notify: Callable[[str], object] = lambda text: None,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(f"{address!r} is not the address of a server; write https://logs.example.com")
        above, _, room = parts.path.partition("/channel/")
        self.root = f"{parts.scheme}://{parts.netloc}{above.rstrip('/')}"
        self.host = parts.netloc.rpartition("@")[2] + above.rstrip("/")
        below = above.rstrip("/").rpartition("/")[2]
        self.platform = below if below in PLATFORMS else "twitch"
        #: The channel in the address; ``""`` if there is none.
        self.channel = unquote(room.partition("/")[0]).lower()
        self._sleep = sleep
        self._within = within
        self._notify = notify
        # The cause of the last wait.
        self._reported = ""

    def channels(self) -> list[Channel]:
        """The rooms on the server. Raises SourceError."""
        found = self._list("/channels", "channels")
        return [
            Channel(str(each["name"]).lower(), str(each.get("userID", "")))
            for each in found
            if isinstance(each, dict) and "name" in each
        ]

    def days(self, channel: Channel) -> list[date]:
        """The room's days on the server, oldest first. Raises SourceError and OptedOut."""
        try:
            found = self._list(f"/list?channelid={channel.id}", "availableLogs")
        except NotThere:
            return []
        days = []
        for each in found:
            try:
                days.append(date(int(each["year"]), int(each["month"]), int(each["day"])))
            except (KeyError, TypeError, ValueError):
                continue
        return sorted(set(days))

    def day(self, channel: Channel, day: date) -> IO[bytes]:
        """All lines of a day. Raises SourceError, NotThere and OptedOut."""
        return self._fetch(f"/channelid/{channel.id}/{day.year}/{day.month}/{day.day}?raw")

    def _list(self, path: str, key: str) -> list[Any]:
        with self._fetch(path) as file:
            data = file.read(_LONGEST_LIST)
        try:
            found = json.loads(data)[key]
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, list):
            raise SourceError(f"{self.root}{path}: what answers there is not a rustlog server")
        return found

    def _fetch(self, path: str) -> IO[bytes]:
        """The whole answer. Raises SourceError if all tries fail."""
        pause = FIRST_PAUSE
        why = ""
        for number in range(TRIES):
            if number:
                self._wait(why, min(pause, LONGEST_PAUSE), number)
                pause *= 2
            try:
                return self._once(path)
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read(_LONGEST_REFUSAL) if error.code in (400, 404) else b""
                if error.code in (400, 404):
                    raise NotThere(said.decode("utf-8", "replace")) from None
                if error.code == 403:
                    raise OptedOut from None
                why = f"HTTP {error.code}"
                pause = max(pause, _retry_after(error.headers.get("Retry-After"), datetime.now(UTC)))
                if error.code < 500 and error.code not in (408, 425, 429):
                    break
            except (OSError, http.client.HTTPException, zlib.error, EOFError) as error:
                reason: Any = getattr(error, "reason", error)
                why = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        raise SourceError(
            f"{self.root}{path}: {printable(why)}; what was imported until then is there, and the same "
            "command goes on"
        )

    def _wait(self, why: str, seconds: float, tries: int) -> None:
        """Report the cause, and wait: see LONG_PAUSE."""
        if why != self._reported or seconds >= LONG_PAUSE:
            self._reported = why
            self._notify(
                f"{self.root}: {printable(why)}; it is tried again in {seconds:.0f} s "
                f"({many(TRIES - tries, 'more try', 'more tries')})"
            )
        self._sleep(seconds)

    def _once(self, path: str) -> IO[bytes]:
        request = urllib.request.Request(self.root + path)
        request.add_header("User-Agent", f"chatlog/{__version__} (import)")
        request.add_header("Accept-Encoding", "gzip")
        file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            with urllib.request.urlopen(request, timeout=self._within) as answer:
                packed = answer.headers.get("Content-Encoding", "").lower() == "gzip"
                unpacking = zlib.decompressobj(31) if packed else None
                length = answer.headers.get("Content-Length")
                read = 0
                while chunk := answer.read(_CHUNK):
                    read += len(chunk)
                    file.write(unpacking.decompress(chunk) if unpacking else chunk)
                if (length is not None and read != int(length)) or (unpacking and not unpacking.eof):
                    raise http.client.IncompleteRead(b"")
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file


def _retry_after(header: str | None, now: datetime) -> float:
    """The seconds of a Retry-After."""
    if not header:
        return 0.0
    if re.fullmatch(r"\d{1,9}", header.strip()):
        return float(header)
    try:
        return (parsedate_to_datetime(header) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def chosen(server: Server, names: tuple[str, ...], all_rooms: bool) -> list[Channel]:
    """The rooms with these names or ids, or all. Raises SourceError."""
    wanted = [name.strip().lstrip("#").lower().rpartition("/")[2] for name in names]
    if server.channel:
        wanted.append(server.channel)
    try:
        there = server.channels()
    except NotThere:
        raise SourceError(f"{server.root}: what answers there is not a rustlog server") from None
    except OptedOut:
        raise SourceError(f"{server.root} does not list its rooms") from None
    if not wanted:
        if not all_rooms and len(there) > 1:
            raise SourceError(
                f"{server.root} has {len(there)} rooms, such as "
                f"{', '.join(each.name for each in there[:3])}; say which with --room, or --all-rooms"
            )
        return there
    found = []
    for name in wanted:
        match = next((each for each in there if name in (each.name, each.id)), None)
        if match is None:
            raise SourceError(f"{server.root} has no room {name!r}")
        found.append(match)
    return found


def rustlog(
    server: Server, rooms: list[Channel], maker: Maker, now: float, since: float, until: float
) -> Iterator[Unit]:
    """The days of these rooms that overlap with a range of time. Raises SourceError, also while a unit is
    read."""
    lines = IrcLines(maker, server.platform)
    first, last = (datetime.fromtimestamp(time, UTC).date() for time in (since, until))
    for room in rooms:
        try:
            days = server.days(room)
        except OptedOut:
            label = f"rustlog {server.host} {room.name}"
            yield Unit(label, "", partial(_refused, label))
            continue
        for day in days:
            if first <= day <= last:
                label = f"rustlog {server.host} {room.name} {day}"
                end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
                over = now > end.timestamp() + _SETTLED
                yield Unit(label, "over" if over else "", partial(_items, server, room, day, lines, label))


def _items(
    server: Server, room: Channel, day: date, lines: IrcLines, label: str, report: ImportReport
) -> Iterator[Item]:
    try:
        file = server.day(room, day)
    except NotThere as nothing:
        try:
            server_notices.check_empty_answer(str(nothing))
        except server_notices.Incomplete as notice:
            report.incomplete += 1
            report.problem(f"{label}: the server's answer is not complete: {notice}")
        return
    except OptedOut:
        yield from _refused(label, report)
        return
    with file:
        chunks = iter(partial(file.read, _CHUNK), b"")
        where = f"rustlog {server.host}"
        first = f"{day}T00:00:00.000Z"
        yield from counted(items_of_lines(lines_of_chunks(chunks), label, where, first, lines.item, report))


def _refused(label: str, report: ImportReport) -> Iterator[Item]:
    """No items, only a report: the server does not return this room or day."""
    report.unread_files += 1
    report.problem(f"{label}: the server does not return it, because a user has opted out")
    yield from ()
