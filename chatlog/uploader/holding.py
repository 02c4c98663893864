"""Finished files that wait for other files, so that they go to the store together."""

from __future__ import annotations

from collections.abc import Iterable

from chatlog.uploader.bundle_plan import MOST_BYTES, MOST_FILES
from chatlog.uploader.shipment import Item


class Holding:
    """Holds files back for up to ``interval`` seconds; with 0, none. The holding also knows which files are
    in the bundles that wait."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._held: dict[Item, int] = {}
        # The files of the bundles that were planned, and the files that must not go into any bundle.
        self._bundles: dict[Item, tuple[str, ...]] = {}
        self._inside: set[str] = set()
        self._apart: set[str] = set()

    def __len__(self) -> int:
        """How many files wait here or in bundles, without one for each bundle."""
        return len(self._held) + len(self._inside) - len(self._bundles)

    @property
    def bytes(self) -> int:
        """The bytes of the files that are held."""
        return sum(self._held.values())

    @property
    def oldest(self) -> Item | None:
        """The oldest file that is held."""
        return min(self._held, default=None)

    @property
    def is_full(self) -> bool:
        """Whether there is enough for a bundle."""
        return len(self._held) >= MOST_FILES or self.bytes >= MOST_BYTES

    def knows(self, item: Item) -> bool:
        """Whether the file is held, or in a bundle that waits."""
        return item in self._held or item.name in self._inside

    def take(self, item: Item, size: int) -> bool:
        """Hold a file back, or correct its size; False if it goes to the store by itself."""
        if not self.interval or item.content != "data" or item.name in self._apart:
            return False
        self._held[item] = size
        return True

    def apart(self, name: str) -> None:
        """From now on the file goes to the store by itself."""
        self._apart.add(name)

    def held(self) -> list[tuple[Item, int]]:
        """The files that are held, with their sizes."""
        return list(self._held.items())

    def release(self, items: Iterable[Item]) -> None:
        """These files are held no more."""
        for item in items:
            self._held.pop(item, None)

    def bundle(self, item: Item, files: tuple[str, ...]) -> None:
        """These files are in a bundle that waits."""
        self.done(item)
        self._bundles[item] = files
        self._inside.update(files)

    def done(self, item: Item) -> int:
        """A bundle, or a file that goes by itself, does not wait any more. Returns how many files it was."""
        self._apart.discard(item.name)
        files = self._bundles.pop(item, ())
        self._inside.difference_update(files)
        return len(files) or 1
