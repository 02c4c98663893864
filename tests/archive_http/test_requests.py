"""How often an answer asks a store that is far away, and that it is the same as from one that is near."""

from __future__ import annotations

from typing import Any

from chatlog.archive.opening import Archive
from chatlog.archive.read_ahead import ReadAhead
from chatlog.archive.reader import Reader
from chatlog.archive.room_files import Parts
from chatlog.archive_http.asked import Asked, Refused, Stream, Work
from chatlog.archive_http.routes import Routes
from chatlog.store.directory_store import DirectoryStore
from tests.archive.world import gap
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg
from tests.upkeep.test_expire import Cutting

DAY = "/channel/testchan/2026/3/1"
HOUR = 3600.0


class FarCase(ArchiveCase):
    """Files of every hour, of which one has a gap, in a store that counts what it is asked for."""

    def setUp(self) -> None:
        super().setUp()
        for hour in range(28):
            at = round(hour * HOUR * 1000)
            said = [privmsg(at + n, f"hello {hour} {n} " + "x" * 400) for n in range(30)]
            hole = [gap(MARCH + 3 * HOUR + 100, MARCH + 3 * HOUR + 200)] if hour == 3 else []
            self.world.put(MARCH + hour * HOUR, [*said, *hole], room=ROOM)
        self.world.put(MARCH - HOUR, [privmsg(-10_000, "before")], room=ROOM)
        self.counted = Cutting(DirectoryStore(self.world.archive))
        self.world.store = self.counted  # type: ignore[assignment]
        archive = self.world.opened()
        parts = Parts(archive.catalog, self.world.files, "", ReadAhead())
        now = lambda: self.world.now  # noqa: E731
        reader = Reader(parts, now, hidden=archive.hidden)
        self.far = Archive(self.counted, archive.catalog, parts, reader, archive.tail, hidden=archive.hidden)
        self.routes = Routes(self.far, now)

    def ask_far(self, path: str, **query: str) -> Any:
        """The answer of one request from the store far away."""
        self.counted.calls.clear()
        route = self.routes.find(path)
        assert route is not None
        return route.handle(Asked(query, Work(self.far.reader)))

    def asked_for(self, name: str) -> list[str]:
        return sorted(key for each, key in list(self.counted.calls) if each == name)


class DayTests(FarCase):
    def test_a_day_as_text(self) -> None:
        """The day of a room that is there needs no list of all rooms, its files are listed once, and each of
        them is read twice: for the gaps in the head of the answer, and for its records."""
        answer = self.ask_far(DAY)
        assert isinstance(answer, Stream)
        body = b"".join(answer.chunks)
        self.assertEqual(
            [key for key in self.asked_for("list") if not key.startswith("optout/")],
            [
                f"2026/0{month}/testchan/".replace("/testchan", "/twitch/testchan")
                for month in ("2/28", "3/01", "3/02")
            ],
        )
        self.assertEqual(set(self.asked_for("folders")), {"bundle/2026/02/", "bundle/2026/03/"})
        reads = self.asked_for("read")
        self.assertEqual(len(set(reads)), 27)
        self.assertLessEqual(max(map(reads.count, reads)), 2)
        near = self.ask(DAY)
        self.assertEqual(near.body, body)
        self.assertEqual(near.headers["x-chatlog-gaps"], answer.headers["x-chatlog-gaps"])
        self.assertIn("connection lost", answer.headers["x-chatlog-gaps"])

    def test_again(self) -> None:
        """The second time, the gaps are known, and nothing is listed."""
        for _ in range(2):
            answer = self.ask_far(DAY)
            b"".join(answer.chunks)
        self.assertEqual(self.asked_for("list"), [])
        self.assertEqual(len(self.asked_for("read")), 27)

    def test_no_such_room(self) -> None:
        """A room that is not there is refused as such, with names that are alike, and one that is there on
        other days only is not."""
        for path, code in (
            ("/channel/testchann/2026/3/1", "no_such_room"),
            ("/channel/_server/2026/3/1", "no_such_room"),
            ("/channel/..%2f/2026/3/1", "no_such_room"),
            ("/channel/testchan/2026/2/1", "no_logs"),
            ("/channel/testchan/2026/2/1", "no_logs"),
        ):
            with self.assertRaises(Refused) as raised:
                self.ask_far(path)
            self.assertEqual(raised.exception.code, code, path)


class SearchTests(FarCase):
    def test_many_rooms(self) -> None:
        """A search finds the same in a store that is far away, whatever is asked, and reads several rooms at
        the same time."""
        for n in range(9):
            at = round(2 * HOUR * 1000) + n
            self.world.put(
                MARCH + 2 * HOUR, [privmsg(at, f"word{n % 3}", f"user{n}")], room=("twitch", f"r{n}")
            )
        path = "/api/v1/archive/search"
        for q, limit, order in (
            ("word1", "2", "newest"),
            ("word1", "100", "oldest"),
            ("hello", "7", "newest"),
            ("nobody", "5", "newest"),
            ("word", "9", "oldest"),
        ):
            query = {"q": q, "limit": limit, "order": order, "from": "2026-02-27T00:00:00Z"}
            answer = self.ask_far(path, **query)
            lines = b"".join(answer.chunks).splitlines()
            words = "&".join(f"{name}={value}" for name, value in query.items())
            near = self.ask(f"{path}?{words}").body.splitlines()
            own, others = ([line for line in each if b"progress" not in line] for each in (lines, near))
            self.assertEqual(own, others, query)
