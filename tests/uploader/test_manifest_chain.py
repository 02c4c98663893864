"""Manifests as a chain: each says which one it follows, whatever happened in between, and who wrote it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.signing import Signer
from chatlog.state.lines import encode, first_line
from chatlog.store.store import StoreError
from chatlog.uploader import manifest_rows
from chatlog.uploader.manifest import ASK_AGAIN, HOUR, Manifest
from chatlog.uploader.manifest_chain import Reading, digest_of, latest_in, latest_of
from chatlog.uploader.manifest_rows import encoded, parsed
from chatlog.uploader.packing import pack_data
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import MemoryFiles, environment
from tests.recording import HALF_PAST_TEN
from tests.stores import MemoryStore
from tests.uploader.test_manifest import Coverage, manifests, stored

SIGNER = Signer("07" * 32)
#: The head of a manifest of the version before chains.
OLD_HEAD = manifest_rows.HeadRow(HALF_PAST_TEN - HOUR, HALF_PAST_TEN, "1", "main", False, "", 1)


class Run:
    """One life of a process with a spool, and a store that is asked for the latest manifest."""

    def __init__(
        self,
        files: MemoryFiles,
        ask: Any = None,
        signer: Signer | None = None,
        at: float = HALF_PAST_TEN,
        presence: Coverage | None = None,
    ) -> None:
        files.make_directories("/data")
        self.files = files
        self.clock = Clock()
        self.at = at
        self.presence = presence or Coverage(at)
        self.rows = StoredJournal(files, "/data", signer)
        self.manifest = Manifest(
            self.rows, "", self.presence, environment(self.clock, self.now, files), lambda names: None, ask
        )
        self.manifest.startService()

    def now(self) -> float:
        return self.at + self.clock.seconds()

    def advance(self, seconds: float) -> None:
        self.clock.pump([5.0] * round(seconds / 5))

    def heads(self) -> list[dict[str, Any]]:
        return [rows[0] for rows in manifests(self.files).values()]


def digests(files: MemoryFiles) -> list[str]:
    names = sorted(files.names("/data/manifest"))
    return [digest_of([files.content(f"/data/manifest/{name}")]) for name in names]


class LinkTests(SynchronousTestCase):
    """Which manifest the next one follows."""

    def test_each_follows_the_one_before(self) -> None:
        """Over restarts too; the first of a spool with nothing before it begins the chain."""
        files = MemoryFiles()
        run = Run(files)
        run.rows.stored(stored(1))
        run.advance(2 * HOUR)
        files.kill()
        again = Run(files, at=run.now(), presence=run.presence)
        again.rows.stored(stored(2))
        again.advance(2 * HOUR)
        heads = again.heads()
        self.assertEqual(len(heads), 4)
        self.assertEqual([head["previous"] for head in heads], ["", *digests(files)[:-1]])
        self.assertEqual({head["format"] for head in heads}, {2})

    def test_a_new_machine_asks_the_store(self) -> None:
        """An empty spool goes on with the chain that is in the store."""
        run = Run(MemoryFiles(), lambda instance: succeed("ab" * 32))
        run.advance(HOUR)
        self.assertEqual([head["previous"] for head in run.heads()], ["ab" * 32])
        self.assertEqual([head.get("new_spool") for head in run.heads()], [True])

    def test_the_answer_is_kept(self) -> None:
        """What the store answered is known after kill -9, and the store is not asked again."""
        files = MemoryFiles()
        run = Run(files, lambda instance: succeed("ab" * 32))
        files.kill()
        asked: list[str] = []
        again = Run(files, asked.append, presence=run.presence)
        again.advance(HOUR)
        self.assertEqual(([head["previous"] for head in again.heads()], asked), (["ab" * 32], []))

    def test_a_store_that_is_away(self) -> None:
        """It is asked again each minute; if it gives no answer within the hour, a chain begins, and goes on
        from there: an answer that comes later changes nothing."""
        late: Deferred[str] = Deferred()
        counted: list[str] = []

        def asking(instance: str) -> Deferred[str]:
            counted.append(instance)
            return late if len(counted) == 5 else fail(StoreError("away"))

        run = Run(MemoryFiles(), asking)
        run.advance(4 * ASK_AGAIN)
        self.assertEqual(counted, ["main"] * 5)
        run.advance(HOUR)
        late.callback("ab" * 32)
        run.advance(HOUR)
        self.assertEqual([head["previous"] for head in run.heads()], ["", *digests(run.files)[:-1]])

    def test_a_manifest_that_waits(self) -> None:
        """Where an earlier version left a manifest that was not uploaded yet, the next one follows that."""
        files = MemoryFiles()
        files.make_directories("/data/manifest")
        files.make_directories("/data/state")
        names = ("main_20251229_0900.jsonl", "other_20251229_1000.jsonl", "main_20251229_0800n0002.jsonl")
        lines = [encoded(OLD_HEAD._replace(version=name)) for name in names]
        for name, line in zip(names, lines, strict=True):
            fd = files.create(f"/data/manifest/{name}")
            files.write(fd, line)
            files.close(fd)
        fd = files.create("/data/state/stored")
        files.write(fd, first_line("stored") + encode(1, {"from": HALF_PAST_TEN}))
        files.close(fd)
        run = Run(files, lambda instance: fail(StoreError("away")))
        run.advance(HOUR)
        written = manifests(files)["main_20251229_1000.jsonl"]
        self.assertEqual(written[0]["previous"], digest_of(lines[:1]))
        self.assertNotIn("new_spool", written[0])


class SignedTests(SynchronousTestCase):
    def test_signature(self) -> None:
        """The last row is the signature of all rows before it; the chain is the same with and without."""
        signed, unsigned = Run(MemoryFiles(), signer=SIGNER), Run(MemoryFiles())
        for run in (signed, unsigned):
            run.rows.stored(stored(1))
            run.advance(2 * HOUR)
        self.assertEqual(digests(signed.files), digests(unsigned.files))
        for name in manifests(signed.files):
            reading = Reading()
            lines = signed.files.content(f"/data/manifest/{name}").splitlines()
            rows = [reading.take(line) for line in lines]
            self.assertEqual(rows[-1], reading.signature)
            self.assertTrue(reading.is_genuine)
            assert reading.signature is not None
            self.assertEqual(reading.signature.signer, SIGNER.name)
            self.assertRaises(ValueError, reading.take, lines[1])

    def test_changed(self) -> None:
        """After any change the signature is none of these rows."""
        run = Run(MemoryFiles(), signer=SIGNER)
        run.rows.stored(stored(1))
        run.advance(HOUR)
        [name] = manifests(run.files)
        lines = run.files.content(f"/data/manifest/{name}").splitlines()
        for number in range(len(lines) - 1):
            reading = Reading()
            for line in [*lines[:number], lines[number].replace(b"0", b"1", 1), *lines[number + 1 :]]:
                reading.take(line)
            self.assertFalse(reading.is_genuine, number)


class InStoreTests(SynchronousTestCase):
    """The latest manifest of an instance in a store."""

    def put(self, key: str, suffix: str = ".zst", instance: str = "main") -> str:
        head = manifest_rows.HeadRow(0.0, 3600.0, key, instance)
        self.store.put_new(key + suffix, pack_data(encoded(head), suffix).data, {})
        return digest_of([encoded(head)])

    def setUp(self) -> None:
        self.store = MemoryStore()

    def test_latest(self) -> None:
        """It is the last by its name, of this instance, however it is compressed."""
        self.assertEqual(latest_in(self.store, "main"), "")
        self.put("manifest/2025/09/30/main_20250930_2300.jsonl")
        self.put("manifest/2025/12/28/main_20251228_2300.jsonl")
        self.put("manifest/2025/12/28/main_20251228_2300n0002.jsonl", ".gz")
        latest = self.put("manifest/2025/12/28/main_20251228_2300n0003.jsonl", "")
        self.put("manifest/2026/01/01/other_20260101_0000.jsonl", instance="other")
        self.put("manifest/notes/2026/main_20260101_0000.jsonl")
        self.assertEqual(latest_in(self.store, "main"), latest)
        self.assertEqual(latest_in(self.store, "third"), "")

    def test_cut_off(self) -> None:
        """A manifest whose last line has no end has no digest: a part of a row would pass for the whole."""
        whole = encoded(OLD_HEAD) * 2
        self.assertEqual(len(digest_of([whole])), 64)
        self.assertRaises(ValueError, digest_of, [whole[:-1]])

    def test_damaged(self) -> None:
        """One that cannot be read is followed by a new chain."""
        self.put("manifest/2025/12/28/main_20251228_2200.jsonl")
        self.store.put_new("manifest/2025/12/28/main_20251228_2300.jsonl.zst", b"\x28\xb5\x2f\xfd??", {})
        self.assertEqual(latest_in(self.store, "main"), "")

    def test_long_ago(self) -> None:
        """A store with many days is not searched through: an instance that was away for long begins anew."""
        self.put("manifest/2025/01/01/main_20250101_0000.jsonl")
        for month in range(2, 7):
            for day in range(1, 29):
                self.put(f"manifest/2025/{month:02}/{day:02}/b_2025{month:02}{day:02}_0000.jsonl", "", "b")
        self.store.calls.clear()
        self.assertEqual(latest_in(self.store, "main"), "")

    def test_names(self) -> None:
        """Numbers count as numbers, and what is no manifest does not count."""
        names = [
            "main_20251229_1000n0002.jsonl",
            "main_20251229_1000.jsonl",
            "x",
            "main_20251229_1000-3.jsonl",
        ]
        self.assertEqual(latest_of(names, "main"), names[3])
        self.assertEqual(latest_of(names, "left"), "")


ROWS: tuple[manifest_rows.Row, ...] = (
    manifest_rows.HeadRow(0.0, 3600.0, "1", "main", True, "ab" * 32),
    manifest_rows.HeadRow(0.0, 3600.0, "1", "main", False, "", 1),
    manifest_rows.ObjectRow("k", 1, "ab" * 32, 2, "a", "b"),
    manifest_rows.RoomRow("twitch", "a", 1.5, 2.5, ""),
    manifest_rows.RequestRow("e-20251229-7f3a", "2025-12-29T10:30:00.000Z"),
    manifest_rows.ReplacedRow("k", "ab" * 32, 5, "k2", 9, "cd" * 32, 3, 2, 1, "e-1", "t"),
    manifest_rows.ReplacedRow("k", "ab" * 32, 5, "", 0, "", 0, 5, 0, "e-1", "t"),
    manifest_rows.BundledRow("k", "bundle/x", 7, 9, "ab" * 32),
    manifest_rows.ExpiredRow("k", "ab" * 32, 5, "90d", "t"),
    manifest_rows.SignatureRow(SIGNER.name, "00" * 64),
)


class RowTests(SynchronousTestCase):
    """Rows and their lines."""

    def test_back_and_forth(self) -> None:
        """A row that was written is read as the same row."""
        for row in ROWS:
            self.assertEqual(parsed(encoded(row)), row)

    def test_before_chains(self) -> None:
        """The head of a manifest of the version before is read, and is in no chain."""
        fields = json.loads(encoded(OLD_HEAD))
        self.assertNotIn("format", fields)
        line = json.dumps(fields | {"previous": "x"}).encode()
        row = parsed(line)
        assert isinstance(row, manifest_rows.HeadRow)
        self.assertEqual((row.format, row.previous), (1, ""))

    def test_wrong_keys(self) -> None:
        """A row without one of its keys, or with a value of another kind, is refused by name."""
        for row in ROWS:
            fields = json.loads(encoded(row))
            for key in set(fields) - {"kind", "new_spool", "format", "previous"}:
                for other in ({}, {key: [1]}, {key: None}):
                    changed = {k: v for k, v in fields.items() if k != key} | other
                    error = self.assertRaises(ValueError, manifest_rows.row_of, changed)
                    self.assertIn(key, str(error), fields["kind"])

    def test_replaced_adds_up(self) -> None:
        """What is left and what was removed are all lines that there were."""
        fields = json.loads(encoded(ROWS[5])) | {"removed": 1}
        error = self.assertRaises(ValueError, manifest_rows.row_of, fields)
        self.assertIn("do not add up", str(error))

    @given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2)))
    @settings(deadline=None, max_examples=50)
    def test_any_value(self, value: Any) -> None:
        """Whatever stands for a value, a row is read or refused."""
        for row in ROWS:
            for key in json.loads(encoded(row)):
                with contextlib.suppress(ValueError):
                    manifest_rows.row_of(json.loads(encoded(row)) | {key: value})
