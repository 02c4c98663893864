"""A day with a gap of every reason: every way to read the day back names each of them."""

from __future__ import annotations

from urllib.parse import unquote

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from tests.archive.world import MIDNIGHT, World, gap, said
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg

HOUR = 3600.0
DAY = "2025-12-29"
#: What gap records say of why a room was not recorded (docs/records.md).
REASONS = (
    "connection lost",
    "connection lost: nothing heard for 30 s",
    "closed by the server",
    "reconnect",
    "login refused",
    "no welcome from the server",
    "join not acknowledged",
    "refused: msg_banned",
    "parted by the server",
    "restart",
    "clock",
    "disk full",
    "overflow",
)


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp())
        for n, reason in enumerate(REASONS):
            at = MIDNIGHT + n * HOUR
            self.world.put(at, [said(at, "hello", id=str(n)), gap(at + 60, at + 120, reason)])

    def run_it(self, *arguments: str) -> str:
        result = CliRunner().invoke(commands, [*arguments, "--utc", "--archive", self.world.archive])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def assert_all_named(self, text: str) -> None:
        for n, reason in enumerate(REASONS):
            self.assertIn(reason, text)
            self.assertIn(f"{n:02}:01:00", text)

    def test_search(self) -> None:
        """A search says of every gap of the time that it looked at when it was and why."""
        self.assert_all_named(self.run_it("search", "hello", "--since", DAY))

    def test_log(self) -> None:
        """A log has a line where something is missing."""
        self.assert_all_named(self.run_it("log", "a", DAY))

    def test_export(self) -> None:
        """Every format of an export names every gap, in the file or beside it."""
        for format in ("jsonl", "irc", "text", "csv", "chatjson"):
            self.assert_all_named(self.run_it("export", "a", "--since", DAY, "--format", format))


class ServerTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        for n, reason in enumerate(REASONS):
            at = MARCH + n * HOUR
            record = privmsg(round(n * HOUR * 1000), "hello")
            self.world.put(at, [record, gap(at + 60, at + 120, reason)], room=ROOM)

    def test_header(self) -> None:
        """The answer to a request for a log names every gap in its header."""
        header = unquote(self.ask("/channel/testchan/2026/3/1").headers["x-chatlog-gaps"])
        for n, reason in enumerate(REASONS):
            self.assertIn(f"2026-03-01T{n:02}:01:00.000Z/2026-03-01T{n:02}:02:00.000Z;{reason}", header)

    def test_log(self) -> None:
        """With ?gaps a line stands where something is missing."""
        text = self.text("/channel/testchan/2026/3/1?gaps")
        for reason in REASONS:
            self.assertIn(reason, text)

    def test_own_api(self) -> None:
        """A page of messages names every gap with its reason."""
        text = self.text("/api/v1/archive/rooms/twitch/testchan/messages?order=oldest&limit=1000")
        for reason in REASONS:
            self.assertIn(f'"{reason}"', text)
