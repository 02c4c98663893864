"""The receipt of an erasure, for people and for programs: what it did and could not do, without the person's
name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chatlog.counted import many
from chatlog.upkeep.erasure import Outcome
from chatlog.upkeep.spool_person import Waiting

#: The exit statuses: all is done; the request stays open; the store keeps what was deleted.
DONE, OPEN, VERSIONS = 0, 1, 3
#: What no erasure reaches.
OUT_OF_REACH = (
    "what recorders on other machines have not stored yet",
    "for a week at most, files in the caches of archive servers on other machines",
    "what was exported or copied before, backups and replicas of the store",
    "the name where other people write it in their own words",
)
#: The rule that makes a bucket with versions forget them.
LIFECYCLE = (
    '{"Rules":[{"ID":"chatlog-forget","Status":"Enabled","Filter":{"Prefix":""},'
    '"NoncurrentVersionExpiration":{"NoncurrentDays":1},"Expiration":{"ExpiredObjectDeleteMarker":true}}]}'
)
_NAMED = 25
_LISTED = {
    "now": "They are on the opt-out list now; recorders write down no more of them within a minute.",
    "before": "They were on the opt-out list before.",
    "name": "Somebody of that name was on the opt-out list before; no record has the id any more.",
    "no id": "No record has the id, so this run put nobody on the opt-out list: chatlog optout add "
    "takes the id.",
}


@dataclass(slots=True)
class Result:
    """The result of an erasure. ``waiting`` are files of the recorder here that still have something.
    ``opted_out``: what became of the opt-out list: ``now``, ``before`` (they were on it), ``name`` (a person
    of that name was on it, and no id is known), ``no id``; ``""`` if it was not touched. ``files``: the lines
    left out of files that were not stored yet, and those changed."""

    outcome: Outcome = field(default_factory=Outcome)
    waiting: list[Waiting] = field(default_factory=list)
    opted_out: str = ""
    files: tuple[int, int] = (0, 0)


def status_of(result: Result) -> int:
    """The exit status."""
    if result.outcome.versions or result.outcome.locked:
        return VERSIONS
    return OPEN if result.outcome.left or result.waiting else DONE


def facts_of(result: Result, seconds: float, dry: bool) -> dict[str, Any]:
    """The receipt as JSON."""
    outcome = result.outcome
    return {
        "request": outcome.request,
        "done": not dry and status_of(result) == DONE,
        "dry_run": dry,
        "opted_out": result.opted_out,
        "looked_at": outcome.looked_at,
        "objects": outcome.objects,
        "bundles": outcome.bundles,
        "removed": outcome.removed,
        "redacted": outcome.redacted,
        "files": {"removed": result.files[0], "redacted": result.files[1]},
        "completed": outcome.completed,
        "derived": outcome.derived,
        "remade": outcome.remade,
        "not_remade": [{"what": what, "why": why} for what, why in outcome.not_remade],
        "versions_remain": outcome.versions,
        "left": [{"what": what, "why": why} for what, why in outcome.left],
        "waiting": [{"file": each.path, "lines": each.lines} for each in result.waiting],
        "out_of_reach": list(OUT_OF_REACH),
        "seconds": round(seconds, 3),
    }


def summary(result: Result, dry: bool) -> Iterator[str]:
    """What was done, or would be, in lines."""
    outcome = result.outcome
    if result.opted_out:
        yield _LISTED[result.opted_out]
    if outcome.orphans or outcome.completed:
        yield (
            f"An earlier run did not end: {many(outcome.completed, 'object')} that it had replaced, and "
            f"{many(outcome.orphans, 'object')} that it had only stored, were deleted."
        )
    if any(result.files):
        yield (
            f"{many(result.files[0], 'record')} erased and {many(result.files[1], 'record')} of others "
            "redacted in files that were not stored yet."
        )
    if outcome.request or dry:
        yield _looked(outcome, dry)
    elif not (outcome.orphans or outcome.completed or outcome.left):
        yield (
            "No interrupted run left anything to complete. To erase somebody, write who: "
            "chatlog erase twitch/NAME."
        )
    if outcome.derived:
        yield (
            f"{many(outcome.derived, 'file')} of Parquet and indexes went with them; "
            f"{many(outcome.remade, 'file is', 'files are')} made again."
        )
    for what, why in outcome.not_remade[:_NAMED]:
        yield f"{what} is not made again: {why}; `chatlog compact` makes it"


def _looked(outcome: Outcome, dry: bool) -> str:
    looked = f"{many(outcome.looked_at, 'object')} looked at"
    if not (outcome.removed or outcome.redacted):
        return f"{looked}; there is nothing of them{'' if dry or outcome.left else ' left'}."
    would = "would be " if dry else ""
    bundles = f" and {many(outcome.bundles, 'bundle')}" if outcome.bundles else ""
    return (
        f"{looked}; {many(outcome.removed, 'record')} {would}erased and "
        f"{many(outcome.redacted, 'record')} of others {would}redacted, in "
        f"{many(outcome.objects, 'object')}{bundles}."
    )


def warnings(result: Result) -> Iterator[str]:
    """Why the request stays open, and what to do."""
    outcome = result.outcome
    if outcome.versions:
        yield (
            "Not erased: old versions remain. The bucket keeps a version of each object that was deleted. "
            f"Set this lifecycle rule, and they are gone a day later: {LIFECYCLE}"
        )
    if outcome.locked:
        yield (
            "Not erased: the store refuses to delete. Look whether objects are locked (Object Lock, "
            "retention), and whether the credentials may delete (s3:DeleteObject); then run this again."
        )
    for what, why in outcome.left[:_NAMED]:
        yield f"left: {what}: {why}"
    if len(outcome.left) > _NAMED:
        yield f"and {many(len(outcome.left) - _NAMED, 'more is', 'more are')} left"
    for each in result.waiting[:_NAMED]:
        yield f"left: {each.path}: {many(each.lines, 'record')} that the recorder has not stored yet"
    if result.waiting:
        yield (
            "Run this again once they are stored, which takes an hour at most by default. With http.token in "
            "the configuration, this command has the recorder finish its files, and waits for that."
        )
