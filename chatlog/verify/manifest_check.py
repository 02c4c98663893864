"""What the manifests of an archive say, read into its index; and which of them are not there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf

from chatlog.naming import ManifestName, parse_manifest_name
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.uploader.manifest_rows import LONGEST_ROW, HeadRow, ObjectRow, RoomRow, lines_of, parsed
from chatlog.uploader.packing import unpacked
from chatlog.verify.archive_index import ArchiveIndex, Hole
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.keys import name_of_object, suffix_of
from chatlog.verify.object_check import why_unread
from chatlog.verify.patience import Patience, StoreAway
from chatlog.verify.rooms_there import RoomsThere
from chatlog.verify.scope import FIRST_DAY, HOUR, Scope, Watcher

#: Manifests of this many seconds before a hole may be those that would have ended later.
_BEFORE = HOUR


class ManifestCheck:
    """Reads the manifests one by one. ``unread`` are those that could not be, ``lost`` the times of instances
    whose spool was lost, ``days`` the first and the last day that a manifest has in its key."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        index: ArchiveIndex,
        totals: Totals,
        watcher: Watcher,
        patience: Patience,
        rooms: RoomsThere,
    ) -> None:
        self._store = store
        self._scope = scope
        self._index = index
        self._totals = totals
        self._watcher = watcher
        self._patience = patience
        self._rooms = rooms
        self.unread: list[ManifestName] = []
        self.lost: list[Hole] = []
        self.days: tuple[str, str] | None = None
        self._damaged: list[ManifestName] = []

    def run(self, listed: Iterable[Head]) -> None:
        """Read them all, also those of later days: what was recorded on one may have been stored much
        later. Raises StoreError if they cannot be listed."""
        first = f"manifest/{self._scope.since:%Y/%m/%d}/"
        for head in listed:
            suffix = suffix_of(head.key)
            try:
                name = parse_manifest_name(head.key.removesuffix(suffix).rpartition("/")[2])
            except ValueError:
                self._totals.strangers += head.key >= first or self._scope.since == FIRST_DAY
                continue
            self._date(name)
            if head.key >= first or self._scope.since == FIRST_DAY:
                self._read(head.key, name, suffix)
                self._watcher.step("manifests", self._totals.manifests, 0)
        for hole in self._index.holes():
            self._judge(hole)

    def _date(self, name: ManifestName) -> None:
        day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
        earliest, latest = self.days or (day, day)
        self.days = min(earliest, day), max(latest, day)

    def _problem(self, kind: str, key: str, what: str) -> None:
        self._totals.problems[kind] += 1
        self._watcher.problem(Problem(kind, key, 0, what))

    def _read(self, key: str, name: ManifestName, suffix: str) -> None:
        try:
            self._patience.ask(partial(self._read_whole, key, name, suffix))
        except StoreAway:
            raise
        except StoreError as error:
            if error.kind == MISSING:
                self._problem("missing-manifest", key, "it was there a moment ago")
            else:
                self.unread.append(name)
                self._problem("unread-object", key, why_unread(error))

    def _read_whole(self, key: str, name: ManifestName, suffix: str) -> None:
        with self._index.whole():
            self._read_rows(key, name, unpacked(self._store.read(key), suffix))

    def _read_rows(self, key: str, name: ManifestName, chunks: Iterable[bytes]) -> None:
        rows = 0
        period: HeadRow | None = None
        try:
            for line, whole in lines_of(chunks, LONGEST_ROW):
                rows += 1
                if not whole:
                    raise ValueError("it is cut off")
                row = parsed(line)
                if isinstance(row, HeadRow):
                    period = row
                elif period is None:
                    raise ValueError("it does not begin with its period")
                elif isinstance(row, ObjectRow):
                    self._named(key, row)
                elif isinstance(row, RoomRow):
                    self._room(period, row)
            if period is None:
                raise ValueError("it is empty")
        except ValueError as error:
            self._damaged.append(name)
            self._problem("invalid-manifest", key, f"row {rows}: {error}" if rows else str(error))
        if period is not None:
            self._totals.manifests += 1
            self._index.add_period(period, key)

    def _named(self, manifest: str, row: ObjectRow) -> None:
        name = name_of_object(row.key)
        if name is None:
            self._problem("invalid-manifest", manifest, f"it names {row.key[:200]!r}, which is no object")
        elif self._scope.has(name) and not self._index.add_object(row):
            self._problem("invalid-manifest", manifest, f"{row.key} has other bytes in another manifest")

    def _room(self, period: HeadRow, row: RoomRow) -> None:
        scope = self._scope
        self._rooms.met(row.platform, row.channel)
        if scope.has_room(row.platform, row.channel):
            self._index.add_room(period, row, scope.since.isoformat(), scope.until.isoformat())

    # -- what is not there ---------------------------------------------------------------------------

    def _judge(self, hole: Hole) -> None:
        """A time without a manifest: its manifest is missing, or could not be read, which was said, or the
        spool that would have made it was lost."""
        if hole.new_spool:
            self.lost.append(hole)
        if hole.since == -inf:
            return
        since, until = time_text(hole.since), time_text(hole.until)
        if hole.new_spool:
            self._watcher.note(
                f"instance {hole.instance} lost its spool or got a new one between {since} and {until}: "
                "no manifest tells of that time, and none has to be missing"
            )
        elif not any(_fills(name, hole) for name in (*self.unread, *self._damaged)):
            what = f"instance {hole.instance} has no manifest from {since} to {until}"
            self._problem("missing-manifest", hole.before, what)


def _fills(name: ManifestName, hole: Hole) -> bool:
    """Whether the manifest of this name may be about that time."""
    if (name.instance or "main") != hole.instance:
        return False
    with suppress(ValueError):
        begins = datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
        return hole.since - _BEFORE <= begins < hole.until
    return False


def time_text(moment: float) -> str:
    """A time in seconds since the epoch, for people."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
