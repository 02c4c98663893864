"""Whether all is well, from the facts of ``status``: alive, and recording as configured.

    verdict = alive(facts, settings)        # ok, failing: [(part, reason)], status 200 or 503, body

Alive means that this process can do its work; when it is not, a new start may help. Ready means that
every room is recorded and that what is recorded arrives in the store; what it needs may lie outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatlog.config.settings import Settings
from chatlog.config.units import rough_duration, rough_size

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failing:
    """A part that is not well, and why, in words."""

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``failing`` is empty if all is well."""

    failing: tuple[Failing, ...]

    @property
    def ok(self) -> bool:
        return not self.failing

    @property
    def status(self) -> int:
        """The HTTP status to answer with."""
        return 503 if self.failing else 200

    @property
    def body(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        failing = [{"part": failing.part, "reason": failing.reason} for failing in self.failing]
        return {"ok": self.ok, "failing": failing}


def alive(facts: Facts, settings: Settings) -> Verdict:
    """What /healthz says."""
    return Verdict(tuple(_not_alive(facts, settings)))


def ready(facts: Facts, settings: Settings) -> Verdict:
    """What /readyz says: alive as well as recording and storing everything."""
    parts = (_not_alive, _not_recorded, _not_stored, _filling)
    return Verdict(tuple(failing for part in parts for failing in part(facts, settings)))


def _not_alive(facts: Facts, settings: Settings) -> Iterator[Failing]:
    limits = settings.http.health
    spool = facts["spool"]
    lag = facts["process"]["reactor_lag"]
    if lag > limits.reactor_lag:
        yield Failing("reactor", f"it did nothing for {rough_duration(lag)}")
    if spool["fatal"]:
        yield Failing("disk", spool["fatal"])
    elif spool["durable_lag"] > limits.sync_lag:
        waiting = rough_duration(spool["durable_lag"])
        yield Failing("disk", f"what was written {waiting} ago is not known to be on the disk")
    if spool["ticked"] > limits.reactor_lag + settings.recorder.flush_interval:
        yield Failing("recorder", f"nothing was written for {rough_duration(spool['ticked'])}")
    if spool["trouble"]:
        yield Failing("recorder", f"cannot write: {spool['trouble']}")


def _not_recorded(facts: Facts, settings: Settings) -> Iterator[Failing]:
    limits = settings.http.health
    platforms = facts["platforms"]
    for platform in platforms:
        down = platform["down_since"]
        if down is not None and facts["now"] - down > limits.room_grace:
            why = f": {platform['trouble']}" if platform["trouble"] else ""
            lasted = rough_duration(facts["now"] - down)
            yield Failing(platform["platform"], f"no connection for {lasted}{why}")
    rooms = sum(platform["rooms"] for platform in platforms)
    late = sum(platform["late"] for platform in platforms)
    if 100 * (rooms - late) >= limits.rooms * rooms:
        return
    for platform in platforms:
        if platform["late"]:
            names = ", ".join(platform["late_rooms"])
            more = ", ..." if platform["late"] > len(platform["late_rooms"]) else ""
            yield Failing(
                f"{platform['platform']} rooms",
                f"{platform['late']} of {platform['rooms']} not recorded for more than "
                f"{rough_duration(limits.room_grace)}: {names}{more}",
            )


def _not_stored(facts: Facts, settings: Settings) -> Iterator[Failing]:
    limits = settings.http.health
    uploads = facts["uploads"]
    since = uploads["state_since"]
    if since is not None and facts["now"] - since > limits.store_grace:
        why = f": {uploads['last_error']}" if uploads["last_error"] else ""
        yield Failing("store", f"{uploads['state']} for {rough_duration(facts['now'] - since)}{why}")
    if uploads["oldest"] is not None and uploads["oldest"] > limits.upload_age:
        yield Failing(
            "uploads",
            f"{uploads['waiting_files']} files wait, the oldest for {rough_duration(uploads['oldest'])}",
        )


def _filling(facts: Facts, settings: Settings) -> Iterator[Failing]:
    spool = facts["spool"]
    used = percent(spool["bytes"], spool["max_bytes"])
    if used >= settings.alarms.spool:
        yield Failing("spool", f"{used:.0f} % of its {rough_size(spool['max_bytes'])} are taken")
    full = percent(spool["disk_bytes"] - spool["free_bytes"], spool["disk_bytes"])
    if full >= settings.alarms.disk:
        yield Failing("disk", f"{full:.0f} % are taken; {rough_size(spool['free_bytes'])} are free")


def percent(part: float, whole: float) -> float:
    """``part`` of ``whole``; 0.0 where there is no whole."""
    return 100.0 * part / whole if whole > 0 else 0.0
