"""The whole daemon, as it is composed in production, on a machine, a network and platforms in virtual
time. Everything that happens is decided by a seed."""

from __future__ import annotations

import hashlib
import io
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chatlog import tap
from chatlog.config.settings import (
    ArchiveSettings,
    HttpSettings,
    KickChannel,
    KickSettings,
    RecorderSettings,
    Settings,
    TwitchSettings,
    UploaderSettings,
)
from chatlog.daemon import Daemon
from chatlog.environment import Environment
from chatlog.naming import parse_name
from chatlog.rooms.duplicates import WITHOUT_ID_WINDOW
from chatlog.simulator.judgement import Excuses, Judgement, Range, judge
from chatlog.simulator.kick import KickRules, SimulatedKick
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.ledger import Ledger, loads
from chatlog.simulator.recordings import Recording
from chatlog.simulator.traffic import Flow, Traffic
from chatlog.simulator.twitch import SimulatedTwitch
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.store.store import Store
from tests.fakes import NATIVE
from tests.simulation.machine import Disk, ProcessReactor, RemoteStore, VirtualThreads
from tests.simulation.network import Network
from tests.simulation.timeline import Timeline, VirtualReactor
from tests.simulator.stage import MemoryOracle

#: The time of day at which every simulation begins: 2026-01-10T22:40:00Z.
START = 1768084800.0
#: Seconds after which what was read is in a file, and what was written is on the disk, at the latest,
#: the way through the network and the pace of threads included.
FLUSHED = 1.0
SYNCED = 2.6


@dataclass(frozen=True)
class Plan:
    """What is recorded, and how."""

    twitch: int = 3
    kick: int = 2
    rate: float = 2.0
    lanes: int = 1
    compression: str = "none"
    rotate_interval: float = 3600.0
    buffer_limit: int = 30_000
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)


@dataclass
class Outcome:
    """What came of it all."""

    judgement: Judgement
    digest: str
    #: Events that are missing within the bounds of a killed process or a crashed machine, and events that
    #: found no room; how many the gap records say found none; and those that should be there.
    within: int = 0
    dropped: int = 0
    said_dropped: int = 0
    outside: list[Range] = field(default_factory=list)
    hidden: list[Range] = field(default_factory=list)
    #: Events without an id that one of two connections brought so late that nobody could know them again.
    late_copies: int = 0
    #: Files that are not in the store.
    left: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        found = self.judgement
        doubled = found.doubled - self.late_copies
        faults = doubled + found.altered + found.invalid + found.unknown
        return not (faults or found.duplicate_names or self.outside or self.hidden or self.left)


class World:
    """``run`` lets time pass; ``kill``, ``crash``, ``terminate`` end the process, and it is started again
    by itself; ``end`` lets everything come to rest and judges it."""

    def __init__(self, path: str, seed: str, plan: Plan) -> None:
        self._seed = seed
        self.chance = random.Random(f"world {seed}")
        self.timeline = Timeline()
        self.timeline.after_each = self._look
        self.clock = VirtualReactor(self.timeline)
        self.oracle = MemoryOracle(path)
        self.traffic = Traffic(
            self.clock,
            self.wall,
            TwitchChat(seed),
            KickChat(seed),
            self.oracle,
            Flow(plan.rate, kick_share=0.3, tick=0.5),
            seed,
        )
        self.twitch = SimulatedTwitch(self.clock, self.traffic)
        self.kick = SimulatedKick(self.clock, self.traffic, KickRules(rooms=plan.kick))
        self.kick.make_factory()
        self.twitch.begin()
        self.kick.begin()
        self.network = Network(self.clock, self._unread)
        self.network.servers = {"twitch.test": self.twitch.connection, "kick.test": self.kick.connection}
        self.disk = Disk()
        self.store = RemoteStore(self.disk, self.chance)
        self.settings = self._settings(plan)
        self.reactor: ProcessReactor | None = None
        self.daemon: Daemon | None = None
        self.boots = 1
        #: What becomes of the machine if the disk dies now, and for how long threads take.
        self.doom = "kill"
        self.slow_disk = (0.005, 0.08)
        self.slow_store = (0.05, 1.0)
        self.windows: list[tuple[int, int]] = []
        #: Since when not everything can be written, if that is so, and when that was before.
        self.full_since: float | None = None
        self.full: list[tuple[int, int]] = []
        #: Since when a process that is gone may have left something that no sync has covered.
        self._unsafe_since: float | None = None
        self._ended = False
        self.starts = 0
        self.happened: Counter[str] = Counter()
        self.start()
        self.traffic.start()

    def _settings(self, plan: Plan) -> Settings:
        rooms = [self.kick.know(f"room{n}") for n in range(1, plan.kick + 1)]
        channels = tuple(KickChannel(room.name, int(room.id), int(room.channel_id)) for room in rooms)
        return Settings(
            platforms={
                "twitch": TwitchSettings(
                    tuple(f"room{n}" for n in range(1, plan.twitch + 1)),
                    host="twitch.test",
                    port=6667,
                    tls=False,
                    lanes=plan.lanes,
                    rooms_per_connection=2,
                ),
                "kick": KickSettings(
                    channels, server="ws://kick.test/app/demo", lookup=None, lanes=plan.lanes
                ),
            },
            recorder=RecorderSettings(
                "/data", rotate_interval=plan.rotate_interval, buffer_limit=plan.buffer_limit
            ),
            uploader=UploaderSettings(plan.compression),
            http=HttpSettings(None),
            archive=plan.archive,
        )

    # -- time ------------------------------------------------------------------------------------------

    def wall(self) -> float:
        """The time of day."""
        return START + self.timeline.now

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run(self.timeline.now + seconds)

    def _look(self) -> None:
        if self.disk.dead:
            self.happened[f"{self.doom} in the middle of an operation"] += 1
            self._die(self.doom)

    def _unread(self, number: int, since: float) -> None:
        self.oracle.note("cut", number, self.traffic.milliseconds(), round((START + since) * 1000) - 1)

    # -- the process -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon."""
        if self.reactor is not None or self._ended:
            return
        self.starts += 1
        reactor = self.reactor = ProcessReactor(
            self.timeline, self.network, self.terminate, f"{self._seed} {self.starts}"
        )
        self.daemon = tap.compose(
            self.settings,
            {},
            Environment(
                reactor,
                self.wall,
                self.disk,
                self._threads("disk", 2),
                boot=f"boot {self.boots}",
                read_chat=NATIVE.read_chat,
            ),
            tap.Uploads(self._open_store, partial(self._threads, "upload")),
        )
        self.daemon.show_stacks = lambda reason: None
        # It watches a real reactor from a real thread.
        self.daemon.getServiceNamed("watchdog").disownServiceParent()
        reactor.turn()
        self.daemon.startService()

    def _open_store(self, settings: Settings) -> Store:
        return self.store

    def _threads(self, name: str, size: int) -> Any:
        assert self.reactor is not None
        slow = (lambda: self.slow_disk) if name == "disk" else (lambda: self.slow_store)
        return VirtualThreads(self.reactor, size, lambda: self.chance.uniform(*slow()))

    def terminate(self) -> None:
        """SIGTERM, or what the daemon does when it gives up."""
        if self.reactor is None or self.daemon is None:
            return
        reactor, daemon, self.daemon = self.reactor, self.daemon, None
        self._note_safe(daemon)
        stopped = daemon.stopService()
        stopped.addBoth(lambda _: reactor.callLater(0, self._exited, reactor))

    def _exited(self, reactor: ProcessReactor) -> None:
        if self.reactor is reactor:
            if reactor.status:
                self.happened["gave up"] += 1
            self._gone("exit", 0.0)

    def kill(self) -> None:
        """kill -9."""
        if self.reactor is not None:
            self._die("kill")

    def crash(self) -> None:
        """The machine loses its power."""
        self._die("crash")

    def _die(self, how: str) -> None:
        self._gone(how, SYNCED if how == "crash" else FLUSHED)

    def _gone(self, how: str, bound: float) -> None:
        reactor, self.reactor = self.reactor, None
        daemon, self.daemon = self.daemon, None
        now = self.timeline.now
        if daemon is not None:
            self._note_safe(daemon)
        since = now - bound
        if reactor is not None:
            reactor.alive = False
            if self.full_since is not None:
                # What waits in memory goes with it.
                since = min(since, self.full_since - FLUSHED)
            for wire in self.network.of(reactor):
                wire.vanish(self.chance.uniform(5.0, 40.0) if how == "crash" else wire.latency())
        if how == "crash" and self._unsafe_since is not None:
            since = min(since, self._unsafe_since)
        self.windows.append((round((START + since) * 1000), round((START + now) * 1000)))
        if how == "crash":
            self._unsafe_since = None
        elif self._unsafe_since is None and (how == "kill" or self.full_since is not None):
            self._unsafe_since = min(now, self.full_since or now) - SYNCED
        if how == "crash":
            self.boots += 1
            self.disk.crash(self.chance)
        else:
            self.disk.kill()
        delay = self.chance.choice((0.2, 1.0, 5.0, 60.0)) + (20.0 if how == "crash" else 0.0)
        self.clock.callLater(delay * self.chance.uniform(0.5, 1.5), self.start)

    def _note_safe(self, daemon: Daemon) -> None:
        if daemon.getServiceNamed("recorder").recovered_durable:
            self._unsafe_since = None

    def trouble(self) -> None:
        """From now on not everything can be written."""
        if self.full_since is None:
            self.full_since = self.timeline.now

    def no_trouble(self) -> None:
        """All of it can, for long enough that nothing waits any more."""
        if self.full_since is not None:
            start, end = self.full_since - FLUSHED, self.timeline.now
            self.full.append((round((START + start) * 1000), round((START + end) * 1000)))
            self.full_since = None

    # -- the end ---------------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[str]:
        """Everything in the spool that is not in the store yet."""
        areas = ("open", "sealed", "packed")
        return [f"{area}/{name}" for area in areas for name in self.disk.names(f"/data/{area}")]

    def end(self, rest: float = 900.0) -> Outcome:
        """Say nothing more, let everything arrive, stop, start once more, and judge what is in the store.
        The last process runs for ``rest`` seconds after nothing waits any more."""
        self.run(400.0)
        self.traffic.stop()
        self.run(70.0)
        self.terminate()
        self.run(30.0)
        for _ in range(40):
            self.run(300.0)
            if not self.waiting:
                break
        self.run(rest)
        left = [name for name in self.waiting if not name.startswith("open/")]
        self._ended = True
        self.terminate()
        self.run(3.0)
        for wire in self.network.wires:
            wire.note()
        self.oracle.flush()
        ledger = Ledger()
        with open(self.oracle.path, "rb") as file:
            ledger.read(file)
        recordings = [self._recording(key) for key in self.store.objects if not key.startswith("manifest/")]
        digest = hashlib.sha256()
        for key, data in sorted(self.store.objects.items()):
            digest.update(f"{key} {len(data)}\n".encode() + data)
        outcome = Outcome(judge(ledger, recordings, Excuses(tuple(self.windows))), digest.hexdigest())
        outcome.left = left
        if self.settings.platforms["twitch"].lanes > 1:
            late = [age for age in outcome.judgement.doubled_after if age > 1000 * WITHOUT_ID_WINDOW]
            outcome.late_copies = len(late)
        self._sort(outcome)
        outcome.said_dropped = sum(self._dropped(recording) for recording in recordings)
        return outcome

    def _sort(self, outcome: Outcome) -> None:
        """What is missing: within the bounds, counted, or neither."""
        found = outcome.judgement
        outcome.within = found.excused
        for missing in found.missing:
            full = any(start <= missing.start and missing.end <= end for start, end in self.full)
            if missing.why == "lost" and full:
                outcome.dropped += missing.count
            elif missing.why == "lost":
                outcome.outside.append(missing)
            if missing.hidden:
                outcome.hidden.append(missing)

    @staticmethod
    def _dropped(recording: Recording) -> int:
        return sum(loads(line)["details"]["dropped"] for line in recording.lines() if b'"dropped":' in line)

    def _recording(self, key: str) -> Recording:
        name = key.rpartition("/")[2].removesuffix(".gz").removesuffix(".zst")
        return Recording(parse_name(name), key, lambda: io.BytesIO(self.store.objects[key]))
