"""The lock of an archive: one process at a time, and none forever."""

from __future__ import annotations

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from chatlog.store.store import TRANSIENT, StoreError
from chatlog.upkeep.lock import PREFIX, STALE_AFTER, ArchiveLock, Busy, Lost
from tests.stores import MemoryStore


class LockTests(SynchronousTestCase):
    """Processes that want one archive."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.time = 1_800_000_000.0

    def lock(self, what: str = "expire") -> ArchiveLock:
        return ArchiveLock(self.store, what, lambda: self.time, renewing=False)

    def locks(self) -> list[str]:
        return [key for key in self.store.objects if key.startswith(PREFIX)]

    def test_one_at_a_time(self) -> None:
        """The second is told who works there; once the first is done, it goes on, and nothing is left."""
        with self.lock("erase"):
            busy = self.assertRaises(Busy, self.lock().take)
            self.assertIn("another process works on this archive (erase on ", str(busy))
            self.assertIn("within 10 minutes", str(busy))
        with self.lock() as lock:
            lock.check()
        self.assertEqual(self.locks(), [])

    def test_both_at_once(self) -> None:
        """Of two that begin in the same moment one gets it."""
        other = self.lock()

        def before(operation: str, key: str) -> None:
            if operation == "put":
                self.store.before = lambda operation, key: None
                other.take()

        self.store.before = before
        self.assertRaises(Busy, self.lock().take)
        other.check()

    def test_died_here(self) -> None:
        """The lock of a process of this machine that has died is taken over at once; one of another machine,
        where that number may be somebody's, is waited for."""
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        self.lock("erase").take()
        [key] = self.locks()
        before = self.store.objects[key]
        fields = {**json.loads(before), "pid": process.pid}
        self.store.objects[key] = json.dumps({**fields, "machine": "elsewhere"}).encode()
        self.assertRaises(Busy, self.lock().take)
        self.store.objects[key] = json.dumps(fields).encode()
        with self.lock() as lock:
            lock.check()

    def test_dead(self) -> None:
        """The lock of a process that died is taken over after a while, and not before; one that lives keeps
        it for as long as it renews it."""
        dead = self.lock()
        dead.take()
        self.time += STALE_AFTER - 1
        self.assertRaises(Busy, self.lock().take)
        dead.renew()
        self.time += STALE_AFTER - 1
        self.assertRaises(Busy, self.lock().take)
        self.time += 2
        with self.lock() as lock:
            self.assertEqual(len(self.locks()), 1)
            lock.check()

    def test_slow(self) -> None:
        """A process that stood still while another took over stops before it does more harm, also if that one
        is done by then, and takes nothing from it."""
        for is_over in (False, True):
            slow = self.lock()
            slow.take()
            self.time += STALE_AFTER + 1
            other = self.lock()
            other.take()
            if is_over:
                other.release()
            lost = self.assertRaises(Lost, slow.check)
            self.assertIn("another process has taken over this archive", str(lost))
            self.assertRaises(Lost, slow.check)
            slow.release()
            self.assertEqual(len(self.locks()), 0 if is_over else 1)
            other.release()

    def test_store_away(self) -> None:
        """A process that cannot renew its lock stops before the lock may be another's."""
        lock = self.lock()
        lock.take()

        def away(operation: str, key: str) -> None:
            raise StoreError("away", TRANSIENT)

        self.store.before = away
        self.time += STALE_AFTER / 2 - 1
        lock.check()
        self.time += 2
        self.assertRaises(StoreError, lock.check)

    def test_unreadable(self) -> None:
        """What lies there and is no lock of ours is respected."""
        self.store.objects[f"{PREFIX}000000000007.json"] = b"\xff"
        busy = self.assertRaises(Busy, self.lock().take)
        self.assertIn("(an unknown one)", str(busy))
