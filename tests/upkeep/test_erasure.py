"""Erasing a person: nothing of them is left anywhere, nothing of others is lost, at whatever step it dies."""

from __future__ import annotations

import contextlib
from datetime import date

from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import FileName, utc_minute
from chatlog.redaction import Person
from chatlog.store.store import REFUSED, TRANSIENT, StoreError
from chatlog.upkeep.erasure_objects import Scope
from chatlog.upkeep.erasure_scan import SeveralPeople
from chatlog.upkeep.person_search import PersonSearch
from tests.upkeep.erasing import Erasing, Killed
from tests.upkeep.people import HOUR, ID, NAME, OLD_NAME, TEN, TRACES, People, of_others, own, said


class ErasureTests(Erasing, SynchronousTestCase):
    """Runs against a store in memory."""

    def setUp(self) -> None:
        self.begin(People())

    # -- the whole -----------------------------------------------------------------------------------

    def test_nothing_is_left(self) -> None:
        """Messages, old names, replies, deletions, bans, gifts, raids, lines in base64, whispers in the room
        of the server, in two instances: no byte of them is left, and verify says what was erased and nothing
        else."""
        self.assertNotEqual(self.people.traces(), [])
        twitch, kick = self.erase("twitch"), self.erase("kick")
        self.assertEqual((twitch.left, kick.left), ([], []))
        self.assertTrue(twitch.done and kick.done)
        self.assertEqual(self.people.traces(), [])
        totals, problems = self.verified()
        self.assertEqual(problems, [])
        self.assertEqual((totals.requests, totals.erased), (2, twitch.removed + kick.removed))
        self.assertEqual((twitch.removed, twitch.redacted), (26, 6))
        self.assertEqual((kick.removed, kick.redacted), (6, 2))
        self.assertEqual(totals.redacted, 8)

    def test_others_stay(self) -> None:
        """What is of others is there byte for byte, in the order of time, and once."""
        kept = [line for line in self.people.lines() if not any(t.encode() in line.lower() for t in TRACES)]
        self.erase("twitch")
        after = self.people.lines()
        for line in kept:
            if b'"platform":"twitch"' in line:
                self.assertIn(line, after)
        hour = [
            line
            for name in (FileName("twitch", "a", utc_minute(TEN), "", n) for n in (3, 4))
            for line in self.people.object(name)
        ]
        self.assertEqual(hour, of_others(TEN) + of_others(TEN + 30))

    def test_again(self) -> None:
        """Once more finds nothing, changes nothing, and asks for nothing."""
        self.erase()
        before = self.people.digest()
        outcome = self.erase()
        self.assertTrue(outcome.done)
        self.assertEqual((outcome.removed, self.people.digest()), (0, before))

    def test_by_name(self) -> None:
        """A name leads to the id, and that to the names before."""
        search = PersonSearch(Person(names=frozenset({NAME})), asked=frozenset({NAME}))
        outcome = self.erase(search=search)
        self.assertEqual(outcome.names, {NAME, OLD_NAME})
        self.erase("kick")
        self.assertEqual(self.people.traces(), [])

    def test_several_people(self) -> None:
        """A name that two people had is refused before anything is changed, with their ids."""
        row = self.people.put(FileName("twitch", "b", utc_minute(TEN)), [said(NAME, "77", "me too", TEN)])
        self.people.manifest(TEN + 6 * HOUR, TEN + 7 * HOUR, "", [row])
        before = self.people.digest()
        search = PersonSearch(Person(names=frozenset({NAME})), asked=frozenset({NAME}))
        error = self.assertRaises(SeveralPeople, self.erase, search=search)
        self.assertEqual(error.ids, [ID, "77"])
        self.assertEqual(self.people.digest(), before)

    def test_only_some(self) -> None:
        """A room and a time, or one message: the rest stays."""
        since, until = b"2025-12-29T13:00", b"2025-12-29T14:00"
        scope = Scope("twitch", frozenset({"a"}), date(2025, 12, 29), date(2025, 12, 29))
        outcome = self.erase(search=PersonSearch(Person(ID), since, until), scope=scope)
        self.assertEqual((outcome.removed, outcome.redacted), (12, 0))
        self.assertEqual(self.verified()[1], [])
        one = next(line for line in self.people.lines() if b"farewell" in line and b'"message"' in line)
        id = one.partition(b'"id":"')[2].partition(b'"')[0].decode()
        before = len(self.people.lines())
        self.erase(search=PersonSearch(Person(messages=frozenset({id}))))
        self.assertNotIn(one, self.people.lines())
        self.assertLessEqual(before - len(self.people.lines()), 4)

    def test_derived(self) -> None:
        """What was made of the objects goes too, also if the objects were erased before a crash."""
        derived = (
            "parquet/date=2025-12-29/platform=twitch/channel=a/twitch_a_20251229.parquet",
            # A file may have been written past midnight.
            "parquet/date=2025-12-30/platform=twitch/channel=a/twitch_a_20251230.parquet",
            "index/users/2025-12.parquet",
        )
        other = "parquet/date=2025-12-29/platform=twitch/channel=b/twitch_b_20251229.parquet"
        for key in (*derived, other):
            self.store.objects[key] = b"PAR1"

        def die(operation: str, key: str) -> None:
            if operation == "delete" and key in derived:
                raise Killed

        self.store.before = die
        self.assertRaises(Killed, self.erase)
        self.store.before = lambda operation, key: None
        self.time += 3600.0
        outcome = self.erase()
        self.assertEqual([key for key in (*derived, other) if key in self.store.objects], [other])
        self.assertTrue(outcome.done)
        self.assertIn(("twitch", "a", "2025-12-29"), outcome.room_days)

    # -- what goes wrong -----------------------------------------------------------------------------

    def test_killed_at_every_call(self) -> None:
        """Killed before any change of the store, verify finds nothing but what it explains, no record of
        others is ever missing, and the next run completes it: no trace, no copy, no orphan."""
        self.begin(People(("",)))
        problems = self.killed_everywhere(self.nothing_is_missing)
        # One that was stored and not written down, and its copies; one that was not deleted.
        self.assertLessEqual(problems, {"unnamed-object", "duplicate", "not-erased"})
        self.assertIn("not-erased", problems)

    def nothing_is_missing(self) -> None:
        """Everything of others is there."""
        self.assertEqual(set(self.kept) - set(self.people.lines()), set())

    def test_store_errors(self) -> None:
        """An error that passes ends the run; the next one completes it."""
        for n in (20, 40, 60):

            def fail(operation: str, key: str, n: int = n) -> None:
                if len(self.store.calls) == n:
                    raise StoreError("away", TRANSIENT)

            self.store.calls.clear()
            self.store.before = fail
            with contextlib.suppress(StoreError):
                self.erase()
            self.store.before = lambda operation, key: None
        self.assertTrue(self.erase().done)
        self.assertEqual(self.verified()[1], [])

    def test_locked(self) -> None:
        """A store that refuses to delete: the request stays open, and what is left is named."""

        def refuse(operation: str, key: str) -> None:
            if operation == "delete" and key.startswith("20"):
                raise StoreError("AccessDenied", REFUSED)

        self.store.before = refuse
        outcome = self.erase()
        self.assertTrue(outcome.locked)
        self.assertFalse(outcome.done)
        self.assertIn("the store refuses to delete it", outcome.left[0][1])
        self.store.before = lambda operation, key: None
        self.assertTrue(self.erase().done)
        self.assertEqual(self.verified()[1], [])

    def test_comes_back(self) -> None:
        """A recorder that was killed at the wrong moment stores its file again: verify says so, and the next
        run deletes it."""
        key = FileName("twitch", "a", utc_minute(TEN + 3 * HOUR)).key(suffix=".zst")
        before = self.store.objects[key]
        self.erase()
        self.store.objects[key] = before
        self.assertEqual([each.split(" ")[0] for each in self.verified()[1]], ["not-erased"])
        outcome = self.erase()
        self.assertTrue(outcome.done)
        self.assertEqual((self.verified()[1], key in self.store.objects), ([], False))

    def test_recorded_meanwhile(self) -> None:
        """What a recorder stores while the erasure runs is found by its last look."""
        name = FileName("twitch", "a", utc_minute(TEN + 6 * HOUR))

        def store_more(operation: str, key: str) -> None:
            if operation == "delete":
                self.store.before = lambda operation, key: None
                self.people.put(name, own(TEN + 6 * HOUR) + of_others(TEN + 6 * HOUR))

        self.store.before = store_more
        self.assertTrue(self.erase().done)
        self.assertEqual([each for each in self.people.traces() if "/kick/" not in each], [])

    def test_no_such_day(self) -> None:
        """An object whose name has a time that never was is erased from as well."""
        self.people.put(FileName("twitch", "a", "20259999_9999"), own(TEN) + of_others(TEN))
        self.assertTrue(self.erase().done)
        self.assertEqual([each for each in self.people.traces() if "/kick/" not in each], [])

    def test_busy(self) -> None:
        """An object of which the recorder here still has the file is left until that is done with it."""
        name = FileName("twitch", "a", utc_minute(TEN + 3 * HOUR))
        self.recorder.names = {name}
        outcome = self.erase()
        self.assertFalse(outcome.done)
        [(key, why)] = outcome.left
        self.assertEqual(key, name.key(suffix=".zst"))
        self.assertIn("still has its file", why)
        self.recorder.names = set()
        self.assertTrue(self.erase().done)
        totals, problems = self.verified()
        self.assertEqual((totals.requests, problems), (1, []))

    def test_damaged(self) -> None:
        """An object that cannot be read is named, and the request stays open; the others are done."""
        key = FileName("twitch", "a", utc_minute(TEN + 2 * HOUR)).key(suffix=".zst")
        self.store.objects[key] = b"no zstd"
        outcome = self.erase()
        self.assertFalse(outcome.done)
        self.assertEqual([name for name, _ in outcome.left], [key])
        self.assertEqual([each for each in self.people.traces(("farewell",)) if "/kick/" not in each], [])
