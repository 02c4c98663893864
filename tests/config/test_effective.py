"""Tests of chatlog.config.effective: what --check says."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config import wording
from chatlog.config.effective import why_unwritable
from chatlog.config.settings import (
    ArchiveSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    RecorderSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
    UploaderSettings,
)
from chatlog.configuration import check_directories, describe, parse
from chatlog.kick import ids
from chatlog.kick import platform as kick_platform
from chatlog.kick import rooms as kick_rooms
from chatlog.rooms import bucket, connections
from chatlog.signing import Signer
from chatlog.twitch import platform as twitch_platform
from tests.test_layering import ROOT

TWITCH = TwitchSettings(("ann",))


class DescribeTests(SynchronousTestCase):
    """The effective configuration."""

    FULL = Settings(
        instance="a1",
        platforms={
            "twitch": TwitchSettings(("ann", "123", "null"), "bot", Secret("s3cret1"), "::1", 7000, False),
            "kick": KickSettings(
                (KickChannel("cat", 4), KickChannel("dog")), lookup="http://127.0.0.1/{slug}"
            ),
        },
        recorder=RecorderSettings("/srv/a b: #c", "basic", 0.25, 2.0, 600.0, 65536, 10**9, 2_000_000),
        s3=S3Settings("bucket", "auto", "http://127.0.0.1:9", Secret("s3cret2"), Secret("s3cret3"), "pre"),
    )

    def test_can_be_read_again(self) -> None:
        """What is shown is a configuration with the same meaning, but for the secrets."""
        text = describe(self.FULL)
        for stars in ("s3cret1", "s3cret2", "s3cret3"):
            text = text.replace("***", stars, 1)
        self.assertEqual(parse(text.encode(), {}), self.FULL)
        least = Settings(platforms={"kick": KickSettings((KickChannel("ann", 1),), lookup=None)})
        self.assertEqual(parse(describe(least).encode(), {}), least)

    def test_shows_every_key(self) -> None:
        """A key that was left out is shown with its default."""
        text = describe(Settings(platforms={"twitch": TWITCH}))
        self.assertIn("  rooms_per_connection: 90\n", text)
        self.assertIn("  flush_interval: 500ms\n", text)
        self.assertIn("  rotate_size: 32MB\n", text)
        self.assertNotIn("s3:", text)

    def test_secrets(self) -> None:
        """Secrets are stars."""
        text = describe(self.FULL)
        self.assertNotIn("s3cret", text)
        self.assertEqual(text.count("'***'"), 3)

    def test_sentences(self) -> None:
        """It says what would be done: rooms, connections, the time until all are asked for, and where
        files go under which names."""
        text = describe(self.FULL)
        for sentence in (
            "# Twitch: 3 rooms on 1 connection to ::1:7000 without TLS, as bot.\n",
            "# Kick: 2 rooms on 1 connection to wss://",
            "# Kick: the ids of 1 room are looked up at http://127.0.0.1/{slug}; Kick may refuse that.\n",
            "go to the bucket bucket at http://127.0.0.1:9, compressed with zstd, 2 at a time.\n",
            "like pre/2026/12/31/twitch/ann/twitch_ann_20261231_2300_a1.jsonl.zst\n",
        ):
            self.assertIn(sentence, text)

    def test_where_files_go(self) -> None:
        """Bucket, address or directory, each by its name, with the compression's ending; no page where
        there is none."""
        kick = KickSettings((KickChannel("cat", 1),), rooms_per_connection=1)

        def said(**changes: Any) -> str:
            return describe(replace(Settings(platforms={"kick": kick}), **changes))

        page = "# The status page is at http://127.0.0.1:8080/.\n"
        self.assertIn("go to the directory archive, compressed with zstd, 2 at a time", said())
        self.assertIn(page, said())
        self.assertNotIn("A page", said(http=HttpSettings(None)))
        self.assertIn("like 2026/12/31/kick/cat/kick_cat_20261231_2300.jsonl.zst\n", said())
        self.assertNotIn("looked up", said())
        plain = said(uploader=UploaderSettings("none", 1), archive=ArchiveSettings("gs://bucket/x"))
        self.assertIn("go to gs://bucket/x, as they are, 1 at a time", plain)
        self.assertIn("20261231_2300.jsonl\n", plain)
        self.assertIn(
            "go to the bucket bbb at AWS, eu-north-1, compressed", said(s3=S3Settings("bbb", "eu-north-1"))
        )

    def test_bundles(self) -> None:
        """With bundles it says what goes together, and under which names."""
        s3 = S3Settings("bbb", "eu-north-1", prefix="/pre/")
        bundled = UploaderSettings(bundle=300.0)
        text = describe(Settings(platforms={"twitch": TWITCH}, s3=s3, uploader=bundled, instance="a1"))
        self.assertIn("closed within 5m go as one object (bundle).\n", text)
        self.assertIn("like pre/bundle/2026/12/31/23/a1_20261231_2300.jsonl.zst\n", text)

    def test_time_to_ask_kick(self) -> None:
        """Rooms that must be looked up take the time of the lookups, many connections theirs."""

        def said(rooms: int, known: bool, each: int = 100) -> str:
            channels = tuple(KickChannel(f"r{n}", n + 1 if known else None) for n in range(rooms))
            return describe(Settings(platforms={"kick": KickSettings(channels, rooms_per_connection=each)}))

        self.assertIn("Kick: all 100 rooms are requested within 2 s of the start", said(100, True))
        self.assertIn("Kick: all 99 rooms are requested as soon as", said(99, True))
        self.assertIn("Kick: all 100 rooms are requested within 35 s of the start", said(100, False))
        self.assertIn("Kick: all 61 rooms are requested within 2 min of the start", said(61, True, 1))
        self.assertIn("Kick: all 60 rooms are requested within 118 s of the start", said(60, True, 1))

    def test_time_to_join(self) -> None:
        """The time until all rooms are asked for follows from the JOIN limit, or from the connections
        where those take longer."""

        def said(rooms: int, joins: int) -> str:
            channels = tuple(f"r{n}" for n in range(rooms))
            return describe(Settings(platforms={"twitch": TwitchSettings(channels, joins_per_10s=joins)}))

        self.assertIn("the room is requested as soon as there is a connection", said(1, 20))
        self.assertIn("all 20 rooms are requested as soon as there is a connection", said(20, 20))
        self.assertIn("all 21 rooms are requested within 11 s of the start", said(21, 20))
        self.assertIn("all 1,000 rooms are requested within 9 min of the start", said(1000, 20))
        self.assertIn("1,000 rooms on 12 connections", said(1000, 20))
        self.assertIn("all 1,000 rooms are requested within 22 s of the start", said(1000, 2000))

    def test_figures_are_those_of_the_recorder(self) -> None:
        """The limits that the sentences are made of are the ones that the sources keep to."""
        self.assertEqual(wording.OPEN_EVERY, connections.OPEN_EVERY)
        self.assertEqual(twitch_platform.JOIN_EVERY, 10.0 + bucket.Bucket.MARGIN)
        self.assertEqual(kick_platform.SUBSCRIPTIONS, kick_rooms.SUBSCRIPTIONS_PER_SECOND)
        self.assertEqual(kick_platform.LOOKUP_EVERY, ids.GAP)

    def test_one_line_a_line(self) -> None:
        """Nothing in a value breaks a line of the output."""
        settings = Settings(platforms={"twitch": TWITCH}, recorder=RecorderSettings("a\nforged: 1\x1b[31m"))
        for line in describe(settings).splitlines():
            self.assertTrue(line.isprintable(), line)
            self.assertFalse(line.startswith("forged"), line)


class DirectoriesTests(SynchronousTestCase):
    """Whether files can be written where they should be."""

    def settings(self, spool: str, archive: str = "", url: str | None = None) -> Settings:
        """Settings with these directories."""
        return Settings(
            platforms={"twitch": TWITCH},
            recorder=RecorderSettings(spool),
            archive=ArchiveSettings(url, archive or f"{spool}-archive"),
        )

    def made(self) -> str:
        """A new directory."""
        path: str = os.path.abspath(self.mktemp())
        os.mkdir(path)
        return path

    def test_directories_that_are_there_or_can_be_made(self) -> None:
        """No problem, nothing is made, nothing is left behind."""
        base = self.made()
        self.assertEqual(check_directories(self.settings(base, f"{base}/x/y")), [])
        self.assertEqual(check_directories(self.settings(f"{base}/a/b/c", base)), [])
        self.assertEqual(os.listdir(base), [])

    def test_a_file_in_the_way(self) -> None:
        """A file in place of a directory, or on the way to it, is reported with the key."""
        base = self.made()
        with open(f"{base}/file", "w"):
            pass
        for path in (f"{base}/file", f"{base}/file/x"):
            [problem] = check_directories(self.settings(path, base))
            self.assertEqual(problem, f"recorder.directory: {base}/file is not a directory")
        os.symlink(f"{base}/nowhere", f"{base}/dangling")
        [problem] = check_directories(self.settings(base, f"{base}/dangling"))
        self.assertIn("archive.directory: ", problem)

    def test_file_systems_that_take_nothing(self) -> None:
        """A directory in which nothing can be created is reported, for every user."""
        [problem] = check_directories(self.settings("/proc/chatlog", self.made()))
        self.assertIn("recorder.directory: /proc/chatlog cannot be made in /proc", problem)

    def test_why_nothing_can_be_created(self) -> None:
        """A file system that is read-only is told from a missing permission, also to the administrator."""
        for number, words in (
            (errno.EROFS, "the file system there is read-only"),
            (errno.EACCES, "no permission to write there"),
            (errno.EPERM, "no permission to write there"),
            (errno.ENOSPC, "No space left on device"),
        ):
            self.assertEqual(why_unwritable(OSError(number, os.strerror(number))), words)

    def test_only_what_is_used(self) -> None:
        """The archive's directory does not matter when the archive is elsewhere."""
        base = self.made()
        self.assertEqual(check_directories(self.settings(base, "/proc/x", "gs://bucket")), [])
        s3 = Settings(
            platforms={"twitch": TWITCH},
            recorder=RecorderSettings(base),
            s3=S3Settings("bucket"),
            archive=ArchiveSettings(None, "/proc/x"),
        )
        self.assertEqual(check_directories(s3), [])
        [problem] = check_directories(self.settings(base, base, "file:///proc/a%20b"))
        self.assertIn("archive.url: /proc/a b cannot be made in /proc", problem)

    def test_certificate_authorities(self) -> None:
        """An extra certificate authority must be a file that can be read."""
        base = self.made()
        settings = Settings(
            platforms={
                "twitch": TwitchSettings(("a",), ca_file=f"{base}/none.pem"),
                "kick": KickSettings((KickChannel("a"),), ca_file=base),
            },
            recorder=RecorderSettings(base),
            archive=ArchiveSettings(None, f"{base}/archive"),
        )
        self.assertEqual(
            check_directories(settings),
            [
                f"twitch.ca_file: {base}/none.pem: No such file or directory",
                f"kick.ca_file: {base}: Is a directory",
            ],
        )


class ExampleTests(SynchronousTestCase):
    """The configurations that come with Chatlog."""

    def text(self) -> str:
        """chatlog.yaml."""
        text: str = (ROOT / "chatlog.yaml").read_text("utf-8")
        return text

    def test_works_unedited(self) -> None:
        """chatlog.yaml needs no variable and no edit, and shows the defaults: anonymous Twitch, a
        directory as archive. What was recorded is served to this machine."""
        settings = parse(self.text().encode(), {})
        served = ArchiveSettings(listen="127.0.0.1:8081")
        self.assertEqual(
            settings,
            Settings(
                platforms={"twitch": TwitchSettings(settings.platforms["twitch"].channels)}, archive=served
            ),
        )

    def test_shows_every_key(self) -> None:
        """Every key is in chatlog.yaml, at work or switched off, and works when it is switched on."""
        text = re.sub(r"(?m)^( *)#((?:  )*)(?=[a-z-])", r"\1\2", self.text())
        variables = {"TWITCH_OAUTH": "x", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        variables |= {"CHATLOG_TOKEN": "c", "CHATLOG_WEBHOOK": "https://example.org/hook"}
        variables["CHATLOG_SIGNING_KEY"] = "07" * 32
        variables["CHATLOG_OPTOUT_KEY"] = "08" * 32
        variables["REDIS_PASSWORD"] = "r3disPassword"
        # A cluster's recorders need names.
        text = text.replace('instance: ""', "instance: a1")
        settings = parse(text.encode(), variables)
        shown = describe(settings)
        # Who signs is shown, and not the key for it.
        self.assertIn(Signer("07" * 32).name, shown)
        self.assertNotIn("07" * 32, shown)
        self.assertNotIn("08" * 32, shown)
        self.assertNotIn("r3disPassword", shown)
        keys = set(re.findall(r"(?m)^ *([a-z_0-9]+):", text))
        for line in shown.splitlines():
            if match := re.match(r" *([a-z_0-9]+):", line):
                self.assertIn(match[1], keys)
        self.assertEqual(settings.s3 and settings.s3.bucket, "chatlog-archive")
        self.assertEqual(settings.platforms["kick"].subscribe, KickSettings(()).subscribe)
        self.assertEqual(settings.platforms["kick"].lookup, KickSettings(()).lookup)

    def test_variables_of_the_containers(self) -> None:
        """The variables that fly.toml and the Dockerfile set move the directories."""
        variables = {
            "CHATLOG_DIRECTORY": "/data/spool",
            "CHATLOG_ARCHIVE": "/data/archive",
            "CHATLOG_ARCHIVE_LISTEN": "",
        }
        settings = parse(self.text().encode(), variables)
        self.assertEqual(settings.recorder.directory, "/data/spool")
        self.assertEqual(settings.archive.directory, "/data/archive")
        self.assertIsNone(settings.archive.listen)
        for name in variables:
            for file in ("fly.toml", "Dockerfile"):
                self.assertIn(name, (ROOT / file).read_text("utf-8"))

    def test_demo(self) -> None:
        """demo.yaml is a configuration."""
        settings = parse((ROOT / "demo.yaml").read_bytes(), {}, "demo.yaml")
        self.assertIsNone(settings.s3)
        for source in (settings.platforms["twitch"], settings.platforms["kick"]):
            self.assertIsNotNone(source)

    def test_they_can_be_read_by_everybody(self) -> None:
        """A container's user, who is not the one who built it, can read chatlog.yaml."""
        self.assertTrue((ROOT / "chatlog.yaml").stat().st_mode & stat.S_IROTH)
