"""The whole life of an object, walked in stores that each fail in one step."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.store_check import StoreCheckFailed, object_key, walk
from chatlog.store.directory_store import DirectoryStore
from chatlog.store.store import REFUSED, Head, StoreError
from tests.s3_server import Handler
from tests.store.test_dialects import DialectCase, moved, portal
from tests.stores import MemoryStore

KEY = "chatlog-check-1.txt"


class WalkTests(SynchronousTestCase):
    """Each step."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.steps: list[str] = []

    def walk(self) -> str:
        return walk(self.store, KEY, self.steps.append)

    def refuse(self, operation: str, times: int = 1) -> None:
        """This operation is not allowed, for the first so many times."""
        left = [times]

        def before(called: str, key: str) -> None:
            if called == operation and left[0]:
                left[0] -= 1
                raise StoreError("403 AccessDenied", REFUSED, "403", "give the key that right")

        self.store.before = before

    def test_all_is_well(self) -> None:
        """Every step is made and reported, the store's features are shown, and nothing stays."""
        sentence = self.walk()
        self.assertIn("created, looked at, read and deleted (keeps objects in memory)", sentence)
        self.assertEqual(self.store.objects, {})
        done = [operation for operation, _ in self.store.calls]
        self.assertEqual(done, ["prepare", "put", "put", "head", "read", "delete"])
        for word in ("asking", "writing", "replace", "looking", "listing", "reading", "deleting"):
            self.assertTrue(any(word in step for step in self.steps), word)

    def test_each_refusal(self) -> None:
        """A step that is refused is named with the store's words and the remedy; nothing stays."""
        for operation, words in (
            ("prepare", "cannot be used"),
            ("put", "was not created"),
            ("head", "cannot be looked at"),
            ("read", "cannot be read back"),
        ):
            self.refuse(operation)
            error = self.assertRaises(StoreCheckFailed, self.walk)
            self.assertIn(f"memory: {'it' if operation == 'prepare' else KEY} {words}", str(error))
            self.assertIn("403 AccessDenied. What to do: give the key that right.", str(error))
            self.assertEqual(self.store.objects, {})

    def test_may_not_delete(self) -> None:
        """Credentials without the right to delete may record; the remaining object is reported."""
        self.refuse("delete")
        self.assertIn(f"{KEY} could not be deleted, and stays there", self.walk())

    def test_replaced(self) -> None:
        """A store that replaces what is there is found out."""
        self.store.after_put = lambda key: self.store.objects.pop(key) and None
        error = self.assertRaises(StoreCheckFailed, self.walk)
        self.assertIn("created a second time", str(error))

    def test_other_size(self) -> None:
        """A store that says another size than was stored is not trusted."""
        self.store.head = lambda key: Head(key, 3, "")  # type: ignore[method-assign]
        self.assertIn("3 bytes and not 64", str(self.assertRaises(StoreCheckFailed, self.walk)))

    def test_other_bytes(self) -> None:
        """A store that gives back other bytes is not trusted."""

        def spoil(key: str) -> None:
            self.store.objects[key] = b"x" * 64

        self.store.after_put = spoil
        self.assertIn("other bytes", str(self.assertRaises(StoreCheckFailed, self.walk)))

    def test_directory(self) -> None:
        """A directory is a store, too, and is empty afterwards."""
        root = self.mktemp()
        self.assertIn(
            "created, looked at, read and deleted", walk(DirectoryStore(root), KEY, self.steps.append)
        )
        self.assertEqual(os.listdir(root), [])

    def test_keys(self) -> None:
        """No two checks meet."""
        self.assertNotEqual(object_key(), object_key())


class ServerTests(DialectCase):
    """Over HTTP."""

    def test_well(self) -> None:
        """An ordinary store, also with much in it."""
        self.s3.objects = {f"{n}": b"" for n in range(50)}
        sentence = walk(self.open(), KEY, lambda step: None)
        self.assertIn("path-style addresses, conditional create, SHA-256 sent", sentence)
        self.assertNotIn("not listed", sentence)
        self.assertEqual(len(self.s3.objects), 50)

    def test_no_list(self) -> None:
        """Without the right to list, the report says what will not work."""

        def no_list(handler: Handler) -> bool:
            if "list-type" in handler.path:
                handler.error(403, "AccessDenied")
                return True
            return False

        self.s3.always = no_list
        self.assertIn("s3:ListBucket", walk(self.open(), KEY, lambda step: None))

    def test_no_store(self) -> None:
        """A page and a redirect are reported with a remedy."""
        for behaviour, remedy in ((portal, "S3 API"), (moved, "set s3.endpoint: http://s3.eu-north-1")):
            self.s3.always = behaviour
            error = self.assertRaises(StoreCheckFailed, walk, self.open(), KEY, lambda step: None)
            self.assertIn("What to do:", str(error))
            self.assertIn(remedy, str(error))
