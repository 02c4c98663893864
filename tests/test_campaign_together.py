"""The instruments of the campaign of several recorders."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import orjson
from twisted.trial.unittest import SynchronousTestCase

from bench.campaign.fleet import Turn
from bench.campaign.fleet_faults import BOUNDS, TURNS
from bench.campaign.relay import Relays
from bench.campaign.union import by_turn, no_longer_wanted, same_ids, uncovered
from chatlog.naming import FileName


class UncoveredTests(SynchronousTestCase):
    """Holes that gap records explain, and those they do not."""

    def test_cases(self) -> None:
        """A hole is explained if gap records, of whomever, reach over all of it but for a second at each end.
        What is missing is said."""
        for gaps, missing in (
            ([], 10_000),
            ([(10_000, 20_000)], 0),
            ([(10_900, 19_100)], 0),
            ([(5_000, 14_000), (13_000, 30_000)], 0),
            ([(10_000, 14_000), (14_900, 20_000)], 0),
            ([(10_000, 14_000), (17_000, 20_000)], 1000),
            ([(10_000, 12_000)], 7000),
            ([(13_000, 20_000)], 2000),
            ([(0, 8_000), (30_000, 40_000)], 10_000),
        ):
            said = [(start, end, "restart") for start, end in gaps]
            self.assertEqual(uncovered((10_000, 20_000), said), missing, gaps)

    def test_turns(self) -> None:
        """A hole is of the turn in which it began, or of the one that began a moment later: it begins with
        the last event before a cut. The longest come first."""
        turns = [Turn("flush", 10.0, 20.0), Turn("cut", 20.01, 30.0), Turn("kill", 40.0, 50.0)]
        room = ("twitch", "a")
        holes = {room: [(15_000, 16_000), (19_900, 25_000), (29_000, 29_500), (35_000, 36_000)]}
        found = {name: [hole[1:] for hole in each] for name, each in by_turn(turns, holes).items()}
        expected = {"flush": [(15_000, 16_000)], "cut": [(19_900, 25_000), (29_000, 29_500)]}
        self.assertEqual(found, expected | {"no turn": [(35_000, 36_000)]})

    def test_no_longer_wanted(self) -> None:
        """What was sent after its room was taken off the list is not lost; what was before is."""
        names = ("platform", "channel", "start", "count", "hidden", "why")
        holes = [
            dict(zip(names, hole, strict=True))
            for hole in (
                ("twitch", "gone", 5_000, 2, 1, "lost"),
                ("twitch", "gone", 4_999, 3, 3, "lost"),
                ("kick", "gone", 6_000, 4, 0, "lost"),
                ("twitch", "there", 6_000, 5, 0, "lost"),
                ("twitch", "gone", 6_000, 6, 0, "excused"),
            )
        ]
        judged = {"missing": list(holes), "lost": 14, "hidden": 4}
        self.assertEqual(no_longer_wanted(judged, {"gone": 5.0}), 2)
        self.assertEqual(judged, {"missing": holes[1:], "lost": 12, "hidden": 3})

    def test_same_ids(self) -> None:
        """Records that are there twice are found by their ids, room by room; those without one are not."""
        home = Path(self.mktemp())
        home.mkdir()
        keys = [("ann", "1"), ("ann", "1"), ("bob", "1"), ("ann", "2"), ("ann", ""), ("ann", "")]
        records = [{"platform": "twitch", "channel": room, "type": "message", "id": id} for room, id in keys]
        lines = b"".join(orjson.dumps(record) + b"\n" for record in records)
        (home / str(FileName("twitch", "ann", "20251009_0853"))).write_bytes(lines)
        self.assertEqual(same_ids(home), 1)

    def test_bounds(self) -> None:
        """Only turns that exist have bounds."""
        self.assertEqual(set(BOUNDS) - set(TURNS), set())


class Echo:
    """A server on loopback that says everything again, in threads."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1000):
                connection.sendall(data)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


class WireRelayTests(SynchronousTestCase):
    """The relay in front of an engine or a platform."""

    def test_ways(self) -> None:
        """It hands on; while it is paused nothing comes and nothing is lost; cut, it resets what there is and
        refuses more, until it passes again."""
        echo, relays = Echo(), Relays()
        self.addCleanup(echo.close)
        self.addCleanup(relays.close)
        relay = relays.to(echo.port)
        with self.connected(relay.port) as sock:
            sock.sendall(b"one")
            self.assertEqual(sock.recv(100), b"one")
            relay.go("pause")
            sock.sendall(b"two")
            sock.settimeout(0.1)
            self.assertRaises(TimeoutError, sock.recv, 100)
            sock.settimeout(5)
            relay.go("pass")
            self.assertEqual(sock.recv(100), b"two")
            relay.go("cut")
            self.assertRaises(ConnectionError, self.all_of, sock)
        self.assertRaises(ConnectionRefusedError, self.connected, relay.port)
        relay.go("pass")
        with self.connected(relay.port) as sock:
            sock.sendall(b"three")
            self.assertEqual(sock.recv(100), b"three")

    def connected(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), 5)

    def all_of(self, sock: socket.socket) -> None:
        while True:
            sock.sendall(b"more")
            if not sock.recv(100):
                raise ConnectionResetError
