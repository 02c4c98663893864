"""Kick's ids, kept."""

from __future__ import annotations

import errno

from chatlog.config.settings import KickChannel
from chatlog.files import OsFiles
from chatlog.kick.ids import REMEMBERED, IdCache
from chatlog.state.lines import encode
from chatlog.state.state_file import StateFile
from tests.kick import lookup_answer as answer
from tests.kick.test_ids import DIRECTORY, IdsCase
from tests.state import entries

#: Entries that say nothing of a channel.
ODD: tuple[object, ...] = (
    5,
    [],
    {"slug": 5, "chatroom_id": 1},
    {"slug": "a"},
    {"slug": "b", "chatroom_id": "x"},
    {"slug": "c", "chatroom_id": -1},
)


class CacheTests(IdsCase):
    """Ids that were found once."""

    def test_kept_across_restarts(self) -> None:
        """What was found is not looked up again by the next process."""
        self.want("a")
        self.site.say(200, answer())
        self.found.clear()
        self.ids = self.make()
        self.assertLess(len(self.files.fds), 2)
        self.ids.add(KickChannel("a"))
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])
        self.clock.advance(10_000)
        self.assertEqual(len(self.site.asked), 1)

    def kept(self) -> dict[str, tuple[int, int | None]]:
        """What the next process would know."""
        found = entries(self.files, "kick_ids", DIRECTORY)
        return {entry["slug"]: (entry["chatroom_id"], entry["channel_id"]) for entry in found}

    def test_one_line_each(self) -> None:
        """An id that is found costs one line, and no second file stays behind; what was found again is said
        once after the next start."""
        self.want("a", "b")
        self.site.say(200, answer())
        self.assertEqual(self.kept(), {"a": (7001, 7000)})
        self.assertEqual(self.files.names(f"{DIRECTORY}/state"), ["kick_ids"])
        cache = IdCache(self.files, DIRECTORY)
        cache.load()
        cache.put("a", (8, 9))
        self.assertEqual(len(entries(self.files, "kick_ids", DIRECTORY)), 2)
        IdCache(self.files, DIRECTORY).load()
        self.assertEqual(len(entries(self.files, "kick_ids", DIRECTORY)), 1)
        self.assertEqual(self.kept(), {"a": (8, 9)})

    def test_damaged_files(self) -> None:
        """A file that is damaged in any way counts for what is whole in it."""
        whole = encode(1, {"slug": "e", "chatroom_id": 7})
        for data, slugs in (
            (b"", ""),
            (b"\x00\xff", ""),
            (whole[:-5], ""),
            (whole[:-1], "e"),
            (b"x" + whole + whole, "e"),
            (b" " * 5_000_000 + b"\n" + whole, "e"),
            (b"".join(encode(n, odd) for n, odd in enumerate(ODD, 1)) + whole, "e"),
        ):
            self.files.put(f"{DIRECTORY}/state/kick_ids", data)
            cache = IdCache(self.files, DIRECTORY)
            cache.load()
            self.assertEqual([slug for slug in "abcde" if cache.get(slug)], list(slugs))
            cache.put("new", (1, None))
            again = IdCache(self.files, DIRECTORY)
            again.load()
            self.assertEqual(again.get("new"), (1, None))

    def test_bounded(self) -> None:
        """The oldest ids go when there are too many."""
        ids = [{"slug": f"c{n}", "chatroom_id": n + 1} for n in range(REMEMBERED)]
        StateFile(self.files, DIRECTORY, "kick_ids").replace(ids)
        cache = IdCache(self.files, DIRECTORY)
        cache.load()
        cache.put("new", (1, 2))
        self.assertIsNone(cache.get("c0"))
        self.assertEqual(cache.get("c1"), (2, None))
        IdCache(self.files, DIRECTORY).load()
        self.assertEqual(len(self.kept()), REMEMBERED)

    def test_file_is_bounded(self) -> None:
        """However many channels come and go in one run, the file has the latest ones, and few lines more."""
        cache = IdCache(self.files, DIRECTORY, 10)
        cache.load()
        for n in range(1000):
            cache.put(f"c{n}", (n + 1, None))
            self.assertLessEqual(len(entries(self.files, "kick_ids", DIRECTORY)), 20)
        self.assertLessEqual({f"c{n}": (n + 1, None) for n in range(990, 1000)}.items(), self.kept().items())

    def test_disk_full(self) -> None:
        """Ids that cannot be kept are used all the same; the log says so once, and what was kept before
        stays."""
        self.want("a", "b", "c")
        self.site.say(200, answer())
        self.files.capacity = self.files.used()
        for _ in range(2):
            self.clock.advance(1)
            self.site.say(200, answer())
        self.assertEqual(len(self.found), 3)
        self.assertEqual(list(self.kept()), ["a"])
        self.assertEqual(len(self.lines()), 1)
        self.files.capacity = None
        self.want("d")
        self.clock.advance(1)
        self.site.say(200, answer())
        self.assertEqual(list(self.kept()), ["a", "d"])
        self.files.capacity = self.files.used()
        self.want("e")
        self.clock.advance(1)
        self.site.say(200, answer())
        self.assertEqual(len(self.lines()), 2)

    def test_directory_is_not_writable(self) -> None:
        """Neither does a directory that cannot be read or written stop anything."""

        def refuse(operation: str, path: str) -> None:
            raise OSError(errno.EACCES, "Permission denied", path)

        self.files.rule = refuse
        self.ids = self.make()
        self.want("a")
        self.site.say(200, answer())
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])
        self.assertEqual(len(self.lines()), 1)

    def test_real_files(self) -> None:
        """It works on a real file system, in a directory that is not there yet."""
        directory = f"{self.mktemp()}/spool"
        IdCache(OsFiles(), directory).load()
        IdCache(OsFiles(), directory).put("a", (1, 2))
        again = IdCache(OsFiles(), directory)
        again.load()
        self.assertEqual(again.get("a"), (1, 2))
