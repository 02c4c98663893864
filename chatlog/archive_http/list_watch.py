"""Logs that the opt-out list cannot be applied."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.archive_http.streaming import Threads
from chatlog.printable import printable
from chatlog.services import Poller
from chatlog.store.store import StoreError
from chatlog.suppression.hidden import Hidden

#: Seconds between two checks, each a request to the store. Readers of the archive read the list more often.
EVERY = 600.0


class ListWatch(Service):
    """Reads the list, in ``threads``, and logs each trouble once."""

    _log = Logger()
    name = "optouts"

    def __init__(self, hidden: Hidden, threads: Threads, reactor: Any) -> None:
        self._hidden = hidden
        self._threads = threads
        self._poller = Poller(reactor, EVERY, self._check)
        self._said = ""

    def startService(self) -> None:
        super().startService()
        self._poller.start()
        self._check()

    def stopService(self) -> None:
        super().stopService()
        self._poller.stop()

    def _check(self) -> Deferred[None]:
        return self._threads.run(self._hidden.now).addCallbacks(self._checked, self._failed)

    def _checked(self, _: object) -> None:
        trouble = self._hidden.trouble
        if trouble:
            self._say(f"people opted out of this archive, and are shown all the same: {trouble}")
        else:
            self._said = ""

    def _failed(self, failure: Failure) -> None:
        failure.trap(StoreError)
        self._say(f"nothing is shown: {failure.getErrorMessage()}")

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._log.error("{text}", text=printable(text, 500))
