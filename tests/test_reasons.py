"""Reasons in words: every one that platforms, lookups, disks and stores give."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.reasons import (
    SPOOL,
    is_full,
    of_connection,
    of_disk,
    of_file,
    of_lookup,
    of_room,
    of_store,
    with_code,
)
from chatlog.status.natural import natural
from chatlog.twitch.client import REFUSALS

#: What nobody should have to read.
RAW = re.compile(r"msg_|_ban\b|HTTP \d|\b4\d\d\d\b|Errno|wanted|asked for|requested")


class ReasonTests(SynchronousTestCase):
    """What a moderator reads."""

    def test_refusals(self) -> None:
        """Every refusal of Twitch that is known has words and a remedy; one that is not has words."""
        for raw in REFUSALS:
            reason = of_room("twitch", raw)
            self.assertTrue(reason.known, raw)
            self.assertNotRegex(reason.words, RAW)
            self.assertTrue(reason.remedy, raw)
            self.assertEqual(of_room("twitch", f"refused: {raw}"), reason)
        self.assertNotRegex(of_room("twitch", "msg_something_new").words, RAW)

    def test_with_code(self) -> None:
        """Where words are shown with what came, that is there once, on one line, and not without end."""
        self.assertEqual(with_code(of_connection("kick", "4001 x"), "4001 x"), "4001 x")
        self.assertEqual(with_code(of_room("twitch", ""), ""), "")
        text = with_code(of_room("twitch", "msg_banned"), "msg_banned")
        self.assertEqual(text, "the account that reads is banned there [msg_banned]")
        long = "timeout\n" + "x" * 10_000
        self.assertNotIn("\n", with_code(of_connection("kick", long), long))
        self.assertLess(len(with_code(of_connection("kick", long), long)), 500)

    def test_lookups(self) -> None:
        """So has every end of a lookup on Kick's site; where ids can be given by hand it says how."""
        for raw in (
            "HTTP 404",
            "HTTP 404: channel not found",
            "HTTP 403: a web page",
            "HTTP 429",
            "HTTP 502: a web page",
            "HTTP 302: it points elsewhere",
            "HTTP 200: no ids in it",
            "no channel id in the answer",
            "no answer within 10 s",
            "cannot connect: the proxy 192.0.2.7:3128 does not allow a connection to kick.com:443 (403 No)",
            "looking up is switched off",
            "has the same chatroom_id as other",
            "cannot connect: connection refused",
            "DNS lookup failed: no results for hostname lookup: kick.com.",
        ):
            reason = of_lookup(raw, "ghosty")
            self.assertTrue(reason.known, raw)
            self.assertNotRegex(reason.words, RAW)
            self.assertTrue(reason.remedy, raw)
        self.assertIn("no channel of that name", of_lookup("HTTP 404", "ghosty").words)
        self.assertIn("{slug: ghosty, chatroom_id: NUMBER}", of_lookup("HTTP 403", "ghosty").remedy)
        self.assertIn("other", of_lookup("has the same chatroom_id as other", "x").words)

    def test_connections(self) -> None:
        """And why there is no connection."""
        for raw, words in (
            ("connection lost", "was lost"),
            ("cannot connect: Connection was refused by other side: 111: Connection refused.", "refused"),
            ("cannot connect: DNS lookup failed: no results for hostname lookup: x.", "DNS"),
            ("cannot connect: TCP connection timed out: 110: Connection timed out.", "does not answer"),
            ("cannot connect: No route to host: 113: No route to host.", "network leads"),
            ("cannot connect: connection refused (all 2 addresses)", "refused"),
            ("cannot connect: the name a.example has no address, or the name servers do not answer", "DNS"),
            ("cannot connect: no answer from the name servers about a.example within 20 s", "DNS"),
            ("cannot connect: no answer from any of 2 addresses of a.example within 20 s", "does not answer"),
            ("cannot connect: this machine has no route to it", "network leads"),
            ("cannot connect: the proxy 192.0.2.7:3128: connection refused", "the proxy 192.0.2.7:3128: "),
            ("cannot connect: what answers at 192.0.2.7:3128 is not an HTTP proxy", "is not an HTTP proxy"),
            ("connection lost: certificate verify failed", "certificate"),
            ("connection lost: wrong version number", "TLS"),
            ("no welcome from the server", "says nothing"),
            ("cannot connect: no answer (all 3 addresses)", "does not answer"),
            ("cannot connect: this machine does not allow it", "does not allow"),
            ("cannot connect: this process has no file descriptor left", "too many files"),
            ("the connection broke off before the answer", "was lost"),
            ("closed by the server: 4200 closing", "has closed the connection"),
            ("closed by the server: 4001 no such app", "does not take this recorder's key"),
            ("error from the server: 4100 over capacity", "too busy"),
            ("login refused: Login authentication failed", "refuses the login"),
            ("cannot be read as WebSocket: endless handshake", "does not speak like"),
            ("protocol violated: x", "does not speak like"),
        ):
            reason = of_connection("kick", raw)
            self.assertIn(words, reason.words)
            self.assertNotRegex(reason.words, RAW)

    def test_disks(self) -> None:
        """And why a disk takes nothing, of which a lack of room is told apart."""
        for raw, full in (
            ("No space left on device", True),
            ("Disk quota exceeded", True),
            ("the spool has reached max_size, 2000 bytes", True),
            ("the disk is full and its last space is needed for sealing", True),
            ("Read-only file system", False),
            ("Input/output error", False),
            ("Permission denied", False),
            ("Stale file handle", False),
            ("Transport endpoint is not connected", False),
            ("Too many open files", False),
        ):
            reason = of_disk(raw)
            self.assertTrue(reason.known and reason.remedy, raw)
            self.assertEqual(is_full(raw), full, raw)

    def test_stores(self) -> None:
        """And why a store does not take files."""
        for raw, words in (
            ("AccessDenied: Access Denied", "does not permit"),
            ("InvalidAccessKeyId: no such key", "credentials"),
            ("SignatureDoesNotMatch", "credentials"),
            ("NoSuchBucket: The specified bucket does not exist", "no such bucket"),
            ("PermanentRedirect", "another endpoint"),
            ("RequestTimeTooSkewed: the difference", "time"),
            ("QuotaExceeded", "full"),
            ("error sending request for url: tcp connect error: Connection refused", "nothing answers"),
            ("SlowDown: reduce your request rate", "fewer requests"),
            ("InternalError", "error of its own"),
            ("operation timed out", "in time"),
        ):
            self.assertIn(words, of_store(raw).words, raw)

    def test_stores_words(self) -> None:
        """Numbers that are sizes or in names are none of a store's answers, and what is in front of a store
        or in its account is not taken for missing rights."""
        for raw, words in (
            ("2026/11/28/kick/xqc-403/a.jsonl has 401 bytes in the store and not 512", "it says: 2026/"),
            ("403 Forbidden: a web page, 'Blocked'; let it pass", "in front of the store"),
            ("403 AccessDenied: Cannot upload files, storage cap exceeded.", "is full"),
            ("403 AccessDenied: your account exceeds the storage quota", "is full"),
            ("what answers there is not an object store: an object was stored", "not an object store"),
            ("302 Found", "not an object store"),
            ("404 Not Found: a web page, 'nginx'", "not an object store"),
            ("502 Bad Gateway: a web page, 'nginx'", "error of its own"),
            ("301 Moved Permanently", "another endpoint"),
            ("the store sends us to another address: the bucket is in another region", "another endpoint"),
            ("400 PathStyleNotSupported: x", "requests of this form"),
            ("there are no credentials in the configuration or the environment", "no credentials for it"),
            ("/srv/archive/2026: Permission denied", "may not write"),
            ("503 SlowDown", "fewer requests"),
            ("500 InternalError", "error of its own"),
        ):
            self.assertIn(words, of_store(raw).words, raw)
        self.assertIn("archive.directory", of_store("/srv/archive/2026: Permission denied").remedy)

    def test_files(self) -> None:
        """A file that is not uploaded because of the spool is explained by the spool, and one that the store
        refuses by the store."""
        for raw in ("Permission denied", "Operation not permitted", "Read-only file system"):
            reason = of_file(f"{SPOOL}{raw}")
            self.assertIn("recorder.directory", reason.remedy)
            self.assertNotIn("archive", f"{reason.words} {reason.remedy}")
        self.assertEqual(of_file(f"{SPOOL}Input/output error"), of_disk("Input/output error"))
        for raw in ("/srv/archive/2026: Permission denied", "413 EntityTooLarge", "it is cut off"):
            self.assertEqual(of_file(raw), of_store(raw))

    def test_where_to_write(self) -> None:
        """Who has to give a right reads for which directory."""
        self.assertIn("recorder.directory", of_disk("Permission denied").remedy)

    def test_anonymous_readers(self) -> None:
        """What to do about an account is followed by what applies to those who read without one."""
        for reason in (of_room("twitch", "msg_banned"), of_connection("twitch", "login refused")):
            account, _, anonymous = reason.remedy.partition(" If ")
            self.assertIn("twitch.oauth", account)
            self.assertIn("there,", anonymous)
            self.assertIn("Chatlog tries again by itself", anonymous)

    def test_refused_keys(self) -> None:
        """Pusher's codes that are no refusal of the key are not called one."""
        for code, words in ((4000, "TLS only"), (4001, "key"), (4004, "no more connections"), (4009, "key")):
            self.assertIn(words, of_connection("kick", f"error from the server: {code} x").words)

    def test_unknown(self) -> None:
        """What no row knows is quoted, and nothing is made of it that it is not."""
        self.assertEqual(of_room("kick", "{x} \x1b[2J").words, r"Kick says: {x} \x1b[2J")
        self.assertEqual(of_store("").words, "")

    @given(st.text(max_size=300))
    def test_any_text(self, raw: str) -> None:
        """Whatever a server says, it is one printable line of bounded length."""
        for reason in (
            of_room("twitch", raw, "a"),
            of_lookup(raw, "a"),
            of_connection("kick", raw),
            of_disk(raw),
            of_store(raw),
        ):
            self.assertTrue(reason.words.isprintable())
            self.assertLess(len(reason.words), 4000)


class NaturalTests(SynchronousTestCase):
    """The order of names."""

    def test_numbers(self) -> None:
        """room2 comes before room10, whatever digits a name has."""
        names = ["room10", "room2", "a", "room1b", "room1", "10", "9", "room02", "٣", "_x", ""]
        self.assertEqual(
            sorted(names, key=natural),
            ["", "9", "10", "_x", "a", "room1", "room1b", "room02", "room2", "room10", "٣"],
        )
