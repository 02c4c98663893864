"""What the daemon counts. One object is made at start and handed to every part; nothing is global."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chatlog.printable import printable

#: Pairs of an unknown kind and a room that are counted apart, and characters of a kind's name that are kept:
#: a server may send a new name each time.
UNKNOWN_APART = 200
KIND_LENGTH = 40


@dataclass(slots=True)
class Counters:
    """Totals since the process started. Plain integers: adding one costs nothing to speak of."""

    #: Lines or frames that arrived, before anything was made of them.
    received: int = 0
    #: Records handed to the recorder, and of those, records the file system took.
    appended: int = 0
    written: int = 0
    written_bytes: int = 0
    #: Records known to be on the disk.
    durable: int = 0
    #: Records or lines that were not recorded, by reason; each is also in a gap record.
    dropped: Counter[str] = field(default_factory=Counter)
    #: Copies that were recognised and left out.
    duplicates: int = 0
    #: Lines and frames that could not be understood (they are recorded as ``unparsed``).
    unparsed: int = 0
    #: Lines longer than the limit, whose head was recorded.
    oversized: int = 0
    gaps: int = 0
    #: Records made of what a service remembered, for gaps.
    backfilled: int = 0
    #: Files, by how far they came.
    sealed: int = 0
    packed: int = 0
    uploaded: int = 0
    verified: int = 0
    deleted: int = 0
    quarantined: int = 0
    #: Upload attempts that failed, by class (transient, refused, corrupt, clock, conflict).
    upload_retries: Counter[str] = field(default_factory=Counter)
    #: Connection attempts and losses, by platform.
    connects: Counter[str] = field(default_factory=Counter)
    disconnects: Counter[str] = field(default_factory=Counter)
    #: Commands and events that no rule knew (recorded as ``event``), by platform.
    unknown: Counter[str] = field(default_factory=Counter)
    #: The same by platform, kind and room since ``alarms.drift`` took them; beyond UNKNOWN_APART of them
    #: the rest is together under an empty kind and room.
    unknown_kinds: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def saw_unknown(self, platform: str, kind: str, room: str) -> None:
        """A command or event of a ``kind`` that no rule knows has come in ``room``."""
        self.unknown[platform] += 1
        key = (platform, printable(kind, KIND_LENGTH), room)
        if key not in self.unknown_kinds and len(self.unknown_kinds) >= UNKNOWN_APART:
            key = (platform, "", "")
        self.unknown_kinds[key] += 1
