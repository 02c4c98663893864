"""What lies in a spool at the start is sorted: what is recovered, what waits, what is not ours."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import TEMPORARY, OsFiles
from chatlog.spool.numbering import Numbering
from chatlog.spool.stock import AREAS, same, take_stock
from tests.fakes import MemoryFiles

ONE, TWO = "twitch_one_20251229_1030.jsonl", "twitch_two_20251229_1031.jsonl"
DIRECTORY = f"a.jsonl{TEMPORARY}"
CHUNK = 1 << 20


def path(area: str, name: str = "") -> str:
    return f"/data/{area}/{name}" if name else f"/data/{area}"


class Counting(MemoryFiles):
    """Knows which of its files are open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[int] = []

    def open_read(self, path: str) -> int:
        fd = super().open_read(path)
        self.opened.append(fd)
        return fd

    def close(self, fd: int) -> None:
        super().close(fd)
        if fd in self.opened:
            self.opened.remove(fd)


class StockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = MemoryFiles()
        for area in AREAS:
            self.files.make_directories(path(area))

    def put(self, area: str, name: str, data: bytes = b"12345") -> None:
        self.files.put(path(area, name), data)

    def test_open_files(self) -> None:
        """Files of the recorder are left over, in their order; files of others are named, wherever they stand
        among them; what the file system itself keeps there is nobody's."""
        names = ["a.txt", ONE, f"{ONE}.bak", TWO, "zz", ".nfs0001", ".fuse_hidden01"]
        for name in reversed(names):
            self.put("open", name)
        stock = take_stock(self.files, path, Numbering())
        self.assertEqual(stock.leftovers, [(ONE, 5), (TWO, 5)])
        self.assertEqual(sorted(stock.unknown_files), ["a.txt", f"{ONE}.bak", "zz"])

    def test_unfinished_repairs(self) -> None:
        """A repair that was not finished is done again, so its file goes; a directory of that name stays and
        is named; and all that comes behind is looked at."""
        root = self.mktemp()
        for area in AREAS:
            os.makedirs(os.path.join(root, area))
        os.mkdir(os.path.join(root, "open", DIRECTORY))
        for name in (f"{ONE}{TEMPORARY}", TWO):
            with open(os.path.join(root, "open", name), "wb") as file:
                file.write(b"12345")
        stock = take_stock(OsFiles(), lambda *names: os.path.join(root, *names), Numbering())
        self.assertEqual((stock.leftovers, stock.unknown_files), ([(TWO, 5)], [DIRECTORY]))
        self.assertEqual(sorted(os.listdir(os.path.join(root, "open"))), [DIRECTORY, TWO])

    def test_what_waits(self) -> None:
        """What waits for its upload counts, damaged bytes in torn/ do not; files of others in other
        directories are passed over, and those behind them are not."""
        self.put("sealed", "a foreign file")
        self.put("sealed", ONE)
        self.put("packed", f"{TWO}.zst", b"123")
        self.put("torn", f"{ONE}.torn", b"1234567")
        stock = take_stock(self.files, path, Numbering())
        self.assertEqual((stock.usage, stock.leftovers, stock.unknown_files), (8, [], []))

    def test_names_in_use(self) -> None:
        """Every name that is there is in use, wherever it lies; the numbers of damaged files too."""
        for n, names in enumerate((("open", "sealed", "packed"), ("torn", "torn", "torn")), 1):
            numbering = Numbering()
            self.setUp()
            for number, area in enumerate(names, n):
                self.put(area, f"twitch_one_20251229_1030n{number:04}.jsonl")
            take_stock(self.files, path, numbering)
            self.assertEqual((numbering.minute, numbering.top), ("20251229_1030", n + 2))


class SameTests(SynchronousTestCase):
    def same(self, one: bytes, other: bytes) -> bool:
        files = Counting()
        files.make_directories("/data")
        files.put("/data/one", one)
        files.put("/data/other", other)
        result = same(files, "/data/one", "/data/other")
        self.assertEqual(files.opened, [])
        return result

    def test_same(self) -> None:
        """Two files are the same if every byte is, however long they are; both are closed afterwards."""
        for size in (0, 1, CHUNK, CHUNK + 1, 3 * CHUNK):
            self.assertTrue(self.same(b"x" * size, b"x" * size), size)

    def test_different(self) -> None:
        """A byte anywhere, or a part that is missing, makes them different."""
        long = b"x" * (2 * CHUNK)
        for one, other in (
            (b"", b"x"),
            (b"a", b"b"),
            (long, long[:-1]),
            (long, long[:CHUNK]),
            (long, long[:-1] + b"y"),
            (long, long[:CHUNK] + b"y" + long[CHUNK + 1 :]),
        ):
            self.assertFalse(self.same(one, other))
            self.assertFalse(self.same(other, one))
