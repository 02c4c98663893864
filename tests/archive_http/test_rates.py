"""How much one address may ask of the archive server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.rates import ADDRESSES, BURST, PER_SECOND, SLOW, Rates, address_of
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg


class RatesTests(SynchronousTestCase):
    """``Rates``."""

    def test_bucket(self) -> None:
        """An address may ask for much at once, then for so much a second; another notices nothing."""
        clock = Clock()
        rates = Rates(clock.seconds, burst=10, rate=2.0)
        self.assertEqual([rates.wait("a") for _ in range(11)], [0] * 10 + [1])
        self.assertEqual(rates.wait("b"), 0)
        clock.advance(1)
        self.assertEqual([rates.wait("a") for _ in range(3)], [0, 0, 1])
        self.assertEqual(rates.wait("a", 10), 5)
        clock.advance(1000)
        self.assertEqual([rates.wait("a") for _ in range(11)], [0] * 10 + [1])

    def test_bounded(self) -> None:
        """Many addresses are not remembered for ever."""
        rates = Rates(Clock().seconds, burst=1)
        for n in range(ADDRESSES + 10):
            rates.wait(str(n))
        self.assertEqual(rates.wait("0"), 0)
        self.assertEqual(rates.wait(str(ADDRESSES + 9)), 1)

    @given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([1, SLOW])), max_size=200))
    def test_never_more(self, asked: list[tuple[float, int]]) -> None:
        """However requests come, what is taken is never more than the burst and what has come since; and who
        waits as long as it is told is taken."""
        clock = Clock()
        rates = Rates(clock.seconds, burst=50, rate=5.0)
        taken = 0
        for pause, cost in asked:
            clock.advance(pause)
            wait = rates.wait("a", cost)
            if wait:
                clock.advance(wait)
                self.assertEqual(rates.wait("a", cost), 0)
            taken += cost
            self.assertLessEqual(taken, 50 + 5.0 * clock.seconds() + 1e-6)

    def test_addresses(self) -> None:
        """An IPv6 network is one address; a proxy on this machine is believed, and nobody else."""

        def asked(host: str, forwarded: str | None = None) -> str:
            peer = SimpleNamespace(getPeer=lambda: SimpleNamespace(host=host))
            request: Any = SimpleNamespace(transport=peer, getHeader=lambda name: forwarded)
            return address_of(request)

        self.assertEqual(asked("203.0.113.7"), "203.0.113.7")
        self.assertEqual(asked("2001:db8:1:2:3:4:5:6"), asked("2001:db8:1:2::1"))
        self.assertNotEqual(asked("2001:db8:1:2::1"), asked("2001:db8:1:3::1"))
        self.assertEqual(asked("::ffff:203.0.113.7"), "203.0.113.7")
        self.assertEqual(asked("127.0.0.1"), "127.0.0.1")
        self.assertEqual(asked("127.0.0.1", "198.51.100.1, 203.0.113.7"), "203.0.113.7")
        self.assertEqual(asked("203.0.113.9", "198.51.100.1"), "203.0.113.9")
        self.assertEqual(asked("::1", "not an address"), "not an address")


class LimitedTests(ArchiveCase):
    """The server."""

    def test_too_many(self) -> None:
        """With too many requests an address gets 429 and when to come again; its health is told all the
        same, and later it is answered."""
        self.world.put(MARCH, [privmsg(0, "hello")], room=ROOM)
        statuses = {self.ask("/list?channel=testchan").status for _ in range(BURST)}
        self.assertEqual(statuses, {200})
        reply = self.ask("/list?channel=testchan")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "1"))
        self.assertEqual(reply.headers["access-control-allow-origin"], "*")
        self.assertEqual(self.ask("/api/v1/archive/rooms").code, "too_many_requests")
        self.assertEqual(self.ask("/healthz").status, 200)
        self.scene.clock.advance(1)
        self.assertEqual(self.ask("/list?channel=testchan").status, 200)
        slow = [self.ask("/namehistory/22222").status for _ in range(int(PER_SECOND) // SLOW + 1)]
        self.assertEqual(slow[-1], 429)


class TimeTests(ArchiveCase):
    """The time that reading may take."""

    def test_a_slow_archive(self) -> None:
        """A request whose reading takes too long is answered in part, with where to go on; whoever does has
        everything once."""
        for hour in range(6):
            said = [privmsg((hour * 60 + n) * 60_000, f"m{hour * 60 + n}:") for n in range(60)]
            self.world.put(MARCH + hour * 3600.0, said, room=ROOM)
        self.world.slowly(50.0)
        since, found, parts = "2026-03-01T00:00:00Z", [], 0
        while since:
            reply = self.ask(f"/channel/testchan?raw&from={since}&to=2026-03-02T00:00:00Z")
            self.assertEqual(reply.status, 200)
            rows = reply.body.decode().splitlines()
            found += [row.rpartition(" :m")[2] for row in rows if " :m" in row]
            since = reply.headers.get("x-chatlog-partial", "")
            if since:
                self.assertIn("the time for one request was over", rows[-1])
            parts += 1
        self.assertEqual(found, [f"{n}:" for n in range(360)])
        self.assertGreater(parts, 1)
