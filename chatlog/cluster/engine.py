"""The interface of an engine: a server where the members of a cluster meet.

An engine keeps two things: a line of each member, for as long as the member renews it, and the room list, in
chunks. It may forget both at any time: members say their lines again within a beat, and give the room list
back. Recording goes on without any call.

Every call ends by itself, in the end with EngineAway. A call that failed may still be carried out later. That
does no harm, because a put is refused once a later one of the same member has been carried out, and a change
once its chunk has another version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from chatlog.cluster.roster import Reading

#: The chunks of the room list are numbered from 0 to one less.
CHUNKS = 256
#: The most bytes of a chunk: as much as the strictest engine accepts in one request, with a margin.
MOST_BYTES = 256 * 1024
#: Beats and versions are below this: engines compute with them as floating-point numbers.
MOST = 2**53
#: Seconds to wait for an answer, and for one with many chunks.
WITHIN = 2.0
WITHIN_LONG = 10.0


class EngineError(Exception):
    """A call failed. The text is one sentence without a full stop and without a secret; it does not name the
    engine. ``remedy`` says what to do, "" if that is not known."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


class EngineAway(EngineError):
    """The engine does not answer, or cannot be used: it cannot be reached, refuses the login, is a replica,
    has no memory left..."""


class NameTaken(EngineError):
    """There is a member with the same name and another identity."""

    def __init__(self) -> None:
        super().__init__("another recorder is there under this name")


class LatePut(EngineError):
    """A put with this beat or a later one has been carried out. ``beat`` is that of the later put."""

    def __init__(self, beat: int) -> None:
        super().__init__(f"a line with the beat {beat} is there already")
        self.beat = beat


class Conflict(EngineError):
    """The chunk has another version by now, or the engine has forgotten versions that the caller knows. Read
    the list and try again."""

    def __init__(self) -> None:
        super().__init__("the room list was changed by another recorder meanwhile")


class Chunk(NamedTuple):
    """A part of the room list: its data, and the version of the list that brought them."""

    data: bytes
    version: int


class RoomChunks(NamedTuple):
    """The room list: its version, which is that of the newest chunk, and chunks by their numbers."""

    version: int
    chunks: Mapping[int, Chunk]


class Engine(Protocol):
    """A server that the members of one cluster meet at, and the cluster's part of it.

    Calls may be made at the same time; a member's puts and its leave are made one after the other.
    """

    #: Its address, without secrets, for people.
    place: str

    def put(self, name: str, identity: str, beat: int, text: str, lease: float) -> Deferred[None]:
        """Put a member's line for ``lease`` seconds from now on.

        ``identity`` has no spaces and says which member has that name. ``beat`` rises with each put of an
        identity, and ``text`` is not empty. Fails with NameTaken while a line of another identity is there,
        with LatePut if the beat does not rise, and with EngineAway.
        """

    def leave(self, name: str, identity: str, beat: int, lease: float) -> Deferred[None]:
        """Remove a member's line. ``beat`` is above those of all its puts: none of them can arrive later and
        bring the line back. Another identity may have the name at once. Fails like ``put``; NameTaken means
        that there was no line to remove."""

    def read(self) -> Deferred[Reading]:
        """All lines whose leases have not ended, the epoch, and the version of the room list. Shows every
        line that was put before the call. Fails with EngineAway."""

    def rooms(self, after: int = 0) -> Deferred[RoomChunks]:
        """The room list: its version, and the chunks whose versions are above ``after``. Fails with
        EngineAway."""

    def change(self, chunk: int, data: bytes, version: int, known: int) -> Deferred[int]:
        """Replace a chunk that has ``version``, which is 0 if it was never written. ``known`` is the version
        of the list that the caller acts on: an engine with a lower version has forgotten changes. Fires with
        the new version of the list and the chunk. Fails with Conflict and EngineAway. Raises ValueError for
        more than MOST_BYTES."""

    def give_back(self, chunks: Mapping[int, Chunk]) -> Deferred[int]:
        """Give the room list back to an engine that has forgotten: chunks with lower versions than these are
        replaced, and keep these versions. The newest chunks remain, whichever members give theirs back, in
        any order. Fires with the version of the list. Fails with EngineAway."""

    def check(self) -> Deferred[list[str]]:
        """Find what is wrong with the engine: sentences that name it and the remedy, none if it can be used.
        The check writes to the engine. Never fails."""

    def close(self) -> Deferred[None]:
        """End all connections and calls. Nothing may be called afterwards. Never fails."""
