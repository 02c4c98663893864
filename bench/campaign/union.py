"""The judgement of a campaign of several recorders: the union of what they recorded, and the table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.campaign.field import MARGIN
from bench.campaign.fleet import Fleet, Turn
from bench.campaign.fleet_faults import BOUNDS
from bench.campaign.holes import Made, Room, Span, recorded
from bench.campaign.store import fetch
from chatlog.naming import FileName, utc_minute
from chatlog.simulator.ledger import loads
from chatlog.simulator.recordings import in_directory
from tests.processes import Failed

#: Milliseconds by which a gap record may begin later or end earlier than a hole.
TOLERANCE = 1000
_WRONG = ("lost", "doubled", "altered", "invalid", "unknown", "hidden", "out_of_order")


def uncovered(hole: Span, gaps: list[tuple[int, int, str]]) -> int:
    """The milliseconds of a hole that no gap record says anything of."""
    at, end = hole
    missing = 0
    for start, until, _ in sorted(gaps):
        missing += max(0, min(start - TOLERANCE, end) - at)
        at = max(at, until + TOLERANCE)
    return missing + max(0, end - at)


def no_longer_wanted(judged: dict[str, Any], removed: dict[str, float]) -> int:
    """Take out of what was judged as lost what was sent after its room had been taken off the list (by name,
    in seconds since the epoch). How many messages that were."""
    count = 0
    for hole in list(judged["missing"]):
        since = removed.get(hole["channel"]) if hole["platform"] == "twitch" else None
        if hole["why"] == "lost" and since is not None and hole["start"] >= since * 1000:
            judged["missing"].remove(hole)
            judged["lost"] -= hole["count"]
            judged["hidden"] -= hole["hidden"]
            count += int(hole["count"])
    return count


def report(fleet: Fleet, seconds: float) -> int:
    """Judge, print the table, and give the exit status."""
    objects = fleet.stage.home / "objects"
    fetch(fleet.bucket, objects, set())
    spool = _spools(fleet)
    options = ["--gaps"]
    for start, end in fleet.windows:
        options += ["--lost-after", f"{start:.3f}", "--lost-before", f"{end:.3f}"]
    found = fleet.stage.judge(objects, *options, "--copies", "--spool", str(spool))
    whole = _merged(fleet)
    merged = fleet.stage.judge(whole, *options, "--copies")
    unwanted = no_longer_wanted(found, fleet.removed)
    no_longer_wanted(merged, fleet.removed)
    made = Made()
    made.read(fleet.simulator.oracle)
    gaps, _ = recorded(objects)
    checked = _verified(fleet)
    unexplained = [
        f"{room[0]} {room[1]}: {hole[0]} to {hole[1]}, of which {missing / 1000:.2f} s in no gap record"
        for room, holes in made.holes.items()
        for hole in holes
        if (missing := uncovered(hole, gaps.get(room, [])))
    ]
    turns = by_turn(fleet.turns, made.holes)
    _table(fleet, found, merged, made, turns, checked, seconds, unwanted)
    failed = [name for name in _WRONG if found[name]]
    # Events without a time of their own have that of their arrival, which differs from recorder to recorder.
    # One that has no id either is there twice if a recorder stood still and heard it much later.
    tolerated = {"out_of_order"} | ({"doubled"} if "stop" in fleet.played else set())
    failed += [
        f"{name}, as the reader merges it" for name in _WRONG if merged[name] and name not in tolerated
    ]
    failed += ["ids that are there twice, as the reader merges it"] * bool(same_ids(whole))
    failed += ["holes without a gap record"] * bool(unexplained)
    failed += [f"holes of {name}" for name, holes in turns.items() if _too_long(fleet, name, holes)]
    failed += ["problems"] * bool(fleet.problems) + ["chatlog verify"] * bool(checked)
    for text in (*fleet.problems, *unexplained[:20], *filter(None, [checked])):
        print(f"  {text}")
    for name, judged in (("each recorder", found), ("merged", merged)):
        for hole in [hole for hole in judged["missing"] if hole["why"] == "lost" or hole["hidden"]][:20]:
            print(f"  {name}: {hole}")
        for example in sorted(judged["examples"], key=lambda text: text.startswith("out of order")):
            print(f"  {name}: {example}")
    for name, holes in turns.items():
        for room, start, end in holes[:3]:
            print(f"  {name}: {'/'.join(room)} {start} to {end}, {(end - start) / 1000:.2f} s")
    print("passed" if not failed else f"NOT PASSED: {', '.join(failed)}")
    return 1 if failed else 0


_Hole = tuple[Room, int, int]
#: Seconds before a turn in which its holes may begin.
MOMENT = 0.5


def by_turn(turns: Sequence[Turn], holes: Mapping[Room, Sequence[Span]]) -> dict[str, list[_Hole]]:
    """The holes that began in each turn, the longest first. A hole begins with the last event before a cut,
    which may be a moment before its turn."""
    found: dict[str, list[_Hole]] = defaultdict(list)
    for room, spans in holes.items():
        for start, end in spans:
            within = [turn.name for turn in turns if turn.began - MOMENT <= start / 1000 <= turn.ended]
            found[within[-1] if within else "no turn"].append((room, start, end))
    return {name: sorted(each, key=lambda hole: hole[1] - hole[2]) for name, each in found.items()}


def _too_long(fleet: Fleet, name: str, holes: list[_Hole]) -> bool:
    bound = BOUNDS.get(name, 0.0) if fleet.replicas == 1 else 0.0
    return any(end - start > bound * 1000 for _, start, end in holes)


def _spools(fleet: Fleet) -> Path:
    """What the members still have, in one directory: the names of their files are their own."""
    target = fleet.stage.home / "spools"
    shutil.rmtree(target, ignore_errors=True)
    for area in ("open", "sealed", "packed"):
        (target / area).mkdir(parents=True)
        for member in fleet.members:
            for path in sorted((member.data / area).glob("*")):
                with suppress(FileNotFoundError):
                    shutil.copyfile(path, target / area / path.name)
    return target


def _merged(fleet: Fleet) -> Path:
    """What the reader makes of all of it: a file a room, without an instance."""
    target = fleet.stage.home / "merged"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    rooms = ["/".join(room) for room in sorted(_rooms(fleet.stage.home / "objects"))]
    whole = target / "all.jsonl"
    command = [sys.executable, "-c", "from chatlog.cli import main; main()", "export", *rooms, "--utc"]
    command += ["--config", str(fleet.members[0].config), "--since", "1d", "-o", str(whole)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    if not whole.exists():
        raise Failed(f"chatlog export: {done.stderr[-2000:]}")
    minute = utc_minute(min(turn.began for turn in fleet.turns))
    lines: dict[Room, list[bytes]] = defaultdict(list)
    for line in whole.read_bytes().splitlines(keepends=True):
        record = loads(line)
        lines[record["platform"], record["channel"]].append(line)
    for room, found in lines.items():
        (target / str(FileName(*room, minute))).write_bytes(b"".join(found))
    return target


def same_ids(archive: Path) -> int:
    """How many records have a type and an id that another one in their room has too."""
    seen: set[tuple[str, ...]] = set()
    twice = 0
    for recording in in_directory(str(archive)):
        for record in map(loads, recording.lines()):
            key = (*(record[name] for name in ("platform", "channel", "type", "id")),)
            twice += bool(record["id"]) and key in seen
            seen.add(key)
    return twice


def _rooms(objects: Path) -> set[Room]:
    return {(each.name.platform, each.name.channel) for each in in_directory(str(objects))}


def _verified(fleet: Fleet) -> str:
    """What ``chatlog verify`` says of the bucket, "" if all is well."""
    program = [sys.executable, "-c", "from chatlog.cli import main; main()"]
    command = [*program, "verify", "--config", str(fleet.members[0].config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    (fleet.stage.home / "verify.txt").write_text(done.stdout + done.stderr)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-3000:]


def _table(
    fleet: Fleet,
    found: dict[str, Any],
    merged: dict[str, Any],
    made: Made,
    turns: dict[str, list[_Hole]],
    checked: str,
    seconds: float,
    unwanted: int,
) -> None:
    rows: list[tuple[str, object]] = [(f"played: {name}", n) for name, n in sorted(fleet.played.items())]
    rows += [
        ("minutes", f"{seconds / 60:.1f}"),
        ("recorders, replicas", f"{len(fleet.members)}, {fleet.replicas}"),
        ("messages in", found["sent"]),
        ("messages out", found["recorded"]),
        ("records that a second recorder has too", found["copies"]),
        ("not delivered by the server (cut, half-open)", found["undelivered"]),
        (f"lost inside the bounds (a flush and {MARGIN} s at a kill)", found["excused"]),
        ("sent after its room was taken off the list, and before the recorder had left it", unwanted),
        ("lost outside the bounds", found["lost"]),
        ("missing, and in no gap record", found["hidden"]),
        ("doubled by one recorder", found["doubled"]),
        ("doubled, as the reader merges it", merged["doubled"]),
        ("lost, as the reader merges it", merged["lost"]),
        ("altered, never sent, invalid", f"{found['altered']}, {found['unknown']}, {found['invalid']}"),
        ("out of order, as the reader merges it", f"{found['out_of_order']}, {merged['out_of_order']}"),
        ("objects", found["files"]),
        ("room seconds with two listeners", f"{sum(made.doubles.values()) / 1000:.0f}"),
        ("gap records by reason", ", ".join(f"{name} {n}" for name, n in sorted(found["gaps"].items()))),
        ("until nothing moves after a turn, longest", f"{max(fleet.calms, default=0.0):.1f} s"),
        ("from SIGTERM to the end, longest", f"{max(fleet.stops, default=0.0):.1f} s"),
        ("chatlog verify", "finds nothing wrong" if not checked else "finds something wrong"),
    ]
    for name, holes in sorted(turns.items()):
        longest = max(end - start for _, start, end in holes) / 1000
        rows.append((f"holes: {name}", f"{len(holes)} rooms, at most {longest:.2f} s"))
    print("\n| | |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(flush=True)
