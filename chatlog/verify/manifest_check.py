"""Reads the manifests of an archive into its index, and finds the missing ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf

from chatlog.chunks import lines_of
from chatlog.counted import many
from chatlog.naming import ManifestName, parse_manifest_name
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.uploader.manifest_chain import Reading
from chatlog.uploader.manifest_rows import (
    FORMAT,
    LONGEST_ROW,
    BundledRow,
    DoneRow,
    ExpiredRow,
    HeadRow,
    ObjectRow,
    ReplacedRow,
    RequestRow,
    RoomRow,
)
from chatlog.uploader.packing import unpacked
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.chain_check import Chain, ChainCheck
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.gone_check import check_gone, kept_otherwise
from chatlog.verify.index_rows import Link, ManifestGap
from chatlog.verify.keys import is_bundle, name_of_object, suffix_of
from chatlog.verify.object_check import why_unread
from chatlog.verify.patience import Patience, StoreAway
from chatlog.verify.rooms_there import RoomsThere
from chatlog.verify.scope import FIRST_DAY, HOUR, Scope, Watcher
from chatlog.verify.spans_check import SpansCheck

#: A manifest that begins at most so many seconds before a gap may cover it.
_BEFORE = HOUR


class ManifestCheck:
    """Reads the manifests one by one. ``unread`` are those that could not be read, ``lost`` the times without
    manifests because a spool was lost, ``days`` the first and the last day in the keys of manifests,
    ``chains`` the chains of the instances."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        index: ArchiveIndex,
        totals: Totals,
        watcher: Watcher,
        patience: Patience,
        rooms: RoomsThere,
        now: float,
    ) -> None:
        self._store = store
        self._scope = scope
        self._index = index
        self._totals = totals
        self._watcher = watcher
        self._patience = patience
        self._rooms = rooms
        self.unread: list[ManifestName] = []
        self.lost: list[ManifestGap] = []
        self.spans = SpansCheck(now)
        self.days: tuple[str, str] | None = None
        self.chains: list[Chain] = []
        self._damaged: list[ManifestName] = []
        # How many objects have expired, by room and by the time that they were kept.
        self._expired: Counter[tuple[str, str, str]] = Counter()

    def run(self, listed: Iterable[Head]) -> None:
        """Read all manifests, also those of days after the scope: objects may have been stored much later
        than they were recorded. Raises StoreError if they cannot be listed."""
        first = f"manifest/{self._scope.since:%Y/%m/%d}/"
        for head in listed:
            suffix = suffix_of(head.key)
            try:
                name = parse_manifest_name(head.key.removesuffix(suffix).rpartition("/")[2])
            except ValueError:
                self._totals.unknown_files += head.key >= first or self._scope.since == FIRST_DAY
                continue
            if head.key[len("manifest/")].isdigit():
                self._date(name)
            if head.key >= first or self._scope.since == FIRST_DAY:
                self._read(head.key, name, suffix)
                self._watcher.step("manifests", self._totals.manifests, 0)
        for gap in self._index.manifest_gaps():
            self._judge(gap)
        chain = ChainCheck(
            self._index,
            self._scope.since == FIRST_DAY,
            self._scope.keys,
            self._may_follow_unread,
            self._problem,
            self._watcher.note,
        )
        self.chains = chain.run()
        check_gone(self._index, self._problem)
        self._totals.gone = self._index.count_gone()
        for text in kept_otherwise(self._expired, self._scope.retention):
            self._watcher.note(text)
        for request in self._index.open_requests():
            self._totals.open_requests += 1
            self._watcher.note(
                f"request {request[:80]} to be forgotten is not done: run the same `chatlog erase` again"
            )

    def unite(self) -> None:
        """Report the holes that no recorder of a cluster filled. Call this once it is known which objects are
        in no manifest yet."""
        for cluster, rooms, seconds in self.spans.united():
            self._watcher.note(
                f"cluster {cluster}: {many(rooms, 'room')} of several recorders; for {seconds:.1f} s in all "
                "nobody recorded one of them (the table adds up what each recorder counts)"
            )
        for problem in self.spans.problems():
            self._problem(problem.kind, problem.key, problem.what)

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
        reading, damaged = Reading(), False
        try:
            for line, whole in lines_of(chunks, LONGEST_ROW):
                rows += 1
                if not whole:
                    raise ValueError("it is cut off")
                row = reading.take(line)
                if isinstance(row, HeadRow):
                    if row.format > FORMAT:
                        raise ValueError(
                            f"a later version of chatlog wrote it (format {row.format}; this version knows "
                            f"{FORMAT}): verify it with that version"
                        )
                    period = row
                elif period is None:
                    raise ValueError("it does not begin with its period")
                elif isinstance(row, ObjectRow):
                    self._named(key, row)
                elif isinstance(row, RoomRow):
                    self._room(period, row)
                elif isinstance(row, RequestRow):
                    self._totals.requests += 1
                    self._index.add_request(row)
                elif isinstance(row, DoneRow):
                    self._index.add_done(row)
                elif isinstance(row, ReplacedRow | ExpiredRow | BundledRow):
                    self._gone(key, row, period)
            if period is None:
                raise ValueError("it is empty")
        except ValueError as error:
            damaged = True
            self._damaged.append(name)
            self._problem("invalid-manifest", key, f"row {rows}: {error}" if rows else str(error))
        if period is not None:
            self._totals.manifests += 1
            signer = reading.signature.signer if reading.signature is not None else ""
            digest = "" if damaged else reading.digest
            self._index.add_period(period, key, digest, signer, not damaged and reading.is_genuine)
            self.spans.period(period, key)

    def _named(self, manifest: str, row: ObjectRow) -> None:
        name = name_of_object(row.key)
        if name is None:
            self._problem("invalid-manifest", manifest, f"it names {row.key[:200]!r}, which is no object")
        elif self._scope.has(name):
            self._index.add_object(row, manifest)

    def _gone(self, manifest: str, row: ReplacedRow | ExpiredRow | BundledRow, period: HeadRow) -> None:
        name = name_of_object(row.key)
        if name is None and is_bundle(row.key) and not isinstance(row, BundledRow):
            self._index.in_bundles.add_gone(row, manifest)
        elif name is None:
            self._problem("invalid-manifest", manifest, f"it names {row.key[:200]!r}, which is no object")
        elif self._scope.has(name):
            self._index.add_gone(row, manifest, period.until)
            if isinstance(row, ExpiredRow):
                self._expired[name.platform, name.channel, row.keep] += 1
            if isinstance(row, ReplacedRow):
                self._totals.erased += row.removed
                self._totals.redacted += row.redacted
                if row.by:
                    new = ObjectRow(row.by, row.bytes, row.sha256_new, row.lines_new, "", "")
                    self._named(manifest, new)

    def _room(self, period: HeadRow, row: RoomRow) -> None:
        scope = self._scope
        self._rooms.met(row.platform, row.channel)
        if scope.has_room(row.platform, row.channel):
            self._index.add_room(period, row, scope.since.isoformat(), scope.until.isoformat())
            self.spans.room(period, row)

    def _may_follow_unread(self, before: Link | None, link: Link) -> bool:
        """Whether a manifest that could not be read may lie between a manifest and the next one that
        could."""
        earliest = -inf if before is None else before.since - _BEFORE
        return any(
            (name.instance or "main") == link.instance and earliest <= _begins(name) <= link.since
            for name in (*self.unread, *self._damaged)
        )

    # -- missing manifests ---------------------------------------------------------------------------

    def _judge(self, gap: ManifestGap) -> None:
        """Decide why a time has no manifest: it is missing, it could not be read (reported already), or the
        spool that would have written it was lost."""
        if gap.new_spool:
            self.lost.append(gap)
        if gap.since == -inf:
            return
        since, until = time_text(gap.since), time_text(gap.until)
        if gap.new_spool:
            self._watcher.note(
                f"instance {gap.instance} lost its spool or got a new one between {since} and {until}: "
                "no manifest covers that time, and perhaps none is missing"
            )
        elif not any(_fills(name, gap) for name in (*self.unread, *self._damaged)):
            what = f"instance {gap.instance} has no manifest from {since} to {until}"
            self._problem("missing-manifest", gap.before, what)


def _fills(name: ManifestName, gap: ManifestGap) -> bool:
    """Whether the manifest of this name may cover the gap."""
    if (name.instance or "main") != gap.instance:
        return False
    return gap.since - _BEFORE <= _begins(name) < gap.until


def _begins(name: ManifestName) -> float:
    """When the hour of a manifest begins; inf if its name has no valid time."""
    with suppress(ValueError):
        return datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
    return inf


def time_text(moment: float) -> str:
    """A time in seconds since the epoch as text."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
