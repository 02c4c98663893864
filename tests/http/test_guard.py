"""Who may ask for what, case by case."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import HttpSettings, Secret
from chatlog.http.guard import beside, has_token, is_cross_site, is_loopback, is_our_name, listen_host, policy


class AddressTests(SynchronousTestCase):
    """Where the page is served."""

    def test_loopback(self) -> None:
        """Only this machine reaches a loopback address; everything else may be reached by others."""
        for listen, expected in (
            ("127.0.0.1:8080", True),
            ("127.9.9.9:1", True),
            ("localhost:8080", True),
            ("[::1]:8080", True),
            ("0.0.0.0:8080", False),
            ("[::]:8080", False),
            ("192.168.1.2:8080", False),
            ("recorder.example:8080", False),
            ("localhost.example:8080", False),
        ):
            self.assertEqual(is_loopback(listen), expected, listen)

    def test_host(self) -> None:
        """The host of an address, as a socket wants it."""
        self.assertEqual(listen_host("127.0.0.1:8080"), "127.0.0.1")
        self.assertEqual(listen_host("[::1]:8080"), "::1")


class BesideTests(SynchronousTestCase):
    """The other server on the same machine."""

    def test_beside(self) -> None:
        """It is under the name by which somebody came, where that leads to it; nowhere else."""
        for host, listen, expected in (
            ("127.0.0.1:8080", "127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("localhost:8080", "127.0.0.1:8081", "http://localhost:8081"),
            ("[::1]:8080", "[::]:8081", "http://[::1]:8081"),
            ("recorder.example", "0.0.0.0:8081", "http://recorder.example:8081"),
            ("recorder.example", "127.0.0.1:8081", ""),
            ("192.168.1.2:8080", "localhost:8081", ""),
            ("localhost", None, ""),
            ("localhost", "127.0.0.1:0", ""),
            ("", "127.0.0.1:8081", ""),
            ("[", "127.0.0.1:8081", ""),
        ):
            self.assertEqual(beside(host, listen), expected, host)

    def test_policy(self) -> None:
        """Only connections may go there, and nothing else is let in."""
        self.assertIn("connect-src 'self';", policy())
        wider = policy("http://localhost:8081")
        self.assertEqual(wider.replace(" http://localhost:8081", ""), policy())
        self.assertIn("connect-src 'self' http://localhost:8081;", wider)


class NameTests(SynchronousTestCase):
    """Names that are ours."""

    def test_names(self) -> None:
        """Addresses, localhost, the name that is listened on and those of the configuration; none that only
        looks like one of them."""
        settings = HttpSettings(listen="recorder.example:8080", hosts=("chat.example", "MyApp.fly.example"))
        for host, expected in (
            ("chat.example", True),
            ("Chat.Example:443", True),
            ("myapp.fly.example", True),
            ("recorder.example:8080", True),
            ("10.0.0.1:8080", True),
            ("[fd00::1]:8080", True),
            ("localhost:8080", True),
            ("chat.example.evil.invalid", False),
            ("evil.invalid/chat.example", False),
            ("chat.example@evil.invalid", False),
            ("evil.invalid#chat.example", False),
            ("1.2.3.4.evil.invalid", False),
            ("0x7f.1", False),
            ("", False),
            ("[", False),
        ):
            self.assertEqual(is_our_name(host, settings), expected, host)


class CrossSiteTests(SynchronousTestCase):
    """Requests that another site's page makes with our visitor's browser."""

    def test_origin(self) -> None:
        """An origin other than the host that was asked for is another site; programs send none."""
        for origin, expected in (
            (None, False),
            ("http://127.0.0.1:8080", False),
            ("https://127.0.0.1:8080", False),
            ("http://127.0.0.1:9090", True),
            ("http://127.0.0.1", True),
            ("https://evil.invalid", True),
            ("null", True),
            ("", True),
            ("http://[", True),
        ):
            self.assertEqual(is_cross_site("127.0.0.1:8080", origin, None), expected, origin)

    def test_fetch_site(self) -> None:
        """What the browser says of itself is believed when it speaks against the request."""
        for site, expected in (
            ("same-origin", False),
            ("none", False),
            ("same-site", True),
            ("cross-site", True),
            ("whatever", True),
        ):
            self.assertEqual(is_cross_site("localhost", None, site), expected, site)
            self.assertEqual(is_cross_site("localhost", "http://localhost", site), expected, site)
        self.assertTrue(is_cross_site("localhost", "http://evil.invalid", "same-origin"))


class TokenTests(SynchronousTestCase):
    """The token."""

    def test_token(self) -> None:
        """Only the whole token counts, and only as Bearer."""
        settings = HttpSettings(token=Secret("s3cret-of-mine"))
        for authorization, expected in (
            ("Bearer s3cret-of-mine", True),
            ("bearer  s3cret-of-mine ", True),
            ("Bearer s3cret-of-min", False),
            ("Bearer s3cret-of-mine2", False),
            ("Bearer S3CRET-OF-MINE", False),
            ("Basic s3cret-of-mine", False),
            ("s3cret-of-mine", False),
            ("Bearer", False),
            ("Bearer ", False),
            ("", False),
            ("Bearer \ufffd", False),
            (None, False),
        ):
            self.assertEqual(has_token(authorization, settings), expected, authorization)

    def test_no_token(self) -> None:
        """Without a configured token none is right."""
        for authorization in (None, "", "Bearer ", "Bearer None"):
            self.assertFalse(has_token(authorization, HttpSettings()), authorization)
