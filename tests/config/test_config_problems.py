"""Tests of chatlog.config.config: the problems of wrong configurations."""

from __future__ import annotations

import os

from chatlog.config.yaml_positions import MAX_BYTES
from chatlog.configuration import ConfigError, load, parse
from tests.configurations import SHORT, ConfigTestCase


class ProblemTests(ConfigTestCase):
    """The problems of a wrong configuration."""

    def test_all_at_once(self) -> None:
        """Every problem is reported in one go, in the order of the file, with its line and its key."""
        problems = self.problems(
            """twitch:
  channels:
    - ok
    - ok2
    - "Bad Name"
  rooms_per_connection: 500
  chanels: [x]
recorder:
  flush_interval: 5
  flush_interval: 1s
s3:
  region: us-east-1
  endpoint: ftp://x
"""
        )
        self.assertEqual(
            problems,
            [
                'chatlog.yaml:5: twitch.channels[2]: "Bad Name" is not a Twitch login (a-z, 0-9, _, at '
                "most 25)",
                'chatlog.yaml:6: twitch.rooms_per_connection: "500" is not between 1 and 100 '
                "(Twitch lets one account join 100 rooms)",
                "chatlog.yaml:7: twitch.chanels: unknown key; did you mean channels?",
                'chatlog.yaml:9: recorder.flush_interval: "5" has no unit; write a duration such as 500ms, '
                "1s, 5m, 1h or 1d",
                "chatlog.yaml:10: recorder.flush_interval: the key is given twice; first in line 9",
                "chatlog.yaml:12: s3.bucket: this key is required",
                'chatlog.yaml:13: s3.endpoint: "ftp://x" is not an address that begins with https:// or '
                "http://",
            ],
        )

    def test_unknown_keys(self) -> None:
        """An unknown key is an error, with the key that was probably meant."""
        cases = {
            "twich: {channels: [a]}": "twich: unknown key; did you mean twitch?",
            "Twitch: {channels: [a]}": "did you mean twitch?",
            "twitch: {channels: [a], rooms-per-connection: 3}": "did you mean rooms_per_connection?",
            SHORT + "recorder: {compression: gzip}": "did you mean uploader.compression?",
            SHORT + "recorder: {s3: x}": "top level",
            SHORT + "http: {zzz: 1}": "known are listen",
            SHORT + "uploader: {directory: x}": "did you mean recorder.directory or archive.directory?",
            SHORT + "alarms: {url: x}": "unknown key; known are webhook, ",
            SHORT + "recorder: {<<: {detail: basic}}": "recorder.<<: YAML merge keys are not",
            SHORT + "kick: {channels: [{name: x, slug: y}]}": "kick.channels[0].name: unknown key",
            SHORT + "kick: {channels: [{slug: x, chatroom_id: 5}, {slug: y, chatroom_id: 5}]}": (
                "kick.channels[1]: x has the chatroom_id 5 already"
            ),
        }
        for text, words in cases.items():
            self.assert_problem(text, words)

    def test_wrong_forms(self) -> None:
        """A list, a mapping and a single value are distinguished, and each place says which it needs."""
        cases = {
            "[a, b]": "this must be keys with values, not a list",
            "just text": "this must be keys with values, not a single value",
            "twitch: [a]": "twitch: this must be keys with values, not a list",
            "twitch: {channels: ann}": "twitch.channels: this must be a list of logins, not a single",
            "twitch: {channels: {ann: 1}}": "not keys with values",
            "twitch: {channels: [[ann]]}": "twitch.channels[0]: this must be a single value, not a list",
            SHORT + "recorder: {detail: [full]}": "recorder.detail: this must be a single value",
            SHORT + "instance: {a: b}": "instance: this must be a single value",
            "kick: {channels: [[a]]}": "kick.channels[0]: this must be keys with values, not a list",
        }
        for text, words in cases.items():
            self.assert_problem(text, words)

    def test_no_rooms(self) -> None:
        """A configuration that names no room is an error, and says where to put one."""
        for text in ("{}", "twitch: {channels: []}", "twitch:\nkick:\n", "recorder: {directory: x}"):
            self.assert_problem(text, "no room is named", "twitch.channels", "kick.channels")

    def test_nothing_follows_from_a_mistake(self) -> None:
        """A key that is wrong is not also reported as missing."""
        for text in (
            "twitch: {channels: ['a b']}",
            "twitch: {channel: [a]}",
            "tvitch: {channels: [a]}",
            "twitch: {username: a, oauth: '${X}', channels: [a]}",
            "twitch: {username: 'a b', oauth: x, channels: [a]}",
            SHORT + "s3: {bucket: 'x y'}",
            SHORT + "s3: {bucket: xxx, access_key_id: '${X}', secret_access_key: b}",
            "kick: {channels: [{slug: a b, chatroom_id: 1}], lookup: null}",
        ):
            self.problem(text)

    def test_files_that_cannot_be_used(self) -> None:
        """Empty files, and what is no YAML or no text, are one clear sentence with a line."""
        for data, words in {
            b"": "the file is empty",
            b"# nothing\n": "the file is empty",
            b"null": "the file is empty",
            b"a: 1\n\tb: 2": "chatlog.yaml:2: this is not YAML (column 1): there is a tab",
            b"a: \xff": "chatlog.yaml:1: the file is not UTF-8",
            b"a: \x00": "control character U+0000",
            b"[" * 1000: "nesting",
            b"x" * (MAX_BYTES + 1): "bytes",
            b"twitch: &t {channels: [a]}\nkick: *t": "aliases are not supported",
            b"twitch: !!set {channels}": "tags are not supported",
            b"twitch: {channels: [a]}\n---\n{}": "second YAML document",
        }.items():
            with self.assertRaises(ConfigError) as caught:
                parse(data, {})
            self.assertEqual(len(caught.exception.problems), 1)
            self.assertIn(words, caught.exception.problems[0])

    def test_loading(self) -> None:
        """A file that is missing or cannot be read is a sentence too; errors name the file as it was
        given, on one line."""
        directory = self.mktemp()
        os.mkdir(directory)
        for path, words in {
            f"{directory}/none.yaml": "there is no such file",
            directory: "this is a directory; name the file in it",
            "a\0b": "cannot be read",
            "a\nb": "a\\nb: there is no such file",
        }.items():
            with self.assertRaises(ConfigError) as caught:
                load(path, {})
            self.assertEqual(len(caught.exception.problems), 1)
            self.assertIn(words, caught.exception.problems[0])
            self.assertNotIn("\n", caught.exception.problems[0])
        with self.assertRaises(ConfigError) as caught:
            load("x/my.yaml", {}, lambda path: b"a: 1")
        self.assertTrue(caught.exception.problems[0].startswith("x/my.yaml:1: a: unknown key"))

    def test_a_file_without_end(self) -> None:
        """Of a file that never ends no more is read than a configuration may have."""
        with self.assertRaises(ConfigError) as caught:
            load("/dev/zero", {})
        self.assertIn("more than", caught.exception.problems[0])

    def test_variables(self) -> None:
        """A variable that is not set is named, with the key and what else can be done."""
        self.assert_problem(
            "twitch: {channels: [a], username: b, oauth: '${TWITCH_OAUTH}'}",
            "chatlog.yaml:1: twitch.oauth: the environment variable TWITCH_OAUTH is not set",
            "${TWITCH_OAUTH:-}",
        )
        self.assert_problem(
            "twitch: {channels: ['${A B}']}", "twitch.channels[0]: a variable is written ${NAME}"
        )
        self.assert_problem("twitch: {channels: [a], oauth: '${T}', username: b}", "no twitch.oauth", T="")

    def test_duplicates(self) -> None:
        """The same room twice is an error, also when it is written differently."""
        self.assert_problem(
            "twitch:\n  channels:\n    - '#Shroud'\n    - ann\n    - shroud\n",
            'chatlog.yaml:5: twitch.channels[2]: "shroud" is in the list twice; first in line 3',
        )
        self.assert_problem(
            "kick: {channels: [ann, {slug: Ann, chatroom_id: 3}]}", "kick.channels[1]", "twice"
        )

    def test_credentials_go_together(self) -> None:
        """A name without a token, a token without a name and half a key pair are errors."""
        self.assert_problem("twitch: {channels: [a], username: b}", "twitch.username: there is a name but no")
        self.assert_problem("twitch: {channels: [a], oauth: b}", "twitch.oauth: there is a token but no")
        s3 = SHORT + "s3: {bucket: bucket, %s: x}"
        self.assert_problem(s3 % "access_key_id", "s3.access_key_id: s3.secret_access_key is missing")
        self.assert_problem(s3 % "secret_access_key", "s3.secret_access_key: s3.access_key_id is missing")

    def test_token_in_clear(self) -> None:
        """A token is not sent without TLS to a server out in the world; on this machine it may be."""
        text = "twitch: {channels: [a], username: b, oauth: c, server: 'irc://%s'}"
        for far in ("irc.chat.twitch.tv", "8.8.8.8:6667", "[2606:4700::1]"):
            self.assert_problem(text % far, "twitch.server: irc:// would send the token unencrypted")
        for near in ("127.0.0.1:1", "localhost", "[::1]:6667", "10.0.0.3", "simulator:6667"):
            self.read(text % near)
        self.read("twitch: {channels: [a], server: 'irc://irc.chat.twitch.tv'}")

    def test_one_archive(self) -> None:
        """Two archives at once are an error, and so is an archive inside the spool's own directory."""
        self.assert_problem(
            SHORT + "s3: {bucket: bucket}\narchive: {url: 's3://bucket'}", "archive.url: s3 is given"
        )
        self.assert_problem(
            SHORT + "recorder: {directory: ./archive/}", "recorder.directory: this is archive"
        )
        self.read(SHORT + "recorder: {directory: archive}\ns3: {bucket: bucket}")

    def test_ids_without_lookup(self) -> None:
        """With the lookup off, every Kick room needs its id."""
        self.assert_problem(
            "kick:\n  lookup:\n  channels:\n    - {slug: a, chatroom_id: 1}\n    - b\n",
            "chatlog.yaml:5: kick.channels[1]: chatroom_id is required",
        )

    def test_larger_than_the_spool(self) -> None:
        """A file cannot be larger than everything."""
        self.read(SHORT + "recorder: {rotate_size: 1GB, max_size: 1GB}")
        self.assert_problem(SHORT + "recorder: {rotate_size: 2GB, max_size: 1GB}", "recorder.rotate_size")

    def test_bundles(self) -> None:
        """Bundles need zstd, and their files wait no longer than an hour."""
        self.assertEqual(self.read(SHORT + "uploader: {bundle: 5m}").uploader.bundle, 300.0)
        self.read(SHORT + "uploader: {bundle: 0s, compression: gzip}")
        self.assert_problem(
            SHORT + "uploader: {bundle: 5m, compression: gzip}", "uploader.bundle", "set that to zstd"
        )
        self.assert_problem(SHORT + "uploader: {bundle: 2h}", "uploader.bundle", "between 0s and 1h")

    def test_items(self) -> None:
        """An empty item of a list and a mapping without its required key are reported with their place."""
        self.assert_problem(
            "twitch:\n  channels:\n    - a\n    -\n    - b\n", ":4: twitch.channels[1]", "empty"
        )
        self.assert_problem(
            "kick: {channels: [{chatroom_id: 3}]}", "kick.channels[0].slug: this key is required"
        )
        self.assert_problem("kick: {channels: [{slug: a, chatroom_id: x}]}", "kick.channels[0].chatroom_id")
        self.assert_problem("kick: {channels: [{}]}", "kick.channels[0].slug")
