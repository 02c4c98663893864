"""Finished files, compressed and described."""

from __future__ import annotations

import errno
import gzip
import random
from collections.abc import Callable

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.packing import UNFINISHED, ContentsReader, load, pack, packer, unpacked
from tests.fakes import Crashed, MemoryFiles

LINES = [b'{"timestamp":"2025-12-29T10:30:%02d.000Z","message":"m%d"}\n' % (n, n) for n in range(40)]
RAW = b"".join(LINES)
SUFFIXES = (".gz", ".zst")


def spool() -> MemoryFiles:
    """A file system with one finished file."""
    files = MemoryFiles()
    for area in ("sealed", "packed"):
        files.make_directories(f"/data/{area}")
    files.put("/data/sealed/a", RAW)
    return files


class PackTests(SynchronousTestCase):
    """From sealed to packed."""

    def test_anybody_can_unpack_it(self) -> None:
        """What was packed is what any gzip or zstd gives back."""
        files = spool()
        for suffix in SUFFIXES:
            packed = pack(files, "/data/sealed/a", f"/data/packed/a{suffix}", suffix)
            data = files.content(f"/data/packed/a{suffix}")
            self.assertEqual(packed, load(files, f"/data/packed/a{suffix}", suffix))
            self.assertEqual(packed.data, data)
            self.assertLess(len(data), len(RAW))
        self.assertEqual(gzip.decompress(files.content("/data/packed/a.gz")), RAW)
        self.assertEqual(zstandard.decompress(files.content("/data/packed/a.zst"), 1 << 20), RAW)

    def test_same_bytes_every_time(self) -> None:
        """The same file always becomes the same object, on disk or in memory, so that an object can be
        recognised by its bytes after an answer was lost."""
        files = spool()
        for suffix in SUFFIXES:
            pack(files, "/data/sealed/a", f"/data/packed/a{suffix}", suffix)
            pack(files, "/data/sealed/a", f"/data/packed/b{suffix}", suffix)
            first = load(files, f"/data/packed/a{suffix}", suffix)
            second = load(files, f"/data/packed/b{suffix}", suffix)
            self.assertEqual(first, second)
            self.assertEqual(load(files, "/data/sealed/a", suffix, compress=True), first)

    def test_what_was_written_is_looked_at(self) -> None:
        """When the disk keeps other bytes than were written, there is no packed file, and the finished one
        stays."""
        for suffix in SUFFIXES:
            for spoil in (lambda data: data[:-3], lambda data: b"x" + data[1:], lambda data: data + b"x"):
                files = spool()

                def rule(
                    operation: str,
                    path: str,
                    files: MemoryFiles = files,
                    spoil: Callable[[bytes], bytes] = spoil,
                ) -> None:
                    if operation == "open_read" and path.endswith(UNFINISHED):
                        files.put(path, spoil(files.content(path)))

                files.rule = rule
                with self.assertRaises(ValueError):
                    pack(files, "/data/sealed/a", f"/data/packed/a{suffix}", suffix)
                self.assertEqual(files.names("/data/packed"), [])
                self.assertEqual(files.content("/data/sealed/a"), RAW)

    def test_memory_goes_by_the_size(self) -> None:
        """A small file is packed, and unpacked by whoever reads it, with little memory; a large one looks
        back as far as its compression allows."""
        for size, least, most in ((50_000, 0, 1 << 16), (8_000_000, 1 << 20, 1 << 22)):
            files = spool()
            files.put("/data/sealed/b", (RAW * (size // len(RAW) + 1))[:size])
            pack(files, "/data/sealed/b", "/data/packed/b.zst", ".zst")
            window = zstandard.get_frame_parameters(files.content("/data/packed/b.zst")).window_size
            self.assertTrue(least <= window <= most, window)

    def test_no_trouble_loses_anything(self) -> None:
        """Whatever call of the file system fails or is the last before a crash: the finished file is
        whole, and a packed one is whole or not there."""
        calls = spool()
        pack(calls, "/data/sealed/a", "/data/packed/a.zst", ".zst")
        count = len(calls.log)
        self.assertGreater(count, 5)
        for n in range(1, count + 1):
            for code in (errno.ENOSPC, errno.EIO):
                files = spool()
                files.fail(n, code)
                try:
                    pack(files, "/data/sealed/a", "/data/packed/a.zst", ".zst")
                except OSError:
                    self.assertFalse(files.exists(f"/data/packed/a.zst{UNFINISHED}"), n)
                self._check(files)
            files = spool()
            files.sync_all("/data")
            files.crash_at(n)
            try:
                pack(files, "/data/sealed/a", "/data/packed/a.zst", ".zst")
            except Crashed:
                files.crash(random.Random(n))
            self._check(files)

    def _check(self, files: MemoryFiles) -> None:
        self.assertEqual(files.content("/data/sealed/a"), RAW)
        if files.exists("/data/packed/a.zst"):
            self.assertEqual(b"".join(unpacked([files.content("/data/packed/a.zst")], ".zst")), RAW)


class ContentsTests(SynchronousTestCase):
    """The Contents of a file's records."""

    def test_lines_first_and_last(self) -> None:
        """The number of lines and the timestamps at both ends are those of the records."""
        for suffix, compress in (("", False), (".gz", True), (".zst", True)):
            contents = load(spool(), "/data/sealed/a", suffix, compress).contents
            self.assertEqual(
                (contents.lines, contents.first, contents.last),
                (40, "2025-12-29T10:30:00.000Z", "2025-12-29T10:30:39.000Z"),
            )

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 200), max_size=30))
    def test_pieces_make_no_difference(self, cuts: list[int]) -> None:
        """However a file is cut into pieces, the same is found out."""
        whole, pieces = ContentsReader(), ContentsReader()
        whole.feed(RAW)
        rest = RAW
        for cut in cuts:
            pieces.feed(rest[:cut])
            rest = rest[cut:]
        pieces.feed(rest)
        self.assertEqual(whole.contents(), pieces.contents())

    def test_no_records(self) -> None:
        """A line that is no record has no timestamp, and nothing breaks."""
        reader = ContentsReader()
        reader.feed(b"nonsense\n[1]\n")
        self.assertEqual((reader.contents().lines, reader.contents().first), (2, ""))


class UnpackTests(SynchronousTestCase):
    """Damaged files."""

    def test_damage_is_found(self) -> None:
        """A file that was cut off or changed, or has bytes after its end, never counts as whole."""
        for suffix in SUFFIXES:
            packing = packer(suffix)
            data = packing.compress(RAW) + packing.flush()
            self.assertEqual(b"".join(unpacked([data], suffix)), RAW)
            self.assertEqual(b"".join(unpacked((data[i : i + 1] for i in range(len(data))), suffix)), RAW)
            damaged = bytearray(data)
            damaged[len(data) // 2] ^= 0x40
            for bad in (data[:-1], data[: len(data) // 2], b"", bytes(damaged), data + b"x"):
                with self.assertRaises(ValueError):
                    b"".join(unpacked([bad], suffix))
