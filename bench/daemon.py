"""The whole daemon under the simulator, TLS to disk to archive: CPU a message, memory, messages lost.

    python -m bench.daemon --rooms 1000 --rate 1000 --seconds 60

Both run on loopback as processes of their own and stop by themselves. CPU is that of the daemon alone,
over the window in which all rooms are recorded; whatever the simulator sent is judged at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from chatlog.simulator.judgement import milliseconds
from chatlog.simulator.recordings import in_directory, in_spool
from tests.processes import Failed, Simulator, Stage, wait_for

#: A cgroup of version 1 or 2, if there is one to be made.
_CGROUP_1 = Path("/sys/fs/cgroup/cpu")
_CGROUP_2 = Path("/sys/fs/cgroup")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.daemon", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--rooms", type=int, default=1000, help="Twitch rooms")
    add("--kick", type=int, default=0, help="Kick rooms")
    add("--rate", type=float, default=1000, help="messages a second over all rooms")
    add("--seconds", type=float, default=30, help="length of the window that is measured")
    add("--compression", default="none")
    add("--level", type=int, default=6, help="compression_level")
    add("--s3", action="store_true", help="upload to an S3 server (moto) instead of a directory")
    add("--rotate", default="1h", help="rotate_interval; files are compressed and uploaded when they rotate")
    add("--rotate-size", default="32MB", help="rotate_size")
    add("--drain", action="store_true", help="start again afterwards until everything is in the store")
    add("--lanes", type=int, default=1)
    add("--flush", default="500ms", help="flush_interval")
    add("--joins", type=int, default=2000, help="joins_per_10s")
    add("--unpaced", action="store_true", help="without the tick: woken for every message")
    add("--cpu", type=float, help="percent of a core that the daemon gets (cgroup; root)")
    add("--memory", type=int, help="MB that the daemon gets (cgroup; root)")
    add("--growth", type=float, default=0, help="print the memory every so many seconds of the window")
    add("--sending", type=float, default=0.025, help="seconds between two sendings of the simulator")
    add("--faults", help="a file of faults for the simulator to play (docs/simulator.md)")
    add("--keep", default="", help="a directory to work in, and to keep")
    return parser.parse_args()


class Limits:
    """A cgroup with less CPU and memory than the machine has."""

    def __init__(self, cpu: float | None, memory: int | None) -> None:
        self.made: list[Path] = []
        self.procs: list[Path] = []
        name = f"chatlog-bench-{time.time_ns()}"
        if (_CGROUP_2 / "cgroup.controllers").exists():
            group = self._make(_CGROUP_2 / name)
            if cpu is not None:
                (group / "cpu.max").write_text(f"{round(cpu * 800)} 80000")
            if memory is not None:
                (group / "memory.max").write_text(str(memory * 1_000_000))
        else:
            if cpu is not None:
                group = self._make(_CGROUP_1 / name)
                (group / "cpu.cfs_period_us").write_text("80000")
                (group / "cpu.cfs_quota_us").write_text(str(round(cpu * 800)))
            if memory is not None:
                group = self._make(_CGROUP_1.parent / "memory" / name)
                (group / "memory.limit_in_bytes").write_text(str(memory * 1_000_000))

    def _make(self, group: Path) -> Path:
        group.mkdir()
        self.made.append(group)
        self.procs.append(group / "cgroup.procs")
        return group

    def prefix(self) -> list[str]:
        """A command that starts another inside."""
        into = " ".join(f"echo $$ > {procs};" for procs in self.procs)
        return ["sh", "-c", f'{into} exec "$@"', "sh"]

    def lift(self) -> None:
        """From now on there is no limit of processor time."""
        for group in self.made:
            for name, without in (("cpu.max", "max 80000"), ("cpu.cfs_quota_us", "-1")):
                if (group / name).exists():
                    (group / name).write_text(without)

    def close(self) -> None:
        """Remove the group, once the process in it is gone."""
        for group in self.made:
            wait_for("an empty cgroup", partial(_is_empty, group), 10)
            group.rmdir()


def _is_empty(group: Path) -> bool:
    return not (group / "cgroup.procs").read_text()


def settings(options: argparse.Namespace, stage: Stage) -> dict[str, Any]:
    """What the daemon is configured with."""
    given: dict[str, Any] = {
        "twitch": {
            "channels": [f"room{n}" for n in range(1, options.rooms + 1)],
            "joins_per_10s": options.joins,
            "lanes": options.lanes,
        },
        "kick": {"channels": [f"room{n}" for n in range(1, options.kick + 1)]},
        "uploader": {"compression": options.compression, "compression_level": options.level},
        "recorder": {
            "directory": str(stage.home / "data"),
            "rotate_interval": options.rotate,
            "rotate_size": options.rotate_size,
            "flush_interval": options.flush,
        },
    }
    if options.s3:
        stage.s3()
        given["s3"] = stage.s3_settings()
    return given


def run(options: argparse.Namespace, stage: Stage, prefix: list[str]) -> int:
    """Measure and print; the exit status."""
    # Kick's ids are looked up, three a second.
    joins = options.kick / 2 + options.rooms * (options.lanes * 10 / options.joins + 2 / 90) + 60
    simulator = stage.simulator(
        rate=options.rate,
        spread="even",
        kick_share=options.kick / max(1, options.kick + options.rooms),
        channels=max(options.rooms, options.kick),
        own_records=True,
        tick=options.sending,
        seed=7,
        **({"faults": options.faults} if options.faults else {}),
        duration=round(joins + options.seconds + 120),
    )
    stage.config(settings(options, stage))
    if options.unpaced:
        daemon = stage.daemon(prefix=prefix, module="bench.unpaced")
    else:
        daemon = stage.daemon(prefix=prefix)
    started = time.monotonic()
    for platform, rooms in (("twitch", options.rooms), ("kick", options.kick)):
        if rooms:
            daemon.says(
                rf"{platform}: recording {rooms} of {rooms} rooms|recording {rooms} of {rooms}", joins
            )
    print(f"all rooms recorded after {time.monotonic() - started:.1f} s")
    time.sleep(3)
    cpu, served, sent, began = daemon.cpu(), simulator.cpu(), count(simulator), time.monotonic()
    first = daemon.resident()
    next_look = options.growth
    while time.monotonic() - began < options.seconds:
        time.sleep(0.2)
        if options.growth and time.monotonic() - began > next_look:
            print(f"  after {next_look:.0f} s: {daemon.resident():.1f} MB resident")
            next_look += options.growth
    took = time.monotonic() - began
    cpu, served, sent = daemon.cpu() - cpu, simulator.cpu() - served, count(simulator) - sent
    print(f"messages           {sent} in {took:.1f} s, {sent / took:.0f} a second")
    print(f"CPU a message      {cpu / max(1, sent) * 1e6:.1f} us")
    print(f"CPU                {cpu / took * 100:.1f} % of a core")
    print(f"simulator's CPU    {served / took * 100:.1f} % of a core")
    print(
        f"memory             {daemon.resident():.1f} MB resident, {daemon.peak():.1f} MB at most, "
        f"{daemon.resident() - first:+.1f} MB over the window"
    )
    print(f"descriptors        {daemon.descriptors()}")
    simulator.end()
    time.sleep(2 if options.cpu is None else 8)
    began = time.monotonic()
    status = daemon.end(limit=60)
    print(f"stopped            in {time.monotonic() - began:.2f} s with status {status}")
    if options.drain:
        again = stage.daemon()
        wait_for("an empty spool", lambda: not stage.local_files(), 300)
        again.end()
        print(f"left in the spool  {len(stage.local_files())} files")
    return judged(stage, options)


def even_chat(stage: Stage, rooms: int, rate: float, seconds: float, **more: Any) -> Simulator:
    """A simulator of Twitch whose rooms get messages at one rate, for so many seconds."""
    return stage.simulator(
        rate=rate,
        spread="even",
        kick_share=0,
        channels=rooms,
        own_records=True,
        seed=7,
        duration=round(seconds),
        **more,
    )


def count(simulator: Any) -> int:
    """How many events the simulator has sent."""
    with open(simulator.oracle, "rb") as file:
        return sum(chunk.count(b'{"n":') for chunk in iter(lambda: file.read(1 << 20), b""))


def judged(stage: Stage, options: argparse.Namespace) -> int:
    """Print what was lost; the exit status."""
    archive = stage.fetch() if options.s3 else None
    found = stage.judge(archive)
    print(f"sent               {found['sent']}, recorded {found['recorded']}")
    print(
        f"lost               {found['lost']}, doubled {found['doubled']}, altered {found['altered']}, "
        f"out of order {found['out_of_order']}"
    )
    delays = sorted(delays_in(archive or stage.home / "archive", stage.home / "data"))
    if delays:
        middle, most = delays[len(delays) // 2], delays[-1]
        late = delays[int(len(delays) * 0.999)]
        print(
            f"sent to read       {middle:.3f} s in the middle, {late:.3f} s of 99.9 %, {most:.3f} s at most"
        )
    for example in found["examples"][:5]:
        print(f"  {example}")
    return 0 if found["lost"] == 0 else 1


def delays_in(archive: Path, spool: Path) -> Iterator[float]:
    """Seconds from when a message was sent to when it was read, for all chat of Twitch."""
    for recording in (*in_directory(str(archive)), *in_spool(str(spool))):
        for line in recording.lines():
            if b'"type":"message"' in line and b'"platform":"twitch"' in line:
                record = orjson.loads(line)
                yield milliseconds(record["received"]) / 1000 - milliseconds(record["timestamp"]) / 1000


def main() -> int:
    """Run on a stage and leave nothing behind."""
    options = arguments()
    stage = Stage(options.keep)
    limits = Limits(options.cpu, options.memory) if options.cpu or options.memory else None
    try:
        return run(options, stage, limits.prefix() if limits else [])
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        stage.close()
        if limits is not None:
            limits.close()


if __name__ == "__main__":
    sys.exit(main())
