"""``chatlog optout``, and the commands that read an archive of which somebody opted out."""

from __future__ import annotations

import json
import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.record import encode_full, rfc3339
from tests.archive.world import MIDNIGHT, World

HOUR = 3600.0
SINCE = "2025-12-29"


def record(n: int, text: str, user: str, id: str, kind: str = "message", **details: object) -> bytes:
    time = rfc3339(round((MIDNIGHT + 10 * HOUR + n) * 1000))
    more = {"command": "PRIVMSG", **details}
    return encode_full(time, "a", user, id, text, kind, f"m{n}", "twitch", "7", time, more)


class OptOutCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        self.world = World(self.root)
        reply = {
            "reply-parent-user-id": "11",
            "reply-parent-user-login": "ann",
            "reply-parent-display-name": "Ann",
            "reply-parent-msg-body": "a secret",
        }
        self.world.put(
            MIDNIGHT + 10 * HOUR,
            [
                record(0, "a secret", "ann", "11"),
                record(1, "hello", "bob", "22"),
                record(2, "@Ann sure", "bob", "22", **reply),
                record(3, "a secret", "ann", "", "delete"),
                record(4, "renamed", "annie", "11"),
            ],
        )
        self.path = os.path.join(self.root, "chatlog.yaml")
        self.configure()

    def configure(self, more: str = "") -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(
                f"twitch: {{channels: [a]}}\nrecorder: {{directory: {self.root}/spool}}\n"
                f"archive: {{directory: {self.world.archive}{more}}}\n"
            )

    def run_it(self, *arguments: str, status: int | None = 0) -> Result:
        result = CliRunner().invoke(commands, [*arguments, "--utc", "-c", self.path])
        if status is not None:
            self.assertEqual(result.exit_code, status, result.output)
        return result


class Commands(OptOutCase):
    """add, remove and list."""

    def test_a_name_is_looked_up(self) -> None:
        """The person is meant by id, with every name that the archive has; the key is made and said once."""
        printed = self.run_it("optout", "add", "twitch/Ann", "--since", SINCE)
        self.assertIn("twitch/ann is twitch/id:11", printed.stderr.lower())
        self.assertIn("optout.key", printed.stderr)
        self.assertIn("ann, annie", printed.stdout)
        self.assertIn("no longer recorded", printed.stdout)
        again = self.run_it("optout", "add", "twitch/id:11", "--since", SINCE)
        self.assertIn("on the list already", again.stdout)
        self.assertNotIn("optout.key", again.stderr)

    def test_list(self) -> None:
        """How many opted out, and of what; no name and no id."""
        self.assertIn("nobody opted out", self.run_it("optout", "list", status=1).stdout)
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        self.run_it("optout", "add", "twitch/id:22", "--room", "a", "--since", SINCE)
        printed = self.run_it("optout", "list").stdout
        self.assertIn("2 people opted out", printed)
        self.assertIn("everywhere", printed)
        for word in ("ann", "bob", "11 ", "22 "):
            self.assertNotIn(f" {word}", printed)
        rows = [json.loads(row) for row in self.run_it("optout", "list", "--json").stdout.splitlines()]
        self.assertEqual(sorted(str(row["room"]) for row in rows), ["None", "a"])

    def test_remove(self) -> None:
        """Off the list again, by the name as well; who is not on it ends with 1."""
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        self.assertIn("is recorded again", self.run_it("optout", "remove", "twitch/annie").stdout)
        self.assertIn("nobody opted out", self.run_it("optout", "list", status=1).stdout)
        printed = self.run_it("optout", "remove", "twitch/id:11", "--since", SINCE, status=1)
        self.assertIn("is not on the list", printed.stdout)

    def test_again_by_name(self) -> None:
        """Who is on the list is still found by name by this command, though no other shows them."""
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        self.assertIn("already", self.run_it("optout", "add", "twitch/ann", "--since", SINCE).stdout)

    def test_nonsense(self) -> None:
        """Who is not meant clearly, or is nobody, or is of another platform than the room: one sentence, and
        nothing is changed."""
        for who, words in (
            ("ann", "twitch/NAME"),
            ("twitch/", "twitch/NAME"),
            ("twitch/id:x1", "an id is a number"),
            ("youtube/ann", "twitch/NAME"),
            ("twitch/nobody", "does not know the id"),
        ):
            result = self.run_it("optout", "add", who, "--since", SINCE, status=2)
            self.assertIn(words, result.stderr, who)
            self.assertNotIn("Traceback", result.output)
        printed = self.run_it("optout", "add", "kick/id:5", "--room", "twitch/a", "--since", SINCE, status=2)
        self.assertIn("no room of kick", printed.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.world.archive, "optout")))

    def test_two_people(self) -> None:
        """A name of two people is not guessed: both ids are shown."""
        self.world.put(MIDNIGHT + 12 * HOUR, [record(7200, "hi", "ann", "33")])
        printed = self.run_it("optout", "add", "twitch/ann", "--since", SINCE, status=2).stderr
        self.assertIn("id:11 until 2025-12-29", printed)
        self.assertIn("id:33 until 2025-12-29", printed)

    def test_another_key(self) -> None:
        """With another key nothing is added, and it is said where the right one is."""
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        self.configure(f", optout_key: {'ef' * 32}")
        for arguments in (("add", "twitch/id:22"), ("remove", "twitch/id:11")):
            printed = self.run_it("optout", *arguments, "--since", SINCE, status=2)
            self.assertIn("archive.optout_key", printed.stderr)
        self.assertIn("another key", self.run_it("optout", "list").stderr)


class Reading(OptOutCase):
    """What the commands that read give back."""

    def test_left_out(self) -> None:
        """search, log and export have nothing of the person, in no form, and all of the others."""
        asked = [
            ("search", "secret", "--since", SINCE),
            ("search", "sure", "--since", SINCE, "--context", "3"),
            ("search", "ann", "--since", SINCE, "--json"),
            ("search", "--user", "bob", "--since", SINCE, "--json"),
            ("search", "--type", "delete", "--since", SINCE),
            ("log", "a", SINCE),
            *(
                ("export", "a", "--since", SINCE, "--until", "2025-12-30", "--format", form)
                for form in ("jsonl", "irc", "text", "csv", "chatjson")
            ),
        ]
        before = [self.run_it(*each, status=None).stdout for each in asked]
        self.assertTrue(all("secret" in text or "nn" in text for text in before))
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        for each, was in zip(asked, before, strict=True):
            text = self.run_it(*each, status=None).stdout
            for word in ("secret", "Ann", "ann", '11"'):
                self.assertNotIn(word, text.replace("channel", ""), each)
            self.assertEqual("hello" in text, "hello" in was, each)

    def test_asked_for(self) -> None:
        """Who asks for the person is told that they opted out, on the standard error; status 1."""
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        for each in (
            ("user", "twitch/ann"),
            ("user", "twitch/id:11"),
            ("search", "--user", "annie"),
        ):
            printed = self.run_it(*each, "--since", SINCE, status=1)
            self.assertIn("opted out, and is not shown", printed.stderr, each)
        self.assertNotIn("opted out", self.run_it("user", "twitch/bob", "--since", SINCE).stderr)

    def test_without_the_key(self) -> None:
        """Where the key is not, nobody can be left out: that is said each time."""
        self.run_it("optout", "add", "twitch/ann", "--since", SINCE)
        os.remove(os.path.join(self.world.spool, "optout.key"))
        printed = self.run_it("log", "a", SINCE)
        self.assertIn("secret", printed.stdout)
        self.assertIn("shown all the same", printed.stderr)
