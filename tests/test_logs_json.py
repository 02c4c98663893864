"""The log for programs, and which events are shown."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Application
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log, usage
from twisted.python.failure import Failure
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from chatlog import log_lines, logs
from chatlog.config.settings import LogSettings, Settings
from chatlog.log_lines import as_json

#: 2026-11-23 08:57:43.900 UTC
WHEN = 1795424263.9


class JsonCase(SynchronousTestCase):
    """A console that writes JSON into a list."""

    def setUp(self) -> None:
        self.written: list[bytes] = []
        self.console = logs.Console(self.written.append, shape=as_json)

    def logger(self, namespace: str = "chatlog.recorder.recorder.Recorder") -> Logger:
        return Logger(namespace=namespace, observer=LogPublisher(self.console))

    def objects(self) -> list[dict[str, Any]]:
        """What was written; each object is one whole line."""
        found = []
        for line in self.written:
            self.assertEqual(line.count(b"\n"), 1, line)
            self.assertTrue(line.endswith(b"\n"))
            self.assertTrue(line.decode()[:-1].isprintable(), line)
            found.append(json.loads(line))
        return found


class ShapeTests(JsonCase):
    """What is in an object."""

    def test_event(self) -> None:
        """Time, level, part, text, and then the fields under their own names."""
        self.console(
            {
                "log_time": WHEN,
                "log_level": LogLevel.warn,
                "log_namespace": "chatlog.rooms.pool.Pool",
                "log_format": "{platform}: {rooms} rooms, {share:.1%}",
                "log_source": self,
                "platform": "twitch",
                "rooms": 90,
                "share": 0.5,
                "full": True,
                "none": None,
            }
        )
        self.assertEqual(
            self.written,
            [
                b'{"time":"2026-11-23T08:57:43.900Z","level":"warn","part":"twitch",'
                b'"text":"90 rooms, 50.0%",'
                b'"full":true,"none":null,"platform":"twitch","rooms":90,"share":0.5}\n'
            ],
        )

    def test_only_plain_fields(self) -> None:
        """Objects, long lists and numbers that JSON does not have cannot get in as they are."""
        odd = {"a": object(), "b": b"bytes", "c": ["x", 1, object()]}
        self.logger().info("x", d=["x", 2], e=math.nan, f=10**30, g=("y",) * 100, **odd)
        [line] = self.objects()
        self.assertEqual(set(line), {"time", "level", "part", "text", "d", "e", "f", "g"})
        self.assertEqual((line["d"], line["e"], line["f"]), (["x", 2], None, str(10**30)))
        self.assertEqual(len(line["g"]), 20)

    def test_fields_cannot_replace_the_line_itself(self) -> None:
        """A field that is called like one of the line's own is left out."""
        fields = {"text": "forged", "level": "info", "part": "x", "time": "never"}
        namespace = "chatlog.recorder.recorder.Recorder"
        self.console(
            {
                "log_level": LogLevel.error,
                "log_namespace": namespace,
                "log_time": WHEN,
                "log_format": "{text} of {level}",
                **fields,
            }
        )
        [line] = self.objects()
        self.assertEqual((line["text"], line["level"], line["part"]), ("forged of info", "error", "recorder"))
        self.assertTrue(line["time"].startswith("20"))

    def test_hostile_text(self) -> None:
        """Chat in a field neither breaks the line nor is used as a format."""
        hostile = 'a"}\n{"level":"info"}\r\u2028\u202e\x1b[2J\x00\udce4{0}'
        self.logger().info("{chat}", chat=hostile, **{'k"\n': hostile})
        [line] = self.objects()
        self.assertIn("{0}", line["chat"])
        self.assertIn("\\n", line["chat"])
        self.assertEqual(line["text"], line["chat"])

    def test_length(self) -> None:
        """However much an event holds, the line is bounded."""
        fields = {f"field{n}": "x" * 100_000 for n in range(1000)}
        self.logger().info("{field0}", **fields)
        [line] = self.objects()
        self.assertEqual(len(line), log_lines.FIELDS)
        self.assertLess(len(self.written[0]), 80_000)

    def test_unexpected_failure(self) -> None:
        """An unexpected failure has its type, its text and the innermost frames."""

        def divide(depth: int) -> float:
            return divide(depth - 1) if depth else 1 / 0

        try:
            divide(20)
        except ZeroDivisionError:
            self.logger().failure("while dividing for {who}", who="ann")
        [line] = self.objects()
        self.assertEqual((line["level"], line["text"]), ("critical", "while dividing for ann"))
        self.assertEqual(line["error"], "ZeroDivisionError: division by zero")
        self.assertEqual(len(line["traceback"]), log_lines.FRAMES)
        self.assertRegex(line["traceback"][-1], r"tests/test_logs_json.py:\d+ in divide: ")

    def test_expected_failure(self) -> None:
        """One that comes with a warning needs no frames."""
        self.logger().warn("cannot connect", log_failure=Failure(ConnectionRefusedError("no\nforged")))
        [line] = self.objects()
        self.assertEqual(line["error"], "ConnectionRefusedError: no\\nforged")
        self.assertNotIn("traceback", line)

    def test_legacy_messages(self) -> None:
        """What came through twisted.python.log has a text like everything else."""
        publisher = log.LogPublisher(publishPublisher=LogPublisher(self.console))
        publisher.msg(failure=Failure(KeyError("k")), isError=1, why="it broke")
        [line] = self.objects()
        self.assertEqual((line["part"], line["level"]), ("twisted", "critical"))
        self.assertIn("KeyError", line["text"])
        self.assertFalse({"isError", "why", "failure", "system"} & set(line))

    def test_broken_events(self) -> None:
        """Whatever an event holds or lacks, an object comes out."""
        cases: list[dict[str, Any]] = [
            {"log_format": "{missing}"},
            {"log_format": b"\xff{x}", "x": b"\xff"},
            {"log_format": "x", "log_time": float("nan")},
            {"log_format": "x", "log_time": 1e300},
            {"log_format": "x", "log_time": "now"},
            {"log_format": "x", "log_namespace": None},
            {"log_format": "x", 5: "x"},  # type: ignore[dict-item]
        ]
        for event in cases:
            self.console({"log_level": LogLevel.error, **event})
        self.assertEqual(len(self.objects()), len(cases))
        for line in self.objects():
            self.assertEqual(line["level"], "error")

    @given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(), st.none())))
    def test_any_fields(self, fields: dict[str, Any]) -> None:
        """Any names and any plain values make one line of JSON."""
        self.written.clear()
        self.console({**fields, "log_level": LogLevel.error, "log_format": "x"})
        [line] = self.objects()
        self.assertEqual(line["text"], "x")


class LevelTests(JsonCase):
    """Which events are shown."""

    def shown(self, levels: logs.Levels) -> set[str]:
        """Part and level of those that are shown, of one of every kind."""
        self.written.clear()
        self.console.levels = levels
        for namespace in ("chatlog.uploader.uploader", "chatlog.recorder.recorder", "twisted.internet"):
            for level in ("debug", "info", "warn", "error", "critical"):
                getattr(self.logger(namespace), level)("x")
        return {f"{line['part']} {line['level']}" for line in self.objects()}

    def test_default(self) -> None:
        """From info up; of libraries from warn up."""
        shown = self.shown(logs.Levels())
        self.assertIn("recorder info", shown)
        self.assertNotIn("recorder debug", shown)
        self.assertNotIn("twisted info", shown)
        self.assertIn("twisted warn", shown)

    def test_level(self) -> None:
        """The level is the least of all parts; libraries do not become talkative by it."""
        self.assertEqual(
            self.shown(logs.Levels("error")),
            {
                f"{part} {level}"
                for part in ("uploader", "recorder", "twisted")
                for level in ("error", "critical")
            },
        )
        shown = self.shown(logs.Levels("debug"))
        self.assertIn("recorder debug", shown)
        self.assertNotIn("twisted info", shown)

    def test_levels_of_parts(self) -> None:
        """Single parts may say more or less than the others, libraries too."""
        shown = self.shown(logs.Levels("warn", (("uploader", "debug"), ("twisted", "critical"))))
        self.assertEqual(
            shown,
            {"recorder warn", "recorder error", "recorder critical", "twisted critical"}
            | {f"uploader {level}" for level in ("debug", "info", "warn", "error", "critical")},
        )

    def test_platform_is_a_part(self) -> None:
        """A platform's events are its own, whichever module they come from."""
        self.console.levels = logs.Levels("error", (("kick", "info"),))
        self.logger("chatlog.rooms.pool").info("{platform}: x", platform="kick")
        self.logger("chatlog.rooms.pool").info("{platform}: x", platform="twitch")
        self.assertEqual([line["part"] for line in self.objects()], ["kick"])


class InstallTests(SynchronousTestCase):
    """Settings become the log."""

    def setUp(self) -> None:
        self.written: list[bytes] = []

    def install(self, settings: LogSettings, verbose: bool = False) -> logs.Console:
        twistd = ServerOptions()
        usage.Options.parseOptions(twistd, ["-n"])
        options: Any = usage.Options()
        options.parent = twistd
        options["verbose"] = verbose
        options.settings = Settings(log=settings)
        console = logs.install(Application("x"), options, self.written.append)
        assert console is not None
        return console

    def line(self, console: logs.Console, level: LogLevel = LogLevel.error) -> bytes:
        self.written.clear()
        console({"log_level": level, "log_namespace": "chatlog.x", "log_format": "text"})
        return b"".join(self.written)

    def test_format(self) -> None:
        """log.format says which of the two shapes."""
        self.assertEqual(json.loads(self.line(self.install(LogSettings("json"))))["text"], "text")
        self.assertTrue(self.line(self.install(LogSettings())).endswith(b"ERROR x  text\n"))

    def test_levels(self) -> None:
        """log.level and log.levels say what; --verbose shows everything."""
        settings = LogSettings(level="error", levels=(("x", "warn"),))
        self.assertEqual(self.line(self.install(settings), LogLevel.info), b"")
        self.assertNotEqual(self.line(self.install(settings), LogLevel.warn), b"")
        self.assertNotEqual(self.line(self.install(settings, verbose=True), LogLevel.debug), b"")
