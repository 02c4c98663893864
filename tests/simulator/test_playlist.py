"""Faults that are added to a file while the simulator runs."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.playlist import POLL_INTERVAL, Playlist


class Scheduled:
    """Stands for Faults: keeps what it is to play."""

    def __init__(self) -> None:
        self.whats: list[str] = []

    def schedule(self, faults: list[Any]) -> None:
        """Note the faults."""
        self.whats += [fault.what for fault in faults]


class PlaylistTests(SynchronousTestCase):
    """A file that grows."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.scheduled = Scheduled()
        self.reports: list[str] = []
        self.clock = Clock()
        self.playlist = Playlist(self.path, self.scheduled, self.reports.append)  # type: ignore[arg-type]
        self.playlist.follow(self.clock)

    def add(self, text: str) -> None:
        """Append to the file and let it be read."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(text)
        self.clock.advance(POLL_INTERVAL)

    def test_every_line_once(self) -> None:
        """The file may come later; each line is played once, and half a line when it is whole."""
        self.clock.advance(POLL_INTERVAL)
        self.add("{what: drop}\n{what: rec")
        self.assertEqual(self.scheduled.whats, ["drop"])
        self.add("onnect}\n")
        self.clock.advance(POLL_INTERVAL)
        self.assertEqual(self.scheduled.whats, ["drop", "reconnect"])

    def test_a_bad_line(self) -> None:
        """A line that is no fault is reported, and the next one is played."""
        self.add("{what: nonsense}\n{what: drop}\n")
        self.assertEqual(self.scheduled.whats, ["drop"])
        self.assertEqual(len(self.reports), 1)
        self.assertIn("what must be one of", self.reports[0])
