"""The surroundings of every part of the recorder: time, files, threads and counters. Tests replace them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from chatlog.counters import Counters
from chatlog.files import Files
from chatlog.record import Encode, encode_full

T = TypeVar("T")

#: Turns a line of Twitch's chat, the time of its read and whether all keys are wanted into the channel and
#: the encoded record; None for a line that is no ordinary chat message.
ReadChat = Callable[[bytes, str, bool], tuple[str, bytes] | None]


class Threads(Protocol):
    """Runs blocking calls."""

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call ``function(*args)`` off the reactor's thread."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that all parts of one recorder share.

    ``reactor`` is also the monotonic clock. ``wall()`` returns the seconds since the epoch. ``disk`` runs
    calls that may wait for the disk. ``encode`` turns a record into a line. ``boot`` identifies the present
    boot of the machine, "" if it is unknown. ``read_chat`` is the parser in Rust; None: Python does it.
    """

    reactor: Any
    wall: Callable[[], float]
    files: Files
    disk: Threads
    counters: Counters = field(default_factory=Counters)
    encode: Encode = encode_full
    boot: str = ""
    read_chat: ReadChat | None = None


def boot_id() -> str:
    """An identifier of the machine's present boot; "" if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
