"""The suppression list: who is on it, and what is left out for them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import ArchiveSettings, RecorderSettings, Secret, Settings
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.record import encode_full
from chatlog.redaction import redacted_line
from chatlog.simulator.rooms import Room
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import StoreError
from chatlog.suppression.book import Book, ForeignKey, read_list
from chatlog.suppression.key_file import KeyFileError, key_for, key_in
from chatlog.suppression.left_out import LeftOut, line_without
from chatlog.suppression.names import Entry, Key, check_of, entry_of
from chatlog.suppression.suppressions import Suppressions
from chatlog.suppression.watch import EVERY, SuppressionWatch
from chatlog.twitch.events import chat_record

KEY, OTHER = Key("ab" * 32), Key("cd" * 32)
ANN = KEY.of_id("1234")


def line(user_id: str, name: str, more: str = "", kind: str = "message", text: str = "hi") -> bytes:
    return (
        f'{{"timestamp":"2025-12-29T10:30:45.123Z","channel":"room","username":"{name}","user_id":"{user_id}",'
        f'"message":"{text}","type":"{kind}","id":"m","platform":"twitch","channel_id":"7",'
        f'"received":"2025-12-29T10:30:45.557Z","details":{{{more}"command":"PRIVMSG"}}}}\n'
    ).encode()


def listed(*entries: Entry, key: Key | None = KEY) -> LeftOut:
    left_out = LeftOut()
    left_out.suppressions = Suppressions(key, [entry.key for entry in entries])
    return left_out


class Names(SynchronousTestCase):
    """The names of the objects of the list."""

    def test_there_and_back(self) -> None:
        """Every entry is read back from its key; what only looks like one is none."""
        for entry in (Entry("twitch", ANN), Entry("kick", ANN, "a-b"), Entry("twitch", ANN, name=ANN)):
            self.assertEqual(entry_of(entry.key), entry)
        self.assertEqual(check_of(KEY.check_key), KEY.check)
        for key in (
            "optout/twitch/1234",
            f"optout/../{ANN}",
            f"optout/twitch/{ANN}.in.",
            f"optout/twitch/{ANN}\n",
        ):
            self.assertIsNone(entry_of(key), key)

    def test_no_names(self) -> None:
        """Neither id nor name can be read from an entry, and other keys give other digests."""
        self.assertNotIn("1234", Entry("twitch", ANN).key)
        self.assertNotEqual(KEY.of_id("1234"), OTHER.of_id("1234"))
        self.assertNotEqual(KEY.of_id("ann"), KEY.of_name("ann"))

    def test_bad_keys(self) -> None:
        """A key is 64 hexadecimal digits."""
        for text in ("", "ab", "zz" * 32, "AB" * 32, "ab" * 32 + "\n"):
            self.assertRaises(ValueError, Key, text)


class Lines(SynchronousTestCase):
    """What the recorder leaves out."""

    def test_everywhere_and_in_a_room(self) -> None:
        """A person is left out of every room of the platform, or of one."""
        mine, other = line("1234", "ann"), line("5", "bob")
        everywhere = listed(Entry("twitch", ANN))
        self.assertEqual(everywhere.lines("twitch", "a", [mine, other]), [None, other])
        self.assertEqual(everywhere.counts["twitch", "a"], 1)
        lines = [mine]
        self.assertIs(everywhere.lines("kick", "a", lines), lines)
        one = listed(Entry("twitch", ANN, "a"))
        self.assertEqual(one.lines("twitch", "a", [mine, other]), [None, other])
        self.assertIs(one.lines("twitch", "b", lines), lines)

    def test_nobody(self) -> None:
        """With an empty list, or without the key, lines pass as they are."""
        lines = [line("1234", "ann")]
        self.assertIs(LeftOut().lines("twitch", "a", lines), lines)
        self.assertIs(listed(Entry("twitch", ANN), key=None).lines("twitch", "a", lines), lines)

    def test_others_records(self) -> None:
        """A reply by somebody else stays without the person; other messages are the same objects."""
        reply = line("5", "bob", '"reply-parent-user-id":"1234","reply-parent-msg-body":"secret",')
        plain = line("5", "bob", text="ann 1234")
        left = listed(Entry("twitch", ANN)).lines("twitch", "a", [reply, plain])
        self.assertNotIn(b"secret", left[0] or b"")
        self.assertIs(left[1], plain)

    def test_names(self) -> None:
        """A deletion names no id: the name from the list counts, and the one that a message has shown."""
        gone = line("", "ann", kind="delete")
        known = listed(Entry("twitch", ANN), Entry("twitch", ANN, name=KEY.of_name("ann")))
        self.assertEqual(known.lines("twitch", "a", [gone]), [None])
        learning = listed(Entry("twitch", ANN))
        self.assertEqual(learning.lines("twitch", "a", [gone]), [gone])
        self.assertEqual(learning.lines("twitch", "a", [line("1234", "Ann"), gone]), [None, None])

    def test_ten_thousand(self) -> None:
        """Ten thousand people on the list change nothing about the others."""
        many = listed(*(Entry("twitch", KEY.of_id(str(n))) for n in range(10_000)))
        lines = [line(str(n), f"p{n}") for n in range(9_998, 10_003)]
        self.assertEqual(
            [each is None for each in many.lines("twitch", "a", lines)], [True, True] + [False] * 3
        )
        self.assertEqual(many.suppressions.people, 10_000)

    def test_without_parsing(self) -> None:
        """Of chat as it comes, what is found without parsing is what parsing finds."""
        chat = TwitchChat("7")
        room = Room("twitch", "room", 7, 8, 0, 1)
        lines = []
        for n in range(600):
            maker = chat.reply if n % 5 == 0 else chat.next
            said = maker(room, 1_767_004_200_000 + n)[0].rstrip(b"\r\n")
            found = chat_record(said, "2025-12-29T10:30:45.123Z", encode_full)
            lines += [found[1]] if found is not None else []
        listed_people = [KEY.of_id(str(person.user_id)) for person in chat.people[::7]]
        who = listed(*(Entry("twitch", person) for person in listed_people)).of_room("twitch", "room")
        assert who is not None
        shown = [line_without(each, who) for each in lines]
        self.assertEqual(shown, [redacted_line(each, who) for each in lines])
        changed = sum(left is not None and left is not each for left, each in zip(shown, lines, strict=True))
        self.assertGreater(min(len(lines) - 450, changed, shown.count(None)), 3)

    def test_hostile_lines(self) -> None:
        """Texts that look like keys do not hide or name anybody, and no line raises."""
        said = line("5", "bob", text='\\"user_id\\":\\"1234\\"')
        left_out = listed(Entry("twitch", ANN))
        self.assertEqual(left_out.lines("twitch", "a", [said]), [said])
        for odd in (
            b"",
            b"\n",
            b"null\n",
            b'{"user_id":"',
            b'{"user_id":"1234',
            b"\xff\n",
            b"[" * 5000 + b"\n",
        ):
            left_out.lines("twitch", "a", [odd])


class InAStore(SynchronousTestCase):
    """The list in an archive."""

    def setUp(self) -> None:
        self.directory = mkdtemp()
        self.store = DirectoryStore(self.directory)
        self.book = Book(self.store, KEY)

    def test_add_and_remove(self) -> None:
        """Adding twice is adding once; removing takes the names too, with the last entry."""
        self.assertTrue(self.book.add("twitch", "1234", ["Ann"], at="t", by="test"))
        self.assertFalse(self.book.add("twitch", "1234", ["Ann"]))
        self.assertTrue(self.book.add("twitch", "1234", channel="a"))
        found = self.book.read()
        self.assertEqual(found.people, 1)
        self.assertEqual(self.book.people_called("twitch", "ANN"), {ANN})
        self.assertEqual(self.book.remove("twitch", "1234", "a"), 1)
        self.assertEqual(self.book.people_called("twitch", "ann"), {ANN})
        self.assertEqual(self.book.remove("twitch", "1234"), 1)
        self.assertEqual(self.book.read().entries, frozenset())

    def test_no_names_on_the_disk(self) -> None:
        """No file of the list has an id or a name in its name or content."""
        self.book.add("twitch", "987654", ["veryrarename"])
        for path in Path(self.directory).rglob("*"):
            text = str(path.relative_to(self.directory)) + (path.read_text() if path.is_file() else "")
            self.assertNotIn("veryrarename", text)
            self.assertNotIn("987654", text)

    def test_another_key(self) -> None:
        """A list is not mixed from two keys: the second is refused, and says what to do."""
        self.book.add("twitch", "1234")
        error = self.assertRaises(ForeignKey, Book(self.store, OTHER).add, "twitch", "5")
        self.assertIn("archive.optout_key", str(error))
        self.assertFalse(read_list(self.store, OTHER).is_readable)
        self.assertFalse(read_list(self.store, None).is_readable)
        self.assertTrue(read_list(self.store, KEY).is_readable)


class KeyFile(SynchronousTestCase):
    """Where the key is."""

    def setUp(self) -> None:
        self.directory = os.path.join(mkdtemp(), "data")
        self.settings = Settings(recorder=RecorderSettings(directory=self.directory))

    def test_made_once(self) -> None:
        """The key is made at first use, for this user alone, and is the same ever after."""
        self.assertIsNone(key_in(self.settings))
        key, path = key_for(self.settings)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        again, made = key_for(self.settings)
        self.assertEqual((again.check, made), (key.check, ""))
        self.assertEqual(os.listdir(self.directory), ["optout.key"])

    def test_configured(self) -> None:
        """The configuration's key comes first, and no file is made."""
        settings = Settings(
            recorder=self.settings.recorder, archive=ArchiveSettings(optout_key=Secret("ab" * 32))
        )
        self.assertEqual(key_for(settings)[0].check, KEY.check)
        self.assertFalse(os.path.exists(self.directory))

    def test_damaged(self) -> None:
        """A file that holds no key is never replaced; the message names it."""
        os.makedirs(self.directory)
        path = os.path.join(self.directory, "optout.key")
        for content in (b"", b"x", b"\xff" * 64):
            Path(path).write_bytes(content)
            self.assertIn(path, str(self.assertRaises(KeyFileError, key_for, self.settings)))
            self.assertEqual(Path(path).read_bytes(), content)


class Inline:
    def run(self, function: Any, *args: Any) -> Deferred[Any]:
        try:
            return succeed(function(*args))
        except Exception:
            return fail()


class Watching(SynchronousTestCase):
    """The recorder keeps its list."""

    def setUp(self) -> None:
        self.directory = mkdtemp()
        self.clock = Clock()
        self.objects: list[str] = []
        self.error: Exception | None = None
        self.key: Key | None = KEY

    def watch(self) -> tuple[SuppressionWatch, LeftOut]:
        left_out = LeftOut()
        environment = Environment(self.clock, self.clock.seconds, OsFiles(), Inline())

        def read(key: Key | None) -> Suppressions:
            if self.error is not None:
                raise self.error
            return Suppressions(key, self.objects)

        watch = SuppressionWatch(left_out, self.directory, environment, Inline(), lambda: self.key, read)
        watch.load()
        watch.startService()
        self.addCleanup(watch.stopService)
        return watch, left_out

    def test_within_a_minute(self) -> None:
        """Who is put on the list, or taken off, is obeyed within a minute."""
        _, left_out = self.watch()
        self.assertEqual(left_out.suppressions.people, 0)
        self.objects = [Entry("twitch", ANN).key]
        self.clock.advance(EVERY)
        self.assertLess(EVERY, 60)
        self.assertEqual(left_out.suppressions.people, 1)
        self.objects = []
        self.clock.advance(EVERY)
        self.assertEqual(left_out.suppressions.people, 0)

    def test_the_store_is_away(self) -> None:
        """The last list stays in force without the store, also after a restart; the status says how long."""
        self.objects = [Entry("twitch", KEY.of_id(str(n))).key for n in range(2500)]
        self.watch()
        self.error = StoreError("away")
        watch, left_out = self.watch()
        self.assertEqual(left_out.suppressions.people, 2500)
        self.clock.advance(700)
        self.assertEqual(watch.facts()["stale"], 700.0)
        self.error = None
        self.clock.advance(EVERY)
        self.assertEqual(watch.facts()["stale"], 0.0)

    def test_the_key_is_lost(self) -> None:
        """A list without its key, or with another one, is said for as long as it lasts; an empty list needs
        none."""
        self.key = None
        watch, _ = self.watch()
        self.assertEqual(watch.facts()["key"], "")
        self.objects = [Entry("twitch", ANN).key, KEY.check_key]
        for key, words in ((None, "no archive.optout_key"), (OTHER, "another key"), (KEY, "")):
            self.key = key
            for _ in range(2):
                self.clock.advance(EVERY)
                self.assertIn(words, str(watch.facts()["key"]))
        self.assertEqual(watch.facts()["key"], "")
