"""Finds out what a store can do, with a probe object that is stored, stored again, read, listed and deleted
before anything else is stored.

Not every store that calls itself compatible knows conditional creates or checksums, not every one takes the
bucket in the path, and not every server that answers is a store.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from chatlog.config.endpoint import Door
from chatlog.store.answers import NO_STORE
from chatlog.store.explained import is_page
from chatlog.store.store import (
    CLOCK,
    EXISTS,
    MISCONFIGURED,
    MISSING,
    OBJECT,
    REFUSED,
    TRANSIENT,
    UNSUPPORTED,
    StoreError,
)

#: The key of the probe object, below the prefix.
PROBE = "chatlog-probe"
_DATA = b"chatlog"
_GZIP = b"\x1f\x8b"
#: How often a probe is stored again after another recorder has deleted it.
_TRIES = 3
#: The checksums that may be sent with an object.
SHA256, MD5, NONE = "sha256", "md5", ""
_ENDS_WITH_BUCKET = (
    "s3.endpoint has the bucket in it already; give https:// and the store's host alone, without the bucket"
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a store is asked. ``door`` is its address, ``bucket`` the bucket's name (``""`` if the address
    needs none), ``checksum`` what is sent with an object. ``creates``: a put fails if the object exists.
    ``heads``: HEAD shows an object's metadata."""

    door: Door
    bucket: str = ""
    checksum: str = NONE
    creates: bool = True
    heads: bool = True

    def weaker(self) -> Iterator[Way]:
        """This way, then ways that need less of the store."""
        for checksum in dict.fromkeys((self.checksum, NONE, MD5 if self.checksum else NONE)):
            yield replace(self, checksum=checksum)
            if self.creates:
                yield replace(self, checksum=checksum, creates=False)


class Asked(Protocol):
    """The requests that a proof makes: see ``Requests``. Every method may raise StoreError."""

    def put(self, way: Way, key: str, data: bytes) -> None:
        """Store an object."""

    def read(self, way: Way, key: str) -> Iterator[bytes]:
        """The bytes of an object."""

    def size(self, way: Way, key: str) -> int | None:
        """The bytes of the object, by HEAD alone; None if there is none."""

    def lists(self, way: Way, key: str) -> bool:
        """Whether a list that begins at the key contains it."""

    def delete(self, way: Way, key: str) -> None:
        """Delete the object, if there is one."""


@dataclass(slots=True)
class Proof:
    """The way that works, and in words what the store lacks."""

    way: Way
    wanting: list[str]

    def __str__(self) -> str:
        can = [
            "conditional create"
            if self.way.creates
            else "no conditional create, so each key is checked first"
        ]
        if self.way.bucket:
            checksum = {SHA256: "SHA-256 sent", MD5: "MD5 sent", NONE: "no checksum sent"}[self.way.checksum]
            can = [f"{self.way.door}-style addresses", *can, checksum]
        return ", ".join([*can, *self.wanting])


def prove(asked: Asked, ways: list[Way]) -> Proof:
    """The first of ``ways`` that works, or a weaker form of it. If none does, raises the StoreError that
    explains most."""
    worst: StoreError | None = None
    for way in ways:
        try:
            return _prove(asked, way)
        except StoreError as error:
            unreachable = error.of_all and error.code in ("name lookup", "connect", "certificate")
            # A host name may fail alone and be right with the bucket in it.
            elsewhere = unreachable or error.code.startswith("421")
            if error.kind == CLOCK or (error.kind == TRANSIENT and not elsewhere):
                raise
            if unreachable and not way.door.hosted and worst is None and way.door.sure:
                raise
            if worst is None or (worst.kind == MISCONFIGURED and error.kind == REFUSED and not unreachable):
                worst = error
    assert worst is not None
    raise worst


def _prove(asked: Asked, way: Way) -> Proof:
    key, never_new = PROBE, True
    for _ in range(_TRIES):
        try:
            found, was_there = _stored(asked, way, key)
        except StoreError as error:
            if key != PROBE or not _is_kept(asked, way, error):
                raise
            # An earlier probe of ours, which may not be deleted or replaced. Another key shows what may be
            # stored.
            key = _another()
            continue
        never_new = never_new and was_there
        data = _read(asked, found, key)
        if data == _DATA:
            return _rest(asked, found, key)
        if data is not None and was_there and not is_page(data.decode("utf-8", "replace")):
            # The object is not a probe. Use another key.
            key = _another()
        elif data is not None:
            with suppress(StoreError):
                asked.delete(found, key)
            what = "a web page" if is_page(data.decode("utf-8", "replace")) else "something else"
            if data.startswith(_GZIP):
                raise StoreError(
                    "an object that was stored is read back compressed, by a proxy in front of the store",
                    MISCONFIGURED,
                    "altered",
                    "switch off compression in the proxy in front of the store",
                    True,
                )
            raise StoreError(
                f"what answers there is not an object store: an object was stored, and {what} was read back",
                MISCONFIGURED,
                "no object store",
                NO_STORE,
                True,
            )
    if way.creates and never_new:
        # Perhaps the store says that objects exist which do not.
        return _prove(asked, replace(way, creates=False))
    raise StoreError(f"{key} was accepted, and is not there", TRANSIENT, "not stored", of_all=True)


def _another() -> str:
    return f"{PROBE}-{secrets.token_hex(4)}"


def _is_kept(asked: Asked, way: Way, error: StoreError) -> bool:
    """Whether a refused probe is in the store already."""
    with suppress(StoreError):
        return error.kind in (REFUSED, OBJECT) and not error.of_all and _read(asked, way, PROBE) == _DATA
    return False


def _stored(asked: Asked, way: Way, key: str) -> tuple[Way, bool]:
    """Store the probe in the first form of ``way`` that the store accepts. Returns the form, and whether the
    probe was there before."""
    first: StoreError | None = None
    for form in way.weaker():
        try:
            asked.put(form, key, _DATA)
        except StoreError as error:
            if error.kind == EXISTS:
                return form, True
            if first is None or first.kind == UNSUPPORTED:
                first = error
            if not _may_be_the_form(error):
                raise
        else:
            return replace(form, creates=form.creates and _refuses_again(asked, form, key)), False
    assert first is not None
    raise first


def _may_be_the_form(error: StoreError) -> bool:
    """Whether another form of the request may succeed. Some stores and proxies call a right checksum
    wrong."""
    if error.kind == UNSUPPORTED or "BadDigest" in error.code or "Mismatch" in error.code:
        return True
    odd = error.code.startswith(("400", "404", "405", "411")) or "SignatureDoesNotMatch" in error.code
    return odd and not error.of_all


def _refuses_again(asked: Asked, way: Way, key: str) -> bool:
    """Whether a conditional create of an existing object fails, as it must."""
    try:
        asked.put(way, key, _DATA)
    except StoreError as error:
        if error.of_all or error.kind not in (EXISTS, UNSUPPORTED, REFUSED, OBJECT):
            raise
        # The first put succeeded. So this error means that the store refuses to replace the object.
        return error.kind != UNSUPPORTED
    return False


def _read(asked: Asked, way: Way, key: str) -> bytes | None:
    """The beginning of the object, enough to recognise a probe; None if there is no object."""
    data = b""
    try:
        for chunk in asked.read(way, key):
            data += chunk
            if len(data) > 4096:
                break
    except StoreError as error:
        if error.kind != MISSING:
            raise
        return None
    return data


def _rest(asked: Asked, way: Way, key: str) -> Proof:
    """Try HEAD, list and delete with the probe. A recorder can do without each of them."""
    wanting = []
    if not _heads(asked, way, key):
        way = replace(way, heads=False)
        wanting.append("HEAD shows no size, so objects are read back")
    try:
        if not _lists(asked, way, key):
            raise StoreError(
                "an object that was stored is not listed: keys do not mean there what they mean here",
                MISCONFIGURED,
                "bucket in the endpoint",
                _ENDS_WITH_BUCKET,
                True,
            )
    finally:
        if not _succeeds(lambda: asked.delete(way, key)):
            wanting.append("nothing may be deleted")
    return Proof(way, wanting)


def _heads(asked: Asked, way: Way, key: str) -> bool:
    with suppress(StoreError):
        return asked.size(way, key) == len(_DATA)
    return False


def _lists(asked: Asked, way: Way, key: str) -> bool:
    """False if the list proves that objects get other keys in this way."""
    try:
        listed = asked.lists(way, key)
    except StoreError as error:
        # A list of a missing bucket fails with these. Credentials that may not list may still store.
        return way.door.sure and error.kind != MISSING and "NoSuchBucket" not in error.code
    # A list may lag behind, which is accepted unless the address was guessed.
    return listed or way.door.sure


def _succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except StoreError:
        return False
    return True
