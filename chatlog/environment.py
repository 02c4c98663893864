"""What every part of the daemon works with, handed in so that a test can play any of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from chatlog.counters import Counters
from chatlog.files import Files
from chatlog.record import Encode, encode_full

T = TypeVar("T")


class Threads(Protocol):
    """Where blocking calls run."""

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call ``function(*args)`` off the reactor's thread."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Time, the file system, and what all parts of one daemon share.

    ``reactor`` is also the clock. ``wall`` gives the seconds since the epoch. ``disk`` runs what may have to
    wait for the disk. ``encode`` makes the line of a record. ``boot`` distinguishes this start of the machine
    from all others, "" where nothing does.
    """

    reactor: Any
    wall: Callable[[], float]
    files: Files
    disk: Threads
    counters: Counters = field(default_factory=Counters)
    encode: Encode = encode_full
    boot: str = ""
