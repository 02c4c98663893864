"""Where the campaign of several recorders is fought: the members of one cluster with their relays, the
engine, the simulator and the store."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.campaign.field import FLUSH, MARGIN
from bench.campaign.relay import Relays
from tests.cluster.servers import EtcdServer, RedisServer, Server, free_port
from tests.processes import Failed, Process, Stage, wait_for

ENGINES: dict[str, type[Server]] = {"redis": RedisServer, "etcd": EtcdServer}
ROOMS, KICK_ROOMS = 60, 12
#: The most rooms that are added.
_MORE = 1000
#: Seconds that the members get to hand over before they end.
DRAIN = 30
_TOKEN = "campaign-token"


class Turn(NamedTuple):
    """A turn that was played, with its times in seconds since the epoch."""

    name: str
    began: float
    ended: float


class Member:
    """One recorder with a spool, a page and ways of its own to the engine and the platforms."""

    def __init__(self, name: str, stage: Stage, relays: Relays, ports: dict[str, int]) -> None:
        self.name = name
        self.home = stage.home / name
        self.home.mkdir()
        self.data = self.home / "data"
        self.page = free_port()
        self.ways = {to: relays.to(port) for to, port in ports.items()}
        self.process: Process | None = None
        self.started = 0.0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.alive

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.home / "chatlog.yaml"

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """What its API says; None if it does not answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.page}/api/v1/{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {_TOKEN}")
        with suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"{}")
        return None

    def waiting(self) -> list[str]:
        """Recordings that are not only in the store."""
        areas = [self.data / area for area in ("open", "sealed", "packed")]
        return sorted(path.name for area in areas if area.exists() for path in area.iterdir())


class Fleet:
    """Everything that runs. ``windows`` are the times (seconds since the epoch) in which a loss is within
    the promises."""

    def __init__(self, stage: Stage, options: Any, longest: float) -> None:
        self.stage = stage
        self.replicas: int = options.replicas
        self.rng = random.Random(options.seed)
        self.windows: list[tuple[float, float]] = []
        self.turns: list[Turn] = []
        self.problems: list[str] = []
        self.stops: list[float] = []
        self.calms: list[float] = []
        self.added: list[str] = []
        self.removed: dict[str, float] = {}
        self.played: Counter[str] = Counter()
        self._bundle = {"bundle": options.bundle} if options.bundle else {}
        self.relays = Relays()
        self.engine = ENGINES[options.engine](stage.home / "engine")
        self.simulator = stage.simulator(
            rate=options.rate,
            kick_share=KICK_ROOMS / (ROOMS + KICK_ROOMS),
            channels=ROOMS + _MORE,
            spread="even",
            seed=options.seed,
            duration=round(longest),
        )
        stage.s3()
        self.bucket = stage.store(make=False)
        self.members = [self._member(chr(ord("a") + number)) for number in range(options.instances)]

    def _member(self, name: str) -> Member:
        ports = {**self.simulator.ports, "engine": self.engine.port}
        member = Member(name, self.stage, self.relays, ports)
        platform = {to: member.ways[to].port for to in ("twitch", "kick")}
        settings = {
            "instance": name,
            "cluster": {
                "name": "campaign",
                "engine": f"{self.engine.SCHEME}://127.0.0.1:{member.ways['engine'].port}",
                "replicas": self.replicas,
                "drain": f"{DRAIN}s",
            },
            "twitch": {
                "server": f"ircs://127.0.0.1:{platform['twitch']}",
                "channels": [f"room{n}" for n in range(1, ROOMS + 1)],
                "joins_per_10s": 2000,
            },
            "kick": {
                "server": f"ws://127.0.0.1:{platform['kick']}/app/demo",
                "lookup": f"http://127.0.0.1:{platform['kick']}/api/v2/channels/{{slug}}",
                "channels": [f"room{n}" for n in range(1, KICK_ROOMS + 1)],
            },
            "recorder": {
                "directory": str(member.data),
                "rotate_interval": "10s",
                "flush_interval": f"{FLUSH}s",
            },
            "http": {"listen": f"127.0.0.1:{member.page}", "token": _TOKEN},
            "s3": self.stage.s3_settings(),
            "uploader": {"compression": "zstd", **self._bundle},
        }
        written = yaml.safe_load(self.stage.config(settings).read_text())
        member.config.write_text(yaml.safe_dump(written))
        return member

    def close(self) -> None:
        """End everything; the stage is closed by whoever made it."""
        for member in self.members:
            if member.process is not None and member.process.alive:
                member.process.popen.kill()
                member.process.popen.wait()
        self.engine.kill()
        self.relays.close()

    def say(self, text: str) -> None:
        """A line about the course of things."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def problem(self, text: str) -> None:
        """Something that must not happen."""
        self.problems.append(text)
        self.say(f"PROBLEM: {text}")

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Something that is played; holes that begin in it are its own."""
        began = time.time()
        try:
            yield
        finally:
            self.turns.append(Turn(name, began, time.time()))
            self.played[name] += 1

    def between(self, least: float, most: float) -> float:
        """Some time between, in seconds."""
        return self.rng.uniform(least, most)

    def anybody(self) -> Member:
        """Some member that runs."""
        return self.rng.choice([member for member in self.members if member.alive])

    # -- the members ---------------------------------------------------------------------------------

    def start(self, member: Member) -> None:
        """Start a member."""
        arguments = ["--config", str(member.config)]
        member.process = self.stage.daemon(arguments)
        member.started = time.time()

    def kill(self, member: Member) -> None:
        """kill -9, now."""
        assert member.process is not None
        now = time.time()
        member.process.popen.kill()
        member.process.popen.wait()
        self.windows.append((now - FLUSH - MARGIN, time.time() + MARGIN))
        self._look_through(member)

    def end(self, member: Member) -> None:
        """End a member with a signal, and wait until it has handed over."""
        assert member.process is not None
        began = time.monotonic()
        member.process.send(signal.SIGTERM)
        try:
            status = member.process.popen.wait(DRAIN + 15)
            if status != -signal.SIGTERM:
                self.problem(f"{member.name}: ended with {status}")
        except subprocess.TimeoutExpired:
            member.process.popen.kill()
            member.process.popen.wait()
            self.problem(f"{member.name}: did not end within {DRAIN + 15} s")
        self.stops.append(time.monotonic() - began)
        self._look_through(member)

    def _look_through(self, member: Member) -> None:
        assert member.process is not None
        said = member.process.output()
        if "Traceback" in said:
            found = said[said.index("Traceback") :][:1500]
            self.problem(f"{member.name}, {member.process.log.name}: a traceback: {found}")

    def calm(self, limit: float = 90.0) -> None:
        """Wait until the members that run have shared all rooms, and nothing moves."""
        began = time.monotonic()
        last = [""]

        def shared() -> bool:
            last[0] = self._unrest()
            return not last[0]

        try:
            wait_for("calm", shared, limit, 0.3)
        except Failed:
            raise Failed(f"no calm within {limit:.0f} s: {last[0]}") from None
        self.calms.append(time.monotonic() - began)

    def _unrest(self) -> str:
        """What is not as it should be; "" if all is."""
        running = [member for member in self.members if member.alive]
        for member in self.members:
            if (
                member.process is not None
                and not member.process.alive
                and member.process.popen.returncode > 0
            ):
                raise Failed(f"{member.name} ended by itself: {member.process.output()[-3000:]}")
        wanted = ROOMS + KICK_ROOMS + len(self.added) - len(self.removed)
        held = 0
        for member in running:
            facts = member.ask("cluster")
            if facts is None:
                return f"{member.name} does not answer"
            names = {each["name"] for each in facts["members"] if each["state"] == "active"}
            if names != {each.name for each in running}:
                return f"{member.name} sees {sorted(names)}"
            if facts["list"]["rooms"] != wanted:
                return f"{member.name} knows {facts['list']['rooms']} rooms of {wanted}"
            moving = {
                platform: slots
                for platform, slots in facts["slots"].items()
                if slots["starting"] or slots["withdrawn"] or slots["leaving"]
            }
            if not facts["engine"]["up"] or moving or facts["taking_over"] or facts["unassigned"]:
                return f"{member.name}: {facts}"
            held += next(each["rooms"] for each in facts["members"] if each["me"])
        replicas = min(self.replicas, len(running))
        return "" if held == replicas * wanted else f"{held} rooms are held and not {replicas * wanted}"

    # -- the rooms -----------------------------------------------------------------------------------

    def change_rooms(self) -> None:
        """Add a room with one member, and now and then remove one with another."""
        name = f"room{ROOMS + len(self.added) + 1}"
        if self.anybody().ask("rooms", "POST", {"platform": "twitch", "name": name}) is None:
            # The engine may be away: then nothing is changed.
            self.played["a change of rooms was refused"] += 1
            return
        self.added.append(name)
        self.played["room added"] += 1
        if self.rng.random() < 0.5:
            known = [each for each in self.added[:-1] if each not in self.removed]
            if known:
                chosen = self.rng.choice(known)
                at = time.time()
                if self.anybody().ask(f"rooms/twitch/{chosen}", "DELETE") is not None:
                    self.removed[chosen] = at
                    self.played["room removed"] += 1

    def logs(self, pattern: str) -> int:
        """How often all members together have said something."""
        logs = self.stage.home.glob("daemon-*.log")
        return sum(len(re.findall(pattern, log.read_text("utf-8", "replace"))) for log in logs)
