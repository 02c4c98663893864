"""Files that people write and that earlier runs left, with anything in them: an answer, never a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog import configuration as config
from chatlog.chunks import lines_of
from chatlog.config.settings import Settings, TwitchSettings
from chatlog.platforms import PLATFORMS
from chatlog.rooms.room_list import RoomList
from chatlog.spool.spool import Spool
from chatlog.takeover import take_over
from chatlog.uploader import manifest_rows
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import MemoryFiles
from tests.state import summed

SAMPLE = Path(__file__).parent.parent.joinpath("chatlog.yaml").read_bytes()
ROOMS = (
    b'1 {"added":{"twitch":["one","two"],"kick":[{"slug":"three","chatroom_id":5}]},'
    b'"removed":{"twitch":["own"]}}'
)
ROW = manifest_rows.encoded(manifest_rows.ObjectRow("a/b.jsonl", 5, "0" * 64, 1, "", ""))
JOURNAL = b'1 {"from":1768084800.0}\n2 ' + ROW + b"3 " + ROW.replace(b"a/b", b"a/c")
OLD_ROOMS = (
    b"added:\n  twitch: [one, two]\n  kick:\n  - slug: three\n    chatroom_id: 5\nremoved:\n  twitch: [own]\n"
)
#: What means something in YAML or JSON.
SPICE = [
    b"\0",
    b"\t",
    b"&a ",
    b"*a",
    b"!!python/object:x ",
    b"- ",
    b": ",
    b"{",
    b"[",
    b'"',
    b"'",
    b"|",
    b"%",
    b"<<",
    b"\xff",
    b"\xe2\x80\xa8",
    b"\n",
    b"9" * 400,
    b"-1",
    b"1e999",
    b"${X}",
    b"~",
    b"\\ud800",
    b"[",
]


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` with some of it cut out, doubled, or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 40)))
        middle = draw(st.one_of(st.sampled_from(SPICE), st.binary(max_size=8), st.just(whole[start:end] * 3)))
        whole = whole[:start] + middle + whole[end:]
    return whole


class AnyInputTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.one_of(damaged(SAMPLE), st.binary(max_size=200)))
    def test_configuration(self, data: bytes) -> None:
        """A configuration is accepted, or every problem is reported in few and readable words."""
        try:
            config.parse(data, {})
        except config.ConfigError as error:
            self.assertTrue(error.problems)
            self.assertLess(max(map(len, error.problems)), 2000)
            self.assertTrue("".join(error.problems).isprintable(), error.problems)

    def rooms(self, data: bytes) -> set[str]:
        """The names of the rooms that a recorder records whose list holds these entries."""
        files = MemoryFiles()
        files.put("/data/state/rooms", data)
        rooms = RoomList(files, "/data", Settings(platforms={"twitch": TwitchSettings(("own",))}), PLATFORMS)
        rooms.load()
        return {name for _, name in rooms.rooms()}

    @settings(max_examples=150, deadline=None)
    @given(st.one_of(damaged(ROOMS), st.binary(max_size=200)))
    def test_list_of_rooms(self, data: bytes) -> None:
        """With a list of rooms that cannot be read the rooms of the configuration are recorded."""
        self.assertEqual(self.rooms(data), {"own"})
        self.assertLess(len(self.rooms(summed(data))), 100)

    @settings(max_examples=100, deadline=None)
    @given(st.one_of(damaged(OLD_ROOMS), st.binary(max_size=200)))
    def test_list_of_rooms_of_the_version_before(self, data: bytes) -> None:
        """The file is taken over or quarantined."""
        files = MemoryFiles()
        files.put("/data/rooms.yaml", data)
        take_over(Spool("/data", files))
        self.assertFalse(files.exists("/data/rooms.yaml"))
        self.assertNotEqual(files.exists("/data/rooms.yaml.broken"), files.exists("/data/state/rooms"))

    @settings(max_examples=150, deadline=None)
    @given(st.one_of(damaged(ROW * 3), st.binary(max_size=300)))
    def test_row_of_a_manifest(self, data: bytes) -> None:
        """A line is a row, or a ValueError; no line is longer than allowed."""
        for line, _ in lines_of([data[:100], data[100:]], 250):
            self.assertLessEqual(len(line), 250)
            try:
                manifest_rows.parsed(line)
            except ValueError as error:
                self.assertLess(len(str(error)), 1000)

    def test_undamaged(self) -> None:
        """What is damaged here is understood while it is whole."""
        self.assertEqual(self.rooms(summed(ROOMS)), {"one", "two", "three"})
        self.assertEqual(manifest_rows.encoded(manifest_rows.parsed(ROW)), ROW)  # type: ignore[arg-type]
        files = MemoryFiles()
        files.put("/data/state/stored", summed(JOURNAL))
        journal = StoredJournal(files, "/data")
        self.assertEqual(journal.open(), 1768084800.0)
        journal.finish(manifest_rows.HeadRow(1768084800.0, 1768086000.0, "1", "main"), [])
        name = journal.publish()
        self.assertEqual(len(files.content(f"/data/manifest/{name}").splitlines()), 3)

    @settings(max_examples=100, deadline=None)
    @given(st.one_of(damaged(JOURNAL), st.binary(max_size=300)))
    def test_journal_of_a_manifest(self, data: bytes) -> None:
        """The journal of objects is read as far as it can be, and goes on."""
        for content in (data, summed(data)):
            files = MemoryFiles()
            files.put("/data/state/stored", content)
            StoredJournal(files, "/data").open()
            journal = StoredJournal(files, "/data")
            journal.open()
            journal.append(manifest_rows.ObjectRow("a/d.jsonl", 5, "0" * 64, 1, "", ""))
            journal.finish(manifest_rows.HeadRow(1768084800.0, 1768086000.0, "1", "main"), [])
            self.assertIsNotNone(journal.publish())
