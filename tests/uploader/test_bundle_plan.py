"""The plans of bundles on the disk: which files go together, and under which name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.files import TEMPORARY
from chatlog.naming import parse_bundle_name
from chatlog.uploader.bundle_plan import DONE, MOST_BYTES, MOST_FILES, PLANNED, Plan, Plans
from tests.fakes import MemoryFiles

NAME = "main_20251229_1030.jsonl"


def file(room: str, minute: str = "1030", instance: str = "") -> str:
    """The name of a file; ``minute`` is that of the day."""
    of = f"_{instance}" if instance else ""
    return f"twitch_{room}_20251229_{minute}{of}.jsonl"


class PlansTests(SynchronousTestCase):
    """A spool without a directory for packed files yet."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data/sealed")
        self.plans = Plans(self.files, "/data")

    def make(self, *files: tuple[str, int], most: int = MOST_BYTES) -> list[tuple[str, tuple[str, ...], int]]:
        """The names, files and bytes of the bundles that are planned."""
        return [(str(plan.name), plan.files, size) for plan, size in self.plans.make(files, most)]

    def test_written_and_read(self) -> None:
        """A plan is read as it was written, also by the next process, and after a power cut once it was
        settled; the directory is made where it is missing."""
        plan = Plan(parse_bundle_name(NAME), (file("ann"), file("bob")))
        self.plans.write(plan)
        self.plans.settle()
        self.files.lose()
        self.assertEqual(Plans(self.files, "/data").read(NAME), plan)
        self.assertEqual(
            self.files.content(f"/data/packed/{NAME}{PLANNED}"),
            b'{"format":1,"checked":false,"files":["%b","%b"]}\n' % tuple(map(str.encode, plan.files)),
        )

    def test_forms(self) -> None:
        """A plan is done once that is noted. Whoever lists the plans is told which are, and nothing of other
        files; half a plan is taken away."""
        for name in ("main_20251229_1000.jsonl", NAME):
            self.plans.write(Plan(parse_bundle_name(name), (file("ann"),)))
        self.assertFalse(self.plans.is_done(NAME))
        self.plans.done(parse_bundle_name(NAME))
        self.assertTrue(self.plans.is_done(NAME))
        for other in (f"{file('ann')}.zst", f"main_20251229_1100.jsonl{PLANNED}{TEMPORARY}", "notes.txt"):
            self.files.put(f"/data/packed/{other}", b"1")
        listed = sorted(self.plans.names())
        self.assertEqual(listed, [("main_20251229_1000.jsonl", PLANNED), (NAME, DONE)])
        self.assertFalse(self.files.exists(f"/data/packed/main_20251229_1100.jsonl{PLANNED}{TEMPORARY}"))

    def test_dropped(self) -> None:
        """A plan that was dropped stays away after a power cut; to drop one that is gone hurts nothing."""
        self.plans.write(Plan(parse_bundle_name(NAME), (file("ann"),)))
        self.plans.settle()
        self.plans.drop(NAME)
        self.plans.drop(NAME)
        self.files.lose()
        self.assertEqual(list(self.plans.names()), [])

    def test_groups(self) -> None:
        """The files of one hour and one instance go together, in order, under the name of the first."""
        found = self.make(
            *((file("cat", "1101"), 1), (file("bob", "1030"), 2), (file("ann", "1059"), 4)),
            *((file("ann", "1030"), 8), (file("ann", "1030", "two"), 16)),
        )
        self.assertEqual(
            found,
            [
                (NAME, (file("ann", "1030"), file("bob", "1030"), file("ann", "1059")), 14),
                ("two_20251229_1030.jsonl", (file("ann", "1030", "two"),), 16),
                ("main_20251229_1101.jsonl", (file("cat", "1101"),), 1),
            ],
        )

    def test_bounds(self) -> None:
        """A bundle has at most so many bytes and files; a file that is larger by itself is one alone."""
        found = self.make(*((file(name), 50) for name in "abc"), most=100)
        self.assertEqual([size for _, _, size in found], [100, 50])
        found = self.make((file("a"), 900), (file("b"), 60), (file("c"), 40), (file("d"), 1), most=100)
        self.assertEqual([size for _, _, size in found], [900, 100, 1])
        found = self.make(*((file(f"r{n}"), 1) for n in range(MOST_FILES + 1)))
        self.assertEqual([len(files) for _, files, _ in found], [MOST_FILES, 1])

    def test_no_number_twice(self) -> None:
        """Bundles of a minute have one number after the other, whether the one before still waits or is
        stored and gone; those on the disk, planned or done, keep theirs in the next process."""
        names = [name for name, _, _ in self.make(*((file(name), 60) for name in "abc"), most=100)]
        self.assertEqual(names, [NAME, "main_20251229_1030-2.jsonl", "main_20251229_1030-3.jsonl"])
        self.plans.drop(names[2])
        self.plans.done(parse_bundle_name(names[1]))
        self.assertEqual(self.make((file("d"), 1))[0][0], "main_20251229_1030-4.jsonl")
        self.plans.drop("main_20251229_1030-4.jsonl")
        again = Plans(self.files, "/data")
        [(plan, _)] = again.make([(file("e"), 1)])
        self.assertEqual(str(plan.name), "main_20251229_1030-3.jsonl")
        again.drop(names[1], DONE)
        [(plan, _)] = Plans(self.files, "/data").make([(file("f"), 1)])
        self.assertEqual(str(plan.name), names[1])

    def test_many_minutes(self) -> None:
        """The numbers of the latest minutes are remembered, and no more of them than a bundle has files."""
        minutes = [f"{n // 60:02d}{n % 60:02d}" for n in range(MOST_FILES + 1)]
        for minute in minutes:
            for name, _, _ in self.make((file("ann", minute), 1)):
                self.plans.drop(name)
        [(latest, _, _)] = self.make((file("ann", minutes[1]), 1))
        self.assertEqual(latest, f"main_20251229_{minutes[1]}-2.jsonl")
        [(oldest, _, _)] = self.make((file("ann", minutes[0]), 1))
        self.assertEqual(oldest, f"main_20251229_{minutes[0]}.jsonl")
