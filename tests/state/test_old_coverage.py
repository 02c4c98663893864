"""The flushes of the version before: which of them are believed, and what else a takeover leaves behind."""

from __future__ import annotations

import errno
import json
import random
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import ManifestName
from chatlog.spool.spool import Spool, SpoolError
from chatlog.takeover import take_over
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, encoded
from tests.fakes import MemoryFiles
from tests.state import entries


def flush(number: int, *rooms: str, lines: Any = None, **more: Any) -> list[dict[str, Any]]:
    """The lines of a flush that says how these rooms stand; ``lines`` is the count that it states."""
    end = {"alive": 100.0 + number, "batch": number, "lines": len(rooms) if lines is None else lines, **more}
    return [*({"room": room} for room in rooms), end]


def spool(**old: bytes) -> MemoryFiles:
    """A spool with these files of the version before."""
    files = MemoryFiles()
    for area in ("open", "sealed", "packed", "torn"):
        files.make_directories(f"/data/{area}")
    for name, data in old.items():
        files.put(f"/data/{name}", data)
    return files


class CoverageTests(SynchronousTestCase):
    def believed(self, *lines: Any) -> list[tuple[list[str], float | None]]:
        """What is taken over of these lines: of each flush the rooms, and when it was."""
        files = spool(coverage=b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        with capturedLogs():
            take_over(Spool("/data", files))
        self.assertNotIn("coverage.broken", files.names("/data"))
        found = entries(files, "coverage")
        return [([each["room"] for each in entry["rooms"]], entry.get("alive")) for entry in found]

    def test_whole_flushes(self) -> None:
        """Every flush that is whole and follows the one before counts; the first one may have any number,
        and one may come twice."""
        lines = [*flush(7, "a", "b"), *flush(8), *flush(8), *flush(9, "c")]
        expected = [(["a", "b"], 107.0), ([], 108.0), ([], 108.0), (["c"], 109.0)]
        self.assertEqual(self.believed(*lines), expected)

    def test_an_incomplete_flush(self) -> None:
        """From a flush on of which a line is missing nothing counts, up to one that has all rooms."""
        good = flush(1, "a")
        for count in (2, 3, "1", None):
            incomplete = flush(2, "b", lines=count)
            if count is None:
                del incomplete[-1]["lines"]
                incomplete[-1]["lines"] = None
            rest = [*flush(3, "c"), *flush(4, "d", all=True), *flush(5, "e")]
            self.assertEqual(
                self.believed(*good, *incomplete, *rest),
                [(["a"], 101.0), (["d"], 104.0), (["e"], 105.0)],
                count,
            )

    def test_a_flush_that_is_missing(self) -> None:
        """So it is if a whole flush is missing; also if the one behind the hole has all rooms, which then
        counts."""
        lines = [*flush(1, "a"), *flush(3, "c"), *flush(4, "d")]
        self.assertEqual(self.believed(*lines), [(["a"], 101.0)])
        lines = [*flush(1, "a"), *flush(3, "c", all=True), *flush(4, "d")]
        self.assertEqual(self.believed(*lines), [(["a"], 101.0), (["c"], 103.0), (["d"], 104.0)])
        # Neither does having all rooms make up for a line that is missing.
        lines = [*flush(1, "a"), *flush(2, "b", lines=2, all=True), *flush(3, "c")]
        self.assertEqual(self.believed(*lines), [(["a"], 101.0)])

    def test_lines_before_a_flush(self) -> None:
        """Of what is left of an earlier flush, only the lines count that the later one states; a flush
        without a count has no other lines."""
        self.assertEqual(self.believed({"room": "x"}, *flush(1, "a")), [(["a"], 101.0)])
        lines = [{"room": "x"}, {"alive": 101.0, "batch": 1}]
        self.assertEqual(self.believed(*lines), [([], 101.0)])

    def test_lines_behind_the_last_flush(self) -> None:
        """Rooms whose flush was not ended count as they are, unless something before them is missing."""
        self.assertEqual(self.believed(*flush(1, "a"), {"room": "b"}), [(["a"], 101.0), (["b"], None)])
        self.assertEqual(self.believed(*flush(1, "a"), *flush(3), {"room": "b"}), [(["a"], 101.0)])
        self.assertEqual(self.believed({"room": "b"}), [(["b"], None)])
        self.assertEqual(self.believed(), [])

    def test_other_lines(self) -> None:
        """Lines that are no objects are left out."""
        self.assertEqual(self.believed(5, [1], "x", None, *flush(1, "a")), [(["a"], 101.0)])

    def test_what_a_flush_holds(self) -> None:
        """Rooms, connections, and what the flush itself says are kept apart; nothing else is taken along."""
        said = {"boot": "b", "since": 1.0, "alive": 2.0, "durable": 1.5, "all": True}
        lines = [{"room": "a"}, {"link": "l"}, {**said, "batch": 1, "lines": 2}]
        files = spool(coverage=b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        take_over(Spool("/data", files))
        self.assertEqual(
            entries(files, "coverage"), [{"rooms": [{"room": "a"}], "links": [{"link": "l"}], **said}]
        )


class RemainsTests(SynchronousTestCase):
    def test_gaps_that_waited(self) -> None:
        """Gaps whose records were written meanwhile do not wait any more. The others get numbers that this
        version does not give, the same ones if they come again."""
        lines = [{"held": 1, "room": "a"}, {"held": 2, "room": "b"}, {"done": 1}, {"done": 9}, {"other": 3}]
        data = b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, {"held": 4, "room": "c"}])
        numbers = []
        for _ in range(2):
            files = spool(held=data)
            take_over(Spool("/data", files))
            found = entries(files, "deferred")
            self.assertEqual([entry["room"] for entry in found], ["b", "c"])
            numbers.append([entry["deferred"] for entry in found])
        self.assertEqual(numbers[0], numbers[1])
        self.assertEqual([number >> 32 for number in numbers[0]], [1, 1])
        self.assertEqual(len(set(numbers[0])), 2)

    def test_broken_files(self) -> None:
        """A file that cannot be understood is put aside, and the log says why, with the line if there is one.
        What is no entry of a file that can be is left out."""
        for name, data, why in (
            (
                "rooms.yaml",
                b"added:\n  twitch: [",
                "cannot be understood, and is now /data/rooms.yaml.broken: line 2: ",
            ),
            ("rooms.yaml", b"- a\n", "there must be keys with values"),
            ("rooms.yaml", b"\x00", "unacceptable character|no YAML|special characters"),
        ):
            files = spool(**{name: data})
            with capturedLogs() as events:
                take_over(Spool("/data", files))
            text = [formatEvent(event) for event in events if event["log_level"].name == "error"]
            self.assertRegex(text[0], why)
            self.assertTrue(files.exists(f"/data/{name}.broken"))
        files = spool(**{"kick_ids.json": b'{"a":5,"b":{"chatroom_id":1,"channel_id":2},"c":[]}'})
        take_over(Spool("/data", files))
        self.assertEqual(entries(files, "kick_ids"), [{"slug": "b", "chatroom_id": 1, "channel_id": 2}])

    def test_a_manifest_whose_name_is_taken(self) -> None:
        """A whole manifest that waited gets the next number that is free."""
        row = ObjectRow("2025/12/29/twitch/a/twitch_a_20251229_1030.jsonl", 1, "a" * 64, 1, "", "")
        head = HeadRow(3600.0, 7200.0, "0.9", "one")
        taken = [str(ManifestName("19700101_0100", "one", n)) for n in (1, 2)]
        for count, name in enumerate([*taken, str(ManifestName("19700101_0100", "one", 3))]):
            files = spool(**{"stored.closed": encoded(head) + encoded(row)})
            for other in taken[:count]:
                files.put(f"/data/manifest/{other}", b"")
            take_over(Spool("/data", files))
            *_, manifest = entries(files, "stored")
            self.assertEqual(manifest["manifest"], name)

    def test_no_names(self) -> None:
        """A file of names without a name is no damage."""
        files = spool(names=b" \n")
        take_over(Spool("/data", files))
        self.assertEqual((files.names("/data"), entries(files, "names")), ([], []))

    def test_nothing_comes_back(self) -> None:
        """What was taken over is on the disk when the start goes on, and the old files are gone for good:
        none comes back after a crash. The log says so once, whatever was there."""
        for old in (
            {"names": b"20261129_0053 1 1"},
            {"held.ballast": b"x"},
            {"names": b"20261129_0053 1 1", "held.ballast": b"x"},
        ):
            for seed in range(8):
                files = spool(**old)
                with capturedLogs() as events:
                    take_over(Spool("/data", files))
                self.assertEqual(len(events), 1)
                files.crash(random.Random(seed))
                self.assertEqual([name for name in files.names("/data") if name in old], [], seed)

    def test_errors(self) -> None:
        """Only a full disk asks for room; any other error says what it is, where, and to start again."""
        for code, room in ((errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)):
            files = spool(names=b"20261129_0053 1 1")

            def fail(operation: str, path: str, code: int = code) -> None:
                if "/state" in path:
                    raise OSError(code, "it does not work", path)

            files.rule = fail
            error = str(self.assertRaises(SpoolError, take_over, Spool("/data", files)))
            self.assertRegex(
                error, r"\A/data/state\S*: the state of the version before cannot be taken over: "
            )
            self.assertEqual("make room there" in error, room, code)
            self.assertIn("start again", error)
            self.assertTrue(files.exists("/data/names"))
