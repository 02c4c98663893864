"""The turns of the campaign: each plays one class of faults for some seconds and waits until all is well."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from bench.campaign.field import FLUSH, KICK_ROOMS, MARGIN, ROOMS, Field, fill
from chatlog.naming import BundleName, FileName, utc_minute

#: Kills in a turn.
KILLS = 10


def kills(field: Field) -> None:
    """kill -9 at random moments, at the start too; now and then half a line is left behind."""
    for _ in range(KILLS):
        field.running()
        if field.rng.random() < 0.25:
            time.sleep(field.between(0.1, 2.5))
        else:
            field.recording()
            time.sleep(field.between(0.0, 1.5))
        field.kill()
        if field.rng.random() < 0.3:
            field.tear()
        field.start()
    field.recording()


def terminations(field: Field) -> None:
    """SIGTERM at random moments, also at the start, and often a second signal."""
    _signals(field, signal.SIGTERM)


def interrupts(field: Field) -> None:
    """SIGINT at random moments, and often a second signal."""
    _signals(field, signal.SIGINT)


def _signals(field: Field, number: int) -> None:
    for _ in range(5):
        daemon = field.running()
        # Before that it is Python that takes the signal.
        early = number == signal.SIGTERM and field.rng.random() < 0.3
        if early:
            time.sleep(field.between(0.0, 1.0))
        else:
            daemon.says("recording", 30)
            time.sleep(field.between(0.0, 2.0))
        again = field.rng.choice([0, signal.SIGTERM, signal.SIGINT])
        field.stop(number, again, field.between(0.0, 0.3), early)
        field.start()
    field.recording()


def network(field: Field) -> None:
    """Connections are reset, closed, asked to come back, dribble, come in pieces and with noise."""
    for fault in (
        "{what: drop, platform: twitch}",
        "{what: split, for: 3}",
        "{what: reconnect, platform: twitch, for: 2}",
        "{what: close, platform: kick, code: 4200}",
        "{what: drop, platform: kick}",
        "{what: garbage, platform: twitch}",
        "{what: broken}",
        "{what: slow, for: 3, rate: 20000}",
        "{what: refuse_connections, for: 4}",
        "{what: drop}",
    ):
        field.network(fault)
        time.sleep(field.between(3.5, 6.0))
    time.sleep(12)


def half_open(field: Field) -> None:
    """A connection that stays open and says nothing any more; found out by the daemon's own pings."""
    platform = field.rng.choice(["twitch", "kick"])
    field.network(f"{{what: half_open, for: 120, platform: {platform}}}")
    time.sleep(70)


def outage(way: str, seconds: float) -> Callable[[Field], None]:
    """A turn in which the store behaves like that for so many seconds."""

    def play(field: Field) -> None:
        field.recording(timed=False)
        field.relay.go(way)
        field.played[f"store: {way}"] += 1
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(field.between(2.0, 5.0))
            if way != "403" and field.rng.random() < 0.3:
                # Killed in the middle of it.
                field.kill()
                field.start()
        field.relay.go("pass")
        field.drain()

    return play


def foreign(field: Field) -> None:
    """Somebody else's objects have the names that the next files would get."""
    field.recording(timed=False)
    while 2 < time.time() % 60 < 40:
        time.sleep(0.2)
    minute = utc_minute(time.time() + 60)
    names: list[FileName | BundleName] = [
        FileName(platform, f"room{room}", minute)
        for platform, rooms in (("twitch", ROOMS), ("kick", KICK_ROOMS))
        for room in range(1, rooms + 1, 4)
    ]
    if field.bundle:
        names = [BundleName(minute)]
    for name in names:
        key = name.key(suffix=".zst")
        body = f"not of this recorder: {key}".encode()
        field.bucket.put_object(Key=key, Body=body)
        field.foreign[key] = body
    field.played["store: foreign objects"] += 1
    time.sleep(60 - time.time() % 60 + 15)
    field.drain()


def suspension(field: Field) -> None:
    """The process stands still for some seconds; what the network keeps for it is not lost."""
    for _ in range(3):
        field.recording(timed=False)
        field.running().send(signal.SIGSTOP)
        time.sleep(field.between(2.0, 8.0))
        field.running().send(signal.SIGCONT)
        field.played["SIGSTOP"] += 1
        time.sleep(field.between(1.0, 4.0))


def full_disk(field: Field) -> None:
    """The file system is filled to the brim, and kept full, for longer than the memory lasts."""
    if not field.mounted:
        return
    field.recording(timed=False)
    daemon = field.running()
    said = len(daemon.output())
    filler = field.data / "filler"
    began = time.time()
    end = time.monotonic() + 15
    while time.monotonic() < end:
        fill(filler)
        time.sleep(0.02)
    field.played["full disk"] += 1
    filler.unlink()
    daemon.says("writing to .* again", 30, said)
    field.windows.append((began - FLUSH, time.time() + MARGIN))
    time.sleep(2)
    field.drain()
    if field.daemon is not daemon or not daemon.alive:
        field.problem("the daemon did not live through a full disk")


def few_descriptors(field: Field) -> None:
    """No more than 64 descriptors, from the start on."""
    field.stop(signal.SIGTERM)
    field.start(prefix=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    field.recording()
    time.sleep(field.between(12.0, 16.0))
    field.kill()
    field.start(prefix=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    field.recording()
    field.drain()
    field.played["64 descriptors"] += 1
    field.stop(signal.SIGTERM)
    field.start()
    field.recording()


def clock(field: Field) -> None:
    """The time of day of the process jumps forwards and back, and is right again in the end."""
    field.stop(signal.SIGTERM)
    field.start(module="bench.shifted")
    field.recording()
    for by in (40.0, -35.0, 0.0):
        time.sleep(field.between(3.0, 6.0))
        field.shift(by)
        field.played["clock jump"] += 1
    time.sleep(5)
    field.stop(signal.SIGTERM)
    field.start()
    field.recording()


#: Every class but kill -9, in no order.
TURNS: dict[str, Callable[[Field], None]] = {
    "sigterm": terminations,
    "sigint": interrupts,
    "network": network,
    "half-open": half_open,
    "store-refuse": outage("refuse", 8),
    "store-hang": outage("hang", 8),
    "store-503": outage("503", 6),
    "store-slowdown": outage("SlowDown", 6),
    "store-500": outage("500", 6),
    "store-403": outage("403", 6),
    "store-lost": outage("lost", 12),
    "store-unstored": outage("unstored", 12),
    "foreign": foreign,
    "suspend": suspension,
    "full-disk": full_disk,
    "descriptors": few_descriptors,
    "clock": clock,
}
#: Turns that come up more than once in a round of 200 kills.
TWICE = ("sigterm", "sigint", "store-lost", "full-disk")
