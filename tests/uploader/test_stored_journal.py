"""The file of what is stored and in no manifest yet: nothing of it is lost, and nothing is there twice."""

from __future__ import annotations

import errno

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.state.state_file import StateFile
from chatlog.uploader.deposit import Inside, Stored
from chatlog.uploader.manifest_chain import digest_of
from chatlog.uploader.manifest_rows import HeadRow, RoomRow
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import MemoryFiles

#: 2025-12-29T10:00:00Z and an hour later, in seconds since the epoch.
TEN, ELEVEN = 1767002400.0, 1767006000.0
PATH = "/data/state/stored"
NAMES = ("main_20251229_1000.jsonl", "main_20251229_1000n0002.jsonl", "main_20251229_1100.jsonl")


def key_of(name: str) -> str:
    return f"2025/12/29/twitch/{name}/twitch_{name}_20251229_1000.jsonl"


def single(name: str) -> Stored:
    """An object by itself."""
    return Stored(name, key_of(name), 10, "0" * 64, 2, "a", "b", "data")


def bundle(*names: str) -> Stored:
    """A bundle of these files."""
    inside = tuple(Inside(key_of(name), 5, 10, "0" * 64, 2, "a", "b") for name in names)
    return Stored("bundle", "bundle/2025/12/main.zst", 99, "1" * 64, 0, "", "", "bundle", inside)


class StoredJournalTests(SynchronousTestCase):
    """A process whose journal is ``self.journal``."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data/manifest")
        self.journal = self.start()
        self.broken: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str]] = []
        self.files.rule = self.rule

    def start(self) -> StoredJournal:
        return StoredJournal(self.files, "/data")

    def rule(self, operation: str, path: str) -> None:
        self.calls.append((operation, path))
        if (operation, path) in self.broken:
            raise OSError(errno.EIO, "Input/output error")

    def count(self, operation: str, path: str = PATH) -> int:
        return self.calls.count((operation, path))

    def entries(self) -> list[object]:
        """What is in the file."""
        return [entry for _, entry in StateFile(self.files, "/data", "stored").read()]

    def keys(self) -> list[object]:
        """The kinds and keys of the rows in the file."""
        return [(entry["kind"], entry["key"]) for entry in self.entries() if "kind" in entry]  # type: ignore[operator,index]

    def head(self, since: float = TEN, until: float = ELEVEN) -> HeadRow:
        return HeadRow(since, until, "1.0.0", "main")

    def test_moved_away(self) -> None:
        """Where another program moves the file away, the object's own file stays until its row is in a new
        one."""
        self.journal.open()
        self.journal.stored(single(NAMES[0]))
        self.files.remove(PATH)
        self.assertRaises(OSError, self.journal.stored, single(NAMES[1]))
        self.journal.stored(single(NAMES[1]))
        self.assertEqual(self.keys(), [("object", key_of(NAMES[1]))])

    def manifest(self, name: str) -> list[dict[str, object]]:
        """The rows of a manifest that waits for its upload."""
        return [orjson.loads(line) for line in self.files.content(f"/data/manifest/{name}").splitlines()]

    def shown(self, name: str) -> list[object]:
        """The kind of the head, and the keys and rooms of its rows."""
        return [row.get("key") or row.get("channel") or row["kind"] for row in self.manifest(name)]

    def end(self, since: float = TEN, until: float = ELEVEN) -> str | None:
        """End the period and write its manifest; its name."""
        self.journal.finish(self.head(since, until), [RoomRow("twitch", "cat", 3600.0, 0.0, "")])
        return self.journal.publish()

    # -- objects -------------------------------------------------------------------------------------

    def test_object(self) -> None:
        """A row is on the disk when the call returns, once; also if the same object is stored again, and for
        the next process."""
        self.journal.stored(single("cat"))
        self.files.lose()
        self.assertEqual(self.keys(), [("object", key_of("cat"))])
        self.journal = self.start()
        self.journal.stored(single("cat"))
        self.journal.stored(single("dog"))
        self.journal.stored(single("dog"))
        self.files.lose()
        self.assertEqual(self.keys(), [("object", key_of("cat")), ("object", key_of("dog"))])

    def test_what_is_known_costs_nothing(self) -> None:
        """To store an object again does not touch the disk."""
        self.journal.stored(single("cat"))
        self.calls.clear()
        self.journal.stored(single("cat"))
        self.assertEqual(self.calls, [])

    def test_bundle(self) -> None:
        """Each file of a bundle has a row of its own, and one that says where it is; all with one sync. The
        bundle itself has none, nor has a manifest."""
        self.journal.open()
        before = self.count("sync")
        self.journal.stored(bundle("cat", "dog"))
        self.assertEqual(self.count("sync"), before + 1)
        self.files.lose()
        rows = [(kind, key_of(name)) for name in ("cat", "dog") for kind in ("object", "bundled")]
        self.assertEqual(self.keys(), rows)
        self.journal = self.start()
        self.journal.stored(bundle("cat", "dog"))
        self.journal.stored(single("manifest")._replace(content="manifest"))
        self.journal.stored(bundle())
        self.assertEqual(self.keys(), rows)

    def test_read_once(self) -> None:
        """The file is read when it is needed first, and not again."""
        self.journal.stored(single("cat"))
        self.journal = self.start()
        self.calls.clear()
        self.journal.stored(single("dog"))
        reads = self.count("open_read")
        self.assertGreater(reads, 0)
        self.journal.stored(single("eel"))
        self.journal.open()
        self.assertEqual(self.count("open_read"), reads)

    def test_the_file_is_only_written_anew_when_it_must_be(self) -> None:
        """A start takes a sound file as it is, and forces to the disk what a killed process had only
        written."""
        self.journal.stored(single("cat"))
        inode = self.files.tree[PATH]
        self.broken.add(("sync", PATH))
        self.assertRaises(OSError, self.journal.stored, single("dog"))
        self.broken.clear()
        self.files.kill()
        self.journal = self.start()
        self.journal.open()
        self.assertIs(self.files.tree[PATH], inode)
        self.files.lose()
        self.assertEqual(self.keys(), [("object", key_of("cat")), ("object", key_of("dog"))])

    def test_a_sync_that_fails(self) -> None:
        """The file of recordings stays, and the next call writes the whole file anew, for the system may have
        dropped lines; once."""
        self.journal.stored(single("cat"))
        inode = self.files.tree[PATH]
        self.broken.add(("sync", PATH))
        self.assertRaises(OSError, self.journal.stored, single("dog"))
        self.broken.clear()
        self.journal.stored(single("dog"))
        self.assertIsNot(self.files.tree[PATH], inode)
        self.files.lose()
        self.assertEqual(self.keys(), [("object", key_of("cat")), ("object", key_of("dog"))])
        self.journal = self.start()
        inode = self.files.tree[PATH]
        self.journal.stored(single("eel"))
        self.assertIs(self.files.tree[PATH], inode)

    def test_nothing_is_remembered_of_before_a_failure(self) -> None:
        """What the file has after a failure counts, and nothing that was there before."""
        self.journal.stored(single("cat"))
        self.broken.add(("sync", PATH))
        self.assertRaises(OSError, self.journal.stored, single("dog"))
        self.broken.clear()
        self.files.put(PATH, b"")
        self.journal.stored(single("cat"))
        self.assertEqual(self.keys(), [("object", key_of("cat"))])

    # -- periods -------------------------------------------------------------------------------------

    def test_manifest(self) -> None:
        """A period's manifest has its objects and rooms; the next one follows it, and lists what was stored
        afterwards, also if it is the same object again."""
        self.assertIsNone(self.journal.open())
        self.journal.stored(single("cat"))
        self.assertEqual(self.end(), NAMES[0])
        self.assertEqual(self.shown(NAMES[0]), ["manifest", key_of("cat"), "cat"])
        self.assertTrue(self.manifest(NAMES[0])[0]["new_spool"])
        self.assertEqual(self.journal.open(), ELEVEN)
        self.journal.stored(single("cat"))
        self.assertEqual(self.end(ELEVEN, ELEVEN + 3600.0), NAMES[2])
        self.assertEqual(self.shown(NAMES[2]), ["manifest", key_of("cat"), "cat"])
        head = self.manifest(NAMES[2])[0]
        self.assertNotIn("new_spool", head)
        self.assertEqual(head["previous"], digest_of([self.files.content(f"/data/manifest/{NAMES[0]}")]))

    def test_a_new_process_goes_on(self) -> None:
        """It knows the period, and which manifest the next one follows."""
        self.end()
        digest = digest_of([self.files.content(f"/data/manifest/{NAMES[0]}")])
        self.journal = self.start()
        self.assertEqual(self.journal.open(), ELEVEN)
        self.assertTrue(self.journal.is_linked)
        self.journal.link("other")
        self.end(ELEVEN, ELEVEN + 3600.0)
        self.assertEqual(self.manifest(NAMES[2])[0]["previous"], digest)

    def test_killed_before_the_manifest(self) -> None:
        """A period that is over gets the same manifest from the next process, once; what is stored meanwhile
        belongs to the next period."""
        self.journal.stored(single("cat"))
        self.journal.finish(self.head(), [])
        self.journal.stored(single("dog"))
        self.files.lose()
        self.journal = self.start()
        self.assertEqual(self.journal.open(), ELEVEN)
        self.assertTrue(self.journal.is_linked)
        self.journal.stored(single("dog"))
        self.journal.finish(self.head(ELEVEN, ELEVEN + 1.0), [])
        self.assertEqual(self.journal.publish(), NAMES[0])
        self.assertIsNone(self.journal.publish())
        self.assertEqual(self.shown(NAMES[0]), ["manifest", key_of("cat")])
        self.assertEqual(self.keys(), [("object", key_of("dog"))])

    def test_every_call_may_come_first(self) -> None:
        """Whatever is called first, it knows what an earlier process left."""
        self.end()
        self.journal.stored(single("cat"))
        digest = digest_of([self.files.content(f"/data/manifest/{NAMES[0]}")])
        self.journal = self.start()
        self.journal.link_to_waiting("main")
        self.assertEqual(self.keys(), [("object", key_of("cat"))])
        self.assertEqual(len(self.entries()), 2)
        self.journal = self.start()
        self.journal.link("other")
        self.assertEqual(len(self.entries()), 2)
        self.journal = self.start()
        self.journal.finish(self.head(ELEVEN, ELEVEN + 1.0), [])
        self.journal = self.start()
        self.assertEqual(self.journal.publish(), NAMES[2])
        self.assertEqual(self.manifest(NAMES[2])[0]["previous"], digest)
        self.assertEqual(self.shown(NAMES[2]), ["manifest", key_of("cat")])

    def test_a_row_that_is_there_twice(self) -> None:
        """A manifest lists an object once, even if two lines of the file have it."""
        self.journal.stored(single("cat"))
        [row] = self.entries()
        StateFile(self.files, "/data", "stored").replace([row, row])
        self.journal = self.start()
        self.end()
        self.assertEqual(self.shown(NAMES[0]), ["manifest", key_of("cat"), "cat"])

    def test_a_name_that_is_taken(self) -> None:
        """A manifest that waits for its upload is never overwritten."""
        self.files.put(f"/data/manifest/{NAMES[0]}", b"other")
        self.assertEqual(self.end(), NAMES[1])
        self.assertEqual(self.files.content(f"/data/manifest/{NAMES[0]}"), b"other")

    def test_no_directory(self) -> None:
        """The directory of manifests is made where it is missing."""
        self.files = MemoryFiles()
        self.files.make_directories("/data")
        self.journal = self.start()
        self.journal.link_to_waiting("main")
        self.assertFalse(self.journal.is_linked)
        self.journal.finish(self.head(), [])
        self.files.directories.discard("/data/manifest")
        self.assertEqual(self.journal.publish(), NAMES[0])

    # -- the chain -----------------------------------------------------------------------------------

    def test_link(self) -> None:
        """The next manifest follows the one that is named first, also for the next process."""
        self.assertFalse(self.journal.is_linked)
        self.journal.link("first")
        self.assertTrue(self.journal.is_linked)
        self.journal.link("second")
        self.files.lose()
        self.journal = self.start()
        self.journal.open()
        self.assertTrue(self.journal.is_linked)
        self.end()
        self.assertEqual(self.manifest(NAMES[0])[0]["previous"], "first")

    def test_begins_a_chain(self) -> None:
        """A chain may begin, which is known then too."""
        self.journal.link("")
        self.assertTrue(self.journal.is_linked)
        self.journal = self.start()
        self.journal.open()
        self.assertTrue(self.journal.is_linked)

    def test_link_to_waiting(self) -> None:
        """Of the manifests that wait for their upload the latest of the instance comes before the next one;
        one that is known already is not looked for."""
        for number, name in enumerate((*NAMES, "other_20251229_1200.jsonl"), 1):
            self.files.put(f"/data/manifest/{name}", b'{"kind":"note%d"}\n' % number)
        self.journal.link_to_waiting("main")
        self.assertEqual(self.entries(), [{"previous": digest_of([b'{"kind":"note3"}\n'])}])
        self.calls.clear()
        self.journal.link_to_waiting("other")
        self.assertEqual(self.entries(), [{"previous": digest_of([b'{"kind":"note3"}\n'])}])
        self.assertEqual(self.count("names", "/data/manifest"), 0)

    def test_nothing_waits(self) -> None:
        """Without such a manifest nothing is known."""
        self.files.put("/data/manifest/other_20251229_1200.jsonl", b"{}\n")
        self.journal.link_to_waiting("main")
        self.assertFalse(self.journal.is_linked)
        self.assertEqual(self.entries(), [])

    # -- a file that may come back -------------------------------------------------------------------

    def test_the_file_may_be_the_old_one(self) -> None:
        """If nobody knows whether the file with the next period outlives the machine, what is stored next
        makes sure of it, and is in the next manifest in either case."""
        self.journal.stored(single("cat"))
        self.journal.finish(self.head(), [])
        self.broken.add(("sync_directory", "/data/state"))
        self.assertEqual(self.journal.publish(), NAMES[0])
        self.broken.clear()
        self.journal.stored(single("dog"))
        self.files.lose()
        self.journal = self.start()
        self.assertEqual(self.journal.open(), ELEVEN)
        self.assertIsNone(self.journal.publish())
        self.assertEqual(self.keys(), [("object", key_of("dog"))])

    def test_space_is_reserved(self) -> None:
        """There is space for rows when the disk is full: it is reserved from the start, and again after each
        manifest."""
        self.journal.open()
        ballast = f"{PATH}.ballast"
        self.assertIn(ballast, self.files.tree)
        self.files.remove(ballast)
        self.end()
        self.assertIn(ballast, self.files.tree)
