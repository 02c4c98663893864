"""Opting out by a code in a chat: which codes are good, and what happens when somebody writes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.record import encode_full
from chatlog.store.store import StoreError
from chatlog.suppression.book import ForeignKey
from chatlog.suppression.by_chat import AGAIN, Asking, OptOutsByChat
from chatlog.suppression.codes import MOST, SLOT, GivenCodes, TakenCodes, code_of
from chatlog.suppression.key_file import KeyFileError
from chatlog.suppression.names import Key
from tests.fakes import ImmediateThreads

KEY, OTHER = Key("ab" * 32), Key("cd" * 32)
NOW = 1_767_004_200.0


def record(text: str, user: str = "ann", id: str = "1", kind: str = "message", **details: Any) -> bytes:
    at = "2025-12-29T10:30:00.000Z"
    return encode_full(at, "room", user, id, text, kind, "m1", "twitch", "7", at, details)


class Codes(SynchronousTestCase):
    def test_given_and_taken(self) -> None:
        """What the server gives, a recorder with the same secret takes, for at least two minutes and at most
        four, also if their clocks differ by some seconds."""
        given = GivenCodes()
        for start in (NOW, NOW + SLOT - 0.1):
            code = given.next(KEY, start)
            assert code is not None
            taken = TakenCodes(KEY)
            for later in (-5.0, 0.0, SLOT - 0.2):
                self.assertTrue(taken.is_good(code, start + later), later)
            self.assertFalse(taken.is_good(code, start + 2 * SLOT))
            self.assertFalse(TakenCodes(OTHER).is_good(code, start))

    def test_once(self) -> None:
        """A used code is good for nobody else, also in the next slot; the others stay good."""
        given = GivenCodes()
        first, second = given.next(KEY, NOW), given.next(KEY, NOW)
        assert first is not None and second is not None
        taken = TakenCodes(KEY)
        self.assertTrue(taken.is_good(first, NOW))
        taken.use(first, NOW)
        for later in (0.0, SLOT):
            self.assertFalse(taken.is_good(first, NOW + later))
            self.assertTrue(taken.is_good(second, NOW + later))

    def test_odd_ones(self) -> None:
        """What is no code is not good, and raises nothing."""
        for odd in (
            "",
            "zz",
            "zzzzzz",
            "12345",
            "1234567",
            "\u0661\u0662aaaa",
            "-1aaaa",
            "+1aaaa",
            " 1aaaa",
            "1_aaaa",
        ):
            self.assertFalse(TakenCodes(KEY).is_good(odd, NOW), odd)

    def test_bounded(self) -> None:
        """So many codes are given in a slot and no more, each another; then again."""
        given = GivenCodes()
        codes = {given.next(KEY, NOW) for _ in range(MOST)}
        self.assertEqual(len(codes), MOST)
        self.assertNotIn(None, codes)
        self.assertIsNone(given.next(KEY, NOW))
        self.assertIsNotNone(given.next(KEY, NOW + SLOT))

    def test_form(self) -> None:
        """Six letters and digits, as justlog's."""
        for n in range(50):
            self.assertRegex(code_of(KEY, 7, n), r"\A[0-9a-z]{6}\Z")


class Later(ImmediateThreads):
    """Threads that finish when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, lambda: function(*args)))
        return done

    def go_on(self) -> None:
        done, call = self.waiting.pop(0)
        try:
            done.callback(call())
        except Exception:
            done.errback()


class ByChat(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.added: list[Asking] = []
        self.error: Exception | None = None
        self.changes = 0
        self.given = GivenCodes()
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.by_chat = self.made(lambda: (KEY, ""))

    def made(self, key: Callable[[], tuple[Key, str]], threads: Any = None) -> OptOutsByChat:
        environment = Environment(
            self.clock, lambda: NOW + self.clock.seconds(), OsFiles(), ImmediateThreads()
        )
        made = OptOutsByChat(environment, threads or ImmediateThreads(), key, self.add, self.changed)
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def add(self, key: Key, asking: Asking) -> None:
        if self.error is not None:
            raise self.error
        self.added.append(asking)

    def changed(self) -> None:
        self.changes += 1

    def code(self) -> str:
        code = self.given.next(KEY, NOW + self.clock.seconds())
        assert code is not None
        return code

    def test_written(self) -> None:
        """Who writes a code is on the list, by the platform's id; so it is with the commands of justlog and
        rustlog, with a capital of a telephone, and with what chat programs add to the end."""
        for command in (
            "!chatlog optout {}",
            "!justlog optout {}",
            "!Rustlog optout {}",
            "!chatlog optout {} \U000e0000",
            "!chatlog optout {} please",
        ):
            self.by_chat.heard(record("hi") + record(command.format(self.code()), "bob", "22") + record("ho"))
            self.assertEqual(self.added.pop(), Asking("twitch", "22", "bob", "2025-12-29T10:30:00.000Z"))
            self.assertEqual(self.added, [])
        self.assertEqual(self.changes, 5)
        for event in self.logged:
            self.assertNotIn("bob", str(event))

    def test_only_once(self) -> None:
        """A code that others write after that does nothing."""
        code = self.code()
        for id in ("22", "23", "22"):
            self.by_chat.heard(record(f"!chatlog optout {code}", "bob", id))
        self.assertEqual([asking.id for asking in self.added], ["22"])

    def test_not_written(self) -> None:
        """What only looks like it does nothing: wrong codes, old ones, quotations, answers, other records,
        messages without an id, lines that are no records."""
        code = self.code()
        for line in (
            record("!chatlog optout 000000"),
            record(f"!chatlog optout {code}x"),
            record(f"!chatlog optout {code[:5]}"),
            record(f"say !chatlog optout {code}"),
            record(f'"message":"!chatlog optout {code}'),
            record("hi", details=1, **{"reply-parent-msg-body": f"!chatlog optout {code}"}),
            record("hi", message=f"!chatlog optout {code}"),
            record(f"!chatlog optout {code}", id=""),
            record(f"!chatlog optout {code}", kind="delete"),
            b'{"message":"!chatlog optout %s",\n' % code.encode(),
            b'"message":"!chatlog optout %s"' % code.encode(),
        ):
            self.by_chat.heard(line)
            self.assertEqual(self.added, [], line)
        self.clock.advance(2 * SLOT)
        self.by_chat.heard(record(f"!chatlog optout {code}"))
        self.assertEqual(self.added, [])

    def test_store_is_away(self) -> None:
        """Who opts out while the store does not answer is put on the list when it does."""
        self.error = StoreError("away")
        for id in ("22", "23"):
            self.by_chat.heard(record(f"!chatlog optout {self.code()}", "bob", id))
        self.assertEqual((self.added, self.changes), ([], 0))
        self.error = None
        self.clock.advance(AGAIN)
        self.assertEqual([asking.id for asking in self.added], ["22", "23"])
        self.assertEqual(self.changes, 2)

    def test_another_key(self) -> None:
        """A list of another key is said; the next one is tried."""
        self.error = ForeignKey()
        self.by_chat.heard(record(f"!chatlog optout {self.code()}", "bob", "22"))
        self.error = None
        self.by_chat.heard(record(f"!chatlog optout {self.code()}", "bob", "23"))
        self.assertEqual([asking.id for asking in self.added], ["23"])
        self.assertIn("cannot opt out", str(self.logged))

    def test_no_key(self) -> None:
        """Without a key nobody opts out, and that is said."""

        def key() -> tuple[Key, str]:
            raise KeyFileError("/data/optout.key holds no key")

        by_chat = self.made(key)
        by_chat.heard(record(f"!chatlog optout {self.code()}", "bob", "22"))
        self.assertEqual(self.added, [])
        self.assertIn("nobody can opt out", str(self.logged))

    def test_one_after_the_other(self) -> None:
        """However many write codes, the store is asked one thing at a time."""
        threads = Later()
        by_chat = self.made(lambda: (KEY, ""), threads)
        threads.go_on()
        for id in range(20):
            by_chat.heard(record(f"!chatlog optout {self.code()}", "bob", str(100 + id)))
            self.assertEqual(len(threads.waiting), 1)
        while threads.waiting:
            threads.go_on()
        self.assertEqual(len(self.added), 20)
