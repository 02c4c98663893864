"""Finds what is wrong with a Redis or Valkey server for the members of a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chatlog.cluster.engine import EngineError
from chatlog.cluster.redis_link import RedisLink, info
from chatlog.cluster.redis_scripts import TRY
from chatlog.cluster.redis_words import CLUSTER_MODE, PRIMARY, REPLICA, SPEECH
from chatlog.printable import printable

#: The oldest version that is supported: the oldest with fixes from its makers in recent years.
OLDEST = (6, 2)


async def check(link: RedisLink, keys: list[bytes], place: str) -> list[str]:
    """The problems, as sentences. ``keys``: those of the cluster. Never raises."""
    try:
        fields = info(await link.ask(b"INFO"))
    except EngineError as error:
        return [sentence(place, str(error), error.remedy)]
    found = [sentence(place, why, remedy) for why, remedy in troubles(fields)]
    if found:
        return found
    try:
        answer = await link.run(TRY, keys[:1], b"1")
    except EngineError as error:
        return [sentence(place, str(error), error.remedy)]
    return [] if answer == b"OK" else [sentence(place, "it does not answer as Redis does", SPEECH)]


def sentence(place: str, why: str, remedy: str) -> str:
    """One sentence: what is wrong with an engine, and what to do."""
    return f"{place}: {why}{f'; {remedy}' if remedy else ''}"


def troubles(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The problems that the fields of INFO show, each with a remedy. A missing field shows no problem: some
    services hide fields."""
    version = fields.get("redis_version", "")
    numbers = tuple(map(int, re.findall(r"[0-9]{1,6}", version)[:2]))
    if numbers and numbers < OLDEST:
        yield (
            f"its version is {printable(version, 40)}, which is too old",
            "use Redis 6.2, Valkey 7.2 or later",
        )
    if fields.get("role") == "slave":
        yield REPLICA, PRIMARY
    if fields.get("redis_mode") == "sentinel":
        yield "it is a Sentinel", "write redis+sentinel://host/NAME in cluster.engine"
    if fields.get("cluster_enabled") == "1" or fields.get("redis_mode") == "cluster":
        yield "it is part of a Redis Cluster, whose keys move between servers", CLUSTER_MODE
    policy = fields.get("maxmemory_policy", "")
    if policy.startswith("allkeys-") and fields.get("maxmemory") != "0":
        yield (
            f"it throws away keys when its memory is full (maxmemory-policy {printable(policy, 40)}), and "
            "those of the cluster are among them",
            "set maxmemory-policy to noeviction or to one that begins with volatile-",
        )
