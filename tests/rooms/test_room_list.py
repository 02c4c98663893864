"""Rooms that are added and removed while the recorder runs."""

from __future__ import annotations

import errno

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.platform import Channel
from chatlog.config.settings import KickChannel, KickSettings, Settings, TwitchSettings
from chatlog.platforms import PLATFORMS
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList, RoomListError, checked
from chatlog.state.state_file import StateFile
from tests.fakes import MemoryFiles
from tests.state import entries

SETTINGS = Settings(
    platforms={"twitch": TwitchSettings(("ann", "bob")), "kick": KickSettings((KickChannel("cat"),))},
)


class RoomListTests(SynchronousTestCase):
    """The list, its file, and what is put in force."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data")
        self.told: list[tuple[str, str, Channel]] = []
        self.list = self.start()

    def start(self, settings: Settings = SETTINGS) -> RoomChanges:
        """A new process."""
        rooms = RoomList(self.files, "/data", settings, PLATFORMS)
        changes = RoomChanges(
            rooms,
            lambda platform, channel: self.told.append(("add", platform, channel)),
            lambda platform, name: self.told.append(("remove", platform, name)),
        )
        changes.load()
        self.told.clear()
        return changes

    def test_changes_outlive_the_process(self) -> None:
        """What was added and removed is in force at once and after a restart."""
        self.assertTrue(self.list.add("twitch", "dan"))
        self.assertTrue(self.list.add("kick", KickChannel("eve", 7)))
        self.assertTrue(self.list.remove("twitch", "ann"))
        expected = {
            ("twitch", "bob"): "bob",
            ("twitch", "dan"): "dan",
            ("kick", "cat"): KickChannel("cat"),
            ("kick", "eve"): KickChannel("eve", 7),
        }
        self.assertEqual(self.list.rooms(), expected)
        self.assertEqual(
            self.told,
            [("add", "twitch", "dan"), ("add", "kick", KickChannel("eve", 7)), ("remove", "twitch", "ann")],
        )
        self.files.lose()
        self.assertEqual(self.start().rooms(), expected)

    def test_nothing_twice(self) -> None:
        """To add what is there, or to remove what is not, changes nothing; a removed room can come back."""
        self.assertFalse(self.list.add("twitch", "ann"))
        self.assertFalse(self.list.add("kick", KickChannel("cat")))
        self.assertFalse(self.list.remove("twitch", "nobody"))
        self.assertEqual(self.told, [])
        self.list.remove("twitch", "ann")
        self.assertTrue(self.list.add("twitch", "ann"))
        self.assertEqual(self.start().rooms(), RoomList(self.files, "/other", SETTINGS, PLATFORMS).rooms())

    def test_ids_that_are_given_later(self) -> None:
        """A Kick room gets the ids that somebody found."""
        self.assertTrue(self.list.add("kick", KickChannel("cat", 9)))
        self.assertEqual(self.told, [("remove", "kick", "cat"), ("add", "kick", KickChannel("cat", 9))])
        self.assertFalse(self.list.add("kick", KickChannel("cat")))

    def test_new_configuration(self) -> None:
        """A changed configuration adds and removes its rooms; what was changed at run time stays so."""
        self.list.remove("twitch", "ann")
        self.list.add("twitch", "dan")
        self.told.clear()
        self.list.reload(Settings(platforms={"twitch": TwitchSettings(("ann", "fay"))}))
        self.assertEqual(set(self.list.rooms()), {("twitch", "fay"), ("twitch", "dan")})
        self.assertEqual(
            sorted(self.told, key=str),
            [("add", "twitch", "fay"), ("remove", "kick", "cat"), ("remove", "twitch", "bob")],
        )

    def test_a_change_that_cannot_be_kept(self) -> None:
        """On a full disk nothing is changed, in the file or in force, and the error says so."""
        self.list.add("twitch", "dan")
        self.told.clear()
        before = entries(self.files, "rooms")
        for n in range(1, 5):
            self.files.fail(n, errno.ENOSPC)
            with self.assertRaises(OSError):
                self.list.add("twitch", "eve")
        self.assertEqual(self.told, [])
        self.assertEqual(entries(self.files, "rooms"), before)
        self.assertTrue(self.list.add("twitch", "eve"))

    def test_what_is_told_is_what_the_next_start_finds(self) -> None:
        """Whatever call fails, behind the new name too: a change that is refused is in force neither now nor
        after the next start, and one that is in force now is so then."""
        outcomes = set()
        for n in range(1, 9):
            self.setUp()
            self.list.add("twitch", "dan")
            self.told.clear()
            self.files.fail(n, errno.EIO)
            with capturedLogs() as events:
                try:
                    done = self.list.add("twitch", "eve")
                except OSError:
                    done = False
            self.assertEqual(self.told, [("add", "twitch", "eve")] if done else [], n)
            self.assertEqual(("twitch", "eve") in self.list.rooms(), done, n)
            self.files.kill()
            self.assertEqual(("twitch", "eve") in self.start().rooms(), done, n)
            outcomes.add((done, len(events)))
        self.assertEqual(outcomes, {(False, 0), (True, 1), (True, 0)})

    def test_a_file_that_is_damaged(self) -> None:
        """A list of which nothing is whole is put aside, and the log says what that means; then the rooms of
        the configuration are recorded."""
        self.list.add("twitch", "dan")
        whole = self.files.content("/data/state/rooms")
        for content in (whole.replace(b"dan", b"eve"), b"x\n", b"\0" * 50 + b"\n"):
            self.files.put("/data/state/rooms", content)
            with capturedLogs() as events:
                self.assertEqual(len(self.start().rooms()), 3)
            self.assertEqual([e["log_level"].name for e in events], ["warn", "error"], content)
            self.assertFalse(self.files.exists("/data/state/rooms"))
            self.assertEqual(self.files.content("/data/state/rooms.damaged"), content)
        self.files.put("/data/state/rooms", b"x\n" + whole)
        self.assertIn(("twitch", "dan"), self.start().rooms())

    def test_what_is_no_room(self) -> None:
        """Whatever the list holds, only what can be a room comes of it."""
        odd: list[object] = [None, 5, [], {}, {"slug": 5}, "../x", {"slug": "a", "chatroom_id": "5"}, "a b"]
        for entry in (
            *odd,
            {"added": odd, "removed": odd},
            {"added": {"kick": odd, "twitch": odd, "elsewhere": ["ann"]}},
            {"removed": {"kick": odd, "elsewhere": ["ann"], "twitch": "ann"}},
        ):
            StateFile(self.files, "/data", "rooms").replace([entry])
            self.assertEqual(len(self.start().rooms()), 3, entry)

    def test_a_file_that_cannot_be_read(self) -> None:
        """On a disk that fails the recorder starts with the rooms of the configuration and says so. The
        file stays where it is: a change that would take its place is refused."""
        self.list.add("twitch", "dan")
        well = self.files.rule
        for failing in "open_read", "read":

            def broken(operation: str, path: str, failing: str = failing) -> None:
                if operation == failing:
                    raise OSError(errno.EIO, "Input/output error", path)

            self.files.rule = broken
            with capturedLogs() as events:
                started = self.start()
            self.assertEqual([e["log_level"].name for e in events], ["error"], failing)
            self.files.rule = well
            with self.assertRaises(OSError):
                started.add("twitch", "eve")
            with self.assertRaises(OSError):
                started.remove("twitch", "ann")
            self.assertEqual(len(started.rooms()), 3)
        self.assertEqual(len(self.start().rooms()), 4)

    def test_names_are_checked(self) -> None:
        """Only what can be a room gets in."""
        self.assertEqual(checked(PLATFORMS, "twitch", "#Ann"), "ann")
        self.assertEqual(
            checked(PLATFORMS, "kick", "Eve-1", chatroom_id=5, channel_id=6), KickChannel("eve-1", 5, 6)
        )
        for given in (
            ("youtube", "ann"),
            ("twitch", "../ann"),
            ("twitch", ""),
            ("twitch", "_server"),
            ("kick", "a b"),
        ):
            with self.assertRaises(RoomListError):
                checked(PLATFORMS, *given)
        for platform, id in (("kick", "5"), ("kick", True), ("kick", -1), ("twitch", 5)):
            with self.assertRaises(RoomListError):
                checked(PLATFORMS, platform, "ann", chatroom_id=id)
