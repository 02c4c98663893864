"""A store in memory that fails on demand, and a spool to upload from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

from chatlog.store.store import EXISTS, MISSING, Head, StoreError


class MemoryStore:
    """Keeps objects. ``before`` is called with operation and key before anything is done and may raise
    what the store would; ``after_put`` may change what was stored, or raise as if the answer was lost."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.attributes: dict[str, dict[str, str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], object] = lambda operation, key: None
        self.after_put: Callable[[str], object] = lambda key: None
        #: Whether the ETag is the MD5, as it is not where the store encrypts.
        self.plain_etags = True

    def _call(self, operation: str, key: str) -> None:
        self.calls.append((operation, key))
        self.before(operation, key)

    def describe(self) -> str:
        return "memory"

    def prepare(self) -> str:
        self._call("prepare", "")
        return "keeps objects in memory"

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self._call("put", key)
        if key in self.objects:
            raise StoreError("exists", EXISTS)
        self.objects[key] = data
        self.attributes[key] = dict(attributes)
        self.after_put(key)

    def head(self, key: str) -> Head | None:
        self._call("head", key)
        data = self.objects.get(key)
        if data is None:
            return None
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest() if self.plain_etags else "f" * 32
        return Head(key, len(data), etag)

    def read(self, key: str) -> Iterator[bytes]:
        self._call("read", key)
        if key not in self.objects:
            raise StoreError("missing", MISSING)
        yield self.objects[key]

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        self._call("read", key)
        if key not in self.objects:
            raise StoreError("missing", MISSING)
        yield self.objects[key][offset : offset + size]

    def list(self, prefix: str = "") -> Iterator[Head]:
        # A copy: other threads store and delete meanwhile.
        for key, data in sorted(dict(self.objects).items()):
            if key.startswith(prefix):
                yield Head(key, len(data), "")

    def folders(self, prefix: str = "") -> Iterator[str]:
        below = {key[len(prefix) :].partition("/") for key in list(self.objects) if key.startswith(prefix)}
        yield from sorted({name for name, slash, _ in below if slash})

    def delete(self, key: str) -> None:
        self._call("delete", key)
        self.objects.pop(key, None)
