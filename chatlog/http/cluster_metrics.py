"""The metrics of the recorders that share their rooms, as one of them knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Facts = dict[str, Any]

#: The states of a member. ``unknown``: the engine has forgotten the member, which may still exist.
_STATES = ("active", "draining", "unwell", "unknown")


def cluster_metrics(cluster: Facts) -> Iterator[Metric]:
    """All metrics of a cluster."""
    members = GaugeMetricFamily(
        "chatlog_cluster_members", "Recorders of the cluster, by state.", labels=["state"]
    )
    states = [member["state"] for member in cluster["members"]]
    for state in _STATES:
        members.add_metric([state], states.count(state))
    yield members
    engine = cluster["engine"]
    for name, help_, value in (
        ("engine_up", "1 while the engine of the cluster answers.", float(engine["up"])),
        ("engine_age_seconds", "The time since the engine answered last.", engine["age"]),
        ("rooms", "Rooms on the list of the cluster.", cluster["list"]["rooms"]),
        ("rooms_short", "Rooms that have fewer recorders than they should.", cluster["short"]),
        ("rooms_unassigned", "Rooms that can be given to no recorder.", cluster["unassigned"]),
        (
            "takeover_seconds",
            "How long the latest takeover took, from the last word of the dead.",
            cluster["takeover_seconds"],
        ),
    ):
        yield GaugeMetricFamily(f"chatlog_cluster_{name}", help_, value=value)
    slots = GaugeMetricFamily(
        "chatlog_cluster_slots", "Slots of this recorder, by state.", labels=["platform", "state"]
    )
    for platform, counts in cluster["slots"].items():
        for state, count in counts.items():
            slots.add_metric([platform, state], count)
    yield slots
    moves = CounterMetricFamily(
        "chatlog_cluster_moves", "Slots that came to this recorder or left it, by reason.", labels=["reason"]
    )
    for reason, count in cluster["moves"].items():
        moves.add_metric([reason], count)
    yield moves
