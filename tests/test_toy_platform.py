"""A platform that is only registered: everything that shows, checks and reads recordings knows it."""

from __future__ import annotations

import os
import random
from functools import partial
from types import SimpleNamespace
from typing import Any

from click.testing import CliRunner
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from chatlog import tap
from chatlog.cli import commands
from chatlog.commands.status_text import room_table
from chatlog.configuration import ConfigError, describe, parse
from chatlog.environment import Environment
from chatlog.http.api import Api
from chatlog.http.live import Live
from chatlog.http.requests import BoundedSite
from chatlog.http.site import Root
from chatlog.platforms import PLATFORMS, registered
from chatlog.record import from_json
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList, RoomListError
from chatlog.rooms.visit import Steps
from tests.http.wire import Connection, Reply
from tests.simulation.machine import Disk, ProcessReactor, RemoteStore, VirtualThreads
from tests.simulation.network import Network
from tests.simulation.timeline import Timeline, VirtualReactor
from tests.toy import TOY

REGISTRY = registered(*PLATFORMS.values(), TOY)
CONFIGURATION = b"""
toy: {channels: [ann, ghost], server: toy.test}
recorder: {directory: /data, rotate_interval: 60s}
uploader: {compression: none}
http: {listen: null}
"""
#: 2026-01-10T22:40:00Z.
START = 1768084800.0


class ToyServer(Protocol):
    """Welcomes everybody, and knows every room but one."""

    number = 1

    def connectionMade(self) -> None:
        self.transport.write(b"WELCOME\n")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            command, *names = line.split()
            for name in names if command == "JOIN" else ():
                answer = "NO ghost no such room" if name == "ghost" else f"JOINED {name}"
                self.say(answer)
            if command == "PING":
                self.say("PONG")

    def say(self, line: str) -> None:
        self.transport.write(f"{line}\n".encode())  # type: ignore[union-attr]


class ToyPlatformTests(SynchronousTestCase):
    """The whole daemon in virtual time, with a platform that it has never heard of."""

    def setUp(self) -> None:
        self.timeline = Timeline()
        clock = VirtualReactor(self.timeline)
        self.network = Network(clock, lambda number, since: None)
        self.servers: list[ToyServer] = []
        self.network.servers = {"toy.test": self.accepted}
        self.disk = Disk()
        self.store = RemoteStore(self.disk, random.Random(1))
        self.settings = parse(CONFIGURATION, {}, platforms=REGISTRY)
        self.reactor = ProcessReactor(self.timeline, self.network, lambda: None, "toy")
        threads = lambda name, size: VirtualThreads(self.reactor, size, lambda: 0.01)  # noqa: E731
        self.daemon = tap.compose(
            self.settings,
            {},
            Environment(self.reactor, self.wall, self.disk, threads("disk", 2), boot="boot"),
            tap.Uploads(lambda settings: self.store, partial(threads, "upload")),
            registry=REGISTRY,
        )
        self.daemon.getServiceNamed("watchdog").disownServiceParent()
        self.reactor.turn()
        self.daemon.startService()
        self.run_for(10)

    def wall(self) -> float:
        return START + self.timeline.now

    def run_for(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds)

    def accepted(self, address: Any) -> ToyServer:
        self.servers.append(ToyServer())
        return self.servers[-1]

    def recorded(self) -> None:
        """Somebody says something, the connection is away for a while, and somebody goes on."""
        self.servers[-1].say("SAY ann 17 bob hello there")
        self.run_for(5)
        self.network.trouble["toy.test"] = "refused"
        self.servers[-1].transport.abortConnection()  # type: ignore[union-attr]
        self.run_for(30)
        del self.network.trouble["toy.test"]
        self.run_for(90)
        self.servers[-1].say("SAY ann 18 bob again")
        self.servers[-1].say("SAY elsewhere 19 eve psst")
        self.run_for(5)

    def stop(self) -> str:
        """The daemon ends; the directory with what it has stored."""
        self.daemon.stopService()
        self.run_for(3)
        self.daemon = tap.compose(
            self.settings,
            {},
            Environment(self.reactor, self.wall, self.disk, VirtualThreads(self.reactor, 2, lambda: 0.01)),
            tap.Uploads(lambda settings: self.store, lambda n: VirtualThreads(self.reactor, n, lambda: 0.01)),
            registry=REGISTRY,
        )
        self.daemon.getServiceNamed("watchdog").disownServiceParent()
        self.daemon.startService()
        self.run_for(300)
        self.daemon.stopService()
        self.run_for(3)
        root: str = self.mktemp()
        for key, data in self.store.objects.items():
            path = os.path.join(root, key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return root

    def records(self, channel: str) -> list[dict[str, Any]]:
        """What is stored of a room, in the order of its arrival."""
        files = [data for key, data in self.store.objects.items() if f"/toy/{channel}/" in key]
        found = [from_json(line) for data in files for line in data.splitlines()]
        return sorted(found, key=lambda record: str(record["received"]))

    def ask(self, path: str) -> Reply:
        """What the page's server answers."""
        status, recorder = (self.daemon.getServiceNamed(name) for name in ("status", "recorder"))
        rooms = RoomList(self.disk, "/data", self.settings, REGISTRY)
        changes = RoomChanges(rooms, lambda *room: None, lambda *room: None)
        api = Api(status, changes, lambda: None, self.reactor.seconds)
        root = Root(status, recorder, api, Live(self.disk, "/data", self.reactor), self.reactor.seconds)
        site = BoundedSite(root, self.reactor)
        clock = SimpleNamespace(advance=self.run_for, callLater=self.reactor.callLater)
        case: Any = SimpleNamespace(scene=SimpleNamespace(clock=clock), site=site)
        connection = Connection(case).send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n")
        [reply] = connection.replies()
        connection.leave()
        return reply

    def test_configured(self) -> None:
        """Its section is read, completed and described as those of the others."""
        self.assertEqual(self.settings.platforms["toy"].channels, ("ann", "ghost"))
        said = describe(self.settings, REGISTRY)
        self.assertIn("toy:\n  channels:\n    - ann\n", said)
        self.assertIn("# Toy: 2 rooms of toy.test.\n", said)
        self.assertEqual(parse(said.encode(), {}, platforms=REGISTRY), self.settings)

    def test_problems(self) -> None:
        """Mistakes in its section, and in those of others, are told as everywhere."""
        for text, problem in (
            (b"toy: {}", "list at least one under twitch.channels or kick.channels or toy.channels"),
            (b"tooy: {channels: [a]}", "did you mean toy?"),
            (b"toy: {channels: ['https://toy.example/ann']}", "write its name, ann"),
            (b"twitch: {channels: ['toy/ann']}", "write ann, under toy.channels"),
        ):
            with self.assertRaises(ConfigError) as caught:
                parse(text, {}, platforms=REGISTRY)
            self.assertIn(problem, str(caught.exception))

    def test_named(self) -> None:
        """Its rooms can be added by name and by address, and are known after a restart."""
        rooms = RoomList(self.disk, "/data", self.settings, REGISTRY)
        for text, name in (("toy/Bob", "bob"), ("https://www.toy.example/Cat", "cat")):
            key, channel = rooms.named(text)
            self.assertEqual((key, rooms.add("toy", channel)), (("toy", name), True))
        with self.assertRaises(RoomListError):
            rooms.named("toy/dan", chatroom_id=5)
        again = RoomList(self.disk, "/data", self.settings, REGISTRY)
        again.load()
        self.assertEqual({name for _, name in again.rooms()}, {"ann", "ghost", "bob", "cat"})

    def test_recorded(self) -> None:
        """What people say is recorded once, and what was missed in between is a gap."""
        self.recorded()
        self.stop()
        records = self.records("ann")
        self.assertEqual(
            [(record["type"], record["message"]) for record in records if record["type"] != "gap"],
            [("message", "hello there"), ("message", "again")],
        )
        reasons = [record["details"]["reason"] for record in records if record["type"] == "gap"]
        self.assertEqual(reasons[0], "connection lost")
        self.assertEqual([record["message"] for record in self.records("_server")], ["psst"])

    def test_shown(self) -> None:
        """The API, the page and the metrics have its rooms, and say in words why one is not recorded."""
        self.recorded()
        rooms = {room["name"]: room for room in self.ask("/api/v1/rooms").json["rooms"]}
        self.assertEqual((rooms["ann"]["platform"], rooms["ann"]["state"]), ("toy", "recorded"))
        self.assertEqual(rooms["ghost"]["state"], "refused")
        self.assertIn("no such room", str(rooms["ghost"]))
        [platform] = self.ask("/api/v1/platforms").json
        self.assertEqual((platform["platform"], platform["rooms"], platform["recorded"]), ("toy", 2, 1))
        self.assertEqual(self.ask("/rooms/toy/ann").status, 200)
        self.assertEqual(self.ask("/rooms/toy/nobody").status, 404)
        metrics = self.ask("/metrics").body.decode()
        self.assertIn('chatlog_rooms{platform="toy",state="recorded"} 1', metrics)
        lines = dict(room_table(list(rooms.values())))
        self.assertTrue(any(line.split()[:3] == ["toy", "ann", "recorded"] for line in lines), lines)

    def test_commands(self) -> None:
        """Commands verify and read its recordings, and know its rooms by every name."""
        self.recorded()
        root = self.stop()
        runner = CliRunner()
        verified = runner.invoke(commands, ["verify", root, "--room", "toy/ann"], obj=REGISTRY)
        self.assertEqual(verified.exit_code, 0, verified.output)
        self.assertIn("toy/ann", verified.output)
        found = runner.invoke(
            commands,
            [
                "search",
                "hello",
                "--archive",
                root,
                "--room",
                "https://toy.example/ann",
                "--since",
                "2026-01-10",
            ],
            obj=REGISTRY,
        )
        self.assertIn("hello there", found.output)

    def test_visited(self) -> None:
        """A check asks its server for the first room."""
        environment: Any = Environment(
            self.reactor, self.wall, self.disk, VirtualThreads(self.reactor, 1, lambda: 0.0)
        )
        from chatlog.network.dialing import Network as Ways

        visit = TOY.visit(self.settings.platforms["toy"], environment, Ways(self.reactor), Steps())
        done = Deferred.fromCoroutine(visit)
        self.run_for(2)
        self.assertEqual(self.successResultOf(done), "toy.test: joined ann")
