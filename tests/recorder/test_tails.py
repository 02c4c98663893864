"""The latest records of a room, read back from its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.record import rfc3339
from chatlog.recorder.tails import Tail, Tails
from tests.recording import HALF_PAST_TEN, Recording


def at(seconds: float) -> str:
    """A time so many seconds after the start, as a record has it."""
    return rfc3339(round((HALF_PAST_TEN + seconds) * 1000))


def line(seconds: float, id: str, **more: Any) -> bytes:
    record = {"timestamp": at(seconds - 1), "received": at(seconds), "id": id, **more}
    return json.dumps(record).encode() + b"\n"


def key(record: Mapping[str, Any]) -> str:
    return str(record["id"])


class TailsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.recording = Recording().start()
        self.addCleanup(lambda: self.recording.recorder.running and self.recording.recorder.stopService())
        self.tails = self.over(self.recording)

    def over(self, recording: Recording) -> Tails:
        def room(name: str) -> Any:
            return recording.recorder.room("twitch", name)

        return Tails(recording.files, "/data", "twitch", room, key, recording.clock.seconds)

    def test_written_and_waiting(self) -> None:
        """Both what is in the file and what waits for the next flush is found, but nothing older than
        asked for and nothing of other rooms."""
        self.recording.append("a", line(1, "old"), line(2, "one"))
        self.recording.append("b", line(2, "other"))
        self.recording.advance()
        self.recording.append("a", line(3, "two"))
        self.assertEqual(self.tails.read("a", at(2)), Tail(at(2), frozenset({"one", "two"})))

    def test_less_than_asked_for(self) -> None:
        """If the file does not reach back so far, the answer says how far it does; a room without any
        record is known from never on."""
        self.recording.append("a", line(5, "one"))
        self.assertEqual(self.tails.read("a", at(2)), Tail(at(5), frozenset({"one"})))
        self.assertEqual(self.tails.read("b", at(2)), Tail())
        self.assertGreater(Tail().since, at(10**9))

    def test_long_file(self) -> None:
        """Of a long file only the end is read."""
        self.recording.append("a", *[line(n, f"id-{n}", pad="x" * 1000) for n in range(2000)])
        self.recording.advance()
        self.assertEqual(len(self.tails.read("a", at(1900)).keys), 100)
        short = self.tails.read("a", at(0))
        self.assertGreater(short.since, at(1400))
        self.assertEqual(short.since, at(2000 - len(short.keys)))

    def test_what_is_no_record(self) -> None:
        """Gap records stand for no event; half lines and strange ones are passed over."""
        self.recording.append(
            "a",
            line(1, "one"),
            line(9, "gap", type="gap"),
            b'{"timestamp": 7, "id": "x"}\n',
            b'{"received": "' + at(8).encode() + b'"}\n',
            b"[]\n",
            b"7\n",
            b'{"timestamp": "2025-1',
        )
        self.assertEqual(self.tails.read("a", at(0)), Tail(at(1), frozenset({"one"})))

    def test_file_of_an_earlier_run(self) -> None:
        """A room that has no file yet is looked for among those that an earlier process left, open or
        sealed; the newest counts."""
        for seconds, id in ((1, "one"), (62, "two"), (123, "three")):
            self.recording.append("a", line(seconds, id))
            self.recording.append("a_b", line(seconds, f"other {id}"))
            self.recording.advance(60)
            self.recording.recorder.rotate_now()
        self.recording.recorder.stopService()
        self.assertEqual(len(self.recording.contents("sealed")), 6)
        sealed = Recording(self.recording.files, wall=self.recording.now()).start()
        self.assertEqual(self.over(sealed).read("a", at(100)), Tail(at(123), frozenset({"three"})))
        sealed.append("a", line(300, "four"))
        sealed.advance()
        sealed.files.kill()
        killed = Recording(sealed.files, wall=sealed.now())
        self.assertEqual(self.over(killed).read("a", at(100)), Tail(at(300), frozenset({"four"})))

    def test_disk_that_cannot_be_read(self) -> None:
        """Trouble with the disk means that less is known."""
        self.recording.append("a", line(5, "one"))
        self.recording.advance()
        self.recording.append("a", line(6, "two"))

        def rule(operation: str, path: str) -> None:
            raise OSError(5, "broken", path)

        self.recording.files.rule = rule
        self.assertEqual(self.tails.read("a", at(2)), Tail(at(6), frozenset({"two"})))
        self.assertEqual(self.tails.read("nobody", at(2)), Tail())
        self.recording.files.rule = lambda operation, path: None
