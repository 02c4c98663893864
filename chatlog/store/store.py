"""Where objects go: a thin seam over an object store, and the errors that everything above it knows.

All calls block and are made from threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

#: What went wrong, and with it what is done about it. It may pass, and is tried again soon. The store
#: refuses: one object, or everybody until somebody mends it; or it is not the store, or not asked as it has
#: to be, and the settings are wrong. A clock is wrong. What is stored is not what was sent. The key is taken,
#: or nothing is there. The store does not know what it is asked, and is asked in another way.
TRANSIENT = "transient"
OBJECT = "object"
REFUSED = "refused"
MISCONFIGURED = "misconfigured"
CLOCK = "clock"
CORRUPT = "corrupt"
EXISTS = "exists"
UNSUPPORTED = "unsupported"
MISSING = "missing"


class StoreError(Exception):
    """A store did not do what it was asked. ``kind`` is one of the words above, ``code`` names the cause in a
    word or two, and the text is the store's own, without anything secret. ``remedy`` says what to do about
    it, ``""`` if nobody can know. ``of_all``: no other object would fare better; where that is open, another
    object decides. ``size``: bytes of the object that was refused, 0 if none was."""

    def __init__(
        self, text: str, kind: str = TRANSIENT, code: str = "", remedy: str = "", of_all: bool = False
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.code = code or kind
        self.remedy = remedy
        self.of_all = of_all
        self.size = 0


@dataclass(frozen=True, slots=True)
class Head:
    """What a store says of an object without sending it. ``etag`` is bare, ``""`` if there is none.
    ``stored`` is when that was, in seconds since the epoch by the store's clock; None where nobody knows."""

    key: str
    size: int
    etag: str
    stored: float | None = None


class Store(Protocol):
    """An object store. Every method may raise StoreError."""

    def describe(self) -> str:
        """What people would call it; nothing secret."""

    def prepare(self) -> str:
        """Find out whether the store takes objects, and how; that in a few words for people, ``""`` if there
        is nothing to say. To be called before the first put."""

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Store ``data`` as a whole under a key that is not taken. An answer is no proof: see ``head``.
        Raises StoreError with EXISTS for a key that is taken."""

    def head(self, key: str) -> Head | None:
        """What is stored under the key; None if nothing is."""

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes. MISSING if there is none."""

    def list(self, prefix: str = "") -> Iterator[Head]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The names of the folders right below ``prefix``, which is ``""`` or ends with a slash."""

    def delete(self, key: str) -> None:
        """Remove the object; fine if there is none."""
