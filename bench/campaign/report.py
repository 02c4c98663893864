"""The judgement of a campaign: what went in, what came out, and the table."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.campaign.field import MARGIN, Field
from bench.campaign.holes import Comparison, Made, compare, recorded
from bench.campaign.store import fetch
from chatlog.naming import parse_bundle_name, parse_name

#: Seconds that something may be on its way to the spool, or a gap record to be written.
SETTLE = 4


def judge(field: Field, running: bool) -> dict[str, Any]:
    """What the judge says of everything; while the recorder runs, of what was sent until the files were
    looked at: copying and fetching them takes long enough for more to come."""
    horizon = time.time()
    options = ["--gaps"]
    for start, end in field.windows:
        options += ["--lost-after", f"{start:.3f}", "--lost-before", f"{end:.3f}"]
    if running:
        options += ["--until", f"{horizon:.3f}", "--settle", str(SETTLE), "--spool", str(_copied(field))]
    objects = field.stage.home / "objects"
    fetch(field.bucket, objects, set(field.foreign))
    found = field.stage.judge(objects, *options)
    short = ", ".join(
        f"{name.replace('_', ' ')} {found[name]}"
        for name in ("sent", "recorded", "lost", "excused", "undelivered", "hidden", "doubled", "altered")
    )
    field.say(f"so far: {short}" if running else short)
    for name in ("lost", "doubled", "altered", "invalid", "unknown"):
        if found[name]:
            field.say(
                f"{name}: {found['examples'][:5]} {[m for m in found['missing'] if m['why'] == 'lost'][:5]}"
            )
    return found


def _copied(field: Field) -> Path:
    """A copy of the spool that is being worked on. Files go from one directory to the next and then to the
    store: whoever looks in the same order sees each of them at least once."""
    target = field.stage.home / "spool"
    shutil.rmtree(target, ignore_errors=True)
    for area in ("open", "sealed", "packed"):
        (target / area).mkdir(parents=True)
        for path in sorted((field.data / area).glob("*")):
            with suppress(FileNotFoundError):
                shutil.copyfile(path, target / area / path.name)
    # The oracle is written a little later than the chat is sent.
    time.sleep(0.5)
    return target


def verified(field: Field) -> str:
    """What ``chatlog verify`` says of the bucket: its last line, and "" if all is well."""
    for key in field.foreign:
        field.bucket.Object(key).delete()
    program = [sys.executable, "-c", "from chatlog.cli import main; main()"]
    command = [*program, "verify", "--config", str(field.stage.home / "chatlog.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    (field.stage.home / "verify.txt").write_text(done.stdout + done.stderr)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-1500:]


def report(field: Field, partial: bool, seconds: float) -> int:
    """Judge, print the table, and give the exit status."""
    altered = [
        key for key, body in field.foreign.items() if field.bucket.Object(key).get()["Body"].read() != body
    ]
    if altered:
        field.problem(f"objects of others were replaced: {altered[:5]}")
    found = judge(field, running=False)
    made = Made()
    made.read(field.simulator.oracle)
    gaps, dropped = recorded(field.stage.home / "objects")
    holes = compare(made, gaps)
    moved = sum(1 for name in field.foreign if _second(field, name))
    sometimes = {
        "a torn tail was cut": field.torn(),
        "an upload met itself (412) and was recognised": len(field.relay.met_themselves),
        "the memory for a full disk overflowed": dropped,
        "a name was taken by somebody else's object": moved,
    }
    checked = verified(field)
    wrong = ("lost", "doubled", "altered", "invalid", "unknown", "hidden", "out_of_order")
    failed = [name for name in wrong if found[name]]
    # What was recorded while the clock was set has been judged; here it only counts.
    for name in ("sent", "recorded", "excused", "files"):
        found[name] += field.earlier.get(name, 0)
    _table(field, found, holes, dropped, sometimes, checked, seconds)
    failed += ["duplicate names"] * bool(found["duplicate_names"])
    failed += ["holes without a gap record"] * bool(holes.unexplained)
    failed += ["gap records that are not exact"] * bool(holes.inexact)
    failed += ["problems"] * bool(field.problems) + ["chatlog verify"] * bool(checked)
    if not partial:
        failed += [f"never met: {name}" for name, count in sometimes.items() if not count]
    for text in (*field.problems, *holes.unexplained[:10], *holes.worst, *filter(None, [checked])):
        print(f"  {text}")
    for hole in [hole for hole in found["missing"] if hole["why"] == "lost" or hole["hidden"]][:20]:
        print(f"  {hole}")
    for example in found["examples"]:
        print(f"  {example}")
    print("passed" if not failed else f"NOT PASSED: {', '.join(failed)}")
    return 1 if failed else 0


def _second(field: Field, key: str) -> bool:
    """Whether the file whose key somebody else had is there under a further number."""
    text = key.rpartition("/")[2].removesuffix(".zst")
    name = parse_bundle_name(text) if key.startswith("bundle/") else parse_name(text)
    return (field.stage.home / "objects" / name.numbered(2).key(suffix=".zst")).exists()


def _table(
    field: Field,
    found: dict[str, Any],
    holes: Comparison,
    dropped: int,
    sometimes: dict[str, int],
    checked: str,
    seconds: float,
) -> None:
    rows: list[tuple[str, object]] = [
        (f"fault: {name}", count) for name, count in sorted(field.played.items())
    ]
    if not field.mounted:
        rows.append(("fault: full disk", "left out: no file system could be mounted"))
    starts = field.recoveries
    stretches = [hole["end"] - hole["start"] for hole in found["missing"] if hole["why"] == "excused"]
    rows += [
        ("minutes", f"{seconds / 60:.1f}"),
        ("messages in", found["sent"]),
        ("messages out", found["recorded"]),
        ("not delivered by the server (cut, half-open)", found["undelivered"]),
        (f"lost inside the bounds (a flush, {MARGIN} s of margin; full disk)", found["excused"]),
        ("longest stretch of these in one room", f"{max(stretches, default=0) / 1000:.2f} s"),
        ("of these dropped by a full memory, as gap records count them", dropped),
        ("lost outside the bounds", found["lost"]),
        ("missing, and in no gap record", found["hidden"]),
        ("doubled", found["doubled"]),
        ("altered", found["altered"]),
        ("never sent", found["unknown"]),
        ("invalid lines", found["invalid"]),
        ("out of order", found["out_of_order"]),
        ("names used twice", len(found["duplicate_names"])),
        ("objects", found["files"]),
        ("holes made, room by room", holes.made),
        ("of these with a gap record", holes.found),
        ("largest difference at the start of a hole", f"{holes.start_off:.2f} s"),
        ("largest difference at its end", f"{holes.end_off:.2f} s"),
        ("gap records by reason", ", ".join(f"{name} {n}" for name, n in sorted(found["gaps"].items()))),
        ("start to all rooms recorded, longest", f"{max(starts):.2f} s of {len(starts)} starts"),
        ("signal to end, longest", f"{max(field.stops):.2f} s of {len(field.stops)}"),
        ("files quarantined", field.seen["quarantined"]),
        ("chatlog verify", "finds nothing wrong" if not checked else "finds something wrong"),
    ]
    rows += [(f"met: {name}", count) for name, count in sometimes.items()]
    print("\n| | |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(flush=True)
