"""Names of rooms and people for a shell that completes a line."""

from __future__ import annotations

import os

import click
from click.shell_completion import ShellComplete
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.commands import archive_names
from tests.archive.world import MIDNIGHT, World, said


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp())
        for room, users in (
            (("twitch", "alpha"), ("ann", "anton", "bob")),
            (("twitch", "beta"), ("anja",)),
            (("kick", "alpine"), ("an-other",)),
        ):
            self.world.put(
                MIDNIGHT, [said(MIDNIGHT + n, "hi", user) for n, user in enumerate(users)], room=room
            )

    def words(self, *typed: str) -> list[str]:
        """What the shell offers for the last word."""
        *arguments, incomplete = typed
        place = ["--archive", self.world.archive]
        complete = ShellComplete(commands, {}, "chatlog", "_CHATLOG_COMPLETE")
        found = complete.get_completions([arguments[0], *place, *arguments[1:]], incomplete)
        return [item.value for item in found]

    def test_rooms(self) -> None:
        """Rooms come with their platform, or, where one begins with the name, without it."""
        every = ["kick/alpine", "twitch/alpha", "twitch/beta"]
        for arguments in (("log",), ("export",), ("search", "--room"), ("user", "--room")):
            self.assertEqual(self.words(*arguments, ""), every, arguments)
            self.assertEqual(self.words(*arguments, "twitch/a"), ["twitch/alpha"])
            self.assertEqual(self.words(*arguments, "AL"), ["alpha", "alpine"])
            self.assertEqual(self.words(*arguments, "nothing"), [])

    def test_people(self) -> None:
        """People are those who wrote lately, in the rooms that are named, or on the platform."""
        self.assertEqual(self.words("search", "--user", "an"), ["an-other", "anja", "ann", "anton"])
        self.assertEqual(self.words("search", "--room", "alpha", "--user", "an"), ["ann", "anton"])
        self.assertEqual(self.words("user", "twitch/an"), ["twitch/anja", "twitch/ann", "twitch/anton"])
        self.assertEqual(self.words("user", "kick/"), ["kick/an-other"])

    def test_opted_out(self) -> None:
        """Who opted out is not offered, by whatever room."""
        os.makedirs("data", exist_ok=True)
        with open("data/optout.key", "w", encoding="ascii") as file:
            file.write("ab" * 32)
        self.addCleanup(os.remove, "data/optout.key")
        self.world.opt_out("a1", "ann")
        self.assertEqual(self.words("search", "--room", "beta", "--user", "an"), [])
        self.assertEqual(self.words("user", "twitch/bo"), ["twitch/bob"])

    def test_no_archive(self) -> None:
        """Where there is none, nothing is offered and nothing said."""
        self.world.archive = os.path.join(self.mktemp(), "nowhere")
        self.assertEqual(self.words("log", "a"), [])
        self.assertEqual(self.words("search", "--user", "a"), [])

    def test_many(self) -> None:
        """Not more is offered than anybody reads."""
        many = [said(MIDNIGHT + n, "hi", f"user{n}") for n in range(archive_names.MOST + 50)]
        self.world.put(MIDNIGHT + 60, many, room=("twitch", "beta"))
        self.assertEqual(len(self.words("search", "--user", "user")), archive_names.MOST)
        context = click.Context(commands)
        self.assertEqual(archive_names.rooms_there(context, click.Option(["-x"]), ""), [])
