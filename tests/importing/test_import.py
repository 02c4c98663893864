"""Whole imports: from directories into an archive, once, however often and wherever they are interrupted."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.day_book import DayBook
from chatlog.archive.opening import Archive, open_archive
from chatlog.archive.question import Question
from chatlog.archive_http.asked import Asked, Work
from chatlog.archive_http.log_formats import NDJSON, RAW, notice
from chatlog.archive_http.routes import Routes
from chatlog.cli import commands
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.http.answers import Answer
from chatlog.importing import directories
from chatlog.importing.importer import Importer
from chatlog.importing.items import Maker
from chatlog.importing.source import ImportReport
from chatlog.record import rfc3339
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import Head, StoreError
from chatlog.suppression.book import Book
from chatlog.suppression.names import Key
from tests.processes import wait_for
from tests.sample_archive import HOUR, MIDNIGHT
from tests.sample_archive import Archive as Recorded

NOW = MIDNIGHT + 40 * 86400.0
#: 2025-12-29, as justlog writes it.
DAY = "11/2025/12/29"


def irc_line(number: int, at: float, who: str = "ann", text: str = "hi", room: str = "a") -> str:
    """A line of chat that is like no other."""
    tags = f"@display-name={who};id=id-{number};room-id=11;tmi-sent-ts={round(at * 1000)};user-id=1"
    return f"{tags} :{who}!{who}@{who}.tmi.twitch.tv PRIVMSG #{room} :{text}"


class ImportTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        self.logs = Path(self.root, "logs")
        self.archive = os.path.join(self.root, "archive")

    def put(self, name: str, lines: list[str], end: str = "\n") -> None:
        path = self.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(line + end for line in lines).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    def run_it(self, source: str, *arguments: str) -> Result:
        return CliRunner().invoke(commands, ["import", source, *arguments, "--archive", self.archive])

    def justlog(self, *more: str) -> Result:
        return self.run_it("justlog", str(self.logs), *more)

    def records(self, room: tuple[str, str] = ("twitch", "a")) -> list[dict[str, object]]:
        """What the archive gives of a room, in order."""
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        answer = open_archive(settings, lambda: NOW, spool=False).reader.ask(Question(room))
        return [json.loads(found.line) for found in answer]

    def texts(self, room: tuple[str, str] = ("twitch", "a")) -> list[object]:
        return [record["message"] for record in self.records(room)]

    def verify(self) -> Result:
        return CliRunner().invoke(commands, ["verify", self.archive])


class OptedOutTests(ImportTestCase):
    """People who opted out of the archive."""

    def setUp(self) -> None:
        super().setUp()
        self.store = DirectoryStore(self.archive)
        os.makedirs(self.archive)
        self.key = Key("ab" * 32)
        Book(self.store, self.key).add("twitch", "7", ["gone"])
        self.configuration = os.path.join(self.root, "chatlog.yaml")
        self.configure("ab" * 32)

    def configure(self, key: str) -> None:
        Path(self.configuration).write_text(
            f"twitch: {{channels: [a]}}\nrecorder: {{directory: {self.root}/spool}}\n"
            f"archive: {{directory: {self.archive}, optout_key: {key}}}\n"
        )

    def run_configured(self, *arguments: str) -> Result:
        return CliRunner().invoke(commands, ["import", *arguments, "-c", self.configuration])

    def test_left_out(self) -> None:
        """They are not imported, under whatever name; nor are they in what others answered them."""
        theirs = irc_line(1, MIDNIGHT, "renamed", "a secret").replace("user-id=1", "user-id=7")
        reply = irc_line(2, MIDNIGHT + 5, "bob", "yes").replace(
            "@display",
            "@reply-parent-user-id=7;reply-parent-user-login=gone;reply-parent-msg-body=secret;display",
        )
        gone = f"@login=gone;tmi-sent-ts={round(MIDNIGHT * 1000)} :tmi.twitch.tv CLEARMSG #a :secret"
        self.put(f"{DAY}/channel.txt", [theirs, reply, gone, irc_line(3, MIDNIGHT + 9, "carl", "hello")])
        result = self.run_configured("justlog", str(self.logs))
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.texts(), ["yes", "hello"])
        for word in ("secret", "gone", "renamed"):
            self.assertNotIn(word, str(self.records()))

    def test_without_the_key(self) -> None:
        """Nothing is imported where nobody on the list would be recognised; the sentence says what to do."""
        self.configure("ef" * 32)
        self.put(f"{DAY}/channel.txt", [irc_line(3, MIDNIGHT + 9)])
        result = self.run_configured("justlog", str(self.logs))
        self.assertEqual(result.exit_code, 2)
        self.assertIn("nothing was imported", result.stderr)
        self.assertIn("archive.optout_key", result.stderr)
        self.assertEqual(self.texts(), [])


class JustlogTests(ImportTestCase):
    """justlog's directories."""

    def test_channels_and_people(self) -> None:
        """Files of channels and of people, packed or not, become the records of their days, in order, each
        once; and `chatlog verify` finds nothing wrong."""
        lines = [irc_line(n, MIDNIGHT + n * 600, text=f"t{n}") for n in range(20)]
        self.put(f"{DAY}/channel.txt", lines[:12])
        self.put("11/2025/12/30/channel.txt.gz", [irc_line(99, MIDNIGHT + 86400 + 5, text="next")])
        self.put("11/2025/12/1.txt", lines)
        result = self.justlog()
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.texts(), [f"t{n}" for n in range(20)] + ["next"])
        self.assertIn("33 lines read, 21 imported", result.stdout)
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)
        sources = {record["details"]["imported"] for record in self.records()}  # type: ignore[index]
        self.assertEqual(sources, {
            f"justlog {DAY}/channel.txt", "justlog 11/2025/12/30/channel.txt.gz", "justlog 11/2025/12/1.txt",
        })  # fmt: skip

    def test_again(self) -> None:
        """The same import again does nothing; of what has changed, what is new is imported."""
        lines = [irc_line(n, MIDNIGHT + n * 600, text=f"t{n}") for n in range(9)]
        self.put(f"{DAY}/channel.txt", lines[:5])
        self.justlog()
        result = self.justlog()
        self.assertIn("0 lines read", result.stdout)
        self.assertEqual((result.exit_code, len(self.records())), (0, 5))
        self.put(f"{DAY}/channel.txt", lines)
        self.assertIn("4 imported, 5 there already", self.justlog().stdout)
        self.assertEqual(self.texts(), [f"t{n}" for n in range(9)])
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)

    def test_beside_what_was_recorded(self) -> None:
        """What the recorder has is left out, and its gaps stay gaps, also where an import has something of
        their time."""
        recorded = Recorded(self.archive)
        recorded.fill(2, missing=600.0)
        self.put(f"{DAY}/channel.txt", [
            irc_line(25, MIDNIGHT + 4, text="is there", room="b"),
            irc_line(900, MIDNIGHT + 60, text="filled", room="b"),
        ])  # fmt: skip
        there = next(record for record in self.records(("twitch", "b")) if record["type"] == "message")
        self.put(f"{DAY}/channel.txt", [
            irc_line(int(str(there["id"])[3:]), MIDNIGHT + 4, text="is there", room="b"),
            irc_line(900, MIDNIGHT + 60, text="filled", room="b"),
        ])  # fmt: skip
        result = self.justlog()
        self.assertIn("1 imported, 1 there already", result.stdout)
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        answer = open_archive(settings, lambda: NOW, spool=False).reader.ask(
            Question(("twitch", "b"), MIDNIGHT, MIDNIGHT + HOUR)
        )
        self.assertIn(b'"filled"', b"".join(found.line for found in answer))
        self.assertEqual([(gap.since - MIDNIGHT, gap.seconds) for gap in answer.report.gaps], [(10.0, 600.0)])
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)

    def test_what_is_known_of_a_day(self) -> None:
        """The calendar counts what was imported; how much of it others recorded nobody knows, and nobody says
        that it was all."""
        self.put(f"{DAY}/channel.txt", [irc_line(n, MIDNIGHT + n) for n in range(3)])
        self.put("11/2025/12/30/channel.txt", [irc_line(9, MIDNIGHT + 86400.0)])
        self.justlog()
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        archive = open_archive(settings, lambda: NOW, spool=False)
        day = DayBook(archive.store, lambda: NOW).of_day("2025-12-29")["twitch", "a"]
        self.assertEqual((day.records, day.coverage), (3, None))
        routes = Routes(archive, lambda: NOW)
        route = routes.find("/channel/a/2025/12/29")
        assert route is not None
        answer = route.handle(Asked({"raw": ""}, Work(archive.reader)))
        self.assertEqual(answer.headers["x-chatlog-coverage"], "unknown")
        self.assertEqual(answer.headers["x-chatlog-gaps"], "unknown")
        quiet = routes.find("/api/v1/archive/rooms/twitch/a/messages")
        assert quiet is not None
        hour = {"from": "2025-12-29T12:00:00Z", "to": "2025-12-29T13:00:00Z"}
        silence = quiet.handle(Asked(hour, Work(archive.reader)))
        assert isinstance(silence, Answer)
        self.assertEqual(json.loads(silence.body)["state"], "before")

    def test_dry_run(self) -> None:
        """--dry-run tells what would be imported, and writes nothing."""
        self.put(f"{DAY}/channel.txt", [irc_line(n, MIDNIGHT + n) for n in range(3)])
        result = self.justlog("--dry-run")
        self.assertIn("3 to be imported", result.stdout)
        self.assertFalse(os.path.exists(self.archive))

    def test_damage(self) -> None:
        """What cannot be read is named, with its line; the rest is imported; the status tells, also the next
        time."""
        good = [irc_line(n, MIDNIGHT + n, text=f"t{n}") for n in range(2)]
        self.put(f"{DAY}/channel.txt", [good[0], "what is this", good[1], good[1][:60]])
        self.put("11/2025/12/30/channel.txt.gz", good)
        packed = self.logs / "11/2025/12/30/channel.txt.gz"
        packed.write_bytes(packed.read_bytes()[:-9])
        for _ in range(2):
            result = self.justlog()
            self.assertEqual(result.exit_code, 1, result.output)
            self.assertIn("11/2025/12/30/channel.txt.gz is damaged: it is cut off. What could", result.stderr)
        self.assertEqual(self.texts(), ["t0", "t1"])
        packed.unlink()
        (self.logs / f"{DAY}/channel.txt").write_text(
            "".join(f"{line}\n" for line in [*good, "what is this"])
        )
        result = self.justlog()
        self.assertIn(f"{DAY}/channel.txt:3: not a line of a room's chat", result.stderr)

    def test_lines_that_were_refused(self) -> None:
        """A tree with lines that are no records says so every time, in words and status; the files without
        such lines are not read again."""
        self.put(f"{DAY}/channel.txt", [irc_line(1, MIDNIGHT), *["what is this"] * 4])
        self.put("11/2025/12/30/channel.txt", [irc_line(2, MIDNIGHT + 86400)])
        for imported, skipped in ((2, ""), (0, "1 file or day done before")):
            result = self.justlog()
            self.assertEqual(result.exit_code, 1, result.output)
            self.assertIn(f"{imported} imported", result.stdout)
            self.assertIn("4 lines are no records", result.stdout)
            self.assertIn(skipped, result.stdout)
            self.assertIn(f"{DAY}/channel.txt:2: not a line of a room's chat", result.stderr)
            self.assertIn(f"{DAY}/channel.txt: and 1 more line that is no record\n", result.stderr)

    def test_nothing_in_a_file(self) -> None:
        """A file without a line is nothing to import, also the next time."""
        self.put(f"{DAY}/channel.txt", [""])
        for _ in range(2):
            result = self.justlog()
            self.assertEqual((result.exit_code, result.stdout), (1, "Nothing to import was found.\n"))

    def test_an_object_that_cannot_be_read(self) -> None:
        """Of a day of which the archive cannot be read nothing is imported, for it could be there twice."""
        recorded = Recorded(self.archive)
        recorded.fill(1)
        recorded.put(recorded.objects[0].key, b"no zstd")
        self.put(f"{DAY}/channel.txt", [irc_line(900, MIDNIGHT + 60), irc_line(901, MIDNIGHT + 3 * 86400)])
        result = self.justlog()
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"in the archive, {recorded.objects[0].key} is damaged: it cannot be", result.stderr)
        self.assertIn("Nothing is imported of twitch/a on 2025-12-29", result.stderr)
        self.assertIn("1 imported", result.stdout)

    def test_questions_without_sense(self) -> None:
        """Each is refused in one sentence, with status 2; a directory without logs has status 1."""
        for arguments, words in (
            (("justlog", os.path.join(self.root, "nowhere")), "is not there"),
            (("overrustle", os.path.join(self.root, "nowhere")), "is not there"),
            (("jsonl", __file__, "--room", "a/b/c"), "--room"),
            (("rustlog", "logs.example.com"), "is not the address of a server"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(result.exit_code, 2, result.output)
            self.assertIn(words, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)
        self.logs.mkdir()
        self.assertEqual(self.justlog().exit_code, 1)


class OtherTests(ImportTestCase):
    """OverRustle's text, and JSON."""

    def test_overrustle(self) -> None:
        """The room is that of the directory. What was recorded, to the millisecond, is recognised by its
        second; who said the same twice in a second said it twice."""
        recorded = Recorded(self.archive)
        recorded.fill(1)
        day = "A chatlog/December 2025/2025-12-29.txt"
        self.put(day, [
            "[2025-12-29 00:00:05 UTC] ann: h\u00e9llo",
            "[2025-12-29 00:30:00 UTC] bob: kek",
            "[2025-12-29 00:30:00 UTC] bob: kek",
        ])  # fmt: skip
        result = self.run_it("overrustle", str(self.logs))
        self.assertIn("2 imported, 1 there already", result.stdout)
        self.assertEqual(self.texts()[-2:], ["kek", "kek"])
        again = self.run_it("overrustle", str(self.logs / "A chatlog"), "--room", "a")
        self.assertIn("3 there already", again.stdout)
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)

    def test_another_archive(self) -> None:
        """An archive imported into an empty one is there whole; into itself, nothing is."""
        other = os.path.join(self.root, "other")
        Recorded(other).fill(3)
        result = self.run_it("jsonl", other)
        self.assertEqual((result.exit_code, len(self.records())), (0, 60), result.output)
        self.assertIn("120 imported", result.stdout)
        self.assertIn("120 there already", self.run_it("jsonl", self.archive).stdout)
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)

    def test_plain(self) -> None:
        """Plain lines take their room from --room; many files of one hour are one room's hour."""
        for n in range(5):
            self.put(
                f"{n}.jsonl", [json.dumps({"ts": MIDNIGHT + 60 * (5 - n), "user": "ann", "text": str(n)})]
            )
        files = sorted(map(str, self.logs.iterdir()))
        result = self.run_it("jsonl", *files, "--room", "kick/copper-fox")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.texts(("kick", "copper-fox")), ["4", "3", "2", "1", "0"])

    def test_another_room(self) -> None:
        """Lines that were refused because their room was not named, or that went into another room, are
        imported once the right one is named; what is done is done for that room alone."""
        rooms = (
            ("", 1, None),
            ("kick/b", 0, ("kick", "b")),
            ("b", 0, ("twitch", "b")),
            ("a", 0, ("twitch", "a")),
        )
        self.put("plain.jsonl", [json.dumps({"ts": MIDNIGHT, "user": "ann", "text": "hi"})])
        self.put("2025-12-29.txt", ["[2025-12-29 00:00:05 UTC] ann: hi"])
        self.put("more.txt", ["[2025-12-29 00:00:05 UTC] ann: hi"])
        for source, name in (
            ("jsonl", "plain.jsonl"), ("overrustle", "2025-12-29.txt"), ("overrustle", "more.txt")
        ):  # fmt: skip
            self.archive = os.path.join(self.root, f"archive-{name}")
            for room, status, lands in rooms:
                more = ("--room", room) if room else ()
                result = self.run_it(source, str(self.logs / name), *more)
                self.assertEqual(result.exit_code, status, result.output)
                if lands is None:
                    self.assertIn("it names no room", result.stderr)
                    continue
                self.assertEqual(self.texts(lands), ["hi"])
                again = self.run_it(source, str(self.logs / name), *more)
                self.assertIn("0 lines read, 0 imported, 0 there already; 1 file or day done", again.stdout)
                self.assertEqual(again.exit_code, 0)

    def test_notices_of_a_server(self) -> None:
        """The notices that a Chatlog server adds to an answer are not imported as chat: a gap is a gap
        record, and what the server could not give is told, every time. So it is in each of its formats."""
        time = "2025-12-29T00:10:00.000Z"
        gap = {"gap_from": "2025-12-29T00:01:00.000Z", "gap_to": "2025-12-29T00:02:00.000Z"}
        notices = [
            notice("a", gap["gap_from"], "chatlog-gap", "Not recorded", **gap, gap_reason="refused"),
            notice("a", time, "chatlog-unread", "1 files could not be read; their messages are missing here"),
            notice("a", time, "chatlog-partial", "This is not all; go on with x", go_on="x"),
        ]
        raw = [RAW.item(each).decode().strip() for each in notices]
        whole = [json.dumps({"raw": line}) for line in raw]
        short = [NDJSON.item(each).decode().strip() for each in notices]
        records = [json.dumps(each) for each in notices]
        said = [irc_line(1, MIDNIGHT), json.dumps({"raw": irc_line(1, MIDNIGHT)})]
        for n, (source, name, lines) in enumerate((
            ("justlog", f"{DAY}/channel.txt", [said[0], *raw]),
            ("jsonl", "a.jsonl", [said[1], *whole]),
            ("jsonl", "a.jsonl", [said[1], *short]),
            ("jsonl", "a.jsonl", [said[1], *records]),
        )):  # fmt: skip
            self.logs = Path(self.root, f"logs{n}")
            self.archive = os.path.join(self.root, f"archive{n}")
            self.put(name, lines)
            more = ("--room", "a") if source == "jsonl" else ()
            for imported in (2, 0):
                result = self.run_it(source, str(self.logs), *more)
                self.assertEqual(result.exit_code, 1, result.output)
                self.assertIn(f"2 lines read, {imported} imported", result.stdout)
                self.assertIn("not complete: 1 files could not be read; their messages", result.stderr)
                self.assertIn("not complete: This is not all; go on with x", result.stderr)
            self.assertEqual([record["type"] for record in self.records()], ["message", "gap"], source)
            settings = Settings(archive=ArchiveSettings(directory=self.archive))
            answer = open_archive(settings, lambda: NOW, spool=False).reader.ask(Question(("twitch", "a")))
            self.assertEqual(len(list(answer)), 2)
            (known,) = answer.report.gaps
            self.assertEqual((known.since, known.seconds), (MIDNIGHT + 60, 60.0))
            self.assertEqual(known.reason, "refused")
            self.assertEqual(self.verify().exit_code, 0, self.verify().output)


class Cut(Exception):
    """The process is killed."""


class CutStore(DirectoryStore):
    """A store whose user is killed at a put: before it, or when it is done."""

    def __init__(self, root: str, at: int, done: bool) -> None:
        super().__init__(root)
        self.left, self.done = at, done

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.done):
            raise Cut
        super().put_new(key, data, attributes)
        if self.left == 0:
            raise Cut

    def list(self, prefix: str = "") -> Iterator[Head]:
        if self.left <= 0:
            raise Cut
        return super().list(prefix)


class InterruptedTests(ImportTestCase):
    """An import that is ended at any moment."""

    def import_into(self, archive: Archive) -> ImportReport:
        report = ImportReport(lambda text: None)
        importer = Importer(archive, ".zst", 400, NOW, lambda: NOW)
        units = directories.justlog(str(self.logs), Maker(rfc3339(round(NOW * 1000))))
        importer.run(units, report)
        return report

    def cut(self, at: int, done: bool) -> bool:
        """Import, and be killed at that put; False if there were not so many."""
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        whole = open_archive(settings, lambda: NOW, spool=False, may_be_new=True)
        store = CutStore(self.archive, at, done)
        archive = Archive(store, whole.catalog, whole.parts, whole.reader, whole.tail)
        try:
            self.import_into(archive)
        except (Cut, StoreError):
            return True
        return False

    def test_at_every_step(self) -> None:
        """Wherever it is killed, before an object is there or right after: the next import has each line
        once, and every object is named by a manifest."""
        lines = [irc_line(n, MIDNIGHT + n * 900, text=f"t{n}") for n in range(12)]
        self.put(f"{DAY}/channel.txt", lines[:8])
        self.put("11/2025/12/1.txt", lines)
        steps = 0
        for done in (False, True):
            at = 1
            while True:
                self.archive = os.path.join(self.root, f"archive-{done}-{at}")
                if not self.cut(at, done):
                    break
                settings = Settings(archive=ArchiveSettings(directory=self.archive))
                self.import_into(open_archive(settings, lambda: NOW + 5, spool=False, may_be_new=True))
                self.assertEqual(self.texts(), [f"t{n}" for n in range(12)], (at, done))
                verified = self.verify()
                self.assertEqual(verified.exit_code, 0, (at, done, verified.output))
                at += 1
                steps += 1
        self.assertGreater(steps, 10)

    @settings(max_examples=12, deadline=None)
    @given(st.data())
    def test_any_parts(self, data: st.DataObject) -> None:
        """However lines are spread over files and imports, and wherever these are killed, each is there
        once."""
        self.root = self.mktemp()
        self.logs, self.archive = Path(self.root, "logs"), os.path.join(self.root, "archive")
        self.logs.mkdir(parents=True)
        lines = [irc_line(n, MIDNIGHT + n * 1800, text=f"t{n}") for n in range(8)]
        wanted: set[int] = set()
        kept: dict[str, list[str]] = {}
        for _ in range(data.draw(st.integers(1, 3))):
            for name in ("11/2025/12/29/channel.txt", "11/2025/12/1.txt", "11/2025/12/2.txt.gz"):
                chosen = data.draw(st.lists(st.integers(0, 7), max_size=8))
                wanted |= set(chosen)
                kept[name] = [*kept.get(name, []), *(lines[n] for n in chosen)]
                self.put(name, kept[name])
            self.cut(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        self.import_into(open_archive(settings, lambda: NOW + 5, spool=False, may_be_new=True))
        self.assertEqual(self.texts(), [f"t{n}" for n in sorted(wanted)])

    def test_a_process_that_is_killed(self) -> None:
        """A process that is killed with SIGKILL in the middle of its work leaves what the next one goes on
        with."""
        lines = [irc_line(n, MIDNIGHT + n * 6, text=f"t{n}") for n in range(14_000)]
        self.put(f"{DAY}/channel.txt", lines)
        command = [
            sys.executable,
            "-m",
            "chatlog",
            "import",
            "justlog",
            str(self.logs),
            "--archive",
            self.archive,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_for(
                "objects", lambda: list(Path(self.archive).glob("2025/12/29/twitch/a/*.zst")), every=0.002
            )
        finally:
            process.kill()
            process.communicate()
        self.assertEqual(process.returncode, -9)
        result = self.justlog()
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(len(self.records()), 14_000)
        self.assertEqual(self.texts(), [f"t{n}" for n in range(14_000)])
        self.assertEqual(self.verify().exit_code, 0, self.verify().output)
