"""``chatlog`` as it is typed: what it says, and what it ends with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog import __version__
from chatlog.cli import commands
from tests.processes import ROOT, Stage
from tests.test_layering import imports, modules

#: The facts of a daemon in which all is well.
WELL: dict[str, Any] = {
    "version": "1.2.3",
    "headline": {"severity": "ok", "text": "Recording all 3 rooms"},
    "conditions": [],
    "rate": 412.0,
    "instance": "left",
    "uptime": 7300.0,
    "now": 1000.0,
    "platforms": [
        {"platform": "twitch", "rooms": 3, "recorded": 3, "connections": 1, "up": 1, "late_rooms": []}
    ],
    "spool": {"bytes": 12_000_000, "max_bytes": 2_000_000_000, "free_bytes": 40_000_000_000},
    "uploads": {"state": "ok", "waiting_files": 1, "waiting_bytes": 500, "oldest": 60, "last_success": 990.0},
    "process": {"resident_bytes": 61_000_000, "cpu_percent": 0.7},
    "counters": {"written": 12345, "gaps": 1, "dropped": {}},
    "alarms": [],
}
ROOMS = [
    {"platform": "twitch", "name": "bob", "state": "recorded", "rate": 12.0, "coverage_today": 0.99951},
    {"platform": "kick", "name": "ann", "state": "refused", "rate": 0, "reason": "it is\x1b[2J gone"},
]


class Page(BaseHTTPRequestHandler):
    """The interface of a daemon, as far as the command knows it."""

    server: Any

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
        status, answer = self.server.answers.get(
            self.path.partition("?")[0], (404, {"error": {"message": "no such room"}})
        )
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class CommandCase(SynchronousTestCase):
    """A configuration, and commands that are given it."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)
        self.page: Any = None

    def config(self, **http: Any) -> str:
        path = self.home / "chatlog.yaml"
        settings = {
            "twitch": {"channels": ["ann"], "username": "me", "oauth": "token-of-twitch"},
            "recorder": {"directory": str(self.home / "data")},
            "archive": {"directory": str(self.home / "archive")},
            "http": {"listen": "127.0.0.1:1", **http},
        }
        path.write_text(json.dumps(settings))
        return str(path)

    def serve(self, **answers: Any) -> str:
        """Start a page; the configuration that says where."""
        page: Any = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        page.asked = []
        page.answers = {f"/api/v1/{name}": answer for name, answer in answers.items()}
        thread = threading.Thread(target=page.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.page = page

        def stop() -> None:
            page.shutdown()
            page.server_close()
            thread.join()

        self.addCleanup(stop)
        return self.config(listen=f"127.0.0.1:{page.server_port}", token="a-secret-of-the-page")

    def call(self, *arguments: str, **more: Any) -> Result:
        result = CliRunner().invoke(commands, list(arguments), **more)
        if result.exception is not None:
            self.assertIsInstance(result.exception, SystemExit, result.output)
        return result

    def typed(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The same as a process of its own."""
        program = "import sys; sys.argv[0] = 'chatlog'; from chatlog.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.home,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        )


class CheckTests(CommandCase):
    """chatlog check."""

    def test_fine(self) -> None:
        """What the configuration means, and 0; nothing secret in it."""
        result = self.call("check", "--config", self.config(token="a-secret-of-the-page"))
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("- ann\n", result.stdout)
        self.assertIn("# Twitch: 1 room on 1 connection", result.stdout)
        self.assertNotIn("token-of-twitch", result.output)
        self.assertNotIn("a-secret", result.output)

    def test_problems(self) -> None:
        """Every problem with its line, and 1."""
        path = self.home / "bad.yaml"
        path.write_text("twitch: {channels: [Bad Name]}\nrecorder: {detial: full}\n")
        result = self.call("check", "-c", str(path))
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertIn("bad.yaml:1: twitch.channels[0]", result.stderr)
        self.assertIn("bad.yaml:2: recorder.detial", result.stderr)
        result = self.call("check", "-c", "/nowhere.yaml")
        self.assertEqual(
            (result.exit_code, result.stderr),
            (1, "/nowhere.yaml: there is no such file; name yours with --config\n"),
        )

    def test_quiet(self) -> None:
        """Only problems are shown."""
        result = self.call("check", "-q", "-c", self.config())
        self.assertEqual((result.exit_code, result.output), (0, ""))


class OptionTests(CommandCase):
    def test_twice(self) -> None:
        """No command drops the first of two values of an option silently: it takes both, or refuses them."""
        for path, command in _every(commands, ()):
            for option in command.params:
                if isinstance(option, click.Option) and not (option.is_flag or option.multiple):
                    result = self.call(*path, option.opts[0], "1", option.opts[-1], "2")
                    self.assertEqual(result.exit_code, 2, path)
                    self.assertIn(f"{option.opts[-1]} is given twice", result.stderr)


def _every(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _every(each, (*path, name))
    else:
        yield path, command


class OnlineTests(CommandCase):
    """chatlog check --online, against look-alike servers."""

    def test_online(self) -> None:
        """One line for each of store, Twitch and Kick, and 0; with a login that is not taken that line
        says so, and the command ends with 1."""
        stage = Stage()
        self.addCleanup(stage.close)
        stage.simulator(duration=60)
        path = stage.config({"kick": {"channels": ["copper-fox"]}})
        done = self.typed("check", "--online", "-c", str(path))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^store: ok: .*an object was created, looked at, read and deleted")
        self.assertRegex(done.stdout, r"(?m)^twitch: ok: .*logged in anonymously, joined room1$")
        self.assertRegex(done.stdout, r"(?m)^kick: ok: .*subscribed to copper-fox")
        path = stage.config({"twitch": {"username": "me", "oauth": "bad"}})
        done = self.typed("check", "--online", "--quiet", "-c", str(path))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Atwitch: failed: .*login refused: Login authentication failed\n\Z")


class StatusTests(CommandCase):
    """chatlog status."""

    def test_well(self) -> None:
        """The headline and a few lines for people, and 0; a note changes nothing of that."""
        result = self.call("status", "-c", self.serve(status=(200, WELL)))
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "Recording all 3 rooms")
        self.assertEqual(lines[1], "Chatlog 1.2.3, instance left, up for 2.0 h, 412 messages a minute")
        self.assertIn("twitch   3 of 3 rooms recorded, 1 of 1 connection up", lines)
        self.assertIn("spool    12.0 MB of 2.0 GB, 40.0 GB free on its disk", lines)
        self.assertIn(
            "uploads  the store takes files; 1 file waiting, 500 B, the oldest 60 s old; the latest was "
            "stored 10 s ago",
            lines,
        )
        note = {"headline": {"severity": "note", "text": "Recording 297 of 300 rooms"}}
        self.assertEqual(self.call("status", "-c", self.serve(status=(200, {**WELL, **note}))).exit_code, 0)

    def test_trouble(self) -> None:
        """Conditions are shown with their remedies, safe for a terminal, and the status is 1."""
        headline = {"severity": "critical", "text": "None of 3 rooms is recorded; no connection to Twitch"}
        condition = {
            "code": "PLATFORM_DOWN",
            "severity": "critical",
            "text": "no connection to Twitch\x1b[2J",
            "remedy": "Look at the network.",
        }
        facts = {**WELL, "headline": headline, "conditions": [condition]}
        result = self.call("status", "-c", self.serve(status=(200, facts)))
        self.assertEqual(result.exit_code, 1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], headline["text"])
        self.assertEqual(
            lines[2:4], [r"critical  no connection to Twitch\x1b[2J", "          Look at the network."]
        )

    def test_what_the_headline_counts(self) -> None:
        """What the headline only counts is listed below it, so it sends nobody elsewhere."""
        text = "Recording all 3 rooms; a; b; 1 more"
        headline = {"severity": "warning", "text": f"{text}: see the overview or chatlog status"}
        result = self.call("status", "-c", self.serve(status=(200, {**WELL, "headline": headline})))
        self.assertEqual(result.stdout.splitlines()[0], text)

    def test_trouble_of_another_version(self) -> None:
        """A recorder that gives no verdict is judged by its facts."""
        before = {key: WELL[key] for key in WELL if key not in ("headline", "conditions", "rate")}
        for change, words in (
            ({"alarms": [{"code": "x", "text": "rooms\x1b[2J are missing"}]}, r"rooms\x1b[2J are missing"),
            ({"spool": {"trouble": "disk full"}}, "spool"),
            ({"uploads": {"state": "refused"}}, "the store refuses files"),
            ({"uploads": {"state": "ok", "quarantined": 2}}, "2 files quarantined"),
            ({"counters": {"dropped": {"overflow": 7}}}, "7 not kept"),
        ):
            result = self.call("status", "-c", self.serve(status=(200, {**before, **change})))
            self.assertEqual(result.exit_code, 1, change)
            self.assertIn(words, result.stdout, change)
            self.assertNotIn("\x1b[2J", result.stdout)

    def test_json(self) -> None:
        """For programs: the facts as they are, on one line."""
        result = self.call("status", "--json", "-c", self.serve(status=(200, WELL)))
        self.assertEqual(json.loads(result.stdout), WELL)
        self.assertEqual(result.stdout.count("\n"), 1)

    def test_facts_of_another_version(self) -> None:
        """What is not there is not missed."""
        result = self.call("status", "-c", self.serve(status=(200, {"platforms": []})))
        self.assertIn("Chatlog ?", result.stdout)

    def test_nobody_there(self) -> None:
        """No recorder that answers: 2, and a sentence."""
        result = self.call("status", "-c", self.config())
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        self.assertIn("Error: no answer from 127.0.0.1:1 (", result.stderr)
        result = self.call("status", "-c", self.config(listen=None))
        self.assertEqual(result.exit_code, 2)
        self.assertIn("http.listen is switched off", result.stderr)


class RoomsTests(CommandCase):
    """chatlog rooms."""

    def test_list(self) -> None:
        """A table, sorted; the words of a platform cannot move the cursor."""
        result = self.call("rooms", "list", "-c", self.serve(rooms=(200, {"rooms": ROOMS})))
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            result.stdout.splitlines(),
            [
                "platform  room  state     messages  today",
                r"kick      ann   refused   0/min     0.00 %   it is\x1b[2J gone",
                "twitch    bob   recorded  12/min    99.95 %",
            ],
        )

    def test_list_json(self) -> None:
        """For programs: a room a line."""
        result = self.call("rooms", "list", "--json", "-c", self.serve(rooms=(200, {"rooms": ROOMS})))
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()], ROOMS)

    def test_add_and_remove(self) -> None:
        """The recorder is told, with the token, which nobody gets to see; several rooms at once, by name or
        by address, and what became of each is said."""
        recorded = (200, {"state": "recorded", "problem": ""})
        path = self.serve(**{"rooms": (201, {}), "rooms/twitch/bob": recorded, "rooms/kick/ann": recorded})
        for arguments in (
            ("add", "https://www.twitch.tv/Bob", "twitch/#BOB"),
            ("add", "kick/ann", "--chatroom-id", "12"),
            ("remove", "m.twitch.tv/bob", "KICK/ann"),
        ):
            result = self.call("rooms", *arguments, "-c", path)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertNotIn("a-secret", result.output)
        bearer = "Bearer a-secret-of-the-page"
        self.assertEqual(
            self.page.asked,
            [
                ("POST", "/api/v1/rooms", bearer, {"platform": "twitch", "name": "bob"}),
                ("GET", "/api/v1/rooms/twitch/bob", bearer, None),
                ("POST", "/api/v1/rooms", bearer, {"platform": "kick", "name": "ann", "chatroom_id": 12}),
                ("GET", "/api/v1/rooms/kick/ann", bearer, None),
                ("DELETE", "/api/v1/rooms/twitch/bob", bearer, None),
                ("DELETE", "/api/v1/rooms/kick/ann", bearer, None),
            ],
        )

    def test_refused_room(self) -> None:
        """A room that the platform refuses is reported, with reason and remedy; the status is 1."""
        facts = {
            "state": "wanted",
            "problem": "unidentified",
            "reason": "Kick knows no channel of that name",
            "remedy": "Check the spelling.",
        }
        path = self.serve(**{"rooms": (201, {}), "rooms/kick/ghosty": (200, facts)})
        result = self.call("rooms", "add", "kick/ghosty", "-c", path)
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stdout,
            "kick/ghosty: not recorded: Kick knows no channel of that name. Check the spelling.\n",
        )

    def test_acknowledge(self) -> None:
        """A room that is not recorded can be acknowledged, and that taken back."""
        path = self.serve(**{"rooms/twitch/bob/acknowledge": (200, {})})
        result = self.call("rooms", "acknowledge", "twitch/bob", "-c", path)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.stdout, "twitch/bob: acknowledged until it is recorded again\n")
        result = self.call("rooms", "acknowledge", "--undo", "twitch/bob", "-c", path)
        self.assertEqual((result.exit_code, result.stdout), (0, "twitch/bob: reported again\n"))
        self.assertEqual([each[0] for each in self.page.asked], ["POST", "DELETE"])

    def test_refused(self) -> None:
        """A room that is not on the list: 1. A recorder that does not answer: 2."""
        result = self.call("rooms", "remove", "twitch/nobody", "-c", self.serve())
        self.assertEqual((result.exit_code, result.stdout), (1, "twitch/nobody: was not on the list\n"))
        result = self.call("rooms", "remove", "twitch/nobody", "-c", self.config())
        self.assertIn("http.token", result.stderr)

    def test_no_room(self) -> None:
        """What cannot be a room is not sent anywhere."""
        path = self.config()
        for room in (
            "bob",
            "youtube/bob",
            "twitch/",
            "twitch/a/b",
            "twitch/bad name",
            "kick/a!",
            "https://www.twitch.tv/directory",
        ):
            result = self.call("rooms", "add", "twitch/fine", room, "-c", path)
            self.assertEqual(result.exit_code, 2)
            self.assertIn(repr(room), result.stderr)
        result = self.call("rooms", "add", "twitch/bob", "--chatroom-id", "3", "-c", path)
        self.assertIn("--chatroom-id is for one room of Kick", result.stderr)


class ProcessTests(CommandCase):
    """What only a process of its own shows."""

    def test_usage(self) -> None:
        """Help on demand, and where nothing was said; a wrong word costs a sentence, not a traceback."""
        done = self.typed("--version")
        self.assertEqual((done.returncode, done.stdout), (0, f"chatlog {__version__}\n"))
        done = self.typed("--help")
        self.assertEqual(done.returncode, 0)
        for command in ("check", "rooms", "status", "verify"):
            self.assertIn(f"\n  {command} ", done.stdout)
        done = self.typed("rom")
        self.assertEqual(done.returncode, 2)
        self.assertIn("rom", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        done = self.typed("verify", "--config", "/nowhere.yaml")
        self.assertEqual(
            (done.returncode, done.stderr),
            (2, "/nowhere.yaml: there is no such file; name yours with --config\n"),
        )

    def test_completion(self) -> None:
        """A shell that asks gets the words that fit."""
        environ = {"_CHATLOG_COMPLETE": "bash_complete", "COMP_WORDS": "chatlog rooms r", "COMP_CWORD": "2"}
        self.assertEqual(self.typed(**environ).stdout, "plain,remove\n")
        self.assertIn("complete", self.typed(_CHATLOG_COMPLETE="zsh_source").stdout)

    def test_completion_of_rooms(self) -> None:
        """The names of rooms come from the recorder that runs; without one there are none, and not a word."""
        path = self.serve(rooms=(200, {"rooms": ROOMS}))
        words = f"chatlog rooms remove -c {path} tw"
        environ = {"_CHATLOG_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "5"}
        self.assertEqual(self.typed(**environ).stdout, "plain,twitch/bob\n")
        environ["COMP_WORDS"] = f"chatlog rooms remove -c {self.config()} tw"
        done = self.typed(**environ)
        self.assertEqual((done.stdout.strip(), done.stderr), ("", ""))

    def test_reader_that_leaves(self) -> None:
        """A pipe that is closed early is no error."""
        program = f"{sys.executable} -c 'from chatlog.cli import main; main()' check -c {self.config()}"
        done = subprocess.run(
            ["bash", "-c", f"{program} | true"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.stderr, "")

    def on_terminal(self, *arguments: str, interrupt_after: str = "", **environ: str) -> tuple[int, str]:
        """The same on a terminal; its status, and all that it showed. Ctrl-C when it has shown that."""
        ours, theirs = os.openpty()
        program = "import sys; sys.argv[0] = 'chatlog'; from chatlog.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT), **environ},
        )
        os.close(theirs)
        shown = b""
        # Linux says EIO when the last one has left the other end.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part
                if interrupt_after and interrupt_after.encode() in shown:
                    process.send_signal(signal.SIGINT)
                    interrupt_after = ""
        os.close(ours)
        return process.wait(30), shown.decode()

    def test_colours(self) -> None:
        """On a terminal what is wrong is red, unless NO_COLOR asks for none."""
        headline = {"severity": "critical", "text": "Recording all 3 rooms; the store refuses files"}
        facts = {**WELL, "headline": headline, "uploads": {"state": "refused"}}
        path = self.serve(status=(200, facts))
        status, shown = self.on_terminal("status", "-c", path, NO_COLOR="")
        self.assertEqual(status, 1)
        self.assertIn(f"\x1b[31m\x1b[1m{headline['text']}\x1b[0m", shown)
        status, shown = self.on_terminal("status", "-c", path, NO_COLOR="1")
        self.assertEqual((status, "\x1b" in shown), (1, False))
        self.assertIn("the store refuses files; 0 files waiting", shown)

    def test_watched_until_interrupted(self) -> None:
        """It is shown again and again; Ctrl-C ends it without a word."""
        path = self.serve(status=(200, WELL))
        status, shown = self.on_terminal("status", "--watch", "-c", path, interrupt_after="uploads ")
        self.assertEqual(status, 130)
        self.assertIn("3 of 3 rooms recorded", shown)
        for word in ("Traceback", "Aborted"):
            self.assertNotIn(word, shown)

    def test_the_recorder_does_without(self) -> None:
        """What the command needs is not loaded into the recorder."""
        known, found, pending = modules(), {}, ["chatlog.tap"]
        while pending:
            module = pending.pop()
            if module not in found:
                found[module] = set(imports(known[module].read_text("utf-8")))
                pending += found[module] & set(known)
        self.assertNotIn("chatlog.cli", found)
        for module, imported in found.items():
            self.assertNotIn("click", imported, module)
