"""Files that are held back for each other: when their bundle is planned, and what waits meanwhile."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.bundle_plan import MOST_BYTES, MOST_FILES
from chatlog.uploader.gathering import HURRIED, HURRY, Gathering, Sized
from chatlog.uploader.holding import Holding
from chatlog.uploader.shipment import Item, Shipped, item_of
from chatlog.uploader.turns import Failing, Turns
from tests.fakes import QueuedThreads

FIVE = 300.0


def file(n: int) -> Item:
    """The n-th file, each of a minute of its own."""
    return item_of(f"twitch_ann_20251229_10{n:02d}.jsonl", "data")


def bundle(n: int) -> Item:
    """The n-th bundle."""
    return item_of(f"main_20251229_10{n:02d}.jsonl", "bundle")


class Planned:
    """Makes one bundle of whatever it is given."""

    def __init__(self) -> None:
        self.files: dict[Item, tuple[str, ...]] = {}

    def plan(self, waiting: Sized) -> Sized:
        item = bundle(len(self.files))
        self.files[item] = tuple(each.name for each, _ in waiting)
        return [(item, sum(size for _, size in waiting))]

    def inside(self, item: Item) -> tuple[str, ...]:
        return self.files[item]


class HeldTests(SynchronousTestCase):
    """Files of which each waits for others for five minutes."""

    def setUp(self) -> None:
        self.clock, self.threads, self.turns, self.bundles = Clock(), QueuedThreads(), Turns(), Planned()
        self.changes: list[int] = []
        self.gathering = Gathering(
            FIVE,
            self.bundles,
            self.turns,
            self.threads,
            self.clock,
            lambda: self.changes.append(len(self.turns)),
        )

    def planned(self) -> list[tuple[str, ...]]:
        """The files of each bundle so far."""
        self.threads.pump()
        return list(self.bundles.files.values())

    def names(self, *numbers: int) -> tuple[str, ...]:
        return tuple(file(n).name for n in numbers)

    def test_not_before_the_start(self) -> None:
        """Files that are finished before the start, or after the end, wait; the time counts from then."""
        self.gathering.add(file(1), 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(FIVE)
        self.gathering.start()
        self.clock.advance(FIVE - 1)
        self.assertEqual(self.planned(), [])
        self.clock.advance(1)
        self.assertEqual(self.planned(), [self.names(1)])
        self.gathering.add(file(2), 10)
        self.gathering.stop()
        self.gathering.add(file(3), 10)
        self.gathering.hurry()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.threads.jobs)), ([], 0))
        self.gathering.stop()
        self.assertEqual((self.gathering.waiting_files, self.gathering.waiting_bytes), (3, 30))

    def test_one_timer(self) -> None:
        """The first of them decides when they go, however many come after it."""
        self.gathering.start()
        self.gathering.add(file(1), 10)
        self.clock.advance(FIVE - 1)
        self.gathering.add(file(2), 10)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(1)
        self.assertEqual(self.planned(), [self.names(1, 2)])
        self.assertEqual(self.changes, [1])

    def test_one_plan_at_a_time(self) -> None:
        """What comes while a bundle is planned goes into the next one."""
        self.gathering.start()
        self.gathering.add(file(1), 10)
        self.gathering.hurry()
        self.gathering.add(file(2), 10)
        self.gathering.hurry()
        self.clock.advance(FIVE)
        self.assertEqual(len(self.threads.jobs), 1)
        self.assertEqual(self.planned(), [self.names(1)])
        self.clock.advance(FIVE)
        self.assertEqual(self.planned(), [self.names(1), self.names(2)])

    def test_enough_for_a_bundle(self) -> None:
        """Nothing waits once there are as many bytes, or as many files, as a bundle may have."""
        self.gathering.start()
        self.gathering.add(file(1), MOST_BYTES - 1)
        self.assertEqual(self.planned(), [])
        self.gathering.add(file(2), 1)
        self.assertEqual(self.planned(), [self.names(1, 2)])
        items = [item_of(f"twitch_ann_20251229_1000n{n:04d}.jsonl", "data") for n in range(2, MOST_FILES + 2)]
        for item in items[:-1]:
            self.gathering.add(item, 1)
        self.assertEqual(len(self.planned()), 1)
        self.gathering.add(items[-1], 1)
        self.assertEqual(len(self.planned()[-1]), MOST_FILES)

    def test_files_by_themselves(self) -> None:
        """Where no bundle is made of them, or that fails, the files go one by one."""
        self.gathering.start()
        for plan in (lambda waiting: waiting, self.broken):
            self.bundles.plan = plan  # type: ignore[method-assign]
            self.gathering.add(file(1), 10)
            self.gathering.add(file(2), 20)
            self.gathering.hurry()
            self.threads.pump()
            self.assertEqual([self.turns.size(file(n)) for n in (1, 2)], [10, 20])
            self.assertEqual((self.gathering.waiting_files, self.gathering.waiting_bytes), (2, 30))
            for n in (1, 2):
                self.gathering.shipped(file(n), Shipped(None))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.bundles.plan
        self.gathering.add(file(3), 10)
        self.gathering.hurry()
        self.assertEqual(self.planned(), [self.names(3)])

    def broken(self, waiting: Sized) -> Sized:
        raise ZeroDivisionError

    def test_asked_for(self) -> None:
        """Whoever asks for the files gets them at once, and those of the next seconds within a second; then
        they wait again. To ask where nothing waits hurts nothing."""
        self.gathering.start()
        self.gathering.hurry()
        self.gathering.add(file(1), 10)
        self.clock.advance(HURRIED)
        self.assertEqual(self.planned(), [self.names(1)])
        self.gathering.hurry()
        self.clock.advance(HURRY)
        self.gathering.add(file(2), 10)
        self.clock.advance(FIVE - 1)
        self.assertEqual(len(self.planned()), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.planned()), 2)

    def test_earlier_process(self) -> None:
        """The bundles that an earlier process planned wait as they are, with the bytes of their files; the
        other files have waited long enough."""
        self.gathering.start()
        self.bundles.files[bundle(0)] = self.names(1, 2, 3)
        waiting = [(file(1), 10), (file(2), 20), (file(4), 40)]
        self.gathering.found(waiting, {bundle(0): self.names(1, 2, 3)})
        self.assertEqual((self.turns.size(bundle(0)), list(self.bundles.files)), (30, [bundle(0)]))
        for n in (1, 2, 3):
            self.assertTrue(self.gathering.knows(file(n)))
            self.assertNotIn(file(n), self.turns)
        self.assertEqual(self.planned()[1:], [self.names(4)])
        self.assertEqual((self.gathering.waiting_files, self.gathering.waiting_bytes), (4, 70))
        self.assertEqual(self.gathering.oldest, bundle(0))

    def test_stored(self) -> None:
        """Whatever is stored waits no more, and how often it had failed is told. What is held goes on
        waiting."""
        self.gathering.start()
        self.gathering.add(file(1), 10)
        self.gathering.hurry()
        self.planned()
        self.clock.advance(HURRY)
        self.gathering.add(file(2), 10)
        self.turns.begin(0.0, 1, False)
        self.turns.strike(bundle(0), 0.0, Failing("no"))
        self.assertEqual(self.gathering.shipped(bundle(0), Shipped(None)), 1)
        self.assertEqual(len(self.planned()), 1)
        self.assertEqual((self.gathering.waiting_files, self.gathering.waiting_bytes), (1, 10))

    def test_taken_apart(self) -> None:
        """Of a bundle that cannot be put as it is, some files go by themselves, some into another bundle at
        once, and the bundle waits on with the rest, if there is one. Its bytes are shared out evenly."""
        for stays in (False, True):
            self.setUp()
            self.gathering.start()
            for n in (1, 2, 3, 4):
                self.gathering.add(file(n), 30 * n)
            self.gathering.hurry()
            self.planned()
            self.bundles.files[bundle(0)] = self.names(3, 4)
            said = Shipped(None, apart=self.names(1), anew=self.names(2), stays=stays)
            self.gathering.shipped(bundle(0), said)
            self.assertEqual(self.planned()[1:], [self.names(2)])
            sizes = [self.turns.size(item) for item in (file(1), file(2), bundle(1), bundle(0))]
            self.assertEqual(sizes, [75, 0, 75, 150 if stays else 0])
            self.assertEqual(self.gathering.knows(file(3)), stays)
            # A file that goes by itself does so for as long as it waits.
            self.gathering.add(file(1), 80)
            self.assertEqual((self.turns.size(file(1)), len(self.planned())), (80, 2))
            self.gathering.shipped(file(1), Shipped(None))
            self.gathering.add(file(1), 80)
            self.assertEqual((file(1) in self.turns, self.gathering.knows(file(1))), (False, True))

    def test_bundle_that_becomes_another(self) -> None:
        """Of a bundle that is named again it is known what is in it now; and each counts as the files it is
        made of."""
        holding = Holding(FIVE)
        holding.bundle(bundle(0), self.names(1, 2))
        self.assertEqual((len(holding), holding.knows(file(1)), holding.knows(file(2))), (1, True, True))
        holding.bundle(bundle(0), self.names(2))
        self.assertEqual((len(holding), holding.knows(file(1)), holding.knows(file(2))), (0, False, True))
        self.assertEqual((holding.done(bundle(0)), holding.done(file(3))), (1, 1))
        self.assertFalse(holding.knows(file(2)))
