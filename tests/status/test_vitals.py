"""What the process says of itself."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.status.vitals import Vitals, disk_space


class VitalsTests(SynchronousTestCase):
    """Memory, processor, descriptors, lateness."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cpu = 0.0
        self.vitals = Vitals(self.clock, lambda: self.cpu)

    def test_this_process(self) -> None:
        """Figures come from the system; an open file more is a descriptor more."""
        self.vitals.begin()
        before = self.vitals.descriptors
        fd = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.vitals.sample()
        self.assertEqual(self.vitals.descriptors, before + 1)
        self.assertTrue(5_000_000 < self.vitals.resident < 2_000_000_000, self.vitals.resident)

    def test_nothing_to_read(self) -> None:
        """Where the system tells nothing the figures are 0."""
        vitals = Vitals(self.clock, lambda: 0.0, proc=self.mktemp())
        vitals.begin()
        self.assertEqual((vitals.resident, vitals.descriptors), (0, 0))

    def test_strange_statm(self) -> None:
        """Nor does nonsense in its place harm."""
        place = Path(self.mktemp())
        place.mkdir()
        for text in ("", "1", "one two", "\0"):
            (place / "statm").write_text(text)
            vitals = Vitals(self.clock, lambda: 0.0, proc=str(place))
            vitals.sample()
            self.assertEqual(vitals.resident, 0)

    def test_percent(self) -> None:
        """The processor's share is that of the time between two samples; a sample that comes at once
        after another does not change it."""
        self.vitals.begin()
        self.clock.advance(5)
        self.cpu = 0.5
        self.vitals.sample()
        self.assertEqual(self.vitals.percent, 10.0)
        self.vitals.sample()
        self.assertEqual(self.vitals.percent, 10.0)

    def test_lag_is_the_worst_of_half_a_minute(self) -> None:
        """The worst delay is remembered for thirty seconds; a beat that comes early is no delay."""
        for late in (0.0, 3.0, 0.2, -0.1):
            self.clock.advance(1.0 + late)
            self.vitals.beat()
        self.assertAlmostEqual(self.vitals.lag, 3.0)
        for _ in range(27):
            self.clock.advance(1.0)
            self.vitals.beat()
        self.assertAlmostEqual(self.vitals.lag, 3.0)
        self.clock.advance(1.0)
        self.vitals.beat()
        self.assertAlmostEqual(self.vitals.lag, 0.2)

    def test_disk_space(self) -> None:
        """What is free is less than what there is, and both are bytes of the real file system."""
        free, whole = disk_space(".")
        self.assertTrue(0 <= free < whole)
        self.assertRaises(OSError, disk_space, self.mktemp())
