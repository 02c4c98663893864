"""Checks a store with a test object: does everything that the recorder and its tools do with an object, and
gives a remedy for each step that fails."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

from chatlog.counted import many
from chatlog.store.store import EXISTS, OBJECT, REFUSED, Store, StoreError

T = TypeVar("T")


class StoreCheckFailed(Exception):
    """A step failed. The text says which, why, and what to do."""


def object_key() -> str:
    """A new random key."""
    return f"chatlog-check-{secrets.token_hex(8)}.txt"


def walk(store: Store, key: str, step: Callable[[str], object]) -> str:
    """Find out what the store can do; create an object, try to create it again, get its head, list it, read
    it back and delete it. ``step`` is called with the present step, in words that follow "while". Returns a
    sentence. Raises StoreCheckFailed after removing the object, if that is allowed."""
    name = store.describe()
    step(f"asking {name} what it can do")
    how = _done(name, "it cannot be used", store.prepare)
    data = secrets.token_hex(32).encode("ascii")
    step(f"writing {key} to {name}")
    _done(name, f"{key} was not created", lambda: store.put_new(key, data, {}))
    try:
        notes = _use(store, name, key, data, step)
    finally:
        step(f"deleting {key} from {name}")
        gone = _is_deleted(store, key)
    done = "created, looked at, read and deleted" if gone else "created, looked at and read"
    if not gone:
        # The recorder never deletes an object.
        notes.append(f"{key} could not be deleted, and stays there, which hinders nothing")
    return "; ".join([f"{name}: an object was {done}{f' ({how})' if how else ''}", *notes])


def _use(store: Store, name: str, key: str, data: bytes, step: Callable[[str], object]) -> list[str]:
    """The steps with an existing object. Returns notes."""
    notes = []
    step(f"trying to replace {key} in {name}")
    _replace(store, name, key)
    step(f"looking at {key} in {name}")
    head = _done(name, f"{key} cannot be looked at", lambda: store.head(key))
    if head is None or head.size != len(data):
        size = (
            "it is not there"
            if head is None
            else f"it is said to have {many(head.size, 'byte')} and not {len(data)}"
        )
        raise StoreCheckFailed(f"{name}: {key} was created, and {size}; what is stored cannot be trusted")
    step(f"listing {key} in {name}")
    try:
        if not any(found.key == key for found in store.list(key)):
            notes.append(f"{key} is not listed (yet), so chatlog verify may miss what is new")
    except StoreError as error:
        notes.append(f"nothing may be listed ({error}), and chatlog verify needs that: give it s3:ListBucket")
    step(f"reading {key} in {name}")
    if _done(name, f"{key} cannot be read back", lambda: b"".join(store.read(key))) != data:
        raise StoreCheckFailed(
            f"{name}: an object was read back with other bytes; the store or a proxy alters them"
        )
    return notes


def _replace(store: Store, name: str, key: str) -> None:
    try:
        store.put_new(key, b"other", {})
    except StoreError as error:
        # Without the permission to replace objects, the refusal has other words.
        if error.kind not in (EXISTS, REFUSED, OBJECT):
            raise _failed(name, f"a second create of {key} was not refused as it should be", error) from None
    else:
        raise StoreCheckFailed(
            f"{name}: {key} was created a second time, though it was there; the store replaces objects"
        )


def _done(name: str, what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except StoreError as error:
        raise _failed(name, what, error) from None


def _failed(name: str, what: str, error: StoreError) -> StoreCheckFailed:
    remedy = f" What to do: {error.remedy}." if error.remedy else ""
    return StoreCheckFailed(f"{name}: {what}: {error}.{remedy}")


def _is_deleted(store: Store, key: str) -> bool:
    try:
        store.delete(key)
    except StoreError:
        return False
    return True
