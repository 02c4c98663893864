"""Visits a platform: one connection that requests one room and leaves. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from chatlog.rooms.chat_protocol import ChatProtocol, Owner
from chatlog.rooms.closing import Closing
from chatlog.rooms.reconnecting import Reconnecting


class VisitFailed(Exception):
    """The visit failed. The text says why."""


class Steps:
    """The present step of a check, in words that follow "while"."""

    def __init__(self) -> None:
        self.now = "connecting"


class Nowhere:
    """Drops all records."""

    def append(self, line: bytes) -> None:
        """Forget the record."""


class Visit:
    """Owns one connection to ``where``, which requests the room ``name``. ``done`` fires with ``success``
    when the server delivers the room, and fails with VisitFailed when it does not."""

    number = 1

    def __init__(
        self,
        where: str,
        name: str,
        success: str,
        steps: Steps,
        dial: Callable[[Owner], Reconnecting],
        explain: Callable[[str], str] = str,
    ) -> None:
        """``explain(reason)`` explains the reason of a refusal."""
        self._where = where
        self._name = name
        self._success = success
        self._steps = steps
        self._explain = explain
        self.done: Deferred[str] = Deferred(lambda _: self._leave())
        steps.now = f"connecting to {where}"
        self._factory: Reconnecting | None = None
        self._factory = dial(self)
        if self.done.called:
            self._leave()

    def welcomed(self) -> None:
        """Request the room."""
        self._steps.now = f"asking for {self._name}, after {self._where} took the connection"
        if self._factory is not None and self._factory.chat is not None:
            self._factory.chat.subscribe([self._name])

    def acknowledged(self, name: str) -> None:
        """The visit has succeeded."""
        if name == self._name:
            self._end(f"{self._where}: {self._success}")

    def refused(self, name: str, reason: str) -> None:
        """The server does not deliver the room."""
        if name == self._name:
            self._end(VisitFailed(f"{self._where}: {name} is refused: {self._explain(reason)}"))

    def parted(self, name: str) -> None:
        """The visit is over by then."""

    def asked_to_leave(self) -> None:
        """Nothing to do: the visit is short."""

    def is_delivered_elsewhere(self, name: str) -> bool:
        """Nothing to do: an incomplete line is not needed."""
        return True

    def ended(self, chat: ChatProtocol | None, reason: str, closing: Closing) -> None:
        """The connection has ended or could not be made. There is no second attempt."""
        self._end(VisitFailed(f"{self._where}: {reason}"))

    def _leave(self) -> None:
        if self._factory is not None:
            self._factory.stop()
            if self._factory.chat is not None:
                self._factory.chat.abort("done")

    def _end(self, result: str | VisitFailed) -> None:
        if not self.done.called:
            if isinstance(result, str):
                self.done.callback(result)
            else:
                self.done.errback(result)
            self._leave()
