"""Faults that happen at set times, from a YAML file.

The file is a list. Each entry has ``at`` (seconds after the start) and ``what``; by choice ``platform``
(``twitch``, ``kick``, else both), ``which`` (``all``, a fraction such as 0.5, the number of a connection,
or the name of a room: the connections that joined it), ``for`` (seconds), ``every`` (seconds: again and
again), ``code`` (of a WebSocket close) and ``rate`` (bytes a second, for ``slow``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from twisted.internet.interfaces import IReactorTime

from chatlog.simulator.kick import KickConnection, SimulatedKick
from chatlog.simulator.twitch import SimulatedTwitch, TwitchConnection

Server = SimulatedTwitch | SimulatedKick
Connection = TwitchConnection | KickConnection

#: The faults of connections and of servers, with their default durations in seconds.
CONNECTION_FAULTS: Mapping[str, float] = {
    "drop": 0.0,
    "close": 0.0,
    "half_open": 120.0,
    "reconnect": 5.0,
    "garbage": 0.0,
    "slow": 10.0,
    "split": 10.0,
    "silence": 30.0,
    "part": 0.0,
    "repeat": 10.0,
    "broken": 0.0,
}
SERVER_FAULTS: Mapping[str, float] = {
    "refuse_login": 10.0,
    "refuse_connections": 10.0,
    "resume_accept": 0.0,
    "stall": 10.0,
    "ignore_joins": 10.0,
    "block_lookup": 10.0,
}
_PLATFORMS = ("twitch", "kick")


class FaultsError(Exception):
    """The file of faults cannot be used. The text says where and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the file; times in seconds."""

    at: float
    what: str
    platform: str | None = None
    which: str | int | float = "all"
    lasting: float = 0.0
    every: float | None = None
    code: int | None = None
    rate: int = 2000


def read_faults(text: str) -> list[Fault]:
    """The faults in a YAML document. Raises FaultsError with the number of the entry."""
    try:
        entries = yaml.safe_load(text) or []
    except yaml.YAMLError as error:
        raise FaultsError(f"not YAML: {error}") from error
    if not isinstance(entries, list):
        raise FaultsError("not a list of faults")
    return [_fault(number, entry) for number, entry in enumerate(entries, 1)]


def _fault(number: int, entry: Any) -> Fault:
    def wrong(why: str) -> FaultsError:
        return FaultsError(f"fault {number}: {why}")

    if not isinstance(entry, dict):
        raise wrong("not a mapping")
    unknown = set(entry) - {"at", "what", "platform", "which", "for", "every", "code", "rate"}
    if unknown:
        raise wrong(f"unknown key {sorted(map(str, unknown))[0]}")
    what = entry.get("what")
    known = {**CONNECTION_FAULTS, **SERVER_FAULTS}
    if what not in known:
        raise wrong(f"what must be one of {', '.join(sorted(known))}")
    for name in ("at", "for", "every", "code", "rate"):
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise wrong(f"{name} must be a number, 0 or more")
    if entry.get("platform") not in (None, *_PLATFORMS):
        raise wrong("platform must be twitch or kick")
    which = entry.get("which", "all")
    if isinstance(which, bool) or not isinstance(which, str | int | float):
        raise wrong("which must be all, a fraction, the number of a connection, or a room")
    return Fault(
        at=entry.get("at", 0),
        what=what,
        platform=entry.get("platform"),
        which=which,
        lasting=entry.get("for", known[what]),
        every=entry.get("every") or None,
        code=entry.get("code"),
        rate=int(entry.get("rate") or 2000),
    )


class Faults:
    """Plays faults on servers. ``report`` is called with a line about each."""

    def __init__(
        self,
        clock: IReactorTime,
        servers: Mapping[str, Server],
        seed: str = "1",
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._clock = clock
        self._servers = servers
        self._rng = random.Random(f"faults {seed}")
        self._report = report

    def schedule(self, faults: list[Fault]) -> None:
        """Play ``faults`` at their times, counted from now."""
        for fault in faults:
            self._clock.callLater(fault.at, self._happen, fault)

    def _happen(self, fault: Fault) -> None:
        if fault.every:
            self._clock.callLater(fault.every, self._happen, fault)
        self.make(fault)

    def make(self, fault: Fault) -> None:
        """Play ``fault`` now."""
        for platform, server in self._servers.items():
            if fault.platform in (None, platform):
                if fault.what in SERVER_FAULTS:
                    self._report(f"{platform}: {fault.what}")
                    self._to_server(server, fault)
                else:
                    chosen = self.choose(server, fault.which)
                    numbers = " ".join(str(connection.number) for connection in chosen)
                    self._report(f"{platform}: {fault.what} {numbers}")
                    for connection in chosen:
                        self._to_connection(connection, fault)

    def choose(self, server: Server, which: str | int | float) -> list[Connection]:
        """The connections of ``server`` that ``which`` selects. A fraction selects at least one."""
        living: list[Connection] = [c for c in server.connections.values() if not c.dead]
        if which == "all":
            return living
        if isinstance(which, str):
            return [c for c in living if any(room.name == which for room, _ in c.joined)]
        if isinstance(which, float) and which < 1:
            return self._rng.sample(living, max(1, round(which * len(living)))) if living else []
        return [c for c in living if c.number == which]

    def _to_connection(self, connection: Connection, fault: Fault) -> None:
        what, seconds = fault.what, fault.lasting
        if what == "drop":
            connection.cut()
        elif what == "close":
            connection.close(fault.code)
        elif what == "half_open":
            connection.half_open(seconds)
        elif what == "reconnect":
            connection.announce_reconnect(seconds)
        elif what == "garbage":
            connection.garbage(self._rng)
        elif what == "broken":
            connection.broken(self._rng)
        elif what == "repeat":
            connection.repeat(seconds)
        elif what == "slow":
            connection.slow(seconds, fault.rate)
        elif what == "split":
            connection.split(seconds)
        else:
            named = [room for room, _ in connection.joined if room.name == fault.which]
            if what == "silence":
                connection.mute(seconds, named[0] if named else None)
            else:
                for room in named or [room for room, _ in list(connection.joined)]:
                    connection.part_room(room.name)

    def _to_server(self, server: Server, fault: Fault) -> None:
        what = fault.what
        if what == "refuse_connections":
            server.refuse_connections()
            self._clock.callLater(fault.lasting, server.accept)
        elif what == "resume_accept":
            server.accept()
        else:
            attribute = {
                "refuse_login": "login_refused",
                "stall": "stalled",
                "ignore_joins": "joins_ignored",
                "block_lookup": "lookup_blocked",
            }[what]
            setattr(server, attribute, True)
            self._clock.callLater(fault.lasting, setattr, server, attribute, False)
