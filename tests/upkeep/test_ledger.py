"""What upkeep writes down: a chain of its own that verify reads."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.signing import Signer
from chatlog.store.store import TRANSIENT, StoreError
from chatlog.upkeep.ledger import EXPIRY, Ledger
from chatlog.uploader.manifest_rows import ExpiredRow, HeadRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem
from chatlog.verify.scope import Scope, Watcher
from chatlog.verify.verify import Verification
from tests.stores import MemoryStore

KEY = "2025/12/29/twitch/ann/twitch_ann_20251229_1000.jsonl.zst"


class Problems(Watcher):
    """Collects what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def problem(self, problem: Problem) -> None:
        self.said.append(f"{problem.kind} {problem.key}")

    def note(self, text: str) -> None:
        self.said.append(text)


class LedgerTests(SynchronousTestCase):
    """Manifests of one kind."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.time = 1_800_000_000.0

    def ledger(self, signer: Signer | None = None, suffix: str = ".zst") -> Ledger:
        return Ledger(self.store, EXPIRY, suffix, signer, lambda: self.time)

    def row(self, n: int = 0) -> ExpiredRow:
        return ExpiredRow(KEY.replace("1000", f"10{n:02d}"), "a" * 64, 3, "90d", "2026-04-01T00:00:00.000Z")

    def verified(self) -> list[str]:
        index = ArchiveIndex()
        self.addCleanup(index.close)
        watcher = Problems()
        verification = Verification(self.store, Scope(), index, watcher, self.time, lambda seconds: None)
        verification.run()
        self.chains = verification.chains
        return [text for text in watcher.said if not text.startswith("invalid-manifest")]

    def test_chain(self) -> None:
        """Each follows the one before, also across months and compressions, and verify finds the chain whole;
        without its middle it is not."""
        signer = Signer("07" * 32)
        keys = []
        for number, suffix in enumerate((".zst", "", ".gz", ".zst")):
            keys.append(self.ledger(signer, suffix).write([self.row(number)]))
            self.time += 20 * 86400.0 if number else 1.0
        self.assertEqual(keys[0], "manifest/expiry/2027/01/upkeepexpiry_20270115_0800.jsonl.zst")
        self.assertEqual(keys[1], "manifest/expiry/2027/01/upkeepexpiry_20270115_0800n0002.jsonl")
        self.assertEqual(self.verified(), [])
        [chain] = self.chains
        self.assertEqual((chain.instance, chain.linked), ("upkeepexpiry", 4))
        self.assertEqual(chain.signed, {signer.name: 4})
        del self.store.objects[keys[2]]
        self.assertTrue(any("missing-manifest" in text for text in self.verified()))

    def test_latest(self) -> None:
        """The rows of the latest are given back: what was begun can be gone on with."""
        self.assertIsNone(self.ledger().latest())
        self.ledger().write([self.row(1)])
        key = self.ledger().write([self.row(2), self.row(3)])
        found = self.ledger().latest()
        assert found is not None
        head, *rows = found.rows
        self.assertIsInstance(head, HeadRow)
        self.assertEqual((found.key, rows), (key, [self.row(2), self.row(3)]))

    def test_damaged(self) -> None:
        """After one that cannot be read another chain begins."""
        key = self.ledger().write([self.row(1)])
        self.store.objects[key] = b"no manifest"
        self.assertIsNone(self.ledger().latest())
        self.ledger().write([self.row(2)])

    def test_cut(self) -> None:
        """An error at any call leaves no half of it, and the next attempt writes it once."""
        self.ledger().write([self.row(1)])
        objects = dict(self.store.objects)
        for n in range(1, 50):
            self.store.objects = dict(objects)
            self.store.calls.clear()

            def cut(operation: str, key: str, n: int = n) -> None:
                if len(self.store.calls) == n:
                    raise StoreError("cut", TRANSIENT)

            self.store.before = cut
            try:
                self.ledger().write([self.row(2)])
            except StoreError:
                self.store.before = lambda operation, key: None
                self.ledger().write([self.row(2)])
            else:
                break
            self.assertEqual(self.verified(), [])
            self.assertLessEqual(len(self.store.objects), 3)
        self.assertGreater(n, 2)
