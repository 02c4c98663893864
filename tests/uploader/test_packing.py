"""Finished files, compressed and described."""

from __future__ import annotations

import errno
import gzip
import hashlib
import random
import tracemalloc
import zlib
from collections.abc import Callable

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.packing import (
    UNFINISHED,
    Contents,
    ContentsReader,
    load,
    pack,
    pack_data,
    pack_together,
    packer,
    unpacked,
)
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

    def test_several_at_once(self) -> None:
        """Several files become the same as each alone. All of them are on the disk when that is done, by one
        call where the system can force a whole file system, else by one for each; no descriptor stays."""
        for syncs_all in (True, False):
            files = MemoryFiles(syncs_all)
            for area in ("sealed", "packed"):
                files.make_directories(f"/data/{area}")
            pairs = [(f"/data/sealed/{name}", f"/data/packed/{name}.zst") for name in "abc"]
            for source, _ in pairs:
                files.put(source, RAW + source.encode())
            files.log.clear()
            packed = pack_together(files, pairs, ".zst")
            self.assertEqual(files.fds, {})
            calls = [operation for operation, _ in files.log]
            self.assertEqual((calls.count("sync_all"), calls.count("sync")), (1, 0 if syncs_all else 3))
            files.lose()
            for (source, target), made in zip(pairs, packed, strict=True):
                alone = pack_data(RAW + source.encode(), ".zst")
                self.assertEqual((made, files.content(target)), (alone, alone.data))
            self.assertEqual(sorted(files.names("/data/packed")), ["a.zst", "b.zst", "c.zst"])

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

    def test_it_stays(self) -> None:
        """A packed file is still there if the machine dies right afterwards, and no file is left open."""
        for seed in range(8):
            files = spool()
            files.sync_all("/data")
            pack(files, "/data/sealed/a", "/data/packed/a.zst", ".zst")
            self.assertEqual(files.fds, {})
            files.crash(random.Random(seed))
            self.assertTrue(files.exists("/data/packed/a.zst"))
            self._check(files)

    def test_other_content(self) -> None:
        """If the disk gives back another file, which is whole in itself, there is no packed file."""
        for suffix in SUFFIXES:
            files = spool()
            other = packer(suffix)
            data = other.compress(RAW[: len(LINES[0])]) + other.flush()

            def rule(operation: str, path: str, files: MemoryFiles = files, data: bytes = data) -> None:
                if operation == "open_read" and path.endswith(UNFINISHED):
                    files.put(path, data)

            files.rule = rule
            error = self.assertRaises(ValueError, pack, files, "/data/sealed/a", "/data/packed/a", suffix)
            self.assertEqual(str(error), f"{len(LINES[0])} bytes were packed and not {len(RAW)}")
            self.assertEqual(files.names("/data/packed"), [])

    def test_lines_in_memory(self) -> None:
        """Lines become an object without a file: with the digests of its bytes, and what its records are."""
        for suffix in ("", *SUFFIXES):
            packed = pack_data(RAW, suffix)
            self.assertEqual(b"".join(unpacked([packed.data], suffix)), RAW)
            self.assertEqual(packed.suffix, suffix)
            self.assertEqual(packed.sha256, hashlib.sha256(packed.data).hexdigest())
            self.assertEqual(packed.md5, hashlib.md5(packed.data).hexdigest())
            first, last = "2025-12-29T10:30:00.000Z", "2025-12-29T10:30:39.000Z"
            self.assertEqual(packed.contents, Contents(40, first, last))
            self.assertEqual(packed.data == RAW, not suffix)

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

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(st.sampled_from([*LINES[:3], b"\n", b"[]\n", b"nonsense\n"]), max_size=8),
        st.lists(st.integers(1, 80), max_size=8),
    )
    def test_any_lines(self, lines: list[bytes], cuts: list[int]) -> None:
        """Whatever the lines are and wherever they are cut: they are counted, and the first and the last say
        when they are of."""
        reader, rest = ContentsReader(), b"".join(lines)
        for cut in cuts:
            reader.feed(rest[:cut])
            rest = rest[cut:]
        reader.feed(rest)
        ends = [lines[at][14:38].decode() if lines[at] in LINES else "" for at in (0, -1) if lines]
        self.assertEqual(reader.contents(), Contents(len(lines), *ends or ("", "")))
        self.assertEqual(reader.size, len(b"".join(lines)))

    def test_endless_lines(self) -> None:
        """A line without an end is not held in memory; what comes behind it is seen."""
        piece = b"x" * (1 << 20)
        for begin in (b"", LINES[0]):
            reader = ContentsReader()
            reader.feed(begin)
            tracemalloc.start()
            try:
                for _ in range(24):
                    reader.feed(piece)
                held, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(held, 10 << 20)
            reader.feed(b"\n" + LINES[1])
            self.assertEqual(reader.contents().last, "2025-12-29T10:30:01.000Z")
            self.assertEqual(reader.contents().first, "2025-12-29T10:30:00.000Z" if begin else "")

    def test_a_long_time(self) -> None:
        """Of what should be a time, no more than forty characters are kept."""
        reader = ContentsReader()
        reader.feed(b'{"timestamp":"%b"}\n' % (b"9" * 100))
        self.assertEqual(reader.contents().first, "9" * 40)

    def test_no_records(self) -> None:
        """A line that is no record has no timestamp, and nothing breaks."""
        reader = ContentsReader()
        reader.feed(b"nonsense\n[1]\n")
        self.assertEqual((reader.contents().lines, reader.contents().first), (2, ""))


class UnpackTests(SynchronousTestCase):
    """Damaged files."""

    def test_any_size(self) -> None:
        """Every file comes whole, whatever its size and however it was cut; a small one that becomes large
        comes in pieces."""
        for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 20) + 200, 5_000_000):
            for suffix in SUFFIXES:
                packed = pack_data(b"x" * size, suffix).data
                for step in (7, 1000, len(packed)):
                    chunks = [packed[at : at + step] for at in range(0, len(packed), step)]
                    pieces = [len(piece) for piece in unpacked(chunks, suffix)]
                    self.assertEqual(sum(pieces), size)
                    if suffix == ".gz":
                        self.assertLessEqual(max(pieces), 1 << 20)

    def test_another_format(self) -> None:
        """A file of another format than its name says is damaged."""
        for suffix in SUFFIXES:
            for other in SUFFIXES:
                if other != suffix:
                    self.assertRaises(ValueError, list, unpacked([pack_data(RAW, other).data], suffix))
            for data in (RAW, zlib.compress(RAW), b""):
                self.assertRaises(ValueError, list, unpacked([data], suffix))

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
