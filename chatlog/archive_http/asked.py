"""A request to the archive, and the work for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic
from typing import NamedTuple, TypeVar

from chatlog.archive.many_answers import each, merged
from chatlog.archive.ordering import Found
from chatlog.archive.question import Cancelled, Question
from chatlog.archive.reader import Answer as Records
from chatlog.archive.reader import Reader
from chatlog.archive.room_files import Room
from chatlog.http.answers import Answer

T = TypeVar("T")

#: Headers for browsers and clients, each name once.
Headers = dict[str, str]


class Refused(Exception):
    """The request is answered with an error: ``code`` for programs, ``text`` for people."""

    def __init__(self, status: int, code: str, text: str, headers: Headers | None = None) -> None:
        super().__init__(text)
        self.headers = headers or {}
        self.status = status
        self.code = code
        self.text = text


#: Seconds of reading for one request.
MOST_SECONDS = 120.0


class Work:
    """The reading for one request. It may be cancelled from any thread, once for all."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._lock = Lock()
        #: The answers that are being read, by their identities.
        self._current: dict[int, Records] = {}
        #: Since when several answers are read together.
        self._together: float | None = None
        self._cancelled = False
        #: Listings from now on are reused until the request has been answered.
        self.moment = reader.moment()
        self._read = 0
        self._seconds = 0.0

    def ask(self, question: Question) -> Records:
        """The answer to a question about the archive. Raises FilterError and Cancelled."""
        answer = self._reader.ask(replace(question, is_over=self.is_over, moment=self.moment))
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._current[id(answer)] = answer
        return answer

    def list_ahead(self, rooms: Collection[Room], since: float, until: float) -> None:
        """See ``Reader.list_ahead``. Listings for a request are reused to its end."""
        self._reader.list_ahead(rooms, since, until, self.moment)

    def merged(self, answers: Sequence[Records], newest: bool) -> Generator[Found, None, None]:
        """The records of these answers in one order: see ``merged``. Only the time that all of them take
        together counts, not that of each."""
        return self._timed(merged(answers, newest), answers)

    def each(self, answers: Sequence[Records], use: Callable[[Records], T]) -> Generator[T, None, None]:
        """The result of ``use`` for each answer; several are read at the same time, and time counts as for
        ``merged``."""
        return self._timed(each(answers, use), answers)

    def _timed(self, made: Generator[T, None, None], answers: Sequence[Records]) -> Generator[T, None, None]:
        try:
            while True:
                with self._lock:
                    self._together = self._clock()
                try:
                    one = next(made)
                except StopIteration:
                    return
                with self._lock:
                    self._count_together()
                yield one
        finally:
            made.close()
            with self._lock:
                self._count_together()
                for answer in answers:
                    self._end(answer, 0.0)

    def _count_together(self) -> None:
        if self._together is not None:
            self._seconds += self._clock() - self._together
            self._together = None

    def done(self, answer: Records) -> None:
        """The reading of an answer has ended."""
        with self._lock:
            self._end(answer, answer.report.seconds)

    def _end(self, answer: Records, seconds: float) -> None:
        if self._current.pop(id(answer), None) is not None:
            self._read += answer.report.bytes
            self._seconds += seconds

    def reading(self, size: int) -> None:
        """Count bytes that are read without the reader. Raises Cancelled."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._read += size

    @property
    def bytes(self) -> int:
        """How many bytes were read so far."""
        with self._lock:
            return self._read + sum(answer.report.bytes for answer in self._current.values())

    def is_over(self) -> bool:
        """Whether the time for reading is used up."""
        with self._lock:
            if self._together is not None:
                spent = self._seconds + self._clock() - self._together
            else:
                spent = self._seconds + sum(answer.report.seconds for answer in self._current.values())
        return spent > MOST_SECONDS

    def cancel(self) -> None:
        """The client has gone."""
        with self._lock:
            self._cancelled = True
            for answer in self._current.values():
                answer.cancel()


@dataclass(frozen=True, slots=True)
class Asked:
    """``query``: for each name, the last value. ``tag``: the value of If-None-Match. ``as_json``: whether the
    request's own content type is JSON (justlog's way to ask for JSON). ``by_browser``: whether the client
    wants a page."""

    query: Mapping[str, str]
    work: Work
    tags: frozenset[str] = frozenset()
    as_json: bool = False
    method: str = "GET"
    body: bytes = b""
    by_browser: bool = False

    def has(self, *names: str) -> bool:
        """Whether one of the parameters was given, with any value."""
        return any(name in self.query for name in names)

    def number(self, name: str, default: int | None, least: int = 0, most: int = 10**9) -> int | None:
        """A whole number. Raises Refused."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 15 and least <= int(text) <= most):
            raise Refused(400, "bad_query", f"{name} must be a whole number from {least} to {most}")
        return int(text)


@dataclass(slots=True)
class Stream:
    """An answer that is made while it is sent. ``chunks`` are made in threads, one after another. ``alive()``
    returns the bytes that are sent in each second without a chunk."""

    type: str
    chunks: Iterator[bytes]
    headers: Headers = field(default_factory=dict)
    etag: str = ""
    alive: Callable[[], bytes] | None = None


#: Answers a request, in a thread. Raises Refused, FilterError, StoreError and Cancelled.
Handler = Callable[[Asked], "Answer | Stream"]


#: Who may ask: everybody; for all rooms only clients with the token, unless the archive lets everybody search
#: them; or only clients with the token.
EVERYBODY, ALL_ROOMS, TOKEN = "everybody", "all rooms", "token"
READ = ("GET", "HEAD")


class Route(NamedTuple):
    """The handler of a path. ``for_clients``: part of the APIs that pages of other sites may read; its errors
    are one line of text. ``slow``: it reads more than a month."""

    handle: Handler
    for_clients: bool = False
    slow: bool = False
    who: str = EVERYBODY
    methods: tuple[str, ...] = READ
