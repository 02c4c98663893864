"""The counters of the recorder. One object is created at the start and given to every part."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chatlog.printable import printable

#: The most pairs of an unknown kind and a room that are counted separately, and the most characters of a
#: kind's name. A server may send a new name each time.
UNKNOWN_APART = 200
KIND_LENGTH = 40


@dataclass(slots=True)
class Counters:
    """Totals since the process started, as plain integers."""

    #: Lines or frames that arrived.
    received: int = 0
    #: Records given to the recorder, and records written to a file.
    appended: int = 0
    written: int = 0
    written_bytes: int = 0
    #: Records that are known to be on the disk.
    durable: int = 0
    #: Records that were lost, by reason; each is also in a gap record.
    dropped: Counter[str] = field(default_factory=Counter)
    #: Records that were left out because somebody opted out.
    suppressed: int = 0
    #: Duplicates that were recognised and left out.
    duplicates: int = 0
    #: Lines and frames that could not be understood (they are recorded as ``unparsed``).
    unparsed: int = 0
    #: Lines longer than the limit, of which the beginning was recorded.
    oversized: int = 0
    gaps: int = 0
    #: Records that backfill has fetched for gaps.
    backfilled: int = 0
    #: Files that have reached each stage.
    sealed: int = 0
    packed: int = 0
    uploaded: int = 0
    verified: int = 0
    deleted: int = 0
    quarantined: int = 0
    #: Failed attempts to upload, by class (transient, refused, corrupt, clock, conflict).
    upload_retries: Counter[str] = field(default_factory=Counter)
    #: Connections that were welcomed and connections that were lost, by platform.
    connects: Counter[str] = field(default_factory=Counter)
    disconnects: Counter[str] = field(default_factory=Counter)
    #: Unknown commands and events (recorded as ``event``), by platform.
    unknown: Counter[str] = field(default_factory=Counter)
    #: The same by platform, kind and room, since ``status.drift`` last removed them. Beyond UNKNOWN_APART
    #: entries, the rest is counted under an empty kind and room.
    unknown_kinds: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def saw_unknown(self, platform: str, kind: str, room: str) -> None:
        """Count a command or event of an unknown ``kind`` in ``room``."""
        self.unknown[platform] += 1
        key = (platform, printable(kind, KIND_LENGTH), room)
        if key not in self.unknown_kinds and len(self.unknown_kinds) >= UNKNOWN_APART:
            key = (platform, "", "")
        self.unknown_kinds[key] += 1
