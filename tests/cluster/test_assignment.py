"""Who records what: the promises of the assignment, for any members."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.assignment import SPARE, Assignment, Bidder, Draws, assign
from chatlog.cluster.slots import ALL, each

DRAWS = Draws()
#: Fewer slots than a platform has, for speed: each slot is dealt with by itself.
SIZES = [1 + slot % 7 for slot in range(128)]
ROOMS = sum(SIZES)
NAMES = [f"m{number}" for number in range(8)]
HERE = frozenset({"twitch"})


def bidders(zones: int = 1, capacity: int = 1_000_000) -> st.SearchStrategy[list[Bidder]]:
    """Members of several zones, whose capacity is enough by far."""
    one = st.builds(
        Bidder,
        st.sampled_from(NAMES),
        st.integers(capacity, 3 * capacity),
        st.integers(1, zones).map(lambda zone: f"z{zone}"),
        st.just(HERE),
    )
    return st.lists(one, min_size=1, max_size=8, unique_by=lambda each: each.name)


def given_to(assignment: Assignment, slot: int, platform: str = "twitch") -> set[str]:
    """The members that shall record a slot."""
    return {name for name, slots in assignment.targets[platform].items() if slots >> slot & 1}


def assigned(members: list[Bidder], replicas: int = 1, sizes: list[int] = SIZES) -> Assignment:
    """The assignment of one platform."""
    return assign(members, {"twitch": sizes}, replicas, DRAWS)


class AssignmentTests(SynchronousTestCase):
    """The same members share the same slots, whoever computes it."""

    @settings(max_examples=40, deadline=None)
    @given(bidders(zones=3), st.integers(1, 3))
    def test_exactly_replicas(self, members: list[Bidder], replicas: int) -> None:
        """Every slot has as many recorders as wanted, or all members if they are fewer; and it says which
        slots are short."""
        found = assigned(members, replicas)
        for slot in range(len(SIZES)):
            self.assertEqual(len(given_to(found, slot)), min(replicas, len(members)))
        self.assertEqual(found.unassigned["twitch"], 0)
        short = list(each(found.short["twitch"]))
        self.assertEqual(short, [] if len(members) >= replicas else list(range(len(SIZES))))

    @settings(max_examples=40, deadline=None)
    @given(bidders(zones=3), st.integers(1, 3))
    def test_the_lowest_bids_win(self, members: list[Bidder], replicas: int) -> None:
        """A slot goes to the lowest bids, those of different zones first."""
        found = assigned(members, replicas)
        zones = {each.zone: each.zone for each in members}
        for slot in range(len(SIZES)):
            order = sorted(members, key=lambda each: DRAWS.of("twitch", each.name, each.capacity)[slot])
            firsts = [next(each for each in order if each.zone == zone) for zone in zones]
            apart = [each for each in order if each in firsts]
            expected = (apart + [each for each in order if each not in firsts])[:replicas]
            self.assertEqual(given_to(found, slot), {each.name for each in expected})

    @settings(max_examples=40, deadline=None)
    @given(bidders(zones=3), st.integers(1, 3), st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, members: list[Bidder], replicas: int, random: object) -> None:
        """Whoever sees the same members computes the same."""
        shuffled = list(members)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        self.assertEqual(assigned(members, replicas), assigned(shuffled, replicas))

    @settings(max_examples=40, deadline=None)
    @given(bidders(zones=3), st.integers(1, 3), st.data())
    def test_minimal_movement(self, members: list[Bidder], replicas: int, data: st.DataObject) -> None:
        """When a member goes, nothing moves but what it had; when it comes, nothing but what it gets."""
        one = data.draw(st.sampled_from(members))
        rest = [member for member in members if member != one]
        if not rest:
            return
        whole, without = assigned(members, replicas), assigned(rest, replicas)
        for slot in range(len(SIZES)):
            had, has = given_to(whole, slot), given_to(without, slot)
            if one.name in had:
                self.assertLessEqual(had - {one.name}, has)
            else:
                self.assertEqual(had, has)

    @settings(max_examples=40, deadline=None)
    @given(bidders(zones=4), st.integers(2, 3))
    def test_zones_apart(self, members: list[Bidder], replicas: int) -> None:
        """The recorders of a slot are in as many zones as there can be."""
        zone = {member.name: member.zone for member in members}
        found = assigned(members, replicas)
        for slot in range(len(SIZES)):
            zones = {zone[name] for name in given_to(found, slot)}
            self.assertEqual(len(zones), min(replicas, len(set(zone.values())), len(members)))

    @settings(max_examples=60, deadline=None)
    @given(bidders(zones=2, capacity=60), st.integers(1, 2))
    def test_capacity(self, members: list[Bidder], replicas: int) -> None:
        """Nobody gets more rooms than it can take, and nothing is left over that somebody has place for."""
        found = assigned(members, replicas)
        rooms = dict.fromkeys((member.name for member in members), 0)
        for slot, size in enumerate(SIZES):
            for name in given_to(found, slot):
                rooms[name] += size
        self.assertEqual(dict(found.loads), rooms)
        for member in members:
            self.assertLessEqual(rooms[member.name], member.capacity)
        most_free = max(member.capacity - rooms[member.name] for member in members)
        for slot in each(found.unassigned["twitch"]):
            self.assertGreater(SIZES[slot], most_free)

    def test_share_by_capacity(self) -> None:
        """Who takes twice as many gets twice as many."""
        sizes = [1] * 4096
        members = [Bidder("a", 100_000, "", HERE), Bidder("b", 200_000, "", HERE)]
        loads = assigned(members, 1, sizes).loads
        self.assertTrue(1.8 < loads["b"] / loads["a"] < 2.2)

    def test_platforms_are_apart(self) -> None:
        """Who does not take a platform gets none of its slots, and both platforms count for its capacity."""
        members = [Bidder("a", 4096, "", HERE), Bidder("b", 9000, "", frozenset({"twitch", "kick"}))]
        found = assign(members, {"twitch": [1] * 4096, "kick": [1] * 4096}, 1, DRAWS)
        self.assertEqual(found.targets["kick"], {"b": ALL})
        self.assertEqual(sum(found.loads.values()), 8192)

    def test_no_member(self) -> None:
        """Without members nothing is assigned, and all of it is said to be."""
        found = assigned([], 1, [1] * 4096)
        self.assertEqual((found.targets["twitch"], found.unassigned["twitch"]), ({}, ALL))


class DrawsTests(SynchronousTestCase):
    """What is remembered of members that come and go, in years of deployments with new names."""

    def test_others_come_and_go(self) -> None:
        """However many members were there once, only some of them are remembered besides those that are, and
        nothing is computed again for who stays."""
        draws, stays = Draws(), Bidder("stays", 100_000, "", HERE)
        first = draws.of("twitch", "stays", 100_000)
        for number in range(4 * SPARE):
            assign([stays, Bidder(f"m{number}", 100_000, "", HERE)], {"twitch": SIZES}, 1, draws)
        self.assertEqual(len(draws), 2 + SPARE)
        self.assertIs(draws.of("twitch", "stays", 100_000), first)

    def test_who_comes_back(self) -> None:
        """A member that was away for a while costs nothing when it comes back, and neither do many members at
        a time."""
        draws, many = Draws(), [Bidder(f"m{number}", 100_000, "", HERE) for number in range(3 * SPARE)]
        before = [draws.of("twitch", each.name, each.capacity) for each in many]
        for some in (many, many[SPARE:], many):
            assign(some, {"twitch": SIZES}, 1, draws)
        after = [draws.of("twitch", each.name, each.capacity) for each in many]
        self.assertTrue(all(map(lambda one, other: one is other, before, after)))
