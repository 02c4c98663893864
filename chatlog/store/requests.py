"""Single requests to an object store in a given way, through obstore, and what becomes of odd answers."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError

from chatlog.config.endpoint import AUTO, doors_of
from chatlog.store.answers import NO_STORE
from chatlog.store.explained import body_of, explained, is_page
from chatlog.store.plain_http import elsewhere, fetched
from chatlog.store.proof import MD5, PROBE, Way
from chatlog.store.store import EXISTS, MISCONFIGURED, MISSING, TRANSIENT, Head, StoreError

_CHUNK = 4 << 20
_ERRORS = (BaseError, OSError, ValueError)
#: What the library says of an answer that lacks a header which it wants.
_ODD_HEADERS = (
    "Header missing from response",
    "Invalid last modified",
    "Invalid content length",
    "content range",
)
_BUCKET = "create the bucket, or correct its name, the endpoint or s3.addressing"
_SIGNED_FOR = timedelta(minutes=10)
#: Seconds for which what answered as a store is taken for one.
_BELIEVED_FOR = 60.0
#: What pages are called; no object of ours is.
_PAGES = (".html", ".htm")


#: Makes the client for a way. With further headers for every request it is a new one.
Clients = Callable[[Way, Mapping[str, str]], Any]


class Requests:
    """Requests to one store. Every method may raise StoreError, without these ``secrets`` in it."""

    def __init__(self, clients: Clients, secrets: tuple[str, ...] = ()) -> None:
        self._clients = clients
        self._secrets = tuple(secret for secret in secrets if secret)
        # Until when what answers is taken for a store; whether it has ever listed anything.
        self._believed = float("-inf")
        self._has_listed = False

    def put(self, way: Way, key: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Store an object; EXISTS if there is one, and the way knows that."""
        mode: Any = "create" if way.creates else "overwrite"
        headers = {}
        if way.checksum == MD5:
            digest = hashlib.md5(data, usedforsecurity=False).digest()
            headers["Content-MD5"] = base64.b64encode(digest).decode("ascii")
        client = self._clients(way, headers)
        try:
            obstore.put(client, key, data, attributes=dict(attributes or {}), mode=mode, use_multipart=False)
        except _ERRORS as error:
            # Without an ETag in the answer the library gives up, though all may be well: head tells.
            if "MissingEtag" not in str(error):
                told = self._error(error)
                if told.kind == MISSING:
                    # Nothing can be missing where something new is put.
                    told.kind = MISCONFIGURED
                    told.remedy = told.remedy or _BUCKET
                if told.kind == TRANSIENT and told.code.startswith("409") and self._is_there(way, key):
                    # A conflict in words of the store's own, with the object that is there already.
                    told.kind = EXISTS
                raise self._with_address(told, client, way, key) from None

    def _is_there(self, way: Way, key: str) -> bool:
        with suppress(StoreError):
            return self.head(way, key) is not None
        return False

    def _with_address(self, error: StoreError, client: Any, way: Way, key: str) -> StoreError:
        """The same, with the right address of a bucket that is elsewhere, if the store tells."""
        if error.code != "redirect" and not error.code.startswith(("301", "302", "307", "308")):
            return error
        try:
            host, region, scheme, same = elsewhere(str(obstore.sign(client, "GET", key, _SIGNED_FOR)))
        except (*_ERRORS, TypeError):
            return error
        remedy = []
        if not same and not host and not region:
            return StoreError(str(error), MISCONFIGURED, error.code, NO_STORE, True)
        if host:
            scheme = scheme or way.door.url.partition("://")[0] or "https"
            remedy.append(f"s3.endpoint: {self._without_bucket(f'{scheme}://{host}', way)}")
        if region:
            remedy.append(f"s3.region: {region}")
        if not remedy:
            return error
        words = f"{error}; the store names {host or 'the region'}{f' in {region}' if host and region else ''}"
        if not host:
            words += f" {region}"
        return StoreError(words, MISCONFIGURED, error.code, f"set {' and '.join(remedy)}", True)

    @staticmethod
    def _without_bucket(address: str, way: Way) -> str:
        with suppress(ValueError):
            return next(door.url for door in doors_of(address, way.bucket, AUTO) if not door.hosted)
        return address

    def head(self, way: Way, key: str) -> Head | None:
        """What is stored under the key; None if nothing is. A store that does not tell is asked for the
        object itself."""
        client = self._clients(way, {})
        if way.heads:
            try:
                meta = obstore.head(client, key)
                if not meta["e_tag"] and meta["last_modified"].timestamp() <= 0:
                    # No store says so little of an object.
                    self._look(key, obstore.get(client, key))
                return _head_of(key, meta)
            except FileNotFoundError as error:
                self._nothing(error)
                return None
            except _ERRORS as error:
                if not _is_odd(error) and explained(error).kind == TRANSIENT:
                    raise self._error(error) from None
        try:
            got = obstore.get(client, key)
            self._look(key, got)
            return _head_of(key, got.meta)
        except FileNotFoundError as error:
            self._nothing(error)
            return None
        except PermissionDeniedError as error:
            told = self._error(error)
            text = f"{told}: {key} may not be looked at; s3:GetObject and s3:ListBucket are needed"
            raise StoreError(text, told.kind, told.code, told.remedy, told.of_all) from None
        except _ERRORS as error:
            if not _is_odd(error):
                raise self._error(error) from None
        return self._measured(client, key)

    def size(self, way: Way, key: str) -> int | None:
        """How large the object is, by HEAD alone; None if there is none."""
        try:
            return int(obstore.head(self._clients(way, {}), key)["size"])
        except FileNotFoundError:
            return None
        except _ERRORS as error:
            raise self._error(error) from None

    @staticmethod
    def _look(key: str, got: Any) -> None:
        """Raise if a page came in place of an object."""
        if str(got.attributes.get("Content-Type", "")).startswith("text/html"):
            _check(key, bytes(next(iter(got.stream(min_chunk_size=1)), b"")))

    def _nothing(self, error: Exception) -> None:
        """Raise if it is the bucket that is not there."""
        if _is_bucket_missing(error):
            raise self._error(error) from None

    def _measured(self, client: Any, key: str) -> Head | None:
        """What is known of an object by reading it."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            for chunk in self._fetched(client, key):
                digest.update(chunk)
                size += len(chunk)
        except StoreError as error:
            if error.kind == MISSING:
                return None
            raise
        return Head(key, size, digest.hexdigest())

    def _fetched(self, client: Any, key: str) -> Iterator[bytes]:
        try:
            url = str(obstore.sign(client, "GET", key, _SIGNED_FOR))
        except (*_ERRORS, TypeError) as error:
            raise StoreError(f"{key}: the store's answer has no usable headers", TRANSIENT) from error
        return fetched(url)

    def read(self, way: Way, key: str) -> Iterator[bytes]:
        """An object's bytes."""
        first = True
        for chunk in self._read(way, key):
            if first:
                _check(key, chunk)
            first = False
            yield chunk

    def _read(self, way: Way, key: str) -> Iterator[bytes]:
        client = self._clients(way, {})
        try:
            stream = obstore.get(client, key)
        except FileNotFoundError as error:
            self._nothing(error)
            raise StoreError(f"there is no {key}", MISSING) from None
        except _ERRORS as error:
            if not _is_odd(error):
                raise self._error(error) from None
            yield from self._fetched(client, key)
            return
        try:
            for chunk in stream.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except _ERRORS as error:
            raise self._error(error) from None

    def list(self, way: Way, prefix: str = "") -> Iterator[Head]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""
        # The library lists whole path segments only; at the top of a bucket there may be very many.
        folder = prefix.rpartition("/")[0]
        after = prefix[:-1] if way.bucket and not folder else ""
        anything = False
        try:
            for batch in obstore.list(self._clients(way, {}), folder or None, offset=after or None):
                for meta in batch:
                    anything = True
                    key = str(meta["path"])
                    if key.startswith(prefix):
                        yield _listed(meta)
                    elif after and key > prefix:
                        return
        except _ERRORS as error:
            raise self._error(error) from None
        self._has_listed |= anything
        if not anything:
            self._believe(way)

    def folders(self, way: Way, prefix: str = "") -> Iterator[str]:
        """The names of the folders right below ``prefix``, which is ``""`` or ends with a slash."""
        try:
            listed = obstore.list_with_delimiter(self._clients(way, {}), prefix.rstrip("/") or None)
        except _ERRORS as error:
            raise self._error(error) from None
        if not listed["common_prefixes"] and not listed["objects"]:
            self._believe(way)
        for folder in listed["common_prefixes"]:
            yield str(folder).rstrip("/").rpartition("/")[2]

    def _believe(self, way: Way) -> None:
        """Raise if what answered an empty list is no store: any document will do for one. A store has nothing
        under a key that nobody uses, and does not say so with a page."""
        if time.monotonic() < self._believed:
            return
        key = f"{PROBE}-{secrets.token_hex(8)}"
        try:
            obstore.get(self._clients(way, {}), key)
        except _ERRORS as error:
            # What else goes wrong is no proof, and a proxy may put its pages in the place of errors.
            if is_page(body_of(error)) and not self._has_listed:
                raise _no_store("nothing is listed, and what it says of an object is a web page") from None
        else:
            raise _no_store(f"nothing is listed, and it has an object {key}, which nobody stored")
        self._believed = time.monotonic() + _BELIEVED_FOR

    def lists(self, way: Way, key: str) -> bool:
        """Whether the key is in a list that begins with it."""
        try:
            for batch in obstore.list(self._clients(way, {}), offset=key[:-1]):
                return any(meta["path"] == key for meta in batch)
        except _ERRORS as error:
            raise self._error(error) from None
        return False

    def delete(self, way: Way, key: str) -> None:
        """Remove an object; fine if there is none."""
        try:
            with suppress(FileNotFoundError):
                obstore.delete(self._clients(way, {}), key)
        except _ERRORS as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> StoreError:
        return explained(error, self._secrets)


def _check(key: str, first: bytes) -> None:
    """Raise if an object begins as a web page does, and is not called one."""
    if is_page(first[:1000].decode("utf-8", "replace")) and not key.endswith(_PAGES):
        raise _no_store(f"{key} was asked for, and a web page came")


def _no_store(text: str) -> StoreError:
    """What is said of a place that answers and is no store."""
    words = f"what answers there is not an object store: {text}"
    return StoreError(words, MISCONFIGURED, "no object store", NO_STORE, True)


def _head_of(key: str, meta: Mapping[str, Any]) -> Head:
    return Head(key, int(meta["size"]), _bare(meta))


def _listed(meta: Mapping[str, Any]) -> Head:
    stored = meta["last_modified"].timestamp()
    # What the library gives for a time that was not told.
    return Head(str(meta["path"]), int(meta["size"]), _bare(meta), stored if stored > 0 else None)


def _bare(meta: Mapping[str, Any]) -> str:
    return (meta.get("e_tag") or "").removeprefix("W/").strip('"').lower()


def _is_odd(error: Exception) -> bool:
    """Whether the answer was well, but for a header that the library wants."""
    return any(words in str(error) for words in _ODD_HEADERS)


def _is_bucket_missing(error: Exception) -> bool:
    return "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)
