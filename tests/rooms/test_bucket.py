"""The queue of requests."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.bucket import Bucket


class BucketTests(SynchronousTestCase):
    """Items that are queued again before their turn has come."""

    def test_waits_once(self) -> None:
        """Connections may come and go for as long as they like: a room waits once, and keeps its place."""
        clock, sent = Clock(), list[int]()

        def send(items: list[int]) -> int:
            sent.extend(items)
            return len(items)

        bucket = Bucket(clock, 2, 10.0, send)
        for _ in range(1000):
            for item in range(10):
                bucket.add(item)
                bucket.add(10 + item, patient=True)
        self.assertEqual(len(bucket), 20)
        clock.pump([0.0] + [10.4] * 20)
        self.assertEqual((sent, len(bucket)), ([*range(20)], 0))
