"""The part of the API that is about the recorders that share their rooms."""

from __future__ import annotations

from typing import Any, Protocol

from chatlog.http.answers import Answer, error, json_answer

Facts = dict[str, Any]


class Known(Protocol):
    """The facts that are known of the cluster."""

    def snapshot(self) -> Facts: ...

    def where(self, platform: str, name: str) -> Facts | None: ...


class Draining(Protocol):
    """Hands all rooms over, or takes part again."""

    def hand_over(self) -> None: ...

    def take_back(self) -> None: ...


class Cluster(Protocol):
    """The cluster that this recorder is a member of."""

    @property
    def facts(self) -> Known: ...
    @property
    def draining(self) -> Draining: ...


class ClusterApi:
    """The answers about ``cluster``; None: this recorder is alone."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        self._cluster = cluster

    def cluster(self) -> Answer:
        """GET cluster."""
        if self._cluster is None:
            return _alone()
        return json_answer(200, self._cluster.facts.snapshot())

    def where(self, platform: str, name: str) -> Answer:
        """GET cluster/rooms/{platform}/{name}."""
        if self._cluster is None:
            return _alone()
        found = self._cluster.facts.where(platform, name)
        if found is None:
            return error(404, "no_such_room", "this room is not on the list of the cluster")
        return json_answer(200, found)

    def elsewhere(self, platform: str, name: str) -> Facts | None:
        """The facts of a room that other members record, in the form of a room's; None if there is none."""
        found = None if self._cluster is None else self._cluster.facts.where(platform, name)
        if found is None:
            return None
        by = found["recorded_by"]
        state = "recorded" if by else "wanted"
        said = f"by {', '.join(by)}" if by else "another recorder of the cluster is about to record it"
        return {
            "platform": platform,
            "name": name,
            "state": state,
            "problem": "",
            "reason": said,
            "elsewhere": by or found["meant_for"],
            "rate": 0.0,
            "coverage_today": 0.0,
            "gaps_today": 0,
            "sparkline": [],
        }

    def drain(self, away: bool) -> Answer:
        """POST and DELETE drain."""
        if self._cluster is None:
            return _alone()
        if away:
            self._cluster.draining.hand_over()
        else:
            self._cluster.draining.take_back()
        return json_answer(202, {"draining": away})


def _alone() -> Answer:
    return error(409, "no_cluster", "this recorder is alone: its configuration has no cluster")
