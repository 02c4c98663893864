"""What every engine promises, asked of real servers (Redis and etcd) and of the one in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SkipTest, TestCase

from chatlog.cluster.engine import (
    CHUNKS,
    MOST_BYTES,
    Chunk,
    Conflict,
    Engine,
    EngineAway,
    LatePut,
    NameTaken,
)
from chatlog.cluster.engines import open_engine
from chatlog.config.engine_address import read_engine
from chatlog.network.dialing import Network
from tests.cluster.memory_engine import MemoryEngine, MemoryServer
from tests.cluster.servers import EtcdServer, RedisServer, Server

#: A lease that does not end during a test.
LONG = 60.0


class Contract:
    """The promises. A subclass says how to get at an engine, and what the shortest lease is."""

    short = 1.0
    engine: Callable[[], Engine]
    after: Callable[[float], Awaitable[None]]
    assertEqual: Callable[..., Any]
    assertNotEqual: Callable[..., Any]
    assertRaises: Callable[..., Any]
    assertGreater: Callable[..., Any]
    failed: Callable[..., Any]

    async def test_lines(self) -> None:
        """Everybody sees what everybody has put, as it was put last."""
        one, two = self.engine(), self.engine()
        self.assertEqual((await one.read()).lines, {})
        await one.put("a", "id1", 1, '{"said":"\u00fc \\n"}', LONG)
        await two.put("b", "id2", 1, "two words", LONG)
        await one.put("a", "id1", 2, "more", LONG)
        reading = await two.read()
        self.assertEqual(reading.lines, {"a": "more", "b": "two words"})
        self.assertEqual(reading, await one.read())
        self.assertNotEqual(reading.epoch, "")

    async def test_lease(self) -> None:
        """A line that is not put again goes when its lease ends; then the name is free."""
        one, two = self.engine(), self.engine()
        await one.put("a", "id1", 1, "line", self.short)
        await two.put("b", "id2", 1, "line", LONG)
        self.assertEqual(sorted((await two.read()).lines), ["a", "b"])
        for _ in range(40):
            await self.after(self.short / 8)
            if "a" not in (await two.read()).lines:
                break
        self.assertEqual(sorted((await two.read()).lines), ["b"])
        await two.put("a", "id3", 1, "another", LONG)
        await self.failed(one.put("a", "id1", 2, "line", LONG), NameTaken)

    async def test_renewed(self) -> None:
        """A line that is put again stays."""
        one = self.engine()
        for beat in range(1, 5):
            await one.put("a", "id1", beat, f"line {beat}", self.short)
            await self.after(self.short / 2)
        self.assertEqual((await one.read()).lines, {"a": "line 4"})

    async def test_name_taken(self) -> None:
        """Two processes of one name: the second is refused, and changes nothing. The same identity may come
        back at once."""
        one, two, again = self.engine(), self.engine(), self.engine()
        await one.put("a", "id1", 7, "line", LONG)
        await self.failed(two.put("a", "id2", 8, "other", LONG), NameTaken)
        await self.failed(two.leave("a", "id2", 9, LONG), NameTaken)
        self.assertEqual((await one.read()).lines, {"a": "line"})
        late = await self.failed(again.put("a", "id1", 1, "restarted", LONG), LatePut)
        self.assertEqual(late.beat, 7)
        await again.put("a", "id1", 8, "restarted", LONG)
        self.assertEqual((await one.read()).lines, {"a": "restarted"})

    async def test_late_put(self) -> None:
        """A put that arrives after a later one, or after the leave, claims nothing."""
        one, delayed = self.engine(), self.engine()
        await one.put("a", "id1", 3, "slots 1", LONG)
        await one.put("a", "id1", 5, "no slots", LONG)
        for beat in (3, 4, 5):
            await self.failed(delayed.put("a", "id1", beat, "slots 1", LONG), LatePut)
        await self.failed(one.put("a", "id1", 5, "slots 1", LONG), LatePut)
        self.assertEqual((await one.read()).lines, {"a": "no slots"})
        await one.leave("a", "id1", 6, LONG)
        self.assertEqual((await one.read()).lines, {})
        await self.failed(delayed.put("a", "id1", 5, "slots 1", LONG), LatePut)
        self.assertEqual((await one.read()).lines, {})
        # The name is free for others, and for the same one.
        await one.put("a", "id1", 7, "back", LONG)
        await one.leave("a", "id1", 8, LONG)
        await delayed.put("a", "id2", 1, "a new spool", LONG)
        self.assertEqual((await one.read()).lines, {"a": "a new spool"})

    async def test_compare_and_set(self) -> None:
        """Of two who change the same chunk only one succeeds; different chunks do not hinder each other."""
        one, two = self.engine(), self.engine()
        self.assertEqual((await one.rooms()).version, 0)
        first = await one.change(7, b"\x00one\xff", 0, 0)
        self.assertGreater(first, 0)
        await self.failed(two.change(7, b"two", 0, 0), Conflict)
        second = await two.change(255, b"two", 0, first)
        self.assertGreater(second, first)
        third = await two.change(7, b"", first, second)
        self.assertGreater(third, second)
        await self.failed(one.change(7, b"one", first, second), Conflict)
        listed = await one.rooms()
        self.assertEqual(listed.version, third)
        self.assertEqual(listed.chunks, {7: Chunk(b"", third), 255: Chunk(b"two", second)})
        self.assertEqual((await one.rooms(second)).chunks, {7: Chunk(b"", third)})
        self.assertEqual((await one.rooms(third)).chunks, {})
        self.assertEqual((await one.read()).rooms, third)
        self.assertRaises(ValueError, one.change, 1, bytes(MOST_BYTES + 1), 0, 0)

    async def test_give_back(self) -> None:
        """Members give the list back to an engine that forgot, in any order and as often as they like: the
        newest of each chunk remains. Nothing is changed before."""
        one, two = self.engine(), self.engine()
        await self.failed(one.change(1, b"new", 0, 40), Conflict)
        old = {1: Chunk(b"old", 10), 2: Chunk(b"same", 30)}
        new = {1: Chunk(b"new", 41), 2: Chunk(b"same", 30), 3: Chunk(b"x" * MOST_BYTES, 42)}
        self.assertEqual(await two.give_back(new), 42)
        self.assertEqual(await one.give_back(old), 42)
        self.assertEqual(await one.give_back(new), 42)
        listed = await one.rooms()
        self.assertEqual((listed.version, dict(listed.chunks)), (42, new))
        self.assertEqual(await one.change(2, b"changed", 30, 42), 43)

    async def test_thousands_of_rooms(self) -> None:
        """A list of 100,000 rooms in all chunks is given, read whole, and read in part."""
        rooms = b"".join(b"twitch/room_number_%d\n" % number for number in range(390))
        chunks = {number: Chunk(b"%d\n" % number + rooms, number + 1) for number in range(CHUNKS)}
        one, two = self.engine(), self.engine()
        self.assertEqual(await one.give_back(chunks), CHUNKS)
        listed = await two.rooms()
        self.assertEqual((listed.version, dict(listed.chunks)), (CHUNKS, chunks))
        self.assertEqual(sorted((await two.rooms(CHUNKS - 2)).chunks), [CHUNKS - 2, CHUNKS - 1])

    async def test_closed(self) -> None:
        """Whoever has closed an engine has left nothing behind, whether it was used or not."""
        one = self.engine()
        await one.read()
        await one.close()
        await self.engine().close()


class MemoryEngineTests(Contract, TestCase):
    """The engine in memory, which tests of the members use."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = MemoryServer(self.clock)

    def engine(self) -> Engine:
        return MemoryEngine(self.server)

    async def after(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def failed(self, call: Deferred[Any], error: type[Exception]) -> Any:
        return await self.assertFailure(call, error)

    async def test_pause(self) -> None:
        """What is asked during a pause is answered behind it, and then shows the state of that time."""
        one, two = MemoryEngine(self.server), MemoryEngine(self.server)
        one.paused = True
        put, reading = one.put("a", "id1", 1, "line", LONG), one.read()
        self.assertNoResult(put)
        await two.put("b", "id2", 1, "line", LONG)
        one.proceed()
        self.assertEqual(sorted((await reading).lines), ["a", "b"])
        one.away = "gone"
        await self.failed(one.read(), EngineAway)
        self.assertEqual(await one.check(), ["memory://test: gone"])


class RealEngineTests(Contract):
    """A real server for each test."""

    kind: type[Server]
    assertFailure: Callable[..., Any]
    assertIn: Callable[..., Any]
    mktemp: Callable[[], str]
    addCleanup: Callable[..., Any]

    def setUp(self) -> None:
        self.server = self.started(self.kind)

    def started(self, kind: type[Server], **options: Any) -> Server:
        """A server that ends with the test."""
        if kind.missing():
            raise SkipTest(kind.missing())
        server = kind(Path(self.mktemp()).resolve(), **options)
        self.addCleanup(server.kill)
        server.start()
        return server

    def engine(self, cluster: str = "main") -> Engine:
        found = open_engine(read_engine(self.server.address), cluster, Network(reactor))
        self.addCleanup(found.close)
        return found

    def after(self, seconds: float) -> Deferred[None]:
        return deferLater(reactor, seconds, lambda: None)

    async def failed(self, call: Deferred[Any], error: type[Exception]) -> Any:
        return await self.assertFailure(call, error)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is done takes no longer than this."""
        clock: Any = reactor
        begun = clock.seconds()
        yield
        self.assertGreater(seconds, clock.seconds() - begun)

    async def test_clusters(self) -> None:
        """Two clusters at one server know nothing of each other."""
        one, two = self.engine("main"), self.engine("main2")
        await one.put("a", "id1", 1, "line", LONG)
        await one.change(0, b"rooms", 0, 0)
        self.assertEqual((await two.read()).lines, {})
        self.assertEqual((await two.rooms()).version, 0)

    async def test_many_at_once(self) -> None:
        """Calls at the same time do not hinder each other, and each gets its own answer."""
        one = self.engine()
        changes = [one.change(number, b"%d" % number, 0, 0) for number in range(8)]
        self.assertEqual(len({await change for change in changes}), 8)
        self.assertEqual((await one.rooms()).version, 8)

    async def test_paused(self) -> None:
        """A server that hangs is given up after two seconds, whatever is asked; as soon as it goes on, it is
        used again. What was asked meanwhile claims nothing that was left since."""
        one, two = self.engine(), self.engine()
        await one.put("a", "id1", 1, "slots", LONG)
        self.server.pause()
        with self.within(4.0):
            calls: list[Deferred[Any]] = [one.read(), one.put("a", "id1", 2, "slots", LONG), two.read()]
            for call in calls:
                await self.failed(call, EngineAway)
        self.server.proceed()
        with self.within(4.0):
            await one.leave("a", "id1", 3, LONG)
            await self.after(0.1)
            self.assertEqual((await two.read()).lines, {})

    async def test_killed(self) -> None:
        """A server that is killed is away; once it is started again and is empty, the epoch is another one,
        and everything can be put again."""
        one, two = self.engine(), self.engine()
        await one.put("a", "id1", 1, "line", LONG)
        await one.change(1, b"rooms", 0, 0)
        before = (await two.read()).epoch
        self.server.kill()
        with self.within(4.0):
            await self.failed(one.put("a", "id1", 2, "line", LONG), EngineAway)
            await self.failed(two.read(), EngineAway)
            [said] = await one.check()
        self.assertEqual(said.partition(": ")[0], one.place)
        self.assertIn("connection refused", said)
        self.server.forget()
        self.server.start()
        reading = await two.read()
        self.assertEqual((dict(reading.lines), reading.epoch, reading.rooms), ({}, "", 0))
        await self.failed(one.change(1, b"rooms", 1, 1), Conflict)
        self.assertEqual(await one.give_back({1: Chunk(b"rooms", 1)}), 1)
        await one.put("a", "id1", 3, "line", LONG)
        reading = await two.read()
        self.assertEqual((dict(reading.lines), reading.rooms), ({"a": "line"}, 1))
        self.assertNotEqual(reading.epoch, before)

    async def test_nothing_wrong(self) -> None:
        """A server as it comes from its package is fine, and so is one that is used."""
        one = self.engine()
        self.assertEqual(await one.check(), [])
        await one.put("a", "id1", 1, "line", LONG)
        self.assertEqual(await one.check(), [])
        self.assertEqual((await one.read()).lines, {"a": "line"})


class RedisTests(RealEngineTests, TestCase):
    """redis-server."""

    kind = RedisServer
    short = 0.2

    async def test_emptied(self) -> None:
        """FLUSHALL is noticed by the epoch, though no connection broke."""
        one = self.engine()
        assert isinstance(self.server, RedisServer)
        await one.put("a", "id1", 1, "line", LONG)
        before = (await one.read()).epoch
        self.server.say("FLUSHALL")
        await one.put("a", "id1", 2, "line", LONG)
        self.assertNotEqual((await one.read()).epoch, before)

    async def test_saved(self) -> None:
        """A server that comes back with what it had saved shows another epoch: what it shows is old."""
        one = self.engine()
        assert isinstance(self.server, RedisServer)
        await one.put("a", "id1", 1, "line", LONG)
        before = (await one.read()).epoch
        self.server.say("SAVE")
        self.server.kill()
        await self.failed(one.read(), EngineAway)
        self.server.start()
        reading = await one.read()
        self.assertEqual(dict(reading.lines), {"a": "line"})
        self.assertNotEqual(reading.epoch, before)


class EtcdTests(RealEngineTests, TestCase):
    """etcd."""

    kind = EtcdServer

    async def test_lease_is_lost(self) -> None:
        """etcd may lose a lease, as it does when a member is added: the line is put under a new one."""
        one = self.engine()
        await one.put("a", "id1", 1, "line", self.short)
        await self.after(self.short * 2.5)
        await one.put("a", "id1", 2, "line", LONG)
        self.assertEqual((await one.read()).lines, {"a": "line"})
