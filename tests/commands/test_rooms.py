"""Adding rooms, and the reports about each."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands import rooms
from chatlog.commands.api_client import ApiError
from chatlog.config.room_names import RoomName

ANN, BOB = RoomName("twitch", "ann"), RoomName("kick", "bob")
JOINING = {"state": "requested", "problem": "waiting", "reason": "Twitch has not confirmed it yet"}
RECORDED = {"state": "recorded", "problem": "", "reason": ""}


class Recorder:
    """Answers from lists: each request for a room takes the next of its facts, and repeats the last."""

    def __init__(self, **facts: list[dict[str, Any] | None]) -> None:
        self.facts = facts
        self.there: set[RoomName] = set()
        self.refusal: ApiError | None = None
        self.now = 0.0

    def add(self, platform: str, name: str, chatroom_id: int | None = None) -> bool:
        if self.refusal is not None:
            raise self.refusal
        room = RoomName(platform, name)
        new = room not in self.there
        self.there.add(room)
        return new

    def remove(self, platform: str, name: str) -> bool:
        if self.refusal is not None:
            raise self.refusal
        return RoomName(platform, name) in self.there

    def room(self, platform: str, name: str) -> dict[str, Any] | None:
        facts = self.facts[name]
        return facts.pop(0) if len(facts) > 1 else facts[0]

    def acknowledge(self, platform: str, name: str, known: bool = True) -> None:
        if self.refusal is not None:
            raise self.refusal

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class AddTests(SynchronousTestCase):
    """chatlog rooms add."""

    def added(self, recorder: Recorder, *names: RoomName, wait: float = 15.0) -> list[tuple[str, bool]]:
        outcomes = rooms.add(recorder, names, None, lambda: recorder.now, recorder.sleep, wait)
        return [(f"{outcome.room}: {outcome.words}", outcome.fine) for outcome in outcomes]

    def test_recorded(self) -> None:
        """It is waited for until the platform has confirmed the room, and no longer."""
        recorder = Recorder(ann=[JOINING, JOINING, RECORDED])
        self.assertEqual(self.added(recorder, ANN), [("twitch/ann: is recorded", True)])
        self.assertEqual(recorder.now, 1.0)
        recorder = Recorder(ann=[RECORDED])
        recorder.there.add(ANN)
        self.assertEqual(
            self.added(recorder, ANN), [("twitch/ann: was on the list already, and is recorded", True)]
        )

    def test_each_on_its_own(self) -> None:
        """What is known of one is said at once, however long another takes; that one is waited for so long
        and no longer."""
        facts = {"state": "wanted", "problem": "unidentified", "reason": "Kick knows no channel of that name"}
        recorder = Recorder(ann=[JOINING], bob=[{**facts, "remedy": "Check the spelling."}])
        self.assertEqual(
            self.added(recorder, ANN, BOB),
            [
                ("kick/bob: not recorded: Kick knows no channel of that name. Check the spelling.", False),
                (
                    "twitch/ann: still waiting: Twitch has not confirmed it yet; to see it again: chatlog "
                    "rooms list",
                    False,
                ),
            ],
        )
        self.assertLessEqual(recorder.now, 16.0)

    def test_no_wait(self) -> None:
        """Without waiting it is only added."""
        recorder = Recorder(ann=[JOINING])
        self.assertEqual(self.added(recorder, ANN, wait=0.0), [("twitch/ann: added", True)])
        self.assertEqual(recorder.now, 0.0)

    def test_removed_meanwhile(self) -> None:
        """Another user may remove it."""
        self.assertEqual(
            self.added(Recorder(ann=[None]), ANN), [("twitch/ann: removed again by another user", False)]
        )

    def test_refused(self) -> None:
        """An error about one room is reported for that room; an error about all ends the command."""
        recorder = Recorder()
        recorder.refusal = ApiError("the name is no login", 400)
        self.assertEqual(self.added(recorder, ANN), [("twitch/ann: not added: the name is no login", False)])
        recorder.refusal = ApiError("http.token is not taken", 401)
        with self.assertRaises(ApiError):
            self.added(recorder, ANN)

    def test_hostile_reason(self) -> None:
        """What a platform says cannot move the cursor."""
        facts = {"state": "refused", "problem": "refused", "reason": "\x1b[2J"}
        [(words, _)] = self.added(Recorder(ann=[facts]), ANN)
        self.assertNotIn("\x1b", words)


class RemoveTests(SynchronousTestCase):
    """chatlog rooms remove and acknowledge."""

    def test_remove(self) -> None:
        """Each room is reported as removed, or as not on the list."""
        recorder = Recorder()
        recorder.there.add(ANN)
        self.assertEqual(
            [(outcome.words, outcome.fine) for outcome in rooms.remove(recorder, [ANN, BOB])],
            [("removed; what was recorded stays", True), ("was not on the list", False)],
        )

    def test_acknowledge(self) -> None:
        """So is each that is acknowledged; what the recorder says of one does not keep the others."""
        recorder = Recorder()
        self.assertTrue(all(outcome.fine for outcome in rooms.acknowledge(recorder, [ANN, BOB], True)))
        recorder.refusal = ApiError("this room is recorded", 409)
        words = [outcome.words for outcome in rooms.acknowledge(recorder, [ANN, BOB], True)]
        self.assertEqual(words, ["this room is recorded"] * 2)
        recorder.refusal = ApiError("no answer")
        with self.assertRaises(ApiError):
            list(rooms.remove(recorder, [ANN]))
