"""Uploads several finished files as one object: each is packed as if it was alone, and the packed files, one
behind the other and with a table, are put, verified and written down. Only then the files are removed.

In steps, each of which may be the last before the process is killed:

1. the plan is on the disk: which files go together (``bundle_plan``)
2. it is checked that none of their names is taken; the plan says so
3. the files are packed, which makes the same bytes whenever it is done
4. the bundle is put under the first free name, unless it is there already, and verified
5. the rows of all its objects are written down, as ``on_stored`` does
6. the plan is marked as done
7. the files are removed, then the plan

Everything here blocks and is called from a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO

from twisted.logger import Logger

from chatlog.files import NO_DESCRIPTORS, NO_SPACE, Files
from chatlog.naming import BundleName, parse_name
from chatlog.store.store import OBJECT, Store, StoreError
from chatlog.uploader.bundle_plan import DONE, MOST_BYTES, Plan, Plans
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.deposit import Deposit, Inside, Name, Stored, following
from chatlog.uploader.packing import Contents, Packed
from chatlog.uploader.shipment import Item, LocalError, Renamed, Shipment, Shipped, item_of
from chatlog.uploader.taken import Taken

#: The compression of bundles: frames that follow each other are one stream, which a table can end.
SUFFIX = ".zst"
#: Files that are packed at a time, and held in memory twice.
_TOGETHER = 128
#: How many times smaller a packed file is, about.
_PACKED = 8
#: The entry of an unknown bundle: no files, with the weight of the largest bundle.
_UNKNOWN: tuple[tuple[str, ...], int] = (), MOST_BYTES


class _Unfit(Exception):
    """Some files cannot go into the bundle."""

    def __init__(self, apart: Sequence[str], gone: Sequence[str]) -> None:
        self.apart = tuple(apart)
        self.gone = tuple(gone)


class BundleShipment:
    """Uploads files of the spool of ``single`` together. ``on_stored`` is that of single files; ``since`` is
    the minute in which this process began."""

    _log = Logger()

    def __init__(
        self,
        files: Files,
        store: Store,
        single: Shipment,
        on_stored: Callable[[Stored], object],
        since: str,
    ) -> None:
        self._files = files
        self._single = single
        self._plans = Plans(files, single.path("").rstrip("/"))
        self._deposit = Deposit(store)
        self._taken = Taken(store, since)
        self._on_stored = on_stored
        self._most = MOST_BYTES
        # Bundles that are stored, and whose files could not be removed yet.
        self._stored: dict[str, tuple[Stored, bool]] = {}
        # The files of the bundles that wait, and the weight of each bundle against the limit.
        self._waiting: dict[str, tuple[tuple[str, ...], int]] = {}

    def inside(self, item: Item) -> tuple[str, ...]:
        """The files of a bundle that waits."""
        files, _ = self._waiting.get(item.name, _UNKNOWN)
        return files

    # -- planning ------------------------------------------------------------------------------------

    def plan(self, held: Sequence[tuple[Item, int]]) -> list[tuple[Item, int]]:
        """Plan bundles of these files. Returns them, each with the bytes of its files. If no plan can be
        written, the files stay single."""
        alone = {item.name: (item, size) for item, size in held}
        weighed = [(name, self._weight(name, size)) for name, (_, size) in alone.items()]
        found: list[tuple[Item, int]] = []
        try:
            for plan, weight in self._plans.make(weighed, self._most):
                size = sum(alone.pop(name)[1] for name in plan.files)
                self._waiting[str(plan.name)] = plan.files, weight
                found.append((item_of(str(plan.name), "bundle"), size))
        except OSError as error:
            self._log.debug("no bundle can be planned: {error}", error=str(error))
        return [*found, *alone.values()]

    def _weight(self, name: str, size: int) -> int:
        # The file may have been packed since its size was read.
        return size if self._single.is_raw(name) else self._single.size(item_of(name, "data")) * _PACKED

    def _weight_of(self, plan: Plan) -> int:
        _, weight = self._waiting.get(str(plan.name), _UNKNOWN)
        return weight

    def _forget(self, name: str) -> tuple[str, ...]:
        files, _ = self._waiting.pop(name, _UNKNOWN)
        return files

    def waiting(self) -> tuple[dict[Item, tuple[str, ...]], int]:
        """The bundles that wait, with their files. Removes the files of bundles that are stored, and returns
        the freed bytes too. Raises OSError."""
        found: dict[Item, tuple[str, ...]] = {}
        freed = 0
        for name, form in list(self._plans.names()):
            try:
                item = item_of(name, "bundle")
                plan = self._plans.read(name, form)
            except ValueError as error:
                self._log.error(
                    "{path} is damaged, so that its files go to the store in another bundle: {error}",
                    path=self._single.path("packed", name + form),
                    error=str(error),
                )
                self._plans.drop(name, form)
                continue
            except FileNotFoundError:
                continue
            if form == DONE and name not in self._stored:
                with suppress(OSError):
                    freed += self._plans.clear(name)
                    continue
            found[item] = plan.files
            self._waiting[name] = plan.files, MOST_BYTES
        return found, freed

    # -- uploading -----------------------------------------------------------------------------------

    def ship(self, item: Item) -> Shipped:
        """Upload a bundle. Raises StoreError and LocalError; its files then stay."""
        try:
            if self._plans.is_done(item.name):
                return self._removed(item.name)
            return self._ship(self._plans.read(item.name))
        except FileNotFoundError:
            # Without the plan, its files are single files again.
            return Shipped(None, anew=self._forget(item.name))
        except (OSError, ValueError) as error:
            raise LocalError(item.name, error) from error

    def _ship(self, plan: Plan) -> Shipped:
        if not plan.checked:
            plan, apart = self._checked(plan)
            if apart:
                return Shipped(None, apart=apart, stays=bool(plan.files))
        try:
            packed, inside = self._gathered(plan)
        except _Unfit as unfit:
            return self._without(plan, unfit)
        self._plans.settle()
        try:
            stored, again = self._deposit.put(plan.name, packed, "bundle")
        except StoreError as error:
            error.size = len(packed.data)
            if error.kind == OBJECT and not error.of_all and len(plan.files) > 1:
                return self._smaller(plan, error)
            raise
        self._taken.put(stored.key, map(parse_name, plan.files))
        stored = stored._replace(inside=inside)
        self._on_stored(stored)
        self._stored[str(plan.name)] = stored, again
        self._plans.done(plan.name)
        return self._removed(str(plan.name))

    def _removed(self, name: str) -> Shipped:
        """Remove the files of a bundle that is stored and written down."""
        freed = self._plans.clear(name)
        stored, again = self._stored.pop(name, (None, False))
        self._forget(name)
        return Shipped(stored, freed, again)

    def _checked(self, plan: Plan) -> tuple[Plan, tuple[str, ...]]:
        """The plan without the files whose names are taken in the store, and those files."""
        names = [parse_name(each) for each in plan.files]
        taken = self._taken.among(plan.name, names, SUFFIX)
        for name in taken:
            after = partial(self._following, plan.name)
            # A single object of this name may be this file, put before the process was killed.
            first: Name = name
            if self._taken.is_inside(plan.name, name):
                first = after(name)
                self._taken.give(plan.name, first)
            self._single.renamed[str(name)] = Renamed(first, after)
        apart = tuple(map(str, taken))
        return self._rewritten(plan._replace(checked=True), apart), apart

    def _following(self, bundle: BundleName, name: Name) -> Name:
        """The next name that no bundle and no other waiting file has."""
        name = following(name)
        while self._single.waits(str(name)) or self._taken.is_inside(bundle, name):
            name = following(name)
        return name

    def _rewritten(self, plan: Plan, without: Sequence[str]) -> Plan:
        """Write the plan down anew, or drop it if no file is left."""
        plan = plan._replace(files=tuple(each for each in plan.files if each not in set(without)))
        if plan.files:
            self._plans.write(plan)
            self._waiting[str(plan.name)] = plan.files, self._weight_of(plan)
        else:
            self._plans.drop(str(plan.name))
            self._forget(str(plan.name))
        return plan

    def _without(self, plan: Plan, unfit: _Unfit) -> Shipped:
        left = self._rewritten(plan, [*unfit.apart, *unfit.gone])
        return Shipped(None, apart=unfit.apart, gone=unfit.gone, stays=bool(left.files))

    def _smaller(self, plan: Plan, error: StoreError) -> Shipped:
        """The store refuses an object of this size, or of this kind: perhaps it accepts smaller ones."""
        self._most = min(self._weight_of(plan), self._most) // 2
        self._log.warn(
            "{bundle}, {size} bytes, is refused: {error}; its files go in smaller bundles",
            bundle=str(plan.name),
            size=error.size,
            error=error.advice,
        )
        self._rewritten(plan, plan.files)
        return Shipped(None, anew=plan.files)

    # -- the files -----------------------------------------------------------------------------------

    def _gathered(self, plan: Plan) -> tuple[Packed, tuple[Inside, ...]]:
        """The bundle, and the place of each object in it. Raises OSError, and _Unfit if some files cannot go
        into it."""
        apart, gone, inside = [], [], []
        data = BytesIO()
        just_packed: dict[str, Packed] = {}
        for number, name in enumerate(plan.files):
            if number % _TOGETHER == 0:
                just_packed = self._single.pack_together(plan.files[number : number + _TOGETHER])
            try:
                packed = just_packed.pop(name, None) or self._loaded(name)
            except FileNotFoundError:
                gone.append(name)
                continue
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno in NO_SPACE | NO_DESCRIPTORS:
                    raise
                apart.append(name)
                continue
            if packed.suffix != SUFFIX:
                apart.append(name)
                continue
            found = packed.contents
            place = data.tell(), len(packed.data), packed.sha256
            key = parse_name(name).key(suffix=SUFFIX)
            inside.append(Inside(key, *place, found.lines, found.first, found.last))
            data.write(packed.data)
        if apart or gone:
            raise _Unfit(apart, gone)
        data.write(table_bytes([Slice(each.key, "", each.offset, each.bytes) for each in inside]))
        return _as_one(data.getvalue(), inside), tuple(inside)

    def _loaded(self, name: str) -> Packed:
        item = item_of(name, "data")
        try:
            return self._single.loaded(item)[1]
        except FileNotFoundError:
            # Another thread may have removed the raw file; then the packed one exists.
            return self._single.loaded(item)[1]


def _as_one(data: bytes, inside: Sequence[Inside]) -> Packed:
    lines = sum(each.lines for each in inside)
    first = min((each.first for each in inside if each.first), default="")
    last = max((each.last for each in inside), default="")
    return Packed(
        data,
        SUFFIX,
        hashlib.sha256(data).hexdigest(),
        hashlib.md5(data, usedforsecurity=False).hexdigest(),
        Contents(lines, first, last),
    )
