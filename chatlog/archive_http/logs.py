"""Answers with messages, like those of log servers: a room or a person in it, a range of time, a format.

Headers report what is missing, if that is known when the answer begins: for a short answer (it is read to its
end first), for a range of up to a day (its gaps are looked for first), and with ``?gaps``, which also adds a
line at each gap. What is only known at the end (a damaged file, the limit of reading) is reported in a line
of its own, because clients read no trailers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from threading import Lock
from urllib.parse import quote

from chatlog import __version__
from chatlog.archive import notices
from chatlog.archive.day_book import DayBook
from chatlog.archive.gaps import Gap, Report
from chatlog.archive.index_coverage import begun
from chatlog.archive.opening import Archive
from chatlog.archive.recordings import BETWEEN, NO_LONGER, Recordings
from chatlog.archive.room_files import Part
from chatlog.archive.tallies import Tallies
from chatlog.archive_http.asked import Asked, Headers, Refused, Stream, Work
from chatlog.archive_http.log_formats import LogFormat, wanted_format
from chatlog.archive_http.one_log import CHUNK, EVERYTHING, NAMED, Log, Wanted, rest_of, time_of
from chatlog.http.answers import Answer
from chatlog.naming import is_import, utc_minute
from chatlog.store.store import StoreError
from chatlog.uploader.manifest_rows import LOST

#: The most bytes of records that are read for one request, and for the gaps of a day.
MOST_BYTES = 4 << 30
MOST_FOR_GAPS = 512 << 20
#: A room's day of at most so many stored bytes is read for its gaps, instead of the manifests of all rooms.
FEW_BYTES = 4 << 20
DAY = 86400.0
#: Seconds after the end of a range until everything is stored: then it changes only by erasure.
SETTLED = LOST


class _TooMuch(Exception):
    """Finding the gaps reads more, or takes longer, than one request may."""


class Logs:
    """``now()`` is the time of day."""

    def __init__(
        self,
        archive: Archive,
        days: DayBook,
        tallies: Tallies,
        recordings: Recordings,
        now: Callable[[], float],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._archive = archive
        self._days = days
        self._tallies = tallies
        self._recordings = recordings
        self._now = now
        self.most_bytes = most_bytes
        self._lock = Lock()
        #: Part of every tag. It changes with the process, and when a file cannot be read: older tags do not
        #: match.
        self._run = int(now() * 1000)

    def answer(self, asked: Asked, wanted: Wanted) -> Answer | Stream:
        """The log in the format that the request asks for; 404 if it has no records."""
        form = wanted_format(asked.query, asked.as_json)
        # Lookups that do not depend on each other run at the same time.
        with ThreadPoolExecutor(3, "log-ahead") as ahead:
            hidden = ahead.submit(self._archive.hidden.now)
            parts = self._archive.parts.of_room(wanted.room, *wanted.range, moment=asked.work.moment)
            # While one thread reads the list anew, other threads use the old one.
            hidden.result()
            tagging = ahead.submit(self._tag, asked, wanted, form, parts)
            if any(asked.tags) and (tag := tagging.result()) and tag in asked.tags:
                return Answer(200, b"", form.type, etag=tag)

            def find() -> list[Gap] | None:
                return self._with_unrecorded(asked, wanted, self._gaps_of_day(asked.work, wanted, parts))

            finding = ahead.submit(find) if self._is_long(asked, wanted, parts) else None
            gaps = None
            if asked.has("gaps"):
                gaps = self._with_unrecorded(asked, wanted, self._gaps(asked.work, wanted))
            log = Log(self._archive, asked, wanted, form, self.most_bytes, gaps)
            chunks = log.chunks()
            chunks = chain([next(chunks, b"")], chunks)
            if log.ended:
                if gaps is None:
                    gaps = self._with_unrecorded(asked, wanted, log.report.gaps) if log.read_all else find()
                return self._short(wanted, form, log, gaps, chunks, tagging.result())
            if gaps is None:
                gaps = find() if finding is None else finding.result()
            tag, headers = tagging.result(), self._headers(wanted, gaps, None)
            return Stream(form.type, self._noting(tag, log, chunks), headers, tag)

    def _short(
        self,
        wanted: Wanted,
        form: LogFormat,
        log: Log,
        gaps: list[Gap] | None,
        chunks: Iterator[bytes],
        tag: str,
    ) -> Answer:
        """The answer with a log that was read to its end."""
        headers = self._headers(wanted, gaps, log.report)
        if not (log.given or log.missing):
            raise Refused(404, "no_logs", self._nothing(log.report), headers)
        # The chunks are read to their end, so that every open file is closed.
        return Answer(200, b"".join(chunks), form.type, headers, "" if log.report.unread else tag)

    @staticmethod
    def _is_long(asked: Asked, wanted: Wanted, parts: list[Part]) -> bool:
        """Whether the log is surely sent before it was read to its end, so that its gaps are looked for
        first."""
        since, until = wanted.range
        packed = sum(part.size for part in parts if not part.area)
        of_all = wanted.filter == EVERYTHING and not asked.has("limit", "gaps")
        return of_all and until - since <= DAY and packed > CHUNK

    def _noting(self, tag: str, log: Log, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from chunks
        if tag and log.report.unread:
            with self._lock:
                # The client's tag of this incomplete answer must not match any more.
                self._run += 1

    def _nothing(self, report: Report) -> str:
        if report.stopped:
            return f"Not found {notices.NOT_ALL_SEARCHED}: {report.stopped}; go on with {rest_of(report)}"
        if report.unread:
            return f"Not found, but {notices.NOT_ALL_READ}"
        return "Not found"

    # -- what is missing -----------------------------------------------------------------------------

    def _gaps_of_day(self, work: Work, wanted: Wanted, parts: list[Part]) -> list[Gap] | None:
        since, until = wanted.range
        if until - since > DAY:
            return None
        day = time_of(since)[:10]
        is_large = sum(part.size for part in parts if not part.area) > FEW_BYTES
        if is_large and time_of(until - 0.001)[:10] == day and until < self._now() - SETTLED:
            # Mostly the manifests show that nothing is missing, so the day need not be read twice. To read a
            # small day takes less time than to read the manifests, which are those of all rooms.
            with suppress(StoreError):
                facts = self._days.of_day(day).get(wanted.room)
                if facts is not None and not facts.missing and facts.recorded >= DAY - 1.0:
                    return []
        return self._gaps(work, wanted)

    def _gaps(self, work: Work, wanted: Wanted) -> list[Gap] | None:
        """The gaps of a range; None if there is too much to read."""
        left = MOST_FOR_GAPS

        def reading(size: int) -> None:
            nonlocal left
            work.reading(size)
            left -= size
            if left < 0 or work.is_over():
                raise _TooMuch

        try:
            return self._tallies.gaps(wanted.room, *wanted.range, reading)
        except _TooMuch:
            return None

    def _with_unrecorded(self, asked: Asked, wanted: Wanted, gaps: list[Gap] | None) -> list[Gap] | None:
        """The gaps, and the times in which no recorder recorded the room."""
        if gaps is None:
            return None
        return self._recordings.gaps(wanted.room, *wanted.range, gaps, asked.work.moment)

    def _headers(self, wanted: Wanted, gaps: list[Gap] | None, report: Report | None) -> Headers:
        headers = {"x-chatlog-gaps": "unknown", "x-chatlog-coverage": "unknown"}
        if report is not None and report.stopped:
            headers["x-chatlog-partial"] = rest_of(report)
            gaps = None
        if report is not None and report.unread:
            headers["x-chatlog-unread"] = str(len(report.unread))
        until = min(wanted.range.until, self._now())
        if gaps and gaps[-1].reason == NO_LONGER and self._now() - LOST - gaps[-1].until < 1.0:
            # It is not known yet whether a recorder records the room again.
            until = gaps[-1].until
        since = self._recorded_from(wanted, until) if gaps is not None else None
        if gaps is not None and since is not None:
            named = [
                f"{time_of(gap.since)}/{time_of(gap.until)};{quote(gap.reason, ' ')}" for gap in gaps[:NAMED]
            ]
            more = [f"and {len(gaps) - NAMED} more"] if len(gaps) > NAMED else []
            headers["x-chatlog-gaps"] = ", ".join([*named, *more]) or "none"
            missing = sum(gap.seconds for gap in gaps if gap.until > since)
            headers["x-chatlog-coverage"] = f"{max(0.0, 1.0 - missing / (until - since)):.4f}"
        return headers

    def _recorded_from(self, wanted: Wanted, until: float) -> float | None:
        """The moment in the range since which it is known what was recorded; None if there is none. Imported
        files do not count: what they lack is not known."""
        since = wanted.range.since
        there = self._archive.parts.of_room(wanted.room, since, until)
        parts = [part for part in there if not is_import(part.name.instance)]
        if len(parts) == len(there) or any(part.name.minute <= utc_minute(since) for part in parts):
            return since if since < until else None
        first = min((begun(part.name.minute) for part in parts), default=since)
        since = max(since, first, self._recordings.begun_after(wanted.room, since) or since)
        return since if since < until else None

    # -- answers that do not change ------------------------------------------------------------------

    def _tag(self, asked: Asked, wanted: Wanted, form: LogFormat, parts: list[Part]) -> str:
        """The entity tag of an answer about a past range; ``""`` if the answer may still change."""
        if wanted.range.until > self._now() - SETTLED:
            return ""
        if any(part.area == "open" for part in parts):
            return ""
        holes = self._recordings.gaps(wanted.room, *wanted.range, (), asked.work.moment)
        if holes and holes[-1].until >= wanted.range.until - 1.0 and holes[-1].reason != BETWEEN:
            # A recorder that comes back may write more about this hole.
            return ""
        identity = [__version__, str(self._run), form.name, repr(wanted)]
        identity += [f"{name}={value}" for name, value in sorted(asked.query.items())]
        identity += [f"{part.name} {part.version}" for part in parts]
        identity += [repr(hole) for hole in holes]
        identity.append(self._archive.hidden.now().version)
        return f'W/"{hashlib.sha256("|".join(identity).encode("utf-8", "replace")).hexdigest()[:32]}"'
