"""The comparison with libraries: its statistics, its table, and what it does without a compiler."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.peers.building import Workshop, tools
from bench.peers.clients import CARGO, CLIENTS, GO, NPM, SOURCES
from bench.peers.measuring import sent_between
from bench.peers.results import Result, received, spread, table
from bench.stores.install import Unavailable


def result(name: str, each: float, rate: float = 1000, got: int = 1000, memory: float = 50) -> Result:
    """A result with ``each`` microseconds a message, and 1000 messages sent."""
    return Result(name, rate, 1000, got, each * got / 1e6, memory)


class TableTests(SynchronousTestCase):
    """Medians, ranges, and losses that are said."""

    def test_spread(self) -> None:
        """The median with its range; one run has none."""
        self.assertEqual(spread([52.0, 55.4, 50.2]), "52 (50-55)")
        self.assertEqual(spread([52.0]), "52")

    def test_received(self) -> None:
        """A client that lost messages says how many, over all runs."""
        self.assertEqual(received([result("a", 1), result("a", 1)]), "all 2,000")
        self.assertEqual(received([result("a", 1), result("a", 1, got=990)]), "1,990 of 2,000, lost 10")

    def test_nothing_came(self) -> None:
        """A client that got nothing is not the cheapest."""
        lines = table([Result("silent", 1000, 1000, 0, 0.0, 9), result("busy", 50)])
        self.assertEqual(lines[2], "| busy | 50 | 50 | all 1,000 |")
        self.assertEqual(lines[3], "| silent | inf | 9 | 0 of 1,000, lost 1,000 |")

    def test_table(self) -> None:
        """A row for each program, the cheapest first, and columns for each rate."""
        lines = table(
            [
                result("slow", 200),
                result("quick", 50),
                result("quick", 54),
                result("quick", 51),
                result("slow", 80, rate=5000),
                result("quick", 40, rate=5000, memory=70),
            ]
        )
        self.assertEqual(len(lines), 4)
        self.assertIn("1000 messages/s", lines[0])
        self.assertLess(lines[0].index("1000 messages/s"), lines[0].index("5000 messages/s"))
        self.assertEqual({line.count("|") for line in lines}, {lines[0].count("|")})
        self.assertEqual(lines[2], "| quick | 51 (50-54) | 50 | all 3,000 | 40 | 70 | all 1,000 |")
        self.assertEqual(lines[3], "| slow | 200 | 50 | all 1,000 | 80 | 50 | all 1,000 |")

    def test_failed(self) -> None:
        """Runs that failed are said, also of a program that never succeeded or has no run at a rate."""
        lines = table([result("a", 50)], [("a", 1000), ("b", 1000), ("b", 5000)])
        self.assertEqual(lines[2], "| a | 50 | 50 | all 1,000, failed: 1 | - | - | not run |")
        self.assertEqual(lines[3], "| b | - | - | failed: 1 | - | - | failed: 1 |")


class WindowTests(SynchronousTestCase):
    """What counts as sent."""

    def test_sent(self) -> None:
        """Only chat that has an id, and only within the window."""
        path = Path(self.mktemp())
        path.write_text(
            '{"note":"opened","connection":1,"at":1500}\n'
            '{"n":1,"at":999,"id":"early","type":"message"}\n'
            '{"n":2,"at":1000,"id":"first","type":"message"}\n'
            '{"n":3,"at":1500,"id":"other","type":"room"}\n'
            '{"n":3,"at":1600,"id":"","type":"message"}\n'
            '{"n":4,"at":1999,"id":"last","type":"message"}\n'
            '{"n":5,"at":2000,"id":"late","type":"message"}\n'
        )
        self.assertEqual(list(sent_between(path, 1.0, 2.0)), ["first", "last"])


class WorkshopTests(SynchronousTestCase):
    """Programs that cannot be built."""

    def test_no_tool(self) -> None:
        """A missing tool is named, and nothing is run or made."""
        root = Path(self.mktemp())
        for tool in (GO, CARGO, NPM):
            with self.assertRaisesRegex(Unavailable, f"there is no {tool} here"):
                Workshop(root, find=lambda _: None).build(tool)
        self.assertFalse(root.exists())

    def test_sources(self) -> None:
        """Every tool that builds sources has its directory, and every client starts what its tool makes."""
        here = Path(__file__).resolve().parent.parent / "bench" / "peers"
        for directory in SOURCES.values():
            self.assertTrue((here / directory).is_dir())
        root = Path(self.mktemp())
        for client in CLIENTS:
            self.assertIn(client.tool, tools())
            command, environ = Workshop(root).command(client)
            self.assertTrue(str(root / client.tool) in " ".join([*command, *environ.values()]), client.name)
