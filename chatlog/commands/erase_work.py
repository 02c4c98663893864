"""One run of ``chatlog erase``: the opt-out list, the archive, the files in the spool, and the Parquet and
indexes made of them."""

from __future__ import annotations

import os
import secrets
import sys
import time
from dataclasses import dataclass

import click

from chatlog.archive.file_cache import cache_of
from chatlog.archive.opening import Archive, open_archive
from chatlog.commands import reading
from chatlog.commands.api_client import ApiClient, ApiError
from chatlog.commands.upkeep import day_of, ledger_of
from chatlog.config.settings import Settings
from chatlog.files import OsFiles
from chatlog.record import rfc3339
from chatlog.redaction import Person
from chatlog.store.store import StoreError
from chatlog.suppression.book import Book, ForeignKey
from chatlog.suppression.key_file import KeyFileError, key_for, key_in
from chatlog.suppression.names import Key
from chatlog.upkeep.erasure import Eraser, Outcome
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.erasure_scan import Scanner, SeveralPeople
from chatlog.upkeep.ledger import ERASURE
from chatlog.upkeep.lock import ArchiveLock, Busy, Lost
from chatlog.upkeep.person_search import PersonSearch
from chatlog.upkeep.receipt import Result
from chatlog.upkeep.remaking import Remaking
from chatlog.upkeep.spool_person import LocalSpool
from chatlog.verify.progress import Progress


@dataclass(frozen=True, slots=True)
class Asked:
    """The request: which person, in which scope; ``name`` is the text that the user wrote. ``opt_out``: the
    person is put on the opt-out list first, of all rooms or those of the scope."""

    name: str
    search: PersonSearch
    scope: Scope
    opt_out: bool


class EraseWork:
    """One run in the archive of the settings. ``spool`` is the directory of the recorder beside it, ``""`` if
    there is none; ``patience`` the seconds to wait for that recorder."""

    def __init__(self, settings: Settings, opened: Archive, spool: str, patience: float) -> None:
        self._settings = settings
        self._opened = opened
        self._store = opened.store
        self._spool = spool
        self._patience = patience
        self._progress = Progress(sys.stderr, os.environ)
        self._result = Result()

    def run(self, asked: Asked | None, dry: bool) -> Result:
        """Erase, or only count with ``dry``. Ends the command if that cannot be done."""
        try:
            if dry and asked is not None:
                self._dry(asked)
            else:
                self._erase(asked)
        except SeveralPeople as error:
            self._progress.clear()
            platform = asked.scope.platform if asked is not None else ""
            ids = " or ".join(f"{platform}/id:{id}" for id in error.ids)
            reading.refuse(
                f"several people had the name {asked.name if asked else ''}: write {ids}, as `chatlog user` "
                "tells them apart. Nothing was changed"
            )
        except (Busy, Lost, KeyFileError) as error:
            self._progress.clear()
            reading.refuse(str(error))
        except ForeignKey as error:
            self._progress.clear()
            reading.refuse(f"{error}; or leave the list alone with --keep-recording. Nothing was changed")
        except (StoreError, OSError, ValueError) as error:
            self._progress.clear()
            why = error.advice if isinstance(error, StoreError) else str(error)
            reading.refuse(f"cannot go on in {self._store.describe()}: {why}; the same command goes on later")
        finally:
            self._progress.clear()
        return self._result

    def _anew(self) -> Archive:
        return open_archive(
            self._settings, time.time, spool=bool(self._spool), may_be_new=True, everybody=True
        )

    def _drop_cache(self) -> None:
        """The cache may hold Parquet and indexes from before the erasure."""
        cache_of(self._settings, self._store).clear()

    def _making(self, words: str) -> None:
        self._progress.step(words, 0, 0)

    def _scanner(self, asked: Asked) -> Scanner:
        def step(done: int, total: int) -> None:
            self._progress.step("objects", done, total)

        return Scanner(self._store, asked.scope, day_of(time.time()), step)

    def _dry(self, asked: Asked) -> None:
        search, scan = self._scanner(asked).settled(asked.search)
        self._result.outcome = Outcome(
            looked_at=len(scan.listed),
            objects=len(scan.hits),
            removed=sum(hit.removed for hit in scan.hits),
            redacted=sum(hit.redacted for hit in scan.hits),
            left=scan.unread,
        )
        if (side := self._side(asked)) is not None:
            self._result.waiting = side.waiting(search)

    def _erase(self, asked: Asked | None) -> None:
        outcome = self._result.outcome
        self._store.prepare()
        with ArchiveLock(self._store, "erase", time.time) as lock:
            ledger = ledger_of(self._settings, self._store, ERASURE)
            side = self._side(asked) if asked is not None else None
            remaking = Remaking(self._anew, lock, time.time, self._making, self._drop_cache)
            eraser = Eraser(self._store, ledger, lock, time.time, side, remaking)
            if asked is None:
                eraser.complete(outcome)
                return

            def known(person: Person) -> None:
                self._suppress(asked, person, side)

            scanner = self._scanner(asked)
            search = eraser.erase(
                asked.search, scanner, lambda person: self._tag(asked, person), outcome, known
            )
            if side is not None:
                self._result.waiting = side.waiting(search)
                self._result.files = side.removed, side.redacted

    # -- the opt-out list ----------------------------------------------------------------------------

    def _key(self) -> Key:
        """The key of the opt-out list. If it is made now, the command prints that."""
        key, made = key_for(self._settings)
        if made:
            click.echo(
                f"The key of the opt-out list was made: {made}. Keep a copy; every recorder and server of "
                "this archive needs it, as that file or as archive.optout_key.",
                err=True,
            )
        return key

    def _tag(self, asked: Asked, person: Person) -> str:
        """The tag of the request: the same for the same person and scope, and without a name."""
        # For a copy of an archive no key is made.
        key = self._key() if self._spool else key_in(self._settings)
        if key is None:
            return secrets.token_hex(8)
        scope = asked.scope
        who = person.id or ",".join(sorted(person.names | person.messages))
        where = ",".join(sorted(scope.channels))
        return key.of_request(f"{scope.platform} {who} {where} {asked.search.since!r} {asked.search.until!r}")

    def _suppress(self, asked: Asked, person: Person, side: LocalSpool | None) -> None:
        """Put the person on the opt-out list, so that recorders stop before anything is erased."""
        if not asked.opt_out:
            return
        if not person.id:
            self._result.opted_out = "name" if self._is_listed(asked.scope, person) else "no id"
            return
        book = Book(self._store, self._key())
        at = rfc3339(round(time.time() * 1000))
        platform = asked.scope.platform
        new = [
            book.add(platform, person.id, sorted(person.names), channel, at, "erase")
            for channel in sorted(asked.scope.channels) or [""]
        ]
        self._result.opted_out = "now" if any(new) else "before"
        if side is not None and any(new):
            side.listed_at = time.time()

    def _is_listed(self, scope: Scope, person: Person) -> bool:
        """Whether the opt-out list has a name of the person for the whole scope."""
        key = key_in(self._settings)
        if key is None:
            return False
        book = Book(self._store, key)
        called = {one for name in person.names for one in book.people_called(scope.platform, name)}
        listed = {
            entry.channel
            for entry in book.read().entries
            if entry.platform == scope.platform and entry.person in called and not entry.name
        }
        return "" in listed or (bool(scope.channels) and set(scope.channels) <= listed)

    # -- the recorder beside it ----------------------------------------------------------------------

    def _side(self, asked: Asked) -> LocalSpool | None:
        if not self._spool:
            return None
        recorder = _Recorder(self._settings, self._progress)
        return LocalSpool(
            OsFiles(), self._spool, asked.scope, self._store, recorder, time.time, self._patience
        )


class _Recorder:
    """The recorder that runs with these settings."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._http = settings.http
        self._progress = progress

    def finish(self) -> bool:
        """See ``Running``."""
        if self._http.listen is None or self._http.token is None:
            return False
        try:
            ApiClient(self._http.listen, self._http.token).rotate()
        except ApiError:
            return False
        return True

    def wait(self, seconds: float) -> None:
        """See ``Running``."""
        self._progress.step("waiting for the recorder on this machine", 0, 0)
        time.sleep(seconds)
