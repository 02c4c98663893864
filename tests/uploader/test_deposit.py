"""One object into a store: under which key, and what is believed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import parse_name
from chatlog.store.store import CORRUPT, EXISTS, MISCONFIGURED, OBJECT, REFUSED, TRANSIENT, StoreError
from chatlog.uploader.deposit import Deposit, Stored
from chatlog.uploader.packing import pack_data
from tests.stores import MemoryStore

NAME = "twitch_ann_20251229_1030.jsonl"
KEY = f"2025/12/29/twitch/ann/{NAME}"
DATA = b'{"timestamp":"2025-12-29T10:30:01.000Z"}\n'
PAGE = StoreError("no store", MISCONFIGURED, "no object store", of_all=True)


class DepositCase(SynchronousTestCase):
    """A store, and an object."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.reads: StoreError | None = None
        self.puts: StoreError | None = None
        self.heads: StoreError | None = None
        self.store.before = self.before

    def before(self, operation: str, key: str) -> None:
        errors = {"read": self.reads, "put": self.puts, "head": self.heads}
        if (error := errors.get(operation)) is not None:
            raise error

    def put(self) -> tuple[Stored, bool]:
        return Deposit(self.store).put(parse_name(NAME), pack_data(DATA, ""))

    def failure(self) -> StoreError:
        with self.assertRaises(StoreError) as caught:
            self.put()
        error: StoreError = caught.exception
        return error


class KeyTests(DepositCase):
    """Which key an object gets."""

    def test_new(self) -> None:
        """A new object has its own key, and is new."""
        stored, again = self.put()
        self.assertEqual((stored.key, stored.name, again), (KEY, NAME, False))

    def test_there_already(self) -> None:
        """One that is there already is that one, whichever ETag the store gives."""
        for plain in (True, False):
            self.store.plain_etags = plain
            self.store.objects = {KEY: DATA}
            stored, again = self.put()
            self.assertEqual((stored.key, again, self.store.objects), (KEY, True, {KEY: DATA}))

    def test_taken(self) -> None:
        """Where others have its name it gets the next number, be theirs as large or not."""
        same_size = b"x" * len(DATA)
        for others in ((b"other",), (same_size,), (same_size, b"other", same_size)):
            names = [parse_name(NAME).numbered(n).key() for n in (1, 2, 3)]
            self.store.objects = dict(zip(names, others, strict=False))
            stored, again = self.put()
            expected = parse_name(NAME).numbered(len(others) + 1).key()
            self.assertEqual((stored.key, again), (expected, False))
            self.assertEqual(self.store.objects[expected], DATA)
            self.assertEqual(stored.name, expected.rpartition("/")[2])


class BeliefTests(DepositCase):
    """What a store has to show."""

    def test_stored_otherwise(self) -> None:
        """Fewer bytes, more, or others of the same number are told apart."""
        for other, code in (
            (DATA[:-1], "other size"),
            (DATA + b"x", "other size"),
            (b"x" * len(DATA), "other bytes"),
        ):

            def spoil(key: str, other: bytes = other) -> None:
                self.store.objects[key] = other

            self.store.objects.clear()
            self.store.after_put = spoil
            error = self.failure()
            self.assertEqual((error.kind, error.code), (CORRUPT, code))

    def test_a_page_in_front(self) -> None:
        """Where a page answers instead of the store, that is said, and not that the object is another: after
        the put, and where the key is said to be taken."""
        self.reads = PAGE
        self.store.after_put = lambda key: self.store.objects.update({key: b"<html>"})
        self.assertIs(self.failure(), PAGE)
        self.store.objects = {KEY: b"<html>"}
        self.assertIs(self.failure(), PAGE)
        self.assertEqual(list(self.store.objects), [KEY])

    def test_other_trouble_while_looking(self) -> None:
        """Any other trouble with looking at it leaves what is known: that it has another size."""
        self.reads = StoreError("slow", TRANSIENT)
        self.store.after_put = lambda key: self.store.objects.update({key: b"other"})
        self.assertEqual(self.failure().code, "other size")
        self.store.after_put = lambda key: None
        self.store.objects = {KEY: b"other"}
        stored, _ = self.put()
        self.assertEqual(stored.key, parse_name(NAME).numbered(2).key())

    def test_refused_and_there(self) -> None:
        """What is refused as an object may be there already; what is refused for all, or may pass, is not
        looked for. Without a proof it is refused."""
        for kind, of_all, looked_for in (
            (OBJECT, False, True),
            (REFUSED, False, True),
            (REFUSED, True, False),
            (TRANSIENT, False, False),
        ):
            self.puts, self.store.objects = StoreError("no", kind, of_all=of_all), {KEY: DATA}
            self.store.calls.clear()
            if looked_for:
                self.assertEqual(self.put()[1], True)
            else:
                self.assertIs(self.failure(), self.puts)
                self.assertEqual([operation for operation, _ in self.store.calls], ["put"])
        self.puts = StoreError("no", REFUSED)
        for objects in ({}, {KEY: b"other"}, {KEY: b"x" * len(DATA)}):
            self.store.objects = objects
            self.assertIs(self.failure(), self.puts)
        self.store.objects, self.heads = {KEY: DATA}, StoreError("slow", TRANSIENT)
        self.assertIs(self.failure(), self.puts)

    def test_of_two_minds(self) -> None:
        """A key that is taken and not there is trouble of that one file."""
        self.puts = StoreError("exists", EXISTS)
        error = self.failure()
        self.assertEqual((error.kind, error.code), (TRANSIENT, "two minds"))
