"""Tests of archive.keep: how it is read, and what it means for a room."""

from __future__ import annotations

from math import inf

from chatlog.archive.retention import Retention
from chatlog.config.settings import Settings
from chatlog.configuration import describe, parse
from tests.configurations import SHORT, ConfigTestCase

DAY = 86400.0


def retention(text: str) -> Retention:
    """What a configuration says."""
    return Retention(parse(f"{SHORT}archive:\n  keep: {text}\n".encode(), {}).archive.keep)


class KeepTests(ConfigTestCase):
    """For how long records are kept."""

    def test_the_nearest_counts(self) -> None:
        """A room's own time goes before that of its platform, and that before the default."""
        found = retention("{default: 365d, kick: forever, Twitch/#X: 90d}".replace("#", ""))
        self.assertEqual(found.of(("twitch", "x")), 90 * DAY)
        self.assertEqual(found.of(("twitch", "y")), 365 * DAY)
        self.assertEqual(found.of(("kick", "x")), inf)
        self.assertEqual((found.words(("twitch", "x")), found.written(("twitch", "x"))), ("90 days", "90d"))
        self.assertEqual(found.since(("twitch", "x"), 100 * DAY), 10 * DAY)
        self.assertEqual(found.since(("kick", "x"), 100 * DAY), -inf)
        self.assertFalse(found.is_forever)
        self.assertEqual(list(found.rooms()), [("twitch", "x")])

    def test_why_nothing_is_there(self) -> None:
        """A time before what is kept explains why nothing is there, unless the archive begins much later, or
        the time is one that is kept."""
        found = retention("{twitch/x: 90d}")
        now = 1000 * DAY
        for until, begun, explains in (
            (900 * DAY, 910 * DAY, True),
            (900 * DAY, 911.5 * DAY, True),
            (910.5 * DAY, 910.9 * DAY, True),
            (900 * DAY, 950 * DAY, False),
            (920 * DAY, 950 * DAY, False),
        ):
            self.assertIs(found.explains(("twitch", "x"), until, begun, now), explains, (until, begun))
            self.assertFalse(found.explains(("kick", "x"), until, begun, now))

    def test_forever(self) -> None:
        """Where nothing is said, nothing is deleted."""
        for text in ("", "{}", "{default: forever}", "null", "{default: }"):
            found = retention(text)
            self.assertTrue(found.is_forever, text)
            self.assertEqual(found.of(("twitch", "x")), inf)

    def test_shown(self) -> None:
        """What is shown means the same when it is read again."""
        settings: Settings = parse(
            f"{SHORT}archive: {{keep: {{default: forever, twitch/x: 90d}}}}".encode(), {}
        )
        self.assertEqual(settings.archive.keep, (("default", inf), ("twitch/x", 90 * DAY)))
        self.assertEqual(parse(describe(settings).encode(), {}), settings)

    def test_wrong(self) -> None:
        """Whatever cannot be meant is named with its line."""
        for text, wanted in (
            ("{default: 90}", 'archive.keep.default: "90" is no duration such as 90d, and not forever'),
            ("{default: 36h}", '"36h" is not a number of whole days'),
            ("{default: 0d}", '"0d" is not a number of whole days from 1d to 36500d'),
            ("{twich/x: 90d}", "archive.keep.twich/x: there is no platform twich; there are twitch, kick"),
            ("{x y: 90d}", '"x y" is neither a room nor a platform; write twitch/NAME, twitch or default'),
            ("{twitch/x: 90d, Twitch/X: 30d}", "archive.keep.twitch/x: this is given twice"),
            ("{twitch/x: 90d, twitch/x: 30d}", '"twitch/x" is given twice'),
            ("90d", "this must be keys with values, not a single value"),
            ("[90d]", "this must be keys with values, not a list"),
        ):
            (problem,) = self.problems(f"{SHORT}archive:\n  keep: {text}\n")
            self.assertTrue(problem.startswith("chatlog.yaml:3: "), problem)
            self.assertIn(wanted, problem)
