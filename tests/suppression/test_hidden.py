"""The list as readers use it: when it is read, and what happens when it cannot be."""

from __future__ import annotations

import os
from threading import Event, Thread
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.list_watch import EVERY, ListWatch
from chatlog.config.settings import ArchiveSettings, RecorderSettings, Settings
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import StoreError
from chatlog.suppression.book import Book
from chatlog.suppression.hidden import FRESH, Hidden, hidden_in
from chatlog.suppression.names import Entry, Key
from chatlog.suppression.suppressions import Suppressions
from tests.fakes import ImmediateThreads

KEY, OTHER = Key("ab" * 32), Key("cd" * 32)
ANN, BOB = Entry("twitch", KEY.of_id("1")).key, Entry("twitch", KEY.of_id("2")).key


class HiddenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.objects = [ANN]
        self.key: Key | None = KEY
        self.error: Exception | None = None
        self.reads = 0

    def read(self) -> tuple[Suppressions, str]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return Suppressions(self.key, self.objects), ""

    def hidden(self, strict: bool = False) -> Hidden:
        return Hidden(self.read, strict, self.clock.seconds)

    def has(self, hidden: Hidden, id: str) -> bool:
        who = hidden.of_room("twitch", "a")
        return who is not None and who.has_id(id)

    def test_read_when_needed(self) -> None:
        """It is read at first use, and then once in ten seconds, however often it is asked for."""
        hidden = self.hidden()
        self.assertEqual(self.reads, 0)
        for _ in range(100):
            self.assertTrue(self.has(hidden, "1"))
        self.assertEqual(self.reads, 1)
        self.objects = [ANN, BOB]
        self.assertFalse(self.has(hidden, "2"))
        self.clock.advance(FRESH)
        self.assertTrue(self.has(hidden, "2"))
        self.assertEqual(self.reads, 2)

    def test_renewed(self) -> None:
        """Whoever has changed it has it read at once."""
        hidden = self.hidden()
        self.has(hidden, "1")
        self.objects = [BOB]
        hidden.renew()
        self.assertTrue(self.has(hidden, "2"))

    def test_the_store_is_away(self) -> None:
        """Without a first list nothing can be shown; afterwards the last one stays in force."""
        hidden = self.hidden()
        self.error = StoreError("away")
        self.assertRaises(StoreError, hidden.now)
        self.error = None
        version = hidden.now().version
        self.error = StoreError("away")
        self.clock.advance(FRESH)
        self.assertEqual(hidden.now().version, version)
        self.assertEqual(self.reads, 3)

    def test_what_it_has_learned(self) -> None:
        """A list that has not changed keeps the names that records have shown; another one has another
        version."""
        hidden = self.hidden()
        who = hidden.of_room("twitch", "a")
        assert who is not None
        who.learn("ann")
        self.clock.advance(FRESH)
        self.assertIs(hidden.of_room("twitch", "a"), who)
        version = hidden.now().version
        self.objects = [ANN, BOB]
        self.clock.advance(FRESH)
        self.assertNotEqual(hidden.now().version, version)
        self.objects = []
        self.clock.advance(FRESH)
        self.assertEqual(hidden.now().version, "")

    def test_nobody_waits(self) -> None:
        """While one thread asks the store, the others go on with the list that is known."""
        begun, go_on = Event(), Event()
        go_on.set()

        def slowly() -> tuple[Suppressions, str]:
            begun.set()
            go_on.wait(10.0)
            return self.read()

        hidden = Hidden(slowly, clock=self.clock.seconds)
        hidden.now()
        begun.clear()
        go_on.clear()
        self.clock.advance(FRESH)
        asking = Thread(target=hidden.now)
        asking.start()
        self.assertTrue(begun.wait(10.0))
        self.assertTrue(self.has(hidden, "1"))
        go_on.set()
        asking.join(10.0)
        self.assertFalse(asking.is_alive())

    def test_the_key_is_missing(self) -> None:
        """Without the key nobody is recognised: that is said, and where the list is strict nothing is shown
        until the key is there."""
        self.key = None
        lax, strict = self.hidden(), self.hidden(strict=True)
        self.assertIsNone(lax.of_room("twitch", "a"))
        self.assertIn("no archive.optout_key", lax.trouble)
        self.assertIn("opt-out list", str(self.assertRaises(StoreError, strict.now)))
        self.key = KEY
        self.clock.advance(FRESH)
        self.assertTrue(self.has(lax, "1"))
        self.assertEqual(lax.trouble, "")
        self.assertTrue(self.has(strict, "1"))

    def test_in_an_archive(self) -> None:
        """The list of an archive is read with the key beside the spool; a damaged key is said only where
        somebody is on the list."""
        root = self.mktemp()
        settings = Settings(
            recorder=RecorderSettings(directory=f"{root}/spool"), archive=ArchiveSettings(public=True)
        )
        store = DirectoryStore(f"{root}/archive")
        os.makedirs(f"{root}/spool")
        os.makedirs(f"{root}/archive")
        with open(f"{root}/spool/optout.key", "w", encoding="ascii") as file:
            file.write("nonsense")
        self.assertEqual(hidden_in(settings, store).now().people, 0)
        Book(store, KEY).add("twitch", "1")
        error = self.assertRaises(StoreError, hidden_in(settings, store).now)
        self.assertIn("optout.key holds no key", str(error))
        with open(f"{root}/spool/optout.key", "w", encoding="ascii") as file:
            file.write("ab" * 32)
        self.assertTrue(self.has(hidden_in(settings, store), "1"))


class WatchTests(SynchronousTestCase):
    def test_said(self) -> None:
        """What is wrong with the list is in the log once, and again when it is something else."""
        clock, key = Clock(), [None, None, OTHER, KEY, None]
        turn = [0]

        def read() -> tuple[Suppressions, str]:
            return Suppressions(key[turn[0]], [ANN, KEY.check_key]), ""

        hidden = Hidden(read, clock=clock.seconds)
        with capturedLogs() as logged:
            watch = ListWatch(hidden, ImmediateThreads(), clock)
            watch.startService()
            self.addCleanup(watch.stopService)
            texts: list[Any] = []
            for turn[0] in range(5):
                clock.advance(EVERY)
                texts.append([event["text"] for event in logged])
        self.assertEqual([len(each) for each in texts], [1, 1, 2, 2, 3])
        self.assertIn("shown all the same: there is no archive.optout_key", texts[0][0])
        self.assertIn("another key", texts[2][1])
