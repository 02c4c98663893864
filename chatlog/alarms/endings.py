"""The text of an alarm that ends: it describes the present state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chatlog.config.units import rough_size
from chatlog.counted import many
from chatlog.reasons import name_of
from chatlog.status.condition import Condition, percent

Facts = Mapping[str, Any]


def ending(over: Condition, facts: Facts, present: Iterable[Condition]) -> str:
    """One sentence about the present state, after the condition ``over`` has ended. ``present`` are the
    conditions that hold now."""
    codes = _SUCCESSORS.get(over.code, ())
    successor = next((each for each in present if each.code in codes and each.subject == over.subject), None)
    if successor is not None:
        return f"now {successor.text}"
    return _ENDINGS[over.code](facts, over.subject)


#: The conditions that may follow a condition of the same subject.
_SUCCESSORS = {
    "STORE_DOWN": ("STORE_REFUSED",),
    "STORE_REFUSED": ("STORE_DOWN",),
    "LOGIN_REFUSED": ("PLATFORM_DOWN",),
    "PLATFORM_DOWN": ("LOGIN_REFUSED",),
}


def _platform(facts: Facts, subject: str) -> Facts | None:
    return next((each for each in facts["platforms"] if each["platform"] == subject), None)


def _rooms(facts: Facts, subject: str) -> str:
    platform = _platform(facts, subject)
    if platform is None or not platform["rooms"]:
        return f"no room of {name_of(subject)} is on the list any more"
    recorded, known = platform["recorded"], platform["acknowledged"]
    whole = f"{many(platform['rooms'], 'room')} of {name_of(subject)}"
    words = f"{recorded} of {whole} {_is(recorded)} recorded now"
    return f"{words}, {known} {_is(known)} acknowledged" if known else words


def _refused(facts: Facts, subject: str) -> str:
    return f"no {_other(facts, subject)}room is refused; {_rooms(facts, subject)}"


def _silent(facts: Facts, subject: str) -> str:
    return f"no {_other(facts, subject)}room is without an answer; {_rooms(facts, subject)}"


def _other(facts: Facts, subject: str) -> str:
    """``"other "`` if some rooms of the platform are acknowledged."""
    platform = _platform(facts, subject)
    return "other " if platform is not None and platform["acknowledged"] else ""


def _connected(facts: Facts, subject: str) -> str:
    platform = _platform(facts, subject)
    if platform is None or not platform["up"]:
        return _rooms(facts, subject)
    up = many(platform["up"], "connection")
    return f"{up} to {name_of(subject)} {_is(platform['up'])} up; {_rooms(facts, subject)}"


def _store(facts: Facts, _: str) -> str:
    waiting = facts["uploads"]["waiting_files"]
    return f"the store takes files; {many(waiting, 'file')} still wait{'s' if waiting == 1 else ''}"


def _waiting(facts: Facts, _: str) -> str:
    waiting = facts["uploads"]["waiting_files"]
    return f"no file waits too long any more; {many(waiting, 'file')} wait{'s' if waiting == 1 else ''}"


def _spool(facts: Facts, _: str) -> str:
    spool = facts["spool"]
    used = percent(spool["bytes"], spool["max_bytes"])
    return f"there is room in the spool again; {used:.0f} % are taken"


def _disk(facts: Facts, _: str) -> str:
    spool = facts["spool"]
    full = percent(spool["disk_bytes"] - spool["free_bytes"], spool["disk_bytes"])
    return (
        f"there is room on the disk again; {full:.0f} % are taken, {rough_size(spool['free_bytes'])} are free"
    )


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


_ENDINGS: Mapping[str, Callable[[Facts, str], str]] = {
    "LOGIN_REFUSED": _connected,
    "PLATFORM_DOWN": _connected,
    "CONNECTION_DOWN": _connected,
    "ROOM_REFUSED": _refused,
    "ROOM_SILENT": _silent,
    "ROOM_UNIDENTIFIED": lambda facts, subject: f"the ids of all rooms are known; {_rooms(facts, subject)}",
    "ROOM_WAITING": _rooms,
    "COVERAGE_LOW": lambda facts, subject: (
        f"no room missed too much of the last hour; {_rooms(facts, subject)}"
    ),
    "PROTOCOL_DRIFT": lambda facts, subject: "little that is unknown came within the last hour",
    "STORE_REFUSED": _store,
    "STORE_DOWN": _store,
    "UPLOAD_LATE": _waiting,
    "FILE_QUARANTINED": lambda facts, subject: "no file is quarantined any more",
    "SPOOL_FILLING": _spool,
    "DISK_FILLING": _disk,
    "DISK_TROUBLE": lambda facts, subject: "what arrives is being written again",
    "RECORDS_DROPPED": lambda facts, subject: "everything that came in the last hour was kept",
    "RECORDER_STALLED": lambda facts, subject: "what arrives is being written again",
    "REACTOR_BLOCKED": lambda facts, subject: "the recorder works in time again",
    "OPTOUT_STALE": lambda facts, subject: "the opt-out list is read again",
    "OPTOUT_KEY": lambda facts, subject: "the opt-out list is applied, or nobody is on it",
    "ENGINE_AWAY": lambda facts, subject: "the engine of the cluster answers again",
    "INSTANCE_LOST": lambda facts, subject: "all recorders of the cluster are there, or are long gone",
    "COPIES_SHORT": lambda facts, subject: "every room has as many recorders as it should",
    "CAPACITY_SHORT": lambda facts, subject: "every room of the cluster is given to a recorder",
    "NAME_TAKEN": lambda facts, subject: "no other recorder has this one's name",
    "CLUSTER_MISMATCH": lambda facts, subject: "all recorders of the cluster follow the same rules",
    "CLOCK_OFF": lambda facts, subject: "the clock of this machine is right again",
}
