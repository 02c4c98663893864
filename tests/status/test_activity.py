"""Messages a minute, without counting messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.recorder.room import RoomBuffer
from chatlog.status.activity import Activity


class ActivityTests(SynchronousTestCase):
    """A room whose total grows, and minutes that go by."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.activity = Activity(self.now)
        self.room_ = RoomBuffer("twitch", "a", lambda room: None)

    def minute(self, written: int) -> None:
        self.room_.written += written
        self.now += 60.0
        self.activity.next_minute([self.room_], self.now)

    def test_first_minute(self) -> None:
        """In the first minute the rate is what has come so far."""
        self.room_.written = 12
        self.assertEqual(self.activity.rate(self.room_, self.now + 30), 12)

    def test_rate_slides(self) -> None:
        """A steady stream has a steady rate, wherever in the minute one looks."""
        self.minute(60)
        for second in (0, 15, 30, 59):
            self.room_.written = 60 + second
            self.assertEqual(self.activity.rate(self.room_, self.now + second), 60, second)

    def test_late_minute(self) -> None:
        """A minute that was long, because the process was held up, makes no negative rate."""
        self.minute(60)
        self.assertEqual(self.activity.rate(self.room_, self.now + 300), 0)

    def test_hour_turns_round(self) -> None:
        """However long it runs, the hour holds the last sixty minutes in order."""
        for n in range(1, 200):
            self.minute(n)
            expected = ([0] * 60 + list(range(1, n + 1)))[-60:]
            self.assertEqual(self.activity.hour(self.room_), expected)

    def test_silent_rooms_take_nothing(self) -> None:
        """Rooms in which nothing was ever said share one empty hour."""
        other = RoomBuffer("twitch", "b", lambda room: None)
        for _ in range(3):
            self.activity.next_minute([self.room_, other], self.now)
        self.assertIs(self.activity.hour(other), self.activity.hour(self.room_))
        self.assertEqual(self.activity.rate(other, self.now), 0)
        self.assertEqual(self.activity.today(other), 0)

    def test_next_day(self) -> None:
        """Today begins again at midnight; the hour goes on."""
        self.minute(5)
        self.assertEqual(self.activity.today(self.room_), 5)
        self.activity.reset_day([self.room_])
        self.assertEqual(self.activity.today(self.room_), 0)
        self.minute(3)
        self.assertEqual(self.activity.today(self.room_), 3)
        self.assertEqual(self.activity.hour(self.room_)[-2:], [5, 3])

    def test_rooms_that_are_gone(self) -> None:
        """A room that is not there any more when a day begins is forgotten."""
        room = self.room_
        self.minute(5)
        self.activity.reset_day([])
        self.assertEqual(self.activity.hour(room), [0] * 60)
