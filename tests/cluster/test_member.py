"""A member among others: when it acts, and what it makes of an engine that is away or forgets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.assignment import Draws
from chatlog.cluster.line import Line
from chatlog.cluster.member import AWAY, BEAT, LEASE, Member, Myself
from chatlog.cluster.roster import Reading
from chatlog.cluster.slot_life import Orders
from chatlog.cluster.slots import each

SLOTS = 16
SIZES = {"twitch": [1] * SLOTS}
EVERY = (1 << SLOTS) - 1
DRAWS = Draws()


class MemberTests(SynchronousTestCase):
    """The member ``a``; the others are lines in what it reads."""

    def setUp(self) -> None:
        self.now = 0.0
        self.member = Member(Myself("a", 100), ["twitch"], DRAWS, 0.0)
        self.life = self.member.lives["twitch"]
        self.others: dict[str, Line] = {}
        self.epoch = "1"
        #: The slots whose rooms changed after any older version.
        self.changed = 0

    def beat(self) -> None:
        """Its line is written."""
        self.member.line_confirmed(self.member.line(0.0), self.now)

    def see(self, own: bool = True, took: float = 0.0) -> Orders:
        """It reads everybody's line."""
        self.member.reading_begins(self.now)
        lines = {name: line.encoded() for name, line in self.others.items()}
        if own:
            lines["a"] = self.member.line(0.0).encoded()
        self.now += took
        orders = self.member.see(
            Reading(lines, self.epoch), self.now, SIZES, lambda version: self.changed if version < 5 else 0
        )
        return orders.get("twitch", Orders())

    def alone(self) -> None:
        """It records everything."""
        self.beat()
        self.now += BEAT + 1.0
        self.beat()
        self.see()
        self.life.ready(EVERY)
        self.beat()

    def other(self, name: str = "b", **said: object) -> None:
        """Another member says something."""
        self.others[name] = Line(name, 100, **said)  # type: ignore[arg-type]

    def test_waits_first(self) -> None:
        """A newcomer acts only when everybody had the time to write."""
        self.assertEqual(self.see(), Orders())
        self.beat()
        self.now += BEAT
        self.assertEqual(self.see(), Orders())
        self.now += 1.0
        self.beat()
        self.assertEqual(self.see(), Orders(first=EVERY))

    def test_shares(self) -> None:
        """What belongs to another is given to it once it records it, and taken back when it is gone."""
        self.alone()
        self.other()
        self.assertEqual(self.see(), Orders())
        self.assertEqual(self.life.held, EVERY)
        self.other(recording={"twitch": EVERY})
        self.see()
        given = self.life.withdrawn
        self.assertTrue(0 < len(list(each(given))) < SLOTS)
        self.beat()
        self.see()
        self.now += 2.0
        self.assertEqual(self.see().stop, given)
        del self.others["b"]
        self.assertEqual(self.see().first, given)
        self.assertEqual(list(self.member.roster.lost), ["b"])

    def test_an_older_list_of_rooms(self) -> None:
        """A slot whose rooms have changed is not given to a member that does not know so yet."""
        self.alone()
        self.changed = EVERY
        self.other(recording={"twitch": EVERY}, rooms=4)
        self.see()
        self.assertEqual(self.life.withdrawn, 0)
        self.other(recording={"twitch": EVERY}, rooms=5)
        self.see()
        self.assertNotEqual(self.life.withdrawn, 0)

    def halves(self) -> None:
        """It shares with b."""
        self.alone()
        self.other(recording={"twitch": EVERY})
        for _ in range(3):
            self.see()
            self.beat()
            self.now += 1.0
        self.see()

    def test_the_engine_forgets(self) -> None:
        """When the engine has lost all lines, nobody is taken for dead for one lease; after that it is. It is
        noticed by the epoch even if the own line is there again."""
        self.halves()
        self.others.clear()
        self.epoch = "2"
        self.assertEqual(self.see(), Orders())
        self.assertEqual(list(self.member.roster.ghosts), ["b"])
        for _ in range(int(LEASE) - 1):
            self.now += 1.0
            self.beat()
            self.assertEqual(self.see().first, 0)
        self.now += 1.0
        self.beat()
        self.assertNotEqual(self.see().first, 0)

    def test_the_own_line_is_gone(self) -> None:
        """So it is if the member's own line is missing that it wrote within its lease."""
        self.halves()
        self.others.clear()
        self.assertEqual(self.see(own=False), Orders())

    def test_a_ghost_is_given_nothing(self) -> None:
        """A member that was known is not believed to record while nobody has heard of it again."""
        self.alone()
        self.other(recording={"twitch": EVERY})
        self.see()
        self.others.clear()
        self.epoch = "2"
        self.see()
        self.assertEqual(self.life.withdrawn, 0)

    def test_the_engine_is_away(self) -> None:
        """While the engine is silent everything is kept. When it is back, those that were known count for one
        lease."""
        self.alone()
        self.other(recording={"twitch": EVERY})
        self.see()
        self.now += AWAY
        self.assertFalse(self.member.tick(self.now))
        self.now += 0.1
        self.assertTrue(self.member.tick(self.now))
        self.assertTrue(self.member.away)
        self.assertEqual(self.life.published, EVERY)
        self.others.clear()
        self.assertEqual(self.see(), Orders())
        self.assertFalse(self.member.away)
        self.assertEqual(list(self.member.roster.ghosts), ["b"])

    def test_slow_looks(self) -> None:
        """What took long to read is not believed."""
        self.alone()
        self.other(recording={"twitch": EVERY})
        self.see(took=2.5)
        self.assertEqual(self.life.withdrawn, 0)

    def test_drains(self) -> None:
        """Who drains gives everything away, and nothing if there is nobody."""
        self.alone()
        self.member.draining = True
        self.see()
        self.assertEqual(self.life.published, EVERY)
        self.other(recording={"twitch": EVERY})
        self.see()
        self.assertEqual(self.life.withdrawn, EVERY)
        self.beat()
        self.see()
        self.now += 2.0
        self.see()
        self.assertTrue(self.member.left)

    def test_unwell(self) -> None:
        """Who hears nothing gives its slots to those that do; if nobody does, nobody gives anything away."""
        self.alone()
        self.member.unwell = frozenset({"twitch"})
        self.other(recording={"twitch": EVERY}, unwell=frozenset({"twitch"}))
        self.see()
        self.assertNotEqual(self.life.withdrawn, EVERY)
        self.other(recording={"twitch": EVERY})
        self.see()
        self.assertEqual(self.life.withdrawn, EVERY)

    def test_strangers(self) -> None:
        """A member that follows other rules, or writes nonsense, gets nothing and is named."""
        self.alone()
        self.member.reading_begins(self.now)
        self.member.see(Reading({"a": "", "x": "{}"}, "1"), self.now, SIZES, lambda _: 0)
        self.assertEqual(self.member.roster.strangers, {"x"})
        self.assertEqual(self.life.published, EVERY)
