"""Doubles that several tests share: a file system in memory that fails, tears and crashes on demand,
and threads that run when the test says so."""

from __future__ import annotations

import errno
import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from chatlog.counters import Counters
from chatlog.environment import Environment
from chatlog.record import Encode, encode_full
from chatlog.twitch.native import find

T = TypeVar("T")

#: The parser in Rust, which the parts that parse chat are tested with if it is installed.
NATIVE = find(os.environ)


class Crashed(Exception):
    """The machine has lost its power: no call does anything any more."""


@dataclass(eq=False)
class Inode:
    """A file's content as programs see it, as the disk has it, and the changes in between."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    #: ("write", offset, bytes) and ("truncate", size, b""), in order.
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)
    locked: bool = False

    def sync(self) -> None:
        self.durable[:] = self.data
        self.pending.clear()


@dataclass
class Change:
    """A change of directories: ``inode`` appears as ``new`` and no longer as ``old`` (either may be
    ``""``). On the disk once every directory it touches has been synced."""

    inode: Inode
    old: str
    new: str
    directories: set[str]


class MemoryFiles:
    """A file system in memory (``chatlog.files.Files``).

    ``fail(n, code)`` makes the n-th call from now that changes or syncs something raise that error;
    ``crash_at(n)`` makes that call, and all later ones, raise ``Crashed``. ``crash(random)`` turns the
    memory into what a disk may hold after that: everything synced, and of the rest any part, in any
    state. ``rule(operation, path)`` may raise an OSError for chosen calls. ``capacity`` limits the
    bytes of all files: a write that does not fit is cut short, the next gets ENOSPC.
    """

    def __init__(self, syncs_all: bool = True) -> None:
        self.tree: dict[str, Inode] = {}
        self.durable_tree: dict[str, Inode] = {}
        self.changes: list[Change] = []
        self.directories: set[str] = {"/"}
        self.fds: dict[int, tuple[Inode, str, list[int]]] = {}
        self.calls = 0
        self.log: list[tuple[str, str]] = []
        self.capacity: int | None = None
        #: The number of the file system at every path.
        self.number = 1
        #: Files take multiples of this many bytes.
        self.block = 1
        self.most_fds: int | None = None
        self.rule: Callable[[str, str], None] = lambda operation, path: None
        #: How many of the bytes of a write are taken.
        self.take: Callable[[int], int] = lambda size: size
        self.syncs_all = syncs_all
        self.lacking: dict[str, str] = {}
        self.dead = False
        self._fail_at: dict[int, int] = {}
        self._crash_at: int | None = None
        self._next_fd = 3

    # -- What a test asks for

    def fail(self, n: int, code: int) -> None:
        self._fail_at[self.calls + n] = code

    def crash_at(self, n: int) -> None:
        self._crash_at = self.calls + n

    def content(self, path: str) -> bytes:
        return bytes(self.tree[path].data)

    def put(self, path: str, data: bytes) -> None:
        """A file that has always been there."""
        inode = Inode(bytearray(data), bytearray(data))
        self.tree[path] = self.durable_tree[path] = inode
        self.directories.add(os.path.dirname(path))

    def kill(self) -> None:
        """The process dies and the machine lives: every write that returned is kept."""
        self._restart()

    def crash(self, chance: random.Random) -> None:
        """The machine dies."""
        tree = dict(self.durable_tree)
        for change in self.changes:
            if chance.random() < 0.5:
                _apply(tree, change)
        for inode in {id(inode): inode for inode in tree.values()}.values():
            _tear(inode, chance)
        self.tree = tree
        for inode in tree.values():
            inode.sync()
        self.durable_tree = dict(tree)
        self.changes.clear()
        self._restart()

    def lose(self) -> None:
        """The machine dies, and the disk has nothing but what was synced."""
        self.tree = dict(self.durable_tree)
        for inode in self.tree.values():
            inode.data[:] = inode.durable
            inode.pending.clear()
        self.changes.clear()
        self._restart()

    def _restart(self) -> None:
        for inode, _, _ in self.fds.values():
            inode.locked = False
        self.fds.clear()
        self.dead = False
        self._crash_at = None
        self._fail_at.clear()

    # -- chatlog.files.Files

    def _call(self, operation: str, path: str) -> None:
        if self.dead:
            raise Crashed
        self.calls += 1
        self.log.append((operation, path))
        if self.calls == self._crash_at:
            self.dead = True
            raise Crashed
        code = self._fail_at.pop(self.calls, None)
        if code is not None:
            raise OSError(code, os.strerror(code), path)
        self.rule(operation, path)

    def _look(self, operation: str, path: str) -> None:
        if self.dead:
            raise Crashed
        self.rule(operation, path)

    def _new_fd(self, inode: Inode, path: str) -> int:
        if self.most_fds is not None and len(self.fds) >= self.most_fds:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        self._next_fd += 1
        self.fds[self._next_fd] = (inode, path, [0])
        return self._next_fd

    def _find(self, path: str) -> Inode:
        if path not in self.tree:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.tree[path]

    def _directory(self, path: str) -> str:
        directory = os.path.dirname(path)
        if directory not in self.directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return directory

    def _fd(self, fd: int) -> tuple[Inode, str, list[int]]:
        if fd not in self.fds:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.fds[fd]

    def _change(self, inode: Inode, old: str, new: str) -> None:
        directories = {os.path.dirname(path) for path in (old, new) if path}
        change = Change(inode, old, new, directories)
        _apply(self.tree, change)
        self.changes.append(change)

    def kind(self, directory: str) -> str:
        return "memory"

    def device(self, directory: str) -> int:
        return self.number

    def create(self, path: str) -> int:
        self._call("create", path)
        self._directory(path)
        if path in self.tree:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        inode = Inode()
        fd = self._new_fd(inode, path)
        self._change(inode, "", path)
        return fd

    def reopen(self, path: str) -> int:
        self._look("reopen", path)
        return self._new_fd(self._find(path), path)

    def lock(self, path: str) -> int:
        self._call("lock", path)
        if path not in self.tree:
            self._directory(path)
            self._change(Inode(), "", path)
        inode = self.tree[path]
        if inode.locked:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), path)
        fd = self._new_fd(inode, path)
        inode.locked = True
        return fd

    def open_read(self, path: str) -> int:
        self._look("open_read", path)
        return self._new_fd(self._find(path), path)

    def read(self, fd: int, size: int) -> bytes:
        _, _, position = self._fd(fd)
        data = self.read_at(fd, size, position[0])
        position[0] += len(data)
        return data

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        inode, path, _ = self._fd(fd)
        self._look("read", path)
        return bytes(inode.data[offset : offset + size])

    def write(self, fd: int, data: bytes) -> int:
        inode, path, _ = self._fd(fd)
        self._call("write", path)
        data = data[: self.take(len(data))]
        if self.capacity is not None:
            free = self.capacity - self.used() + -len(inode.data) % self.block
            if data and free <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            data = data[:free]
        inode.pending.append(("write", len(inode.data), data))
        inode.data += data
        return len(data)

    def used(self) -> int:
        """Bytes that all files take, in whole blocks."""
        return sum(-(-len(inode.data) // self.block) * self.block for inode in self.tree.values())

    def truncate(self, fd: int, size: int) -> None:
        inode, path, _ = self._fd(fd)
        self._call("truncate", path)
        inode.pending.append(("truncate", size, b""))
        _cut(inode.data, size)

    def size(self, path: str) -> int:
        self._look("size", path)
        return len(self._find(path).data)

    def sync(self, fd: int) -> None:
        inode, path, _ = self._fd(fd)
        self._call("sync", path)
        inode.sync()

    def sync_all(self, directory: str) -> bool:
        self._call("sync_all", directory)
        if not self.syncs_all:
            return False
        for inode in {id(inode): inode for inode in self.tree.values()}.values():
            inode.sync()
        self.durable_tree = dict(self.tree)
        self.changes.clear()
        return True

    def sync_directory(self, path: str) -> None:
        self._call("sync_directory", path)
        kept = []
        for change in self.changes:
            change.directories.discard(path)
            if change.directories:
                kept.append(change)
            else:
                _apply(self.durable_tree, change)
        self.changes = kept

    def close(self, fd: int) -> None:
        inode, path, _ = self._fd(fd)
        self._look("close", path)
        del self.fds[fd]
        if not any(other is inode for other, _, _ in self.fds.values()):
            inode.locked = False

    def rename(self, old: str, new: str) -> None:
        self._call("rename", old)
        self._directory(new)
        self._change(self._find(old), old, new)

    def remove(self, path: str) -> None:
        self._call("remove", path)
        self._change(self._find(path), path, "")

    def exists(self, path: str) -> bool:
        self._look("exists", path)
        return path in self.tree or path in self.directories

    def names(self, directory: str) -> list[str]:
        self._look("names", directory)
        return [os.path.basename(path) for path in self.tree if os.path.dirname(path) == directory]

    def make_directories(self, path: str) -> None:
        self._look("make_directories", path)
        while path not in self.directories:
            self.directories.add(path)
            path = os.path.dirname(path)

    def free_bytes(self, directory: str) -> int:
        self._look("free_bytes", directory)
        return 1 << 40 if self.capacity is None else self.capacity - self.used()


def _apply(tree: dict[str, Inode], change: Change) -> None:
    """A change is about a file, not about a name: it touches no other file that is called the same."""
    if change.old and tree.get(change.old) is change.inode:
        del tree[change.old]
    if change.new:
        tree[change.new] = change.inode


def _cut(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data += bytes(size - len(data))


def _tear(inode: Inode, chance: random.Random) -> None:
    """What the disk may hold of a file: each change since the last sync applied, dropped, cut or
    garbled; the size may have grown without the bytes."""
    data = bytearray(inode.durable)
    for kind, offset, payload in inode.pending:
        fate = chance.choice(("applied", "applied", "dropped", "cut", "garbled", "sized"))
        if kind == "truncate":
            if fate != "dropped":
                _cut(data, offset)
            continue
        if fate == "dropped":
            continue
        if fate == "cut":
            payload = payload[: chance.randrange(len(payload) + 1)]
        elif fate == "sized":
            payload = bytes(len(payload))
        elif fate == "garbled" and payload:
            start = chance.randrange(len(payload))
            end = chance.randrange(start, len(payload)) + 1
            # Bytes that no text holds; without a checksum nobody could tell other text from what was.
            garbage = bytes(chance.randrange(0xF8, 0x100) for _ in range(end - start))
            payload = payload[:start] + garbage + payload[end:]
        _cut(data, max(len(data), offset))
        data[offset : offset + len(payload)] = payload
    inode.data = data


class ImmediateThreads:
    """Runs a call at once, as if a thread had done it in no time."""

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        return execute(function, *args)


class QueuedThreads:
    """Keeps calls until the test runs them with ``pump``."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        result: Deferred[T] = Deferred()
        self.jobs.append((result, function, args))
        return result

    def pump(self, most: int = 1000) -> int:
        """Run up to ``most`` calls, also those that the first ones lead to; how many ran."""
        done = 0
        while self.jobs and done < most:
            result, function, args = self.jobs.popleft()
            try:
                value = function(*args)
            except Exception:
                result.errback(Failure())
            else:
                result.callback(value)
            done += 1
        return done


def environment(
    clock: Any,
    wall: Callable[[], float] | None = None,
    files: Any = None,
    disk: Any = None,
    counters: Counters | None = None,
    encode: Encode = encode_full,
    boot: str = "",
) -> Environment:
    """What a part is made with: a clock that is the time of day too, files in memory, threads that do
    everything at once, unless something else is given. Chat is parsed in Rust where that is installed."""
    return Environment(
        clock,
        wall or clock.seconds,
        MemoryFiles() if files is None else files,
        ImmediateThreads() if disk is None else disk,
        Counters() if counters is None else counters,
        encode,
        boot,
        NATIVE.read_chat,
    )
