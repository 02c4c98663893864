"""The shared list of rooms: its chunks, and what changes when one changes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.engine import Chunk
from chatlog.cluster.shared_rooms import REMEMBERED, SharedRooms, chunk_of, decode
from chatlog.cluster.slots import slot_of
from chatlog.config.platform import Channel, Key
from chatlog.config.settings import KickChannel
from chatlog.platforms import PLATFORMS


class SharedRoomsTests(SynchronousTestCase):
    """One member's copy."""

    def setUp(self) -> None:
        self.shared = SharedRooms(PLATFORMS)
        self.version = 0

    def edit(self, key: Key, channel: Channel | None, now: float = 0.0, patient: bool = False) -> bool:
        """Change one room; whether that changed anything."""
        number = chunk_of(*key)
        data = self.shared.edited(number, {key: channel}, now, patient)
        if data is None:
            return False
        self.version += 1
        self.shared.take(self.version, {number: Chunk(data, self.version)})
        return True

    def test_rooms_come_and_go(self) -> None:
        """A room is in its slot from when it is added until it is removed; a second time changes nothing."""
        ann, bob = ("twitch", "ann"), ("kick", "bob")
        self.assertTrue(self.edit(ann, "ann"))
        self.assertTrue(self.edit(bob, KickChannel("bob", 4, 5)))
        self.assertFalse(self.edit(ann, "ann"))
        self.assertFalse(self.edit(bob, KickChannel("bob")))
        self.assertEqual(self.shared.rooms, {ann: "ann", bob: KickChannel("bob", 4, 5)})
        self.assertEqual(self.shared.sizes["twitch"][slot_of(*ann)], 1)
        self.assertTrue(self.edit(ann, None))
        self.assertFalse(self.edit(ann, None))
        self.assertEqual(sum(self.shared.sizes["twitch"]), 0)

    def test_what_changed_since(self) -> None:
        """Only slots whose rooms changed after a version count as changed since."""
        ann, bob = ("twitch", "ann"), ("twitch", "bob")
        self.edit(ann, "ann")
        self.edit(bob, "bob")
        self.assertEqual(self.shared.changed_since(0), 1 << slot_of(*ann) | 1 << slot_of(*bob))
        self.assertEqual(self.shared.changed_since(1), 1 << slot_of(*bob))
        self.assertEqual(self.shared.changed_since(2), 0)

    def test_what_was_removed_is_remembered(self) -> None:
        """A file does not bring back what somebody removed in the last 30 days; a person can."""
        ann = ("twitch", "ann")
        self.edit(ann, "ann")
        self.edit(ann, None, now=1000.0)
        self.assertFalse(self.edit(ann, "ann", now=2000.0, patient=True))
        self.assertTrue(self.edit(ann, "ann", now=2000.0))
        self.edit(ann, None, now=3000.0)
        self.assertTrue(self.edit(ann, "ann", now=3000.0 + REMEMBERED, patient=True))

    def test_hostile_chunks(self) -> None:
        """What is no room, or belongs into another chunk, is left out; no chunk is too broken to be read."""
        number = chunk_of("twitch", "ann")
        for text in (
            b"",
            b"[]",
            b"\xff",
            b'{"rooms":3}',
            b'{"rooms":{"twitch":["../x",7,null,{"slug":[]}],"none":["ann"]}}',
            b'{"rooms":{"kick":[{"slug":"ann","chatroom_id":-1}]},"removed":{"twitch":{"ann":"x"}}}',
            b"[" * 100_000,
        ):
            self.assertEqual(decode(text, number, PLATFORMS).rooms, {}, text[:50])
        good = b'{"rooms":{"twitch":["ann"]}}'
        self.assertEqual(list(decode(good, number, PLATFORMS).rooms), [("twitch", "ann")])
        self.assertEqual(decode(good, number + 1, PLATFORMS).rooms, {})

    @settings(max_examples=25)
    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are some chunk."""
        SharedRooms(PLATFORMS).take(1, {3: Chunk(data, 1)})
