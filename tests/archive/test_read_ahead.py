"""Objects that are fetched before it is their turn."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.read_ahead import DEEPEST, HEAD, ReadAhead


class Objects:
    """Objects ``0`` to ``count``; which of them were begun, and how many bytes of each were given."""

    def __init__(self, count: int, size: int = 10) -> None:
        self.names = list(range(count))
        self.begun = [Event() for _ in self.names]
        self.given = [0] * count
        self.size = size

    def data(self, name: int) -> bytes:
        return b"%10d" % name * (self.size // 10)

    def read(self, name: int) -> Iterator[bytes]:
        self.begun[name].set()
        data = self.data(name)
        for at in range(0, len(data), 1 << 16):
            chunk = data[at : at + (1 << 16)]
            self.given[name] += len(chunk)
            yield chunk

    def count(self) -> int:
        return sum(event.is_set() for event in self.begun)


class ReadAheadTests(SynchronousTestCase):
    def test_every_object_comes_whole_and_in_its_turn(self) -> None:
        """What an answer reads is the same, whether it was fetched ahead or not, small or large."""
        for size in (10, HEAD, 3 * HEAD + 10):
            objects = Objects(40, size - size % 10)
            fetching = ReadAhead().of(objects.names, objects.read)
            for name in objects.names:
                self.assertEqual(b"".join(fetching.chunks(name)), objects.data(name))

    def test_the_next_object_is_on_its_way_while_one_is_read(self) -> None:
        """A store that takes long for a request is asked for the next object before this one is read."""
        objects = Objects(3)
        fetching = ReadAhead().of(objects.names, objects.read)
        fetching.chunks(0)
        self.assertTrue(objects.begun[1].wait(10))
        self.assertFalse(objects.begun[2].is_set())

    def test_patience(self) -> None:
        """Whoever may have enough with the first object has nothing fetched ahead until the second one."""
        objects = Objects(3)
        fetching = ReadAhead().of(objects.names, objects.read, 0)
        b"".join(fetching.chunks(0))
        self.assertEqual(objects.count(), 1)
        b"".join(fetching.chunks(1))
        self.assertTrue(objects.begun[2].wait(10))

    def test_what_is_fetched_is_bounded(self) -> None:
        """However many objects there are, a few are on their way, and of each only its beginning: memory
        stays flat, and the store is not flooded."""
        objects = Objects(100, 4 * HEAD)
        fetching = ReadAhead().of(objects.names, objects.read)
        for name in objects.names[:30]:
            b"".join(fetching.chunks(name))
            self.assertLessEqual(objects.count(), name + 1 + DEEPEST)
        for ahead in range(30, 30 + DEEPEST):
            self.assertTrue(objects.begun[ahead].wait(10))
        self.assertEqual(objects.count(), 30 + DEEPEST)
        self.assertLessEqual(max(objects.given[30:]), HEAD)

    def test_nothing_is_fetched_for_an_answer_that_ended(self) -> None:
        """A reader that has enough costs the store nothing more."""
        objects = Objects(100)
        fetching = ReadAhead(1).of(objects.names, objects.read)
        fetching.chunks(0)
        fetching.close()
        self.assertEqual(b"".join(fetching.chunks(50)), objects.data(50))
        self.assertLessEqual(objects.count(), 3)

    def test_an_object_that_cannot_be_read_says_so_in_its_turn(self) -> None:
        """Damage to one object is told where it lies, and the others are read."""

        def read(name: int) -> Iterator[bytes]:
            if name == 2:
                raise ValueError("damaged")
            return iter([b"%d" % name])

        fetching = ReadAhead().of(range(5), read)
        for name in (0, 1):
            self.assertEqual(b"".join(fetching.chunks(name)), b"%d" % name)
        self.assertRaises(ValueError, fetching.chunks, 2)
        for name in (3, 4):
            self.assertEqual(b"".join(fetching.chunks(name)), b"%d" % name)

    def test_objects_that_are_left_out_are_passed_over(self) -> None:
        """An answer may skip an object."""
        objects = Objects(10)
        fetching = ReadAhead().of(objects.names, objects.read)
        for name in (0, 4, 9):
            self.assertEqual(b"".join(fetching.chunks(name)), objects.data(name))
