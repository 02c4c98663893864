"""Tests of the remedies for values that are nearly right."""

from __future__ import annotations

from pathlib import Path

from chatlog.configuration import ConfigError, load, parse
from tests.configurations import SHORT, ConfigTestCase

#: Texts, and words of the one problem that each has.
NEARLY: dict[str, str] = {
    # Indentation.
    "twitch:\n  channels: [ann]\n recorder:\n": "begins with 1 space, and those above it with 0 or 2",
    " twitch:\n  channels: [ann]\nkick:\n": "begins with no space, and those above it with 1 or 2",
    "twitch:\n    channels: [ann]\n  lanes: 2\n": "begins with 2 spaces, and those above it with 0 or 4",
    "twitch:\n  channels:\n    - ann\n     - bob\n": "the dashes of a list stand exactly below each other",
    # One thing where there may be several, and the other way round.
    "twitch: {channels: shroud}": "write channels: [shroud]",
    "twitch: {channels: 'shroud, xqc'}": "write channels: [shroud, xqc]",
    "twitch:\n  channels:\n    -ann\n    -bob\n": "there is a space between - and a name: - ann",
    "twitch:\n  channels:\n    ann:\n    bob:\n": "write channels: [ann, bob]",
    "kick: {channels: {xqc: 668}}": "write channels: [{slug: xqc, chatroom_id: 668}]",
    "twitch: {channels: {alpha: 1, beta: x}}": "not keys with values; write channels: [alpha, beta]",
    "twitch: {channels: [{slug: alpha, chatroom_id: 1}]}": "not keys with values; write alpha",
    "twitch: {channels: [{alpha: 1}]}": "not keys with values; write alpha",
    "twitch: {channels: [{alpha: 1, beta: 2}]}": "not keys with values; write the name alone",
    SHORT + "instance: {a: b}": "not keys with values; write instance: and the value behind it, on one line",
    "twitch: [ann, bob]": "write channels: in front of the list",
    "twitch: ann": "write channels: [ann] below it",
    "twitch:\n  channels:[ann]\n": "the space after the colon is missing (channels: ...)",
    "twitch:\n  channels = [ann]\n": "a key ends with a colon (channels: ...)",
    SHORT + "archive: /srv/chat": "write directory: in front of the path",
    SHORT + "log: {levels: {twitch: debug}}": "write levels: [twitch=debug]",
    SHORT + "log: {levels: [twicth=debug]}": "names no part of the log; did you mean twitch?",
    SHORT + "log: {levels: [upload=debug]}": "did you mean uploader?",
    SHORT + "log: {levels: [database=debug]}": "names no part of the log; parts are alarms, ",
    SHORT + "log: {levels: [twitch=warning]}": "did you mean warn?",
    SHORT + "http: {hosts: example.com}": "write hosts: [example.com]",
    # Names of rooms.
    "twitch: {channels: [twitch/carl]}": "write carl",
    "twitch: {channels: [kick/carl]}": "write carl, under kick.channels",
    "kick: {channels: ['xqc:668']}": "write {slug: xqc, chatroom_id: 668}",
    "kick: {channels: [{slug: xqc, id: 668}]}": "did you mean chatroom_id or channel_id?",
    "kick: {channels: [{slug: xqc, chatroom: 668}]}": "unknown key; did you mean chatroom_id?",
    "kick: {channels: [{slug: xqc, room: 668}]}": "unknown key; did you mean chatroom_id?",
    "kick: {channels: [{slug: xqc, chanel: 668}]}": "unknown key; did you mean channel_id?",
    "kick: {channels: [{slug: xqc, ann: 668}]}": "unknown key; write {slug: ann, chatroom_id: 668}",
    "twitch: {channels: ['“ann”']}": "a curly quote (U+201C)",
    'twitch: {channels: ["an\u200bn"]}': "a space without width (U+200B)",
    "twitch: {channels: [ann]}\n\u00a0kick: {}": "a no-break space (U+00A0)",
    "twitch: {channels: [$CHANNEL]}": "a variable is written ${CHANNEL}",
    # Quantities.
    SHORT + "recorder: {sync_interval: 1 hour}": "write 1h",
    SHORT + "recorder: {sync_interval: 30sec}": "write 30s",
    SHORT + "recorder: {rotate_interval: 1h30m}": "write 90m",
    SHORT + "recorder: {rotate_size: 32M}": "write 32MB",
    SHORT + "recorder: {max_size: 2 gigabytes}": "write 2GB",
    SHORT + "recorder: {max_size: 2GB/s}": "is not a size",
    SHORT + "alarms: {coverage: 95%}": "is not a whole number between 0 and 100; write 95",
    "twitch: {channels: [a], rooms_per_connection: many}": "is not a whole number between 1 and 100 (Twitch",
    SHORT + "archive: {tier_after: 3}": "has no unit; write a duration such as 30d, 90d or 365d",
    SHORT + "archive: {tier_after: soon}": "is not a duration such as 30d, 90d or 365d",
    "kick: {channels: [{slug: a, chatroom_id: '1,234'}]}": "write 1234",
    # Words.
    SHORT + "uploader: {compression: gz}": "did you mean gzip?",
    SHORT + "uploader: {compression: ZSTD}": "write zstd",
    SHORT + "uploader: {compression: no}": "write none",
    SHORT + "log: {level: warning}": "did you mean warn?",
    "instance: My-Box\n" + SHORT: "write mybox",
    # Addresses.
    "twitch: {channels: [a], server: 'irc.chat.twitch.tv:6697'}": "write ircs://irc.chat.twitch.tv:6697",
    "twitch: {channels: [a], server: 'ircs://a:66970'}": "a port is a number from 1 to 65535",
    SHORT + "http: {listen: 8080}": "write 127.0.0.1:8080 for this machine alone",
    SHORT + "http: {listen: '127.0.0.1:99999'}": "a port is a number from 1 to 65535",
    SHORT + "http: {listen: 'http://127.0.0.1:8080/'}": "write 127.0.0.1:8080",
    SHORT + "http: {listen: false}": "for no page leave the value empty",
    SHORT + "http: {hosts: ['https://chat.example.com/x']}": "write chat.example.com",
    SHORT + "s3: {bucket: abc, endpoint: s3.amazonaws.com}": "write https://s3.amazonaws.com",
    SHORT + "s3: {bucket: 's3://abc/x'}": "write abc, and x under prefix",
    SHORT + "s3: {bucket: 'arn:aws:s3:::abc'}": "write abc",
    SHORT + "archive: {url: 'https://x.blob.core.windows.net/chat'}": "write az://chat",
    SHORT + "alarms: {webhook: 'https://discord.com/channels/1/2'}": "no webhook",
    SHORT + "alarms: {webhook: 'https://app.slack.com/client/T/C'}": "no webhook",
    # Paths.
    SHORT + "recorder: {directory: $HOME/data}": "write ${HOME}",
    SHORT + "archive: {directory: data/archive}": "inside recorder.directory",
    SHORT + "recorder: {directory: archive/data}": "recorder.directory: this lies inside archive.directory",
    SHORT + "archive: {directory: .}": "recorder.directory lies inside of this",
    SHORT + "recorder: {directory: /srv/x}\narchive: {url: 'file:///srv/x'}": "the two must differ",
    # Secrets.
    SHORT + "archive: {signing_key: abc}": "as openssl rand -hex 32 prints them",
    "twitch: {channels: [a], username: b, oauth: abc def}": "copy the token alone, without quotes or spaces",
    SHORT + "http: {token: abc def}": "copy the secret alone, without quotes or spaces",
    SHORT + "http: {token: $CHATLOG_TOKEN}": "a variable is written ${NAME}",
}
_ODD = ("s3cr3t", "S3CR3T s3cr3t", "twitch/s3cr3t", "7 s3cr3t", "s3cr3t:80")
#: What no configuration is.
FILES: dict[bytes, str] = {
    SHORT.encode("utf-16"): "UTF-16",
    SHORT.encode("utf-16-le"): "UTF-16",
    SHORT.encode("utf-16-be"): "UTF-16",
    SHORT.encode("utf-32"): "UTF-32",
    b"\x7fELF\x02\x01\x01" + bytes(100): "not text",
    b"\x1f\x8b\x08\x00\x00": "not text",
    b"\x89PNG\r\n\x1a\n": "not text",
}


class RemediesTests(ConfigTestCase):
    """One sentence each, at the place, with what to write."""

    def test_nearly_right(self) -> None:
        """A value that is nearly right gets a remedy that says what to write."""
        for text, words in NEARLY.items():
            problem = self.problem(text)
            self.assertRegex(problem, r"^chatlog\.yaml:[1-9]", text)
            self.assertIn(words, problem, text)

    def test_files(self) -> None:
        """Other encodings and other kinds of files are known for what they are."""
        for data, words in FILES.items():
            error = self.assertRaises(ConfigError, parse, data, {})
            [problem] = error.problems
            self.assertIn(words, problem)

    def test_as_right_as_the_usual_form(self) -> None:
        """A byte order mark, lines that end as on Windows, and # or @ in front of a name are fine."""
        for text in ("\ufeff" + SHORT, SHORT.replace("\n", "\r\n"), "twitch: {channels: ['#Ann', '@Bob']}"):
            parse(text.encode(), {})
        settings = parse(b"kick: {channels: [XQC, '@Ann', {slug: Bob, chatroom_id: '668'}]}", {})
        self.assertEqual(
            [channel.slug for channel in settings.platforms["kick"].channels], ["xqc", "ann", "bob"]
        )
        self.assertEqual(settings.platforms["kick"].channels[2].chatroom_id, 668)

    def test_nothing_of_the_environment(self) -> None:
        """What to write is never made of what came from the environment."""
        for text in (
            SHORT + "instance: ${X}",
            SHORT + "http: {listen: '${X}'}",
            SHORT + "s3: {bucket: '${X}'}",
            SHORT + "recorder: {sync_interval: '${X}'}",
            "twitch: {channels: ['${X}']}",
            "twitch: {channels: '${X}'}",
            SHORT + "http: {hosts: ['${X}']}",
            SHORT + "archive: {url: '${X}'}",
        ):
            for value in (*_ODD, "s3://s3cr3t/x", "https://s3cr3t.com/x", "/s3cr3t", "$S3CR3T"):
                try:
                    parse(text.encode(), {"X": value})
                except ConfigError as error:
                    self.assertNotIn("s3cr3t", str(error).lower(), (text, value))

    def test_a_variable_in_place_of_a_list(self) -> None:
        """The remedy shows how a variable is written in a list."""
        self.assert_problem("twitch: {channels: '${X}'}", 'write channels: ["${NAME}"]', X="ann")

    def test_a_file_that_may_not_be_read(self) -> None:
        """The problem says that this user may not read the file."""

        def refuse(path: str) -> bytes:
            raise PermissionError(13, "Permission denied")

        error = self.assertRaises(ConfigError, load, str(Path(self.mktemp())), {}, refuse)
        self.assertIn("may not read the file", error.problems[0])
