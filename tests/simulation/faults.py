"""What goes wrong in a simulation, when, and for how long: all of it decided by the seed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from tests.simulation.world import World

#: Hosts of the network.
HOSTS = ("twitch.test", "kick.test")


class Faults:
    """Lets something go wrong every ``mean`` seconds or so, until ``stop``."""

    def __init__(self, world: World, mean: float) -> None:
        self._world = world
        self._chance = world.chance
        self._mean = mean
        self._stopped = False
        #: Until when something that was said long ago may still arrive.
        self._late_until = 0.0
        #: Until when what the disk did not do in time may be undone.
        self._unwell_until = 0.0
        #: Kinds of faults that last, and are there now.
        self._present: set[str] = set()
        self._kinds: list[tuple[int, str, Callable[[], object]]] = [
            (4, "kill", self._kill),
            (3, "kill in the middle", self._kill_in_the_middle),
            (3, "crash", self._crash),
            (2, "crash in the middle", self._crash_in_the_middle),
            (3, "terminate", lambda: self._in_time(world.terminate)),
            (3, "stall", self._stall),
            (4, "reset", lambda: self._connection(lambda c: c.cut())),
            (2, "close", lambda: self._connection(lambda c: c.finish())),
            (2, "half-open", self._half_open),
            (2, "reconnect", lambda: self._connection(lambda c: c.announce_reconnect(self._between(0, 20)))),
            (2, "room taken away", self._part),
            (1, "garbage", lambda: self._connection(lambda c: c.garbage(self._chance))),
            (2, "server unreachable", self._unreachable),
            (1, "no answer to joins", lambda: self._server("joins_ignored", 60.0)),
            (1, "no answer to logins", lambda: self._server("stalled", 60.0)),
            (1, "login refused", lambda: self._server("login_refused", 60.0, world.kick)),
            (3, "disk full", self._disk_full),
            (2, "write error", self._write_error),
            (1, "failed sync", self._failed_sync),
            (1, "slow disk", self._slow_disk),
            (1, "stuck disk", self._stuck_disk),
            (1, "no descriptors", self._no_descriptors),
            (2, "store away", lambda: self._store("away", 7200.0)),
            (1, "store refuses", lambda: self._store("refuses", 7200.0)),
            (2, "store forgets", lambda: self._store("forgets", 1800.0)),
            (2, "answers of the store lost", lambda: self._store("mute", 1800.0)),
            (1, "slow store", self._slow_store),
            (1, "machine suspended", self._suspend),
        ]
        self._next()

    def stop(self) -> None:
        """Let nothing more go wrong, and end what lasts."""
        self._stopped = True
        world = self._world
        world.disk.rule = lambda operation, path: None
        world.disk.capacity = world.disk.most_fds = None
        world.disk._crash_at = None
        world.slow_disk, world.slow_store = (0.005, 0.08), (0.05, 1.0)
        world.store.mood = ""
        world.network.trouble.clear()
        for server in (world.twitch, world.kick):
            server.login_refused = server.joins_ignored = server.stalled = False

    def _between(self, least: float, most: float) -> float:
        return self._chance.uniform(least, most)

    def _later(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        self._world.clock.callLater(seconds, call, *args)

    def _next(self) -> None:
        if not self._stopped:
            self._later(self._chance.expovariate(1 / self._mean), self._happen)

    def _happen(self) -> None:
        if self._stopped:
            return
        weights = [weight for weight, _, _ in self._kinds]
        _, name, act = self._chance.choices(self._kinds, weights)[0]
        self._world.happened[name] += 1
        act()
        self._next()

    def _lasting(self, kind: str, seconds: float, end: Callable[[], object]) -> bool:
        """Whether a fault of this kind may begin; it ends after so many seconds."""
        if kind in self._present:
            return False
        self._present.add(kind)

        def over() -> None:
            self._present.discard(kind)
            if not self._stopped:
                end()

        self._later(seconds, over)
        return True

    # -- the process and the machine -------------------------------------------------------------------

    def _in_time(self, act: Callable[[], object]) -> None:
        """Do it when nothing old can arrive that would be lost with what is new."""
        if self._stopped:
            return
        wait = self._late_until - self._world.timeline.now
        if wait > 0.0:
            self._later(wait, self._in_time, act)
        else:
            act()

    def _kill(self) -> None:
        self._in_time(self._world.kill)

    def _crash(self) -> None:
        self._in_time(self._world.crash)

    def _kill_in_the_middle(self) -> None:
        self._in_time(lambda: self._doom("kill"))

    def _crash_in_the_middle(self) -> None:
        self._in_time(lambda: self._doom("crash"))

    def _doom(self, how: str) -> None:
        # Nothing arrives late before it has come.
        self._late_until = self._world.timeline.now
        self._world.doom = how
        self._world.disk.crash_at(self._chance.randrange(1, 60))

    def _suspend(self) -> None:
        reactor = self._world.reactor
        if reactor is not None and self._quiet and self._world.timeline.now >= self._late_until:
            seconds = self._between(5.0, 300.0)
            reactor.sleep(seconds)
            self._unwell_until += seconds
            self._late_until = self._world.timeline.now + seconds + 5.0

    # -- the network -----------------------------------------------------------------------------------

    def _connection(self, act: Callable[[Any], object]) -> None:
        """Do something to one connection."""
        wires = [wire for wire in self._world.network.wires if wire.server.protocol.number]
        living = [wire.server.protocol for wire in wires if not wire.server.protocol.dead]
        if living:
            self._world.traffic.send()
            act(self._chance.choice(living))

    def _part(self) -> None:
        def part(connection: Any) -> None:
            if connection.joined:
                names = sorted({room.name for room, _ in connection.joined})
                connection.part_room(self._chance.choice(names))

        # Where a room is missing without a word nobody can know it.
        wires = [wire.server.protocol for wire in self._world.network.wires]
        twitch = [each for each in wires if each in self._world.twitch.connections.values()]
        if twitch:
            part(self._chance.choice(twitch))

    def _stall(self) -> None:
        """Packets of one connection are lost for a while, shorter or longer than anybody waits."""
        wires = self._world.network.wires
        if wires and self._quiet:
            seconds = self._chance.choice((3.0, 20.0, 60.0, 400.0)) * self._between(0.5, 1.5)
            self._chance.choice(wires).stalled_until = self._world.timeline.now + seconds
            self._late_until = max(self._late_until, self._world.timeline.now + max(seconds, 42.0) + 3.0)

    def _half_open(self) -> None:
        """A connection dies without a word."""
        if self._quiet:
            self._connection(lambda connection: connection.half_open(self._between(1.0, 90.0)))

    @property
    def _quiet(self) -> bool:
        """Whether nothing is under way that may end the process."""
        return "disk" not in self._present and self._world.disk._crash_at is None

    def _unreachable(self) -> None:
        host = self._chance.choice(HOSTS)
        self._world.network.trouble[host] = self._chance.choice(("refused", "nowhere"))
        self._later(self._between(5.0, 300.0), self._world.network.trouble.pop, host, None)

    def _server(self, what: str, most: float, server: Any = None) -> None:
        server = server or self._chance.choice((self._world.twitch, self._world.kick))
        setattr(server, what, True)
        self._later(self._between(1.0, most), setattr, server, what, False)

    # -- the disk --------------------------------------------------------------------------------------

    def _trouble(self, seconds: float, end: Callable[[], object], after: float = 8.0) -> bool:
        """Begin trouble of the disk, if there is none and nothing late may arrive. It is over ``after`` so
        many seconds more."""
        world = self._world
        if world.timeline.now < self._late_until or not self._lasting("disk", seconds, end):
            return False
        world.trouble()
        self._unwell_until = max(self._unwell_until, world.timeline.now + seconds + after)
        self._later(seconds + after, self._well)
        return True

    def _well(self) -> None:
        left = self._unwell_until - self._world.timeline.now
        if left > 0.0:
            self._later(left, self._well)
        elif "disk" not in self._present:
            self._world.no_trouble()

    def _disk_full(self) -> None:
        disk = self._world.disk
        if self._trouble(self._between(2.0, 120.0), lambda: setattr(disk, "capacity", None)):
            disk.capacity = disk.used() + self._chance.randrange(0, 5000)

    def _write_error(self) -> None:
        def rule(operation: str, path: str) -> None:
            if operation in operations:
                raise OSError(errno.EIO, "Input/output error", path)

        operations = self._chance.choice((("write",), ("create",), ("rename",), ("write", "create")))
        if self._trouble(self._between(1.0, 60.0), self._no_rule):
            self._world.disk.rule = rule

    def _no_rule(self) -> None:
        self._world.disk.rule = lambda operation, path: None

    def _failed_sync(self) -> None:
        def rule(operation: str, path: str) -> None:
            if operation in ("sync", "sync_all", "sync_directory"):
                self._no_rule()
                raise OSError(errno.EIO, "Input/output error", path)

        if self._trouble(30.0, self._no_rule):
            self._world.disk.rule = rule

    def _slow_disk(self) -> None:
        def over() -> None:
            self._world.slow_disk = (0.005, 0.08)

        if self._trouble(self._between(10.0, 120.0), over, after=30.0):
            self._world.slow_disk = (0.1, 8.0)

    def _stuck_disk(self) -> None:
        def over() -> None:
            self._world.slow_disk = (0.005, 0.08)

        if self._trouble(self._between(5.0, 60.0), over, after=70.0):
            self._world.slow_disk = (60.0, 60.0)

    def _no_descriptors(self) -> None:
        disk = self._world.disk
        if self._trouble(self._between(1.0, 60.0), lambda: setattr(disk, "most_fds", None)):
            disk.most_fds = len(disk.fds)

    # -- the store -------------------------------------------------------------------------------------

    def _store(self, mood: str, most: float) -> None:
        store = self._world.store
        if self._lasting("store", self._between(10.0, most), lambda: setattr(store, "mood", "")):
            store.mood = mood

    def _slow_store(self) -> None:
        def over() -> None:
            self._world.slow_store = (0.05, 1.0)

        if self._lasting("slow store", self._between(60.0, 1800.0), over):
            self._world.slow_store = (5.0, 60.0)
