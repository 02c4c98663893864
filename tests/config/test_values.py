"""Tests of chatlog.config.values, through the configuration: what a single value may be."""

from __future__ import annotations

from tests.configurations import SHORT, ConfigTestCase


class ValuesTests(ConfigTestCase):
    """What cannot be a value of its key is refused, with what could."""

    def assert_refused(self, template: str, values: list[str], words: str) -> None:
        """Each of the values is refused in words; ``%s`` in the template is where it goes."""
        for value in values:
            problem = self.problem(template % value.replace("'", "''"))
            self.assertIn(words, problem, value)

    def test_values_out_of_bounds(self) -> None:
        """Every number, duration and size has bounds, and the error names them."""
        for key, values in {
            "twitch: {channels: [a], rooms_per_connection: '%s'}": ["0", "101", "-1"],
            "twitch: {channels: [a], joins_per_10s: '%s'}": ["0", "2001"],
            SHORT + "uploader: {concurrency: '%s'}": ["0", "17"],
            SHORT + "recorder: {flush_interval: '%s'}": ["49ms", "11s", "0s"],
            SHORT + "recorder: {sync_interval: '%s'}": ["99ms", "61s"],
            SHORT + "recorder: {rotate_interval: '%s'}": ["0s", "25h"],
            SHORT + "recorder: {rotate_size: '%s'}": ["999B", "5GB"],
            SHORT + "recorder: {buffer_limit: '%s'}": ["1KB", "2GB"],
            SHORT + "recorder: {max_size: '%s'}": ["99KB"],
            "kick: {channels: [{slug: a, chatroom_id: '%s'}]}": ["0", "-4"],
        }.items():
            self.assert_refused(key, values, "is not between")

    def test_bounds_are_allowed(self) -> None:
        """The bounds that the errors name may be used."""
        for template, values in {
            "twitch: {channels: [a], rooms_per_connection: %s}": ("1", "100"),
            "twitch: {channels: [a], joins_per_10s: %s}": ("1", "2000"),
            SHORT + "uploader: {concurrency: %s}": ("1", "16"),
            SHORT + "recorder: {flush_interval: %s}": ("50ms", "10s"),
            SHORT + "recorder: {sync_interval: %s}": ("100ms", "60s"),
            SHORT + "recorder: {rotate_interval: %s}": ("1s", "1d"),
            SHORT + "recorder: {rotate_size: %s}": ("1KB", "4GB"),
            SHORT + "recorder: {buffer_limit: %s}": ("1MB", "1GB"),
            SHORT + "recorder: {max_size: %s}": ("100KB", "1000TB"),
            SHORT + "http: {listen: 'h:%s'}": ("0", "65535"),
            "twitch: {channels: [%s]}": ("a", "a" * 25),
            SHORT + "instance: %s": ("a", "a" * 32),
        }.items():
            for value in values:
                self.read(template % value)

    def test_values_of_the_wrong_kind(self) -> None:
        """What cannot be a value of its key is refused with what could."""
        number = ["1.5", "x", "1e3", "0x10", "true", "1_0", "٣", "9" * 30]
        self.assert_refused(
            "twitch: {channels: [a], joins_per_10s: '%s'}", number, "is not a whole number between 1 and "
        )
        logins = ["a b", "a-b", "é", "a" * 26, "##a", "#", "a.b", "../a", "a/b"]
        self.assert_refused("twitch: {channels: ['%s']}", logins, "is not a Twitch login")
        for address in ("http://twitch.tv/a", "m.twitch.tv/popout/A/chat"):
            problem = "is the address of a channel; write its name, a"
            self.assert_refused("twitch: {channels: ['%s']}", [address], problem)
        self.assert_refused("twitch: {channels: ['%s']}", ["https://kick.com/a"], "belongs to kick.channels")
        self.assert_refused(
            "kick: {channels: ['%s']}", ["a b", "a.b", "../x", "a" * 65], "Kick channel's name"
        )
        self.assert_refused("twitch: {channels: ['%s']}", ["_server", "#_Server"], "Chatlog itself")
        self.assert_refused("kick: {channels: ['%s']}", ["_server"], "Chatlog itself")
        self.assert_refused(SHORT + "instance: '%s'", ["a-b", "A", "a" * 33, "a_b", "."], "instance name")
        self.assert_refused(
            SHORT + "recorder: {detail: '%s'}", ["all", "Full", "yes"], "is not one of full, basic"
        )
        self.assert_refused(
            SHORT + "uploader: {compression_level: '%s'}", ["0", "10", "-3"], "is not between 1 and 9"
        )
        self.assert_refused(
            SHORT + "uploader: {compression: '%s'}", ["zip", "gz"], "is not one of none, gzip, zstd"
        )
        prefixes = ["../x", "a/../b", ".", "a//b", "a b", "a\\b", "é", "a/./b", "x" * 600, "a?b", "a*"]
        self.assert_refused(SHORT + "s3: {bucket: bucket, prefix: '%s'}", prefixes, "is not a prefix")
        buckets = ["a", "a b", "a/b", "s3://b", "-a", "a..b", "é"]
        self.assert_refused(SHORT + "s3: {bucket: '%s'}", buckets, "is not a bucket's name")
        self.assert_refused(SHORT + "s3: {bucket: bbb, region: '%s'}", ["a b", "é", "a/b"], "is not a region")
        self.assert_refused(SHORT + "recorder: {directory: '%s'}", ["~/x", "~"][:1], "begins with ~")
        listen = [
            "8080",
            ":8080",
            "a b:1",
            "h:65536",
            "h:x",
            "::1:80",
            "[::1]",
            "[x:y]:1",
            "h:-1",
            "http://h:1",
        ]
        self.assert_refused(SHORT + "http: {listen: '%s'}", listen, "is not host:port")

    def test_servers_that_may_be(self) -> None:
        """Names of containers without TLS, names in their IDNA form, addresses of both families with and
        without a zone are servers."""
        for host in (
            "irc://chat_sim",
            "ircs://xn--bcher-kva.example.",
            "ircs://[::1]",
            "ircs://[fe80::1%eth0]",
        ):
            self.read(f"twitch: {{channels: [a], server: '{host}:6697'}}")
        self.read("kick: {channels: [a], server: 'ws://chat_sim:80/app/x'}")

    def test_addresses(self) -> None:
        """Addresses have the right scheme, a server, and neither credentials nor a query."""
        irc = "twitch: {channels: [a], server: '%s'}"
        self.assert_refused(
            irc, ["http://a", "irc.chat.twitch.tv:6697", "ircs:", "IRCX://a"], "begins with ircs://"
        )
        self.assert_refused(irc, ["ircs://", "ircs://a b", "ircs://:6697", "irc://a..b"], "names no server")
        self.assert_refused(irc, [f"ircs://{'a' * 64}.example"], "names no server")
        self.assert_refused(irc, ["ircs://bücher.example"], "write xn--bcher-kva.example")
        self.assert_refused(irc, ["ircs://a_b", "ircs://a-.example", "ircs://ab--c.x"], "no certificate")
        self.assert_refused(irc, ["ircs://a:99999", "ircs://a:x", "ircs://[::1"], "cannot be read")
        self.assert_refused(irc, ["ircs://a/x"], "has a path")
        self.assert_refused(irc, ["ircs://a:0"], "port 0")
        self.assert_refused(irc, ["ircs://u:p@a", "ircs://u@a:1"], "user name or a password")
        wss = "kick: {channels: [a], server: '%s'}"
        self.assert_refused(wss, ["wss://bücher.example/app/x"], "write xn--bcher-kva.example")
        self.assert_refused(wss, ["wss://a_b/app/x"], "no certificate")
        self.assert_refused(wss, ["https://a/app/x"], "begins with wss:// or ws://")
        self.assert_refused(wss, ["wss://a/app/x?protocol=7", "wss://a/#x", "wss://a/?"], "? or # part")
        s3 = SHORT + "s3: {bucket: bucket, endpoint: '%s'}"
        self.assert_refused(s3, ["s3.amazonaws.com", "s3://x"], "begins with https:// or http://")
        lookup = "kick: {channels: [a], lookup: '%s'}"
        self.assert_refused(
            lookup, ["https://a/x", "https://a/{slug}/{slug}", "https://a/{slug}{x}"], "{slug} in it"
        )
        subscribe = "kick: {channels: [a], subscribe: ['%s']}"
        self.assert_refused(
            subscribe, ["chatrooms.4.v2", "{x}.{channel_id}", "a b {channel_id}"], "Pusher channel"
        )
        url = SHORT + "archive: {url: '%s'}"
        self.assert_refused(url, ["ftp://a", "bucket"], "begins with s3://")
        self.assert_refused(url, ["/srv/x"], "write file:///srv/x, or archive.directory: /srv/x")
        self.assert_refused(url, ["file://host/x", "file:///"], "file:///directory")
        self.assert_refused(url, ["s3://", "gs://a", "az://a b"[:6]], "bucket")
        self.assert_refused(url, ["s3://bucket/../x", "file:///a/../b"], ". or .. in its path")
