"""Uploads one finished file: packs, puts and verifies it, records the object, and only then removes the file.

Everything here blocks and is called from a thread. Every step can be repeated: an object that is in the
store already is recognised by its bytes. ``bundle_shipment`` does the same for several files together.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from chatlog.config.settings import UploaderSettings
from chatlog.files import NO_DESCRIPTORS, NO_SPACE, Files
from chatlog.naming import (
    parse_bundle_name,
    parse_manifest_name,
    parse_name,
)
from chatlog.store.store import Store, StoreError
from chatlog.uploader.deposit import Deposit, Name, Stored, following
from chatlog.uploader.packing import SUFFIXES, UNFINISHED, Packed, load, pack, pack_together

#: Errors of one file whose rights are wrong, or of the whole spool.
_RIGHTS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Item(NamedTuple):
    """A file that waits for its upload, or files that wait together: their bundle. ``order`` is the minute
    and number in the name; items sort oldest first. ``content`` is ``data``, ``manifest`` or ``bundle``."""

    order: tuple[str, int]
    content: str
    name: str

    @property
    def room(self) -> str:
        """The name up to the minute: platform and channel, or the instance of a manifest or bundle."""
        return self.name[: self.name.rindex(f"_{self.order[0]}")]


@dataclass(slots=True)
class Shipped:
    """The result of an upload: the object, or None if there is none. ``freed``: bytes that the spool shrank
    by. ``again``: the object was in the store before. ``gone``: files that are not there any more.

    A bundle may have to be made anew before it can be put. Its files in ``apart`` are uploaded one by one,
    those in ``anew`` go into other bundles. ``stays``: the bundle itself still waits, with its other files.
    """

    stored: Stored | None
    freed: int = 0
    again: bool = False
    apart: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    stays: bool = False


class Renamed(NamedTuple):
    """The names under which an object is put: the first name that is tried, and the function that finds the
    next one."""

    first: Name
    after: Callable[[Name], Name] = following


class LocalError(Exception):
    """A local file cannot be read, written or understood. The text says which file and why. ``passes``: the
    file is not the cause; the disk is full or no descriptor is left. ``may_pass``: the cause is the file or
    the whole spool, which may be read-only for a while. ``of_system``: the operating system reports it.
    ``unsent``: nothing was sent to the store."""

    def __init__(self, name: str, error: Exception, unsent: bool = False) -> None:
        self.reason = str(getattr(error, "strerror", None) or error)
        super().__init__(f"{name}: {self.reason}")
        number = error.errno if isinstance(error, OSError) else None
        self.of_system = isinstance(error, OSError)
        self.passes = number in NO_SPACE | NO_DESCRIPTORS
        self.may_pass = number in _RIGHTS
        self.unsent = unsent


def item_of(name: str, content: str) -> Item:
    """The item for a file name. Raises ValueError if the name is not one of a recorder's file."""
    parts = _PARSERS[content](name)
    return Item((parts.minute, parts.n), content, name)


_PARSERS: Mapping[str, Callable[[str], Name]] = MappingProxyType(
    {"data": parse_name, "manifest": parse_manifest_name, "bundle": parse_bundle_name}
)


class Shipment:
    """Uploads files of one spool to one store.

    ``on_packed(delta)``: packing a file changed the size of the spool by ``delta`` bytes.
    ``on_tidied(delta)``: the same, for the removal of what an interrupted packing left. ``on_stored(stored)``
    records an object before its file is removed; it may raise OSError to keep the file.
    """

    def __init__(
        self,
        files: Files,
        directory: str,
        store: Store,
        settings: UploaderSettings,
        on_packed: Callable[[int], object],
        on_stored: Callable[[Stored], object],
        on_tidied: Callable[[int], object] = lambda delta: None,
    ) -> None:
        self._files = files
        self._directory = directory
        self._store = store
        self._deposit = Deposit(store)
        #: The suffix of the compression.
        self.suffix = SUFFIXES[settings.compression]
        self._level = settings.compression_level
        #: The files whose names are taken.
        self.renamed: dict[str, Renamed] = {}
        self._on_packed = on_packed
        self._on_stored = on_stored
        self._on_tidied = on_tidied
        # The target paths of the packings under way.
        self._packing: set[str] = set()

    def prepare(self) -> str:
        """Find out whether and how the store can be written (``Store.prepare``). Raises StoreError."""
        return self._store.prepare()

    def path(self, area: str, name: str = "") -> str:
        """A path in the spool."""
        return f"{self._directory}/{area}/{name}" if name else f"{self._directory}/{area}"

    def size(self, item: Item) -> int:
        """Bytes of a file that waits; 0 if they cannot be found out."""
        area = "manifest" if item.content == "manifest" else "sealed"
        for path in (self.path(area, item.name), self.path("packed", item.name + self.suffix)):
            with suppress(OSError):
                return self._files.size(path)
        return 0

    def is_raw(self, name: str) -> bool:
        """Whether a file is not packed yet."""
        return self._files.exists(self.path("sealed", name))

    def waits(self, name: str) -> bool:
        """Whether a file of this name waits, packed or not."""
        paths = self.path("sealed", name), *(self.path("packed", name + end) for end in (".zst", ".gz"))
        return any(map(self._files.exists, paths))

    def waiting(self) -> list[tuple[Item, int]]:
        """The waiting files with their sizes. Removes the remains of an interrupted packing. Raises
        OSError."""
        found: dict[Item, int] = {}
        for area, content in (("packed", "data"), ("sealed", "data"), ("manifest", "manifest")):
            try:
                names = self._files.names(self.path(area))
            except FileNotFoundError:
                continue
            for name in names:
                with suppress(OSError, ValueError):
                    self._add_entry(area, content, name, found)
        return sorted(found.items())

    def _add_entry(self, area: str, content: str, name: str, found: dict[Item, int]) -> None:
        path = self.path(area, name)
        if name.endswith(UNFINISHED):
            if path.removesuffix(UNFINISHED) not in self._packing:
                size = self._files.size(path)
                self._files.remove(path)
                self._on_tidied(-size)
            return
        if area == "packed":
            name = next((name.removesuffix(end) for end in (".gz", ".zst") if name.endswith(end)), "")
        item = item_of(name, content)
        if area == "sealed" and item in found:
            self._drop(path)
            return
        found[item] = self._files.size(path)

    def ship(self, item: Item) -> Shipped:
        """Upload one file. Raises StoreError and LocalError; the file then stays."""
        try:
            try:
                path, packed = self.loaded(item)
            except FileNotFoundError:
                # waiting(), in another thread, may have removed the raw file; then the packed one exists.
                path, packed = self.loaded(item)
        except FileNotFoundError:
            return Shipped(None, gone=(item.name,))
        except (OSError, ValueError) as error:
            raise LocalError(item.name, error, unsent=True) from error
        try:
            name = self.renamed.get(item.name) or Renamed(_PARSERS[item.content](item.name))
            stored, again = self._deposit.put(name.first, packed, item.content, name.after)
        except StoreError as error:
            error.size = len(packed.data)
            raise
        try:
            self._on_stored(stored)
            freed = self._files.size(path)
            self._files.remove(path)
        except FileNotFoundError:
            freed = 0
        except OSError as error:
            raise LocalError(item.name, error) from error
        self.renamed.pop(item.name, None)
        return Shipped(stored, freed if item.content == "data" else 0, again)

    # -- the file ------------------------------------------------------------------------------------

    def pack_together(self, names: Sequence[str]) -> dict[str, Packed]:
        """Pack those of these files that are not packed yet, all at once. Returns the packed files; none if
        they have to be packed one by one."""
        exists = self._files.exists
        pairs = {
            name: (self.path("sealed", name), self.path("packed", name + self.suffix))
            for name in names
            if exists(self.path("sealed", name))
            and not any(exists(self.path("packed", name + end)) for end in (".gz", ".zst"))
        }
        if not self.suffix or len(pairs) < 2:
            return {}
        targets = [target for _, target in pairs.values()]
        try:
            before = [self._files.size(raw) for raw, _ in pairs.values()]
            self._files.make_directories(self.path("packed"))
            self._packing.update(targets)
            packed = pack_together(self._files, list(pairs.values()), self.suffix, self._level)
            for (raw, _), size, made in zip(pairs.values(), before, packed, strict=True):
                self._files.remove(raw)
                self._on_packed(len(made.data) - size)
        except (OSError, ValueError):
            # One of the files is the cause, or there is no space for all.
            return {}
        finally:
            self._packing.difference_update(targets)
        return dict(zip(pairs, packed, strict=True))

    def loaded(self, item: Item) -> tuple[str, Packed]:
        """The path and the content of the file that is uploaded, which is packed if it is not yet. Raises
        OSError, and ValueError for a file that is damaged."""
        if item.content == "manifest":
            path = self.path("manifest", item.name)
            return path, load(self._files, path, self.suffix, bool(self.suffix), self._level)
        raw = self.path("sealed", item.name)
        for suffix in (self.suffix, ".gz", ".zst"):
            path = self.path("packed", item.name + suffix)
            if suffix and self._files.exists(path):
                self._drop(raw)
                return path, load(self._files, path, suffix)
        if not self.suffix:
            return raw, load(self._files, raw, "")
        path = self.path("packed", item.name + self.suffix)
        before = self._files.size(raw)
        try:
            self._files.make_directories(self.path("packed"))
            self._packing.add(path)
            packed = pack(self._files, raw, path, self.suffix, self._level)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            # No space for a second file: it is uploaded from memory, which makes space.
            with suppress(OSError):
                self._files.remove(path)
            return raw, load(self._files, raw, self.suffix, True, self._level)
        finally:
            self._packing.discard(path)
        self._files.remove(raw)
        self._on_packed(len(packed.data) - before)
        return path, packed

    def _drop(self, raw: str) -> None:
        """Remove a raw file whose packed file is complete, if it still exists."""
        with suppress(FileNotFoundError):
            size = self._files.size(raw)
            # The packing may have been interrupted before this sync.
            self._files.sync_directory(self.path("packed"))
            self._files.remove(raw)
            self._on_packed(-size)
