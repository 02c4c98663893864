"""Importing from a server with rustlog's API, which may be slow, busy, broken, or none."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.opening import open_archive
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.importing import rustlog
from chatlog.importing.importer import Importer
from chatlog.importing.items import Maker
from chatlog.importing.source import ImportReport, SourceError
from chatlog.record import rfc3339
from tests.importing.test_import import irc_line
from tests.sample_archive import MIDNIGHT

NOW = MIDNIGHT + 2 * 86400.0 + 7200.0


class Logs:
    """A server. ``days`` are lines by path; ``faults`` are answered first: (status, headers, body), or a
    length of which only a part comes."""

    def __init__(self) -> None:
        self.days: dict[str, list[str]] = {}
        self.faults: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[str] = []
        self.at_once = self.most = 0
        logs = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                logs.at_once += 1
                logs.most = max(logs.most, logs.at_once)
                try:
                    status, headers, body = logs.answer(self.path)
                    self.send_response(status)
                    for name, value in ({"Content-Length": str(len(body))} | headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                    self.close_connection = "Content-Length" in headers
                finally:
                    logs.at_once -= 1

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that goes is no news.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        parts = urlsplit(path)
        if parts.path.count("/") > 2 and self.faults:
            return self.faults.pop(0)
        if parts.path == "/channels":
            rooms = [{"name": "a", "userID": "11"}, {"name": "b", "userID": "12"}]
            return 200, {}, json.dumps({"channels": rooms}).encode()
        if parts.path == "/list":
            days = [key.split("/") for key in self.days]
            logs = [{"year": year, "month": month, "day": day} for year, month, day in reversed(days)]
            return 200, {}, json.dumps({"availableLogs": logs}).encode()
        lines = self.days.get(parts.path.removeprefix("/channelid/11/"))
        if lines is None:
            return 404, {}, b"Not found"
        return (
            200,
            {"Content-Encoding": "gzip"},
            gzip.compress("".join(f"{line}\r\n" for line in lines).encode()),
        )


class RustlogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.logs = Logs()
        self.addCleanup(self.logs.close)
        self.slept: list[float] = []
        self.problems: list[str] = []
        self.archive = self.mktemp()
        for day in range(3):
            at = MIDNIGHT + day * 86400
            key = datetime.fromtimestamp(at, UTC)
            self.logs.days[f"{key.year}/{key.month}/{key.day}"] = [
                irc_line(100 * day + n, at + n, text=f"{day}-{n}") for n in range(4)
            ]

    def run_it(self, names: tuple[str, ...] = ("a",), now: float = NOW) -> ImportReport:
        settings = Settings(archive=ArchiveSettings(directory=self.archive))
        archive = open_archive(settings, lambda: now, spool=False, may_be_new=True)
        server = rustlog.Server(self.logs.address, self.slept.append, within=10.0)
        rooms = rustlog.chosen(server, names, False)
        units = rustlog.rustlog(server, rooms, Maker(rfc3339(round(now * 1000))), now, 0.0, now)
        report = ImportReport(self.problems.append)
        Importer(archive, ".zst", 1 << 20, now, lambda: now).run(units, report)
        return report

    def test_days(self) -> None:
        """Every day is asked for once, one after the other, the oldest first; a day that is not over is asked
        for again the next time, and no other."""
        report = self.run_it()
        self.assertEqual((report.imported, self.problems, self.slept, self.logs.most), (12, [], [], 1))
        paths = [path for path in self.logs.asked if path.startswith("/channelid")]
        self.assertEqual(paths, [f"/channelid/11/2025/12/{day}?raw" for day in (29, 30, 31)])
        self.logs.asked.clear()
        self.logs.days["2025/12/31"].append(irc_line(999, MIDNIGHT + 2 * 86400 + 60))
        report = self.run_it(now=NOW + 60)
        self.assertEqual((report.imported, report.there, report.skipped), (1, 4, 2))
        self.assertEqual([path for path in self.logs.asked if path.startswith("/channelid")], paths[2:])

    def test_a_busy_server(self) -> None:
        """A server that has had enough is waited for, as long as it says; one that says nothing, longer each
        time."""
        self.logs.faults = [(429, {"Retry-After": "17"}, b""), (503, {}, b""), (502, {}, b"")]
        self.assertEqual(self.run_it().imported, 12)
        self.assertEqual(self.slept, [17.0, 34.0, 68.0])

    def test_waits_are_told(self) -> None:
        """Before a wait its cause and its length are told: of short ones for one cause the first, and every
        long one."""
        told: list[str] = []
        server = rustlog.Server("http://127.0.0.1:9", self.slept.append, notify=told.append)
        self.assertRaises(SourceError, rustlog.chosen, server, ("a",), False)
        self.assertEqual(self.slept, [2.0, 4.0, 8.0, 16.0, 32.0])
        self.assertEqual(told, [
            f"http://127.0.0.1:9: Connection refused; it is tried again in {wait} s ({tries})"
            for wait, tries in ((2, "5 more tries"), (16, "2 more tries"), (32, "1 more try"))
        ])  # fmt: skip

    def test_half_an_answer(self) -> None:
        """An answer that breaks off is none: it is asked for again."""
        half = "".join(f"{line}\r\n" for line in self.logs.days["2025/12/29"])[:200].encode()
        self.logs.faults = [
            (200, {"Content-Length": "100000"}, half),
            (200, {"Content-Encoding": "gzip"}, gzip.compress(half)[:-5]),
        ]
        report = self.run_it()
        self.assertEqual((report.imported, report.unread_lines, self.problems), (12, 0, []))

    def test_a_server_that_fails(self) -> None:
        """After some tries it is given up, with what it said; what was imported is there, and the next run
        goes on behind it."""
        original = self.logs.answer

        def answer(path: str) -> tuple[int, dict[str, str], bytes]:
            if path.startswith("/channelid/11/2025/12/30"):
                self.logs.asked.append(path)
                return 500, {}, b"oh"
            return original(path)

        self.logs.answer = answer  # type: ignore[method-assign]
        error = self.assertRaises(SourceError, self.run_it)
        self.assertIn("HTTP 500", str(error))
        self.assertIn("the same command goes on", str(error))
        self.logs.answer = original  # type: ignore[method-assign]
        report = self.run_it(now=NOW + 60)
        self.assertEqual((report.skipped, report.imported), (1, 8))

    def test_an_answer_that_is_not_complete(self) -> None:
        """Another Chatlog's server says so in a line of its own: it is told, and that day is asked for
        again."""
        words = "1 files could not be read; their messages are missing here"
        lines = self.logs.days["2025/12/29"]
        lines.append(f"@msg-id=chatlog-unread :tmi.twitch.tv NOTICE #a :{words}")
        report = self.run_it()
        self.assertEqual((report.imported, report.incomplete, len(self.problems)), (12, 1, 1))
        self.assertIn(words, self.problems[0])
        lines[-1] = irc_line(999, MIDNIGHT + 60)
        report = self.run_it(now=NOW + 60)
        self.assertEqual((report.imported, report.incomplete, report.skipped), (1, 0, 1))

    def test_nothing_that_could_be_read(self) -> None:
        """A day of which another Chatlog's server can read nothing is told and asked for again; one that it
        does not have is no matter."""
        self.logs.faults = [
            (404, {}, b"Not found, but not everything could be read"),
            (404, {}, b"Not found"),
        ]
        report = self.run_it()
        self.assertEqual((report.imported, report.incomplete, len(self.problems)), (4, 1, 1))
        self.assertIn("not everything could be read", self.problems[0])
        report = self.run_it(now=NOW + 60)
        self.assertEqual((report.imported, report.incomplete, report.skipped), (4, 0, 1))

    def test_opted_out(self) -> None:
        """A day that the server does not give is named."""
        self.logs.faults = [(403, {}, b"User or channel has opted out")]
        report = self.run_it()
        self.assertEqual((report.imported, report.unread_files), (8, 1))
        self.assertIn(
            "2025-12-29: the server does not return it, because a user has opted out", self.problems[0]
        )

    def test_a_room_that_opted_out(self) -> None:
        """A room whose days the server does not list is named, also beside others."""
        original = self.logs.answer
        refusal: tuple[int, dict[str, str], bytes] = (403, {}, b"User or channel has opted out")
        self.logs.answer = (  # type: ignore[method-assign]
            lambda path: refusal if path.startswith("/list?channelid=12") else original(path)
        )
        report = self.run_it(("a", "b"))
        self.assertEqual((report.imported, report.missed), (12, 1))
        self.assertIn(" b: the server does not return it, because a user has opted out", self.problems[0])

    def test_lines_that_were_refused(self) -> None:
        """A day with a line that is no record is named, and asked for again the next time."""
        self.logs.days["2025/12/29"].append("what is this")
        for imported in (12, 0):
            report = self.run_it()
            self.assertEqual((report.imported, report.unread_lines), (imported, 1))
        self.assertEqual(report.skipped, 1)

    def test_which_rooms(self) -> None:
        """A room is named, or is in the address; one that is not there, and too many, are refused."""
        server = rustlog.Server(f"{self.logs.address}/channel/B", self.slept.append)
        self.assertEqual([room.name for room in rustlog.chosen(server, (), False)], ["b"])
        server = rustlog.Server(self.logs.address, self.slept.append)
        self.assertEqual(len(rustlog.chosen(server, (), True)), 2)
        self.assertIn("--all-rooms", str(self.assertRaises(SourceError, rustlog.chosen, server, (), False)))
        self.assertIn(
            "no room 'c'", str(self.assertRaises(SourceError, rustlog.chosen, server, ("c",), False))
        )

    def test_no_server(self) -> None:
        """What is no such server is refused in a sentence."""
        for address in ("logs", "ftp://x", "http://"):
            self.assertRaises(SourceError, rustlog.Server, address, self.slept.append)
        page = rustlog.Server(f"{self.logs.address}/x", self.slept.append)
        error = self.assertRaises(SourceError, rustlog.chosen, page, ("a",), False)
        self.assertIn("is not a rustlog server", str(error))
