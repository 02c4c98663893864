"""The list of rooms as users change it: any member of a cluster changes the list of all.

The rooms of a member's own configuration come into the shared list as differences: the rooms that its file
has gained or lost since it was applied last. So a member that starts with an old file changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.cluster.engine import EngineError
from chatlog.cluster.list_keeper import ListKeeper, difference_of, in_parts
from chatlog.cluster.own_state import OwnState
from chatlog.cluster.room_share import RoomShare
from chatlog.cluster.shared_rooms import SharedRooms
from chatlog.config.platform import Channel, Key
from chatlog.config.settings import Settings
from chatlog.rooms.room_list import ListAway, RoomList

#: About how many rooms are changed together.
_PART = 2000


class ClusterRooms:
    """``configured`` are the rooms of this member's own configuration and of its time alone.
    ``may_change()``: why the shared list cannot be changed now, "" if it can."""

    _log = Logger()

    def __init__(
        self,
        configured: RoomList,
        own: OwnState,
        shared: SharedRooms,
        share: RoomShare,
        keeper: ListKeeper,
        why_not: Callable[[], str],
    ) -> None:
        #: The names of the platforms that rooms can be of.
        self.platforms: Collection[str] = configured.platforms
        self._configured = configured
        self._own = own
        self._shared = shared
        self._share = share
        self._keeper = keeper
        self._why_not = why_not
        # Whether the configuration may have rooms that are not applied, and whether they are being applied.
        self._to_apply = True
        self._applying = False

    def load(self) -> None:
        """Read the state of the earlier run: the list, and the slots that were recorded here."""
        self._configured.load()
        self._own.load()
        self._keeper.load(self._own.ours)
        self._share.expect(self._own.recorded)

    def named(self, text: str, platform: str = "", **ids: Any) -> tuple[Key, Channel]:
        """The room that a user named; see ``RoomList.named``."""
        return self._configured.named(text, platform, **ids)

    def rooms(self) -> dict[Key, Channel]:
        """Every room of the cluster."""
        return self._shared.rooms

    def add(self, platform: str, channel: Channel) -> Deferred[bool]:
        """Put a room into the list: the member that has its slot records it. Fires with False if it is in the
        list that way already. Fails with ListAway."""
        return self._change({self._configured.key_of(platform, channel): channel})

    def remove(self, platform: str, name: str) -> Deferred[bool]:
        """Take a room off the list. Fires with False if it is not in the list. Fails with ListAway."""
        return self._change({(platform, name): None})

    def _change(self, edits: dict[Key, Channel | None]) -> Deferred[bool]:
        if why := self._why_not():
            return fail(ListAway(why))
        return self._keeper.change(edits).addErrback(_away)

    def reload(self, settings: Settings) -> None:
        """Use another configuration: its difference is applied soon."""
        self._configured.reload(settings)
        self._to_apply = True

    # -- the configuration ---------------------------------------------------------------------------

    def poll(self) -> None:
        """Apply the configuration if it is due. Call this about once a second."""
        if self._to_apply and not self._applying and not self._why_not():
            self._to_apply, self._applying = False, True
            Deferred.fromCoroutine(self._apply()).addErrback(self._failed).addBoth(self._applied)

    async def _apply(self) -> None:
        rooms = self._configured.rooms()
        first = self._own.applied is None
        edits = difference_of(self._own.applied or {}, rooms)
        if not edits and not first:
            return
        for part in in_parts(edits, _PART):
            # A new member must not bring back a room that a user removed.
            await self._keeper.change(part, patient=first)
        self._own.keep_applied(rooms)
        added = sum(1 for channel in edits.values() if channel is not None)
        self._log.info(
            "the rooms of the configuration are in the list of the cluster: {added} more, {removed} less "
            "than it had applied before",
            added=added,
            removed=len(edits) - added,
        )

    def _failed(self, failure: Failure) -> None:
        self._to_apply = True
        if failure.check(EngineError, OSError) is None:
            self._log.failure("while the configuration was applied to the cluster", failure=failure)

    def _applied(self, _: object) -> None:
        self._applying = False


def _away(failure: Failure) -> Any:
    failure.trap(EngineError)
    raise ListAway(f"the list of rooms cannot be changed: {failure.getErrorMessage()}") from None
