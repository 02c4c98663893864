"""From Parquet and from the objects alone, the same is found, in the same order, and the same is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.compacted import Compacted
from chatlog.archive.file_cache import FileCache
from chatlog.archive.matching import Filter
from chatlog.archive.parquet_sources import IN_ORDER, LAYOUT, LAYOUT_KEY, LISTING, RECORDS, STREAMS, key_of
from chatlog.archive.person_rows import Wanted
from chatlog.archive.question import Cancelled, Question
from chatlog.archive.reader import Reader
from chatlog.parquet import duck
from chatlog.record import encode_basic, encode_full, rfc3339
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.compact import Compactor
from chatlog.upkeep.indexing import Indexer
from chatlog.upkeep.lock import ArchiveLock
from tests.archive.world import MIDNIGHT, ROOM, World, gap, said
from tests.upkeep.test_expire import Cutting

DAY, HOUR = 86400.0, 3600.0
EXAMPLES = int(os.environ.get("CHATLOG_EXAMPLES", "5"))
ROOMS = [("twitch", "a"), ("kick", "a")]
#: People as they write: name and id. One has two names, one has none, and two have the same name.
PEOPLE = [("ann", "1"), ("anna", "1"), ("ann", "2"), ("ann", ""), ("", "1"), ("bob", "3")]
WANTED = ["ann", "anna", "bob", "id:1", "id:2", "nobody"]
#: A message: milliseconds into the file's hour, who, of which kind, and how many are the same.
MESSAGES = st.tuples(
    st.one_of(st.sampled_from([0, 1, 999, 1000, 3_599_000]), st.integers(0, 3_599_999)),
    st.sampled_from(PEOPLE),
    st.sampled_from(["plain", "plain", "plain", "untimed", "nameless", "untimed nameless", "basic", "odd"]),
    st.integers(0, 3),
)
#: A file: day, hour, recorder, messages, a gap, and whether it has all that the file before has, as another
#: recorder heard it.
FILES = st.tuples(
    st.integers(0, 4),
    st.sampled_from([0, 1, 12, 23]),
    st.sampled_from(["", "one", "one", "import20260101000000"]),
    st.lists(MESSAGES, max_size=5),
    st.booleans(),
    st.booleans(),
)


def line(room: tuple[str, str], begun: float, recorder: str, message: Any) -> tuple[float, bytes]:
    """A record as a recorder writes it, and its time: with the platform's time and id, or without. An event
    that several recorders heard has the same id, and the platform's time; each has its own time of
    arrival."""
    ms, (name, user), kind, same = message
    arrived = round(begun * 1000) + ms + {"": 0, "one": 120}.get(recorder, 350)
    at = arrived if "untimed" in kind else round(begun * 1000) + ms
    time, received = rfc3339(at), rfc3339(arrived)
    if kind == "basic":
        return at, encode_basic(time, room[1], name, user, "hello", "message", "", room[0], "7", time, {})
    id = "" if "nameless" in kind else f"{kind}-{name}-{user}-{same}-{round(begun)}-{ms}"
    details: dict[str, Any] = {"user-id": user, "color": "#fff", "badges": "vip/1", "command": "PRIVMSG"}
    if room[0] == "kick":
        details = {"id": id, "sender": {"id": 1, "slug": name, "identity": {"color": ""}}, "event": "E"}
    if kind == "odd":
        details["mod"] = {"a": [1.5, None]}
    return at, encode_full(
        time, room[1], name, user, f"hello {same}", "message", id, room[0], "7", received, details
    )


class ParquetCase(SynchronousTestCase):
    """An archive of a few days."""

    def setUp(self) -> None:
        self.home = self.mktemp()
        self.world = World(self.home)

    def make(self, world: World) -> None:
        """Make Parquet and index of all days that are over."""
        archive = world.opened()
        days = [day for day in map(date.fromisoformat, archive.catalog.days()) if day < date(2026, 1, 2)]
        with ArchiveLock(archive.store, "compact", lambda: world.now, renewing=False) as lock:
            Compactor(archive, lambda: world.now).run(days, None, lock)
            Indexer(archive, lambda: world.now).run(days, None, lock)

    def readers(self, world: World) -> tuple[Reader, Reader]:
        """One that reads the objects alone, and one that reads Parquet."""
        plain = world.opened().reader
        world.with_index = world.with_parquet = True
        return plain, world.opened().reader

    def answer(self, reader: Reader, question: Question) -> tuple[Any, ...]:
        answer = reader.ask(question)
        found = [(each.time, orjson.loads(each.line)) for each in answer]
        return found, answer.report.gaps, answer.report.unread

    def same(self, world: World, questions: Sequence[Question]) -> None:
        plain, ours = self.readers(world)
        for question in questions:
            expected = self.answer(plain, question)
            for _ in range(2):
                self.assertEqual(self.answer(ours, question), expected, question)


class BothWaysTests(ParquetCase):
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(ROOMS),
        st.lists(FILES, min_size=1, max_size=7),
        st.lists(st.lists(st.sampled_from(WANTED), min_size=1, max_size=2), min_size=2, max_size=3),
        st.booleans(),
        st.booleans(),
        st.sets(st.integers(0, 4), max_size=2),
    )
    def test_the_same(
        self,
        room: tuple[str, str],
        files: Any,
        wanted: list[list[str]],
        far: bool,
        opts_out: bool,
        gone: set[int],
    ) -> None:
        """Whatever was recorded: by two recorders and an import, with copies, without ids and times, over
        midnight, in basic detail, by people who changed their names or opted out; for whole days and for
        parts of them, with and without Parquet, the oldest or the newest first; in a directory and in a
        store."""
        home = self.mktemp()
        world = World(home)
        before: tuple[int, int, list[Any]] = (0, 0, [])
        for number, (day, hour, recorder, messages, has_gap, copies) in enumerate(files):
            if copies:
                day, hour, messages = *before[:2], [*before[2], *messages]
            before = day, hour, messages
            at = MIDNIGHT + day * DAY + hour * HOUR
            said = sorted((line(room, at, recorder, each) for each in messages), key=lambda pair: pair[0])
            lines = list(dict.fromkeys(text for _, text in said))
            if has_gap or not lines:
                lines.append(gap(at + 10, at + 700 + number))
            world.put(at, lines, instance=recorder, room=room, n=1 + number)
        self.make(world)
        for day in gone:
            key = key_of(room, date(2025, 12, 29) + timedelta(days=day))
            Path(world.archive, *key.split("/")).unlink(missing_ok=True)
        if opts_out:
            world.opt_out("1", "ann", platform=room[0])
        if far:
            world.store = Cutting(DirectoryStore(world.archive))  # type: ignore[assignment]
        filters = [Filter(users=tuple(users)) for users in wanted]
        spans = [(0.0, MIDNIGHT + 9 * DAY), (MIDNIGHT + HOUR, MIDNIGHT + 3 * DAY + 5 * HOUR)]
        self.same(
            world,
            [
                Question(room, since, until, each, newest)
                for each in filters
                for since, until in spans
                for newest in (False, True)
            ],
        )
        shutil.rmtree(home)


class FallbackTests(ParquetCase):
    """A person who wrote on three days, recorded by two recorders."""

    DAY = key_of(ROOM, date(2025, 12, 30))

    made = ""

    def setUp(self) -> None:
        super().setUp()
        if not self.made:
            # To make it takes longer than to copy it.
            type(self).made = os.path.abspath(self.mktemp())
            self.write(World(self.made))
        shutil.rmtree(self.home)
        shutil.copytree(self.made, self.home)
        self.question = Question(ROOM, MIDNIGHT, MIDNIGHT + 3 * DAY, Filter(users=("ann",)))

    def write(self, world: World) -> None:
        for day, hour in product(range(3), (0, 12)):
            at = MIDNIGHT + day * DAY + hour * HOUR
            lines = [
                said(
                    at + n, f"{day} {hour} {n}", ("ann", "bob")[n % 9 > 0], f"{day}-{hour}-{n}", at + n + 0.2
                )
                for n in range(90)
            ]
            world.put(at, lines, instance="one")
            world.put(at, [*lines[:30], gap(at + 30, at + 900)], instance="two")
        self.make(world)

    def path(self, key: str = DAY) -> Path:
        return Path(self.world.archive, *key.split("/"))

    def object(self, hour: int = 12) -> Path:
        return Path(self.world.archive, "2025/12/30/twitch/a", f"twitch_a_20251230_{hour:02}00_one.jsonl.zst")

    def files_read(self, question: Question | None = None) -> int:
        """How many objects are read for an answer, which is the right one."""
        plain, ours = self.readers(self.world)
        expected = self.answer(plain, question or self.question)
        answer = ours.ask(question or self.question)
        found = [(each.time, orjson.loads(each.line)) for each in answer]
        self.assertEqual((found, answer.report.gaps, answer.report.unread), expected)
        return answer.report.files

    def test_used(self) -> None:
        """No object is read for days that are compacted, whichever come first. Somebody's ids are names of
        the same person."""
        self.assertEqual(self.files_read(), 0)
        self.assertEqual(self.files_read(replace(self.question, newest=True)), 0)
        self.assertEqual(self.files_read(replace(self.question, filter=Filter(users=("id:a1", "nobody")))), 0)
        self.assertEqual(self.files_read(replace(self.question, filter=Filter("12 9", users=("ann",)))), 0)

    def test_bytes(self) -> None:
        """The lines of an ordinary recorder come back byte for byte."""
        _, ours = self.readers(self.world)
        archive = self.world.opened()
        stored = {found.line for found in archive.reader.ask(replace(self.question, filter=Filter()))}
        found = [found.line for found in ours.ask(self.question)]
        self.assertEqual(len(found), 60)
        self.assertLessEqual(set(found), stored)

    def test_everybody(self) -> None:
        """Somebody who wrote most of a day is found in the objects, which is faster."""
        by_bob = replace(self.question, filter=Filter(users=("bob",)))
        self.assertEqual(self.files_read(by_bob), 0)
        self.world.most_rows = 100
        self.assertGreater(self.files_read(by_bob), 4)
        self.assertEqual(self.files_read(), 0)

    def test_partly(self) -> None:
        """Of a day that is asked for in part, the objects are read."""
        self.assertGreater(self.files_read(replace(self.question, since=MIDNIGHT + HOUR)), 0)

    def test_not_there(self) -> None:
        """Where a file is missing, cut off, damaged, of another day, or no Parquet, the objects of that day
        are read."""
        whole = self.path().read_bytes()
        other = self.path(key_of(ROOM, date(2025, 12, 29))).read_bytes()
        for data in (None, whole[:-40], b"", b"PAR1", whole[:400] + b"\0" * 900 + whole[1300:], other):
            self.path().unlink()
            if data is not None:
                self.path().write_bytes(data)
            self.assertGreater(self.files_read(), 1)
            self.path().write_bytes(whole)
        self.assertEqual(self.files_read(), 0)

    def test_changed(self) -> None:
        """Where an object has changed, is gone, or has come since, the objects of the days that it may have
        records of are read, and what cannot be read of them is said."""
        data = self.object().read_bytes()
        self.object().write_bytes(data[:-20])
        self.assertGreater(self.files_read(), 1)
        self.object().unlink()
        self.assertGreater(self.files_read(), 1)
        self.object().write_bytes(data)
        self.assertEqual(self.files_read(), 0)
        at = MIDNIGHT + DAY + 6 * HOUR
        self.world.put(at, [said(at, "late", "ann", "late")], instance="three")
        self.assertGreater(self.files_read(), 1)

    def test_filled_in_later(self) -> None:
        """What was filled in of a day after a gap over midnight is in a file of the next day, in which nobody
        looks for it who asks for the day alone; who asks for both finds it."""
        at = MIDNIGHT + DAY + 3 * HOUR
        filled = said(MIDNIGHT + 23 * HOUR, "filled in", "ann", "filled", received=at + 60)
        self.world.put(at, [said(at, "new", "ann", "new"), filled], instance="one")
        self.make(self.world)
        self.assertGreater(self.files_read(), 0)

    def test_times_apart(self) -> None:
        """Where times are read one after the other, a file that is read for two of them spoils the order of
        neither."""
        world = World(self.mktemp())
        world.put(MIDNIGHT, [said(MIDNIGHT + 503, "second", "ann", "second")], instance="one")
        early = said(MIDNIGHT + 32, "first", "ann", "first")
        world.put(MIDNIGHT, [early, said(MIDNIGHT + 3590, "last", "bob", "last")], instance="one", n=2)
        self.make(world)
        os.unlink(Path(world.archive, *key_of(ROOM, date(2025, 12, 29)).split("/")))
        self.same(world, [replace(self.question, since=MIDNIGHT - 5 * DAY)])

    def test_opted_out(self) -> None:
        """Nobody who opted out is found, also in what was looked up before."""
        self.readers(self.world)
        archive = self.world.opened()
        self.assertEqual(len(list(archive.reader.ask(self.question))), 60)
        self.world.opt_out("a1", "ann")
        self.world.now += 60
        self.assertEqual(list(archive.reader.ask(self.question)), [])

    def test_limits(self) -> None:
        """An answer that ends early says how far it came, and the next one goes on from there."""
        for newest in (False, True):
            _, ours = self.readers(self.world)
            question = replace(self.question, newest=newest, most_bytes=1)
            found: list[Any] = []
            for _ in range(9):
                answer = ours.ask(question)
                found += [each.line for each in answer]
                if not answer.report.stopped:
                    break
                assert answer.report.reached is not None
                if newest:
                    question = replace(question, until=answer.report.reached)
                else:
                    question = replace(question, since=answer.report.reached)
            self.assertEqual(len(found), 60)
            self.assertEqual(len(set(found)), 60)

    def test_cancelled(self) -> None:
        """An answer may be cancelled at any time."""
        _, ours = self.readers(self.world)
        answer = ours.ask(self.question)
        records = iter(answer)
        next(records)
        answer.cancel()
        self.assertRaises(Cancelled, list, records)


class LargeFileTests(ParquetCase):
    """A file of which not everything is fetched."""

    def test_groups(self) -> None:
        """Of a large file only the rows of those who are looked for are fetched, and nobody is missed."""
        random = Random(1)
        lines = [
            said(MIDNIGHT + n, random.randbytes(100).hex(), f"{n % 700:03} ", f"id-{n}") for n in range(8000)
        ]
        lines += [said(MIDNIGHT + 9000, "by name alone", "399 ").replace(b'"user_id":"31"', b'"user_id":""')]
        store = self.store(lines)
        cache = FileCache(store, str(Path(self.home, "cache")), 64 << 20)
        ours = Compacted(store, cache, lambda: self.world.now, whole=1000)
        size = Path(self.world.archive, *self.key.split("/")).stat().st_size
        there = []
        for name, others in (("699 ", ()), ("000 ", ("",)), ("399 ", ("",)), ("nobody", ("",))):
            wanted = Wanted(frozenset(), frozenset({name}), frozenset({f"{name[0]}1", *others}))
            compacted = ours.of_days(ROOM, {"2025-12-29": "listing"}, wanted)["2025-12-29"]
            expected = [line.strip() for line in lines if orjson.loads(line)["username"] == name]
            self.assertEqual(list(compacted.lines), expected)
            files = Path(self.home, "cache").glob("*.data")
            there.append(sum(path.stat().st_blocks * 512 for path in files))
        self.assertEqual(ours.of_days(ROOM, {"2025-12-29": "another listing"}, wanted), {})
        self.assertLess(there[0], size * 0.7)
        self.assertLess(there[0], there[-1])

    key = key_of(ROOM, date(2025, 12, 29))

    def store(self, lines: list[bytes]) -> Any:
        """A store with a file of several groups of rows."""
        home = Path(self.home)
        connection = duck.connect(256_000_000, home)
        self.addCleanup(connection.close)
        duck.write(lines, home / "one.parquet", dict, connection)
        target = Path(self.world.archive, *self.key.split("/"))
        target.parent.mkdir(parents=True)
        metadata: dict[str, Any] = {LAYOUT_KEY: LAYOUT, LISTING: "listing", IN_ORDER: True}
        metadata |= {RECORDS: len(lines), STREAMS: {"": []}}
        known = ", ".join(
            f"{duck.quoted(key)}: {duck.quoted(orjson.dumps(value).decode())}"
            for key, value in metadata.items()
        )
        connection.execute(
            f"COPY (SELECT * FROM '{home / 'one.parquet'}') TO '{target}' (FORMAT parquet, COMPRESSION zstd, "
            f"PARQUET_VERSION v2, WRITE_BLOOM_FILTER true, ROW_GROUP_SIZE 2048, KV_METADATA {{{known}}})"
        )
        return Cutting(DirectoryStore(self.world.archive))
