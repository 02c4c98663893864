"""A process of ``chatlog erase`` is killed at each of its steps (SIGKILL), in a directory, with a spool."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.opening import open_archive
from chatlog.cli import commands
from chatlog.commands.erase_work import Asked, EraseWork
from chatlog.config.settings import ArchiveSettings, RecorderSettings, Settings
from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.redaction import Person
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle_put import Piece, put_bundle
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.person_search import PersonSearch
from tests.upkeep.people import HOUR, ID, TEN, People, about, of_others, own

#: The kinds of changes that a run makes in the store, in the order of the first of each kind. (Those of the
#: lock are tried by ``bench.erasure_kills``, which kills before every single change.)
STEPS = (
    "put optout/twitch/",
    "put manifest/erasure/",
    "put upkeep/erasure/",
    "put 2025/",
    "put bundle/",
    "delete 2025/",
    "delete bundle/",
    "delete parquet/",
    "delete upkeep/erasure/",
)


class Deadly(DirectoryStore):
    """Kills this process before the first change of a kind, or the ``nth`` one."""

    step = ""
    nth = 1

    def _reached(self, what: str) -> None:
        if what.startswith(self.step):
            self.nth -= 1
            if not self.nth:
                os.kill(os.getpid(), signal.SIGKILL)

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self._reached(f"put {key}")
        super().put_new(key, data, attributes)

    def delete(self, key: str) -> None:
        self._reached(f"delete {key}")
        super().delete(key)


class KilledTests(SynchronousTestCase):
    """A person in an object, in a bundle of two rooms, in a file that was not stored, and in what was made of
    these."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).resolve()
        people = People(())
        rows = [
            people.put(FileName("twitch", "a", utc_minute(TEN)), own(TEN)[:2] + of_others(TEN)),
            people.put(FileName("twitch", "a", utc_minute(TEN + HOUR)), about(TEN + HOUR)),
            people.put(FileName("twitch", "a", utc_minute(TEN + 2 * HOUR)), of_others(TEN + 2 * HOUR)),
        ]
        pieces = [Piece(row.key, people.store.objects.pop(row.key)) for row in rows[1:]]
        bundled = put_bundle(people.store, BundleName(utc_minute(TEN + HOUR)), ".zst", pieces)
        people.manifest(TEN, TEN + 6 * HOUR, "", [*rows, *bundled])
        people.store.objects |= {
            "parquet/date=2025-12-29/platform=twitch/channel=a/twitch_a_20251229.parquet": b"PAR1....PAR1",
            "index/users/2025-12.parquet": b"PAR1....PAR1",
        }
        self.people = people
        self.whole = self.root / "whole"
        for key, data in people.store.objects.items():
            self.write(f"archive/{key}", data)
        self.write("spool/sealed/" + str(FileName("twitch", "a", utc_minute(TEN + 8 * HOUR))), own(TEN)[0])
        self.tried = self.root / "tried"
        self.config = self.root / "chatlog.yaml"
        self.config.write_text(
            f"recorder: {{directory: {self.tried}/spool}}\n"
            f"archive: {{directory: {self.tried}/archive}}\ntwitch: {{channels: [a]}}\n"
        )

    def write(self, name: str, data: bytes) -> None:
        """A file of the archive or the spool."""
        path = self.whole / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(commands, [*arguments, "--config", str(self.config)])

    def killed(self, step: str, nth: int = 1) -> bool:
        """A process that is killed before a step, in a copy of the whole. False if it came to its end."""
        shutil.rmtree(self.tried, ignore_errors=True)
        shutil.copytree(self.whole, self.tried)
        child = os.fork()
        if not child:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                self.erase(step, nth)
            finally:
                os._exit(7)
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def erase(self, step: str, nth: int) -> None:
        """The work of the command, in a store that kills."""
        settings = Settings(
            recorder=RecorderSettings(directory=f"{self.tried}/spool"),
            archive=ArchiveSettings(directory=f"{self.tried}/archive"),
        )
        store = Deadly(f"{self.tried}/archive")
        store.step, store.nth = step, nth
        opened = replace(open_archive(settings, lambda: TEN, everybody=True), store=store)
        asked = Asked("", PersonSearch(Person(ID)), Scope("twitch"), True)
        EraseWork(settings, opened, f"{self.tried}/spool", 0.0).run(asked, False)

    def traces(self) -> list[str]:
        """What is left of the person."""
        self.people.store.objects = {
            str(path): path.read_bytes() for path in self.tried.rglob("*") if path.is_file()
        }
        return self.people.traces((ID, "farewell", "hereandgone"))

    def test_each_step(self) -> None:
        """Whatever was the last step, verify explains what it finds, and the next run leaves nothing of the
        person, and no problem."""
        for step in STEPS:
            self.assertTrue(self.killed(step), step)
            found = self.run_it("verify")
            if found.exit_code:
                kinds = set(re.findall(r"^(?:  )?([a-z]+-[a-z]+)\b", found.output, re.MULTILINE))
                self.assertLessEqual(kinds, {"not-erased", "unnamed-object"}, found.output)
                self.assertIn("chatlog erase", found.output)
            result = self.run_it("erase", f"twitch/id:{ID}")
            self.assertEqual((step, result.exit_code), (step, 0), result.output)
            self.assertEqual((step, self.traces()), (step, []))
            checked = self.run_it("verify")
            self.assertEqual((step, checked.exit_code), (step, 0), checked.output)
