"""Mending files that an earlier run left open."""

from __future__ import annotations

import contextlib
import errno
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import OsFiles
from chatlog.record import encode_full
from chatlog.spool.recovery import LONGEST_LINE, TAIL, Repaired, Report, is_record, repair
from tests.fakes import Crashed, MemoryFiles
from tests.recording import line

NAME = "twitch_room_20251229_1030.jsonl"
PATH = f"/data/open/{NAME}"


def spool(data: bytes) -> MemoryFiles:
    files = MemoryFiles()
    for area in ("open", "sealed", "torn"):
        files.make_directories(f"/data/{area}")
    files.put(PATH, data)
    return files


def kept(files: MemoryFiles) -> bytes | None:
    return files.content(PATH) if PATH in files.tree else None


def torn(files: MemoryFiles) -> dict[str, bytes]:
    return {name: files.content(f"/data/torn/{name}") for name in files.names("/data/torn")}


class RepairTests(SynchronousTestCase):
    """``repair``."""

    def test_nothing_to_mend(self) -> None:
        """A good file is not touched."""
        files = spool(line(1) + line(2))
        before = files.calls
        self.assertEqual(repair(files, "/data", NAME), Repaired(2, len(line(1) + line(2)), 0))
        self.assertEqual(files.calls, before)
        self.assertEqual(files.fds, {})

    def test_tables(self) -> None:
        """Good lines stay, in order; everything else is moved to torn/, byte for byte."""
        one, two, three = line(1), line(2), line(3, pad=100)
        half = three[:60]
        cases: list[tuple[bytes, bytes | None, dict[int, bytes]]] = [
            (one + half, one, {len(one): half}),
            (half, None, {0: half}),
            (b"", None, {}),
            (b"\n", None, {0: b"\n"}),
            (one + b"\n" + two, one + two, {len(one): b"\n"}),
            (one + bytes(4096), one, {len(one): bytes(4096)}),
            (bytes(512) + b"\n" + one, one, {0: bytes(512) + b"\n"}),
            (one + bytes(100) + two + three, one + three, {len(one): bytes(100) + two}),
            (one + b'"text"\n[1]\n12\nnull\n' + two, one + two, {len(one): b'"text"\n[1]\n12\nnull\n'}),
            (one + b"\xff\xfe\n" + two, one + two, {len(one): b"\xff\xfe\n"}),
            (one + b'{"a":"\xe2\x82"}\n', one, {len(one): b'{"a":"\xe2\x82"}\n'}),
            (one + b'{"a":1}{"b":2}\n' + two, one + two, {len(one): b'{"a":1}{"b":2}\n'}),
            (one + b"x\n" + two + b"y\n" + three + b"z", one + two + three, {len(one): b"x\ny\nz"}),
            (one + b'{"text":"\xe2\x82', one, {len(one): b'{"text":"\xe2\x82'}),
        ]
        for data, good, bad in cases:
            files = spool(data)
            repaired = repair(files, "/data", NAME)
            self.assertEqual(kept(files), good, data[:200])
            self.assertEqual(torn(files), {f"{NAME}.{at}": text for at, text in bad.items()}, data[:200])
            lines = (good or b"").count(b"\n")
            self.assertEqual(repaired, Repaired(lines, len(good or b""), sum(map(len, bad.values()))))
            self.assertEqual(files.names("/data/open"), [] if good is None else [NAME])
            self.assertEqual(files.fds, {})
            if repaired.torn:
                # What was mended is on the disk.
                files.lose()
                self.assertEqual(kept(files), good)
                self.assertEqual(torn(files), {f"{NAME}.{at}": text for at, text in bad.items()})

    def test_only_the_newline_is_missing(self) -> None:
        """A last line that is whole but for its newline is kept, with a newline."""
        for before, torn_bytes in ((b"", 0), (line(1), 0), (line(1) + b"garbage\n", 8)):
            files = spool(before + line(2)[:-1])
            repaired = repair(files, "/data", NAME)
            good = kept(files) or b""
            self.assertTrue(good.endswith(line(2)))
            self.assertEqual(good.replace(line(1), b""), line(2))
            self.assertEqual(repaired, Repaired(good.count(b"\n"), len(good), torn_bytes))

    def test_no_more_is_written_than_is_needed(self) -> None:
        """What is broken at its end only, in however many lines, is cut off there; a file of which nothing
        is left is only removed. No file is written anew for that."""
        for data, good in (
            (line(1) + b"x\ny\nz", line(1)),
            (line(1) + bytes(5000), line(1)),
            (b"x\ny\n", None),
            (line(1)[:-1], line(1)),
        ):
            files = spool(data)
            files.log.clear()
            repair(files, "/data", NAME)
            self.assertEqual(kept(files), good)
            done = [operation for operation, path in files.log if path.startswith(PATH)]
            self.assertNotIn("create", done, data)
            self.assertEqual("truncate" in done, good is not None, data)

    def test_nul_far_from_the_end(self) -> None:
        """NUL bytes are found anywhere in a file, however long it is."""
        filler = b"".join(line(number, pad=1000) for number in range(6000))
        data = line(1) + bytes(4096) + b"\n" + filler
        files = spool(data)
        self.assertEqual(repair(files, "/data", NAME).lines, 6001)
        self.assertEqual(kept(files), line(1) + filler)
        files = spool(b"\0\n" + filler)
        self.assertEqual(repair(files, "/data", NAME).lines, 6000)
        self.assertEqual(kept(files), filler)

    def test_first_nul(self) -> None:
        """It is the first NUL byte that counts, even if it is the very first byte and others are far off."""
        filler = b"".join(line(number, pad=1000) for number in range(3000))
        files = spool(b"\0\n" + filler + b"\0\n" + filler)
        self.assertEqual(repair(files, "/data", NAME).lines, 6000)
        self.assertEqual(kept(files), filler + filler)

    def test_long_file(self) -> None:
        """Of a long file only the end is checked line by line: what stands before was on the disk for long,
        and a start is not held up by it. An incomplete line at the end is cut off there as well."""
        filler = b"".join(line(number, pad=700 + number % 600) for number in range(6000))
        for before in (b"", b"x" * 70_000 + b"\n"):
            for half in (b"", line(7)[:-5]):
                files = spool(before + filler + half)
                repaired = repair(files, "/data", NAME)
                self.assertEqual(kept(files), before + filler)
                self.assertEqual(repaired, Repaired(6000 + bool(before), len(before + filler), len(half)))
        # The check begins within a line that is longer than what is read at once to find its beginning.
        long = line(1, pad=TAIL + 200_000)
        for data in (line(2) + long + line(3), long + line(3)):
            files = spool(data)
            self.assertEqual(repair(files, "/data", NAME), Repaired(data.count(b"\n"), len(data), 0))
            self.assertEqual(kept(files), data)

    def test_file_that_shrinks(self) -> None:
        """A file that somebody else cuts while it is mended is left for the next start, with an error."""
        files = spool(line(1) + b"bad\n" + line(2))

        def cut(operation: str, path: str) -> None:
            if operation == "create":
                del files.tree[PATH].data[len(line(1)) :]

        files.rule = cut
        error = self.assertRaises(OSError, repair, files, "/data", NAME)
        self.assertEqual(error.errno, errno.EIO)
        self.assertEqual(kept(files), line(1))
        self.assertEqual(files.fds, {})

    def test_long_garbage(self) -> None:
        """A line far too long to be a record is moved away like any other garbage."""
        garbage = b"{" + b"x" * (LONGEST_LINE + 3_500_000)
        for data, good in [
            (line(1) + garbage + b"\n" + line(2) + b"bad\n" + line(3), line(1) + line(2) + line(3)),
            (line(1) + garbage, line(1)),
        ]:
            files = spool(data)
            repaired = repair(files, "/data", NAME)
            self.assertEqual(kept(files), good)
            moved = b"".join(torn(files).values())
            self.assertTrue(moved in (garbage, garbage + b"\nbad\n"))
            self.assertEqual(repaired.torn, len(data) - len(good))
            self.assertEqual(repaired.lines, good.count(b"\n"))

    def test_long_garbage_that_ends_where_a_read_begins(self) -> None:
        """What follows garbage is read as usual, wherever the garbage ends and however much follows."""
        filler = b"".join(line(number, pad=1000) for number in range(3000))
        files = spool(b"x" * (18 << 20) + b"\n" + filler)
        self.assertEqual(repair(files, "/data", NAME), Repaired(3000, len(filler), (18 << 20) + 1))
        self.assertEqual(kept(files), filler)

    def test_everything_the_encoder_writes(self) -> None:
        """Lines with lone surrogates and huge numbers are records: they are never taken for garbage."""
        for details in ({"text": "\ud800"}, {"number": 10**40}, {"text": "\x00 \u2028 \U0001f600"}):
            text = encode_full("", "", "", "", "", "message", "", "twitch", "", "", details)
            self.assertTrue(is_record(text[:-1]), text)
            files = spool(text)
            self.assertEqual(repair(files, "/data", NAME).torn, 0)

    def test_deep_nesting(self) -> None:
        """A line nested so deeply that no parser takes it does not end the recovery."""
        deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        files = spool(line(1) + deep + b"\n" + line(2))
        self.assertEqual(repair(files, "/data", NAME).lines, 3)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.one_of(st.just(b"@"), st.binary(max_size=40)), max_size=12))
    def test_no_byte_is_lost(self, parts: list[bytes]) -> None:
        """Whatever is in a file: every byte is either kept or in torn/, all that is kept are records,
        and doing it again changes nothing."""
        data = b"".join(line(7) if part == b"@" else part for part in parts)
        files = spool(data)
        repaired = repair(files, "/data", NAME)
        good, bad = kept(files) or b"", b"".join(torn(files).values())
        added = len(good) + len(bad) - len(data)
        self.assertIn(added, (0, 1))
        self.assertEqual(sorted(good + bad), sorted(data + b"\n" * added))
        for each in good.split(b"\n")[:-1]:
            self.assertTrue(is_record(each))
        self.assertEqual((repaired.size, repaired.torn), (len(good), len(bad)))
        if good:
            again = repair(files, "/data", NAME)
            self.assertEqual(again, Repaired(repaired.lines, len(good), 0))

    def test_cut_off_anywhere(self) -> None:
        """A repair that dies at any call, even twenty times over, ends like one that does not; no
        byte is gone in between."""
        one, two = line(1, pad=30), line(2, pad=30)
        for data in (one + two[:20], one + bytes(64) + b"\n" + two, two[:9], one + b"bad\n" + two[:-1]):
            straight = spool(data)
            repair(straight, "/data", NAME)
            calls = straight.calls
            for n in range(1, calls + 1):
                files = spool(data)
                chance = random.Random(f"{data!r} {n}")
                for turn in range(20):
                    files.crash_at(n if turn == 0 else chance.randrange(1, calls + 1))
                    with contextlib.suppress(Crashed, FileNotFoundError):
                        repair(files, "/data", NAME)
                    files.crash(chance)
                    for name in [name for name in files.names("/data/open") if name.endswith(".tmp")]:
                        files.remove(f"/data/open/{name}")
                with contextlib.suppress(FileNotFoundError):
                    repair(files, "/data", NAME)
                self.assertEqual(kept(files), kept(straight))
                whole = {name: text for name, text in torn(files).items() if not name.endswith(".tmp")}
                self.assertEqual(whole, torn(straight))

    def test_errors(self) -> None:
        """When the disk fails at any call, the file stays as good as it was and can be mended later."""
        data = line(1) + bytes(64) + b"\n" + line(2)
        straight = spool(data)
        repair(straight, "/data", NAME)
        for code in (errno.ENOSPC, errno.EIO):
            for n in range(1, straight.calls + 1):
                files = spool(data)
                files.fail(n, code)
                with self.assertRaises(OSError):
                    repair(files, "/data", NAME)
                self.assertEqual(files.fds, {})
                self.assertIn(kept(files), (data, line(1) + line(2)))
                repair(files, "/data", NAME)
                self.assertEqual((kept(files), torn(files)), (kept(straight), torn(straight)))

    def test_on_a_real_disk(self) -> None:
        """The same on the system's own files."""
        directory = self.mktemp()
        files = OsFiles()
        for area in ("open", "torn"):
            files.make_directories(f"{directory}/{area}")
        path = f"{directory}/open/{NAME}"
        with open(path, "wb") as file:
            file.write(line(1) + b"\xff\n" + line(2) + line(3)[:11])
        self.assertEqual(repair(files, directory, NAME).lines, 2)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), line(1) + line(2))
        self.assertEqual(files.names(f"{directory}/torn"), [f"{NAME}.{len(line(1))}"])


class ReportTests(SynchronousTestCase):
    """``Report``."""

    def test_sums(self) -> None:
        """Counts add up over files and over batches."""
        report = Report()
        report.add(Repaired(lines=3, size=100, torn=0))
        report.add(Repaired(lines=0, size=0, torn=7))
        report.add(Repaired(lines=1, size=20, torn=0))
        other = Report(failed=[("a", "b")])
        other.merge(report)
        other.merge(report)
        self.assertEqual(
            other, Report(files=6, lines=8, emptied=2, torn_files=2, torn_bytes=14, failed=[("a", "b")])
        )

    def test_one_byte(self) -> None:
        """A file of one byte is not empty, and one byte that was moved away counts."""
        report = Report()
        report.add(Repaired(lines=1, size=1, torn=1))
        self.assertEqual(report, Report(files=1, lines=1, emptied=0, torn_files=1, torn_bytes=1))

    def test_records(self) -> None:
        """Only an object is a record."""
        self.assertTrue(is_record(json.dumps({"a": 1}).encode()))
        for text in (b"", b"[]", b"1", b'"a"', b"{", b'{"a":1', b' {"a":1}', b'{"a":1}\x00'):
            self.assertFalse(is_record(text), text)
