"""With an index and without, the same is found, and the same is said to be missing."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.index_lookup import LISTED
from chatlog.archive.matching import Filter
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.naming import BundleName, FileName, parse_key
from chatlog.record import encode_full, rfc3339
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle import Bundler
from chatlog.upkeep.indexing import Indexer
from chatlog.upkeep.ledger import BUNDLE, Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.packing import packer, unpacked
from tests.archive.world import MIDNIGHT, World, gap
from tests.upkeep.test_expire import Cutting

DAY, HOUR = 86400.0, 3600.0
ROOMS = [("twitch", "a"), ("kick", "a")]
NAMES = ["ann", "bob", "Zoë", "漢字", "straße", 'q"t', "", "o'hara"]
WORDS = [
    "hello",
    "Hello,",
    "ello",
    "STRASSE",
    "straße",
    "漢字",
    "im漢",
    "a_b",
    "9",
    "x" * 80,
    "\\",
    '"',
    "\ud83d",
    "o'hara",
    "İ",
    "\u212a",
]
#: A message: seconds into the file's two hours, who, whether with an id, and words.
MESSAGES = st.tuples(
    st.integers(0, 7200), st.sampled_from(NAMES), st.booleans(), st.lists(st.sampled_from(WORDS), max_size=4)
)
#: A file: room, day, hour, instance, messages, and whether there is a gap record.
FILES = st.tuples(
    st.sampled_from(ROOMS),
    st.integers(0, 4),
    st.sampled_from([0, 11, 23]),
    st.sampled_from(["", "one", "import20260101000000"]),
    st.lists(MESSAGES, max_size=4),
    st.booleans(),
)
#: What happens to some of the files after the index was made.
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["gone", "again", "damaged", "replaced", "erased", "elsewhere", "beside"]),
    ),
    max_size=3,
)
TEXTS = st.lists(st.sampled_from([*WORDS[:-1], " ", "he", "lo", "o"]), min_size=1, max_size=3).map("".join)
FILTERS = st.one_of(
    st.builds(lambda text: Filter(text=text), TEXTS),
    st.builds(
        lambda word: Filter(regex=word),
        st.sampled_from(["h?ello", "he.*o", "(ann|ello)", r"\bhello\b", "a_b 9", "K"]),
    ),
    st.builds(
        lambda names: Filter(users=tuple(names)),
        st.lists(st.sampled_from([*NAMES, "id:1", "id:3", "id:"]), min_size=1, max_size=2),
    ),
    st.builds(lambda text, name: Filter(text=text, users=(name,)), TEXTS, st.sampled_from(NAMES)),
)


def record(room: tuple[str, str], at: float, number: int, message: Any) -> bytes:
    _, name, has_id, words = message
    time = rfc3339(round(at * 1000))
    id = str(NAMES.index(name)) if has_id else ""
    text = " ".join(words)
    return encode_full(time, room[1], name, id, text, "message", f"m{number}", room[0], "7", time, {})


class BothWaysTests(SynchronousTestCase):
    def answer(self, reader: Reader, question: Question) -> tuple[Any, ...]:
        answer = reader.ask(question)
        found = list(answer)
        return found, answer.report.gaps, answer.report.unread

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(FILES, min_size=1, max_size=6),
        st.lists(FILTERS, min_size=3, max_size=4),
        CHANGES,
        st.sampled_from(["", "bundled"]),
        st.booleans(),
        st.sampled_from([MIDNIGHT + 4.5 * DAY, MIDNIGHT + 40 * DAY]),
    )
    def test_the_same(
        self, files: Any, filters: list[Filter], changes: Any, how: str, far: bool, now: float
    ) -> None:
        """Whatever the archive and the question: two instances, imports, two platforms, names beyond ASCII,
        bundled months, files that are gone, replaced, erased from or damaged since, late ones, also
        of another instance, and a bundle with a file of a name that is taken; in a directory, or in a store
        that is asked for days as a whole."""
        home = self.mktemp()
        world = World(home, now)
        paths = [self.put(world, n, file) for n, file in enumerate(files)]
        # The last file comes late.
        late = Path(paths[-1]).read_bytes() if len(set(paths)) > 1 else None
        if late is not None:
            os.unlink(paths[-1])
        self.index(world)
        if late is not None:
            Path(paths[-1]).write_bytes(late)
        for number, change in changes:
            self.change(Path(paths[number % len(paths)]), change)
        if how:
            self.bundle(world)
        world.now += LISTED
        plain = world.opened().reader
        world.with_index = True
        if far:
            world.store = Cutting(DirectoryStore(world.archive))  # type: ignore[assignment]
        archive = world.opened()
        ours = archive.reader
        moment = archive.reader.moment()
        if far:
            archive.parts.list_ahead(0.0, MIDNIGHT + 3.9 * DAY, moment, lambda day: day < "2025-12-31")
        for wanted in filters:
            for room in ROOMS:
                for since, newest in ((0.0, True), (MIDNIGHT + DAY, False)):
                    question = Question(room, since, MIDNIGHT + 3.9 * DAY, wanted, newest, moment=moment)
                    self.assertEqual(self.answer(ours, question), self.answer(plain, question), wanted)
        # Something may still be fetched ahead.
        shutil.rmtree(home, ignore_errors=True)

    def test_bundles_of_recorders(self) -> None:
        """What a recorder stored in a bundle, of which no index knows yet, is found where the days of all
        rooms were looked at at once."""
        world = World(self.mktemp(), MIDNIGHT + 4.5 * DAY)
        self.put(world, 0, (("twitch", "a"), 0, 0, "", [], True))
        self.index(world)
        self.change(Path(self.put(world, 1, (("twitch", "a"), 1, 23, "", [], True))), "beside")
        world.now += LISTED
        world.with_index = True
        world.store = Cutting(DirectoryStore(world.archive))  # type: ignore[assignment]
        archive = world.opened()
        moment = archive.reader.moment()
        archive.parts.list_ahead(0.0, MIDNIGHT + 3.9 * DAY, moment, lambda day: True)
        for room, records in zip(ROOMS, (1, 0), strict=True):
            question = Question(room, 0.0, MIDNIGHT + 3.9 * DAY, Filter(text="hello"), moment=moment)
            self.assertEqual(len(self.answer(archive.reader, question)[0]), records)

    def put(self, world: World, number: int, file: Any) -> str:
        room, day, hour, instance, messages, has_gap = file
        at = MIDNIGHT + day * DAY + hour * HOUR
        said = [record(room, at + message[0], 10 * number + n, message) for n, message in enumerate(messages)]
        if has_gap or not said:
            said.append(gap(at + 10, at + 700 + number))
        return world.put(at, said, ".zst" if number % 2 else ".gz", instance, room=room)

    def index(self, world: World) -> None:
        archive = world.opened()
        days = [date.fromisoformat(day) for day in archive.catalog.days()]
        with ArchiveLock(archive.store, "index", lambda: world.now, renewing=False) as lock:
            Indexer(archive, lambda: world.now).run(
                [day for day in days if day < date(2026, 1, 2)], None, lock
            )

    def change(self, path: Path, change: str) -> None:
        if not path.exists():
            return
        if change == "damaged":
            path.write_bytes(path.read_bytes()[:-9])
        elif change == "gone":
            path.unlink()
        elif change == "again":
            name, suffix = parse_key("/".join(path.parts[-6:]))
            path.rename(path.with_name(f"{name.numbered(2)}{suffix}"))
        else:
            self.rewrite(path, change)

    def rewrite(self, path: Path, change: str) -> None:
        key = "/".join(path.parts[-6:])
        name, suffix = parse_key(key)
        at = datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
        try:
            lines = b"".join(unpacked([path.read_bytes()], suffix)).splitlines(keepends=True)
        except ValueError:
            return
        said = record((name.platform, name.channel), at + 3, 9000, (3, "bob", True, ["hello", "漢字"]))
        packing = packer(suffix)
        data = packing.compress(b"".join([*lines[change == "erased" :], said])) + packing.flush()
        if change == "replaced":
            path.unlink()
            path.write_bytes(data)
        elif change == "erased":
            path.with_name(f"{name.numbered(3)}{suffix}").write_bytes(data)
            path.unlink()
        elif change == "elsewhere":
            other = FileName(name.platform, name.channel, name.minute, "two")
            path.with_name(f"{other}{suffix}").write_bytes(data)
        elif suffix == ".zst":
            bundle = BundleName(name.minute, instance="two").key(".zst")
            whole = path.parents[5].joinpath(*bundle.split("/"))
            whole.parent.mkdir(parents=True, exist_ok=True)
            whole.write_bytes(data + table_bytes([Slice(key, bundle, 0, len(data))]))

    def bundle(self, world: World) -> None:
        store = DirectoryStore(world.archive)
        with ArchiveLock(store, "bundle", lambda: world.now, renewing=False) as lock:
            Bundler(store, Ledger(store, BUNDLE, ".zst", None, lambda: world.now), lock).run("2025-12", [])
