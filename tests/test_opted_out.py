"""A whole recorder, in virtual time, while people opt out: by the list, and by a code in a chat."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import ArchiveSettings, Secret
from chatlog.record import from_json
from chatlog.simulator.chat import Said
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.suppression.book import Book
from chatlog.suppression.codes import GivenCodes
from chatlog.suppression.names import Key
from tests.simulation.world import Plan, World

KEY = Key("ab" * 32)
WITH_CODES = ArchiveSettings(optout_key=Secret("ab" * 32), optout_by_chat=True)
ROOM = "room1"


class RecorderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(self.mktemp(), "opted out", Plan(2, 1, 1.0, archive=WITH_CODES))
        self.world.run(30.0)
        chat: Any = self.world.traffic.chat("twitch")
        self.chat: TwitchChat = chat
        self.ann, self.bob = self.chat.people[0], self.chat.people[1]

    def say(self, person: Person, text: str) -> None:
        """Somebody writes."""

        def made(room: Room, ms: int) -> Said:
            json = f'"{text}"'.encode()
            return self.chat.line(room, ms, person, self.chat.text(), raw=text.encode(), json=json)

        self.world.traffic.say("twitch", ROOM, maker=made)
        self.world.run(2.0)

    def answer(self, person: Person, to: Person) -> None:
        """Somebody answers, and Twitch repeats what is answered."""
        extra = f";reply-parent-display-name={to.login};reply-parent-msg-body=words;reply-parent-msg-id=1"
        extra += f";reply-parent-user-id={to.user_id};reply-parent-user-login={to.login}"

        def made(room: Room, ms: int) -> Said:
            return self.chat.line(room, ms, person, self.chat.text(), extra.encode(), b"yes", json=b'"yes"')

        self.world.traffic.say("twitch", ROOM, maker=made)
        self.world.run(2.0)

    def written(self) -> list[str]:
        """The lines of the room on the disk."""
        disk, lines = self.world.disk, []
        for area in ("open", "sealed"):
            for name in sorted(disk.names(f"/data/{area}")):
                if name.startswith(f"twitch_{ROOM}_"):
                    fd = disk.open_read(f"/data/{area}/{name}")
                    lines += disk.read(fd, 1 << 24).decode().splitlines()
                    disk.close(fd)
        return lines

    def of(self, person: Person) -> list[str]:
        records = [from_json(line) for line in self.written()]
        return [each["message"] for each in records if each.get("user_id") == str(person.user_id)]

    def test_the_list(self) -> None:
        """Within a minute of being put on the list nothing of a person reaches the disk, also not in what
        others answer; who is taken off it is recorded again. The others are recorded all the time, and what
        is left out is counted."""
        self.say(self.ann, "before")
        book = Book(self.world.store, KEY)
        book.add("twitch", str(self.ann.user_id), [self.ann.login])
        self.world.run(60.0)
        there = len(self.written())
        self.say(self.ann, "while")
        self.say(self.bob, "bob is here")
        self.answer(self.bob, self.ann)
        new = "\n".join(self.written()[there:])
        self.assertNotIn("while", new)
        self.assertNotIn(self.ann.login, new)
        self.assertIn("bob is here", new)
        self.assertIn('"message":"yes"', new)
        book.remove("twitch", str(self.ann.user_id))
        self.world.run(60.0)
        self.say(self.ann, "after")
        self.assertIn("before", self.of(self.ann))
        self.assertIn("after", self.of(self.ann))

    def test_after_a_restart(self) -> None:
        """A recorder that starts while the store is away obeys the list that the one before it read."""
        Book(self.world.store, KEY).add("twitch", str(self.ann.user_id))
        self.world.run(60.0)
        self.world.store.mood = "away"
        self.world.kill()
        self.world.run(150.0)
        self.say(self.ann, "while")
        self.say(self.bob, "bob is here")
        self.assertIn("bob is here", self.of(self.bob))
        self.assertNotIn("while", self.of(self.ann))

    def test_by_chat(self) -> None:
        """Who writes a code is recorded no more some seconds later; who only writes about it is."""
        code = GivenCodes().next(KEY, self.world.wall())
        self.say(self.bob, f"write !chatlog optout {code}")
        self.say(self.ann, f"!chatlog optout {code}")
        self.world.run(10.0)
        there = len(self.written())
        self.say(self.ann, "while")
        self.say(self.bob, f"!chatlog optout {code}")
        self.world.run(60.0)
        self.say(self.bob, "bob is here")
        new = "\n".join(self.written()[there:])
        self.assertNotIn("while", new)
        self.assertIn("bob is here", new)
        people = Book(self.world.store, KEY).people_called("twitch", self.ann.login)
        self.assertEqual(people, {KEY.of_id(str(self.ann.user_id))})
