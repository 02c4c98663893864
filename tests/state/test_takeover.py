"""State of the version before, taken over at the first start.

``spool_before`` is the spool of a recorder of that version (commit dc772eb) that recorded the simulator's
chat for 40 seconds and was then killed: ``room3`` was missing, two gap records waited for backfill, a room
had been removed, two added and one acknowledged while it ran, 21 objects were in the store and in no manifest
yet, and four files were open. Only the space that was put by is left out, for it is zeros.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import KickChannel, KickSettings, Settings, TwitchSettings
from chatlog.journal.snapshots import replay
from chatlog.kick.ids import IdCache
from chatlog.platforms import PLATFORMS
from chatlog.record import from_json
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.room_list import RoomList
from chatlog.spool.spool import Spool, SpoolError
from chatlog.state.journal import Journal
from chatlog.state.lines import encode
from chatlog.state.state_file import StateFile, newer_state
from chatlog.takeover import take_over
from chatlog.twitch.deferred_gaps import DeferredGaps
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, encoded
from chatlog.uploader.stored_journal import StoredJournal
from tests.fakes import Crashed, MemoryFiles, environment
from tests.journal.test_coverage_journal import Run

BEFORE = Path(__file__).parent / "spool_before"
#: When the last flush was before the kill, until when all was on the disk, and when the process began.
END, SAFE = 1795913627.828, 1795913626.827
BEGAN = 1795913586.326
SETTINGS = Settings(
    platforms={
        "twitch": TwitchSettings(("room1", "room2", "room3", "room4", "ghost_one")),
        "kick": KickSettings((KickChannel("copper-fox"), KickChannel("tide_watch"))),
    }
)
TWITCH = ("room1", "room2", "room3", "room9")


def spool_before() -> MemoryFiles:
    """The spool as the version before left it."""
    files = MemoryFiles()
    for path in BEFORE.rglob("*"):
        if path.is_file():
            files.put(f"/data/{path.relative_to(BEFORE).as_posix()}", path.read_bytes())
    for area in ("open", "sealed", "packed", "torn"):
        files.make_directories(f"/data/{area}")
    for name, size in (
        ("ballast", 20),
        ("coverage.ballast", 16),
        ("held.ballast", 16),
        ("stored.ballast", 20),
    ):
        files.put(f"/data/{name}", bytes(1 << size))
    return files


def stored_before() -> list[str]:
    """The keys of the objects that were stored and in no manifest yet."""
    rows = map(from_json, (BEFORE / "stored").read_bytes().splitlines())
    return [row["key"] for row in rows if row.get("kind") == "object"]


def known(files: MemoryFiles) -> dict[str, Any]:
    """What the next process knows from the state alone."""
    found: dict[str, Any] = {}
    rooms = RoomList(files, "/data", SETTINGS, PLATFORMS)
    rooms.load()
    found["rooms"] = rooms.rooms()
    acknowledged = Acknowledged(files, "/data")
    acknowledged.load()
    found["acknowledged"] = set(acknowledged)
    ids = IdCache(files, "/data")
    ids.load()
    found["ids"] = [ids.get(slug) for slug in ("copper-fox", "tide_watch", "new-fox", "other")]
    around = environment(Clock(), files=files)
    found["deferred"] = list(DeferredGaps(Journal(around, "/data", "deferred")).earlier())
    for boot in ("", "52edd20e-ed55-422f-8879-38b21b5addad"):
        earlier = replay(StateFile(files, "/data", "coverage").read(), boot)
        found[f"coverage {boot}"] = earlier.end, earlier.durable, earlier.since, earlier.rooms
    for path in [path for path in files.tree if path.startswith("/data/open/")]:
        files.remove(path)
    spool = Spool("/data", files, "before")
    spool.open()
    found["name"] = str(spool.create("twitch", "room1", END, ("", 0))[0])
    stored = StoredJournal(files, "/data")
    stored.open()
    stored.finish(HeadRow(BEGAN, END, "1", "before"), [])
    rows = files.content(f"/data/manifest/{stored.publish()}").splitlines()
    found["objects"] = [row["key"] for row in map(from_json, rows) if row["kind"] == "object"]
    return found


def contents(files: MemoryFiles) -> dict[str, bytes]:
    return {path: bytes(inode.data) for path, inode in files.tree.items()}


class TakeoverTests(SynchronousTestCase):
    """The spool of the version before."""

    def test_everything_is_known(self) -> None:
        """The first start of this version knows what the version before would have known at its next: rooms
        that were added and removed, what was acknowledged, ids, gaps that wait, how the rooms stood, names
        and objects."""
        files = spool_before()
        take_over(Spool("/data", files))
        found = known(files)
        self.assertEqual(
            sorted(name for _, name in found["rooms"]),
            ["copper-fox", "ghost_one", "new-fox", "room1", "room2", "room3", "room9", "tide_watch"],
        )
        self.assertEqual(found["acknowledged"], {("twitch", "ghost_one")})
        ids = [(595520733, 555944482), (351911047, 350728352), (79240088, 546284082), None]
        self.assertEqual(found["ids"], ids)
        waiting = [(name, gap.start, gap.end, gap.reason) for name, gap in found["deferred"]]
        start = 1795913624.3262346
        self.assertEqual(
            waiting,
            [
                ("room1", start, 1795913625.827303, "connection lost"),
                ("room2", start, 1795913625.8278978, "connection lost"),
            ],
        )
        end, durable, since, rooms = found["coverage 52edd20e-ed55-422f-8879-38b21b5addad"]
        self.assertEqual((end, durable, since), (END, SAFE, BEGAN))
        self.assertEqual(found["coverage "][0], SAFE)
        self.assertEqual(
            {name: (room.since, room.recorded, room.lost, room.heard) for (_, name), room in rooms.items()},
            {
                "copper-fox": (1795913587.337, True, 0.0, None),
                "new-fox": (1795913600.467, True, 0.0, None),
                "tide_watch": (1795913587.337, True, 0.0, None),
                "room1": (1795913625.827, True, 1.501, None),
                "room2": (1795913625.828, True, 1.502, None),
                "room3": (1795913617.63, False, 0.0, None),
                "room9": (1795913600.456, True, 0.0, 1795913617.28),
            },
        )
        self.assertEqual(found["name"], "twitch_room1_20261129_0053n0005_before.jsonl")
        self.assertEqual(len(stored_before()), 21)
        self.assertEqual(found["objects"], stored_before())

    def test_nothing_is_left_of_the_old_forms(self) -> None:
        """What was taken over goes, recordings stay as they are, and the log says what was done; the next
        start finds nothing to do."""
        files = spool_before()
        with capturedLogs() as events:
            take_over(Spool("/data", files))
        self.assertEqual(len(events), 1)
        self.assertEqual(sorted(files.names("/data")), ["ballast"])
        self.assertEqual(len(files.names("/data/open")), 4)
        self.assertEqual(newer_state(files, "/data"), "")
        before = contents(files)
        calls = files.calls
        take_over(Spool("/data", files))
        self.assertEqual((contents(files), files.calls), (before, calls))

    def test_gaps(self) -> None:
        """Every room has one gap, from when it was last known to be recorded to its first acknowledgement;
        those that nobody wants any more, to the first flush."""
        files = spool_before()
        take_over(Spool("/data", files))
        now = END + 60.0
        run = Run(files, now, "another boot", TWITCH, TWITCH)
        self.addCleanup(run.pool.stopService)
        run.acknowledge(*TWITCH)
        run.advance(5)
        self.assertEqual(
            {name: (hole.start, hole.end, hole.reason) for name, hole in run.gaps},
            {
                "room1": (SAFE, now, "restart"),
                "room2": (SAFE, now, "restart"),
                "room3": (1795913617.63, now, "connection lost"),
                "room9": (1795913617.28, now, "restart"),
                **dict.fromkeys(("copper-fox", "new-fox", "tide_watch"), (SAFE, now + 0.5, "restart")),
            },
        )
        self.assertEqual(len(run.gaps), 7)

    def test_power_cut_anywhere(self) -> None:
        """Wherever the machine dies, the next start takes up what was begun, and knows all the same."""
        files = spool_before()
        take_over(Spool("/data", files))
        calls = files.calls
        whole = known(files)
        for n in range(1, calls + 1):
            for seed in range(4):
                files = spool_before()
                files.crash_at(n)
                self.assertRaises(Crashed, take_over, Spool("/data", files))
                if seed == 0:
                    files.kill()
                elif seed == 1:
                    files.lose()
                else:
                    files.crash(random.Random(f"{n} {seed}"))
                with capturedLogs():
                    take_over(Spool("/data", files))
                self.assertEqual(known(files), whole, f"call {n}, seed {seed}")
        self.assertGreater(calls, 40)

    def test_dies_again_and_again(self) -> None:
        """A takeover that is cut off ten times ends as one that is not."""
        files = spool_before()
        take_over(Spool("/data", files))
        whole = known(files)
        for seed in range(10):
            chance = random.Random(seed)
            files = spool_before()
            with capturedLogs():
                for _ in range(10):
                    files.crash_at(chance.randrange(1, 40))
                    with contextlib.suppress(Crashed):
                        take_over(Spool("/data", files))
                    files.crash(chance)
                take_over(Spool("/data", files))
            self.assertEqual(known(files), whole, seed)

    def test_full_disk(self) -> None:
        """The space that was put by is enough; without it the start is refused, and says what to do. Nothing
        is lost by that."""
        files = spool_before()
        files.capacity = files.used()
        take_over(Spool("/data", files))
        self.assertEqual(known(files)["objects"], stored_before())
        files = spool_before()
        for path in [path for path in files.tree if path.endswith("ballast")]:
            files.remove(path)
        files.capacity = files.used()
        error = self.assertRaises(SpoolError, take_over, Spool("/data", files))
        self.assertIn("make room there", str(error))
        files.capacity = None
        take_over(Spool("/data", files))
        self.assertEqual(known(files)["objects"], stored_before())

    def test_hour_that_was_ending(self) -> None:
        """A manifest that was whole is published as it was; objects of an hour that was over, and of the
        next, come into one manifest each, wherever the earlier process was cut off."""
        rows = (BEFORE / "stored").read_bytes().splitlines(keepends=True)
        head = HeadRow(BEGAN, END, "0.9", "before")
        room = encoded(RoomRow("twitch", "room1", 30.0, 1.5, ""))
        later = b'{"from":%.3f}\n' % END + b"".join(rows[15:])
        for closed, stored, expected in (
            (b"".join(rows[:15]), b"".join(rows[15:]), [stored_before()]),
            (b"".join(rows[:15]), None, [stored_before()[:15]]),
            (encoded(head) + b"".join(rows[:15]) + room, later, [stored_before()[:15], stored_before()[15:]]),
        ):
            files = spool_before()
            files.put("/data/stored.closed", closed)
            files.put("/data/stored.new", b"half")
            files.remove("/data/stored")
            if stored is not None:
                files.put("/data/stored", stored)
            take_over(Spool("/data", files))
            journal = StoredJournal(files, "/data")
            since = journal.open()
            published = [journal.publish()] if len(expected) == 2 else []
            self.assertEqual(since, END if published else None)
            journal.finish(HeadRow(END, END + 60.0, "1", "before"), [])
            published.append(journal.publish())
            manifests = [
                files.content(f"/data/manifest/{name}").splitlines(keepends=True) for name in published
            ]
            keys = [
                [row["key"] for row in map(from_json, lines) if row["kind"] == "object"]
                for lines in manifests
            ]
            self.assertEqual(keys, expected)
            if len(expected) == 2:
                self.assertEqual((manifests[0][0], manifests[0][-1]), (encoded(head), room))

    def test_back_and_forth(self) -> None:
        """Who goes back to the version before, and comes again, loses nothing of what either has noted."""
        files = spool_before()
        take_over(Spool("/data", files))
        row = ObjectRow("2026/11/29/twitch/room1/other.jsonl", 5, "0" * 64, 1, "", "")
        StoredJournal(files, "/data").append(row)
        # The version before begins anew.
        files.put("/data/names", b"20261129_0053 2 2\n")
        files.put(
            "/data/stored", (BEFORE / "stored").read_bytes().splitlines(keepends=True)[0] + encoded(row)
        )
        files.put("/data/held", b'{"held":1,"room":"room9","from":5.5,"to":6.5,"reason":"x"}\n{"held":2')
        files.put("/data/coverage", (BEFORE / "coverage").read_bytes().replace(b"17959136", b"17959137"))
        files.put("/data/rooms.yaml", b"removed:\n  twitch:\n  - room2\n")
        take_over(Spool("/data", files))
        found = known(files)
        self.assertEqual([name for name, _ in found["deferred"]], ["room1", "room2", "room9"])
        self.assertEqual(found["objects"], [*stored_before(), row.key])
        self.assertEqual(found["name"], "twitch_room1_20261129_0053n0005_before.jsonl")
        self.assertEqual(found["coverage "][0], SAFE + 100.0)
        self.assertNotIn(("twitch", "room2"), found["rooms"])

    def test_damaged(self) -> None:
        """What cannot be understood is put aside, and the log says so; everything else is taken over."""
        files = spool_before()
        for name, data in (
            ("rooms.yaml", b"added:\n  twitch: ["),
            ("acknowledged.json", b"[]"),
            ("kick_ids.json", b"{"),
            ("names", b"20261129_0053 x y"),
        ):
            files.put(f"/data/{name}", data)
        files.put("/data/held", b"\xff\n[]\n" + (BEFORE / "held").read_bytes())
        with capturedLogs() as events:
            take_over(Spool("/data", files))
        errors = [
            str(event["log_format"]).format(**event) for event in events if event["log_level"].name == "error"
        ]
        self.assertEqual(len(errors), 4)
        self.assertIn("/data/rooms.yaml cannot be understood", errors[2])
        self.assertIn("line ", errors[2])
        self.assertEqual(files.content("/data/acknowledged.json.broken"), b"[]")
        found = known(files)
        self.assertEqual([name for name, _ in found["deferred"]], ["room1", "room2"])
        self.assertEqual(len(found["rooms"]), 7)
        self.assertEqual(found["objects"], stored_before())


class RefusalTests(SynchronousTestCase):
    """A spool of a later version."""

    def test_later_version(self) -> None:
        """It is refused in one sentence, and nothing is touched, neither is what is older."""
        files = MemoryFiles()
        files.put("/data/state/rooms", encode(0, {"state": "rooms", "version": 2}))
        files.put("/data/names", b"20251229_1030 1 1\n")
        before = contents(files)
        error = self.assertRaises(SpoolError, take_over, Spool("/data", files))
        self.assertIn("later version", str(error))
        self.assertEqual((contents(files), files.calls), (before, 0))
