"""The way of one finished file into the store: packed, put, verified, written down, and only then removed.

Everything here blocks and is called from a thread. Whatever is done can be done again: a file that is
in the store already is recognised by its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from chatlog.files import NO_DESCRIPTORS, NO_SPACE, Files
from chatlog.naming import FileName, ManifestName, parse_manifest_name, parse_name
from chatlog.store.store import CORRUPT, EXISTS, OBJECT, REFUSED, TRANSIENT, Store, StoreError
from chatlog.uploader.packing import CONTENT_TYPES, SUFFIXES, UNFINISHED, Packed, load, pack

#: Further names that are tried when one is taken by other bytes.
_MOST_NAMES = 1000


class Stored(NamedTuple):
    """An object that was verified. ``bytes`` and ``sha256`` (hex) are those of the object, compressed if
    it is; ``first`` and ``last`` are timestamps of records; ``content`` is ``data`` or ``manifest``."""

    name: str
    key: str
    bytes: int
    sha256: str
    lines: int
    first: str
    last: str
    content: str


class Item(NamedTuple):
    """A file that waits. Items sort oldest first; ``order`` is the minute and number of its name."""

    order: tuple[str, int]
    content: str
    name: str

    @property
    def room(self) -> str:
        """What comes before the minute in the name: platform and channel, or the instance of a manifest."""
        return self.name[: self.name.rindex(f"_{self.order[0]}")]


@dataclass(slots=True)
class Shipped:
    """What came of an item: the object, or None where there is no such file any more; ``freed`` bytes of
    the spool. ``again``: the object was there already."""

    stored: Stored | None
    freed: int = 0
    again: bool = False


class LocalError(Exception):
    """A file of ours that cannot be read, written or understood; the text says which and why. ``passes``:
    it is not the file's fault, there is no space or no descriptor left at present."""

    def __init__(self, name: str, error: Exception) -> None:
        self.reason = str(getattr(error, "strerror", None) or error)
        super().__init__(f"{name}: {self.reason}")
        self.passes = isinstance(error, OSError) and error.errno in NO_SPACE | NO_DESCRIPTORS


def item_of(name: str, content: str) -> Item:
    """The item of a file's name. Raises ValueError for a name that is none."""
    parts = parse_manifest_name(name) if content == "manifest" else parse_name(name)
    return Item((parts.minute, parts.n), content, name)


class Shipment:
    """Ships files of one spool to one store. ``on_packed(delta)`` is told by how many bytes the spool
    changed, ``on_tidied(delta)`` the same for what an interrupted packing had left; ``on_stored(stored)``
    writes an object down before its file goes, and may raise OSError to keep the file."""

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
        self._suffix = SUFFIXES[compression]
        self._on_packed = on_packed
        self._on_stored = on_stored
        self._on_tidied = on_tidied
        # What is being packed at this moment, as it will be called.
        self._packing: set[str] = set()

    def prepare(self) -> str:
        """Ask the store whether it takes anything, and how. Raises StoreError."""
        return self._store.prepare()

    def path(self, area: str, name: str = "") -> str:
        """A path in the spool."""
        return f"{self._directory}/{area}/{name}" if name else f"{self._directory}/{area}"

    def size(self, item: Item) -> int:
        """Bytes of a file that was just finished; 0 if that cannot be told."""
        with suppress(OSError):
            area = "manifest" if item.content == "manifest" else "sealed"
            return self._files.size(self.path(area, item.name))
        return 0

    def waiting(self) -> list[tuple[Item, int]]:
        """The files that wait, with their sizes; what an interrupted packing left behind is tidied up.
        Raises OSError."""
        found: dict[Item, int] = {}
        for area, content in (("packed", "data"), ("sealed", "data"), ("manifest", "manifest")):
            try:
                names = self._files.names(self.path(area))
            except FileNotFoundError:
                continue
            for name in names:
                with suppress(OSError, ValueError):
                    self._take(area, content, name, found)
        return sorted(found.items())

    def _take(self, area: str, content: str, name: str, found: dict[Item, int]) -> None:
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
        """Ship one file. Raises StoreError and LocalError; the file is then still there."""
        try:
            try:
                path, packed = self._loaded(item)
            except FileNotFoundError:
                # A look at what waits may have tidied up beside us; then it is there in the other form.
                path, packed = self._loaded(item)
        except FileNotFoundError:
            return Shipped(None)
        except (OSError, ValueError) as error:
            raise LocalError(item.name, error) from error
        try:
            stored, again = self._put(item, packed)
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
        """The path of the file that is shipped, and what is in it."""
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
            # No room for a second file: it is shipped from memory, and that makes room.
            with suppress(OSError):
                self._files.remove(path)
            return raw, load(self._files, raw, self._suffix, compress=True)
        finally:
            self._packing.discard(path)
        self._files.remove(raw)
        self._on_packed(len(packed.data) - before)
        return path, packed

    def _drop(self, raw: str) -> None:
        """Remove what has been packed as a whole, if that has not been done yet."""
        with suppress(FileNotFoundError):
            size = self._files.size(raw)
            # Whoever packed it may not have come so far.
            self._files.sync_directory(self.path("packed"))
            self._files.remove(raw)
            self._on_packed(-size)

    # -- the store -----------------------------------------------------------------------------------

    def _put(self, item: Item, packed: Packed) -> tuple[Stored, bool]:
        """Put the object under its key, or under the next that is free, and make sure that it is there.
        True with it if it was there before."""
        contents = packed.contents
        attributes = {
            "Content-Type": CONTENT_TYPES[packed.suffix],
            "sha256": packed.sha256,
            "lines": str(contents.lines),
            "first": contents.first,
            "last": contents.last,
        }
        parts: FileName | ManifestName
        parts = parse_manifest_name(item.name) if item.content == "manifest" else parse_name(item.name)
        for _ in range(_MOST_NAMES):
            key = parts.key(suffix=packed.suffix)
            again = False
            try:
                self._store.put_new(key, packed.data, attributes)
            except StoreError as error:
                if error.kind != EXISTS:
                    if not self._is_there(key, packed, error):
                        raise
                elif not self._is_same(key, packed):
                    parts = parts.numbered(parts.n + 1)
                    continue
                again = True
            else:
                self._verify(key, packed)
            return (
                Stored(
                    str(parts),
                    key,
                    len(packed.data),
                    packed.sha256,
                    contents.lines,
                    contents.first,
                    contents.last,
                    item.content,
                ),
                again,
            )
        raise StoreError(f"{item.name}: {_MOST_NAMES} objects of that name have other bytes", CORRUPT)

    def _is_there(self, key: str, packed: Packed, error: StoreError) -> bool:
        """Whether an object that is refused is stored already: an earlier answer may have been lost, and not
        every store says so of what it does not let anybody replace."""
        if error.of_all or error.kind not in (OBJECT, REFUSED):
            return False
        with suppress(StoreError):
            head = self._store.head(key)
            return head is not None and head.size == len(packed.data) and self._reads_back(key, packed)
        return False

    def _is_same(self, key: str, packed: Packed) -> bool:
        head = self._store.head(key)
        if head is None:
            # Said to be there and not there: another writer, or a store that is of two minds.
            raise StoreError(f"{key} is said to exist and is not there", TRANSIENT, "two minds")
        if head.size != len(packed.data):
            self._look(key)
            return False
        return head.etag == packed.md5 or self._reads_back(key, packed)

    def _verify(self, key: str, packed: Packed) -> None:
        """An answer is no proof. Raises StoreError."""
        head = self._store.head(key)
        if head is None:
            raise StoreError(f"{key} was taken, and is not there", TRANSIENT, "not stored")
        if head.size != len(packed.data):
            self._look(key)
            raise StoreError(
                f"{key} has {head.size} bytes in the store and not {len(packed.data)}", CORRUPT, "other size"
            )
        # Stores that encrypt have an ETag of their own.
        if head.etag != packed.md5 and not self._reads_back(key, packed):
            raise StoreError(f"{key} has other bytes in the store", CORRUPT, "other bytes")

    def _look(self, key: str) -> None:
        """Raises StoreError if it is no store that answers any more, but a page in front of it."""
        try:
            next(iter(self._store.read(key)), b"")
        except StoreError as error:
            if error.of_all:
                raise

    def _reads_back(self, key: str, packed: Packed) -> bool:
        digest = hashlib.sha256()
        for chunk in self._store.read(key):
            digest.update(chunk)
        return digest.hexdigest() == packed.sha256
