"""Hands everything over before the process ends: first the rooms, then the files in the spool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.cluster.service import MemberService

#: Seconds between two polls of the progress.
EVERY = 0.5
#: Polls in a row that find the spool empty, after which nothing more is expected.
_QUIET = 3


class Spool(Protocol):
    """The files that are only on the disk of this machine so far."""

    def rotate(self) -> object:
        """Finish every file."""

    def is_empty(self) -> bool:
        """Whether everything is stored."""

    def close(self) -> Deferred[None]:
        """Write the last manifest."""


class Draining:
    """Drains ``service`` within ``limit`` seconds. The member's line is removed once no room is left."""

    _log = Logger()

    def __init__(self, service: MemberService, spool: Spool, clock: IReactorTime, limit: float) -> None:
        self._service = service
        self._spool = spool
        self._clock = clock
        #: Seconds until the process ends in any case; 0.0: no room is handed over.
        self.limit = limit
        self._end: Callable[[], object] | None = None
        self._until = 0.0
        self._timer: IDelayedCall | None = None
        self._quiet = 0
        self._stage: Callable[[], bool] = self._rooms_left
        self._closing = False

    def hand_over(self) -> None:
        """Hand all rooms over, and stay without any until ``take_back``."""
        if not self._service.member.draining:
            if self._is_alone():
                self._log.info("this recorder takes no more rooms")
            else:
                self._log.info("the other recorders are asked to take over all rooms of this one")
            self._service.set_draining(True)

    def take_back(self) -> None:
        """Take part again."""
        self._service.set_draining(False)

    def end(self, end: Callable[[], object]) -> None:
        """Hand all rooms over, then ship the files in the spool, write the last manifest, and call ``end()``:
        at the latest after ``limit`` seconds."""
        self._end, self._until = end, self._clock.seconds() + self.limit
        self.hand_over()
        self._next()

    def _next(self) -> None:
        self._timer = None
        if self._clock.seconds() >= self._until:
            self._log.warn(
                "not everything was handed over in time; what is left is missing, or shipped later"
            )
            self._finish()
            return
        if not self._stage():
            self._timer = self._clock.callLater(EVERY, self._next)

    def _rooms_left(self) -> bool:
        service = self._service
        if not service.member.left:
            if not self._is_alone():
                return False
            self._log.warn("there is no other recorder to hand the rooms over to")
            self._finish()
            return True
        self._log.info("all rooms are handed over; now what is in the spool is shipped")
        service.leave()
        self._spool.rotate()
        self._stage = self._shipped
        return False

    def _is_alone(self) -> bool:
        """Whether there is no other recorder that takes rooms."""
        service = self._service
        own = service.member.myself.name
        others = service.member.roster.others
        return service.knows_others and all(line.draining for name, line in others.items() if name != own)

    def _shipped(self) -> bool:
        self._quiet = self._quiet + 1 if self._spool.is_empty() else 0
        if self._quiet >= _QUIET and not self._closing:
            self._closing = True
            self._spool.close().addCallbacks(self._closed, self._not_closed)
        return False

    def _closed(self, _: object) -> None:
        self._quiet = 0
        self._stage = self._manifest_shipped

    def _not_closed(self, failure: Failure) -> None:
        self._log.warn("the last manifest cannot be written: {error}", error=failure.getErrorMessage())
        self._finish()

    def _manifest_shipped(self) -> bool:
        self._quiet = self._quiet + 1 if self._spool.is_empty() else 0
        if self._quiet < _QUIET:
            return False
        self._log.info("everything is handed over and shipped")
        self._finish()
        return True

    def _finish(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        end, self._end = self._end, None
        if end is not None:
            end()
