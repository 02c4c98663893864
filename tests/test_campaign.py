"""The campaign's own instruments: a judge that misses a hole would pass everything."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from bench.campaign_holes import Made, compare
from bench.campaign_store import Relay
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

    def joined(self, at: int, connection: int) -> dict[str, Any]:
        room = {"platform": "twitch", "channel": "ann"}
        return {"n": 1, "at": at, **room, "id": "", "connection": connection, "greeting": True}

    def dead(self, at: int, connection: int) -> dict[str, Any]:
        return {**self.joined(at, connection), "greeting": False, "dead": True}

    def note(self, what: str, at: int, connection: int) -> dict[str, Any]:
        return {"note": what, "at": at, "connection": connection}

    def test_holes(self) -> None:
        """A room is missing from when its last living connection goes to the next acknowledged JOIN; a
        half-open connection is gone when it is heard for the last time."""
        cases = [
            ([self.joined(1000, 1), self.note("closed", 2000, 1), self.joined(5000, 2)], [(2000, 5000)]),
            ([self.joined(1000, 1), self.joined(1900, 2), self.note("closed", 2000, 1)], []),
            ([self.joined(1000, 1), self.dead(3000, 1), self.joined(9000, 2)], [(3000, 9000)]),
            ([self.joined(1000, 1), self.dead(3000, 1), self.note("cut", 60000, 1)], []),
            ([self.joined(1000, 1)], []),
        ]
        for entries, holes in cases:
            self.assertEqual(self.made(*entries).holes.get(ROOM, []), holes)

    def test_comparison(self) -> None:
        """A hole without a gap record is told, and one whose record is off says by how much."""
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
        """A room that came back for less than a flush may be one hole in the records."""
        made = Made()
        made.holes[ROOM] = [(10_000, 12_000), (12_300, 15_000)]
        result = compare(made, {ROOM: [(9_900, 15_000, "restart")]})
        self.assertEqual((result.made, result.found), (1, 1))
        self.assertLess(max(result.start_off, result.end_off), 0.2)


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
        """What the client is told, and what the store has, in every way."""
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
