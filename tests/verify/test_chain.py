"""What ``verify`` finds by the chain of manifests, by signatures, and in rows about objects that are gone."""

from __future__ import annotations

import os
from datetime import date

from chatlog.naming import FileName
from chatlog.signing import Signer
from chatlog.uploader.manifest_rows import (
    BundledRow,
    DoneRow,
    ExpiredRow,
    ObjectRow,
    ReplacedRow,
    RequestRow,
    Row,
    encoded,
    parsed,
)
from chatlog.verify.findings import Problem
from tests.sample_archive import HOUR, MIDNIGHT, Archive, message
from tests.verify.test_verify import VerifyCase

SIGNER, STRANGER = Signer("07" * 32), Signer("08" * 32)
BUNDLE = "bundle/2025/12/twitch/a/twitch_a_202512.jsonl.zst"


class ChainCase(VerifyCase):
    signer: Signer | None = None

    def setUp(self) -> None:
        super().setUp()
        self.archive = Archive(self.mktemp(), "", chained=True, signer=self.signer)
        self.manifests = self.archive.fill(6)
        self.now = MIDNIGHT + 6 * HOUR + 60

    def kinds(self, **scope: object) -> list[tuple[str, str]]:
        return [(problem.kind, problem.key) for problem in self.look(**scope)]

    def rows(self, key: str) -> list[bytes]:
        return self.archive.read(key).splitlines(keepends=True)

    def forge(self, manifest: str) -> ObjectRow:
        """Someone changes a message in an object, and makes the manifest say that it was always so."""
        lines = self.rows(manifest)
        row = next(found for line in lines if isinstance(found := parsed(line), ObjectRow))
        data = self.archive.read(row.key).replace("h\u00e9llo".encode(), b"not so")
        self.archive.put(row.key, data)
        changed = self.archive.store(MIDNIGHT - HOUR, "x", [data])
        os.unlink(self.archive.path(changed.key))
        changed = row._replace(bytes=changed.bytes, sha256=changed.sha256)
        self.archive.put(manifest, b"".join(lines).replace(encoded(row), encoded(changed)))
        return changed


class LinkTests(ChainCase):
    def test_whole(self) -> None:
        """An archive that nobody touched is fine, and its chain is told of."""
        self.assertEqual((self.look(), self.notes), ([], []))
        [chain] = self.run_.chains
        self.assertEqual((chain.instance, chain.manifests, chain.linked, chain.signed), ("main", 6, 6, {}))

    def test_forged(self) -> None:
        """A message that was changed in an object and in its manifest's row is found by the chain: objects
        and manifests agree, and the manifest behind says otherwise."""
        for manifest in self.manifests[1:5]:
            self.forge(manifest)
            found = self.only()
            self.assertEqual((found.kind, found.key), ("broken-chain", manifest))
            self.setUp()

    def test_any_row(self) -> None:
        """Whatever is changed in a manifest, also in the rows of rooms and in the head."""
        manifest = self.manifests[2]
        before = self.archive.read(manifest)
        for old, new in (
            (b'"recorded":3600.0', b'"recorded":3599.0'),
            (b'"version":"1.2.3"', b'"version":"1"'),
        ):
            self.archive.put(manifest, before.replace(old, new, 1))
            self.assertEqual(self.kinds(), [("broken-chain", manifest)], old)
        rows = self.rows(manifest)
        self.archive.put(manifest, b"".join([*rows, rows[-1]]))
        self.assertEqual(self.kinds(), [("broken-chain", manifest)])

    def test_missing_link(self) -> None:
        """A manifest that was deleted is missed once, by its time."""
        os.unlink(self.archive.path(self.manifests[2]))
        self.assertEqual([kind for kind, _ in self.kinds() if kind != "unnamed-object"], ["missing-manifest"])

    def test_missing_first(self) -> None:
        """So is the first one, which no time tells of."""
        os.unlink(self.archive.path(self.manifests[0]))
        self.assertEqual(self.kinds(), [("broken-chain", self.manifests[1])])

    def test_missing_although_the_time_is_filled(self) -> None:
        """Somebody who deletes a manifest and stretches the one before it over its time breaks the chain."""
        os.unlink(self.archive.path(self.manifests[2]))
        manifest = self.manifests[1]
        stretched = self.archive.read(manifest).replace(b'"to":"2025-12-29T02', b'"to":"2025-12-29T03')
        self.archive.put(manifest, stretched)
        self.assertIn(("broken-chain", manifest), self.kinds())

    def test_from_a_day_on(self) -> None:
        """Where only some days are checked, what the first manifest of them follows is not missed."""
        self.archive = Archive(self.mktemp(), "", chained=True)
        self.archive.fill(30)
        self.now = MIDNIGHT + 30 * HOUR + 60
        self.assertEqual(self.look(since=date(2025, 12, 30)), [])

    def test_a_new_chain(self) -> None:
        """A chain that begins anew is told of, and is no problem: the spool may have been lost while the
        store was away."""
        self.archive.previous = ""
        self.archive.manifest(MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR, self.archive.objects[-2:])
        self.assertEqual(self.look(), [])
        [note] = self.notes
        self.assertIn("begins a new chain with manifest/2025/12/29/main_20251229_0600.jsonl", note)

    def test_two_follow_one(self) -> None:
        """Two recorders of one name, or a spool from a backup: that is told, and is no problem."""
        after = self.archive.previous
        self.archive.manifest(MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR, self.archive.objects[-2:])
        self.archive.previous = after
        self.archive.manifest(MIDNIGHT + 7 * HOUR, MIDNIGHT + 8 * HOUR, [])
        self.now = MIDNIGHT + 8 * HOUR + 60
        self.assertEqual(self.look(), [])
        [note] = self.notes
        self.assertIn(f"2 manifests of instance main follow {self.manifests[5]}", note)

    def test_older_manifests(self) -> None:
        """Manifests from before chains are as good as ever, and the first one of a chain may follow them."""
        self.archive = Archive(self.mktemp(), "")
        self.archive.fill(3)
        self.archive.chained = True
        self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, self.archive.objects[-2:])
        self.now = MIDNIGHT + 4 * HOUR + 60
        self.assertEqual((self.look(), self.notes), ([], []))
        self.forge("manifest/2025/12/29/main_20251229_0200.jsonl")
        self.assertEqual(self.kinds(), [("broken-chain", "manifest/2025/12/29/main_20251229_0200.jsonl")])

    def test_damaged(self) -> None:
        """A manifest that cannot be read is told of once; the one behind it does not blame another."""
        self.archive.put(self.manifests[2], self.archive.read(self.manifests[2])[:-9])
        self.assertEqual(
            [kind for kind, _ in self.kinds() if "manifest" in kind or "chain" in kind], ["invalid-manifest"]
        )

    def test_later_format(self) -> None:
        """A manifest in a form of the future is not taken for one that is understood."""
        manifest = self.manifests[5]
        later = self.archive.read(manifest).replace(b'"format":2', b'"format":3')
        self.archive.put(manifest, later)
        found = next(problem for problem in self.look() if problem.kind == "invalid-manifest")
        self.assertIn("a later version of chatlog wrote it", found.what)


class SignedTests(ChainCase):
    signer = SIGNER

    def unsign(self, manifest: str) -> None:
        self.archive.put(manifest, b"".join(self.rows(manifest)[:-1]))

    def signature(self, problems: list[Problem], kind: str) -> str:
        [found] = [problem.what for problem in problems if problem.kind == kind]
        return found

    def test_whole(self) -> None:
        """Who signed is told, with and without the key."""
        for keys in (frozenset[str](), frozenset({SIGNER.name})):
            self.assertEqual((self.look(keys=keys), self.notes), ([], []))
            self.assertEqual(self.run_.chains[0].signed, {SIGNER.name: 6})

    def test_forged(self) -> None:
        """A forged row does not fit the signature, and it is told whose: also in the latest manifest, which
        no other follows."""
        self.forge(self.manifests[2])
        problems = self.look()
        self.assertEqual(
            [(problem.kind, problem.key) for problem in problems],
            [("bad-signature", self.manifests[2]), ("broken-chain", self.manifests[2])],
        )
        self.assertIn(SIGNER.name, self.signature(problems, "bad-signature"))
        self.setUp()
        self.forge(self.manifests[5])
        self.assertEqual(self.kinds(), [("bad-signature", self.manifests[5])])

    def test_forged_without_signature(self) -> None:
        """Nor does it help to take the signature away: it is told whose is missing."""
        self.forge(self.manifests[2])
        self.unsign(self.manifests[2])
        problems = self.look()
        self.assertEqual({problem.kind for problem in problems}, {"missing-signature", "broken-chain"})
        self.assertIn(
            f"the signature of {SIGNER.name} is missing", self.signature(problems, "missing-signature")
        )

    def test_the_whole_chain_forged(self) -> None:
        """Whoever forges every later manifest too has no signature for them. Without the key that looks like
        a recorder that signs no more, which is told; with it every one of them is a problem."""
        self.archive = Archive(self.mktemp(), "", chained=True, signer=SIGNER)
        manifests = self.archive.fill(3)
        self.archive.signer = None
        manifests.append(self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, []))
        self.now = MIDNIGHT + 4 * HOUR + 60
        self.assertNotIn("missing-signature", [kind for kind, _ in self.kinds()])
        self.assertIn("instance main signs no more: 1 of its manifests", self.notes[0])
        self.assertIn(("missing-signature", manifests[3]), self.kinds(keys=frozenset({SIGNER.name})))

    def test_foreign(self) -> None:
        """Manifests that somebody else signed are told of, with the name of the key."""
        self.archive.signer = STRANGER
        key = self.archive.manifest(MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR, self.archive.objects[-2:])
        problems = self.look(keys=frozenset({SIGNER.name}))
        self.assertEqual([(problem.kind, problem.key) for problem in problems], [("foreign-signature", key)])
        self.assertIn(f"{STRANGER.name} signed it, not {SIGNER.name}", problems[0].what)
        # A key that was changed: both are named.
        self.assertEqual(self.look(keys=frozenset({SIGNER.name, STRANGER.name})), [])
        self.assertEqual(self.look(), [])
        self.assertEqual(self.run_.chains[0].signed, {SIGNER.name: 6, STRANGER.name: 1})

    def test_before_the_first_signature(self) -> None:
        """What was written before the key was set is vouched for by the chain."""
        self.archive = Archive(self.mktemp(), "", chained=True)
        manifests = self.archive.fill(3)
        self.archive.signer = SIGNER
        self.archive.manifest(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, self.archive.objects[-2:])
        self.now = MIDNIGHT + 4 * HOUR + 60
        self.assertEqual((self.look(keys=frozenset({SIGNER.name})), self.notes), ([], []))
        self.forge(manifests[1])
        self.assertEqual(self.kinds(keys=frozenset({SIGNER.name})), [("broken-chain", manifests[1])])

    def test_never_signed(self) -> None:
        """With a key, an instance that never signed has no manifest that counts."""
        self.archive = Archive(self.mktemp(), "", chained=True)
        manifests = self.archive.fill(2)
        self.now = MIDNIGHT + 2 * HOUR + 60
        found = self.kinds(keys=frozenset({SIGNER.name}))
        self.assertEqual(found, [("missing-signature", key) for key in manifests])


class GoneCase(ChainCase):
    def replaced(self, row: ObjectRow, keep: int, request: str = "e-1") -> tuple[ReplacedRow, ObjectRow]:
        """What is left of an object after some of its lines were erased, and the rows about it."""
        lines = self.rows(row.key)[:keep]
        key = FileName("twitch", "a", row.key.rpartition("_a_")[2][:13], "", 2).key()
        self.archive.put(key, b"".join(lines))
        new = self.archive.store(MIDNIGHT - 2 * HOUR, "x", [b"".join(lines)])
        os.unlink(self.archive.path(new.key))
        new = new._replace(key=key, lines=keep)
        removed, old = row.lines - keep, (row.key, row.sha256, row.lines)
        found = ReplacedRow(*old, key, new.bytes, new.sha256, keep, removed, 0, request, "t")
        return found, new

    def erasure(self, *rows: Row) -> str:
        eraser = Archive(self.archive.root, "", "erase20251229060000", chained=True)
        return eraser.manifest(MIDNIGHT + 6 * HOUR, MIDNIGHT + 6 * HOUR + 1, [], more=rows)


class ReplacedTests(GoneCase):
    def setUp(self) -> None:
        super().setUp()
        self.row = self.archive.objects[0]
        self.found, self.new = self.replaced(self.row, 15)

    def test_erased(self) -> None:
        """What was erased for a request is no damage: the old object is gone, the new one is there, and how
        much was erased is told."""
        os.unlink(self.archive.path(self.row.key))
        self.erasure(RequestRow("e-1", "t"), self.found)
        self.assertEqual(self.look(), [])
        totals = self.totals
        self.assertEqual((totals.requests, totals.erased, totals.redacted), (1, 5, 0))
        self.assertEqual(totals.gone, {"replaced": 1})

    def test_nothing_left(self) -> None:
        """An object of which nothing is left has no successor."""
        os.unlink(self.archive.path(self.row.key))
        os.unlink(self.archive.path(self.new.key))
        row = self.found._replace(by="", bytes=0, sha256_new="", lines_new=0, removed=self.row.lines)
        self.erasure(RequestRow("e-1", "t"), row)
        self.assertEqual(self.look(), [])

    def test_still_there(self) -> None:
        """An erasure that did not come to its end is a problem: what should be forgotten is there."""
        self.erasure(RequestRow("e-1", "t"), self.found)
        self.assertEqual(self.kinds(), [("not-erased", self.row.key)])

    def test_successor(self) -> None:
        """The new object is checked like every other one."""
        os.unlink(self.archive.path(self.row.key))
        self.erasure(RequestRow("e-1", "t"), self.found)
        self.archive.put(self.new.key, self.archive.read(self.new.key).replace(b'"ann"', b'"bob"', 1))
        self.assertEqual(self.kinds(), [("altered-object", self.new.key)])
        os.unlink(self.archive.path(self.new.key))
        self.assertEqual(self.kinds(), [("missing-object", self.new.key)])

    def test_no_row(self) -> None:
        """An object that was replaced without a row about it is missed, and its successor is in no
        manifest."""
        os.unlink(self.archive.path(self.row.key))
        self.assertEqual(self.kinds(), [("missing-object", self.row.key), ("unnamed-object", self.new.key)])

    def test_nobody_asked(self) -> None:
        """A row about a request that nobody made is no excuse."""
        os.unlink(self.archive.path(self.row.key))
        key = self.erasure(self.found)
        found = self.only()
        self.assertEqual((found.kind, found.key), ("invalid-manifest", key))
        self.assertIn("there is no request 'e-1'", found.what)

    def test_other_object(self) -> None:
        """Nor is a row about other bytes, other lines or an object that never was."""
        os.unlink(self.archive.path(self.row.key))
        for row, words in (
            (self.found._replace(sha256="ab" * 32), "with other bytes"),
            (self.found._replace(lines=21, removed=6), "with 21 lines and not 20"),
            (self.found._replace(key=self.row.key.replace("_0000", "_0030")), "and no manifest names it"),
        ):
            key = self.erasure(RequestRow("e-1", "t"), row)
            found = [problem for problem in self.look() if problem.kind == "invalid-manifest"]
            self.assertEqual([problem.key for problem in found], [key])
            self.assertIn(words, found[0].what)

    def test_by_two(self) -> None:
        """An object that is said to be replaced by two others is told for both rows."""
        os.unlink(self.archive.path(self.row.key))
        other = self.found._replace(by="", bytes=0, sha256_new="", lines_new=0, removed=self.row.lines)
        self.erasure(RequestRow("e-1", "t"), self.found, other)
        found = [problem for problem in self.look() if problem.kind == "invalid-manifest"]
        self.assertEqual(len(found), 2)
        self.assertIn("and by something else as well", found[0].what)

    def test_open(self) -> None:
        """A request that is not done is named; one that is done is not."""
        os.unlink(self.archive.path(self.row.key))
        self.erasure(RequestRow("e-0", "t"), DoneRow("e-0", "t"), RequestRow("e-1", "t"), self.found)
        self.assertEqual(self.look(), [])
        self.assertEqual((self.totals.requests, self.totals.open_requests), (2, 1))
        [note] = [note for note in self.notes if "forgotten" in note]
        self.assertIn("request e-1 to be forgotten is not done: run the same `chatlog erase` again", note)

    def test_does_not_add_up(self) -> None:
        """Lines that are neither left nor removed were lost."""
        os.unlink(self.archive.path(self.row.key))
        self.erasure(RequestRow("e-1", "t"), self.found._replace(removed=4))
        self.assertIn("do not add up", next(p.what for p in self.look() if p.kind == "invalid-manifest"))

    def test_twice(self) -> None:
        """What is left may be replaced again, for another request."""
        os.unlink(self.archive.path(self.row.key))
        again, newest = self.replaced(self.new, 10, request="e-2")
        key = self.new.key.replace("n0002", "n0003")
        os.rename(self.archive.path(newest.key), self.archive.path(key))
        self.erasure(RequestRow("e-1", "t"), self.found, RequestRow("e-2", "t"), again._replace(by=key))
        self.assertEqual(self.look(), [])
        self.assertEqual((self.totals.requests, self.totals.erased), (2, 10))


class ExpiredTests(GoneCase):
    def test_expired(self) -> None:
        """What was not to be kept longer is gone, and that is no damage; there, it is a problem."""
        row = self.archive.objects[0]
        expired = ExpiredRow(row.key, row.sha256, row.lines, "90d", "t")
        self.erasure(expired)
        self.assertEqual(self.kinds(), [("not-erased", row.key)])
        os.unlink(self.archive.path(row.key))
        self.assertEqual(self.look(), [])
        self.assertEqual(self.totals.gone, {"expired": 1})


class BundledTests(GoneCase):
    def setUp(self) -> None:
        super().setUp()
        self.bundled = self.archive.objects[0:6:2]
        data, self.slices = b"", []
        for row in self.bundled:
            self.slices.append(BundledRow(row.key, BUNDLE, len(data), row.bytes, row.sha256))
            data += self.archive.read(row.key)
        self.archive.put(BUNDLE, data)

    def remove(self) -> None:
        for row in self.bundled:
            os.unlink(self.archive.path(row.key))

    def test_bundled(self) -> None:
        """The objects in a bundle are read there, each like one that is there itself; before and after the
        old ones are removed."""
        self.erasure(*self.slices)
        self.assertEqual(self.look(), [])
        lines = self.totals.lines
        self.remove()
        self.assertEqual(self.look(), [])
        self.assertEqual((self.totals.lines, self.totals.gone), (lines, {"bundled": 3}))
        self.assertEqual(self.totals.unknown_files, 0)
        self.assertEqual(lines, 12 * 20)

    def test_changed(self) -> None:
        """A byte that changed in a bundle is found in the object that it belongs to."""
        self.erasure(*self.slices)
        self.remove()
        data = bytearray(self.archive.read(BUNDLE))
        data[self.slices[1].offset + 20] ^= 1
        self.archive.put(BUNDLE, bytes(data))
        self.assertIn(("altered-object", self.bundled[1].key), self.kinds())
        self.assertNotIn(("altered-object", self.bundled[0].key), self.kinds())

    def test_cut_off(self) -> None:
        """So is a bundle that is cut off, or not there."""
        self.erasure(*self.slices)
        self.remove()
        self.archive.put(BUNDLE, self.archive.read(BUNDLE)[:-100])
        self.assertIn(("altered-object", self.bundled[2].key), self.kinds())
        os.unlink(self.archive.path(BUNDLE))
        found = self.only()
        self.assertEqual((found.kind, found.key), ("missing-object", BUNDLE))
        self.assertIn("3 objects are in it", found.what)

    def test_rows(self) -> None:
        """Rows that put other bytes or another number of them there are wrong."""
        wrong = self.slices[0]._replace(bytes=self.slices[0].bytes - 1)
        key = self.erasure(wrong, *self.slices[1:])
        found = next(problem for problem in self.look() if problem.kind == "invalid-manifest")
        self.assertEqual(found.key, key)
        self.assertIn("bytes and not", found.what)

    def test_doubled(self) -> None:
        """A record that is twice in a bundle is found, with both places."""
        row = self.archive.store(MIDNIGHT + 5 * HOUR, "a", [message(9000, "a", MIDNIGHT)] * 2)
        data = self.archive.read(row.key)
        self.archive.put(BUNDLE, self.archive.read(BUNDLE) + data)
        self.archive.manifest(MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR, [row, self.archive.objects[-1]])
        offset = self.slices[-1].offset + self.slices[-1].bytes
        self.erasure(*self.slices, BundledRow(row.key, BUNDLE, offset, row.bytes, row.sha256))
        self.remove()
        os.unlink(self.archive.path(row.key))
        self.assertEqual(self.kinds(), [("duplicate", row.key)])
