"""The rules for conditions of the recorders that share their rooms."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.config.units import rough_duration
from chatlog.counted import many
from chatlog.status.condition import CRITICAL, WARNING, Condition, Facts

#: Seconds for which a recorder that is gone is shown.
_SHOWN = 86400.0


def cluster_rules(facts: Facts) -> Iterator[Condition]:
    """The conditions of the cluster, as this recorder knows it."""
    cluster = facts.get("cluster")
    if cluster is None:
        return
    yield from _engine(cluster, facts["now"])
    yield from _names(cluster)
    yield from _lost(cluster)
    if not cluster["engine"]["up"]:
        return
    if unassigned := cluster["unassigned"]:
        yield Condition(
            "CAPACITY_SHORT",
            CRITICAL,
            f"{many(unassigned, 'room')} of the cluster can be given to nobody: all recorders that take "
            "rooms have as many as they may",
            "Start another recorder, or raise cluster.capacity if the machines have the strength.",
            count=unassigned,
            brief=f"{many(unassigned, 'room')} of the cluster {_are(unassigned)} recorded by nobody",
        )
    if short := cluster["short"]:
        wanted = cluster["replicas"]
        yield Condition(
            "COPIES_SHORT",
            WARNING,
            f"{many(short, 'room')} {_are(short)} recorded by fewer than {wanted} recorders; a death may now "
            "cost chat",
            "Start another recorder, or see why one is gone, is unwell or is full.",
            count=short,
            brief=f"{many(short, 'room')} {_have(short)} fewer than {wanted} recorders",
        )


def _engine(cluster: Facts, now: float) -> Iterator[Condition]:
    engine = cluster["engine"]
    if engine["up"]:
        return
    age = engine["age"]
    yield Condition(
        "ENGINE_AWAY",
        WARNING,
        f"{engine['place']} has not answered for {rough_duration(age)}; recording goes on, but a death now "
        "is not covered, and rooms cannot be added or removed",
        "See that the server runs and can be reached from here.",
        since=now - age,
        raw=engine["trouble"],
        brief="the engine of the cluster is away",
    )


def _names(cluster: Facts) -> Iterator[Condition]:
    if cluster["taken_since"] is not None:
        yield Condition(
            "NAME_TAKEN",
            CRITICAL,
            f"another recorder of the cluster is called {cluster['member']} as well, so this one takes no "
            "rooms",
            "Give each recorder an instance of its own, and each a recorder.directory of its own.",
            since=cluster["taken_since"],
            brief=f"another recorder is called {cluster['member']}",
        )
    strangers = cluster["strangers"]
    if strangers:
        yield Condition(
            "CLUSTER_MISMATCH",
            CRITICAL,
            f"{', '.join(strangers[:5])} {_follow(len(strangers))} other rules than this recorder, so rooms "
            "are not shared with them",
            "Bring all recorders of the cluster to one version, or give the others another cluster.name.",
            count=len(strangers),
            brief="recorders of the cluster have different versions",
        )


def _lost(cluster: Facts) -> Iterator[Condition]:
    lost = [each for each in cluster["lost"] if each["for"] < _SHOWN]
    if not lost:
        return
    names = ", ".join(each["name"] for each in lost[:5])
    yield Condition(
        "INSTANCE_LOST",
        WARNING,
        f"{names} {'is' if len(lost) == 1 else 'are'} gone for {rough_duration(max(e['for'] for e in lost))} "
        "without having handed over; the others record its rooms, but what it had not uploaded is on its "
        "disk alone",
        "Start it again with its disk. If that is lost, so is what it had not uploaded: gap records do not "
        "show that, chatlog verify does.",
        since=min(each["at"] for each in lost),
        count=len(lost),
        brief=f"{names} {'is' if len(lost) == 1 else 'are'} gone",
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _follow(count: int) -> str:
    return "follows" if count == 1 else "follow"
