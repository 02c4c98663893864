"""Tests of chatlog.config.config: what a right configuration becomes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from chatlog.config.schema import Items, Section, root_of
from chatlog.config.settings import (
    AlarmSettings,
    ArchiveSettings,
    BackfillSettings,
    HealthSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    LogSettings,
    RecorderSettings,
    S3Settings,
    Secret,
    Settings,
    TwitchSettings,
    UploaderSettings,
)
from chatlog.configuration import parse
from chatlog.platforms import PLATFORMS
from tests.configurations import SHORT, ConfigTestCase

ROOT = root_of({name: platform.section for name, platform in PLATFORMS.items()})


class SettingsTests(ConfigTestCase):
    """What a right configuration becomes."""

    def test_the_short_form(self) -> None:
        """A name, a token, channels and a bucket are all that is needed; the rest has defaults."""
        text = """
twitch:
  username: chatlog_bot
  oauth: ${TWITCH_OAUTH}
  channels:
    - shroud
    - summit1g
s3:
  bucket: chatlog-archive
  region: us-east-1
  endpoint: https://s3.amazonaws.com
  access_key_id: ${AWS_ACCESS_KEY_ID}
  secret_access_key: ${AWS_SECRET_ACCESS_KEY}
"""
        found = self.read(
            text, TWITCH_OAUTH="oauth:abc123", AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="sss/+="
        )
        self.assertEqual(
            found,
            Settings(
                platforms={"twitch": TwitchSettings(("shroud", "summit1g"), "chatlog_bot", Secret("abc123"))},
                s3=S3Settings(
                    "chatlog-archive",
                    "us-east-1",
                    "https://s3.amazonaws.com",
                    Secret("AKIA"),
                    Secret("sss/+="),
                ),
            ),
        )

    def test_every_key(self) -> None:
        """Every key arrives in its own field of the settings."""
        text = """
instance: a1
twitch:
  channels: [ann, Bob_2, "#Cat"]
  username: Bot
  oauth: OAuth:tok
  server: irc://127.0.0.1:6668
  ca_file: /etc/ca.pem
  rooms_per_connection: 50
  joins_per_10s: 2000
  lanes: 2
  backfill: {url: "https://example.org/api", at_once: 2}
kick:
  channels: [Ann, {slug: bob-2, chatroom_id: 4, channel_id: 5}, {slug: cat, chatroom_id: 6}]
  server: ws://127.0.0.1:81/app/x
  ca_file: ca2.pem
  rooms_per_connection: 7
  lookup: http://127.0.0.1/{slug}
  subscribe: ["chatrooms.{chatroom_id}.v2", "channel.{channel_id}"]
  lanes: 2
recorder:
  directory: /var/spool
  detail: basic
  flush_interval: 250ms
  sync_interval: 2s
  rotate_interval: 10m
  rotate_size: 1MiB
  max_size: 10GB
  buffer_limit: 2MB
archive: {url: "gs://bucket/pre", directory: there}
uploader: {compression: zstd, concurrency: 4}
http:
  listen: "[::1]:9"
  token: let-me-in
  hosts: [Chat.example.org]
  room_metrics: yes
  health:
    {reactor_lag: 1s, sync_lag: 2s, rooms: 90, room_grace: 3s, upload_age: 1h, store_grace: 4s}
alarms:
  webhook: https://example.org/hook?key=1
  webhook_format: slack
  coverage: 90
  spool: 70
  disk: 60
  unknown_per_hour: 5
  after: 1m
log: {format: json, level: warn, levels: [twitch=debug, "kick = error"]}
"""
        kick_channels = (
            KickChannel("ann"),
            KickChannel("bob-2", 4, 5),
            KickChannel("cat", 6),
        )
        subscribe = ("chatrooms.{chatroom_id}.v2", "channel.{channel_id}")
        self.assertEqual(
            self.read(text),
            Settings(
                instance="a1",
                platforms={
                    "twitch": TwitchSettings(
                        ("ann", "bob_2", "cat"),
                        "bot",
                        Secret("tok"),
                        "127.0.0.1",
                        6668,
                        False,
                        "/etc/ca.pem",
                        50,
                        2000,
                        2,
                        BackfillSettings("https://example.org/api", 2),
                    ),
                    "kick": KickSettings(
                        kick_channels,
                        "ws://127.0.0.1:81/app/x",
                        "ca2.pem",
                        7,
                        "http://127.0.0.1/{slug}",
                        subscribe,
                        2,
                    ),
                },
                recorder=RecorderSettings("/var/spool", "basic", 0.25, 2.0, 600.0, 2**20, 10**10, 2_000_000),
                archive=ArchiveSettings("gs://bucket/pre", "there"),
                uploader=UploaderSettings("zstd", 4),
                http=HttpSettings(
                    "[::1]:9",
                    Secret("let-me-in"),
                    ("chat.example.org",),
                    True,
                    HealthSettings(1.0, 2.0, 90, 3.0, 3600.0, 4.0),
                ),
                alarms=AlarmSettings(Secret("https://example.org/hook?key=1"), "slack", 90, 70, 60, 5, 60.0),
                log=LogSettings("json", "warn", (("twitch", "debug"), ("kick", "error"))),
            ),
        )

    def test_every_field_has_its_key(self) -> None:
        """No setting is out of reach of the configuration, and no key fills a field that is not there."""
        pending = [ROOT]
        while pending:
            section = pending.pop()
            filled: set[str] = set()
            for key, shape in section.keys.items():
                filled.update(getattr(shape, "fills", ()) or (key,))
                inner = shape.item if isinstance(shape, Items) else shape
                pending += [inner] if isinstance(inner, Section) else []
            made: Any = section.make
            if section is ROOT:
                made = Settings
                filled = filled - set(PLATFORMS) | {"platforms"}
            self.assertEqual(filled, {field.name for field in fields(made)}, section.make)

    def test_channels_are_taken_as_written(self) -> None:
        """A login may look like a number, a truth value or nothing at all to YAML."""
        found = self.read("twitch: {channels: [123, true, null, 0x10, no, 1e3, 007, 12_3, 2026]}")
        self.assertEqual(
            found.platforms["twitch"].channels,
            ("123", "true", "null", "0x10", "no", "1e3", "007", "12_3", "2026"),
        )

    def test_empty_means_left_out(self) -> None:
        """An optional key that is empty, null or an empty variable has its default."""
        text = """
instance:
twitch: {channels: [ann], username: , oauth: "", server: null, ca_file: ~, joins_per_10s: "${N:-}"}
kick:
s3: null
recorder: {directory: "", flush_interval: }
archive:
  url: ${URL}
http: {}
uploader: {compression: "  "}
"""
        self.assertEqual(self.read(text, URL=""), Settings(platforms={"twitch": TwitchSettings(("ann",))}))

    def test_no_page_and_no_lookup(self) -> None:
        """Where nothing is a choice of its own, empty is that choice."""
        text = "kick: {channels: [{slug: a, chatroom_id: 1}], lookup: null}\nhttp: {listen: null}"
        found = self.read(text)
        self.assertIsNone(found.http.listen)
        self.assertIsNone(found.platforms["kick"].lookup)
        self.assertIsNone(self.read(SHORT + "http: {listen: '${L}'}", L="").http.listen)

    def test_anonymous_name(self) -> None:
        """A justinfan name without a token is how others write anonymous reading."""
        found = self.read("twitch: {username: justinfan123, channels: [ann]}")
        self.assertEqual(found.platforms["twitch"], TwitchSettings(("ann",)))

    def test_a_platform_without_rooms_is_off(self) -> None:
        """An empty list of channels switches a platform off while the other one records."""
        found = self.read("twitch: {channels: []}\nkick: {channels: [ann]}")
        self.assertNotIn("twitch", found.platforms)
        self.assertEqual(found.platforms["kick"], KickSettings((KickChannel("ann"),)))

    def test_tigris_variables(self) -> None:
        """What `fly storage create` sets can be used as it is."""
        text = SHORT + (
            "s3:\n  bucket: ${BUCKET_NAME}\n  region: ${AWS_REGION}\n  endpoint: ${AWS_ENDPOINT_URL_S3}\n"
            "  access_key_id: ${AWS_ACCESS_KEY_ID}\n  secret_access_key: ${AWS_SECRET_ACCESS_KEY}\n"
        )
        found = self.read(
            text,
            BUCKET_NAME="wild-sun-1",
            AWS_REGION="auto",
            AWS_ENDPOINT_URL_S3="https://fly.storage.tigris.dev",
            AWS_ACCESS_KEY_ID="tid_x",
            AWS_SECRET_ACCESS_KEY="tsec_y",
        )
        self.assertEqual(
            found.s3,
            S3Settings(
                "wild-sun-1", "auto", "https://fly.storage.tigris.dev", Secret("tid_x"), Secret("tsec_y")
            ),
        )

    def test_small_spool_has_small_files(self) -> None:
        """If only the spool is limited, files are small enough for several to fit into it."""
        found = self.read(SHORT + "recorder: {max_size: 10MB}")
        self.assertEqual((found.recorder.max_size, found.recorder.rotate_size), (10_000_000, 2_500_000))
        self.assertEqual(self.read(SHORT + "recorder: {max_size: 9GB}").recorder.rotate_size, 32_000_000)

    def test_ports(self) -> None:
        """A server without a port has that of its protocol."""
        for server, expected in {
            "ircs://irc.example": ("irc.example", 6697, True),
            "irc://localhost": ("localhost", 6667, False),
            "ircs://[2001:db8::1]:7000/": ("2001:db8::1", 7000, True),
        }.items():
            twitch = self.read(f"twitch: {{channels: [a], server: '{server}'}}").platforms["twitch"]
            self.assertEqual((twitch.host, twitch.port, twitch.tls), expected)

    def test_prefix_is_trimmed(self) -> None:
        """Slashes around a prefix mean nothing."""
        for written, kept in {"/chat/raw/": "chat/raw", "/": "", "a=b/c.d": "a=b/c.d"}.items():
            s3 = self.read(SHORT + f"s3: {{bucket: bucket, prefix: {written}}}").s3
            assert s3 is not None
            self.assertEqual(s3.prefix, kept)

    def test_byte_order_mark_and_windows_lines(self) -> None:
        """A file from a Windows editor is read like any other."""
        data = b"\xef\xbb\xbftwitch:\r\n  channels:\r\n    - ann\r\n"
        self.assertEqual(parse(data, {}), Settings(platforms={"twitch": TwitchSettings(("ann",))}))

    def test_ten_thousand_rooms(self) -> None:
        """As many rooms as one recorder is made for are read, and checked for repetitions."""
        names = [f"room{n}" for n in range(10_000)]
        found = self.read("twitch:\n  channels:\n" + "".join(f"    - {name}\n" for name in names))
        self.assertEqual(found.platforms["twitch"].channels, tuple(names))
