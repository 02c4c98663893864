"""Keeps the recorder's suppression list up to date: asks the store for it, and remembers it over restarts."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatlog.counted import many
from chatlog.environment import Environment, Threads
from chatlog.services import Poller
from chatlog.state.state_file import StateFile
from chatlog.store.store import StoreError
from chatlog.suppression.key_file import KeyFileError
from chatlog.suppression.left_out import LeftOut
from chatlog.suppression.names import Key
from chatlog.suppression.suppressions import Suppressions

#: Seconds between two requests for the list: a person who is put on it is no longer recorded within a minute.
EVERY = 45.0


class SuppressionWatch(Service):
    """Puts the list in force in ``left_out``. ``read(key)`` reads it and ``key()`` the key, in ``threads``.
    While the store does not answer, the last list stays in force, also after a restart."""

    _log = Logger()
    name = "suppression"

    def __init__(
        self,
        left_out: LeftOut,
        directory: str,
        environment: Environment,
        threads: Threads,
        key: Callable[[], Key | None],
        read: Callable[[Key | None], Suppressions],
    ) -> None:
        self._left_out = left_out
        self._file = StateFile(environment.files, directory, "optouts")
        self._clock = environment.reactor
        self._disk = environment.disk
        self._threads = threads
        self._key = key
        self._read = read
        self._poller = Poller(environment.reactor, EVERY, self.ask)
        self._asking = self._once_more = False
        self._answered_at = environment.reactor.seconds()
        self._trouble = ""
        #: Why the key cannot be used; "" if it can, or if there is no need for one.
        self.key_trouble = ""

    @property
    def stale(self) -> float:
        """For how many seconds the store has not returned the list; 0.0 if it answers."""
        return self._clock.seconds() - self._answered_at if self._trouble else 0.0

    def facts(self) -> dict[str, object]:
        """The state of the list, for the status."""
        people = self._left_out.suppressions.people
        return {"people": people, "stale": self.stale, "key": self.key_trouble}

    def load(self) -> None:
        """Use the list of the run before. Call this once the spool is locked, and before anything is
        recorded."""
        objects: list[str] = []
        try:
            for _, content in self._file.read():
                objects += (
                    [key for key in content if isinstance(key, str)] if isinstance(content, list) else []
                )
        except OSError as error:
            self._log.warn(
                "{path} cannot be read; until the store answers, nobody counts as opted out: {error}",
                path=self._file.path,
                error=str(error),
            )
        try:
            key = self._key()
            trouble = ""
        except KeyFileError as error:
            key, trouble = None, str(error)
        self._left_out.suppressions = Suppressions(key, objects)
        self.key_trouble = trouble or self._left_out.suppressions.trouble

    def startService(self) -> None:
        super().startService()
        self._answered_at = self._clock.seconds()
        self._poller.start()
        self.ask()

    def stopService(self) -> None:
        super().stopService()
        self._poller.stop()
        self._file.close()

    def ask(self) -> Deferred[None] | None:
        """Ask the store for the list, if it is not being asked."""
        if self._asking:
            return None
        self._asking = True
        asked = self._threads.run(self._read_list)
        asked.addCallbacks(self._answered, self._failed)
        asked.addErrback(
            lambda failure: self._log.failure("while the opt-out list was read", failure=failure)
        )
        return asked.addBoth(self._asked)

    def ask_again(self) -> None:
        """The list was changed: ask the store for it, also if it is being asked."""
        self._once_more = self._asking
        self.ask()

    def _asked(self, _: object) -> None:
        self._asking = False
        if self._once_more and self.running:
            self._once_more = False
            self.ask()

    def _read_list(self) -> tuple[Suppressions, str]:
        try:
            key, trouble = self._key(), ""
        except KeyFileError as error:
            key, trouble = None, str(error)
        return self._read(key), trouble

    def _answered(self, found: tuple[Suppressions, str]) -> Deferred[None] | None:
        suppressions, trouble = found
        self._answered_at, self._trouble = self._clock.seconds(), ""
        before = self._left_out.suppressions
        self.key_trouble = trouble or suppressions.trouble
        same_key = (suppressions.key and suppressions.key.check) == (before.key and before.key.check)
        if suppressions.objects == before.objects and same_key:
            return None
        self._left_out.suppressions = suppressions
        self._log.info("the opt-out list has {people}", people=many(suppressions.people, "person", "people"))
        kept = self._disk.run(self._keep, sorted(suppressions.objects))
        return kept.addErrback(self._not_kept)

    def _keep(self, objects: list[str]) -> None:
        # In pieces that fit into a line of the state.
        self._file.replace(objects[at : at + 100] for at in range(0, len(objects), 100))

    def _not_kept(self, failure: object) -> None:
        self._log.warn("{path} cannot be written: {why}", path=self._file.path, why=str(failure)[:200])

    def _failed(self, failure: object) -> None:
        failure.trap(StoreError, OSError)  # type: ignore[attr-defined]
        if not self._trouble:
            self._log.warn(
                "cannot read the opt-out list; the last one that was read stays in force: {error}",
                error=str(failure.value),  # type: ignore[attr-defined]
            )
        self._trouble = str(failure.value) or "trouble"  # type: ignore[attr-defined]
