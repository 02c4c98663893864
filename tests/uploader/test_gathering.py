"""Files that wait for each other: when they go, and what is said of them meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from twisted.logger import capturedLogs

from chatlog.store.store import OBJECT, REFUSED, Head, StoreError
from chatlog.uploader.bundle_plan import MOST_BYTES
from chatlog.uploader.bundle_table import read_table
from chatlog.uploader.uploader import Uploader
from tests.fakes import QueuedThreads
from tests.uploader.test_uploader import UploaderCase, name

FIVE = 300.0


class GatheringTests(UploaderCase):
    """An uploader that bundles what is finished within five minutes."""

    def bundling(self, threads: QueuedThreads | None = None) -> Uploader:
        return self.make(threads, compression="zstd", bundle=FIVE)

    def bundles(self) -> dict[str, list[str]]:
        """The bundles in the store, and the names of the files in them."""
        found = {}
        for key, data in sorted(self.store.objects.items()):
            slices = read_table(self.store, Head(key, len(data), "")).slices()
            found[key[-26:]] = [each.key.rpartition("/")[2].removesuffix(".zst") for each in slices]
        return found

    def test_together(self) -> None:
        """What is finished within five minutes of the first file is one object; what comes later is
        another."""
        uploader = self.start(self.bundling())
        uploader.sealed(self.finish(1))
        self.clock.advance(FIVE - 1)
        uploader.sealed(self.finish(2, 3))
        self.assertEqual(self.store.objects, {})
        self.clock.advance(1)
        self.assertEqual(self.bundles(), {"main_20251229_1001.jsonl.zst"[-26:]: [name(1), name(2), name(3)]})
        uploader.sealed(self.finish(4))
        self.clock.advance(FIVE)
        self.assertEqual(list(self.bundles().values()), [[name(1), name(2), name(3)], [name(4)]])
        self.assertEqual(self.files.names("/data/sealed"), [])
        self.assertEqual(self.files.names("/data/packed"), [])

    def test_told_again(self) -> None:
        """A file that is named again while its bundle waits is stored once."""
        uploader = self.start(self.bundling())

        def before(operation: str, key: str) -> None:
            if operation in ("put", "prepare"):
                raise StoreError("no", REFUSED, "no")

        self.store.before = before
        uploader.sealed(self.finish(1))
        self.clock.advance(FIVE)
        uploader.sealed([name(1)])
        self.assertEqual((uploader.waiting_files, uploader.waiting_bytes), (1, 18))
        self.store.before = lambda operation, key: None
        self.clock.advance(2 * FIVE)
        self.assertEqual(list(self.bundles().values()), [[name(1)]])

    def test_minute_of_the_start(self) -> None:
        """Names of the minute in which the uploader was made, and of the next one, may be taken by an earlier
        process: such a file gets another number, and goes by itself."""
        uploader = self.start(self.bundling())
        names = [f"twitch_ann_20251229_{minute}.jsonl" for minute in ("1200", "1201")]
        for each in names:
            self.store.objects[f"2025/12/29/twitch/ann/{each}.zst"] = b"of an earlier process"
            self.files.put(f"/data/sealed/{each}", b"{}\n")
        uploader.sealed(names)
        self.clock.advance(FIVE)
        stored = [key.rpartition("/")[2] for key in self.store.objects]
        renamed = [each.replace(".jsonl", "n0002.jsonl") for each in names]
        self.assertEqual(stored, [f"{each}.zst" for each in (*names, *renamed)])

    def test_what_is_said(self) -> None:
        """Files that wait for others count as waiting, with their bytes and their age; in the end each counts
        as uploaded."""
        threads = QueuedThreads()
        uploader = self.start(self.bundling(threads))
        threads.pump()
        uploader.sealed(self.finish(7, 2))
        self.assertEqual((uploader.waiting_files, uploader.waiting_bytes), (2, 18 * 9))
        self.assertEqual(uploader.oldest_waiting, 1767002520.0)
        self.clock.advance(FIVE)
        threads.pump(1)
        self.assertEqual((uploader.waiting_files, uploader.waiting_bytes, uploader.in_flight), (2, 18 * 9, 1))
        self.assertEqual(uploader.oldest_waiting, 1767002520.0)
        with capturedLogs() as events:
            threads.pump()
        self.assertEqual(
            (uploader.waiting_files, uploader.waiting_bytes, uploader.oldest_waiting), (0, 0, None)
        )
        self.assertEqual((self.counters.uploaded, self.counters.verified, self.counters.deleted), (2, 2, 2))
        self.assertEqual(self.counters.packed, 2)
        self.assertEqual([e["count"] for e in events if "none waits" in e["log_format"]], [2])
        self.assertEqual(sum(self.usage.all_freed), 18 * 9 + sum(self.usage.all_changed))

    def test_earlier_runs(self) -> None:
        """What earlier runs left has waited long enough, be it planned or not."""
        uploader = self.bundling()
        self.finish(1, 2)
        self.start(uploader)
        self.assertEqual(list(self.bundles().values()), [[name(1), name(2)]])

    def test_left_over(self) -> None:
        """Files of a bundle that is stored, and could not be removed then, are removed at the next start, and
        the disk that they free is counted."""
        uploader = self.start(self.bundling())

        def stuck(operation: str, path: str) -> None:
            if operation == "remove" and path.endswith(".zst"):
                raise OSError(errno.EIO, "Input/output error")

        self.files.rule = stuck
        uploader.sealed(self.finish(1))
        self.clock.advance(FIVE)
        uploader.stopService()
        [left] = [each for each in self.files.names("/data/packed") if each.endswith(".zst")]
        size = self.files.size(f"/data/packed/{left}")
        self.files.rule = lambda operation, path: None
        self.start(self.make(compression="zstd", bundle=FIVE, files=self.files))
        self.assertEqual(self.files.names("/data/packed"), [])
        self.assertEqual((self.usage.all_changed, self.puts()), ([-size], []))

    def test_stop(self) -> None:
        """What waits at the end is stored by the next run; a bundle that was planned stays as it is, also
        where the next run makes none."""
        uploader = self.start(self.bundling())
        uploader.sealed(self.finish(1))
        uploader.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(FIVE)
        self.assertEqual(self.store.objects, {})
        self.start(uploader)
        self.assertEqual(list(self.bundles().values()), [[name(1)]])

    def test_manifests_do_not_wait(self) -> None:
        """A manifest goes at once."""
        uploader = self.start(self.bundling())
        self.files.put("/data/manifest/main_20251229_1000.jsonl", b"{}\n")
        uploader.manifest_ready(["main_20251229_1000.jsonl"])
        self.assertEqual(self.puts(), ["manifest/2025/12/29/main_20251229_1000.jsonl.zst"])

    def test_enough(self) -> None:
        """Where there is enough for a bundle, nothing waits for more."""
        uploader = self.start(self.bundling())
        self.files.put(f"/data/sealed/{name(1)}", b"{}\n" * (MOST_BYTES // 3 + 1))
        uploader.sealed([name(1)])
        self.assertEqual(list(self.bundles().values()), [[name(1)]])

    def test_asked_for(self) -> None:
        """Whoever has the files finished by hand gets them stored within seconds; later ones wait again."""
        uploader = self.start(self.bundling())
        uploader.sealed(self.finish(1))
        uploader.hurry()
        self.assertEqual(list(self.bundles().values()), [[name(1)]])
        self.clock.advance(2)
        uploader.sealed(self.finish(2, 3))
        self.clock.advance(2)
        self.assertEqual(len(self.bundles()), 2)
        self.clock.advance(20)
        uploader.sealed(self.finish(4))
        self.clock.advance(FIVE - 1)
        self.assertEqual(len(self.bundles()), 2)

    def test_store_away(self) -> None:
        """While the store refuses, files wait in bundles; all go once it is well."""
        uploader = self.start(self.bundling())
        self.fail_with(REFUSED)
        for n in range(1, 20, 2):
            uploader.sealed(self.finish(n, n + 1))
            self.clock.advance(FIVE)
        self.assertEqual((uploader.state, uploader.waiting_files), ("refused", 20))
        self.assertEqual(self.store.objects, {})
        self.kinds.clear()
        self.clock.advance(61)
        self.assertEqual((uploader.state, uploader.waiting_files, uploader.quarantined), ("ok", 0, 0))
        self.assertEqual(sum(map(len, self.bundles().values())), 20)

    def test_one_bundle_is_refused(self) -> None:
        """A single file that the store refuses is quarantined and named, as without bundles, and all others
        are stored."""
        uploader = self.start(self.bundling())

        def before(operation: str, called: str) -> None:
            if operation == "put" and called.endswith("1005.jsonl.zst"):
                raise StoreError("the name is not allowed", OBJECT)

        self.store.before = before
        with capturedLogs():
            uploader.sealed(self.finish(5))
            self.clock.advance(FIVE)
        uploader.sealed(self.finish(6, 7))
        self.clock.advance(FIVE)
        self.assertEqual(list(self.bundles().values()), [[name(6), name(7)]])
        self.assertEqual([own.name for own in uploader.quarantined_files], ["main_20251229_1005.jsonl"])
        self.assertEqual(uploader.waiting_files, 1)

    def test_too_large(self) -> None:
        """Where the store takes no object of that size, smaller bundles go, and nothing is quarantined."""
        uploader = self.start(self.bundling())
        original = self.store.put_new

        def put(key: str, data: bytes, attributes: Mapping[str, str]) -> None:
            if len(data) > 300:
                raise StoreError("413", OBJECT)
            original(key, data, attributes)

        self.store.put_new = put  # type: ignore[method-assign]
        with capturedLogs():
            uploader.sealed(self.finish(*range(1, 15)))
            self.clock.advance(FIVE)
        self.assertEqual((uploader.waiting_files, uploader.quarantined), (0, 0))
        stored = [each for files in self.bundles().values() for each in files]
        self.assertEqual(sorted(stored), [name(n) for n in range(1, 15)])
        self.assertGreater(len(self.bundles()), 1)

    def test_vanished(self) -> None:
        """A file that another program removed is reported; the others are stored."""
        uploader = self.start(self.bundling())
        uploader.sealed(self.finish(1, 2))
        self.files.remove(f"/data/sealed/{name(1)}")
        with capturedLogs() as events:
            self.clock.advance(FIVE)
        self.assertEqual(
            [e["name"] for e in events if "removed from the spool" in e["log_format"]], [name(1)]
        )
        self.assertEqual(list(self.bundles().values()), [[name(2)]])
        self.assertEqual(uploader.waiting_files, 0)
