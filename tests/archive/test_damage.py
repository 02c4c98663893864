"""Damaged files: all who read tell the same, and give what comes before the damage."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.damage import records_alone
from chatlog.archive.gaps import Unread
from chatlog.archive.notices import public_name, unread_text
from chatlog.cli import commands
from chatlog.record import from_json
from tests.archive.damages import damages
from tests.archive.world import MIDNIGHT, World, said

DAY = "2025-12-29"
MEANS = ". What could be read of it is here, the rest is missing; `chatlog verify` says more\n"


class CommandTests(SynchronousTestCase):
    def run_it(self, world: World, *arguments: str) -> Result:
        return CliRunner().invoke(commands, [*arguments, "--utc", "--archive", world.archive])

    def test_every_damage(self) -> None:
        """However a file is damaged, ``log``, ``search``, ``user`` and ``export`` say which it is, what is
        wrong and what to do, in the same words; they give what comes before the damage, and their status
        tells."""
        lines = [said(MIDNIGHT + n, f"hello {n}", "ann", id=f"i{n}") for n in range(4)]
        for damage in damages(lines):
            world = World(self.mktemp())
            path = Path(world.put(MIDNIGHT, lines, damage.suffix))
            path.write_bytes(damage.data)
            key = os.path.relpath(path, world.archive)
            for arguments in (
                ("log", "a", DAY, "--json"),
                ("export", "a", "--since", DAY, "--until", "2025-12-30"),
                ("search", "--user", "ann", "--since", DAY, "--json"),
                ("user", "twitch/ann", "--since", DAY),
            ):
                result = self.run_it(world, *arguments)
                what = damage.name, arguments[0], result.output
                if arguments[0] != "user":
                    self.assertEqual(result.stdout.count('"message":"hello'), damage.given, what)
                if arguments[0] in ("log", "export") or damage.is_found_by_search:
                    self.assertEqual(result.exit_code, 1, what)
                    self.assertIn(f"{key} is damaged: {damage.why}", result.stderr, what)
                    self.assertIn(MEANS, result.stderr, what)

    def test_a_person_of_another_time(self) -> None:
        """``user`` says what it looked at, and refuses a time that ends before it begins."""
        world = World(self.mktemp())
        world.put(MIDNIGHT, [said(MIDNIGHT, "hello", "ann", id="1")])
        result = self.run_it(world, "user", "twitch/bob", "--since", DAY, "--until", "2025-12-30")
        self.assertEqual(result.stdout, "nothing is there of twitch/bob\n")
        self.assertIn("looked at 2025-12-29 00:00:00 to 2025-12-30 00:00:00 UTC", result.stderr)
        result = self.run_it(world, "user", "twitch/ann", "--since", DAY, "--until", "2025-12-28")
        self.assertEqual((result.exit_code, result.stderr), (2, "--until is not later than --since\n"))


class WordTests(SynchronousTestCase):
    def test_words(self) -> None:
        """What is damaged is told from what could not be had; control characters and paths of the machine
        reach nobody."""
        key = "2025/12/29/twitch/a/twitch_a_20251229_1100.jsonl"
        self.assertIn(f"{key} cannot be read: access denied. What", unread_text(Unread(key, "access denied")))
        self.assertNotIn("\x1b", unread_text(Unread(key + "\x1b[2J", "bad \x1b[2J", True)))
        self.assertEqual(public_name(Unread(key, "x")), key)
        path = "/home/ann/spool/sealed/twitch_a_20251229_1100.jsonl"
        self.assertEqual(public_name(Unread(path, "x")), "twitch_a_20251229_1100.jsonl")


class LineTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.integers(1, 5))
    def test_any_blocks(self, kinds: list[tuple[bool, int]], size: int) -> None:
        """Whatever blocks the lines come in: every line is passed on, and the bad ones are counted. Records
        in another form than the recorder's are no damage, and neither are empty lines."""
        good = [said(MIDNIGHT, "a}\n{b", "ann", id="1"), b'{"message": "x", "timestamp": "y"}\n']
        bad = [b"what\n", b'{"timestamp":"2025\n', b"[1]\n", b'"}\n']
        lines = [bad[number] if is_bad else [*good, b"\n", good[0]][number] for is_bad, number in kinds]
        blocks = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
        passed: list[bytes] = []
        said_of_them = ""
        try:
            for block in records_alone(blocks):
                passed.append(block)
        except ValueError as error:
            said_of_them = str(error)
        self.assertEqual(b"".join(passed), b"".join(lines))
        wrong = [at for at, (is_bad, _) in enumerate(kinds, 1) if is_bad]
        if not wrong:
            self.assertEqual(said_of_them, "")
        elif len(wrong) == 1:
            self.assertEqual(said_of_them, f"1 line is no record (line {wrong[0]})")
        else:
            self.assertIn(f"{len(wrong)} lines are no records (the first is line {wrong[0]})", said_of_them)

    def test_the_last_line(self) -> None:
        """A last record without its newline is one; what was cut off is left out, and told."""
        line = said(MIDNIGHT, "a", "ann", id="1")
        [block] = records_alone([line + line.rstrip(b"\n")])
        self.assertEqual([from_json(each)["id"] for each in block.splitlines()], ["1", "1"])
        blocks = records_alone([line + line[:-5]])
        self.assertEqual(next(blocks), line)
        self.assertRaises(ValueError, next, blocks)
