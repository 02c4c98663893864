"""Which proxy lies between this machine and a server, and what is wrong with one that is named."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.proxies import DIRECT, proxies_in

SERVERS = (
    ("ircs", "irc.chat.twitch.tv", 6697),
    ("wss", "ws-us2.pusher.com", 443),
    ("https", "hooks.example", 443),
    ("http", "hooks.example", 80),
    ("irc", "irc.example", 6667),
    ("ws", "ws.example", 80),
)


def between(environ: dict[str, str], scheme: str, host: str, port: int) -> str:
    """The proxy's name, "" for none."""
    return str(proxies_in(environ)[0].between(scheme, host, port) or "")


class ChoiceTests(SynchronousTestCase):
    """Which variable is for what."""

    def test_by_scheme(self) -> None:
        """HTTPS_PROXY is for servers with TLS, HTTP_PROXY for http, ALL_PROXY for what has none."""
        for environ, expected in (
            ({}, ("", "", "", "", "", "")),
            ({"HTTPS_PROXY": "http://p:1"}, ("p:1", "p:1", "p:1", "", "", "")),
            ({"HTTP_PROXY": "http://p:1"}, ("", "", "", "p:1", "", "")),
            ({"ALL_PROXY": "http://p:1"}, ("p:1",) * 6),
            ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "q"}, ("q:80", "q:80", "q:80", "p:1", "p:1", "p:1")),
            ({"ALL_PROXY": "http://p:1", "HTTP_PROXY": "q"}, ("p:1", "p:1", "p:1", "q:80", "p:1", "p:1")),
            ({"HTTPS_PROXY": "", "https_proxy": "  "}, ("", "", "", "", "", "")),
        ):
            self.assertEqual(tuple(between(environ, *server) for server in SERVERS), expected, environ)

    def test_small_letters_win(self) -> None:
        """Of both spellings the one in small letters counts, unless it is empty."""
        self.assertEqual(between({"https_proxy": "a:1", "HTTPS_PROXY": "b:2"}, *SERVERS[0]), "a:1")
        self.assertEqual(between({"https_proxy": "", "HTTPS_PROXY": "b:2"}, *SERVERS[0]), "b:2")

    def test_this_machine(self) -> None:
        """What is on this machine is reached directly, because a proxy elsewhere could not; one on this
        machine is used for servers with TLS, and for http where HTTP_PROXY asks for it."""
        everything = {"ALL_PROXY": "127.0.0.1:1", "HTTPS_PROXY": "localhost:1"}
        for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "LOCALHOST.", "api.localhost"):
            for scheme in ("irc", "ws", "http"):
                self.assertEqual(between(everything, scheme, host, 80), "", host)
            self.assertEqual(between(everything, "ircs", host, 6697), "localhost:1", host)
            self.assertEqual(between({"HTTP_PROXY": "127.0.0.1:1"}, "http", host, 80), "127.0.0.1:1", host)
            elsewhere = {"ALL_PROXY": "p:1", "HTTPS_PROXY": "p:1", "HTTP_PROXY": "p:1"}
            for scheme in ("ircs", "irc", "http", "https"):
                self.assertEqual(between(elsewhere, scheme, host, 80), "", host)

    def test_addresses(self) -> None:
        """A proxy may be written without its scheme; the port is that of its scheme; IPv6 has brackets."""
        for text, name, tls in (
            ("http://proxy.example:3128/", "proxy.example:3128", False),
            ("proxy.example:3128", "proxy.example:3128", False),
            ("proxy_1", "proxy_1:80", False),
            ("https://proxy.example", "proxy.example:443", True),
            ("HTTP://[2001:db8::7]:3128", "[2001:db8::7]:3128", False),
            ("http://ann:word@10.0.0.1:3128", "10.0.0.1:3128", False),
        ):
            proxies, problems, warnings = proxies_in({"HTTPS_PROXY": text})
            assert proxies.https is not None, text
            self.assertEqual((str(proxies.https), proxies.https.tls), (name, tls), text)
            self.assertEqual((problems, warnings), ([], []), text)

    def test_login(self) -> None:
        """User and password are decoded, and are in nothing that is shown."""
        for text, login in (
            ("http://ann:word@p:1", "ann:word"),
            ("http://ann@p:1", "ann:"),
            ("http://a%40b:%C3%A4%3A%2F@p:1", "a@b:ä:/"),
        ):
            proxies, _, _ = proxies_in({"HTTPS_PROXY": text})
            assert proxies.https is not None
            said = proxies.https.authorization.removeprefix("Basic ")
            self.assertEqual(base64.b64decode(said).decode(), login)
            for shown in (repr(proxies), str(proxies.https), *proxies.describe()):
                self.assertNotIn("word", shown)
                self.assertNotIn(said, shown)

    def test_description(self) -> None:
        """It can be said which proxies are used, and by which variable."""
        self.assertEqual(DIRECT.describe(), [])
        proxies, _, _ = proxies_in({"https_proxy": "http://ann:word@p:1", "ALL_PROXY": "q"})
        self.assertEqual(
            proxies.describe(),
            [
                "Servers with TLS are reached through the proxy p:1 (https_proxy).",
                "Servers without TLS are reached through the proxy q:80 (ALL_PROXY).",
            ],
        )


class NoProxyTests(SynchronousTestCase):
    """NO_PROXY."""

    def test_forms(self) -> None:
        """Everything, names with all below them, addresses, networks; with a port or any."""
        for text, host, port, direct in (
            ("*", "a.example", 443, True),
            ("a.example", "a.example", 443, True),
            ("a.example", "b.a.example", 443, True),
            ("a.example", "ba.example", 443, False),
            (".a.example", "b.a.example", 443, True),
            (".a.example", "a.example", 443, True),
            ("*.a.example", "b.a.example", 443, True),
            ("A.Example", "a.example.", 443, True),
            ("other.example, a.example", "a.example", 443, True),
            ("other.example a.example", "a.example", 443, True),
            (",, ,", "a.example", 443, False),
            ("a.example:443", "a.example", 443, True),
            ("a.example:444", "a.example", 443, False),
            ("*:444", "a.example", 443, False),
            ("10.1.2.3", "10.1.2.3", 443, True),
            ("10.1.2.3:443", "10.1.2.3", 443, True),
            ("10.1.2.3", "10.1.2.33", 443, False),
            ("10.0.0.0/8", "10.1.2.3", 443, True),
            ("10.0.0.9/8", "10.1.2.3", 443, True),
            ("10.0.0.0/8", "11.1.2.3", 443, False),
            ("10.0.0.0/8", "10.example", 443, False),
            ("2001:db8::/32", "2001:db8::1", 443, True),
            ("2001:DB8::1", "2001:db8::1", 443, True),
            ("[2001:db8::1]", "2001:db8::1", 443, True),
            ("[2001:db8::1]:443", "2001:db8::1", 443, True),
            ("[2001:db8::1]:444", "2001:db8::1", 443, False),
            ("10.0.0.0/8", "2001:db8::1", 443, False),
            ("tv", "irc.chat.twitch.tv", 6697, True),
        ):
            environ = {"HTTPS_PROXY": "p:1", "NO_PROXY": text}
            self.assertEqual(between(environ, "https", host, port) == "", direct, (text, host, port))

    def test_nonsense(self) -> None:
        """An entry that is none of these is reported, and the others count."""
        proxies, problems, warnings = proxies_in(
            {"HTTPS_PROXY": "p:1", "no_proxy": "http://a.example/,b.example"}
        )
        self.assertEqual((problems, len(warnings)), ([], 1))
        self.assertIn("http://a.example/", warnings[0])
        self.assertIsNone(proxies.between("https", "b.example", 443))


class RefusedTests(SynchronousTestCase):
    """Proxies that cannot be used."""

    def test_sentences(self) -> None:
        """Each is one sentence that names the variable and what to write, and holds no password."""
        for text, part in (
            ("socks5://ann:word@p:1", "SOCKS"),
            ("ftp://ann:word@p:1", "not the address of an HTTP proxy"),
            ("http://", "names no server"),
            ("http://ann:word@p:0", "names no server"),
            ("http://ann:word@p:port", "cannot be read"),
            ("http://[::1", "cannot be read"),
            ("http://ann:word@p p:1", "names no server"),
            ("http://ann:word@p:1/path", "behind the port"),
            ("http://ann%3Ab:word@p:1", "user name"),
            ("http://ann:word%0D%0AX@p:1", "user name"),
        ):
            proxies, problems, _ = proxies_in({"HTTPS_PROXY": text})
            self.assertIsNone(proxies.https)
            (problem,) = problems
            self.assertTrue(problem.startswith("HTTPS_PROXY: "), problem)
            self.assertIn(part, problem)
            self.assertNotIn("word@", problem)

    def test_socks_for_all(self) -> None:
        """ALL_PROXY often names a SOCKS proxy for other programs: that is a warning, not a problem."""
        proxies, problems, warnings = proxies_in({"all_proxy": "socks5h://p:1"})
        self.assertEqual((proxies, problems), (DIRECT, []))
        self.assertIn("all_proxy names a SOCKS proxy", warnings[0])

    @given(st.text(), st.text())
    def test_anything(self, proxy: str, exceptions: str) -> None:
        """Nothing in the environment makes it raise."""
        proxies, _, _ = proxies_in({"https_proxy": proxy, "ALL_PROXY": proxy, "no_proxy": exceptions})
        proxies.between("https", "a.example", 443)
