"""Tests of chatlog.logs: the lines, and what is left out."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import chatlog
from chatlog import log_lines, logs
from chatlog.config.values import PARTS

#: 2026-11-23 08:57:43 UTC
WHEN = 1795424263.9


class Unprintable:
    """A value that does not let itself be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class ConsoleTestCase(SynchronousTestCase):
    """A console that writes into a list."""

    def setUp(self) -> None:
        self.written: list[bytes] = []
        self.console = logs.Console(self.written.append)

    def text(self) -> str:
        """What was written, without times."""
        lines = b"".join(self.written).decode().splitlines(keepends=True)
        return "".join(line if line.startswith(" ") else line[20:] for line in lines)

    def logger(self, namespace: str = "chatlog.twitch.rooms.Rooms", verbose: bool = False) -> Logger:
        """A logger whose events arrive at the console."""
        console = logs.Console(self.written.append, verbose)
        return Logger(namespace=namespace, observer=LogPublisher(console))


class LineTests(ConsoleTestCase):
    """How an event looks."""

    def test_line(self) -> None:
        """Time in UTC, level, the part of the program, the text."""
        event = {
            "log_time": WHEN,
            "log_level": LogLevel.info,
            "log_namespace": "chatlog.twitch.rooms.Rooms",
            "log_format": "joined {rooms} rooms",
            "rooms": 90,
        }
        verifyObject(ILogObserver, self.console)
        self.console(event)
        self.assertEqual(self.written, [b"2026-11-23 08:57:43 INFO  twitch  joined 90 rooms\n"])

    def test_parts(self) -> None:
        """The part is the platform, the module, or whose library it is; it is not said twice."""
        self.logger("chatlog.recorder.recorder.Recorder").info("a")
        self.logger("chatlog.rooms.pool.Pool").info("{platform}: {n} rooms", platform="kick", n=3)
        self.logger("chatlog.kick.rooms.KickRooms").warn("kick: connection {n} is back", n=1)
        self.logger("chatlog").info("b")
        self.logger("stdout").info("c")
        self.logger("twisted.internet.protocol.Factory").warn("d")
        self.assertEqual(
            self.text(),
            "INFO  recorder  a\n"
            "INFO  kick  3 rooms\n"
            "WARN  kick  connection 1 is back\n"
            "INFO  chatlog  b\n"
            "INFO  stdout  c\n"
            "WARN  twisted  d\n",
        )

    def test_parts_that_can_be_named(self) -> None:
        """log.levels knows every part of Chatlog that says anything in the log, and no other."""
        ours = set()
        package = Path(chatlog.__file__).parent
        for path in package.rglob("*.py"):
            if "simulator" not in path.parts and re.search(r"\bLogger\(\)", path.read_text("utf-8")):
                ours.add(path.relative_to(package).with_suffix("").parts[0])
        libraries = {"autobahn", "stderr", "stdout", "twisted"}
        self.assertEqual(set(PARTS), ours | libraries)

    def test_levels(self) -> None:
        """Levels stand below each other."""
        logger = self.logger(verbose=True)
        for level in ("debug", "info", "warn", "error", "critical"):
            getattr(logger, level)("x")
        self.assertEqual(
            self.text().splitlines(),
            [f"{level} twitch  x" for level in ("DEBUG", "INFO ", "WARN ", "ERROR", "CRIT ")],
        )

    def test_nothing_breaks_a_line(self) -> None:
        """Line breaks, terminal codes and what turns the reading direction are shown as escapes, in
        whatever field they come; characters of other languages stay."""
        forged = "x\n2026-11-23 08:57:43 INFO  twitch  forged\r\x1b[2J\x00\x85\u2028\u202e\udce4"
        self.logger().info("{a} and {b!r} and {c}", a=forged, b=forged, c="grüße 你好 😀")
        self.logger("bad\nname").error("x")
        self.logger("chatlog.rooms.pool").info("x", platform="k\nick")
        self.assertEqual(len(self.written), 3)
        for line in self.written:
            self.assertEqual(line.count(b"\n"), 1)
            self.assertTrue(line.decode()[:-1].isprintable(), line)
        self.assertIn("\\n2026", self.text())
        self.assertIn("\\x1b[2J\\x00\\x85\\u2028\\u202e\\udce4", self.text())
        self.assertIn("grüße 你好 😀", self.text())

    def test_braces_in_fields(self) -> None:
        """Chat that looks like a format is not one."""
        self.logger().info("{text}", text="{0} {log_source.__class__} {}")
        self.assertEqual(self.text(), "INFO  twitch  {0} {log_source.__class__} {}\n")

    def test_length(self) -> None:
        """A text of any length makes a line of bounded length, and says that it was cut."""
        self.logger().info("{text}", text="a" * 10_000_000)
        self.assertEqual(self.text(), f"INFO  twitch  {'a' * 2000}... (9998000 more characters)\n")
        self.written.clear()
        self.logger().info("{text}", text="\x00" * 2000)
        self.assertEqual(self.text(), f"INFO  twitch  {chr(92)}x00{(chr(92) + 'x00') * 1999}\n")

    def test_unexpected_failure(self) -> None:
        """A failure that nobody expected brings the innermost frames along, in lines of their own that
        cannot be taken for events."""

        def divide(depth: int) -> float:
            return divide(depth - 1) if depth else 1 / 0

        try:
            divide(20)
        except ZeroDivisionError:
            self.logger().failure("while dividing for {who}", who="ann")
        lines = self.text().splitlines()
        self.assertEqual(lines[0], "CRIT  twitch  while dividing for ann")
        self.assertEqual(len(lines), 1 + log_lines.FRAMES + 1)
        self.assertRegex(lines[-2], r"^    .*tests/test_logs.py:\d+ in divide: .*1 / 0$")
        self.assertEqual(lines[-1], "    ZeroDivisionError: division by zero")

    def test_expected_failure(self) -> None:
        """A failure that comes with a warning is one line."""
        failure = Failure(ConnectionRefusedError(111, "refused\nforged"))
        self.logger().warn("cannot connect", log_failure=failure)
        self.assertEqual(self.text(), "WARN  twitch  cannot connect: [Errno 111] refused\\nforged\n")

    def test_text_of_a_failure(self) -> None:
        """What an exception says cannot make up a line either."""
        self.logger().failure("x", Failure(ValueError("a\n2026-11-23 08:57:43 INFO forged")))
        self.assertEqual(
            self.text(), "CRIT  twitch  x\n    ValueError: a\\n2026-11-23 08:57:43 INFO forged\n"
        )


class FilterTests(ConsoleTestCase):
    """What is left out."""

    def emit(self, verbose: bool) -> list[str]:
        """The texts that are shown of one event of every kind."""
        for namespace in ("chatlog.x", "twisted.internet", "autobahn.websocket", "stderr"):
            logger = self.logger(namespace, verbose)
            logger.debug(f"{namespace}-debug")
            logger.info(f"{namespace}-info")
            logger.warn(f"{namespace}-warn")
        return [line.split()[-1] for line in self.text().splitlines()]

    def test_quiet(self) -> None:
        """No debug messages, and of libraries only warnings and worse."""
        self.assertEqual(
            self.emit(False),
            [
                "chatlog.x-info",
                "chatlog.x-warn",
                "twisted.internet-warn",
                "autobahn.websocket-warn",
                "stderr-info",
                "stderr-warn",
            ],
        )

    def test_verbose(self) -> None:
        """Everything, when asked for."""
        self.assertEqual(len(self.emit(True)), 12)

    def test_second_signal(self) -> None:
        """Who asks twice for the end, as ``timeout`` does, gets no traceback."""
        for verbose in (False, True):
            logger = self.logger("twisted.internet", verbose)
            logger.failure("while calling", Failure(ReactorNotRunning("Can't stop")))
            self.assertEqual(self.written, [])

    def test_legacy_messages(self) -> None:
        """twisted.python.log's chatter is left out; its errors are shown."""
        publisher = log.LogPublisher(publishPublisher=LogPublisher(self.console))
        publisher.msg("Starting factory <x>")
        publisher.msg("something", system="-")
        self.assertEqual(self.written, [])
        publisher.msg(failure=Failure(KeyError("k")), isError=1, why="it broke")
        self.assertIn("CRIT  twisted  ", self.text())
        self.assertIn("KeyError", self.text())


class RobustnessTests(ConsoleTestCase):
    """Logging never fails."""

    def test_broken_events(self) -> None:
        """Whatever an event holds or lacks, a line comes out and nothing is raised."""
        cases: list[dict[str, Any]] = [
            {},
            {"log_format": "{missing}", "log_level": LogLevel.error},
            {"log_format": "{bad}", "bad": Unprintable(), "log_level": LogLevel.error},
            {"log_format": b"\xff{x}", "x": b"\xff", "log_level": LogLevel.error},
            {"log_format": "{x:>99999999999}", "x": 1, "log_level": LogLevel.error},
            {"log_format": "x", "log_time": float("nan"), "log_level": LogLevel.error},
            {"log_format": "x", "log_time": 1e300, "log_level": LogLevel.error},
            {"log_format": "x", "log_time": "now", "log_level": LogLevel.error},
            {"log_format": "x", "log_namespace": None, "log_level": LogLevel.error},
            {"log_format": "x", "log_namespace": Unprintable(), "log_level": LogLevel.error},
            {
                "log_format": "x",
                "log_level": LogLevel.critical,
                "log_failure": Failure(ValueError(Unprintable())),
            },
            {"log_format": "x", "log_level": LogLevel.critical, "log_failure": "not a failure"},
        ]
        for number, event in enumerate(cases[1:], 1):
            self.written.clear()
            logs.Console(self.written.append)(event)
            self.assertEqual(len(self.written), 1, number)
            self.assertRegex(self.written[0], rb"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ +\S", str(number))
        logs.Console(self.written.append, verbose=True)(cases[0])

    def test_broken_output(self) -> None:
        """An output that raises does not trouble who logs."""

        def refuse(line: bytes) -> None:
            raise OSError(errno.EIO, "gone")

        logs.Console(refuse)({"log_format": "x", "log_level": LogLevel.error})
