"""Credentials that went astray are not repeated, whatever is wrong with a file or an address."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.masking import masked, masked_address, secrets_in
from chatlog.configuration import ConfigError, parse
from chatlog.store.archive import check_address
from chatlog.store.store import StoreError

OAUTH = "q7w8e9r0t1y2u3i4o5p6a7s8d9f0g1"
KEY_ID = "AKIAZXCVBNMASDFGHJKL"
SECRET_KEY = "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"
PASSWORD = "correct-horse-battery"
HOOK = "aBcDeFgHiJkL-mNoPqR"
FILE = f"""\
twitch:
  username: bot
  oauth: {OAUTH}
  channels: [shroud, xqc]
s3:
  bucket: chatlog-archive
  access_key_id: {KEY_ID}
  secret_access_key: {SECRET_KEY}
http:
  listen: 127.0.0.1:8080
  token: {PASSWORD}
alarms:
  webhook: https://discord.test/api/webhooks/123456/{HOOK}
"""
SECRETS = (OAUTH, KEY_ID, SECRET_KEY, PASSWORD, HOOK)
#: Eight letters of any of them are too many.
PIECES = frozenset(secret[at : at + 8] for secret in SECRETS for at in range(len(secret) - 7))


class FileTests(SynchronousTestCase):
    """A file that is wrong somewhere."""

    def said_of(self, text: str) -> str:
        """Everything that is reported about a file."""
        try:
            parse(text.encode(), {})
        except ConfigError as error:
            return "\n".join(error.problems)
        return ""

    def assert_silent(self, text: str) -> str:
        said = self.said_of(text)
        self.assertEqual([piece for piece in PIECES if piece in said], [], f"{said}\n{text}")
        return said

    def test_lines_that_ran_together(self) -> None:
        """A secret that became part of another value by mistake is removed; the problem is reported."""
        lines = FILE.split("\n")
        for at in range(len(lines) - 1):
            for between in ("", " ", ", ", ": "):
                joined = lines[at] + between + lines[at + 1].strip()
                self.assert_silent("\n".join([*lines[:at], joined, *lines[at + 2 :]]))
        said = self.said_of(FILE.replace("8080\n  token:", "8080"))
        self.assertIn('http.listen: "127.0.0.1:8080 ', said)

    def test_wrong_places(self) -> None:
        """So is one in the place of a key, of a room or of a variable, where it shows what it is."""
        for secret in (OAUTH, KEY_ID, SECRET_KEY, PASSWORD):
            for key in (
                "channels",
                "username",
                "listen",
                "instance",
                "region",
                "prefix",
                "endpoint",
                "hosts",
            ):
                for line in (
                    f"{key}: {secret}",
                    f"{key}: [{secret}]",
                    f"{key}: ${{{secret}}}",
                    f"{key}: ${secret}",
                ):
                    for indented in (line, f"  {line}"):
                        for place in ("s3:\n", "http:\n", "alarms:\n"):
                            self.assert_silent(FILE.replace(place, f"{indented}\n{place}"))
            for line in (secret, f"{secret}:", f"{secret}: x", f"- {secret}"):
                self.assert_silent(FILE.replace("s3:\n", f"s3:\n  {line}\n"))

    def test_any_slip(self) -> None:
        """Nor does a character too few or too many anywhere bring one out."""
        for at in range(len(FILE)):
            self.assert_silent(FILE[:at] + FILE[at + 1 :])
            if FILE[at] in ": \n":
                for sign in "\"'[{:,-$\n":
                    self.assert_silent(FILE[:at] + sign + FILE[at:])

    def test_what_stays(self) -> None:
        """What is no secret is still shown."""
        for text, shown in (
            ("twitch: {channels: ['some streamer 2020']}", "some streamer 2020"),
            (FILE.replace("chatlog-archive", "Chatlog Archive 2025"), "Chatlog Archive 2025"),
            (FILE.replace("127.0.0.1:8080", "my-host-01.example.com"), "my-host-01.example.com"),
            (FILE.replace("listen", "lissten"), "http.lissten: unknown key; did you mean listen?"),
        ):
            self.assertIn(shown, self.said_of(text))

    def test_names_of_keys(self) -> None:
        """The names of keys are shown, also behind a secret in the same line, misspelt, or where a secret
        begins like one; the secret is not."""
        for text, shown in (
            (
                "alarms: {webhook: 'ftp://x/" + HOOK + "', coverage: 500}",
                'alarms.coverage: "500" is not between',
            ),
            (
                "alarms: {webhook: ftp://x/" + HOOK + ", 'coverage': 500}",
                'alarms.coverage: "500" is not between',
            ),
            ('{"alarms": {"webhook":"ftp://x/' + HOOK + '","coverage":500}}', "alarms.coverage: "),
            (
                "alarms: {webhook: ftp://x/" + HOOK + ", coverrage: 5}",
                "coverrage: unknown key; did you mean coverage?",
            ),
            (f"http: {{token: {PASSWORD}, room_metrics: maybe}}", "http.room_metrics: "),
            (f"twitch: {{oauth: {OAUTH}, username: 'a b', channels: [a]}}", "twitch.username: "),
            (f"s3: {{secret_access_key: {SECRET_KEY}, endpoint: x y, bucket: b}}", "s3.endpoint: "),
            (
                "http: {token: coverage-" + PASSWORD + "}\nalarms: {coverage: 500}",
                'alarms.coverage: "500" is not',
            ),
            (f"archive: {{optout_key: {OAUTH}, cache_size: much}}", "archive.cache_size: "),
            ("alarms: {webhook_format: telegram, coverage: 500}", 'alarms.webhook_format: "telegram" is'),
        ):
            self.assertIn(shown, self.assert_silent(text), text)


class MaskTests(SynchronousTestCase):
    """What is taken out of a text."""

    def test_named(self) -> None:
        """Words behind the name of a secret, in whatever form; variables and short words are none."""
        text = (
            "token: ${A_LONG_NAME}\noauth: ${X:-by default}\npassword = 'long enough'\n"
            '"api_token": abcdefgh, x\nmy_secret:short\n'
        )
        self.assertEqual(sorted(secrets_in(text)), ["abcdefgh"])
        self.assertEqual(secrets_in("token: ${X:-defaultvalue}"), ["defaultvalue"])
        self.assertEqual(secrets_in("webhook: https://h.test/hooks/1234"), ["hooks/1234"])

    def test_beginnings(self) -> None:
        """A secret that was cut off is hidden as well, and in small letters."""
        self.assertEqual(masked('"horsebattery... (3 more)"', ["horsebatterystaple"]), '"***... (3 more)"')
        self.assertEqual(masked("write horsebatterystaple", ["Horse-Battery-Staple"]), "write ***")
        self.assertEqual(masked("horsebat horsebatt", ["horsebatt"]), "*** ***")

    def test_addresses(self) -> None:
        """Login and query of an address are not shown, by the commands neither."""
        self.assertEqual(masked_address("https://u:p@h/b?sig=x&y=1"), "https://***@h/b?***")
        self.assertEqual(masked_address("s3://bucket/a@b"), "s3://bucket/a@b")
        for url in (f"https://k:{PASSWORD}@host/b", f"ftp://h/c?sig={PASSWORD}", f"s3:?{PASSWORD}"):
            error = self.assertRaises(StoreError, check_address, url)
            self.assertNotIn(PASSWORD, str(error))

    @given(st.text(), st.lists(st.text(min_size=8), max_size=3))
    @settings(max_examples=200, deadline=None)
    def test_any_text(self, text: str, secrets: list[str]) -> None:
        """No text and no secret makes it fail."""
        masked(text, secrets_in(text))
        masked(text, secrets)
