"""One upkeep process at a time for an archive, by an object in its store.

    upkeep/lock/{n}.json     {"what", "host", "pid", "machine", "since", "at"}

The store does not replace an object. So of two processes that create the same ``n``, one succeeds. The
process that holds the lock creates the next one every minute, and deletes the one before. A lock that was not
renewed for ten minutes is stale: its process has died, and another creates the next one. The old process, if
it lives after all, cannot renew any more, and stops. If the process was one of this machine (the same boot
and the same numbers of processes) and has ended, its lock is stale at once.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from chatlog.record import from_json, rfc3339
from chatlog.store.store import EXISTS, Store, StoreError

PREFIX = "upkeep/lock/"
#: Seconds between two renewals, and after which a lock that was not renewed is stale.
RENEWED_EVERY = 60.0
STALE_AFTER = 600.0


class Busy(Exception):
    """Another process has the lock. The text is a sentence for people."""


class Lost(Exception):
    """The lock was lost: this process stood still for so long that another one took over."""


class ArchiveLock:
    """The lock of an archive, as a context. ``what`` is being done (``expire``); ``now()`` is the time of
    day. With ``renewing`` a thread renews it; else ``renew`` has to be called every minute. The methods may
    raise StoreError."""

    def __init__(self, store: Store, what: str, now: Callable[[], float], renewing: bool = True) -> None:
        self._store = store
        self._what = what
        self._now = now
        self._renewing = renewing
        self._since = 0.0
        self._n = 0
        self._renewed = 0.0
        self._lost = ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ArchiveLock:
        self.take()
        if self._renewing:
            self._thread = threading.Thread(target=self._renew_until_over, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.release()

    def take(self) -> None:
        """Take the lock. Raises Busy."""
        latest, holder = self._latest()
        if holder is not None and not self._is_stale(holder):
            raise Busy(self._sentence(holder))
        self._since = self._now()
        try:
            self._create(latest + 1)
        except StoreError as error:
            if error.kind != EXISTS:
                raise
            raise Busy("another process began with this archive just now; try again in a while") from None
        self._forget(latest)

    def renew(self) -> None:
        """Say that this process lives. Raises Lost."""
        if self._lost:
            raise Lost(self._lost)
        before = self._n
        if self._store.head(_key(before)) is None:
            raise self._gone()
        try:
            self._create(before + 1)
        except StoreError as error:
            if error.kind != EXISTS:
                raise
            raise self._gone() from None
        self._forget(before)

    def check(self) -> None:
        """Raise Lost if another process may have taken over. Call this before anything that cannot be
        undone."""
        if not self._lost and self._now() - self._renewed > STALE_AFTER / 2:
            self.renew()
        if self._lost:
            raise Lost(self._lost)

    def release(self) -> None:
        """Give the lock back."""
        if self._n and not self._lost:
            # If the object cannot be deleted, the lock becomes stale.
            with suppress(StoreError):
                self._store.delete(_key(self._n))
        self._n = 0

    def _renew_until_over(self) -> None:
        while not self._over.wait(RENEWED_EVERY):
            # After an error of the store it is tried again; ``check`` sees how long ago the last renewal is.
            with suppress(StoreError, Lost):
                self.renew()

    def _gone(self) -> Lost:
        self._lost = (
            "another process has taken over this archive, because this one stood still for too long; what it "
            "had not done yet, the other one does"
        )
        return Lost(self._lost)

    def _create(self, n: int) -> None:
        fields = {
            "what": self._what,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "machine": _machine(),
            "since": rfc3339(round(self._since * 1000)),
            "at": self._now(),
        }
        self._store.put_new(_key(n), json.dumps(fields).encode(), {"Content-Type": "application/json"})
        self._n, self._renewed = n, self._now()

    def _forget(self, until: int) -> None:
        """Delete the locks up to this number."""
        if until:
            with suppress(StoreError):
                for head in list(self._store.list(PREFIX)):
                    if _number(head.key) <= until:
                        self._store.delete(head.key)

    def _latest(self) -> tuple[int, dict[str, Any] | None]:
        """The number and the content of the latest lock; 0 and None if there is none."""
        latest = max((_number(head.key) for head in self._store.list(PREFIX)), default=0)
        if not latest:
            return 0, None
        found: object = None
        with suppress(StoreError, ValueError):
            found = from_json(b"".join(self._store.read(_key(latest))))
        # A lock that cannot be read counts as created just now.
        return latest, found if isinstance(found, dict) else {"at": self._now()}

    def _is_stale(self, holder: dict[str, Any]) -> bool:
        if _has_died(holder):
            return True
        at = holder.get("at")
        return isinstance(at, (int, float)) and self._now() - at > STALE_AFTER

    def _sentence(self, holder: dict[str, Any]) -> str:
        who = " ".join(
            f"{word}{holder[key]}"
            for word, key in (("", "what"), ("on ", "host"), ("as process ", "pid"), ("since ", "since"))
            if isinstance(holder.get(key), (str, int))
        )
        minutes = round(STALE_AFTER / 60)
        return (
            f"another process works on this archive ({who or 'an unknown one'}): wait until it is done; if "
            f"it has died, its lock ends by itself within {minutes} minutes"
        )


def _key(n: int) -> str:
    return f"{PREFIX}{n:012d}.json"


def _number(key: str) -> int:
    digits = key.removeprefix(PREFIX).removesuffix(".json")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) == 12 else 0


def _machine() -> str:
    """The boot of this machine, and the namespace of the numbers of its processes; ``""`` if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def _has_died(holder: dict[str, Any]) -> bool:
    """Whether the process was one of this machine, and has ended."""
    here, pid = _machine(), holder.get("pid")
    if not here or holder.get("machine") != here or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
