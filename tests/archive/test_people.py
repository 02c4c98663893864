"""What the records of a person tell of them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.people import person_of


class PersonTests(SynchronousTestCase):
    def test_joined(self) -> None:
        """A person of some records, joined with one of others, is the person of all of them."""
        records = [
            {
                "timestamp": f"2025-12-{day}T00:00:00.000Z",
                "channel": channel,
                "username": name,
                "user_id": "1",
                "type": kind,
            }
            for day, channel, name, kind in (
                ("29", "a", "ann", "message"),
                ("28", "a", "bob", "timeout"),
                ("30", "b", "ann", "message"),
                ("27", "b", "ann", "action"),
            )
        ]
        for at in range(5):
            joined = person_of(records[:at])
            joined.join(person_of(records[at:]))
            self.assertEqual(joined, person_of(records))
