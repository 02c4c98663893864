"""The turns of the campaign of several recorders."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from bench.campaign.field import MARGIN
from bench.campaign.fleet import Fleet

#: What is sent behind a relay and may be lost with its connections, in seconds.
_ON_THE_WAY = 1.0


def kill(fleet: Fleet) -> None:
    """kill -9 of a member; it comes back sooner or later than its lease ends."""
    member = fleet.anybody()
    fleet.kill(member)
    if fleet.rng.random() < 0.6:
        fleet.calm()
    else:
        time.sleep(fleet.between(0.0, 8.0))
    fleet.start(member)


def stop(fleet: Fleet) -> None:
    """A member stands still for longer than its lease, and goes on."""
    member = fleet.anybody()
    assert member.process is not None
    member.process.send(signal.SIGSTOP)
    time.sleep(fleet.between(3.0, 18.0))
    member.process.send(signal.SIGCONT)


def engine_pause(fleet: Fleet) -> None:
    """The engine stands still."""
    fleet.engine.pause()
    time.sleep(fleet.between(3.0, 25.0))
    fleet.engine.proceed()


def engine_empty(fleet: Fleet) -> None:
    """The engine is killed and comes back empty."""
    fleet.engine.kill()
    time.sleep(fleet.between(0.0, 15.0))
    fleet.engine.forget()
    fleet.engine.start()


def engine_flush(fleet: Fleet) -> None:
    """The engine loses everything, three times, and no connection breaks where that can be done."""
    for _ in range(3):
        fleet.engine.empty()
        time.sleep(fleet.between(1.0, 12.0))


def engine_partition(fleet: Fleet) -> None:
    """One member has no way to the engine, and the others have."""
    member = fleet.anybody()
    member.ways["engine"].go(fleet.rng.choice(["pause", "cut"]))
    time.sleep(fleet.between(3.0, 25.0))
    member.ways["engine"].go("pass")


def platform_partition(fleet: Fleet) -> None:
    """One member has no way to a platform, and the others have."""
    member = fleet.anybody()
    platform = fleet.rng.choice(["twitch", "kick"])
    began = time.time()
    member.ways[platform].go("cut")
    time.sleep(fleet.between(3.0, 45.0))
    member.ways[platform].go("pass")
    # What was between the relay and the member when it was cut.
    fleet.windows.append((began - _ON_THE_WAY, began + MARGIN))


def drain(fleet: Fleet) -> None:
    """A member is told to end: it hands over first. Then it comes back."""
    member = fleet.anybody()
    fleet.end(member)
    time.sleep(fleet.between(0.0, 5.0))
    fleet.start(member)


def rolling(fleet: Fleet) -> None:
    """Every member is replaced, one after the other."""
    for member in fleet.members:
        fleet.end(member)
        fleet.start(member)
        fleet.calm()


def drain_by_hand(fleet: Fleet) -> None:
    """A member is asked to hand over, and to take rooms again."""
    member = fleet.anybody()
    member.ask("drain", "POST", {})
    time.sleep(fleet.between(5.0, 12.0))
    member.ask("drain", "DELETE")


def rooms(fleet: Fleet) -> None:
    """Rooms come and go."""
    for _ in range(4):
        fleet.change_rooms()
        time.sleep(fleet.between(0.0, 2.0))


TURNS: dict[str, Callable[[Fleet], None]] = {
    "kill": kill,
    "stop": stop,
    "engine-pause": engine_pause,
    "engine-empty": engine_empty,
    "engine-flush": engine_flush,
    "engine-partition": engine_partition,
    "platform-partition": platform_partition,
    "drain": drain,
    "rolling": rolling,
    "drain-by-hand": drain_by_hand,
    "rooms": rooms,
}
#: The longest hole in a room that a turn may make with one replica, in seconds; 0.0: none. A death: the
#: lease, the beat before it, a look, and the joining. A platform that cannot be reached: until the member
#: counts as unwell, and the others have taken its rooms.
BOUNDS = {"kill": 15.0, "platform-partition": 40.0}
