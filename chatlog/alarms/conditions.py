"""What may be wrong, each under a code that stays the same: the alarms' and the metrics' vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatlog.alarms.drift import Unknown
from chatlog.alarms.troubles import UNIDENTIFIED, Troubles
from chatlog.config.settings import Settings
from chatlog.config.units import rough_duration, rough_size
from chatlog.journal.journal import Key
from chatlog.status.health import percent

Facts = Mapping[str, Any]

#: Every code, and what it means.
CODES = {
    "LOGIN_REFUSED": "a platform does not take our login or key",
    "PLATFORM_DOWN": "there is no connection to a platform",
    "ROOM_REFUSED": "a platform will not deliver rooms to us",
    "ROOM_SILENT": "a platform does not answer for rooms",
    "ROOM_UNIDENTIFIED": "rooms whose ids are not known cannot be asked for",
    "COVERAGE_LOW": "rooms were missing for too much of the last hour",
    "PROTOCOL_DRIFT": "a platform sends what no rule knows",
    "STORE_REFUSED": "the store refuses what is uploaded",
    "STORE_DOWN": "the store cannot be reached, or fails",
    "UPLOAD_LATE": "files wait too long for their upload",
    "FILE_QUARANTINED": "files cannot be uploaded because of themselves, and are put aside",
    "SPOOL_FILLING": "the spool is nearly as large as it may become",
    "DISK_FILLING": "the file system is nearly full",
    "DISK_TROUBLE": "the disk does not take what is written",
    "REACTOR_BLOCKED": "the process did nothing for a while",
    "CLOCK_OFF": "this machine's clock and that of the servers differ",
}

#: The state of a store that may come back by itself; in all others but ``ok`` somebody has to do something.
RETRYING = "retrying"
#: Seconds by which the clocks may differ.
CLOCK_LIMIT = 10.0
#: Rooms that are named in a text.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong. ``subject`` is the platform, where that makes a difference; ``count`` is how
    many rooms or files it is about, 0 where it is about none."""

    code: str
    subject: str
    text: str
    count: int = 0


@dataclass(slots=True)
class Observed:
    """What the facts do not say: ``poor`` are rooms with a low coverage of the last hour, as key and
    share; ``drift`` what no rule knew of each platform in the last hour, ``unreadable`` how many lines could
    not even be read; ``clock`` by how many seconds our clock is ahead, None if unknown."""

    troubles: Troubles
    poor: list[tuple[Key, float]]
    drift: dict[str, Unknown]
    clock: float | None
    skewed: bool
    unreadable: int = 0


def conditions(facts: Facts, observed: Observed, settings: Settings, now: float) -> Iterator[Condition]:
    """Everything that is wrong at present. ``now`` is the clock's, as in ``Troubles``."""
    yield from _platforms(facts, settings)
    yield from _rooms(observed, settings, now)
    yield from _drift(observed, settings)
    yield from _uploads(facts, settings)
    yield from _disk(facts, settings)
    lag = facts["process"]["reactor_lag"]
    if lag > settings.http.health.reactor_lag:
        yield Condition("REACTOR_BLOCKED", "", f"nothing was done for {rough_duration(lag)}")
    yield from _clock(observed)


def _platforms(facts: Facts, settings: Settings) -> Iterator[Condition]:
    for platform in facts["platforms"]:
        name = platform["platform"]
        if platform["refused"]:
            yield Condition("LOGIN_REFUSED", name, platform["refused"])
            continue
        down = platform["down_since"]
        if down is not None and facts["now"] - down >= settings.alarms.after:
            yield Condition("PLATFORM_DOWN", name, platform["trouble"] or "no connection", platform["rooms"])


def _rooms(observed: Observed, settings: Settings, now: float) -> Iterator[Condition]:
    before = now - settings.alarms.after
    for kind, code in (
        ("refused", "ROOM_REFUSED"),
        ("silent", "ROOM_SILENT"),
        (UNIDENTIFIED, "ROOM_UNIDENTIFIED"),
    ):
        lasting = [(key, trouble.reason) for key, trouble in observed.troubles.lasting(kind, before)]
        yield from _grouped(code, lasting)
    yield from _grouped("COVERAGE_LOW", [(key, f"{share:.0%}") for key, share in observed.poor])


def _grouped(code: str, rooms: Iterable[tuple[Key, str]]) -> Iterator[Condition]:
    """One condition for all rooms of a platform."""
    by_platform: dict[str, list[tuple[str, str]]] = {}
    for (platform, name), words in rooms:
        by_platform.setdefault(platform, []).append((name, words))
    for platform, named in by_platform.items():
        text = ", ".join(f"{name} ({words})" if words else name for name, words in named[:_NAMED])
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        unit = "room" if len(named) == 1 else "rooms"
        yield Condition(code, platform, f"{len(named)} {unit}: {text}{more}", len(named))


def _drift(observed: Observed, settings: Settings) -> Iterator[Condition]:
    threshold = settings.alarms.unknown_per_hour
    for platform, unknown in observed.drift.items():
        if unknown.is_drift(threshold):
            where = "1 room" if unknown.rooms == 1 else f"{unknown.rooms} rooms"
            what = f"{unknown.count} events in an hour of kinds that no rule knows, in {where}"
            yield Condition("PROTOCOL_DRIFT", platform, f"{what}: {unknown.kinds()}", unknown.count)
    if observed.unreadable > threshold:
        text = f"{observed.unreadable} lines that could not be read in an hour"
        yield Condition("PROTOCOL_DRIFT", "", text, observed.unreadable)


def _uploads(facts: Facts, settings: Settings) -> Iterator[Condition]:
    uploads = facts["uploads"]
    waiting = uploads["waiting_files"]
    since = uploads["state_since"]
    if since is not None and facts["now"] - since >= settings.alarms.after:
        code = "STORE_DOWN" if uploads["state"] == RETRYING else "STORE_REFUSED"
        yield Condition(code, "", uploads["last_error"] or uploads["state"], waiting)
    oldest = uploads["oldest"]
    if oldest is not None and oldest > settings.http.health.upload_age:
        yield Condition("UPLOAD_LATE", "", f"the oldest file waits for {rough_duration(oldest)}", waiting)
    if uploads["quarantined"]:
        count = uploads["quarantined"]
        yield Condition("FILE_QUARANTINED", "", f"{count} put aside; the log says why", count)


def _disk(facts: Facts, settings: Settings) -> Iterator[Condition]:
    spool = facts["spool"]
    used = percent(spool["bytes"], spool["max_bytes"])
    if used >= settings.alarms.spool:
        whole = rough_size(spool["max_bytes"])
        yield Condition("SPOOL_FILLING", "", f"{used:.0f} % of recorder.max_size ({whole}) are taken")
    full = percent(spool["disk_bytes"] - spool["free_bytes"], spool["disk_bytes"])
    if full >= settings.alarms.disk:
        free = rough_size(spool["free_bytes"])
        yield Condition("DISK_FILLING", "", f"{full:.0f} % of the file system are taken, {free} are free")
    trouble = spool["fatal"] or spool["trouble"]
    if not trouble and spool["durable_lag"] > settings.http.health.sync_lag:
        trouble = f"a sync has not come back for {rough_duration(spool['durable_lag'])}"
    if trouble:
        yield Condition("DISK_TROUBLE", "", trouble)


def _clock(observed: Observed) -> Iterator[Condition]:
    offset = observed.clock
    if offset is not None and abs(offset) > CLOCK_LIMIT:
        way = "ahead of" if offset > 0 else "behind"
        yield Condition("CLOCK_OFF", "", f"{rough_duration(abs(offset))} {way} the time of the messages")
    elif observed.skewed:
        yield Condition("CLOCK_OFF", "", "the store says that the time of our requests is wrong")
