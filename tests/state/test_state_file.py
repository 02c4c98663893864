"""A file of the state: what it holds after a crash at any call, on a full disk, and after damage."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import NotCertain
from chatlog.state.lines import encode, first_line
from chatlog.state.state_file import LEAST, StateFile, newer_state
from tests.fakes import Crashed, MemoryFiles

PATH = "/data/state/held"


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data")

    def file(self, reserve: int = 0) -> StateFile:
        """The file, as a process finds it."""
        return StateFile(self.files, "/data", "held", reserve)

    def read(self) -> list[tuple[int, object]]:
        """What the next process reads."""
        return list(self.file().read())


class ReadTests(FileCase):
    """What is read."""

    def test_appended(self) -> None:
        """Entries come back in their order and numbered, over several processes."""
        self.assertEqual(self.read(), [])
        file = self.file()
        self.assertEqual(file.append({"a": 1}, {"b": 2}), 2)
        self.files.kill()
        file = self.file()
        self.assertEqual(list(file.read()), [(1, {"a": 1}), (2, {"b": 2})])
        file.append(3)
        self.assertEqual(self.read(), [(1, {"a": 1}), (2, {"b": 2}), (3, 3)])
        self.assertEqual(self.files.content(PATH).splitlines()[0] + b"\n", first_line("held"))

    def test_one_descriptor(self) -> None:
        """However much is appended, one file is open, no line is empty, and the size is known; a file that is
        closed is opened again, and may end in half a line then."""
        file = self.file()
        self.assertEqual((file.size, file.damaged), (0, 0))
        file.append("a")
        file.append("b", "c")
        self.assertEqual((len(self.files.fds), file.size), (1, self.files.size(PATH)))
        self.assertNotIn(b"\n\n", self.files.content(PATH))
        file.close()
        self.assertEqual(self.files.fds, {})
        self.files.put(PATH, self.files.content(PATH) + b"half")
        self.assertEqual(file.append("d"), 4)
        self.assertEqual([entry for _, entry in self.read()], ["a", "b", "c", "d"])

    def test_empty(self) -> None:
        """A file without any line, or with the first alone and half of another, is one without entries."""
        for content in (b"", first_line("held"), first_line("held") + b"half"):
            self.files.put(PATH, content)
            file = self.file()
            with capturedLogs() as events:
                self.assertEqual(list(file.read()), [])
            self.assertEqual((file.append("a"), events), (1, []))
        self.files.put(PATH, b"half")
        self.assertEqual(self.read(), [])

    def test_replaced(self) -> None:
        """A file that is written anew holds the new entries alone, and goes on behind them."""
        file = self.file()
        file.append("old")
        file.replace(["new", "newer"])
        self.files.lose()
        self.assertEqual(self.read(), [(1, "new"), (2, "newer")])
        file = self.file()
        list(file.read())
        file.append("newest")
        self.assertEqual(self.read(), [(1, "new"), (2, "newer"), (3, "newest")])

    def test_many(self) -> None:
        """However many there are, they are written a part at a time."""
        self.file().replace({"n": n, "x": "y" * 100} for n in range(5000))
        self.assertGreater([operation for operation, _ in self.files.log].count("write"), 5)
        self.assertEqual([entry["n"] for _, entry in self.read()], list(range(5000)))  # type: ignore[index]

    def test_damaged_lines(self) -> None:
        """What is whole is kept, whatever stands between; the log says once how much was not."""
        file = self.file()
        file.append("a", "b", "c", "d")
        head, *lines = self.files.content(PATH).splitlines(keepends=True)
        lines[1] = lines[1].replace(b'"b"', b'"x"')
        lines[2] = b"\0" * len(lines[2][:-1]) + b"\n"
        for content in (b"".join([head, *lines]), b"".join([b"\0" + head, *lines])):
            self.files.put(PATH, content)
            file = self.file()
            with capturedLogs() as events:
                self.assertEqual(list(file.read()), [(1, "a"), (4, "d")])
            [event] = events
            said = str(event["log_format"]).format(**event)
            self.assertIn(f"{PATH} is damaged: {file.damaged} lines", said)
            self.assertEqual(file.damaged, 2 + (content[0] == 0))
            self.assertEqual(file.keep_damaged(), f"{PATH}.damaged")
            self.assertEqual(self.files.content(f"{PATH}.damaged"), content)
            self.assertFalse(self.files.exists(PATH))

    def test_end_that_was_cut_off(self) -> None:
        """Half a line at the end is what a dead process leaves. It is nothing to be told of, and what comes
        behind it is whole."""
        self.file().append("a")
        whole = self.files.content(PATH)
        for end in (encode(2, "b")[:-3], b"\xff\xff", encode(2, "b")[:-1]):
            self.files.put(PATH, whole + end)
            with capturedLogs() as events:
                read = [entry for _, entry in self.read()]
            self.assertEqual((read[:1], events), (["a"], []))
            file = self.file()
            list(file.read())
            file.append("c")
            self.assertEqual([entry for _, entry in self.read()], [*read, "c"])


class DiskTests(FileCase):
    """What is on the disk."""

    def sweep(self, act: Callable[[StateFile], object], allowed: list[list[object]]) -> None:
        """``act`` is cut off at every call; then the file holds one of these, whatever the disk has kept."""
        seen = set()
        calls = 1
        n = 0
        while n < calls:
            n += 1
            for seed in range(6):
                self.setUp()
                file = self.file()
                file.replace(["old", "older"])
                before = self.files.calls
                act(file)
                calls = self.files.calls - before
                self.setUp()
                file = self.file()
                file.replace(["old", "older"])
                self.files.crash_at(n)
                self.assertRaises(Crashed, act, file)
                if seed == 0:
                    self.files.kill()
                elif seed == 1:
                    self.files.lose()
                else:
                    self.files.crash(random.Random(f"{n} {seed}"))
                found = [entry for _, entry in self.read()]
                self.assertIn(found, allowed, f"call {n}, seed {seed}")
                seen.add(str(found))
        self.assertGreater(len(seen), 1)

    def test_power_cut_while_it_is_written_anew(self) -> None:
        """There is the old file or the new one, and never a part."""
        self.sweep(lambda file: file.replace(["new"]), [["old", "older"], ["new"]])
        self.sweep(lambda file: file.keep("new"), [["old", "older"], ["new"]])

    def test_power_cut_while_it_is_appended_to(self) -> None:
        """What was there stays; of what is added a line is there or not."""

        def act(file: StateFile) -> None:
            file.append("a")
            file.append("b", "c")
            file.sync()

        old = ["old", "older"]
        additions = [[], ["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a", "b", "c"]]
        self.sweep(act, [[*old, *added] for added in additions])

    def test_synced(self) -> None:
        """What was forced to the disk is there after every crash, the name of the file too."""
        for seed in range(20):
            self.setUp()
            file = self.file()
            file.append("a", "b")
            file.sync()
            file.append("c")
            self.files.crash(random.Random(seed))
            self.assertEqual([entry for _, entry in self.read()][:2], ["a", "b"])

    def test_sync_of_a_file_that_was_moved_away(self) -> None:
        """A sync fails where the file has lost its name: the next process would not find its lines."""
        file = self.file()
        file.append("a")
        file.sync()
        self.files.remove(PATH)
        self.assertRaises(FileNotFoundError, file.sync)

    def test_sync_without_a_descriptor(self) -> None:
        """What an earlier process appended can be forced to the disk."""
        self.file().append("a")
        self.files.kill()
        self.file().sync()
        self.assertEqual(self.files.fds, {})
        self.files.lose()
        self.assertEqual(self.read(), [(1, "a")])

    def test_written_first_and_used_later(self) -> None:
        """A new file is on the disk as soon as it is written, with the directory that it is in."""
        file = self.file()
        written = file.write(["a", "b"])
        self.assertIn(("sync_directory", "/data"), self.files.log)
        self.files.lose()
        self.assertEqual(self.read(), [(1, "a"), (2, "b")])
        file.use(written)
        self.assertEqual((file.size, file.append("c")), (written.size, 3))

    def test_full_disk(self) -> None:
        """What does not fit is not there, half of it or not, and the next that fits is whole. With a reserve,
        so much more fits; it is reserved again when there is space."""
        file = self.file()
        file.append("a")
        self.files.capacity = self.files.used() + 10
        self.assertRaises(OSError, file.append, "b" * 50)
        self.files.capacity = None
        file.append("c")
        self.assertEqual([entry for _, entry in self.read()], ["a", "c"])
        file = self.file(3 * LEAST)
        file.reserve_space()
        self.files.capacity = self.files.used()
        for _ in range(1000):
            file.append("d")
        self.assertTrue(file.reserve_used)
        self.files.capacity = self.files.used() + 2 * LEAST
        file.reserve_space()
        self.assertEqual((file.reserve_used, self.files.size(f"{PATH}.ballast")), (False, LEAST))

    def test_name_that_is_not_certain(self) -> None:
        """Where the directory cannot be forced to the disk, what was kept is in force, and the log says what
        may become of it; what is appended goes to the file of that name."""

        def rule(operation: str, path: str) -> None:
            if operation == "sync_directory":
                raise OSError(errno.EIO, "Input/output error", path)

        file = self.file()
        file.append("old")
        self.files.rule = rule
        with capturedLogs() as events:
            file.keep("new")
        self.assertEqual(len(events), 1)
        self.assertRaises(NotCertain, file.replace, ["newer"])
        file.append("newest")
        self.assertEqual([entry for _, entry in self.read()], ["newer", "newest"])

    def test_directory_that_is_gone(self) -> None:
        """A directory that somebody removed is made anew."""
        file = self.file()
        file.append("a")
        file.close()
        self.files.remove(PATH)
        self.files.directories.discard("/data/state")
        file.append("b")
        file.append("c")
        self.assertEqual(self.read(), [(1, "b"), (2, "c")])


class VersionTests(FileCase):
    """Files of a later version."""

    def test_refused(self) -> None:
        """The sentence names the file and the remedy; files of this version, of none, and what else there may
        be are no reason to refuse."""
        self.assertEqual(newer_state(self.files, "/data"), "")
        self.file().append("a")
        self.files.put("/data/state/coverage.ballast", bytes(LEAST))
        self.files.put("/data/state/names", b"garbage")
        self.files.put("/data/state/kick_ids", b"")
        self.assertEqual(newer_state(self.files, "/data"), "")
        self.files.put("/data/state/rooms", encode(0, {"state": "rooms", "version": 2}) + b"whatever\n")
        refusal = newer_state(self.files, "/data")
        self.assertIn("/data/state/rooms was written by a later version of chatlog", refusal)
        self.assertIn("install that version again", refusal)
        self.assertEqual(refusal.count("."), 1, refusal)
