"""Objects as files on this machine: always the right bytes, never too many of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatlog.archive.cached_blocks import BLOCK, Changed
from chatlog.archive.file_cache import OLDEST, CacheError, FileCache, default_directory
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import REFUSED, Head, StoreError
from tests.processes import wait_for
from tests.stores import MemoryStore

#: The files that this process has open.
OPENED = Path("/proc/self/fd")
KEY = "parquet/date=2025-12-29/platform=twitch/channel=a/twitch_a_20251229.parquet"


def noise(size: int, seed: int = 0) -> bytes:
    return Random(seed).randbytes(size)


def opened(path: Path) -> int:
    """How often this process has a file open."""
    return sum(os.path.realpath(link) == str(path.resolve()) for link in OPENED.iterdir())


class CacheCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.directory = self.mktemp()
        self.now = 1e9
        self.data = noise(5 * BLOCK + 77)
        self.store.objects[KEY] = self.data

    def cache(self, most: int = 100 * BLOCK) -> FileCache:
        return FileCache(self.store, self.directory, most, lambda: self.now)

    def head(self, key: str = KEY) -> Head:
        head = self.store.head(key)
        assert head is not None
        return head

    def whole(self, cache: FileCache, key: str = KEY) -> bytes:
        self.now += 1
        with cache.whole(self.head(key)) as path:
            return path.read_bytes()

    def reads(self) -> int:
        return sum(operation == "read" for operation, _ in self.store.calls)

    def used(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in Path(self.directory).iterdir())


class ReadingTests(CacheCase):
    def test_whole(self) -> None:
        """An object is fetched once, also for another process later."""
        self.assertEqual(self.whole(self.cache()), self.data)
        self.assertEqual(self.whole(self.cache()), self.data)
        self.assertEqual(self.reads(), 1)

    def test_empty(self) -> None:
        """An object of no bytes is an empty file."""
        self.store.objects["index/empty"] = b""
        self.assertEqual(self.whole(self.cache(), "index/empty"), b"")

    def test_ranges(self) -> None:
        """Of a range only what is not there yet is fetched; neighbours are fetched with one request."""
        with self.cache().ranges(self.head()) as held:
            held.fetch([(10, 5), (BLOCK + 1, 2 * BLOCK)])
            self.assertEqual(self.reads(), 1)
            held.fetch([(4 * BLOCK, 0), (len(self.data) - 8, 99), (-5, 3)])
            self.assertEqual(self.reads(), 2)
            held.fetch([(0, 4 * BLOCK), (5 * BLOCK, 7)])
            self.assertEqual(self.reads(), 2)
            found = held.path.read_bytes()
        self.assertEqual(len(found), len(self.data))
        self.assertEqual(found[: 4 * BLOCK], self.data[: 4 * BLOCK])
        self.assertEqual(found[5 * BLOCK :], self.data[5 * BLOCK :])

    @given(st.lists(st.tuples(st.integers(0, 9 * BLOCK), st.integers(0, 3 * BLOCK)), max_size=4))
    @settings(max_examples=25, deadline=None)
    def test_any_ranges(self, ranges: list[tuple[int, int]]) -> None:
        """Whatever ranges are asked for, they are there."""
        cache = self.cache()
        with cache.ranges(self.head()) as held:
            held.fetch(ranges)
            found = held.path.read_bytes()
        for offset, size in ranges:
            self.assertEqual(found[offset : offset + size], self.data[offset : offset + size])

    def test_directory(self) -> None:
        """An object of an archive in a directory is its own file, and nothing is copied."""
        root = self.mktemp()
        store = DirectoryStore(root)
        store.put_new(KEY, self.data, {})
        cache = FileCache(store, self.directory, 0)
        with cache.whole(Head(KEY, len(self.data), "")) as path:
            self.assertEqual(path.read_bytes(), self.data)
        self.assertFalse(os.path.exists(self.directory))
        store.delete(KEY)
        with self.assertRaises(Changed), cache.whole(Head(KEY, len(self.data), "")):
            pass

    def test_changed(self) -> None:
        """An object that was replaced since it was listed is never mixed with the new one."""
        old = self.head()
        self.store.objects[KEY] = noise(len(self.data), 2)
        cache = self.cache()
        with self.assertRaises(Changed), cache.whole(old):
            pass
        self.assertEqual(self.whole(cache), self.store.objects[KEY])
        del self.store.objects[KEY]
        with self.assertRaises(Changed), cache.whole(old):
            pass

    def test_replaced(self) -> None:
        """Of an object that was replaced the old bytes are gone from this machine once the new ones come."""
        cache = self.cache()
        self.whole(cache)
        self.store.objects[KEY] = noise(3 * BLOCK, 2)
        self.assertEqual(self.whole(cache), self.store.objects[KEY])
        self.assertEqual(len(list(Path(self.directory).iterdir())), 2)

    def test_store_away(self) -> None:
        """While the store does not answer, what was fetched is there; an error is the store's own."""
        cache, head = self.cache(), self.head()
        with cache.ranges(head) as held:
            held.fetch([(0, 1)])

            def away(operation: str, key: str) -> None:
                raise StoreError("it is away", REFUSED)

            self.store.before = away
            held.fetch([(0, BLOCK)])
            with self.assertRaises(StoreError):
                held.fetch([(2 * BLOCK, 1)])


class ObjectsCase(CacheCase):
    """Several objects of two blocks."""

    def setUp(self) -> None:
        super().setUp()
        for n in range(8):
            self.store.objects[f"index/{n}"] = noise(2 * BLOCK, n)


class BoundTests(ObjectsCase):
    def test_oldest_goes(self) -> None:
        """What has not been used for longest makes room; the cache never holds more than it may."""
        cache = self.cache(most=7 * BLOCK)
        for key in ("index/0", "index/1", "index/2", "index/0", "index/3"):
            self.assertEqual(self.whole(cache, key), self.store.objects[key])
            self.assertLessEqual(self.used(), 7 * BLOCK)
        before = self.reads()
        self.whole(cache, "index/0")
        self.assertEqual(self.reads(), before)
        self.whole(cache, "index/1")
        self.assertEqual(self.reads(), before + 1)

    def test_in_use(self) -> None:
        """What is in use stays, also for another process; where no more fits, a sentence says so."""
        cache, other = self.cache(most=5 * BLOCK), self.cache(most=5 * BLOCK)
        with cache.whole(self.head("index/0")) as path, cache.whole(self.head("index/1")):
            with self.assertRaises(CacheError) as raised, other.whole(self.head("index/2")):
                pass
            self.assertIn("archive.cache_size", str(raised.exception))
            self.assertEqual(path.read_bytes(), self.store.objects["index/0"])
        self.assertEqual(self.whole(other, "index/2"), self.store.objects["index/2"])

    def test_too_large(self) -> None:
        """An object that is larger than the cache is refused, and nothing makes way for it in vain."""
        cache = self.cache(most=5 * BLOCK)
        self.whole(cache, "index/0")
        with self.assertRaises(CacheError), cache.whole(self.head()):
            pass
        before = self.reads()
        self.whole(cache, "index/0")
        self.assertEqual(self.reads(), before)

    def test_old(self) -> None:
        """After a week an object is fetched again, and what nobody asks for is removed."""
        cache = self.cache()
        self.whole(cache)
        self.whole(cache, "index/0")
        self.now += OLDEST + 1
        before = self.reads()
        self.assertEqual(self.whole(cache), self.data)
        self.assertEqual(self.reads(), before + 1)
        cache.tidy()
        self.assertEqual(len(list(Path(self.directory).iterdir())), 2)

    def test_forget(self) -> None:
        """What is forgotten is gone from the disk; what belongs to somebody else stays."""
        cache = self.cache()
        foreign = Path(self.directory, "somebody's.data")
        self.whole(cache)
        self.whole(cache, "index/0")
        foreign.write_bytes(b"theirs")
        cache.forget(KEY)
        self.assertEqual(len(list(Path(self.directory).iterdir())), 3)
        cache.clear()
        self.assertEqual(list(Path(self.directory).iterdir()), [foreign])

    def test_no_directory(self) -> None:
        """Where there can be no cache, a sentence says what to set."""
        blocking = Path(self.directory)
        blocking.write_bytes(b"a file")
        with self.assertRaises(CacheError) as raised, self.cache().whole(self.head()):
            pass
        self.assertIn("set archive.cache", str(raised.exception))
        self.cache().clear()
        self.cache().tidy()

    def test_default(self) -> None:
        """Without a setting it is where systemd or the user wants caches."""
        for environ, expected in (
            ({"CACHE_DIRECTORY": "/var/cache/chatlog:/other", "HOME": "/h"}, "/var/cache/chatlog/files"),
            ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/chatlog/files"),
            ({"HOME": "/h"}, "/h/.cache/chatlog/files"),
        ):
            self.assertEqual(default_directory(environ), expected)


class SeveralTests(ObjectsCase):
    def test_at_once(self) -> None:
        """Several threads and processes that use one directory at the same time, and push out each other's
        files, all get the right bytes. (A lock is of an open file, whichever process has it.)"""
        caches = [self.cache(most=7 * BLOCK), self.cache(most=7 * BLOCK)]
        heads = [self.head(f"index/{n}") for n in range(8)]

        def use(seed: int) -> int:
            random, right = Random(seed), 0
            for _ in range(40):
                n = random.randrange(8)
                with contextlib.suppress(CacheError), caches[seed % 2].whole(heads[n]) as path:
                    right += path.read_bytes() == self.store.objects[f"index/{n}"]
                    continue
                right += 1
            return right

        with ThreadPoolExecutor(4) as threads:
            self.assertEqual(list(threads.map(use, range(4))), [40] * 4)
        caches[0].tidy()
        self.assertLessEqual(self.used(), 7 * BLOCK)

    def test_removed_while_it_waits(self) -> None:
        """A reader that waits for an entry which another process removes just then gets the whole object, in
        a file that has its name."""
        if not OPENED.exists():
            raise SkipTest("this system does not say which files a process has open")
        cache = self.cache()
        self.whole(cache, "index/0")
        [data] = Path(self.directory).glob("*.data")
        removing = os.open(data, os.O_RDWR)
        self.addCleanup(os.close, removing)
        fcntl.flock(removing, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(self.whole, cache, "index/0")
            # The reader has opened the file, and now needs the lock.
            wait_for("the reader", lambda: opened(data) == 2, 10.0, 0.001)
            for path in Path(self.directory).iterdir():
                path.unlink()
            fcntl.flock(removing, fcntl.LOCK_UN)
            self.assertEqual(waiting.result(10.0), self.store.objects["index/0"])


class CrashTests(CacheCase):
    def entry(self, suffix: str) -> Path:
        (found,) = Path(self.directory).glob(f"*.{suffix}")
        return found

    def test_cut_off(self) -> None:
        """Whatever a process that was killed left of the list of blocks: the bytes are right."""
        self.whole(self.cache())
        listed = self.entry("blocks").read_bytes()
        for end in range(0, len(listed), 3):
            self.entry("blocks").write_bytes(listed[:end])
            self.assertEqual(self.whole(self.cache()), self.data)

    def test_lost(self) -> None:
        """Blocks that did not reach the disk when the machine died are fetched again."""
        self.whole(self.cache())
        for damaged in (self.data[:BLOCK] + bytes(2 * BLOCK), b"", noise(len(self.data) + 5)):
            self.entry("data").write_bytes(damaged)
            self.assertEqual(self.whole(self.cache()), self.data)

    def test_half_an_entry(self) -> None:
        """One of the two files of an entry alone does no harm, and is removed in its turn."""
        self.whole(self.cache())
        self.entry("blocks").unlink()
        self.assertEqual(self.whole(self.cache()), self.data)
        self.entry("data").unlink()
        self.assertEqual(self.whole(self.cache()), self.data)
        self.entry("data").unlink()
        self.cache().clear()
        self.assertEqual(list(Path(self.directory).iterdir()), [])

    def test_garbage(self) -> None:
        """A list of blocks that is nonsense, or endless, counts for nothing."""
        self.whole(self.cache())
        for nonsense in (b"\0" * 50, b"x\n" * 9, b"0 00000000\n" * 2000, b"1 zz\n-1 00000000\n"):
            self.entry("blocks").write_bytes(nonsense)
            self.assertEqual(self.whole(self.cache()), self.data)

    def test_link(self) -> None:
        """A link in the place of an entry is not followed."""
        self.whole(self.cache())
        target = Path(self.mktemp())
        target.write_bytes(b"not to be touched")
        self.entry("data").unlink()
        Path(str(self.entry("blocks")).replace(".blocks", ".data")).symlink_to(target.resolve())
        with self.assertRaises(CacheError), self.cache().whole(self.head()):
            pass
        self.assertEqual(target.read_bytes(), b"not to be touched")

    def test_hostile_names(self) -> None:
        """Whatever a key is, its file is in the cache's directory."""
        cache = self.cache()
        for key in ("../../escape", "/etc/passwd", "a\0b", "a\nb", "x" * 5000, ".", "\ud83d"):
            self.store.objects[key] = key.encode("utf-8", "surrogatepass")
            self.assertEqual(self.whole(cache, key), self.store.objects[key])
        self.assertEqual(len(os.listdir(self.directory)), 14)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "..", "escape")))
