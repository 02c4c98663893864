"""``python -m chatlog.simulator.judge``: checks that every sent event is in the archive, once, unaltered, in
order.

Exit status 0: yes; 1: no; 2: unknown, because something could not be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields

from chatlog.output import guarded
from chatlog.record import rfc3339
from chatlog.simulator.judgement import Excuses, Judgement, Range, judge, milliseconds
from chatlog.simulator.ledger import read_oracles
from chatlog.simulator.recordings import Recording, in_directory, in_spool, in_store

_MOST_RANGES = 50


def report(found: Judgement) -> str:
    """The judgement as text."""
    lines = [
        f"sent {found.sent}, recorded {found.recorded}, {found.backfilled} of them backfilled, "
        f"in {found.files} files; {found.copies} copies",
        f"lost {found.lost}, excused {found.excused}, undelivered {found.undelivered}, "
        f"of these in no gap record {found.hidden}; still on the way {found.pending}",
        f"doubled {found.doubled}, altered {found.altered}, out of order {found.out_of_order}, "
        f"invalid lines {found.invalid}, never sent {found.unknown}",
        "records: " + ", ".join(f"{type} {count}" for type, count in sorted(found.types.items())),
    ]
    if found.gaps:
        lines.append(
            "gaps: " + ", ".join(f"{reason}: {count}" for reason, count in sorted(found.gaps.items()))
        )
    lines += [f"two files of one name: {name}" for name in found.duplicate_names]
    # Faults of the recorder come first.
    ranges = sorted(found.missing, key=lambda missing: (missing.why != "lost", missing.start))
    lines += [_shown(missing) for missing in ranges[:_MOST_RANGES]]
    if len(ranges) > _MOST_RANGES:
        lines.append(f"... and {len(ranges) - _MOST_RANGES} more ranges")
    return "\n".join([*lines, *found.examples])


def _shown(missing: Range) -> str:
    hidden = f", {missing.hidden} of them in no gap record" if missing.hidden else ""
    return (
        f"{missing.why}: {missing.count} in {missing.platform} {missing.channel}, "
        f"{rfc3339(missing.start)} to {rfc3339(missing.end)}{hidden}"
    )


def as_json(found: Judgement, good: bool) -> str:
    """The judgement as JSON."""
    values = {name.name: getattr(found, name.name) for name in fields(found)}
    return json.dumps({"good": good, **values, "missing": [asdict(missing) for missing in found.missing]})


class _Once(argparse.Action):
    """An option with one value: a second one is refused, and does not replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not self.default:
            parser.error(f"{option_string} is given twice, and takes one value")
        setattr(namespace, self.dest, values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m chatlog.simulator.judge",
        description="Compares an archive of full detail with what the simulator says it sent.",
    )
    add = parser.add_argument
    add(
        "--oracle",
        action="append",
        required=True,
        metavar="FILE",
        help="again for further runs, oldest first",
    )
    add("--archive", action=_Once, metavar="DIR|URL", help="a directory, or s3://bucket/prefix and the like")
    add("--endpoint", action=_Once, help="of the store; its credentials come from the environment")
    add("--region", action=_Once, default="us-east-1")
    add(
        "--spool",
        action="append",
        default=[],
        metavar="DIR",
        help="a recorder's directory: files that are not uploaded yet count too; again for further recorders",
    )
    add("--lost-after", action="append", default=[], metavar="T", help="excuse losses from this time on ...")
    add(
        "--lost-before",
        action="append",
        default=[],
        metavar="T",
        help="... to this one (RFC 3339 or seconds)",
    )
    add(
        "--excuse-closes",
        action=_Once,
        type=float,
        default=0.0,
        metavar="S",
        help="excuse losses this long before a close",
    )
    add(
        "--settle",
        action=_Once,
        type=float,
        default=0.0,
        metavar="S",
        help="the events of the last seconds may be missing",
    )
    add("--until", action=_Once, metavar="T", help="the files were copied then: later events are ignored")
    add("--instance", action=_Once, default=None, help="only the files of this recorder")
    add("--gaps", action="store_true", help="missing events without a gap record are a fault too")
    add(
        "--copies",
        action="store_true",
        help="several recorders may have the same event: each is judged alone",
    )
    add("--any-order", action="store_true", help="order is no fault")
    add("--json", action="store_true")
    return parser


def main(argv: list[str]) -> int:
    """Judge and print. Returns the exit status."""
    options = arguments().parse_args(argv)
    try:
        starts, ends = (
            [milliseconds(text) for text in times] for times in (options.lost_after, options.lost_before)
        )
        if len(starts) != len(ends):
            raise ValueError("--lost-after and --lost-before go in pairs")
        windows = tuple(zip(starts, ends, strict=True))
        until = None if options.until is None else milliseconds(options.until)
        recordings = _recordings(options)
        ledger = read_oracles(options.oracle)
    except Exception as error:
        print(f"cannot judge: {error}", file=sys.stderr)
        return 2
    excuses = Excuses(windows, round(options.excuse_closes * 1000), round(options.settle * 1000), until)
    found = judge(ledger, recordings, excuses, options.copies)
    good = found.good(options.gaps, options.any_order)
    print(as_json(found, good) if options.json else report(found))
    return 0 if good else 1


def _recordings(options: argparse.Namespace) -> list[Recording]:
    archived: list[Recording] = []
    if options.archive and "://" in options.archive:
        config = {"region": options.region} if options.archive.startswith("s3://") else {}
        if options.endpoint:
            config["endpoint"] = options.endpoint
            config["client_options"] = {"allow_http": True}
        archived += in_store(options.archive, **config)
    elif options.archive:
        archived += in_directory(options.archive)
    known = {recording.name for recording in archived}
    # A file is removed only after its object was verified, so for a moment it is in both.
    spooled = (recording for spool in dict.fromkeys(options.spool) for recording in in_spool(spool))
    local = [recording for recording in spooled if recording.name not in known]
    found = archived + local
    return [r for r in found if options.instance is None or r.name.instance == options.instance]


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
