"""Until when everything came that a connection brought."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.kick import pusher
from chatlog.rooms.arrivals import BEHIND, LONGEST, SETTLED, USUAL, Arrivals
from chatlog.twitch import irc

#: The time of day at clock 0.
START = 1_767_000_000.0


def twitch(sent: float) -> bytes:
    """A line of Twitch that was sent then."""
    return b"@id=1;tmi-sent-ts=%d;user-id=2 :a!a@a PRIVMSG #b :tmi-sent-ts=1;\r\n" % (sent * 1000)


#: What may stand before, in and behind a time.
_PIECES: tuple[bytes, ...] = (
    b"@",
    b";tmi-sent-ts=1767000000250",
    b"\n",
    b"tmi-sent-ts=1767000000251",
    b"tmi-sent-ts=",
)
_PIECES += (b" ", b";", b"\r", b"a=b", b"1")


class ArrivalsTests(SynchronousTestCase):
    def ago(
        self, came: list[tuple[float, bytes]], now: float, slept: float = 0.0, asleep: float = 0.0
    ) -> float:
        """How long ago everything had come at ``now``, after data at those times of the clock. The machine
        slept for ``slept`` seconds before the first of them, and for ``asleep`` after the last."""
        return self.heard(came, now, slept, asleep)[0]

    def heard(
        self, came: list[tuple[float, bytes]], now: float, slept: float = 0.0, asleep: float = 0.0
    ) -> tuple[float, float]:
        """That, and how late the latest data was."""
        day = [START]
        arrivals = Arrivals(b"tmi-sent-ts=", irc.latest_time, 0.0, lambda: day[0])
        for at, data in came:
            day[0] = START + at + slept
            arrivals.came(data, at)
        day[0] = START + now + slept + asleep
        ago, late = arrivals.heard_ago(now)
        return round(ago, 3), round(late, 3)

    def test_in_time(self) -> None:
        """Usually everything has come until the last byte did."""
        self.assertEqual(self.ago([], 7.0), 7.0)
        self.assertEqual(self.ago([(5.0, twitch(START + 4.5))], 7.0), 2.0)
        self.assertEqual(self.ago([(5.0, twitch(START + 4.5)), (6.0, b"PING :x\r\n")], 7.0), 1.0)

    def test_held_up(self) -> None:
        """What was held up is as old as it says, and what came with it too."""
        self.assertEqual(self.ago([(65.0, twitch(START + 20.0))], 66.0), 46.0)
        late = [(65.0, twitch(START + 20.0) + twitch(START + 30.0)), (65.5, b":tmi.twitch.tv PONG\r\n")]
        self.assertEqual(self.ago(late, 66.0), 36.0)

    def test_slept(self) -> None:
        """What came before the machine slept was not held up, but is older than the clock says; what came
        after it was held up. A time of day that is set back makes nothing younger."""
        early = [(5.0, twitch(START + 4.5))]
        self.assertEqual(self.ago(early, 33.0, asleep=40.0), 68.0)
        self.assertEqual(self.ago(early, 6.0, slept=40.0), 41.5)
        self.assertEqual(self.ago(early, 6.0, slept=40.0, asleep=50.0), 91.5)
        self.assertEqual(self.ago(early, 33.0, asleep=-60.0), 28.0)

    def test_in_pieces(self) -> None:
        """What was held up stays so when the next piece ends within a line, or has only what looks like a
        time: nobody knows yet whether the rest has come."""
        late = (65.0, twitch(START + 20.0))
        for piece in (
            twitch(START + 21.0)[:20],
            twitch(START + 21.0)[6:],
            b":a PRIVMSG #b :tmi-sent-ts=1;\r\n",
        ):
            self.assertEqual(self.ago([late, (65.5, piece)], 66.0), 46.0, piece)
        untimed = [(65.0 + n / 10, b":a JOIN #b\r\n") for n in range(1, 9)]
        self.assertEqual(self.ago([late, *untimed], 66.0), 46.0)

    def test_begins_with_its_mark(self) -> None:
        """A platform's data may begin with what marks a time."""
        arrivals = Arrivals(b"at ", lambda data: float(data.removeprefix(b"at ")), 0.0, lambda: START)
        arrivals.came(b"at %d" % (START - 20), 1.0)
        self.assertEqual(arrivals.heard_ago(2.0), (21.0, 0.0))

    def test_much_at_once(self) -> None:
        """The time is found in a large piece too, wherever its last line begins; long lines without a time,
        or a text with what looks like one, may follow."""
        timed, untimed = twitch(START + 20.0), b":a JOIN #b\r\n"
        spoken = b":a PRIVMSG #b :tmi-sent-ts=1;\r\n"
        for data in (
            untimed * 10_000 + timed,
            timed + untimed * 10_000,
            twitch(START + 10.0) * 1000 + timed + untimed * 10_000,
            b"\n" + timed,
            timed + untimed * 250 + spoken,
            b"@a=%s;tmi-sent-ts=%d;b=%s :a PRIVMSG #b :c\r\n"
            % (b"x" * 4000, (START + 20.0) * 1000, b"x" * 9000),
        ):
            self.assertEqual(self.ago([(65.0, data)], 66.0), 46.0, data[:40])

    def test_caught_up(self) -> None:
        """Once it has brought what is new, or has gone on for a while, nothing is held up any more."""
        late = (65.0, twitch(START + 20.0))
        self.assertEqual(self.ago([late, (65.5, twitch(START + 65.0))], 66.0), 0.5)
        self.assertEqual(self.ago([late, (65.0 + SETTLED, b"PING :x\r\n")], 71.0), 1.0)

    def test_clocks(self) -> None:
        """A time of day that differs a little, or beyond all reason, dates nothing."""
        for sent in (START + 5.0 - BEHIND, START + 100.0, START - LONGEST, 0.0):
            self.assertEqual(self.ago([(5.0, twitch(sent))], 7.0), 2.0, sent)

    def test_late(self) -> None:
        """What is a little late still came until the last byte did; the seconds are told apart, unless they
        are the network's or a rounding's. A clock that is behind that of the server is not late, nor is what
        was long ago."""
        self.assertEqual(self.heard([(5.0, twitch(START + 3.5))], 7.0), (2.0, 1.5))
        self.assertEqual(self.heard([(5.0, twitch(START + 5.0 - USUAL))], 7.0), (2.0, 0.0))
        self.assertEqual(self.heard([(5.0, twitch(START + 5.0 - BEHIND))], 7.0), (2.0, BEHIND))
        self.assertEqual(self.heard([(5.0, twitch(START + 5.5))], 7.0), (2.0, 0.0))
        self.assertEqual(self.heard([(65.0, twitch(START + 20.0))], 66.0), (46.0, 0.0))
        later = [(5.0, twitch(START + 3.5)), (5.0 + SETTLED, b"PING :x\r\n")]
        self.assertEqual(self.heard(later, 11.0), (1.0, 0.0))

    def test_no_time_after_all(self) -> None:
        """What only looks like a time is none."""
        for data in (
            b"tmi-sent-ts=\r\n",
            b":a PRIVMSG #b :@tmi-sent-ts=1767000000000;\r\n",
            twitch(START)[:20],
        ):
            self.assertEqual(self.ago([(5.0, data)], 7.0), 2.0)


class TimesTests(SynchronousTestCase):
    def test_twitch(self) -> None:
        """The time in the tags of the last whole line; never one in a text."""
        self.assertEqual(
            irc.latest_time(twitch(START) + twitch(START + 1.0) + twitch(START + 2.0)[:25]), START + 1.0
        )
        self.assertEqual(irc.latest_time(b"@tmi-sent-ts=1767000000250 :a PRIVMSG #b :c\r\n"), START + 0.25)
        self.assertIsNone(irc.latest_time(b"@a=b :a PRIVMSG #b :@tmi-sent-ts=1767000000250 \r\n"))
        untimed = b"@a=b :a PRIVMSG #b :tmi-sent-ts=1;tmi-sent-ts=\r\n@tmi-sent-ts=x :a PING\r\n"
        self.assertEqual(irc.latest_time(twitch(START) + untimed * 3 + b"@tmi-sent-ts=17670"), START)

    @settings(deadline=None, max_examples=200)
    @given(st.lists(st.sampled_from([*_PIECES, *_PIECES[:3]]), max_size=14).map(b"".join))
    def test_any_twitch(self, data: bytes) -> None:
        """It is the time of the last line that has one, whatever else there is."""
        found = re.findall(rb"^@(?:[^ \r\n]*;)?tmi-sent-ts=(\d{13})[; ]", data, re.MULTILINE)
        self.assertEqual(irc.latest_time(data), int(found[-1]) / 1000 if found else None)

    def test_kick(self) -> None:
        """The time that a chat message of Kick's carries, in either form; never one in a text, nor that of an
        old message which another event is about."""
        for text, seconds in (("2025-12-29T09:20:00+00:00", 0.0), ("2025-12-29T09:20:00.500000Z", 0.5)):
            frame = b"".join(
                (
                    b'{"event":"App\\\\Events\\\\ChatMessageEvent",',
                    b'"data":"{\\"id\\":\\"1\\",\\"created_at\\":\\"%s\\"}"}' % text.encode(),
                )
            )
            self.assertEqual(pusher.latest_time(b"\x81\x7e" + frame), START + seconds)
        pinned = frame.replace(b"ChatMessageEvent", b"PinnedMessageCreatedEvent")
        self.assertIsNone(pusher.latest_time(pinned.replace(b"2025-12-29T09:20", b"2025-12-29T09:10")))
        self.assertEqual(pusher.latest_time(frame + pinned.replace(b"09:20", b"09:10")), START + 0.5)
        self.assertIsNone(pusher.latest_time(frame[20:]))
        spoken = rb'{"event":"ChatMessageEvent",' + (
            rb'"data":"{\"content\":\"created_at\\\":\\\"2025-12-29T09:20:00Z\\\"\"}"}'
        )
        self.assertIsNone(pusher.latest_time(spoken))
        self.assertIsNone(pusher.latest_time(frame.replace(b"2025-12-29T", b"9999-99-99T")))
