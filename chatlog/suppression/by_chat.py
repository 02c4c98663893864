"""Opting out by writing a code in a recorded chat: ``!chatlog optout abc123``.

The recorder passes the lines that it has written to ``heard``. For most of them that costs one search for a
few bytes, per room and tick; everything else is done only for people who write a code that was given.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.environment import Environment, Threads
from chatlog.record import from_json, rfc3339
from chatlog.services import Poller
from chatlog.store.store import StoreError
from chatlog.suppression.book import ForeignKey
from chatlog.suppression.codes import TakenCodes
from chatlog.suppression.key_file import KeyFileError
from chatlog.suppression.names import Key

#: Seconds until the list is tried again if the store does not answer.
AGAIN = 45.0
#: The most people who wait for the store; more codes are never good at a time.
MOST = 3000
#: Bytes that every command has: ours, and those that the pages of justlog and rustlog show. A single byte is
#: found ten times faster.
_IN_ALL, _MARK = b"log optout ", b"!"
_COMMAND = re.compile(rb'"message":"!(?:[Cc]hat|[Jj]ust|[Rr]ust)log optout ([0-9A-Za-z]{6})(?![0-9A-Za-z])')
_KINDS = ("message", "action")


class Asking(NamedTuple):
    """A person who opts out."""

    platform: str
    id: str
    name: str
    at: str


class OptOutsByChat(Service):
    """Puts people who write a code on the list. ``key()`` reads the key, or makes it and returns the path
    too; ``add(key, asking)`` changes the list. Both are called in ``threads``; after a change, ``changed()``
    is called."""

    _log = Logger()
    name = "optouts"

    def __init__(
        self,
        environment: Environment,
        threads: Threads,
        key: Callable[[], tuple[Key, str]],
        add: Callable[[Key, Asking], object],
        changed: Callable[[], object],
    ) -> None:
        self._wall = environment.wall
        self._threads = threads
        self._read_key = key
        self._add = add
        self._changed = changed
        self._key: Key | None = None
        self._codes: TakenCodes | None = None
        self._waiting: deque[Asking] = deque()
        self._busy = False
        self._poller = Poller(environment.reactor, AGAIN, self._go_on)

    def startService(self) -> None:
        super().startService()
        self._poller.start()
        self._threads.run(self._read_key).addCallbacks(self._has_key, self._has_no_key)

    def stopService(self) -> None:
        super().stopService()
        self._poller.stop()

    def _has_key(self, found: tuple[Key, str]) -> None:
        self._key, made = found
        self._codes = TakenCodes(self._key)
        if made:
            self._log.info(
                "the key of the opt-out list was made: {path}; keep a copy, every recorder and server of "
                "this archive needs it",
                path=made,
            )

    def _has_no_key(self, failure: Failure) -> None:
        failure.trap(KeyFileError)
        self._log.error("nobody can opt out by chat: {why}", why=str(failure.value))

    # -- what was written ----------------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """Call this with the lines of a room that the recorder wrote."""
        if _MARK in data and _IN_ALL in data and self._codes is not None:
            self._waiting.extend(islice(self._asking(data, self._codes), MOST - len(self._waiting)))
            self._go_on()

    def _asking(self, data: bytes, codes: TakenCodes) -> Iterator[Asking]:
        now = self._wall()
        for match in _COMMAND.finditer(data):
            code = match[1].decode("ascii").lower()
            if not codes.is_good(code, now):
                continue
            start = data.rfind(b"\n", 0, match.start()) + 1
            try:
                record = from_json(data[start : data.find(b"\n", start)])
            except ValueError:
                continue
            id, said = record.get("user_id"), str(record.get("message", ""))
            is_own = said.encode("utf-8", "replace").startswith(match[0].partition(b':"')[2])
            if record.get("type", "message") in _KINDS and id and is_own:
                codes.use(code, now)
                at = rfc3339(round(now * 1000))
                yield Asking(str(record.get("platform", "twitch")), str(id), str(record["username"]), at)

    # -- the list ------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._busy or not self._waiting or self._key is None:
            return
        self._busy = True
        asked: Deferred[object] = self._threads.run(self._add, self._key, self._waiting[0])
        asked.addCallbacks(self._added, self._not_added)
        asked.addErrback(lambda failure: self._log.failure("while somebody opted out", failure=failure))

    def _added(self, _: object) -> None:
        self._busy = False
        asking = self._waiting.popleft()
        self._log.info("somebody opted out by chat on {where}", where=asking.platform)
        self._changed()
        self._go_on()

    def _not_added(self, failure: Failure) -> None:
        self._busy = False
        error: Any = failure.value
        if isinstance(error, ForeignKey):
            self._waiting.popleft()
            self._log.error("somebody wrote a code, and cannot opt out: {why}", why=str(error))
        elif isinstance(error, (StoreError, OSError)):
            self._log.warn(
                "cannot write the opt-out list; it is tried again, and who waits is recorded until then: "
                "{why}",
                why=str(error),
            )
        else:
            self._waiting.popleft()
            self._log.failure("while somebody opted out", failure=failure)
