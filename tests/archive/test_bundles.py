"""Objects that are part of a bundle are read as if they were there themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.question import Question
from chatlog.archive.room_days import days_of
from chatlog.record import from_json
from chatlog.uploader.bundle_table import (
    BESIDE,
    Slice,
    has_table_inside,
    table_bytes,
)
from tests.archive.world import MIDNIGHT, ROOM, World, said

MONTH = "bundle/2025/12/twitch/a/twitch_a_202512{}.jsonl{}"
FIVE_MINUTES = "bundle/2025/12/29/00/main_20251229_0000{}.jsonl{}"
ALL = Question(ROOM)


class ReadingTests(SynchronousTestCase):
    """The reader over an archive with bundles."""

    def setUp(self) -> None:
        self.world = World(self.mktemp())
        self.keys: list[str] = []

    def put(self, hour: int, *texts: str, suffix: str = ".zst") -> str:
        at = MIDNIGHT + hour * 3600.0
        lines = [said(at + n, text) for n, text in enumerate(texts)]
        path = self.world.put(at, lines, suffix)
        return os.path.relpath(path, self.world.archive)

    def bundle(self, bundle: str, keys: Sequence[str], replaces: Sequence[str] = ()) -> None:
        slices, data = [], b""
        for key in keys:
            piece = b"".join(self.world.store.read(key))
            slices.append(Slice(key, bundle, len(data), len(piece)))
            data += piece
        table = table_bytes(slices, replaces)
        if has_table_inside(bundle):
            self.world.store.put_new(bundle, data + table, {})
        else:
            self.world.store.put_new(bundle + BESIDE, table, {})
            self.world.store.put_new(bundle, data, {})

    def texts(self) -> list[str]:
        return self.world.texts(ALL)

    def test_before_meanwhile_and_after(self) -> None:
        """The answer is the same with the objects, with both, and with the bundle alone, in every
        compression and in both kinds of bundles."""
        for form in (MONTH, FIVE_MINUTES):
            for suffix in ("", ".gz", ".zst"):
                self.world = World(self.mktemp())
                keys = [self.put(0, "one", "two", suffix=suffix), self.put(1, "three", suffix=suffix)]
                self.bundle(form.format("", suffix), keys)
                self.assertEqual(self.texts(), ["one", "two", "three"])
                for key in keys:
                    self.world.store.delete(key)
                self.assertEqual(self.texts(), ["one", "two", "three"])
                archive = self.world.opened()
                self.assertEqual(archive.rooms(), {ROOM})

    def test_the_days_of_a_month(self) -> None:
        """The days of a bundled month are those with manifests."""
        key = self.put(0, "one")
        self.bundle(MONTH.format("", ".zst"), [key])
        self.world.store.delete(key)
        for day in ("28", "29"):
            self.world.store.put_new(f"manifest/2025/12/{day}/main_202512{day}_0000.jsonl", b"", {})
        catalog = self.world.opened().catalog
        self.assertEqual(catalog.days(), ["2025-12-28", "2025-12-29"])
        self.assertEqual(days_of(catalog, ROOM), ["2025-12-29"])

    def test_it_moves_while_it_is_read(self) -> None:
        """An answer that listed objects finds them in the bundle into which they went meanwhile, and in the
        bundle that came in its place."""
        keys = [self.put(hour, str(hour)) for hour in range(4)]
        old, new = MONTH.format("", ".zst"), MONTH.format("-2", ".zst")
        answer = iter(self.world.reader().ask(ALL))
        found = [from_json(next(answer).line)["message"]]
        self.bundle(old, keys)
        self.bundle(new, keys, [old])
        for key in keys:
            self.world.store.delete(key)
        found.append(from_json(next(answer).line)["message"])
        self.world.store.delete(old)
        found += [from_json(each.line)["message"] for each in answer]
        self.assertEqual(found, ["0", "1", "2", "3"])

    def test_it_was_stored_a_moment_ago(self) -> None:
        """A file that left the spool since the last answer is found in the store at once, though the listing
        of a moment ago does not have it."""
        self.world.now = MIDNIGHT + 1800.0
        lines = [said(MIDNIGHT + 1, "one")]
        spooled = self.world.spooled("sealed", MIDNIGHT, lines)
        reader = self.world.reader()
        self.assertEqual([from_json(each.line)["message"] for each in reader.ask(ALL)], ["one"])
        self.world.put(MIDNIGHT, lines)
        os.unlink(spooled)
        self.assertEqual([from_json(each.line)["message"] for each in reader.ask(ALL)], ["one"])

    def test_replaced(self) -> None:
        """A bundle in whose place there is another one is not read."""
        keys = [self.put(0, "forgotten"), self.put(1, "kept")]
        old = MONTH.format("", ".zst")
        self.bundle(old, keys)
        self.bundle(MONTH.format("-2", ".zst"), keys[1:], [old])
        for key in keys:
            self.world.store.delete(key)
        self.assertEqual(self.texts(), ["kept"])

    def test_damage(self) -> None:
        """Of a bundle without its table the answer says that it could not be read, and gives the rest."""
        key = self.put(0, "one")
        self.put(5, "two")
        bundle = MONTH.format("", ".zst")
        self.world.store.put_new(bundle, b"".join(self.world.store.read(key)), {})
        self.world.store.delete(key)
        answer = self.world.reader().ask(Question(ROOM, MIDNIGHT, MIDNIGHT + 86400.0))
        self.assertEqual([from_json(found.line)["message"] for found in answer], ["two"])
        self.assertIn(bundle, f"{answer.report.unread}")
