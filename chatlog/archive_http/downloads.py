"""Exports over HTTP: the output of ``chatlog export``, sent while it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chatlog.archive import lines
from chatlog.archive.exporting import DELETED, FORMS, Export, Wanted
from chatlog.archive.notices import UNREAD, public_name, unread_text
from chatlog.archive.room_files import Room
from chatlog.archive.times import Span
from chatlog.archive_http.asked import Asked, Headers, Refused, Stream
from chatlog.archive_http.filters import asked_filter
from chatlog.archive_http.log_formats import notice
from chatlog.archive_http.ranges import Range, moment, open_range
from chatlog.archive_http.rooms import Rooms

#: The most bytes of records that one export reads, and the bytes that are sent at a time.
MOST_BYTES = 16 << 30
CHUNK = 64 << 10
DAY = 86400.0


class Downloads:
    """``now()`` is the time of day."""

    def __init__(self, rooms: Rooms, now: Callable[[], float], most_bytes: int = MOST_BYTES) -> None:
        self._rooms = rooms
        self._now = now
        self._most = most_bytes

    def answer(self, asked: Asked, platform: str, name: str) -> Stream:
        """GET the export of a room and a time, the last 24 hours without one. Raises Refused."""
        room = self._rooms.named(platform, name)
        query = asked.query
        form, deleted = query.get("format", "jsonl"), query.get("deleted", "keep")
        if form not in FORMS:
            raise Refused(400, "bad_query", f"format is one of {', '.join(FORMS)}")
        if deleted not in DELETED:
            raise Refused(400, "bad_query", f"deleted is one of {', '.join(DELETED)}")
        now = self._now()
        range = open_range(query, Range(now - DAY, now))
        until = lines.time_bytes(min(range.until, now)).decode("ascii")
        start = moment("start", query["start"]) if "start" in query else range.since
        wanted = Wanted(form, deleted, start - _offset(query.get("offset", "0")), asked_filter(asked))
        export = Export(
            asked.work.ask, [room], Span(*range), wanted, self._most, lambda: _missing(room, export, until)
        )
        type, end = FORMS[form]
        # A room's name is safe in a header and as a file name.
        first = lines.time_bytes(range.since).decode("ascii")[:16].replace("-", "").replace(":", "")
        file = f"{platform}_{room[1]}_{first.replace('T', '_')}.{end}"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Stream(type, _chunks(export.pieces()), headers | self._recorded(room, range))

    def _recorded(self, room: Room, range: Range) -> Headers:
        """Since when the room is recorded if that was later than the beginning of the time, and until when if
        that was before its end."""
        recordings, headers = self._rooms.recordings, {}
        begun, ended = recordings.begun_after(room, range.since), recordings.ended(room, *range)
        if begun is not None and recordings.gaps_before(room, *range):
            headers["x-chatlog-recorded-since"] = lines.time_bytes(begun).decode("ascii")
        if ended is not None:
            at = recordings.end_of(room) or ended.since
            headers["x-chatlog-recorded-until"] = lines.time_bytes(at).decode("ascii")
        return headers


def _missing(room: Room, export: Export, time: str) -> Iterator[dict[str, Any]]:
    """A notice for the end of the export, about files that could not be read."""
    for _, answer in export.answers:
        report = answer.report
        if report.stopped:
            # Cut off, so that the client does not take the file for complete.
            raise Refused(413, "too_long", f"{report.stopped}: export a shorter time")
        for unread in report.unread[:100]:
            text = unread_text(unread, public_name(unread))
            yield {**notice(room[1], time, UNREAD, text), "platform": room[0]}


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _offset(text: str) -> float:
    try:
        seconds = float(text.strip().removesuffix("s"))
    except ValueError:
        raise Refused(400, "bad_query", "offset is a number of seconds, like 3 or -1.5") from None
    if not -1e9 < seconds < 1e9:
        raise Refused(400, "bad_query", "offset is a number of seconds, like 3 or -1.5")
    return seconds
