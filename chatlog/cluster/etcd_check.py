"""Finds what is wrong with an etcd server for the members of a cluster."""

from __future__ import annotations

import re
from typing import Any

from chatlog.cluster.engine import WITHIN, EngineAway, EngineError
from chatlog.cluster.etcd_link import EtcdLink, EtcdRefusal, encode
from chatlog.cluster.redis_check import sentence
from chatlog.printable import printable

#: The oldest version that is supported: the first with these paths.
OLDEST = (3, 4)
#: Changes after which etcd should have compacted its history: some days of a cluster.
LONG_HISTORY = 1_000_000
_SPACE = (
    "compact it, defragment it and disarm its alarm (etcdctl), and give it --auto-compaction-retention=1h"
)


async def check(link: EtcdLink, prefix: bytes, place: str, long_history: int = LONG_HISTORY) -> list[str]:
    """The problems, as sentences. ``prefix``: that of the cluster's keys. Never raises."""
    try:
        found = await _troubles(link, prefix, long_history)
    except EngineError as error:
        found = [(str(error), error.remedy)]
    return [sentence(place, why, remedy) for why, remedy in found]


async def _troubles(link: EtcdLink, prefix: bytes, long_history: int) -> list[tuple[str, str]]:
    version = await link.version(link.until(WITHIN))
    numbers = tuple(map(int, re.findall(r"[0-9]{1,6}", version)[:2]))
    if numbers < OLDEST:
        return [(f"its version is {printable(version, 40)}, which is too old", "use etcd 3.4 or later")]
    status = await _status(link)
    if status is not None and status.get("leader", "0") in ("0", ""):
        return [
            ("it has no quorum: too few of its servers are there", "start the others, or look at their logs")
        ]
    alarms = str(status.get("errors", "")) if status is not None else ""
    if "NOSPACE" in alarms:
        return [("its space is full, and it takes nothing", _SPACE)]
    if "CORRUPT" in alarms:
        return [("it says that its data is damaged", "look at its log, and replace the damaged server")]
    key = prefix + b"check"
    await link.ask("/v3/kv/put", {"key": encode(key), "value": encode(b"1")}, link.until(WITHIN))
    answer = await link.ask("/v3/kv/deleterange", {"key": encode(key)}, link.until(WITHIN))
    if await _keeps_everything(link, answer, prefix, long_history):
        return [
            (
                "it has never compacted its history, which fills its space in the end",
                "start it with --auto-compaction-retention=1h",
            )
        ]
    return []


async def _status(link: EtcdLink) -> dict[str, Any] | None:
    """The server's state; None if the user may not see it."""
    try:
        return await link.ask("/v3/maintenance/status", {}, link.until(WITHIN))
    except EtcdRefusal as refusal:
        if "permission" in refusal.said or "403" in str(refusal):
            return None
        raise


async def _keeps_everything(link: EtcdLink, answer: dict[str, Any], prefix: bytes, long_history: int) -> bool:
    """Whether a state of long ago can still be read."""
    header = answer.get("header")
    revision = header.get("revision", "0") if isinstance(header, dict) else "0"
    if not str(revision).isdigit() or int(revision) < long_history:
        return False
    old = {"key": encode(prefix + b"epoch"), "revision": str(int(revision) - long_history + 1)}
    try:
        await link.ask("/v3/kv/range", old, link.until(WITHIN))
    except EtcdRefusal as refusal:
        if "compacted" in refusal.said:
            return False
        raise
    except EngineAway:
        return False
    return True
