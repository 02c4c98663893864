"""The file of Kick's ids."""

from __future__ import annotations

import errno
import json

from chatlog.config.settings import KickChannel
from chatlog.files import OsFiles
from chatlog.kick.ids import REMEMBERED, IdCache
from tests.kick import lookup_answer as answer
from tests.kick.test_ids import DIRECTORY, IdsCase

PATH = "/spool/kick_ids.json"


class CacheTests(IdsCase):
    """Ids that were found once."""

    def test_kept_across_restarts(self) -> None:
        """What was found is not looked up again by the next process."""
        self.want("a")
        self.site.say(200, answer())
        self.found.clear()
        self.ids = self.make()
        self.assertEqual(self.files.fds, {})
        self.ids.add(KickChannel("a"))
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])
        self.clock.advance(10_000)
        self.assertEqual(len(self.site.asked), 1)

    def test_readable_file(self) -> None:
        """The file can be read, and corrected, by a person; no second file stays behind."""
        self.want("a")
        self.site.say(200, answer())
        content = json.loads(self.files.content(PATH))
        self.assertEqual(content, {"a": {"chatroom_id": 7001, "channel_id": 7000}})
        self.assertEqual(self.files.names(DIRECTORY), ["kick_ids.json"])

    def test_damaged_files(self) -> None:
        """A file that is damaged in any way counts for what is whole in it."""
        for data, slugs in (
            (b"", ""),
            (b"\x00\xff", ""),
            (b'{"a":{"chatroom_id":1', ""),
            (b"[]", ""),
            (b"[" * 5000, ""),
            (b'{"a":5,"b":{"chatroom_id":"x"},"c":{"chatroom_id":-1},"d":{},"e":{"chatroom_id":7}}', "e"),
            (b" " * 5_000_000 + b'{"a":{"chatroom_id":7}}', ""),
        ):
            self.files.put(PATH, data)
            cache = IdCache(self.files, DIRECTORY)
            cache.load()
            self.assertEqual([slug for slug in "abcde" if cache.get(slug)], list(slugs))
            cache.put("new", (1, None))
            again = IdCache(self.files, DIRECTORY)
            again.load()
            self.assertEqual(again.get("new"), (1, None))

    def test_bounded(self) -> None:
        """The file does not grow without limit: the oldest entries go."""
        content = {f"c{n}": {"chatroom_id": n + 1} for n in range(REMEMBERED)}
        self.files.put(PATH, json.dumps(content).encode())
        cache = IdCache(self.files, DIRECTORY)
        cache.load()
        cache.put("new", (1, 2))
        self.assertIsNone(cache.get("c0"))
        self.assertEqual(cache.get("c1"), (2, None))
        self.assertEqual(len(json.loads(self.files.content(PATH))), REMEMBERED)

    def test_disk_full(self) -> None:
        """Ids that cannot be kept are used all the same; the log says so once, and the old file is
        still there."""
        self.want("a", "b", "c")
        self.site.say(200, answer())
        old = self.files.content(PATH)
        self.files.capacity = self.files.used()
        for _ in range(2):
            self.clock.advance(1)
            self.site.say(200, answer())
        self.assertEqual(len(self.found), 3)
        self.assertEqual(self.files.content(PATH), old)
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(self.files.fds, {})
        self.files.capacity = None
        self.want("d")
        self.clock.advance(1)
        self.site.say(200, answer())
        self.assertIn("d", json.loads(self.files.content(PATH)))
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

    def test_left_over_file(self) -> None:
        """A file that a dead process left half written is in nobody's way."""
        self.files.put(PATH + ".new", b"half")
        self.want("a")
        self.site.say(200, answer())
        self.assertIn("a", json.loads(self.files.content(PATH)))

    def test_real_files(self) -> None:
        """It works on a real file system, in a directory that is not there yet."""
        directory = f"{self.mktemp()}/spool"
        IdCache(OsFiles(), directory).load()
        IdCache(OsFiles(), directory).put("a", (1, 2))
        again = IdCache(OsFiles(), directory)
        again.load()
        self.assertEqual(again.get("a"), (1, 2))
