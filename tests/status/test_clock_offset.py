"""Our clock against that of the messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.record import encode_basic, encode_full, rfc3339
from chatlog.status.clock_offset import ENOUGH, ClockOffset
from tests.scene import Scene

NOW = 1_700_000_000.0


def record(sent: float, kind: str = "message", text: str = "hello", basic: bool = False) -> bytes:
    """An encoded record that the platform says was sent then."""
    encode = encode_basic if basic else encode_full
    when = rfc3339(round(sent * 1000))
    return encode(when, "room", "somebody", "1", text, kind, "id", "twitch", "2", when, {})


class ClockOffsetTests(SynchronousTestCase):
    """Records that are looked at one after another, five seconds apart."""

    def setUp(self) -> None:
        self.offset = ClockOffset()
        self.now = NOW

    def sample(self, *lines: bytes) -> None:
        for line in lines:
            self.now += 5
            self.offset.sample(line, self.now)

    def test_agreement(self) -> None:
        """Messages that come half a second after they were sent say that the clocks agree."""
        for _ in range(ENOUGH):
            self.assertIsNone(self.offset.seconds)
            self.sample(record(self.now + 4.5))
        self.assertEqual(self.offset.seconds, 0.5)

    def test_ahead_and_behind(self) -> None:
        """A clock that is ahead makes messages old, one that is behind lets them come from the future."""
        for ahead in (40.0, -40.0):
            for _ in range(12):
                self.sample(record(self.now + 5 - ahead))
            self.assertEqual(self.offset.seconds, ahead)

    def test_backfilled(self) -> None:
        """Messages that were fetched long after they were said say nothing about the clock."""
        for _ in range(12):
            old = record(self.now - 600)
            self.sample(old.replace(b'"details":{}', b'"details":{"backfilled":true}'))
        self.assertIsNone(self.offset.seconds)

    def test_a_few_old_messages(self) -> None:
        """Some messages that come late, one after another, say nothing about the clock."""
        for late in (0, 0, 900, 0, 900, 900, 0, 0, 900, 0, 0, 0):
            self.sample(record(self.now + 5 - late))
        self.assertEqual(self.offset.seconds, 0.0)

    def test_only_messages_count(self) -> None:
        """Records that carry our own time are passed over, whatever their text says; so is what is no
        record at all."""
        for _ in range(12):
            self.sample(
                record(self.now - 1000, "gap"),
                record(self.now - 1000, "notice", '"type":"message"'),
                b"",
                b'{"timestamp":"2025-99-99T00:00:00.000Z","type":"message"}\n',
                b'{"timestamp":"today","type":"message"}\n',
            )
        self.assertIsNone(self.offset.seconds)

    def test_basic_detail(self) -> None:
        """Records of basic detail have no type, and all of them are messages."""
        for _ in range(ENOUGH):
            self.sample(record(self.now + 3, basic=True))
        self.assertEqual(self.offset.seconds, 2.0)

    def test_the_same_record_counts_once(self) -> None:
        """A room in which nothing more is said cannot make the clock look wrong."""
        line = record(NOW)
        for _ in range(20):
            self.offset.sample(line, NOW + 300)
        self.assertIsNone(self.offset.seconds)

    def test_from_the_rooms(self) -> None:
        """The recorder's own records are what is looked at."""
        scene = Scene().start().recorded()
        self.addCleanup(scene.stop)
        self.assertIsNone(scene.facts()["clock"]["offset"])
        for _ in range(60):
            scene.recorder.room("twitch", "room0").append(record(scene.now() + 30))
            scene.advance(1)
        self.assertAlmostEqual(scene.facts()["clock"]["offset"], -29.5)
