"""Single requests to an object store, in a given way, through obstore. Odd answers are handled here.

The module is longer because every kind of request is here, so that each has the same errors and limits.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import GCSStore

from chatlog.config.endpoint import AUTO, doors_of
from chatlog.store import moving
from chatlog.store.answers import NO_STORE
from chatlog.store.explained import body_of, explained, is_page
from chatlog.store.listed import head_of, is_bucket_missing, is_odd, listed, part_of
from chatlog.store.plain_http import elsewhere, fetched
from chatlog.store.proof import MD5, PROBE, Way
from chatlog.store.store import EXISTS, MISCONFIGURED, MISSING, TRANSIENT, Head, StoreError

_CHUNK = 4 << 20
#: Objects of a list that are taken over at a time: a page of most stores.
_PAGE = 1000
_ERRORS = (BaseError, OSError, ValueError)
_BUCKET = "create the bucket, or correct its name, the endpoint or s3.addressing"
_SIGNED_FOR = timedelta(minutes=10)
#: Seconds for which a server that answered like a store is believed to be one.
_BELIEVED_FOR = 60.0
#: The library's error for an answer with the whole object in place of a part.
WHOLE = "Received non-partial response"
#: Errors for a part behind the end of an object.
BEYOND = re.compile(r"416|InvalidRange|Requested range was invalid|wanted range starting at")
#: Suffixes of web pages; no object of ours has one.
_PAGES = (".html", ".htm")


#: Returns the client for a way. With extra headers for every request it creates a new client.
Clients = Callable[[Way, Mapping[str, str]], Any]


class Requests:
    """Requests to one store. Every method may raise StoreError, whose text never contains ``secrets``."""

    def __init__(self, clients: Clients, secrets: tuple[str, ...] = ()) -> None:
        self._clients = clients
        self._secrets = tuple(secret for secret in secrets if secret)
        # Until when the server is believed to be a store, and whether it has ever listed an object.
        self._believed = float("-inf")
        self._has_listed = False

    def put(self, way: Way, key: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Store an object. The error's kind is EXISTS if there is one already and ``way.creates`` is set."""
        mode: Any = "create" if way.creates else "overwrite"
        headers = {}
        if way.checksum == MD5:
            digest = hashlib.md5(data, usedforsecurity=False).digest()
            headers["Content-MD5"] = base64.b64encode(digest).decode("ascii")
        client = self._clients(way, headers)
        try:
            obstore.put(client, key, data, attributes=dict(attributes or {}), mode=mode, use_multipart=False)
        except _ERRORS as error:
            # The library fails if the answer has no ETag, though the object may be stored: head() shows it.
            if "MissingEtag" not in str(error):
                failure = self._error(error)
                if failure.kind == MISSING:
                    # The object is new: only the bucket can be missing.
                    failure.kind = MISCONFIGURED
                    failure.remedy = failure.remedy or _BUCKET
                if failure.kind == TRANSIENT and failure.code.startswith("409") and self._is_there(way, key):
                    # A conflict with the existing object, in the store's own words.
                    failure.kind = EXISTS
                raise self._with_address(failure, client, way, key) from None

    def _is_there(self, way: Way, key: str) -> bool:
        with suppress(StoreError):
            return self.head(way, key) is not None
        return False

    def _with_address(self, error: StoreError, client: Any, way: Way, key: str) -> StoreError:
        """The same error with the right address of the bucket, if the store says that it is elsewhere."""
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
        """The metadata of the object; None if there is none. If HEAD does not give it, the object is read."""
        client = self._clients(way, {})
        if way.heads:
            try:
                meta = obstore.head(client, key)
                if not meta["e_tag"] and meta["last_modified"].timestamp() <= 0:
                    # Every store says more about an object than this.
                    self._refuse_page(key, obstore.get(client, key))
                return head_of(key, meta)
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return None
            except _ERRORS as error:
                if not is_odd(error) and explained(error).kind == TRANSIENT:
                    raise self._error(error) from None
        try:
            got = obstore.get(client, key)
            self._refuse_page(key, got)
            return head_of(key, got.meta)
        except FileNotFoundError as error:
            self._refuse_missing_bucket(error)
            return None
        except PermissionDeniedError as error:
            refusal = self._error(error)
            text = f"{refusal}: {key} may not be read; s3:GetObject and s3:ListBucket are needed"
            raise StoreError(text, refusal.kind, refusal.code, refusal.remedy, refusal.of_all) from None
        except _ERRORS as error:
            if not is_odd(error):
                raise self._error(error) from None
        return self._measured(client, key)

    def size(self, way: Way, key: str) -> int | None:
        """The bytes of the object, by HEAD alone; None if there is none."""
        try:
            return int(obstore.head(self._clients(way, {}), key)["size"])
        except FileNotFoundError:
            return None
        except _ERRORS as error:
            raise self._error(error) from None

    def version(self, way: Way, key: str) -> str:
        """The version of the object, by HEAD alone; ``""`` if it has none, or if there is no object. (Google
        has a number for every object, of which nothing follows.)"""
        client = self._clients(way, {})
        if isinstance(client, GCSStore):
            return ""
        try:
            return str(obstore.head(client, key).get("version") or "")
        except FileNotFoundError:
            return ""
        except _ERRORS as error:
            if is_odd(error):
                return ""
            raise self._error(error) from None

    @staticmethod
    def _refuse_page(key: str, got: Any) -> None:
        """Raise StoreError if the answer is a web page and no object."""
        if str(got.attributes.get("Content-Type", "")).startswith("text/html"):
            _check(key, bytes(next(iter(got.stream(min_chunk_size=1)), b"")))

    def _refuse_missing_bucket(self, error: Exception) -> None:
        """Raise StoreError if the bucket itself is missing."""
        if is_bucket_missing(error):
            raise self._error(error) from None

    def _measured(self, client: Any, key: str) -> Head | None:
        """The metadata of an object, computed by reading it."""
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
        """The bytes of an object."""
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
            self._refuse_missing_bucket(error)
            raise StoreError(f"there is no {key}", MISSING) from None
        except _ERRORS as error:
            if not is_odd(error):
                raise self._error(error) from None
            yield from self._fetched(client, key)
            return
        try:
            for chunk in stream.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except _ERRORS as error:
            raise self._error(error) from None

    def read_range(self, way: Way, key: str, offset: int, size: int) -> Iterator[bytes]:
        """``size`` bytes of an object behind ``offset``; fewer if it ends before."""
        if size <= 0:
            return
        try:
            options: Any = {"range": (offset, offset + size)}
            stream = obstore.get(self._clients(way, {}), key, options=options)
        except FileNotFoundError as error:
            self._refuse_missing_bucket(error)
            raise StoreError(f"there is no {key}", MISSING) from None
        except _ERRORS as error:
            if BEYOND.search(str(error)):
                return
            if not is_odd(error) and WHOLE not in str(error):
                raise self._error(error) from None
            # The store gives whole objects only, or leaves out a header that the library needs.
            yield from part_of(self.read(way, key), offset, size)
            return
        try:
            for chunk in stream.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except _ERRORS as error:
            raise self._error(error) from None

    def list(self, way: Way, prefix: str = "") -> Iterator[Head]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""
        # The library lists whole path segments only. At the top of a bucket there may be very many keys, so
        # the listing starts just before the prefix.
        folder = prefix.rpartition("/")[0]
        after = prefix[:-1] if way.bucket and not folder else ""
        anything = False
        try:
            client = self._clients(way, {})
            for batch in obstore.list(client, folder or None, offset=after or None, chunk_size=_PAGE):
                for meta in batch:
                    anything = True
                    key = str(meta["path"])
                    if key.startswith(prefix):
                        yield listed(meta)
                    elif after and key > prefix:
                        return
        except _ERRORS as error:
            raise self._error(error) from None
        self._has_listed |= anything
        if not anything:
            self._believe(way)

    def folders(self, way: Way, prefix: str = "") -> Iterator[str]:
        """The names of the folders directly below ``prefix``, which is ``""`` or ends with a slash."""
        try:
            listed = obstore.list_with_delimiter(self._clients(way, {}), prefix.rstrip("/") or None)
        except _ERRORS as error:
            raise self._error(error) from None
        if not listed["common_prefixes"] and not listed["objects"]:
            self._believe(way)
        for folder in listed["common_prefixes"]:
            yield str(folder).rstrip("/").rpartition("/")[2]

    def _believe(self, way: Way) -> None:
        """Raise StoreError if the server that answered with an empty list is not a store: the library takes
        many documents for an empty list. A store has no object under a random key, and does not say so with
        a web page."""
        if time.monotonic() < self._believed:
            return
        key = f"{PROBE}-{secrets.token_hex(8)}"
        try:
            obstore.get(self._clients(way, {}), key)
        except _ERRORS as error:
            # Other errors prove nothing, and a proxy may replace a store's errors by its own pages.
            if is_page(body_of(error)) and not self._has_listed:
                raise _no_store("nothing is listed, and what it says of an object is a web page") from None
        else:
            raise _no_store(f"nothing is listed, and it has an object {key}, which nobody stored")
        self._believed = time.monotonic() + _BELIEVED_FOR

    def lists(self, way: Way, key: str) -> bool:
        """Whether a list that begins at the key contains it."""
        try:
            for batch in obstore.list(self._clients(way, {}), offset=key[:-1]):
                return any(meta["path"] == key for meta in batch)
        except _ERRORS as error:
            raise self._error(error) from None
        return False

    def delete(self, way: Way, key: str) -> None:
        """Delete the object, if there is one."""
        try:
            with suppress(FileNotFoundError):
                obstore.delete(self._clients(way, {}), key)
        except _ERRORS as error:
            raise self._error(error) from None

    def storage_class(self, way: Way, key: str) -> str | None:
        """The storage class of an object, ``""`` if the store does not say; None if there is no object."""
        return moving.class_of(self._clients(way, {}), key)

    def move(self, way: Way, key: str, storage_class: str) -> None:
        """Move an object to another storage class."""
        try:
            moving.move(lambda headers: self._clients(way, headers), key, storage_class)
        except FileNotFoundError:
            raise StoreError(f"there is no {key}", MISSING) from None
        except _ERRORS as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> StoreError:
        return explained(error, self._secrets)


def _check(key: str, first: bytes) -> None:
    """Raise StoreError if an object begins like a web page and its key is not that of one."""
    if is_page(first[:1000].decode("utf-8", "replace")) and not key.endswith(_PAGES):
        raise _no_store(f"{key} was asked for, and a web page came")


def _no_store(text: str) -> StoreError:
    """The error for a server that answers and is not a store."""
    words = f"what answers there is not an object store: {text}"
    return StoreError(words, MISCONFIGURED, "no object store", NO_STORE, True)
