"""The manifests of imports, with the objects stored and the units finished: so an interrupted import can
continue, on any machine.

    {"kind": "manifest", "from", "to", "version", "instance": "import20261129003000", ...}
    {"kind": "object", ...}                                                 as in every manifest
    {"kind": "imported", "source", "signature", "lines", "new"}             a part of a source that is done

A manifest is stored under the day of its objects: readers look for it there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from chatlog import __version__
from chatlog.chunks import lines_of
from chatlog.importing.staging import Staging
from chatlog.naming import ManifestName, import_instance, is_import, parse_manifest_name, utc_minute
from chatlog.record import from_json, to_line
from chatlog.signing import Signer
from chatlog.store.store import Store
from chatlog.uploader.deposit import Deposit
from chatlog.uploader.manifest_chain import Sealed
from chatlog.uploader.manifest_rows import LONGEST_ROW, HeadRow, ObjectRow, encoded
from chatlog.uploader.packing import pack_data, unpacked

#: The numbers of rows and of seconds after which a manifest is written.
MOST_ROWS = 2000
MOST_SECONDS = 5.0
_SUFFIXES = (".gz", ".zst")
#: Manifests that are read at the same time.
_AT_ONCE = 8


def _suffix(key: str) -> str:
    return next((end for end in _SUFFIXES if key.endswith(end)), "")


class Book:
    """The manifests of one import into ``store``, which began at ``began`` (seconds since the epoch, as
    ``now`` gives them). ``suffix`` is that of the compression. Every method may raise StoreError."""

    def __init__(
        self,
        store: Store,
        staging: Staging,
        suffix: str,
        began: float,
        now: Callable[[], float],
        signer: Signer | None = None,
    ) -> None:
        self._store = store
        self._staging = staging
        self._suffix = suffix
        self._instance = import_instance(began)
        self._deposit = Deposit(store)
        self._now = now
        self._signer = signer
        self._since = began
        self._previous = ""
        # By day: the rows that wait, and how many manifests were written.
        self._rows: dict[str, list[bytes]] = {}
        self._written: Counter[str] = Counter()

    def read(self) -> None:
        """Read the manifests of earlier imports."""
        keys = self._keys()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while some := list(islice(keys, 8 * _AT_ONCE)):
                for key, data in zip(some, threads.map(self._whole, some), strict=True):
                    self._learn(key, data)

    def _keys(self) -> Iterator[str]:
        for head in self._store.list("manifest/"):
            try:
                name = parse_manifest_name(head.key.removesuffix(_suffix(head.key)).rpartition("/")[2])
            except ValueError:
                continue
            if is_import(name.instance):
                yield head.key

    def _whole(self, key: str) -> bytes:
        return b"".join(self._store.read(key))

    def _learn(self, key: str, data: bytes) -> None:
        try:
            for line, whole in lines_of(unpacked([data], _suffix(key)), LONGEST_ROW):
                row = from_json(line) if whole else None
                if isinstance(row, dict):
                    self._learn_row(row)
        except ValueError:
            # The manifest is damaged, and `chatlog verify` names it. Its units are imported again, without
            # copies.
            return

    def _learn_row(self, row: dict[str, Any]) -> None:
        if row.get("kind") == "object":
            self._staging.name(str(row.get("key", "")))
        elif row.get("kind") == "imported":
            lines = row.get("lines")
            self._staging.finish(
                str(row.get("source", "")),
                str(row.get("signature", "")),
                lines if isinstance(lines, int) else 1,
            )

    def stored(self, row: ObjectRow) -> None:
        """Note an object that is in the store."""
        self._staging.name(row.key)
        self._add(row.key[:10].replace("/", ""), encoded(row))

    def finished(self, label: str, signature: str, lines: int, new: int) -> None:
        """Note a finished unit, whose objects are in the store."""
        if signature:
            row = {"kind": "imported", "source": label, "signature": signature, "lines": lines, "new": new}
            self._add(utc_minute(self._now())[:8], to_line(row))
        if sum(map(len, self._rows.values())) >= MOST_ROWS or self._now() - self._since >= MOST_SECONDS:
            self.write()

    def _add(self, day: str, row: bytes) -> None:
        self._rows.setdefault(day, []).append(row)

    def write(self) -> None:
        """Put the waiting rows into manifests: those of objects first, then those of finished units, which go
        under the present day."""
        head = HeadRow(self._since, max(self._now(), self._since), __version__, self._instance)
        for day in sorted(self._rows):
            head = head._replace(previous=self._previous)
            sealed = Sealed([encoded(head), *self._rows[day]], self._signer)
            packed = pack_data(b"".join(sealed), self._suffix)
            self._written[day] += 1
            name = ManifestName(f"{day}_0000", self._instance, self._written[day])
            self._deposit.put(name, packed, "manifest")
            self._previous = sealed.digest
            del self._rows[day]
            self._since = head.until
