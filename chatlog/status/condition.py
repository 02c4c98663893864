"""A condition: something that is wrong, under a code that stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatlog.status.drift import Unknown

Facts = Mapping[str, Any]
#: Platform and name of a room.
Key = tuple[str, str]

#: From the least to the most severe. ``note``: worth knowing, nothing has to be done at once. ``warning``: a
#: person should look today. ``critical``: chat is being lost, or will be.
OK, NOTE, WARNING, CRITICAL = "ok", "note", "warning", "critical"
SEVERITIES = (OK, NOTE, WARNING, CRITICAL)

#: Ends the headline if it only counts some conditions. What shows them itself leaves it out.
WHERE = ": see the overview or chatlog status"

#: Every code with its meaning.
CODES = {
    "LOGIN_REFUSED": "a platform does not take our login or key",
    "PLATFORM_DOWN": "there is no connection to a platform",
    "CONNECTION_DOWN": "some of the connections to a platform are lost",
    "ROOM_REFUSED": "a platform will not deliver rooms to us",
    "ROOM_SILENT": "a platform does not answer for rooms",
    "ROOM_UNIDENTIFIED": "rooms whose ids are not known cannot be joined",
    "ROOM_WAITING": "rooms are being joined",
    "COVERAGE_LOW": "rooms were missing for too much of the last hour",
    "PROTOCOL_DRIFT": "a platform sends what no rule knows",
    "STORE_REFUSED": "the store refuses what is uploaded",
    "STORE_DOWN": "the store cannot be reached, or fails",
    "UPLOAD_LATE": "files wait too long for their upload",
    "FILE_QUARANTINED": "files cannot be uploaded because of themselves, and are quarantined",
    "SPOOL_FILLING": "the spool is nearly as large as it may become",
    "DISK_FILLING": "the file system is nearly full",
    "DISK_TROUBLE": "the disk does not take what is written",
    "RECORDS_DROPPED": "messages could not be kept",
    "RECORDER_STALLED": "the recorder no longer writes what it has",
    "REACTOR_BLOCKED": "the process did nothing for a while",
    "OPTOUT_STALE": "the list of the people who opted out cannot be read",
    "OPTOUT_KEY": "the list of the people who opted out was written with another key",
    "ENGINE_AWAY": "the engine of the cluster does not answer",
    "INSTANCE_LOST": "a recorder of the cluster is gone without having handed over",
    "COPIES_SHORT": "rooms have fewer recorders than they should",
    "CAPACITY_SHORT": "rooms can be given to no recorder of the cluster",
    "NAME_TAKEN": "another recorder of the cluster has this one's name",
    "CLUSTER_MISMATCH": "recorders of the cluster follow different rules",
    "CLOCK_OFF": "this machine's clock and that of the servers differ",
}

#: For each condition, the codes of its possible causes. A cause has the same subject, or none.
CAUSES: Mapping[str, tuple[str, ...]] = {
    "PLATFORM_DOWN": ("LOGIN_REFUSED",),
    "CONNECTION_DOWN": ("LOGIN_REFUSED", "PLATFORM_DOWN"),
    # Whether a room is still refused, or an id still not found, shows only when the platform is back.
    "ROOM_REFUSED": ("PLATFORM_DOWN",),
    "ROOM_UNIDENTIFIED": ("PLATFORM_DOWN",),
    "ROOM_SILENT": ("LOGIN_REFUSED", "PLATFORM_DOWN"),
    "ROOM_WAITING": ("LOGIN_REFUSED", "PLATFORM_DOWN", "CONNECTION_DOWN"),
    "COVERAGE_LOW": ("LOGIN_REFUSED", "PLATFORM_DOWN", "CONNECTION_DOWN", "DISK_TROUBLE", "RECORDER_STALLED"),
    "STORE_REFUSED": ("CLOCK_OFF",),
    "UPLOAD_LATE": ("STORE_DOWN", "STORE_REFUSED", "CLOCK_OFF"),
    "OPTOUT_STALE": ("STORE_DOWN", "STORE_REFUSED"),
    "SPOOL_FILLING": ("DISK_TROUBLE", "STORE_DOWN", "STORE_REFUSED"),
    "DISK_FILLING": ("DISK_TROUBLE",),
    "RECORDS_DROPPED": ("DISK_TROUBLE",),
    "RECORDER_STALLED": ("DISK_TROUBLE",),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong. ``subject``: the platform, if the condition belongs to one. ``since``: when it
    began, in seconds since the epoch; 0.0 if only the time at which it was first seen is known. ``count``:
    how many rooms or files are concerned. ``raw``: the cause in the words of the server or the system.

    ``part``: its name in the health checks; it fails ``/healthz`` unless ``alive``, and ``/readyz`` unless
    ``ready``. ``due``: it has lasted long enough for an alarm. ``brief``: half a sentence for the headline.
    ``explained``: the code of its cause, if it is an effect.
    """

    code: str
    severity: str
    text: str
    remedy: str = ""
    subject: str = ""
    since: float = 0.0
    count: int = 0
    raw: str = ""
    part: str = ""
    alive: bool = True
    ready: bool = True
    due: bool = True
    brief: str = ""
    explained: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The condition's identity."""
        return self.code, self.subject

    @property
    def facts(self) -> dict[str, Any]:
        """The condition as JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "subject": self.subject,
            "since": self.since,
            "text": self.text,
            "remedy": self.remedy,
            "count": self.count,
            "raw": self.raw,
        }


@dataclass(slots=True)
class Observed:
    """Facts that only show over time, here over the last hour. ``poor``: the rooms that missed too much, with
    the seconds. ``drift``: for each platform, the unknown commands and events. ``unreadable``: how many lines
    could not be read. ``dropped``: how many records were dropped. ``skewed``: the store reports that our
    clock is wrong."""

    poor: list[tuple[Key, float]] = field(default_factory=list)
    drift: Mapping[str, Unknown] = field(default_factory=dict)
    unreadable: int = 0
    dropped: int = 0
    skewed: bool = False


def percent(part: float, whole: float) -> float:
    """The percentage that ``part`` is of ``whole``; 0.0 if ``whole`` is 0."""
    return 100.0 * part / whole if whole > 0 else 0.0
