"""The facts that a member knows of its cluster, as plain values for the page, the API, the metrics and the
rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlog import __version__
from chatlog.cluster.line import Line
from chatlog.cluster.service import MemberService
from chatlog.cluster.slots import each, slot_of

Facts = dict[str, Any]
#: The states of a slot at a member.
STATES = ("starting", "held", "withdrawn", "leaving")


class ClusterFacts:
    """The facts of the cluster ``name`` as ``service`` knows them."""

    def __init__(self, name: str, service: MemberService) -> None:
        self._name = name
        self._service = service
        # The number of rooms of each member, with the values that it was computed from.
        self._counted: dict[str, tuple[object, int]] = {}

    def snapshot(self) -> Facts:
        """Everything, as docs/http.md has it."""
        service = self._service
        member = service.member
        now, wall = service.now(), service.wall()
        short, unassigned = self._missing("short"), self._missing("unassigned")
        unwritten = "" if member.away else service.speaker.trouble
        heard_at = service.speaker.confirmed_at if unwritten else service.heard_at
        return {
            "name": self._name,
            "member": member.myself.name,
            "replicas": max((line.replicas for line in self._lines()), default=member.myself.replicas),
            "list": {"version": service.shared.version, "rooms": len(service.shared.rooms)},
            "engine": {
                "place": service.engine.place,
                "up": not (member.away or unwritten),
                "age": round(max(0.0, now - heard_at), 1),
                "trouble": service.trouble if member.away else unwritten,
            },
            "taken_since": service.taken_since,
            "draining": member.draining,
            "members": [self._member(line, now) for line in self._lines()],
            "strangers": sorted(member.roster.strangers),
            "lost": [
                {"name": name, "at": at, "for": round(max(0.0, wall - at), 1)}
                for name, at in sorted(service.takeovers.lost.items())
            ],
            "taking_over": service.takeovers.pending,
            "slots": {
                platform: {
                    "starting": life.starting.bit_count(),
                    "held": life.held.bit_count(),
                    "withdrawn": life.withdrawn.bit_count(),
                    "leaving": life.leaving.bit_count(),
                }
                for platform, life in member.lives.items()
            },
            "short": short,
            "unassigned": unassigned,
            "moves": dict(service.moves),
            "takeover_seconds": round(service.takeovers.seconds, 1),
        }

    def where(self, platform: str, name: str) -> Facts | None:
        """The recorders of a room; None if it is not in the list."""
        service = self._service
        if (platform, name) not in service.shared.rooms:
            return None
        slot = slot_of(platform, name)
        recorded = [line.name for line in self._lines() if line.recording.get(platform, 0) >> slot & 1]
        targets: Mapping[str, int] = {}
        if service.member.assignment is not None:
            targets = service.member.assignment.targets.get(platform, {})
        return {
            "platform": platform,
            "name": name,
            "slot": slot,
            "recorded_by": recorded,
            "meant_for": sorted(each for each, slots in targets.items() if slots >> slot & 1),
        }

    def _lines(self) -> list[Line]:
        member = self._service.member
        lines = [member.line(self._service.wall()), *member.roster.others.values()]
        return sorted(lines, key=lambda line: line.name)

    def _member(self, line: Line, now: float) -> Facts:
        service = self._service
        me = line.name == service.member.myself.name
        age = now - service.speaker.put_at if me else service.ages.of(line.name, now)
        state = "draining" if line.draining else "unwell" if line.unwell else "active"
        if not me and line.name not in service.member.roster.present:
            state = "unknown"
        return {
            "name": line.name,
            "me": me,
            "state": state,
            "unwell": sorted(line.unwell),
            "zone": line.zone,
            "rooms": self._rooms_of(line),
            "capacity": line.capacity,
            "age": round(max(0.0, age), 1),
            "url": line.url,
            "version": line.version or __version__,
            "list": line.rooms,
        }

    def _rooms_of(self, line: Line) -> int:
        key = (dict(line.recording), self._service.shared.version)
        known = self._counted.get(line.name)
        if known is None or known[0] != key:
            sizes = self._service.shared.sizes
            rooms = sum(
                sizes[platform][slot]
                for platform, slots in line.recording.items()
                if platform in sizes
                for slot in each(slots)
            )
            if len(self._counted) > 1000:
                self._counted.clear()
            known = self._counted[line.name] = key, rooms
        return known[1]

    def _missing(self, what: str) -> int:
        """How many rooms are meant for fewer members than they should be, or for none."""
        assignment = self._service.member.assignment
        if assignment is None:
            return 0
        sizes = self._service.shared.sizes
        return sum(
            sizes[platform][slot]
            for platform, slots in getattr(assignment, what).items()
            for slot in each(slots)
        )
