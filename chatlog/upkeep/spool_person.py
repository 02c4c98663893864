"""Erases a person from the files of a recorder on this machine that are not in the store yet.

If no recorder runs, the spool is locked, and its files are written again without the person. If one runs,
only the recorder may change its files: it is asked to finish them, and this process waits until they are
stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from chatlog.archive.blocks import whole_lines
from chatlog.archive.catalog import Catalog
from chatlog.archive.room_files import AREAS
from chatlog.files import Files, replace_file
from chatlog.naming import FileName, parse_name
from chatlog.store.store import Store
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.erasure_scan import count_changes
from chatlog.upkeep.person_search import PersonSearch, rewritten
from chatlog.uploader.manifest_chain import suffix_of
from chatlog.uploader.packing import packer, unpacked

_BLOCK = 1 << 20
#: Where recovery keeps what it removed from damaged files: ``{name}.{offset}``.
_TORN = "torn"
#: Seconds after which every recorder obeys the opt-out list, and between two checks of its files.
OBEYED = 60.0
_CHECK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file of the recorder on this machine that is not stored yet, and how many of its lines are about the
    person."""

    path: str
    name: FileName
    lines: int


class Running(Protocol):
    """The recorder that works on the files."""

    def finish(self) -> bool:
        """Ask it to finish all files that it writes. Returns whether it will."""

    def wait(self, seconds: float) -> None:
        """Wait for it."""


class LocalSpool:
    """The spool at ``directory``, beside the archive in ``store``. ``listed_at()`` is when the person was put
    on the opt-out list, ``now()`` the same clock; ``patience`` are the seconds to wait for the recorder. The
    methods raise OSError, and ValueError for a damaged file."""

    def __init__(
        self,
        files: Files,
        directory: str,
        scope: Scope,
        store: Store,
        running: Running,
        now: Callable[[], float],
        patience: float,
    ) -> None:
        self._files = files
        self._directory = directory
        self._scope = scope
        self._store = store
        self._running = running
        self._now = now
        # ``patience`` counts from the first call of ``after_erasure``: erasing from the archive may have
        # taken long.
        self._until: float | None = None
        self._was_waited_for = False
        self._patience = patience
        #: When the person was put on the opt-out list; None if this run did not do that.
        self.listed_at: float | None = None
        #: How many lines were left out of files here, and how many were changed.
        self.removed = 0
        self.redacted = 0

    def busy(self) -> set[FileName]:
        """The files that are there."""
        return {name for name, _, _ in self._all(AREAS)}

    def waiting(self, search: PersonSearch) -> list[Waiting]:
        """The files with something of the person."""
        found = []
        for name, path, suffix in self._all((*AREAS, _TORN)):
            with suppress(FileNotFoundError):
                may_be_torn = f"{self._directory}/open/" in path
                blocks = whole_lines(unpacked(self._chunks(path), suffix), may_be_torn)
                if lines := sum(count_changes(blocks, search)):
                    found.append(Waiting(path, name, lines))
        return found

    # -- without a recorder ----------------------------------------------------------------------------

    def before_erasure(self, search: PersonSearch) -> None:
        """Write the files again without the person, if no recorder runs. Files that recovery put aside are
        written in any case, for no recorder uses them."""
        for _, path, suffix in self._all((_TORN,)):
            self._rewrite(path, suffix, search)
        try:
            lock = self._files.lock(f"{self._directory}/lock")
        except OSError:
            # A recorder runs, or there is no spool, or it is none of ours.
            return
        try:
            for name, path, suffix in self._all(AREAS):
                self._rewrite(path, suffix, search, name)
        finally:
            self._files.close(lock)

    def _rewrite(self, path: str, suffix: str, search: PersonSearch, name: FileName | None = None) -> None:
        try:
            text = b"".join(unpacked(self._chunks(path), suffix))
        except FileNotFoundError:
            return
        removed, redacted = count_changes([text], search)
        if not removed + redacted:
            return
        if name is not None and self._is_stored(name, text):
            # The recorder died before it removed the file. The object is erased as all others are.
            self._remove(path)
            return
        rest, _ = rewritten([text], search)
        if rest:
            replace_file(self._files, path, _packed(rest, suffix))
        else:
            self._remove(path)
        self.removed += removed
        self.redacted += redacted

    def _is_stored(self, name: FileName, text: bytes) -> bool:
        """Whether the archive has the file with this content, as an object of its own or in a bundle."""
        catalog = Catalog(self._store, self._now)
        for named in catalog.find(name):
            with suppress(ValueError):
                if b"".join(unpacked(catalog.chunks(named), named.suffix)) == text:
                    return True
        return False

    def _remove(self, path: str) -> None:
        self._files.remove(path)
        self._files.sync_directory(path.rpartition("/")[0])

    # -- beside a recorder -----------------------------------------------------------------------------

    def after_erasure(self, search: PersonSearch) -> bool:
        """Have the recorder finish its files, and wait until none has anything of the person, but not longer
        than ``patience``. Returns whether the archive has to be searched again: the recorder may have stored
        something of the person since the last search, and the first time that is not known."""
        if not self._runs() or self._patience <= 0:
            return False
        again, self._was_waited_for = not self._was_waited_for, True
        until = self._until = self._until or self._now() + self._patience
        if self.listed_at is not None:
            # Until then the recorder still records the person.
            obeyed, self.listed_at = self.listed_at + OBEYED, None
            self._wait_until(min(obeyed, until))
        names = {each.name for each in self.waiting(search)}
        if not names or not self._running.finish():
            return again
        while names & self.busy() and self._now() < until:
            self._running.wait(_CHECK_EVERY)
        return again or not names & self.busy()

    def _wait_until(self, moment: float) -> None:
        while (left := moment - self._now()) > 0:
            self._running.wait(min(left, _CHECK_EVERY))

    def _runs(self) -> bool:
        try:
            self._files.close(self._files.lock(f"{self._directory}/lock"))
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        return False

    # -- files -----------------------------------------------------------------------------------------

    def _all(self, areas: Iterable[str]) -> Iterator[tuple[FileName, str, str]]:
        """Name, path and suffix of the files in the scope. A file that moves on meanwhile may be left out:
        then it is in the store, or a moment later."""
        for area in areas:
            try:
                names = self._files.names(f"{self._directory}/{area}")
            except FileNotFoundError:
                continue
            for text in names:
                suffix = "" if area == _TORN else suffix_of(text)
                bare = text[: text.rfind(".jsonl") + 6] if area == _TORN else text.removesuffix(suffix)
                with suppress(ValueError):
                    name = parse_name(bare)
                    if self._scope.has(name):
                        yield name, f"{self._directory}/{area}/{text}", suffix

    def _chunks(self, path: str) -> Iterator[bytes]:
        fd = self._files.open_read(path)
        try:
            while chunk := self._files.read(fd, _BLOCK):
                yield chunk
        finally:
            self._files.close(fd)


def _packed(data: bytes, suffix: str) -> Iterator[bytes]:
    packing = packer(suffix, len(data))
    yield packing.compress(data)
    yield packing.flush()
