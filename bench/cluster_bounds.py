"""``python -m bench.cluster_bounds``: what a cluster promises, measured: the table of docs/cluster.md.

    python -m bench.cluster_bounds --engine redis --instances 5 --rooms 20000

Real processes with the real engine; in place of the platforms a room is recorded 50 ms after it is asked for
(``cluster_member``), so the limits on JOINs are left aside. A member that stands still counts as recording
nothing. The exit status is 1 if a bound is not met.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.campaign.fleet import ENGINES
from bench.campaign.relay import Relays
from tests.cluster.servers import Server
from tests.processes import ROOT, Failed, wait_for

#: Seconds of the table: until rooms are owned again; of doubles; of a pause or a partition; of the engine's
#: silence; of the measurement of costs.
OWNED, DOUBLED, PAUSED, SILENT, COSTS = 11.5, 3.0, 18.0, 60.0, 60.0
#: Seconds within which everything has to be calm.
_CALM = 180.0


class Row(NamedTuple):
    """A line of the table."""

    what: str
    measured: str
    bound: str
    kept: bool


class Member:
    """One process. ``recorded`` says in its log when each room was."""

    def __init__(self, name: str, home: Path, way: Any, options: dict[str, Any]) -> None:
        self.name = name
        self.way = way
        self.log = home / f"{name}.log"
        self.log.touch()
        (home / name).mkdir()
        self._config = home / f"{name}.json"
        self._config.write_text(
            json.dumps({**options, "name": name, "directory": str(home / name), "log": str(self.log)})
        )
        self._errors = home / f"{name}.errors"
        self.read = 0
        self.watched = False
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with open(self._errors, "ab") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "bench.cluster_member", str(self._config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )
        if self.watched:
            self.tell("watch")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.popen is not None and self.popen.poll() is None

    def tell(self, command: str) -> None:
        """Tell it what to do."""
        assert self.popen is not None and self.popen.stdin is not None
        self.popen.stdin.write(command.encode() + b"\n")
        self.popen.stdin.flush()

    def say(self) -> dict[str, Any]:
        """What it knows."""
        assert self.popen is not None and self.popen.stdout is not None
        self.tell("say")
        line = self.popen.stdout.readline()
        if not line:
            raise Failed(f"{self.name} has ended: {self._errors.read_text()[-2000:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def cpu(self) -> float:
        """Seconds of CPU time."""
        assert self.popen is not None
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def end(self) -> None:
        """kill -9."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()


class Course:
    """Who records what, as the logs say. ``silent``: when members recorded nothing, whatever they say."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas
        self._events: list[tuple[float, str, str, str]] = []
        self.silent: list[tuple[str, float, float]] = []
        self._recorded: dict[str, set[str]] = defaultdict(set)

    def read(self, member: Member) -> None:
        """Read what is new in a log."""
        data = member.log.read_bytes()
        end = data.rfind(b"\n") + 1
        for line in data[member.read : end].decode().splitlines():
            at, sign, name = line.split(" ")
            self._events.append((float(at), member.name, sign, name))
        member.read = end

    def died(self, name: str, at: float) -> None:
        """A member records nothing from then on, until its log says more."""
        self._events.append((at, name, "died", ""))

    def owned(self, name: str) -> int:
        """How many rooms a member records."""
        return len(self._recorded[name])

    def judge(self) -> Found:
        """What happened since this was called last."""
        found = Found()
        empty: dict[str, float] = {}
        double: dict[str, float] = {}
        events = [*self._events]
        for name, start, end in self.silent:
            events += [(start, name, "silent", ""), (end, name, "back", "")]
        holders: dict[str, set[str]] = defaultdict(set)
        for member, rooms in self._recorded.items():
            for room in rooms:
                holders[room].add(member)
        still: dict[str, set[str]] = {}

        def change(at: float, room: str, member: str, records: bool) -> None:
            before = len(holders[room])
            (holders[room].add if records else holders[room].discard)(member)
            now = len(holders[room])
            if before and not now:
                empty[room] = at
            elif not before and now and room in empty:
                found.holes[room] = max(found.holes.get(room, 0.0), at - empty.pop(room))
                found.last = max(found.last, at)
            if before <= self._replicas < now:
                double[room] = at
            elif now <= self._replicas < before and room in double:
                found.doubles[room] = max(found.doubles.get(room, 0.0), at - double.pop(room))

        for at, member, sign, room in sorted(events, key=lambda event: event[0]):
            if sign == "+":
                self._recorded[member].add(room)
                found.moves[member] += 1
                if member in still:
                    still[member].add(room)
                else:
                    change(at, room, member, True)
            elif sign == "-":
                self._recorded[member].discard(room)
                still.get(member, set()).discard(room)
                change(at, room, member, False)
            elif sign in ("died", "silent"):
                if sign == "silent":
                    still[member] = set(self._recorded[member])
                for each in list(self._recorded[member]):
                    change(at, each, member, False)
                if sign == "died":
                    self._recorded[member].clear()
            else:
                for each in still.pop(member, set()):
                    change(at, each, member, True)
        for room in empty:
            found.holes[room] = float("inf")
        self._events.clear()
        self.silent.clear()
        return found


@dataclass
class Found:
    """``moves``: how many rooms each member began to record. ``holes`` and ``doubles``: the longest of each
    room, in seconds. ``last``: when the last hole ended."""

    moves: Counter[str] = field(default_factory=Counter)
    holes: dict[str, float] = field(default_factory=dict)
    doubles: dict[str, float] = field(default_factory=dict)
    last: float = 0.0

    def hole(self) -> float:
        """The longest hole."""
        return max(self.holes.values(), default=0.0)

    def double(self) -> float:
        """The longest time in which a room had too many listeners."""
        return max(self.doubles.values(), default=0.0)


class Bounds:
    """The measurements of one engine with one number of replicas."""

    def __init__(self, home: Path, options: argparse.Namespace, replicas: int) -> None:
        self.rows: list[Row] = []
        self._rooms, self._replicas = options.rooms, replicas
        home.mkdir()
        self.engine: Server = ENGINES[options.engine](home / "engine")
        self.engine.start()
        self.relays = Relays()
        self.course = Course(replicas)
        self.members = []
        self.longest = 0.0
        for number in range(options.instances):
            way = self.relays.to(self.engine.port)
            address = f"{self.engine.SCHEME}://127.0.0.1:{way.port}"
            settings = {"engine": address, "replicas": replicas, "rooms": options.rooms}
            settings["capacity"] = replicas * options.rooms
            self.members.append(Member(f"m{number}", home, way, settings))

    def close(self) -> None:
        """End everything."""
        for member in self.members:
            member.end()
        self.engine.kill()
        self.relays.close()

    def add(self, what: str, measured: str, bound: str, kept: bool = True) -> None:
        """A line of the table."""
        row = Row(what, measured, bound, kept)
        self.rows.append(row)
        print(
            f"{time.strftime('%H:%M:%S')} {what}: {measured} ({bound}){'' if kept else ' NOT MET'}",
            flush=True,
        )

    def calm(self) -> None:
        """Wait until everybody has its share and nothing moves."""
        last = [""]

        def shared() -> bool:
            running = [member for member in self.members if member.alive]
            said = [member.say() for member in running]
            self.longest = max([self.longest, *(each["longest"] for each in said)])
            names = sorted(member.name for member in running)
            recorded = sum(each["recorded"] for each in said)
            last[0] = f"{recorded} recorded, {said}"
            return recorded == self._rooms * min(self._replicas, len(running)) and all(
                each["members"] == names
                and each["recorded"] == each["share"]
                and not (each["moving"] or each["away"])
                for each in said
            )

        try:
            wait_for("calm", shared, _CALM, 0.5)
        except Failed:
            raise Failed(f"no calm: {last[0][:1500]}") from None
        # What is written with the next turn of the reactor.
        time.sleep(0.2)
        for member in self.members:
            self.course.read(member)

    def found(self) -> Found:
        """What happened since the last time, once everything is calm."""
        self.calm()
        return self.course.judge()

    def watch(self) -> None:
        """Look how long reactors are held up from now on."""
        for member in self.members:
            member.watched = True
            member.tell("watch")

    # -- what is done ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Everybody comes, one after the other."""
        for member in self.members:
            member.start()
        self.calm()
        owned = [each["recorded"] for each in (member.say() for member in self.members)]
        mean = sum(owned) / len(owned)
        self.add(
            "share of a member, of the mean", f"{min(owned) / mean:.2f} to {max(owned) / mean:.2f}", "told"
        )
        self.course.judge()

    def kill(self) -> None:
        """A member dies and comes back later."""
        for member in self.members[:2]:
            at, owned = time.time(), self.course.owned(member.name)
            member.end()
            self.course.read(member)
            self.course.died(member.name, at)
            found = self.found()
            moved = sum(found.moves.values())
            if self._replicas > 1:
                self.add("kill -9: rooms that nobody records", f"{len(found.holes)}", "0", not found.holes)
            else:
                took = max(found.last - at, 0.0)
                self.add(
                    "kill -9 until the last room is owned again", f"{took:.1f} s", f"{OWNED} s", took <= OWNED
                )
                self._ideal("a member leaves: moves, of its rooms", moved, owned)
            member.start()
            found = self.found()
            self._ideal(
                "a member joins: moves, of its rooms",
                sum(found.moves.values()),
                self.course.owned(member.name),
            )
            self._no_holes("a member joins", found, DOUBLED)

    def _ideal(self, what: str, moved: int, owned: int) -> None:
        share = moved / max(owned, 1)
        self.add(what, f"{share:.3f} ({moved} of {owned})", "1.02", share <= 1.02)

    def _no_holes(self, what: str, found: Found, doubled: float) -> None:
        held, twice = len(found.holes), found.double()
        words = f"{held} holes"
        if found.holes:
            words += f" of at most {found.hole():.1f} s"
        words += f", {len(found.doubles)} rooms doubled, each at most {twice:.1f} s"
        bound = "0 holes" + (f", doubles at most {doubled:.0f} s" if doubled else "")
        self.add(what, words, bound, not held and (not doubled or twice <= doubled))

    def drain(self) -> None:
        """A member hands over and ends, and comes back."""
        member = self.members[2]
        self._leave(member)
        self._no_holes("a planned drain", self.found(), DOUBLED)
        member.start()
        self.found()

    def _leave(self, member: Member) -> None:
        assert member.popen is not None
        member.tell("drain")
        member.popen.wait(60)
        self.course.read(member)
        self.course.died(member.name, time.time())

    def rolling(self) -> None:
        """Everybody is replaced."""
        for member in self.members:
            self._leave(member)
            member.start()
            self.calm()
        self._no_holes("all instances are replaced, one after the other", self.course.judge(), DOUBLED)

    def stop(self) -> None:
        """A member stands still."""
        member = self.members[1]
        assert member.popen is not None
        at = time.time()
        member.popen.send_signal(signal.SIGSTOP)
        time.sleep(PAUSED)
        member.popen.send_signal(signal.SIGCONT)
        self.course.silent.append((member.name, at, time.time()))
        # That pause is not one that it made itself.
        time.sleep(0.5)
        member.say()
        found = self.found()
        if self._replicas > 1:
            self._no_holes(f"a member stands still for {PAUSED:.0f} s", found, 0.0)
        else:
            self.add(
                f"a member stands still for {PAUSED:.0f} s", f"holes of at most {found.hole():.1f} s", "told"
            )

    def partition(self) -> None:
        """A member cannot reach the engine."""
        member = self.members[3 % len(self.members)]
        member.way.go("pause")
        time.sleep(PAUSED)
        member.way.go("pass")
        self._no_holes(f"a member is cut off the engine for {PAUSED:.0f} s", self.found(), 0.0)

    def silence(self) -> None:
        """The engine stands still, is dead, and forgets."""
        self.engine.pause()
        time.sleep(SILENT)
        self.engine.proceed()
        self._nothing(f"the engine stands still for {SILENT:.0f} s")
        self.engine.kill()
        time.sleep(SILENT)
        self.engine.start()
        self._nothing(f"the engine is dead for {SILENT:.0f} s")
        for pause in (0.5, 4.0, 12.0):
            self.engine.empty()
            time.sleep(pause)
        self._nothing("the engine is emptied three times")

    def _nothing(self, what: str) -> None:
        # What is wrong comes late: with the lease.
        time.sleep(12.0)
        found = self.found()
        moved, doubled = sum(found.moves.values()), len(found.doubles)
        words = f"{len(found.holes)} holes, {moved} moves, {doubled} doubles"
        self.add(what, words, "0 holes, 0 moves, 0 doubles", not (found.holes or moved or doubled))

    def held_up(self) -> None:
        """How long a member did nothing else because something had changed."""
        self.add("a reactor is held up by a change, at most", f"{self.longest:.2f} s", "told")

    def costs(self) -> None:
        """What it costs while nothing happens."""
        began = time.monotonic()
        before = [(member.say()["calls"], member.cpu()) for member in self.members]
        time.sleep(COSTS)
        seconds = time.monotonic() - began
        after = [(member.say(), member.cpu()) for member in self.members]
        calls = max(said["calls"] - was for (said, _), (was, _) in zip(after, before, strict=True)) / seconds
        cpu = sum(now - was for (_, now), (_, was) in zip(after, before, strict=True)) / seconds / len(after)
        memory = max(said["memory"] for said, _ in after)
        self.add("cost of an instance: processor", f"{cpu:.2%} of a core", "0.2 %", cpu <= 0.002)
        self.add("cost of an instance: memory, list and code", f"{memory:.1f} MB", "3 MB and the list", True)
        self.add("cost of an instance: requests", f"{calls:.2f} a second", "1.4 a second", calls <= 1.45)


def measure(options: argparse.Namespace, home: Path) -> list[Row]:
    """All measurements with one engine."""
    rows: list[Row] = []
    for replicas in (1, 2):
        print(f"{options.engine}, {replicas} of {options.instances} record each of {options.rooms} rooms")
        bounds = Bounds(home / f"r{replicas}", options, replicas)
        try:
            bounds.begin()
            turns: list[Callable[[], None]] = [bounds.drain, bounds.kill, bounds.partition, bounds.stop]
            if replicas == 1:
                turns = [bounds.costs, bounds.silence, bounds.watch, *turns, bounds.rolling, bounds.held_up]
            for turn in turns:
                turn()
        except Failed as error:
            bounds.add("in the end", str(error), "calm", False)
        finally:
            bounds.close()
        rows += [row._replace(what=f"{replicas}: {row.what}") for row in bounds.rows]
    return rows


def main(argv: list[str]) -> int:
    """Measure, and print the table; 1 if a bound is not met."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster_bounds", description=__doc__)
    parser.add_argument("--engine", choices=sorted(ENGINES), default="redis", help="where they meet")
    parser.add_argument("--instances", type=int, default=5, help="how many (5)")
    parser.add_argument("--rooms", type=int, default=20_000, help="of all together (20000)")
    options = parser.parse_args(argv)
    if options.instances < 4:
        parser.error("--instances has to be 4 or more: members are killed, paused and drained in turn")
    if missing := ENGINES[options.engine].missing():
        parser.error(missing)
    with tempfile.TemporaryDirectory(prefix="chatlog-bounds-") as home:
        rows = measure(options, Path(home))
    print(f"\n| {options.engine}: replicas, what | measured | bound |\n| --- | --- | --- |")
    for what, measured, bound, kept in rows:
        print(f"| {what} | {measured} | {bound}{'' if kept else ' **not met**'} |")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
