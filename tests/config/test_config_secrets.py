"""Tests of chatlog.config.config: secrets and hostile files."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from chatlog.config.schema import root_of
from chatlog.config.settings import Settings
from chatlog.configuration import ConfigError, parse
from chatlog.platforms import PLATFORMS
from chatlog.signing import Signer
from tests.configurations import SHORT, ConfigTestCase

ROOT = root_of({name: platform.section for name, platform in PLATFORMS.items()})


class SecretsTests(ConfigTestCase):
    """Secrets stay secret, also when something is wrong with them or with where they were put."""

    SECRET = "s3cr3t0token0s3cr3t"

    def assert_silent(self, text: str, environ: Mapping[str, str]) -> None:
        """No problem of the text shows the secret."""
        problems = self.problems(text, **environ)
        self.assertNotIn(self.SECRET, "\n".join(problems))

    def test_secret_keys(self) -> None:
        """A token or key that is refused is not shown."""
        bad = f"{self.SECRET} with spaces"
        for text in (
            f"twitch: {{channels: [a], username: b, oauth: '{bad}'}}",
            f"twitch: {{channels: [a], username: b, oauth: [{self.SECRET}]}}",
            f"twitch: {{channels: [a], oauth: {self.SECRET}}}",
            SHORT + f"s3: {{bucket: bucket, access_key_id: '{bad}', secret_access_key: '{bad}'}}",
            SHORT + f"s3: {{bucket: bucket, secret_access_key: {self.SECRET}}}",
            'twitch: {channels: [a], username: b, oauth: "' + self.SECRET + '\\n\\x01x"}',
        ):
            self.assert_silent(text, {})

    def test_signing_key(self) -> None:
        """A key to sign with is hex, or the line in a PEM; one that is not is refused without being shown."""
        pem = "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
        environ = {"KEY": pem}
        for value in ("07" * 32, pem, "${KEY}"):
            key = parse(f"{SHORT}archive: {{signing_key: '{value}'}}".encode(), environ).archive.signing_key
            assert key is not None
            self.assertEqual(Signer(key.reveal()).name, Signer("07" * 32).name)
        for value in (self.SECRET, "07" * 31, f"{'07' * 32}0", "${KEY}"):
            text = f"{SHORT}archive: {{signing_key: '{value}'}}"
            self.assert_problem(text, "archive.signing_key: ", KEY=self.SECRET)
            self.assert_silent(text, {"KEY": self.SECRET})
            self.assertNotIn("0707", "\n".join(self.problems(text, KEY=self.SECRET)))

    def test_still_a_sentence(self) -> None:
        """The error says what is wrong all the same."""
        self.assert_problem(
            f"twitch: {{channels: [a], username: b, oauth: '{self.SECRET} x'}}",
            "twitch.oauth: the value holds a space",
        )

    def test_variables_in_the_wrong_place(self) -> None:
        """The value of a variable is shown nowhere; errors show the variable's name."""
        environ = {"X": f"{self.SECRET} {self.SECRET}"}
        for text in (
            "twitch: {channels: ['${X}']}",
            SHORT + "s3: {bucket: '${X}', region: '${X}', endpoint: '${X}', prefix: '${X}'}",
            SHORT + "recorder: {flush_interval: '${X}', detail: 'a${X}', rotate_size: '${X}'}",
            SHORT + "http: {listen: '${X}'}\narchive: {url: '${X}'}\ninstance: '${X}'",
        ):
            self.assert_silent(text, environ)
        self.assert_problem(SHORT + "instance: a${X}", 'instance: "a${X}" is not an instance name', X="B")

    def test_credentials_gone_astray(self) -> None:
        """A token among the channels, in an address or as a key is not repeated either."""
        for text in (
            f"twitch: {{channels: ['oauth:{self.SECRET}']}}",
            f"twitch: {{channels: [a], server: 'ircs://bot:{self.SECRET}@host'}}",
            SHORT + f"s3: {{bucket: bucket, endpoint: 'https://k:{self.SECRET}@host'}}",
            f"twitch:\n  channels: [a]\n  oauth:{self.SECRET}: x\n",
            f"twitch:\n  oauth:{self.SECRET}\n",
            f"twitch:\n  channels: [a]\n  oauth:{self.SECRET}\n",
        ):
            self.assert_silent(text, {})

    def test_settings_do_not_show_them(self) -> None:
        """Settings can be printed."""
        found = self.read(f"twitch: {{channels: [a], username: b, oauth: {self.SECRET}}}")
        self.assertNotIn(self.SECRET, repr(found))
        self.assertEqual(found.platforms["twitch"].oauth.reveal(), self.SECRET)


class HostileTests(ConfigTestCase):
    """Whatever the file holds."""

    def test_errors_are_single_lines(self) -> None:
        """No value and no key can break the line of an error, or write one of its own."""
        for text in (
            'twitch: {channels: ["a\\nchatlog.yaml:1: forged\\e[31m"]}',
            'twitch: {channels: [a], "b\\nforged": 1}',
            SHORT + 'recorder: {directory: "a\\0b"}',
            SHORT + 'recorder: {detail: "\\u202efull\\u2028"}',
        ):
            for problem in self.problems(text):
                self.assertTrue(problem.isprintable(), problem)

    def test_long_values(self) -> None:
        """A value of any length makes a short error."""
        for text in (f"twitch: {{channels: [{'a' * 500_000}]}}", f"twitch: {{channels: ['{'b ' * 1500}']}}"):
            self.assertLess(len(self.problem(text)), 250)
        long = "y" * 5000
        self.assertLess(len(self.problem(f"twitch: {{channels: [a], {long}: 1}}")), 250)

    @given(st.binary(max_size=200))
    @settings(max_examples=150, deadline=None)
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are settings or a ConfigError, and nothing else."""
        self.assert_orderly(data)

    @given(
        st.recursive(
            st.sampled_from(
                [
                    "a",
                    "null",
                    "1s",
                    "-1",
                    "5MB",
                    "${A}",
                    "${",
                    "http://x",
                    "''",
                    "*x",
                    "&x b",
                    "!!int 3",
                    "90",
                ]
            ),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
                st.dictionaries(
                    st.sampled_from(
                        [*ROOT.keys, *(k for s in ROOT.keys.values() for k in getattr(s, "keys", ()))]
                    ),
                    inner,
                    max_size=5,
                ).map(lambda keys: "{" + ", ".join(f"{k}: {v}" for k, v in keys.items()) + "}"),
            ),
            max_leaves=25,
        )
    )
    @settings(max_examples=250, deadline=None)
    def test_any_shape(self, text: str) -> None:
        """The right keys in the wrong places, with values of every kind, are settings or a ConfigError."""
        self.assert_orderly(text.encode())

    def assert_orderly(self, data: bytes) -> None:
        """The bytes are settings or a ConfigError with printable problems."""
        try:
            self.assertIsInstance(parse(data, {"A": "x"}), Settings)
        except ConfigError as error:
            self.assertTrue(error.problems)
            for problem in error.problems:
                self.assertTrue(problem.startswith("chatlog.yaml:"), problem)
                self.assertTrue(problem.isprintable(), problem)
