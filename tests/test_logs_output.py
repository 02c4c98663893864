"""Tests of chatlog.logs: an output that does not take the lines, and when this log is used."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import textwrap
from typing import Any

from twisted.application.service import Application, MultiService
from twisted.logger import ILogObserver, LogLevel
from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from chatlog import logs
from tests.test_layering import ROOT


class OutputTests(SynchronousTestCase):
    """Writing without waiting."""

    def pipe(self) -> tuple[int, int]:
        """Both ends of a pipe, closed at the end of the test."""
        reading, writing = os.pipe()
        self.addCleanup(self.close, reading)
        self.addCleanup(self.close, writing)
        return reading, writing

    @staticmethod
    def close(fd: int) -> None:
        """Close what may be closed already."""
        with contextlib.suppress(OSError):
            os.close(fd)

    def test_lines_arrive_at_once(self) -> None:
        """A line is there as soon as it was written; nothing waits for a buffer to fill."""
        reading, writing = self.pipe()
        output = logs.Output(writing)
        for line in (b"one\n", b"two\n"):
            output(line)
            self.assertEqual(os.read(reading, 100), line)

    def test_nobody_reads(self) -> None:
        """A pipe that nobody empties never blocks; what finds no room is counted, what is written are
        whole lines in order, and the gap is told when there is room again."""
        reading, writing = self.pipe()
        output = logs.Output(writing)
        count = 20_000
        for number in range(count):
            output(b"line %d %s\n" % (number, b"x" * 80))
        os.set_blocking(reading, False)
        text = b""
        for extra in range(200):
            try:
                text += os.read(reading, 1 << 20)
            except BlockingIOError:
                break
            output(b"extra %d\n" % extra)
        lines = text.decode().splitlines()
        kept = [int(line.split()[1]) for line in lines if line.startswith("line")]
        lost = [int(line[1:].split()[0]) for line in lines if line.startswith("(")]
        self.assertEqual(kept, list(range(len(kept))))
        self.assertLess(len(kept) * 90, logs.BACKLOG + 70_000)
        extras = [int(line.split()[1]) for line in lines if line.startswith("extra")]
        self.assertEqual(len(lost), 1)
        self.assertEqual(len(kept) + lost[0] + len(extras), count + extras[-1] + 1)

    def test_reader_gone(self) -> None:
        """A pipe whose reader has ended is no error, and neither is a descriptor that was closed."""
        reading, writing = self.pipe()
        output = logs.Output(writing)
        os.close(reading)
        for _ in range(1000):
            output(b"x" * 1000 + b"\n")
        os.close(writing)
        output(b"x\n")

    def test_full_disk(self) -> None:
        """A disk that is full for a while costs lines, tells how many, and leaves no line joined to
        another."""
        taken = bytearray()
        full = False

        def write(fd: int, data: bytes) -> int:
            if full and len(taken) % 100 == 50:
                raise OSError(errno.ENOSPC, "full")
            part = data[: 50 - len(taken) % 50] if full else data
            taken.extend(part)
            return len(part)

        _, writing = self.pipe()
        output = logs.Output(writing, write)
        output(b"a" * 99 + b"\n")
        full = True
        output(b"b" * 99 + b"\n")
        output(b"c" * 99 + b"\n")
        full = False
        output(b"d\n")
        self.assertEqual(
            bytes(taken).split(b"\n"),
            [b"a" * 99, b"b" * 50, b"(2 lines of the log could not be written)", b"d", b""],
        )

    def test_no_standard_output(self) -> None:
        """Where there is no standard output, logging goes nowhere; descriptor 1 may be a file of chat."""
        for stream in ("None", "object()"):
            script = textwrap.dedent(f"""
                import os, sys
                from twisted.logger import LogLevel
                from chatlog import logs
                sys.stdout = {stream}
                logs.observer()({{"log_format": "x", "log_level": LogLevel.error}})
                print("went on", file=sys.stderr, flush=True)
                os._exit(0)
            """)
            done = subprocess.run(
                [sys.executable, "-c", script], capture_output=True, cwd=ROOT, timeout=60, check=True
            )
            self.assertEqual((done.stdout, done.stderr), (b"", b"went on\n"))


class InstallTests(SynchronousTestCase):
    """When this log is used."""

    def install(self, *arguments: str, parent: Any = None, verbose: bool = False) -> Any:
        """The observer that an application has after ``install`` with these options of twistd."""
        twistd = ServerOptions()
        usage.Options.parseOptions(twistd, list(arguments))
        options = usage.Options()
        options.parent = twistd
        options["verbose"] = verbose
        application = Application("x") if parent is None else parent
        self.written: list[bytes] = []
        done = logs.install(application, options, self.written.append)
        observer = application.getComponent(ILogObserver) if parent is None else None
        if parent is None:
            self.assertIs(done, observer)
        else:
            self.assertIsNone(done)
        return observer

    def test_in_the_foreground(self) -> None:
        """``twistd -n`` logs for people, and with --verbose everything."""
        self.assertIsInstance(self.install("-n"), logs.Console)
        for verbose in (False, True):
            observer = self.install("-n", verbose=verbose)
            observer({"log_level": LogLevel.debug, "log_namespace": "chatlog.x", "log_format": "text"})
            self.assertEqual(len(self.written), int(verbose))

    def test_other_wishes_are_respected(self) -> None:
        """Who says where to log to, and who runs in the background, gets what twistd does."""
        self.assertIsNone(self.install("-n", "--logfile", "x.log"))
        self.assertIsNone(self.install("-n", "--syslog"))
        self.assertIsNone(self.install("-n", "--logger", "chatlog.logs.observer"))
        self.assertIsNone(self.install())

    def test_other_parents(self) -> None:
        """Put into something else than twistd's application, it leaves the log alone."""
        self.assertIsNone(self.install("-n", parent=MultiService()))
        self.assertIsNone(logs.install(Application("x"), {}))

    def test_in_a_real_process(self) -> None:
        """twistd asks for the observer late enough, and what is printed meanwhile arrives as well."""
        directory = self.mktemp()
        os.makedirs(f"{directory}/twisted/plugins")
        with open(f"{directory}/twisted/plugins/logging_plugin.py", "w") as file:
            file.write(
                "from twisted.application.service import ServiceMaker\n"
                'logging = ServiceMaker("logging", "logging_tap", "x", "logging")\n'
            )
        with open(f"{directory}/logging_tap.py", "w") as file:
            file.write(
                textwrap.dedent(
                    """\
                    from twisted.application.service import Service
                    from twisted.internet import reactor
                    from twisted.logger import Logger
                    from twisted.python.usage import Options
                    from chatlog import logs

                    class Speaking(Service):
                        def setServiceParent(self, parent):
                            logs.install(parent, self.options)
                            super().setServiceParent(parent)

                        def startService(self):
                            super().startService()
                            Logger("chatlog.recorder.recorder.Recorder").info("started {n}", n=1)
                            print("printed")
                            reactor.callLater(0, reactor.stop)

                    def makeService(options):
                        service = Speaking()
                        service.options = options
                        return service
                    """
                )
            )
        twistd = "from twisted.scripts.twistd import run; run()"
        path = os.pathsep.join([os.path.abspath(directory), str(ROOT)])
        ran = subprocess.run(
            [sys.executable, "-c", twistd, "-n", "--pidfile=", "logging"],
            env={**os.environ, "PYTHONPATH": path},
            cwd=directory,
            capture_output=True,
            timeout=60,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, b""))
        said = [line[20:] for line in ran.stdout.decode().splitlines()]
        self.assertEqual(said, ["INFO  recorder  started 1", "INFO  stdout  printed"])
