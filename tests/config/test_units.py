"""Tests of chatlog.config.units."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.units import (
    parse_duration,
    parse_size,
    rough_duration,
    rough_size,
    show_duration,
    show_size,
)


class DurationTests(SynchronousTestCase):
    """Durations as people write them."""

    def test_units(self) -> None:
        """Every unit means what it says, whole or with a fraction, with or without a space."""
        cases = {
            "500ms": 0.5,
            "1s": 1.0,
            "0s": 0.0,
            "5m": 300.0,
            "1h": 3600.0,
            "1d": 86400.0,
            "1.5h": 5400.0,
            "0.25 s": 0.25,
        }
        for text, seconds in cases.items():
            self.assertEqual(parse_duration(text), seconds, text)

    def test_a_minute_is_no_month_and_no_megabyte(self) -> None:
        """Units are not guessed: what is no duration is refused, whatever it resembles."""
        for text in (
            "",
            "s",
            "5",
            "5 M",
            "5M",
            "1h30m",
            "-1s",
            "1e3s",
            "1,5s",
            "٣s",
            "5mb",
            "1s ",
            "0x1s",
            "NaNs",
        ):
            with self.assertRaises(ValueError, msg=text):
                parse_duration(text)

    def test_missing_unit_is_named(self) -> None:
        """A number alone is the most likely mistake, and the error says what is missing."""
        with self.assertRaises(ValueError) as caught:
            parse_duration("30")
        self.assertIn("has no unit", str(caught.exception))

    def test_no_finer_than_a_millisecond(self) -> None:
        """A duration that would be rounded is refused."""
        with self.assertRaises(ValueError) as caught:
            parse_duration("0.5ms")
        self.assertIn("whole number of milliseconds", str(caught.exception))

    @given(st.integers(0, 10**12))
    def test_shown_durations_can_be_read(self, milliseconds: int) -> None:
        """What is shown is what was set."""
        seconds = milliseconds / 1000
        self.assertEqual(parse_duration(show_duration(seconds)), seconds)

    def test_shown_in_the_largest_unit_that_fits(self) -> None:
        """Durations are shown as a person would write them."""
        shown = [show_duration(s) for s in (0.5, 1, 90, 300, 3600, 86400, 0)]
        self.assertEqual(shown, ["500ms", "1s", "90s", "5m", "1h", "1d", "0s"])


class SizeTests(SynchronousTestCase):
    """Sizes as people write them."""

    def test_units(self) -> None:
        """KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024, in upper and lower case."""
        cases = {
            "64KB": 64_000,
            "32MB": 32_000_000,
            "2GB": 2_000_000_000,
            "1TB": 10**12,
            "3TiB": 3 * 1024**4,
            "64KiB": 65536,
            "1MiB": 1048576,
            "1.5GiB": 1610612736,
            "32mb": 32_000_000,
            "1kib": 1024,
            "500B": 500,
            "0.5 KB": 500,
        }
        for text, size in cases.items():
            self.assertEqual(parse_size(text), size, text)

    def test_refused(self) -> None:
        """What is no size is refused, not guessed at."""
        for text in ("", "MB", "32", "32M", "32 MB ", "-1MB", "1s", "1.5B", "1e6B", "32MBit", "٣MB"):
            with self.assertRaises(ValueError, msg=text):
                parse_size(text)

    @given(st.integers(0, 10**15))
    def test_shown_sizes_can_be_read(self, size: int) -> None:
        """What is shown is what was set, to the byte."""
        self.assertEqual(parse_size(show_size(size)), size)

    def test_shown_as_somebody_would_write_them(self) -> None:
        """Powers of 1000 and of 1024 are both shown in their own unit."""
        sizes = (0, 500, 64_000, 32_000_000, 65536, 2**30, 2_000_000_000)
        self.assertEqual(
            [show_size(s) for s in sizes], ["0B", "500B", "64KB", "32MB", "64KiB", "1GiB", "2GB"]
        )


class RoughTests(SynchronousTestCase):
    """How long and how much, for a sentence."""

    def test_durations(self) -> None:
        """Two digits or so, in the unit that people would use."""
        cases = {
            0.0: "0.0 s",
            0.42: "0.4 s",
            52.4: "52 s",
            100.0: "2 min",
            5400.0: "90 min",
            9000.0: "2.5 h",
            345600.0: "4 days",
        }
        for seconds, text in cases.items():
            self.assertEqual(rough_duration(seconds), text)

    def test_sizes(self) -> None:
        """Three digits or so, in powers of 1000."""
        cases = {
            0: "0 B",
            812: "812 B",
            1000: "1.0 KB",
            99_949: "99.9 KB",
            1_940_000_000: "1.9 GB",
            250_000_000: "250 MB",
            999_600: "1.0 MB",
            12 * 10**12: "12.0 TB",
        }
        for size, text in cases.items():
            self.assertEqual(rough_size(size), text)
