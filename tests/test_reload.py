"""A changed configuration while recording goes on."""

from __future__ import annotations

import re
from dataclasses import replace

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import (
    AlarmSettings,
    BackfillSettings,
    HealthSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    RecorderSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
)
from chatlog.configuration import ConfigError
from chatlog.network.tls import CertificateAuthorityError
from chatlog.platforms import PLATFORMS
from chatlog.reload import CHANGEABLE, Reload, changes, in_force, is_changeable
from tests.recording import Recording, line
from tests.test_layering import ROOT

SETTINGS = Settings(platforms={"twitch": TwitchSettings(("ann", "bob"))})


class ChangesTests(SynchronousTestCase):
    """What is different."""

    def test_documented(self) -> None:
        """docs/configuration.md names exactly the keys that can change while the process runs."""
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        section = page.partition("## Changing it while it runs")[2]
        section = section.partition("In force")[2].partition(". ")[0]
        self.assertEqual(
            set(re.findall(r"`([a-z_.]+)`", section)),
            {*CHANGEABLE, *(f"{platform}.channels" for platform in PLATFORMS)},
        )

    def test_paths(self) -> None:
        """Every key that changed is named by its path; a section that is new is one key."""
        new = replace(
            SETTINGS,
            platforms={
                **SETTINGS.platforms,
                "twitch": TwitchSettings(("ann",), oauth=Secret("x"), username="bot"),
            },
            recorder=RecorderSettings(flush_interval=0.25),
            s3=S3Settings("bucket"),
        )
        self.assertEqual(
            list(changes(SETTINGS, new)),
            ["twitch.channels", "twitch.username", "twitch.oauth", "recorder.flush_interval", "s3"],
        )
        self.assertEqual(list(changes(SETTINGS, SETTINGS)), [])

    def test_changeable_keys_exist(self) -> None:
        """Every key that is declared changeable exists."""
        whole = Settings(platforms={"twitch": TwitchSettings(()), "kick": KickSettings(())})
        for key in CHANGEABLE:
            place: object = whole
            for part in key.split("."):
                place = getattr(place, part)
        self.assertTrue(is_changeable("http.health.rooms"))
        self.assertFalse(is_changeable("http.listen"))
        self.assertFalse(is_changeable("twitch.channels_x"))


class ReloadTests(SynchronousTestCase):
    """What a hangup signal does."""

    def setUp(self) -> None:
        self.applied: list[Settings] = []
        self.next: Settings | Exception = SETTINGS
        self.made: dict[str, TwitchSettings | KickSettings] = {"twitch": TwitchSettings(("ann", "bob"))}
        self.broken = False
        self.reload = Reload(self.load, SETTINGS, self.apply, lambda: self.made)

    def apply(self, settings: Settings) -> None:
        """Put settings in force, unless that is broken."""
        if self.broken:
            self.fail("broken")
        self.applied.append(settings)

    def load(self) -> Settings:
        """What the file says now."""
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def logged(self) -> list[tuple[str, str]]:
        """The log of one reload: level and text."""
        with capturedLogs() as events:
            self.reload()
        return [
            (event["log_level"].name, event["log_format"].format(**event))
            for event in events
            if event["log_level"] >= LogLevel.info
        ]

    def test_a_bad_file_changes_nothing(self) -> None:
        """All problems are reported and what was in force stays in force."""
        self.next = ConfigError(["chatlog.yaml:3: twitch.channels: wrong", "chatlog.yaml:9: s3: wrong {x}"])
        self.assertEqual(
            self.logged(),
            [
                ("error", "chatlog.yaml:3: twitch.channels: wrong"),
                ("error", "chatlog.yaml:9: s3: wrong {x}"),
                (
                    "error",
                    "the configuration has problems; the one that was read before stays in force",
                ),
            ],
        )
        self.assertEqual(self.applied, [])

    def test_says_what_is_in_force_and_what_is_not(self) -> None:
        """What can change now does; what cannot is named, without its value."""
        self.next = replace(
            SETTINGS,
            platforms={
                **SETTINGS.platforms,
                "twitch": TwitchSettings(
                    ("ann",), host="other.example", port=1, oauth=Secret("s3cret"), username="x"
                ),
                "kick": KickSettings((KickChannel("cat", 1),)),
            },
            alarms=AlarmSettings(coverage=50),
            http=HttpSettings("127.0.0.1:1"),
        )
        logged = self.logged()
        self.assertEqual(
            logged,
            [
                (
                    "info",
                    "the configuration was read again; in force: twitch.channels, kick, alarms.coverage",
                ),
                (
                    "warn",
                    "these keys take effect at the next start: twitch.username, twitch.oauth, twitch.server, "
                    "http.listen",
                ),
            ],
        )
        self.assertEqual(self.applied, [self.next])

    def test_back_again(self) -> None:
        """What is set back to what it was at the start has changed as well, and is not asked for twice."""
        self.next = replace(SETTINGS, alarms=AlarmSettings(coverage=50))
        self.assertIn("in force: alarms.coverage", self.logged()[0][1])
        self.next = SETTINGS
        self.assertIn("in force: alarms.coverage", self.logged()[0][1])
        self.assertEqual(self.logged(), [("info", "the configuration was read again; nothing has changed")])

    def test_a_platform_that_came_later(self) -> None:
        """The first room of a platform brings its section along; what changes in it after that waits for the
        next start, and is said to."""
        self.next = replace(
            SETTINGS, platforms={**SETTINGS.platforms, "kick": KickSettings((KickChannel("cat", 1),))}
        )
        self.assertEqual(self.logged(), [("info", "the configuration was read again; in force: kick")])
        self.made["kick"] = self.next.platforms["kick"]
        self.next = replace(
            SETTINGS,
            platforms={
                **SETTINGS.platforms,
                "kick": KickSettings((KickChannel("cat", 1),), server="wss://other.example"),
            },
        )
        later = "these keys take effect at the next start: kick.server"
        self.assertEqual(self.logged(), [("warn", later)])
        self.assertEqual(self.logged(), [("warn", later)])

    def test_a_platform_that_came_without_a_section(self) -> None:
        """Where the first room was added at run time, the section comes too late for all but its rooms."""
        self.made["kick"] = KickSettings(())
        self.next = replace(
            SETTINGS,
            platforms={**SETTINGS.platforms, "kick": KickSettings((KickChannel("cat", 1),), lanes=2)},
        )
        self.assertEqual(
            self.logged(),
            [
                ("info", "the configuration was read again; in force: kick.channels"),
                ("warn", "these keys take effect at the next start: kick.lanes"),
            ],
        )

    def test_backfill_comes_with_a_start(self) -> None:
        """Also where Twitch itself is new, and all the rest of its section is in force."""
        del self.made["twitch"]
        backfill = BackfillSettings("https://recent.example/api")
        self.next = replace(
            SETTINGS, platforms={**SETTINGS.platforms, "twitch": TwitchSettings(("ann",), backfill=backfill)}
        )
        self.assertIn(("warn", "these keys take effect at the next start: twitch.backfill"), self.logged())

    def test_an_authority_that_cannot_be_read(self) -> None:
        """It is a problem of the configuration like any other, and nothing of that is in force."""
        self.next = CertificateAuthorityError("ca.pem: no certificate authority can be read from it")
        self.assertIn("stays in force", self.logged()[1][1])
        self.assertEqual(self.applied, [])

    def test_what_could_not_be_applied_is_tried_again(self) -> None:
        """The next signal finds the same changes."""
        self.next = replace(SETTINGS, alarms=AlarmSettings(coverage=50))
        self.broken = True
        self.logged()
        self.assertEqual(len(self.flushLoggedErrors(self.failureException)), 1)
        self.broken = False
        self.assertIn("in force: alarms.coverage", self.logged()[0][1])

    def test_what_others_see(self) -> None:
        """Every display of the settings shows those in force."""
        new = replace(
            SETTINGS,
            instance="other",
            http=HttpSettings("127.0.0.1:1", token=Secret("x"), health=HealthSettings(rooms=5)),
            recorder=RecorderSettings("elsewhere", rotate_size=10_000),
        )
        seen = in_force(SETTINGS, new)
        self.assertEqual(seen.instance, SETTINGS.instance)
        self.assertEqual(seen.recorder.directory, SETTINGS.recorder.directory)
        self.assertEqual((seen.http.listen, seen.http.token), (SETTINGS.http.listen, SETTINGS.http.token))
        self.assertEqual((seen.http.health.rooms, seen.recorder.rotate_size), (5, 10_000))

    def test_nothing_new(self) -> None:
        """An unchanged file is reported as unchanged."""
        self.assertEqual(self.logged(), [("info", "the configuration was read again; nothing has changed")])


class ReconfigureTests(SynchronousTestCase):
    """The recorder under other intervals and limits."""

    def test_flush_interval(self) -> None:
        """Another flush interval is in force at once, and nothing that waits is lost."""
        rig = Recording().start()
        rig.append("room", line(1))
        rig.recorder.reconfigure(replace(rig.settings, flush_interval=0.1))
        rig.clock.advance(0.1)
        rig.clock.advance(0)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_rotate_interval(self) -> None:
        """Another rotation interval ends the files at its own borders, not at once."""
        rig = Recording().start()
        rig.append("room", line(1))
        rig.advance(1)
        rig.recorder.reconfigure(replace(rig.settings, rotate_interval=60.0))
        rig.advance(5)
        self.assertEqual(rig.sealed, [])
        rig.advance(60)
        self.assertEqual(len(rig.sealed), 1)

    def test_sizes(self) -> None:
        """Other sizes hold for what is written next."""
        rig = Recording().start()
        rig.append("room", line(1))
        rig.advance(1)
        rig.recorder.reconfigure(replace(rig.settings, rotate_size=10))
        rig.append("room", line(2))
        rig.advance(2)
        self.assertEqual(len(rig.sealed), 1)
        rig.recorder.reconfigure(replace(rig.settings, max_size=1))
        rig.append("room", line(3))
        rig.advance(1)
        self.assertIn("max_size", rig.recorder.trouble)
