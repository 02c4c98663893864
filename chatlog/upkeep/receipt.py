"""What an erasure did and what it could not do, for people and for programs, without the person's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatlog.counted import many
from chatlog.upkeep.erasure import Outcome
from chatlog.upkeep.spool_person import Waiting

#: The exit statuses: all is done; the request stays open; the store keeps what was deleted.
DONE, OPEN, VERSIONS = 0, 1, 3
#: What no erasure reaches.
OUT_OF_REACH = (
    "what recorders on other machines have not stored yet",
    "what was exported or copied before, backups and replicas of the store",
    "the name where other people write it in their own words",
)
#: The rule that makes a bucket with versions forget them.
LIFECYCLE = (
    '{"Rules":[{"ID":"chatlog-forget","Status":"Enabled","Filter":{"Prefix":""},'
    '"NoncurrentVersionExpiration":{"NoncurrentDays":1},"Expiration":{"ExpiredObjectDeleteMarker":true}}]}'
)
_NAMED = 25


def status_of(outcome: Outcome, waiting: list[Waiting]) -> int:
    """The exit status."""
    if outcome.versions or outcome.locked:
        return VERSIONS
    return OPEN if outcome.left or waiting else DONE


def facts_of(outcome: Outcome, waiting: list[Waiting], seconds: float, dry: bool) -> dict[str, Any]:
    """The receipt as JSON."""
    return {
        "request": outcome.request,
        "done": not dry and status_of(outcome, waiting) == DONE,
        "dry_run": dry,
        "looked_at": outcome.looked_at,
        "objects": outcome.objects,
        "removed": outcome.removed,
        "redacted": outcome.redacted,
        "completed": outcome.completed,
        "derived": outcome.derived,
        "versions_remain": outcome.versions,
        "left": [{"what": what, "why": why} for what, why in outcome.left],
        "waiting": [{"file": each.path, "lines": each.lines} for each in waiting],
        "out_of_reach": list(OUT_OF_REACH),
        "seconds": round(seconds, 3),
    }


def summary(outcome: Outcome, dry: bool) -> Iterator[str]:
    """What was done, or would be, in lines."""
    if outcome.orphans or outcome.completed:
        yield (
            f"An earlier run did not end: {many(outcome.completed, 'object')} that it had replaced, and "
            f"{many(outcome.orphans, 'object')} that it had only stored, were deleted."
        )
    looked = f"{many(outcome.looked_at, 'object')} looked at"
    if not (outcome.removed or outcome.redacted):
        yield f"{looked}; there is nothing of them{'' if dry or outcome.left else ' left'}."
        return
    would = "would be " if dry else ""
    yield (
        f"{looked}; {many(outcome.removed, 'record')} {would}erased and "
        f"{many(outcome.redacted, 'record')} of others {would}redacted, in {many(outcome.objects, 'object')}."
    )
    if outcome.derived:
        yield (
            f"{many(outcome.derived, 'file')} of Parquet and indexes went with them; `chatlog compact` makes "
            "them again."
        )


def warnings(outcome: Outcome, waiting: list[Waiting]) -> Iterator[str]:
    """Why the request stays open, and what to do."""
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
        yield f"and {len(outcome.left) - _NAMED} more are left"
    for each in waiting[:_NAMED]:
        yield (
            f"left: {each.path}: {many(each.lines, 'record')} that the recorder has not stored yet; run this "
            "again once it has, which takes an hour at most by default"
        )
