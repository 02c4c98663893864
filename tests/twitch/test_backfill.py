"""Filling holes from a service that remembers chat: what comes back, what is believed, how it is asked."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import BackfillSettings
from chatlog.network.http import Answer, RequestFailed
from chatlog.record import Encode, encode_basic, encode_full
from chatlog.recorder.tails import Tails
from chatlog.rooms.connection import Connection
from chatlog.rooms.connections import Limits
from chatlog.rooms.gap import gap_line
from chatlog.rooms.subscriptions import Room
from chatlog.state.journal import Journal
from chatlog.state.state_file import StateFile
from chatlog.suppression.names import Entry, Key
from chatlog.suppression.suppressions import Suppressions
from chatlog.timeline.timeline import Gap
from chatlog.twitch import recent
from chatlog.twitch.backfill import HOLD_FOR, Backfill
from chatlog.twitch.deferred_gaps import DeferredGaps
from chatlog.twitch.intake import Intake
from tests.fakes import MemoryFiles
from tests.played import Played
from tests.recording import HALF_PAST_TEN, Recording

URL = "https://recent.example/api/v2"
#: Twitch's id of every room here.
ROOM_ID = "1001"


def chat(ms: float, id: str, room: str = "ann", text: str = "hello", **tags: str) -> str:
    """A chat line as Twitch sends it."""
    head = {"id": id, "room-id": ROOM_ID, "tmi-sent-ts": f"{ms:.0f}", "user-id": "42", **tags}
    joined = ";".join(f"{key}={value}" for key, value in head.items())
    return f"@badges=;{joined} :bob!bob@bob.tmi.twitch.tv PRIVMSG #{room} :{text}"


def remembered(line: str, delay: int = 300) -> str:
    """The same line as the service has it: tags in another order, two more."""
    head, _, rest = line.removeprefix("@").partition(" ")
    tags = dict(tag.split("=", 1) for tag in head.split(";"))
    tags["rm-received-ts"] = str(int(tags.get("tmi-sent-ts") or 0) + delay)
    tags["historical"] = "1"
    return "@" + ";".join(f"{key}={tags[key]}" for key in sorted(tags)) + " " + rest


class Life:
    """One life of a process with Twitch rooms on one connection, a recorder on ``files``, and a service
    whose requests wait in ``requests`` until the test answers them."""

    def __init__(
        self,
        *rooms: str,
        files: MemoryFiles | None = None,
        at: float = HALF_PAST_TEN,
        at_once: int = 4,
        encode: Encode = encode_full,
        missing: dict[str, float] | None = None,
        **recorder: Any,
    ) -> None:
        self.recording = Recording(files, wall=at, **recorder)
        self.files: MemoryFiles = self.recording.files
        self.clock, self.now = self.recording.clock, self.recording.now
        self.counters = self.recording.counters
        self.encode = encode
        self.requests: list[tuple[str, Deferred[Answer]]] = []
        self.given_up: list[str] = []
        self.gaps: list[tuple[str, Gap, int]] = []
        self.warm = True
        self.killed = False
        self.played = Played(self.now)
        recorder_room = lambda name: self.recording.recorder.room("twitch", name)  # noqa: E731
        journal = Journal(self.recording.environment, "/data", "deferred")
        self.held = DeferredGaps(journal)
        around = replace(self.recording.environment, encode=encode)
        self.backfill = Backfill(
            BackfillSettings(URL, at_once),
            lambda url: self.get(url),
            around,
            self.write,
            recorder_room,
            Tails(self.files, "/data", "twitch", recorder_room, recent.record_key, self.clock.seconds),
            self.held,
            lambda low, high: (low + high) / 2,
        )
        self.pool = self.played.pool(
            around,
            lambda platform, room, hole: self.backfill.closed(room, hole),
            Limits(1000, 1000, 10.0),
            uncovered=lambda platform, room: self.backfill.uncovered(room),
        )
        self.backfill.watch(self.pool)
        self.intake = Intake(self.pool.rooms, recorder_room("_server"), around)
        for name in rooms:
            self.pool.add(Room(name, recorder_room(name), ROOM_ID))
        for name, since in (missing or {}).items():
            self.pool.rooms[name].timeline.resume(since, "restart")
        self.recording.start()
        self.backfill.startService()
        self.pool.startService()
        self.advance(0)

    @property
    def link(self) -> Connection:
        """The latest connection."""
        return self.played.connections[-1]

    def get(self, url: str) -> Deferred[Answer]:
        request: Deferred[Answer] = Deferred(lambda _: self.given_up.append(url))
        if url.endswith("?limit=1"):
            if self.warm:
                request.callback(answer())
            return request
        self.requests.append((url, request))
        return request

    def write(self, room: Room, hole: Gap, backfilled: int) -> None:
        self.gaps.append((room.name, hole, backfilled))
        line = gap_line(self.encode, "twitch", room.name, room.identifier, hole, backfilled=backfilled)
        if line:
            room.records.append(line)

    def advance(self, seconds: float) -> None:
        """Let time pass, with a flush every half second."""
        if not seconds:
            self.clock.advance(0)
        for _ in range(round(seconds * 2)):
            self.recording.advance(0.5)
            self.backfill.flushed(not self.recording.recorder.trouble)

    def ms(self, seconds: float) -> float:
        """So many seconds after the start, as Twitch writes it."""
        return (self.recording.wall + seconds) * 1000

    def live(self, *lines: str) -> None:
        class Listener:
            number = 1

            def control(self, message: object) -> None:
                pass

        self.intake.lines([line.encode() for line in lines], Listener())

    def up(self, *names: str) -> None:
        """The server acknowledges rooms."""
        if not self.link.up:
            self.played.up(self.link)
            self.clock.advance(0)
        for name in names or list(self.pool.rooms):
            self.pool.acknowledged(self.link, name)

    def down(self, heard_ago: float = 0.0) -> None:
        self.played.down(self.link, self.now() - heard_ago, "connection lost")

    def answer(self, *lines: str, n: int = -1, status: int = 200, retry_after: float = 0.0) -> None:
        self.requests[n][1].callback(answer(*lines, status=status, retry_after=retry_after))

    def records(self, room: str = "ann", chat_only: bool = True) -> list[dict[str, Any]]:
        """What is in the room's files, in order."""
        self.advance(1)
        found = []
        for area in ("sealed", "open"):
            for name, data in self.recording.contents(area).items():
                if name.startswith(f"twitch_{room}_"):
                    found += [json.loads(line) for line in data.splitlines()]
        return [r for r in found if r.get("type") != "gap"] if chat_only else found

    def stop(self) -> None:
        self.pool.stopService()
        self.backfill.stopService()
        self.recording.recorder.stopService()
        self.backfill.flushed(True)

    def end(self) -> None:
        if self.pool.running and not self.killed:
            self.stop()

    def kill(self) -> None:
        self.killed = True
        self.files.kill()


def answer(*lines: Any, status: int = 200, retry_after: float = 0.0) -> Answer:
    body = json.dumps({"messages": lines, "error": None, "error_code": None}).encode()
    return Answer(status, body, retry_after)


class BackfillCase(SynchronousTestCase):
    def life(self, *rooms: str, **options: Any) -> Life:
        life = Life(*(rooms or ("ann",)), **options)
        self.addCleanup(life.end)
        return life

    def hole(self, life: Life, away: float = 10.0) -> None:
        """The rooms are recorded, lost after 20 s, and back ``away`` seconds later; then the service is
        asked."""
        life.up()
        life.advance(20)
        life.down()
        life.advance(away)
        life.up()
        life.advance(7)

    def ids(self, life: Life, room: str = "ann") -> list[str]:
        return [record["id"] for record in life.records(room)]


class TakenTests(BackfillCase):
    """What comes back."""

    def test_messages_of_the_hole_once(self) -> None:
        """Everything said in the hole is recorded once, after the fact and marked as such; what was
        recorded before and after it is not recorded again; the gap record tells its true ends and how
        many came back."""
        life = self.life()
        life.up()
        said = [(life.ms(second), f"id-{second}") for second in range(40)]
        for second in range(40):
            if second == 20:
                life.down()
            if second == 30:
                life.up()
            if second < 20 or second >= 30:
                life.live(chat(*said[second]))
            life.advance(1)
        self.assertEqual(self.ids(life), [f"id-{n}" for n in (*range(20), *range(30, 40))])
        self.assertEqual([url for url, _ in life.requests], [f"{URL}/recent-messages/ann?limit=800"])
        self.assertEqual(life.gaps, [])
        life.answer(*[remembered(chat(*what)) for what in said])
        records = life.records(chat_only=False)
        back = [r for r in records if r["details"].get("backfilled") is True]
        self.assertEqual([r["id"] for r in back], [f"id-{n}" for n in range(20, 30)])
        self.assertEqual(back[0]["timestamp"], "2025-12-29T10:30:20.000Z")
        self.assertEqual(back[0]["received"], "2025-12-29T10:30:41.000Z")
        self.assertEqual(back[0]["type"], "message")
        self.assertEqual(back[0]["details"]["rm-received-ts"], f"{said[20][0] + 300:.0f}")
        [gap] = [r for r in records if r["type"] == "gap"]
        self.assertEqual(
            gap["details"],
            {
                "from": "2025-12-29T10:30:20.000Z",
                "to": "2025-12-29T10:30:30.000Z",
                "reason": "connection lost",
                "backfilled": 10,
            },
        )
        self.assertEqual(len(records), 41)
        self.assertEqual(life.counters.backfilled, 10)

    def test_opted_out(self) -> None:
        """What comes back leaves out who opted out meanwhile, and them in what others answer."""
        life = self.life()
        self.hole(life)
        key = Key("ab" * 32)
        person = key.of_id("7")
        entries = Entry("twitch", person), Entry("twitch", person, name=key.of_name("gone"))
        life.recording.left_out.suppressions = Suppressions(key, [entry.key for entry in entries])
        reply = {"reply-parent-user-id": "7", "reply-parent-msg-body": "secret"}
        life.answer(
            remembered(chat(life.ms(22), "theirs", text="secret", **{"user-id": "7"})),
            remembered(chat(life.ms(23), "answer", text="yes", **reply)),
            remembered(f"@login=gone;tmi-sent-ts={life.ms(24):.0f} :tmi.twitch.tv CLEARMSG #ann :secret"),
            remembered(chat(life.ms(25), "other")),
        )
        self.assertEqual(self.ids(life), ["answer", "other"])
        self.assertNotIn("secret", str(life.records()))

    def test_message_that_was_under_way(self) -> None:
        """What was said just before the last byte came, and was never delivered, comes back too; so does
        what the first moments after the join missed."""
        life = self.life()
        life.up()
        life.live(chat(life.ms(0), "id-0"))
        life.advance(19)
        life.live(chat(life.ms(18.5), "id-1"))
        life.advance(1)
        life.down()
        life.advance(10)
        life.up()
        life.live(chat(life.ms(30.2), "id-4"))
        life.advance(7)
        lines = [(18.5, "id-1"), (18.7, "id-2"), (30.1, "id-3"), (30.2, "id-4")]
        life.answer(*[remembered(chat(life.ms(at), id)) for at, id in lines])
        self.assertEqual(sorted(self.ids(life)), [f"id-{n}" for n in range(5)])
        self.assertEqual(life.gaps[0][2], 2)

    def test_all_that_people_and_moderators_do(self) -> None:
        """Chat, actions, subscriptions, deletions, time-outs and bans come back as what they are; what
        stands before or after the hole and has no id is not doubled either."""
        life = self.life()
        ban = "@ban-duration=60;room-id=1001;target-user-id=7;tmi-sent-ts={} :tmi.twitch.tv CLEARCHAT #ann {}"
        gone = "@login=eve;room-id=;target-msg-id={};tmi-sent-ts={} :tmi.twitch.tv CLEARMSG #ann :x"
        sub = "@id=id-3;login=eve;msg-id=sub;room-id=1001;tmi-sent-ts={} :tmi.twitch.tv USERNOTICE #ann"
        life.up()
        life.advance(19)
        before = [ban.format(f"{life.ms(18):.0f}", ":eve"), gone.format("a", f"{life.ms(18):.0f}")]
        life.live(*before)
        life.advance(1)
        life.down()
        life.advance(10)
        life.up()
        after = [ban.format(f"{life.ms(31):.0f}", ":eve"), gone.format("b", f"{life.ms(31):.0f}")]
        life.live(*after)
        life.advance(7)
        at = f"{life.ms(25):.0f}"
        life.answer(
            *map(remembered, before),
            remembered(chat(life.ms(25), "id-1")),
            remembered(chat(life.ms(25), "id-2", text="\x01ACTION waves\x01")),
            remembered(sub.format(at)),
            # The service leaves out the colon where it can.
            remembered(ban.format(at, "eve")),
            remembered(gone.format("c", at)),
            f"@historical=1;rm-received-ts={at};room-id=1001;tmi-sent-ts={at} :tmi.twitch.tv CLEARCHAT #ann",
            *map(remembered, after),
        )
        records = life.records()
        self.assertEqual(
            [r["type"] for r in records],
            ["timeout", "delete"] * 2 + ["message", "action", "subscription", "timeout", "delete", "clear"],
        )
        self.assertEqual((records[5]["message"], records[7]["username"]), ("waves", "eve"))
        self.assertEqual(life.gaps[0][2], 6)

    def test_live_copy_that_comes_late(self) -> None:
        """If the connection delivers a message after the service did, it is not recorded again."""
        life = self.life()
        self.hole(life)
        line = chat(life.ms(30.5), "id-1")
        life.answer(remembered(line))
        life.live(line)
        self.assertEqual(self.ids(life), ["id-1"])

    def test_more_than_the_service_remembers(self) -> None:
        """Of a hole longer than its memory only the end comes back; the gap record keeps its true
        beginning."""
        life = self.life()
        self.hole(life, away=3600)
        life.answer(*[remembered(chat(life.ms(3600 + n), f"id-{n}")) for n in range(10)])
        [(_, hole, backfilled)] = life.gaps
        self.assertEqual((hole.start, backfilled), (HALF_PAST_TEN + 20, 10))

    def test_long_hole_whose_beginning_has_left_the_disk(self) -> None:
        """What was recorded before the hole is known even if its file was finished, uploaded and deleted
        in the meantime."""
        life = self.life()
        life.up()
        life.advance(19)
        life.live(chat(life.ms(18.9), "id-1"))
        life.advance(1)
        life.down()
        life.recording.recorder.rotate_now()
        life.advance(2)
        for name in life.recording.contents("sealed"):
            life.files.remove(f"/data/sealed/{name}")
        life.up()
        life.advance(7)
        life.answer(*[remembered(chat(life.ms(at), id)) for at, id in ((18.9, "id-1"), (21.0, "id-2"))])
        self.assertEqual(self.ids(life), ["id-2"])

    def test_basic_detail(self) -> None:
        """With basic detail what comes back has the five keys too, and nothing is doubled although its
        records have no ids."""
        life = self.life(encode=encode_basic)
        life.up()
        life.advance(19)
        life.live(chat(life.ms(18.9), "id-1", text="one"))
        life.advance(1)
        life.down()
        life.advance(10)
        life.up()
        life.advance(7)
        lines = [(18.9, "one"), (18.9, "two"), (25.0, "three")]
        life.answer(*[remembered(chat(life.ms(at), f"id-{text}", text=text)) for at, text in lines])
        records = life.records()
        self.assertEqual([r["message"] for r in records], ["one", "two", "three"])
        self.assertEqual({len(r) for r in records}, {5})

    def test_lost_again_soon(self) -> None:
        """If the room is lost again right after a hole, for long, what already came back of the second
        hole with the first is not recorded twice."""
        life = self.life("ann", "bob")
        life.up()
        life.advance(20)
        life.down()
        life.advance(10)
        life.up()
        life.advance(3)
        life.down()
        life.advance(4)
        life.answer(n=1)
        lines = [remembered(chat(life.ms(at), f"id-{at}")) for at in (25, 34, 100)]
        life.answer(*lines[:2], n=0)
        self.assertEqual(self.ids(life), ["id-25", "id-34"])
        # Another room fills the memory of copies.
        life.pool.expect_copies(life.pool.rooms["bob"], 1000.0)
        for n in range(10):
            life.advance(50)
            life.live(chat(life.ms(40 + n * 50), f"other-{n}", room="bob"))
        life.up()
        life.advance(7)
        for _, request in life.requests[2:]:
            request.callback(answer(*lines))
        self.assertEqual(self.ids(life), ["id-25", "id-34", "id-100"])
        self.assertEqual([n for name, _, n in life.gaps if name == "ann"], [2, 1])

    def test_two_holes_close_together(self) -> None:
        """One answer may hold what was said in two holes; each gap record tells of its own."""
        life = self.life()
        life.up()
        life.advance(20)
        life.down()
        life.advance(2)
        life.up()
        life.advance(1)
        life.down()
        life.advance(2)
        life.up()
        life.advance(7)
        lines = [remembered(chat(life.ms(at), f"id-{at}")) for at in (20.5, 23.5, 24.5)]
        for _, request in life.requests:
            request.callback(answer(*lines))
        self.assertEqual(len(self.ids(life)), 3)
        self.assertEqual([backfilled for _, _, backfilled in life.gaps], [1, 2])

    def test_two_holes_that_touch(self) -> None:
        """When the cause of a hole changes, both parts are filled, and nothing twice."""
        life = self.life()
        life.up()
        life.advance(20)
        life.down()
        life.advance(5)
        life.played.up(life.link)
        life.clock.advance(0)
        life.pool.parted(life.link, "ann")
        life.advance(7)
        lines = [remembered(chat(life.ms(at), f"id-{at}")) for at in (21, 26, 30, 40)]
        life.answer(*lines[:3])
        life.advance(24)
        life.up()
        life.advance(7)
        life.answer(*lines)
        self.assertEqual(self.ids(life), ["id-21", "id-26", "id-30", "id-40"])
        self.assertEqual(
            [(hole.reason, backfilled) for _, hole, backfilled in life.gaps],
            [("connection lost", 1), ("parted by the server", 3)],
        )


class BelievedTests(BackfillCase):
    """What is not believed. The service is a stranger."""

    def test_only_what_belongs_there(self) -> None:
        """Lines of other rooms, of other times, without an id, of other kinds, and lines that are none
        are left out, each by itself."""
        life = self.life("ann", "bob")
        self.hole(life)
        at = life.ms(25)
        good = remembered(chat(at, "id-good"))
        others = [
            remembered(chat(at, "id-1", room="bob")),
            remembered(chat(at, "id-2", room="Ann")),
            remembered(chat(at, "id-3", room="../../etc")),
            remembered(chat(at, "id-4", **{"room-id": "666"})),
            remembered(chat(life.ms(5), "id-5")),
            remembered(chat(life.ms(45), "id-6")),
            remembered(chat(at, "id-7", **{"tmi-sent-ts": "-1"})).replace("rm-received-ts", "rm"),
            remembered(chat(10**40, "id-8")),
            remembered(chat(at, "")),
            remembered(chat(at, "id-9")) + "\r\nPING :x",
            remembered(chat(at, "id-10")) + "\0",
            remembered(chat(at, "id-11", text="x" * 70_000)),
            remembered(chat(at, "id-12")).replace("PRIVMSG", "WHISPER"),
            remembered(chat(at, "id-13")).replace("PRIVMSG", "NOTICE"),
            remembered(chat(at, "id-14")).replace("PRIVMSG", "ROOMSTATE"),
            remembered(chat(at, "id-15")).replace("PRIVMSG", "RECONNECT"),
            remembered(chat(at, "id-16")).replace(":bob!bob@bob.tmi.twitch.tv ", ""),
            remembered(chat(at, "id-17")).replace(" :hello", ""),
            f"@historical=1;room-id=1001;tmi-sent-ts={at:.0f} :tmi.twitch.tv CLEARMSG #ann :x",
            "@@@",
            "",
            "\ufffd\u202e",
            7,
            None,
            ["x"],
            {"messages": []},
        ]
        life.requests[0][1].callback(answer(*others, good, *others, good))
        life.requests[1][1].callback(answer(remembered(chat(at, "id-good"))))
        self.assertEqual(self.ids(life, "ann"), ["id-good"])
        self.assertEqual(self.ids(life, "bob"), [])
        self.assertEqual(life.records("_server"), [])
        self.assertEqual([backfilled for _, _, backfilled in life.gaps], [1, 0])

    def test_answers_that_are_none(self) -> None:
        """An answer that is no JSON, or JSON of another form, gives nothing and is said to be trouble."""
        for body in (
            b"",
            b"<html>",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b'{"messages": {}}',
            b'{"messages": "@id=1"}',
            b"[" * 100_000,
        ):
            life = self.life()
            self.hole(life)
            life.requests[0][1].callback(Answer(200, body))
            self.assertEqual([backfilled for _, _, backfilled in life.gaps], [0], body[:20])
            self.assertEqual(life.records(), [])
            self.assertTrue(life.backfill.trouble)

    def test_half_of_a_surrogate_pair(self) -> None:
        """A text that was cut within a character, in whatever line and key, costs neither the answer nor
        the line: it is recorded as bytes are that are not UTF-8, readable and whole. A byte order mark
        in front does no harm."""
        life = self.life()
        self.hole(life)
        line = remembered(chat(life.ms(25), "id-cut", text="cut here \ud83d"))
        other = remembered(chat(life.ms(26), "id-whole"))
        body = json.dumps({"messages": [line, "\udc00", other], "error": "\ud800"}).encode()
        life.requests[0][1].callback(Answer(200, b"\xef\xbb\xbf" + body))
        self.assertEqual(self.ids(life), ["id-cut", "id-whole"])
        record = life.records()[0]
        self.assertIn("cut here \ufffd", record["message"])
        whole = base64.b64decode(record["details"]["raw_base64"])
        self.assertEqual(whole, line.encode("utf-8", "surrogatepass"))
        self.assertEqual(life.backfill.trouble, "")

    def test_a_flood_of_lines(self) -> None:
        """Of more lines than the service can remember only the latest are looked at."""
        life = self.life()
        self.hole(life)
        life.answer(*[remembered(chat(life.ms(25), f"id-{n}")) for n in range(20_000)])
        self.assertEqual(life.gaps[0][2], recent.MOST_LINES)

    @settings(max_examples=150, deadline=None)
    @given(
        st.one_of(
            st.binary(max_size=200),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            ).map(lambda value: json.dumps({"messages": value}).encode()),
            st.lists(
                st.text()
                | st.builds(lambda tags, rest: f"@{tags} {rest}", st.text(), st.text())
                | st.builds(
                    lambda mark, tags: chat(1e12, "1").replace(mark, tags),
                    st.sampled_from(["id=1", "PRIVMSG", "#ann", ":bob", "1000000000000", ";", " "]),
                    st.text(),
                )
            ).map(lambda lines: json.dumps({"messages": lines}).encode()),
        )
    )
    def test_anything(self, body: bytes) -> None:
        """Whatever comes, it is refused, or gives lines of that room with a time and a name."""
        try:
            lines = recent.lines_in(200, body)
        except recent.NoAnswer as error:
            self.assertTrue(str(error).isprintable())
            return
        for line in lines:
            found = recent.chat_in(line, "ann", ROOM_ID)
            if found is not None:
                message, ms = found
                self.assertEqual(message.channel, "ann")
                self.assertGreaterEqual(ms, 0)
                self.assertIn(message.command, {"PRIVMSG", "USERNOTICE", "CLEARCHAT", "CLEARMSG"})


class AskingTests(BackfillCase):
    """How the service is asked: gently."""

    def test_one_request_for_a_hole_after_a_while(self) -> None:
        """The service is asked once for each hole, not before the end of the hole had time to arrive
        there, and never about rooms that had none."""
        life = self.life("ann", "bob")
        life.up()
        life.advance(20)
        life.down()
        life.advance(1)
        life.up("ann")
        life.advance(3)
        self.assertEqual(life.requests, [])
        life.advance(20)
        self.assertEqual([url for url, _ in life.requests], [f"{URL}/recent-messages/ann?limit=800"])

    def test_few_at_once(self) -> None:
        """Never more requests at the same time than configured, however many rooms were lost."""
        names = [f"room{n}" for n in range(30)]
        life = self.life(*names, at_once=3)
        self.hole(life)
        answered = 0
        for _ in range(20):
            self.assertLessEqual(len(life.requests) - answered, 3)
            for n in range(answered, len(life.requests)):
                life.answer(n=n)
            answered = len(life.requests)
            life.advance(1)
        self.assertEqual(answered, 30)
        self.assertEqual(len(life.gaps), 30)

    def test_refused_rooms_have_nothing_to_come_back(self) -> None:
        """A room that the server refuses is not asked for, and its gap record is written at once."""
        life = self.life()
        life.up()
        life.advance(20)
        life.pool.refused(life.link, "ann", "msg_banned")
        life.advance(305)
        life.up()
        life.advance(1)
        self.assertEqual([hole.reason for _, hole, _ in life.gaps], ["refused: msg_banned"])
        life.advance(30)
        self.assertEqual(life.requests, [])

    def test_trouble(self) -> None:
        """A service that refuses, fails or is not there costs that hole its filling and is left alone for
        longer and longer, for all rooms; that is said once when it begins and once when it ends."""
        life = self.life()
        troubles: list[Any] = [
            Answer(429, b""),
            Answer(500, b"<html>"),
            Answer(404, b"{}"),
            ConnectionRefusedError(),
            RequestFailed("no answer within 20 s"),
        ]
        life.up()
        waits = []
        with capturedLogs() as events:
            for trouble in [*troubles, answer()]:
                began = life.clock.seconds()
                request = self.next_request(life)
                waits.append(life.clock.seconds() - began)
                if isinstance(trouble, Exception):
                    request.errback(trouble)
                else:
                    request.callback(trouble)
                self.assertEqual({backfilled for _, _, backfilled in life.gaps}, {0})
        said = [event for event in events if event.get("log_namespace", "").endswith("backfill.Backfill")]
        self.assertEqual([event["log_level"] for event in said], [LogLevel.warn, LogLevel.info])
        for wait, least in zip(waits, (6, 7.5, 15, 30, 60, 120), strict=True):
            self.assertGreaterEqual(wait, least - 1)
            self.assertLess(wait, least + 15)
        self.assertEqual(life.backfill.trouble, "")

    def next_request(self, life: Life) -> Deferred[Answer]:
        """The next request, while the room has one hole after the other."""
        before, made = len(life.gaps), 0
        for _ in range(1000):
            if len(life.gaps) - before >= made:
                made += 1
                life.down()
                life.up()
            life.advance(1)
            if life.requests:
                return life.requests.pop()[1]
        raise AssertionError("nothing was asked any more")

    def test_as_long_as_it_asks_for(self) -> None:
        """If the service says when it may be asked again, it is not asked earlier, not even to warm it
        up; the holes of that time are written down as they are."""
        life = self.life()
        self.hole(life)
        life.answer(status=429, retry_after=600.0)
        asked = []
        life.get = lambda url: asked.append(url) or Deferred()  # type: ignore[method-assign,func-returns-value]
        life.down()
        life.up()
        life.advance(590)
        self.assertEqual(asked, [])
        self.assertEqual([backfilled for _, _, backfilled in life.gaps], [0, 0])
        life.down()
        life.up()
        life.advance(20)
        self.assertEqual(len(asked), 1)

    def test_room_that_the_service_never_remembers(self) -> None:
        """A room whose owner does not want to be remembered is not asked for again, which is no trouble,
        and its gap records do not wait."""
        life = self.life("ann", "bob")
        self.hole(life)
        body = json.dumps({"messages": [], "error": "x", "error_code": "channel_ignored"}).encode()
        life.requests[0][1].callback(Answer(403, body))
        life.answer(n=1)
        life.advance(1)
        life.down()
        life.up()
        self.assertEqual([name for name, _, _ in life.gaps], ["ann", "bob", "ann"])
        life.advance(20)
        self.assertEqual([url.rpartition("/")[2] for url, _ in life.requests[2:]], ["bob?limit=800"])
        self.assertEqual(life.backfill.trouble, "")

    def test_rooms_come_and_go(self) -> None:
        """Of rooms that were removed nothing is remembered once the service forgets them; one that it never
        remembers is asked for again if it comes back after that."""
        names = [f"room{number}" for number in range(100)]
        life = self.life("ann", *names)
        body = json.dumps({"messages": [], "error": "x", "error_code": "channel_ignored"}).encode()
        asked: list[str] = []
        life.get = lambda url: asked.append(url) or succeed(Answer(403, body))  # type: ignore[method-assign,func-returns-value]
        life.up()
        life.advance(220)
        self.assertEqual((len(life.backfill.asked), len(asked)), (101, 101))
        for name in names:
            life.pool.remove(name)
        life.clock.pump([60.0] * (20 * 60 + 10))
        self.assertEqual(len(life.backfill.asked), 1)
        life.pool.add(Room("room7", life.recording.recorder.room("twitch", "room7"), ROOM_ID))
        life.advance(1)
        self.assertTrue(life.backfill.asked.is_kept("room7"))
        self.assertFalse(life.backfill.asked.is_kept("ann"))

    def test_not_joined_yet(self) -> None:
        """A service that was not in the room yet may have something all the same."""
        life = self.life()
        self.hole(life)
        line = remembered(chat(life.ms(25), "id-1"))
        body = json.dumps({"messages": [line], "error": "...", "error_code": "channel_not_joined"}).encode()
        life.requests[0][1].callback(Answer(200, body))
        self.assertEqual(self.ids(life), ["id-1"])

    def test_warmed_up(self) -> None:
        """Every recorded room is asked for once at the start, one after the other, so that the service
        begins to remember it, and again before it forgets it; rooms that are not recorded are not."""
        life = self.life("ann", "bob", "eve")
        asked: list[tuple[float, str]] = []

        def get(url: str) -> Deferred[Answer]:
            asked.append((life.clock.seconds(), url))
            request: Deferred[Answer] = Deferred()
            life.clock.callLater(0.4, request.callback, answer())
            return request

        life.get = get  # type: ignore[method-assign]
        life.up("ann", "bob")
        life.advance(60)
        self.assertEqual(
            [url for _, url in asked], [f"{URL}/recent-messages/{n}?limit=1" for n in ("ann", "bob")]
        )
        self.assertGreaterEqual(asked[1][0] - asked[0][0], 2.0)
        life.up("eve")
        life.advance(10)
        self.assertEqual(len(asked), 3)
        life.clock.pump([60.0] * (20 * 60))
        life.clock.pump([1.0] * 60)
        self.assertEqual(len(asked), 6)


class HeldTests(BackfillCase):
    """Gap records that wait are never lost."""

    def test_service_that_never_answers(self) -> None:
        """A gap record waits for a minute at most, and is written without anything having come back."""
        life = self.life(at_once=1)
        life.up()
        life.advance(20)
        life.down()
        life.advance(10)
        life.up()
        life.advance(HOLD_FOR)
        self.assertEqual([backfilled for _, _, backfilled in life.gaps], [0])

    def test_request_that_cannot_begin(self) -> None:
        """The same if the service is in trouble all the time."""
        life = self.life()
        self.hole(life)
        life.answer(status=500, retry_after=3600.0)
        life.down()
        life.advance(1)
        life.up()
        life.advance(HOLD_FOR + 1)
        self.assertEqual([backfilled for _, _, backfilled in life.gaps], [0, 0])

    def test_stop(self) -> None:
        """At a stop everything that waits is written at once, requests are given up, and holes that close
        later are written at once as well."""
        life = self.life("ann", "bob")
        self.hole(life)
        life.pool.stopService()
        life.backfill.stopService()
        self.assertEqual([name for name, _, _ in life.gaps], ["ann", "bob"])
        self.assertEqual(life.given_up, [url for url, _ in life.requests])
        life.backfill.closed(life.pool.rooms["ann"], Gap(life.now(), life.now(), "restart"))
        self.assertEqual(len(life.gaps), 3)
        life.recording.recorder.stopService()
        life.backfill.flushed(True)
        self.assertEqual(life.clock.getDelayedCalls(), [])
        self.assertEqual(life.files.fds, {})
        again = self.life("ann", "bob", files=life.files, at=life.now() + 10)
        again.advance(20)
        self.assertEqual((again.requests, again.gaps), ([], []))

    def test_killed_while_held(self) -> None:
        """A process that is killed while a gap record waits leaves it to the next one, which fills the
        hole and writes it; what both processes recorded around it is not doubled."""
        life = self.life()
        life.up()
        life.advance(19)
        life.live(chat(life.ms(18.9), "id-1"))
        life.advance(1)
        life.down()
        life.advance(10)
        life.up()
        life.advance(1)
        life.live(chat(life.ms(30.5), "id-3"))
        life.advance(1)
        life.kill()
        lines = [
            remembered(chat(life.ms(at), id)) for at, id in ((18.9, "id-1"), (25, "id-2"), (30.5, "id-3"))
        ]
        second = self.life(files=life.files, at=life.now() + 5)
        second.advance(7)
        second.answer(*lines)
        [(name, hole, backfilled)] = second.gaps
        self.assertEqual(
            (name, hole, backfilled),
            ("ann", Gap(HALF_PAST_TEN + 20, HALF_PAST_TEN + 30, "connection lost"), 1),
        )
        self.assertEqual(sorted(self.ids(second)), ["id-1", "id-2", "id-3"])
        second.advance(1)
        second.kill()
        third = self.life(files=second.files, at=second.now() + 5)
        third.advance(20)
        self.assertEqual((third.requests, third.gaps), ([], []))

    def test_killed_before_the_flush(self) -> None:
        """A gap record that was written but is not in a file when the process is killed comes again; one
        that is in a file does not."""
        life = self.life()
        self.hole(life)
        life.answer()
        self.assertEqual(len(life.gaps), 1)
        life.kill()
        second = self.life(files=life.files, at=life.now() + 5)
        second.advance(7)
        second.answer()
        self.assertEqual(len(second.gaps), 1)

    def test_restart(self) -> None:
        """The hole of a restart is filled too; what the earlier process recorded just before it, which is
        only in its files, is not doubled."""
        life = self.life()
        life.up()
        life.advance(9)
        life.live(chat(life.ms(8.9), "id-1"))
        life.advance(1)
        life.stop()
        second = self.life(files=life.files, at=life.now() + 30, missing={"ann": life.now()})
        second.up()
        second.advance(7)
        lines = [(8.9, "id-1"), (9.8, "id-2"), (20, "id-3"), (42, "id-4")]
        second.answer(*[remembered(chat(life.ms(at), id)) for at, id in lines])
        self.assertEqual(sorted(self.ids(second)), ["id-1", "id-2", "id-3", "id-4"])
        self.assertEqual(second.gaps[0][2], 3)

    def test_restart_without_the_earlier_files(self) -> None:
        """If the earlier process's files are gone, nothing from before the hole is believed to be
        missing."""
        life = self.life(at=HALF_PAST_TEN + 30, missing={"ann": HALF_PAST_TEN})
        life.up()
        life.advance(7)
        lines = [(-30.5, "id-1"), (-29.5, "id-2")]
        life.answer(*[remembered(chat(life.ms(at), id)) for at, id in lines])
        self.assertEqual(self.ids(life), ["id-2"])

    def test_strange_file(self) -> None:
        """Whatever is in the file of deferred gaps, the process starts, and what can be understood counts."""
        files = MemoryFiles()
        good = {
            "deferred": 3,
            "room": "ann",
            "from": HALF_PAST_TEN - 60,
            "to": HALF_PAST_TEN - 50,
            "reason": "x",
        }
        strange: list[Any] = [
            good | {"deferred": 4, "from": -1},
            good | {"deferred": 5, "to": 1e300},
            good | {"deferred": 6, "room": "../up"},
            good | {"deferred": 7, "from": None},
            [],
            7,
            {"done": []},
            {"done": [[], "x"]},
            {"done": None},
            {"done": [99]},
            "x",
        ]
        StateFile(files, "/data", "deferred").replace([*strange, good])
        files.put(
            "/data/state/deferred", b"\xff\n" + files.content("/data/state/deferred") + b'12345678 9 {"def'
        )
        life = self.life(files=files)
        life.advance(7)
        life.answer()
        self.assertEqual([name for name, _, _ in life.gaps], ["ann"])

    def test_room_that_is_no_longer_recorded(self) -> None:
        """A hole that an earlier process left of a room that nobody wants any more is written all the
        same."""
        life = self.life()
        self.hole(life)
        life.kill()
        second = self.life("bob", files=life.files, at=life.now() + 5)
        second.advance(HOLD_FOR + 1)
        self.assertEqual([name for name, _, _ in second.gaps], ["ann"])
        self.assertEqual([r["type"] for r in second.records("ann", chat_only=False)], ["gap"])
