"""Uploads one finished file: packs, puts and verifies it, records the object, and only then removes the file.

Everything here blocks and is called from a thread. Every step can be repeated: an object that is in the
store already is recognised by its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from chatlog.files import NO_DESCRIPTORS, NO_SPACE, Files
from chatlog.naming import FileName, ManifestName, parse_manifest_name, parse_name
from chatlog.store.store import Store, StoreError
from chatlog.uploader.deposit import Deposit, Stored
from chatlog.uploader.packing import SUFFIXES, UNFINISHED, Packed, load, pack


class Item(NamedTuple):
    """A file that waits for its upload. ``order`` is the minute and number in its name; items sort oldest
    first."""

    order: tuple[str, int]
    content: str
    name: str

    @property
    def room(self) -> str:
        """The name up to the minute: platform and channel, or the instance of a manifest."""
        return self.name[: self.name.rindex(f"_{self.order[0]}")]


@dataclass(slots=True)
class Shipped:
    """The result of an upload: the object, or None if the file is gone. ``freed``: bytes that the spool
    shrank by. ``again``: the object was in the store before."""

    stored: Stored | None
    freed: int = 0
    again: bool = False


class LocalError(Exception):
    """A local file cannot be read, written or understood. The text says which file and why. ``passes``: the
    file is not the cause; the disk is full or no descriptor is left."""

    def __init__(self, name: str, error: Exception) -> None:
        self.reason = str(getattr(error, "strerror", None) or error)
        super().__init__(f"{name}: {self.reason}")
        self.passes = isinstance(error, OSError) and error.errno in NO_SPACE | NO_DESCRIPTORS


def item_of(name: str, content: str) -> Item:
    """The item for a file name. Raises ValueError if the name is not one of a recorder's file."""
    parts = parse_manifest_name(name) if content == "manifest" else parse_name(name)
    return Item((parts.minute, parts.n), content, name)


def named(item: Item) -> FileName | ManifestName:
    """The parts of an item's name."""
    return parse_manifest_name(item.name) if item.content == "manifest" else parse_name(item.name)


class Shipment:
    """Uploads files of one spool to one store.

    ``on_packed(delta)``: packing a file changed the size of the spool by ``delta`` bytes.
    ``on_tidied(delta)``: the same, for the removal of what an interrupted packing left.
    ``on_stored(stored)`` records an object before its file is removed; it may raise OSError to keep the file.
    """

    def __init__(
        self,
        files: Files,
        directory: str,
        store: Store,
        compression: str,
        on_packed: Callable[[int], object],
        on_stored: Callable[[Stored], object],
        on_tidied: Callable[[int], object] = lambda delta: None,
    ) -> None:
        self._files = files
        self._directory = directory
        self._store = store
        self._deposit = Deposit(store)
        self._suffix = SUFFIXES[compression]
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
        """Bytes of a file that was just finished; 0 if they cannot be found out."""
        with suppress(OSError):
            area = "manifest" if item.content == "manifest" else "sealed"
            return self._files.size(self.path(area, item.name))
        return 0

    def waiting(self) -> list[tuple[Item, int]]:
        """The waiting files with their sizes. Removes what an interrupted packing left. Raises OSError."""
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
                path, packed = self._loaded(item)
            except FileNotFoundError:
                # waiting(), in another thread, may have removed the raw file; then the packed one exists.
                path, packed = self._loaded(item)
        except FileNotFoundError:
            return Shipped(None)
        except (OSError, ValueError) as error:
            raise LocalError(item.name, error) from error
        try:
            stored, again = self._deposit.put(named(item), packed, item.content)
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
        return Shipped(stored, freed if item.content == "data" else 0, again)

    # -- the file ------------------------------------------------------------------------------------

    def _loaded(self, item: Item) -> tuple[str, Packed]:
        """The path and the content of the file that is uploaded."""
        if item.content == "manifest":
            path = self.path("manifest", item.name)
            return path, load(self._files, path, self._suffix, compress=bool(self._suffix))
        raw = self.path("sealed", item.name)
        for suffix in (self._suffix, ".gz", ".zst"):
            path = self.path("packed", item.name + suffix)
            if suffix and self._files.exists(path):
                self._drop(raw)
                return path, load(self._files, path, suffix)
        if not self._suffix:
            return raw, load(self._files, raw, "")
        path = self.path("packed", item.name + self._suffix)
        before = self._files.size(raw)
        try:
            self._files.make_directories(self.path("packed"))
            self._packing.add(path)
            packed = pack(self._files, raw, path, self._suffix)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            # No space for a second file: it is uploaded from memory, which makes space.
            with suppress(OSError):
                self._files.remove(path)
            return raw, load(self._files, raw, self._suffix, compress=True)
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
