"""The rules for conditions of platforms, connections and rooms."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.config.settings import Settings
from chatlog.config.units import rough_duration
from chatlog.counted import many
from chatlog.reasons import name_of, of_connection
from chatlog.status.condition import CRITICAL, NOTE, WARNING, Condition, Facts, Observed
from chatlog.status.natural import natural

#: The most rooms that a text names.
_NAMED = 5
#: For each kind of problem: the code, and the text for one room and for several.
_ROOMS = {
    "refused": ("ROOM_REFUSED", "is refused", "are refused"),
    "silent": ("ROOM_SILENT", "gets no answer", "get no answer"),
    "unidentified": ("ROOM_UNIDENTIFIED", "cannot be joined", "cannot be joined"),
    "disconnected": ("CONNECTION_DOWN", "has lost its connection", "have lost their connections"),
    "waiting": ("ROOM_WAITING", "is being joined", "are being joined"),
}


def room_rules(facts: Facts, observed: Observed, settings: Settings) -> Iterator[Condition]:
    """The conditions of platforms and rooms. Their severity depends on the share of rooms."""
    rooms = sum(platform["rooms"] for platform in facts["platforms"])
    late = sum(platform["late"] for platform in facts["platforms"])
    ready = 100 * (rooms - late) >= settings.http.health.rooms * rooms
    for platform in facts["platforms"]:
        yield from _connections(platform, facts["now"], settings)
        for group in platform["problems"]:
            if group["kind"] != "disconnected" or platform["up"]:
                yield _group(platform, group, rooms, ready, settings)
    yield from _coverage(observed, rooms, settings)
    yield from _drift(observed, settings)


def _connections(platform: Facts, now: float, settings: Settings) -> Iterator[Condition]:
    name = platform["platform"]
    called = name_of(name)
    affected = platform["rooms"] - platform["recorded"] - platform["acknowledged"]
    if platform["refused"]:
        reason = of_connection(name, platform["refused"])
        yield Condition(
            "LOGIN_REFUSED",
            CRITICAL if platform["recorded"] == 0 else WARNING,
            f"{reason.words}, so {many(affected, 'room')} of {called} "
            f"{'is' if affected == 1 else 'are'} not recorded",
            reason.remedy,
            name,
            platform["down_since"] or 0.0,
            affected,
            platform["refused"],
            part=name,
            ready=platform["down_since"] is None
            or now - platform["down_since"] <= settings.http.health.room_grace,
            brief=reason.words,
        )
    down = platform["down_since"]
    if down is None:
        return
    lasted = now - down
    late = lasted > settings.http.health.room_grace
    trouble = platform["trouble"]
    why = of_connection(name, trouble)
    words = f": {why.words}" if trouble else ""
    yield Condition(
        "PLATFORM_DOWN",
        CRITICAL if late else WARNING if trouble else NOTE,
        f"no connection to {called} for {rough_duration(lasted)}{words}",
        why.remedy,
        name,
        down,
        platform["rooms"],
        trouble,
        part=name,
        ready=not late,
        due=lasted >= settings.alarms.after,
        brief=f"no connection to {called}" if trouble else f"connecting to {called}",
    )


def _group(platform: Facts, group: Facts, rooms: int, ready: bool, settings: Settings) -> Condition:
    """All rooms of a platform with the same kind of problem."""
    name, kind, count = platform["platform"], group["kind"], group["count"]
    code, one, several = _ROOMS[kind]
    does = one if count == 1 else several
    whole = f" of {rooms}" if rooms > count else ""
    text = f"{many(count, 'room')}{whole} {does}: {_named(group)}"
    severity = NOTE
    if group["late"] and kind != "waiting":
        severity = proportion(group["late"], rooms, settings)
    return Condition(
        code,
        severity,
        text,
        _remedies(group),
        name,
        group["since"],
        count,
        group["rooms"][0]["raw"],
        part=f"{name} rooms",
        ready=ready or not group["late"],
        due=group["lasting"] > 0 and kind != "waiting",
        brief=f"{many(count, 'room')} {does}",
    )


def proportion(missing: int, rooms: int, settings: Settings) -> str:
    """The severity if ``missing`` of all ``rooms`` are not recorded."""
    if missing >= rooms:
        return CRITICAL
    enough = 100 * (rooms - missing) >= settings.http.health.rooms * rooms
    return NOTE if enough else WARNING


def _named(group: Facts) -> str:
    """A few rooms by name, grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for room in group["rooms"][:_NAMED]:
        by_reason.setdefault(room["reason"], []).append(room["name"])
    parts = [
        f"{', '.join(names)} ({words})" if words else ", ".join(names) for words, names in by_reason.items()
    ]
    more = group["count"] - min(len(group["rooms"]), _NAMED)
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def _remedies(group: Facts) -> str:
    """The remedy; if it differs between rooms, the first two."""
    by_remedy: dict[str, str] = {}
    for room in group["rooms"]:
        if room["remedy"]:
            by_remedy.setdefault(room["remedy"], room["name"])
    if len(by_remedy) <= 1:
        return next(iter(by_remedy), "")
    return " ".join(f"{name}: {remedy}" for remedy, name in list(by_remedy.items())[:2])


def _coverage(observed: Observed, rooms: int, settings: Settings) -> Iterator[Condition]:
    by_platform: dict[str, list[tuple[str, float]]] = {}
    for (platform, name), missed in observed.poor:
        by_platform.setdefault(platform, []).append((name, missed))
    allowed = 100 - settings.alarms.coverage
    for platform, poor in by_platform.items():
        poor.sort(key=lambda each: natural(each[0]))
        text = ", ".join(f"{name} ({rough_duration(missed)})" for name, missed in poor[:_NAMED])
        more = f" and {len(poor) - _NAMED} more" if len(poor) > _NAMED else ""
        severity = proportion(len(poor), rooms, settings)
        yield Condition(
            "COVERAGE_LOW",
            NOTE if severity == NOTE else WARNING,
            f"{many(len(poor), 'room')} missed more than {allowed} % of the last hour: {text}{more}",
            "A connection comes and goes: look for lost connections in the log, and at the network of this "
            "machine.",
            platform,
            count=len(poor),
            brief=f"{many(len(poor), 'room')} missed a part of the last hour",
        )


def _drift(observed: Observed, settings: Settings) -> Iterator[Condition]:
    threshold = settings.alarms.unknown_per_hour
    for platform, unknown in observed.drift.items():
        if unknown.is_drift(threshold):
            where = f"{many(unknown.count, 'event')} in {many(unknown.rooms, 'room')}"
            yield _new(
                f"{where} within an hour are of kinds that Chatlog does not know: {unknown.kinds()}",
                platform,
                unknown.count,
            )
    if observed.unreadable > threshold:
        lines = observed.unreadable
        yield _new(f"{many(lines, 'line')} that could not be read came within an hour", "", lines)


def _new(text: str, platform: str, count: int) -> Condition:
    words = f"{text}. Nothing is lost, they are recorded as they came"
    return Condition("PROTOCOL_DRIFT", NOTE, words, "Look for a newer Chatlog.", platform, count=count)
