"""The interface of an object store, and its errors.

All calls block and are made from threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

# The kinds of errors. The kind decides what the caller does.
#: The error may pass; the request is tried again soon.
TRANSIENT = "transient"
#: The store refuses this object.
OBJECT = "object"
#: The store refuses every request until a person changes something.
REFUSED = "refused"
#: The settings are wrong: what answers is not the store, or it is addressed in the wrong way.
MISCONFIGURED = "misconfigured"
#: The clock of this machine or of the store is wrong.
CLOCK = "clock"
#: The stored bytes are not those that were sent.
CORRUPT = "corrupt"
#: An object with this key exists.
EXISTS = "exists"
#: The store does not know this kind of request; it is asked in another way.
UNSUPPORTED = "unsupported"
#: No object with this key exists.
MISSING = "missing"
#: The object is in a storage class from which it has to be restored before it can be read.
ARCHIVED = "archived"


class StoreError(Exception):
    """A request to a store failed. The text is the store's own, without secrets.

    ``kind`` is one of the words above; ``code`` names the cause in one or two words; ``remedy`` says what to
    do, ``""`` if unknown. ``of_all``: the same request would fail for any other object; False if that is
    unknown. ``size``: bytes of the object that was refused, 0 if none was.
    """

    def __init__(
        self, text: str, kind: str = TRANSIENT, code: str = "", remedy: str = "", of_all: bool = False
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.code = code or kind
        self.remedy = remedy
        self.of_all = of_all
        self.size = 0

    @property
    def advice(self) -> str:
        """The text with the remedy, if there is one."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata of an object. ``etag`` is without quotes, ``""`` if there is none. ``stored`` is the time
    of the upload, in seconds since the epoch by the store's clock; None if unknown."""

    key: str
    size: int
    etag: str
    stored: float | None = None


@runtime_checkable
class Movable(Protocol):
    """A store that can move its objects to another storage class. Every method may raise StoreError; its kind
    is UNSUPPORTED where the store or the credentials do not allow to ask."""

    def class_of(self, key: str) -> str | None:
        """The storage class of the object, ``""`` if it has that of new objects. None if there is no
        object."""

    def move(self, key: str, storage_class: str) -> None:
        """Move the object. Its bytes and attributes stay; where the bucket keeps versions, the old one stays
        in its class."""


@runtime_checkable
class Versioned(Protocol):
    """A store that may keep the old versions of what is deleted."""

    def version_of(self, key: str) -> str:
        """The version of the object; ``""`` or ``null`` if the store keeps no versions of it. Raises
        StoreError."""


@runtime_checkable
class Local(Protocol):
    """A store whose objects are files of this machine."""

    def file_of(self, key: str) -> str:
        """The path of the object, whether it is there or not. Raises StoreError for what is no key."""


class Store(Protocol):
    """An object store. Every method may raise StoreError."""

    def describe(self) -> str:
        """A name of the store for people, without secrets."""

    def prepare(self) -> str:
        """Find out whether and how objects can be stored. Call this before the first put. Returns how, in a
        few words for people; ``""`` if there is nothing to say."""

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Store ``data`` under a new key. Success is no proof that it is stored: check with ``head``.
        The attribute ``Storage-Class`` is the class that it gets; without it, that of the configuration or of
        the bucket. Raises StoreError; its kind is EXISTS if the key is taken."""

    def head(self, key: str) -> Head | None:
        """The metadata of the object; None if there is none."""

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of the object. Raises StoreError; its kind is MISSING if there is no object."""

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        """``size`` bytes of the object behind ``offset``; fewer if it ends before. Raises StoreError as
        ``read`` does."""

    def list(self, prefix: str = "") -> Iterator[Head]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The names of the folders directly below ``prefix``, which is ``""`` or ends with a slash."""

    def delete(self, key: str) -> None:
        """Delete the object, if there is one."""
