"""chatlog status --watch: one screen that fits."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.api_client import ApiError
from chatlog.commands.watch import HOME, Watch
from chatlog.commands.watch_screen import columns, fitted, screen
from tests.scene import Scene


def facts_of(scene: Scene) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """What a recorder answers: its status, its busiest rooms, those with a problem."""
    facts = scene.facts(rooms=True)
    rooms = sorted(facts.pop("rooms"), key=lambda room: -room["rate"])
    return facts, rooms, [room for room in rooms if room["problem"]]


class ScreenTests(SynchronousTestCase):
    """A recorder of 60 rooms, a few of which are refused."""

    def setUp(self) -> None:
        self.scene = Scene(60).start().recorded()
        self.addCleanup(self.scene.stop)
        for name in ("room3", "room10", "room20"):
            [subscription] = self.scene.pool.rooms[name].subscriptions
            self.scene.pool.refused(subscription.connection, name, "msg_banned")
        for _ in range(70):
            self.scene.say("room5", 3)
            self.scene.say("room7")
            self.scene.advance(1)

    def words(self, width: int, height: int) -> list[str]:
        return [line.words for line in screen(*facts_of(self.scene), width, height)]

    def test_everything(self) -> None:
        """Headline, messages a minute, what is wrong with what to do, platforms, the rooms with a problem and
        why, the busiest rooms."""
        lines = self.words(200, 40)
        self.assertEqual(lines[0], "Recording 57 of 60 rooms; 3 rooms are refused")
        self.assertRegex(lines[1], r"\A\d\d:\d\d:\d\d UTC  Chatlog .*, 2[34]\d messages a minute\Z")
        text = "\n".join(lines)
        self.assertIn("3 rooms of 60 are refused: room3, room10, room20", text)
        self.assertIn("Read anonymously", text)
        self.assertIn("twitch    57 of 60 rooms recorded, 1 of 1 connection up", text)
        self.assertRegex(text, r"twitch/room3 +refused: the account that reads is banned there")
        at = lines.index("Busiest rooms")
        self.assertRegex(lines[at + 1], r"twitch/room5 +180/min")
        self.assertRegex(lines[at + 2], r"twitch/room7 +60/min")

    def test_what_the_headline_counts(self) -> None:
        """What the headline only counts is shown below it, so it sends nobody elsewhere."""
        facts, busiest, troubled = facts_of(self.scene)
        headline = {"severity": "warning", "text": "a; b; 1 more: see the overview or chatlog status"}
        lines = screen({**facts, "headline": headline}, busiest, troubled, 200, 40)
        self.assertEqual(next(iter(lines)).words, "a; b; 1 more")

    def test_fits(self) -> None:
        """Whatever the size, there are never more lines or columns, and the headline is always there."""
        for height in range(1, 30):
            for width in (1, 10, 40, 80, 200):
                lines = self.words(width, height)
                self.assertLessEqual(len(lines), height)
                self.assertTrue(all(columns(line) <= width for line in lines), (width, height))
                self.assertEqual(lines[0], fitted("Recording 57 of 60 rooms; 3 rooms are refused", width))

    def test_older_recorder(self) -> None:
        """Facts of another version, or none at all, are shown as far as they go."""
        odd: list[dict[str, Any]] = [
            {},
            {"platforms": []},
            {"platforms": [{}], "conditions": [{}], "headline": 1, "now": "x"},
        ]
        for facts in odd:
            self.assertTrue(screen(facts, [{}], [{}], 80, 24))

    @given(st.text(max_size=60), st.integers(1, 50))
    def test_any_text(self, text: str, width: int) -> None:
        """Wide characters take two columns, and none is cut in half."""
        self.assertLessEqual(columns(fitted(text, width)), width)


class Interrupted(Exception):
    """Ctrl-C."""


class WatchTests(SynchronousTestCase):
    """Looking again and again."""

    def run_watch(self, api: Any, waits: list[bool], sizes: list[tuple[int, int]]) -> list[str]:
        """What is written until the waits are used up."""
        written: list[str] = []

        def wait(seconds: float) -> bool:
            if not waits:
                raise Interrupted
            return waits.pop(0)

        def size() -> tuple[int, int]:
            return sizes.pop(0) if len(sizes) > 1 else sizes[0]

        watch = Watch(api, written.append, lambda line: line.words, size, wait)
        self.assertRaises(Interrupted, watch.run)
        return written

    def test_resized(self) -> None:
        """A terminal whose size changes is drawn at once, with what is known."""
        asked: list[str] = []

        class Api:
            def status(self) -> dict[str, Any]:
                asked.append("status")
                return {"headline": {"severity": "ok", "text": "Recording all 3 rooms"}, "platforms": []}

            def some_rooms(self, limit: int, sort: str, problems: bool = False) -> list[dict[str, Any]]:
                return []

        written = self.run_watch(Api(), [True, False], [(80, 24), (80, 24), (9, 24), (9, 24)])
        self.assertEqual(len(written), 3)
        self.assertEqual(len(asked), 2)
        self.assertTrue(all(text.startswith(HOME) for text in written))
        self.assertIn("Recording all 3 rooms", written[0])
        self.assertIn("Recordi…", written[1])

    def test_nobody_there(self) -> None:
        """A recorder that does not answer is shown as such, and asked again."""

        class Api:
            def status(self) -> dict[str, Any]:
                raise ApiError("no answer from 127.0.0.1:8080")

        written = self.run_watch(Api(), [False], [(80, 24)])
        self.assertEqual(len(written), 2)
        self.assertIn("no answer from 127.0.0.1:8080", written[0])
