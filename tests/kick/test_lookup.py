"""What Kick's site answers about a channel."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.kick.lookup import LookupRefused, ids_in
from tests.kick import lookup_answer as answer


class AnswerTests(SynchronousTestCase):
    """What an answer says."""

    def test_ids(self) -> None:
        """Ids may be numbers or strings, and the channel's may be in either place or nowhere."""
        for body, expected in (
            (answer(), (7001, 7000)),
            (answer("7001", "7000"), (7001, 7000)),
            (b'{"chatroom":{"id":3,"channel_id":4}}', (3, 4)),
            (b'{"id":4,"chatroom":{"id":3}}', (3, 4)),
            (b'{"id":"x","chatroom":{"id":3,"channel_id":null}}', (3, None)),
        ):
            self.assertEqual(ids_in(200, body), expected)

    def test_words_that_were_cut(self) -> None:
        """Half of a surrogate pair anywhere in the answer, or a byte order mark in front of it, does not
        hide the ids."""
        body = b'{"user":{"bio":"cut \\ud83d"},"\\udc00":1,"id":4,"chatroom":{"id":3}}'
        self.assertEqual(ids_in(200, body), (3, 4))
        self.assertEqual(ids_in(200, b"\xef\xbb\xbf" + body), (3, 4))

    def test_numbers_that_are_none(self) -> None:
        """A number elsewhere in the answer that JSON does not have does not hide the ids; as an id it is
        none."""
        self.assertEqual(ids_in(200, b'{"rating":NaN,"id":4,"views":1e400,"chatroom":{"id":3}}'), (3, 4))
        self.assertEqual(ids_in(200, b'{"id":Infinity,"chatroom":{"id":3}}'), (3, None))
        self.assertRaises(LookupRefused, ids_in, 200, b'{"id":4,"chatroom":{"id":1e400}}')

    def test_refusals(self) -> None:
        """Everything else is refused with one line that says what came."""
        for status, body, reason in (
            (403, b'{"error":"Request blocked by security policy."}', "HTTP 403: Request blocked by"),
            (403, b"<!DOCTYPE html><title>Just a moment...</title>", "HTTP 403: a web page"),
            (200, b"\n <html>", "HTTP 200: a web page"),
            (429, b"", "HTTP 429"),
            (404, b'{"message":"Not\nfound"}', "HTTP 404"),
            (404, json.dumps({"message": "Not\nfound"}).encode(), "HTTP 404: Not\\nfound"),
            (301, b"", "HTTP 301: it points elsewhere"),
            (500, b"\xff\xfe", "HTTP 500"),
            (200, b"", "HTTP 200: no ids in it"),
            (200, b"{}", "HTTP 200"),
            (200, b"[]", "HTTP 200"),
            (200, b'{"chatroom":[]}', "HTTP 200"),
            (200, b'{"chatroom":{"id":0}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":-5}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":true}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":1.5}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":99999999999999999999}}', "HTTP 200"),
            (403, answer(), "HTTP 403"),
        ):
            error = self.assertRaises(LookupRefused, ids_in, status, body)
            self.assertTrue(str(error).startswith(reason), str(error))
            self.assertTrue(str(error).isprintable())
            self.assertEqual(error.missing, status == 404)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(100, 599), st.binary(max_size=200))
    def test_anything(self, status: int, body: bytes) -> None:
        """No answer makes it raise anything else."""
        try:
            ids_in(status, body)
        except LookupRefused as error:
            self.assertLess(len(str(error)), 300)
