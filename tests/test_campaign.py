"""The campaign's own instruments: a judge that misses a gap would pass everything."""

from __future__ import annotations

import contextlib
import http.client
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from bench.campaign.holes import Made, compare
from bench.campaign.report import judge
from bench.campaign.store import Relay
from chatlog.naming import FileName, utc_minute
from chatlog.record import encode_full, rfc3339
from chatlog.simulator.judge import main
from tests.s3_server import ScriptedS3

ROOM = ("twitch", "ann")


class HolesTests(SynchronousTestCase):
    """Holes as the oracle shows them, and the gap records for them."""

    def made(self, *entries: dict[str, Any]) -> Made:
        path = Path(self.mktemp())
        path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
        made = Made()
        made.read(path)
        return made

    def joined(self, at: int, connection: int, note: str = "joined") -> dict[str, Any]:
        return {"note": note, "connection": connection, "at": at, "platform": "twitch", "channel": "ann"}

    def parted(self, at: int, connection: int) -> dict[str, Any]:
        return self.joined(at, connection, "parted")

    def dead(self, at: int, connection: int) -> dict[str, Any]:
        room = {"platform": "twitch", "channel": "ann"}
        return {"n": 1, "at": at, **room, "id": "", "connection": connection, "dead": True}

    def note(self, what: str, at: int, connection: int) -> dict[str, Any]:
        return {"note": what, "at": at, "connection": connection}

    def test_holes(self) -> None:
        """A room is missing from when its last living connection goes, or leaves it, to the next acknowledged
        JOIN; a half-open connection is gone when it is heard for the last time."""
        cases = [
            ([self.joined(1000, 1), self.note("closed", 2000, 1), self.joined(5000, 2)], [(2000, 5000)]),
            ([self.joined(1000, 1), self.joined(1900, 2), self.note("closed", 2000, 1)], []),
            ([self.joined(1000, 1), self.dead(3000, 1), self.joined(9000, 2)], [(3000, 9000)]),
            ([self.joined(1000, 1), self.dead(3000, 1), self.note("cut", 60000, 1)], []),
            ([self.joined(1000, 1)], []),
            ([self.joined(1000, 1), self.parted(2000, 1), self.joined(2500, 2)], [(2000, 2500)]),
            ([self.joined(1000, 1), self.joined(1500, 2), self.parted(2000, 1), self.parted(2000, 3)], []),
        ]
        for entries, holes in cases:
            self.assertEqual(self.made(*entries).holes.get(ROOM, []), holes)

    def test_doubles(self) -> None:
        """For how long a room was listened to by several is counted."""
        both = [self.joined(1000, 1), self.joined(1500, 2), self.parted(2000, 1)]
        self.assertEqual(self.made(*both, self.joined(5000, 3)).doubles[ROOM], 500)
        self.assertEqual(self.made(*both[:2], self.joined(1600, 3), self.parted(2000, 2)).doubles[ROOM], 500)
        self.assertEqual(self.made(both[0]).doubles[ROOM], 0)

    def test_comparison(self) -> None:
        """A gap without a gap record is reported, and for an inexact record the difference."""
        made = Made()
        made.holes[ROOM] = [(10_000, 12_000), (50_000, 52_000)]
        cases: list[tuple[list[tuple[int, int, str]], int, tuple[float, float]]] = [
            ([], 0, (0.0, 0.0)),
            ([(10_000, 12_000, "restart"), (50_000, 52_000, "restart")], 2, (0.0, 0.0)),
            ([(9_600, 12_000, "restart"), (50_000, 55_000, "restart")], 2, (0.4, 3.0)),
            ([(12_500, 13_000, "restart"), (50_000, 52_000, "restart")], 1, (0.0, 0.0)),
        ]
        for gaps, found, off in cases:
            result = compare(made, {ROOM: gaps})
            self.assertEqual((result.made, result.found, len(result.unexplained)), (2, found, 2 - found))
            self.assertEqual((result.start_off, result.end_off), off)

    def test_brief_return(self) -> None:
        """A room that came back for less than a flush may be one gap in the records."""
        made = Made()
        made.holes[ROOM] = [(10_000, 12_000), (12_300, 15_000)]
        result = compare(made, {ROOM: [(9_900, 15_000, "restart")]})
        self.assertEqual((result.made, result.found), (1, 1))
        self.assertLess(max(result.start_off, result.end_off), 0.2)

    def test_off_by_too_much(self) -> None:
        """A gap record may be a second off at either end, and on Kick, whose times are whole seconds, begin
        two seconds early."""
        for platform, first, last, inexact in (
            ("twitch", 9_000, 21_000, 0),
            ("twitch", 8_900, 20_000, 1),
            ("twitch", 11_100, 20_000, 1),
            ("twitch", 10_000, 18_900, 1),
            ("kick", 8_000, 20_000, 0),
            ("kick", 7_900, 20_000, 1),
            ("kick", 11_100, 20_000, 1),
            ("kick", 10_000, 21_100, 1),
        ):
            made, room = Made(), (platform, "ann")
            made.holes[room] = [(10_000, 20_000)]
            result = compare(made, {room: [(first, last, "restart")]})
            self.assertEqual(result.inexact, inexact, (platform, first, last))


class Slow:
    """The store of a field, whose listing takes long: ``meanwhile`` is what happens until it is there."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.objects = self
        self._meanwhile = meanwhile

    def all(self) -> list[Any]:
        self._meanwhile()
        return []


class Judging:
    """A field of which only the judgement so far is asked for. Its recorder has written the events of one
    room, but for ``lost`` of them; more are sent while somebody looks, and are not in the files taken."""

    def __init__(self, home: Path, lost: int) -> None:
        self.home = home
        self.data = home / "data"
        (self.data / "open").mkdir(parents=True)
        self.stage = self
        self.windows: list[tuple[float, float]] = []
        self.foreign: dict[str, bytes] = {}
        self.bucket = Slow(lambda: self.send(31, 60))
        self.began = time.time() - 30
        self._oracle = home / "oracle.jsonl"
        lines = self.send(0, 20)
        name = FileName("twitch", "ann", utc_minute(self.began))
        (self.data / "open" / str(name)).write_bytes(b"".join(lines[: len(lines) - lost]))

    def send(self, first: int, last: int) -> list[bytes]:
        """Send events, one a second; their records."""
        lines = []
        for n in range(first, last):
            ms = round((self.began + n) * 1000)
            text, id, stamp = f"hello {n}", f"id-{n}", rfc3339(ms)
            event = {"n": n, "at": ms, "platform": "twitch", "channel": "ann", "id": id, "connection": 1}
            with open(self._oracle, "ab") as file:
                file.write(orjson.dumps({**event, "type": "message", "text": text}) + b"\n")
            details: Any = {"command": "PRIVMSG"}
            lines.append(
                encode_full(stamp, "ann", "x", "1", text, "message", id, "twitch", "7", stamp, details)
            )
        return lines

    def judge(self, objects: Path, *options: str) -> dict[str, Any]:
        """What the judge says: the real one, called here."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            main(["--json", "--oracle", str(self._oracle), "--archive", str(objects), *options])
        return dict(orjson.loads(output.getvalue()))

    def say(self, text: str) -> None:
        """The output is not read."""


class HorizonTests(SynchronousTestCase):
    """The judgement of a campaign that goes on."""

    def judged(self, lost: int) -> dict[str, Any]:
        field: Any = Judging(Path(self.mktemp()), lost)
        return judge(field, running=True)

    def test_what_came_while_it_looked(self) -> None:
        """What is sent while files are copied and fetched is neither lost nor hidden: it came later."""
        found = self.judged(lost=0)
        self.assertEqual((found["lost"], found["hidden"]), (0, 0))
        self.assertEqual((found["recorded"], found["pending"]), (20, 29))

    def test_what_was_lost_before(self) -> None:
        """What was sent before that, and is not there, is lost and hidden."""
        found = self.judged(lost=3)
        self.assertEqual((found["lost"], found["hidden"], found["pending"]), (3, 3, 29))


class RelayTests(SynchronousTestCase):
    """The relay in front of a store, each way."""

    def setUp(self) -> None:
        self.s3 = ScriptedS3()
        self.addCleanup(self.s3.close)
        self.relay = Relay(self.s3.endpoint)
        self.addCleanup(self.relay.close)

    def put(self, name: str) -> int:
        """PUT an object; the status, 0 where there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=20)
        try:
            connection.request("PUT", f"/bucket/{name}", b"body", {"If-None-Match": "*"})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def test_ways(self) -> None:
        """The client's answer and the store's content, for every fault."""
        cases = [
            ("pass", 200, True),
            ("503", 503, False),
            ("SlowDown", 503, False),
            ("500", 500, False),
            ("403", 403, False),
            ("unstored", 200, False),
            ("lost", 0, True),
            ("refuse", 0, False),
        ]
        for way, status, stored in cases:
            self.relay.go(way)
            self.assertEqual((way, self.put(way), way in self.s3.objects), (way, status, stored))
            self.relay.go("pass")
        self.assertEqual(self.put("lost"), 412)
        self.assertEqual(self.relay.met_themselves, {"/bucket/lost"})
