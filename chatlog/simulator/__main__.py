"""``python -m chatlog.simulator``: simulated Twitch and Kick servers on loopback."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatlog.output import guarded
from chatlog.simulator.certificates import loopback_certificate
from chatlog.simulator.faults import Fault, Faults, FaultsError, read_faults
from chatlog.simulator.kick import KickRules, SimulatedKick
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.oracle import Oracle
from chatlog.simulator.playlist import Playlist
from chatlog.simulator.recent import SimulatedRecent
from chatlog.simulator.traffic import SPREADS, Flow, Traffic
from chatlog.simulator.twitch import SimulatedTwitch, TwitchRules
from chatlog.simulator.twitch_chat import TwitchChat

#: The ports that demo.yaml names.
TWITCH_PORT, KICK_PORT = 16697, 16698
#: The Kick rooms of demo.yaml. They exist without a look-up, so that a recorder that knows
#: their ids from an earlier run finds them.
DEMO_ROOMS = "copper-fox,tide_watch"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m chatlog.simulator",
        description="Twitch and Kick look-alike servers on 127.0.0.1, with made-up chat. Stops by itself.",
    )
    _about_chat(parser.add_argument)
    _about_servers(parser.add_argument)
    _about_the_run(parser.add_argument)
    return parser


def _about_chat(add: Callable[..., object]) -> None:
    add("--rate", type=float, default=20.0, help="events a second over both platforms (20)")
    add("--kick-share", type=float, default=0.3, help="Kick's share of the events, 0 to 1 (0.3)")
    add(
        "--spread",
        choices=sorted(SPREADS),
        default="zipf",
        help="few busy rooms and many quiet ones (zipf), or even",
    )
    add(
        "--channels",
        type=int,
        default=None,
        metavar="N",
        help="only room1 to roomN exist (default: any name)",
    )
    add("--kick-rooms", default=DEMO_ROOMS, metavar="A,B", help="Kick rooms that exist without a lookup")
    add("--seed", default="1", help="the same seed gives the same chat (1)")
    add("--run", default=None, help="makes the ids of runs with one seed differ (the time of the start)")
    add("--tame", action="store_true", help="only what strict clients accept: UTF-8, IRC lines, JSON frames")
    add("--tick", type=float, default=0.025, metavar="S", help="seconds between two sendings (0.025)")


def _about_servers(add: Callable[..., object]) -> None:
    add("--plain", action="store_true", help="Twitch without TLS")
    add(
        "--ca",
        default="demo/ca.pem",
        metavar="FILE",
        help="where to write the certificate authority (demo/ca.pem)",
    )
    add("--twitch-port", type=int, default=TWITCH_PORT, help=f"0: any ({TWITCH_PORT})")
    add("--kick-port", type=int, default=KICK_PORT, help=f"0: any ({KICK_PORT})")
    add(
        "--recent-port",
        type=int,
        default=None,
        metavar="PORT",
        help="also a service that keeps recent Twitch messages (default: none; 0: any port)",
    )
    add("--own-records", action="store_true", help="every message in a write, and TLS record, of its own")
    add("--enforce-joins", action="store_true", help="close on more JOINs in 10 s than --joins-per-10s")
    add("--joins-per-10s", type=int, default=20)
    add("--ping-every", type=float, default=300.0, metavar="S", help="Twitch's PING (300)")
    add("--activity-timeout", type=int, default=120, metavar="S", help="the timeout in Kick's welcome (120)")
    add("--bad-token", default="bad", help="the token that Twitch refuses (bad)")
    add(
        "--first-after",
        type=float,
        default=0.0,
        metavar="S",
        help="a joined room is silent at first, for so long (0)",
    )
    add("--block-lookup", action="store_true", help="the lookup of Kick's ids answers 403")


def _about_the_run(add: Callable[..., object]) -> None:
    add("--ports", metavar="FILE", help="write the ports here, as JSON, once both servers listen")
    add("--oracle", metavar="FILE", help="write everything that is sent to this file")
    add("--faults", metavar="FILE", help="YAML list of faults (docs/simulator.md)")
    add("--play", metavar="FILE", help="play the faults that are appended to this file, one a line")
    add("--duration", type=float, default=3600.0, metavar="S", help="stop after so many seconds (3600)")


class Simulation:
    """Both servers with their traffic, for the options of the command line."""

    def __init__(self, options: argparse.Namespace, reactor: Any) -> None:
        run = options.run or f"{time.time():.0f}"
        self.oracle = Oracle(options.oracle)
        self.traffic = Traffic(
            reactor,
            time.time,
            TwitchChat(options.seed, run, options.tame),
            KickChat(options.seed, run, options.tame),
            self.oracle,
            Flow(options.rate, options.kick_share, options.spread, options.tick),
            options.seed,
        )
        twitch_rules = TwitchRules(
            rooms=options.channels,
            joins_per_10s=options.joins_per_10s if options.enforce_joins else None,
            ping_every=options.ping_every,
            bad_token=options.bad_token,
            first_after=options.first_after,
            own_records=options.own_records,
        )
        kick_rules = KickRules(
            rooms=options.channels,
            known=tuple(name for name in options.kick_rooms.split(",") if name),
            activity_timeout=options.activity_timeout,
            lookup_blocked=options.block_lookup,
            own_records=options.own_records,
        )
        self.twitch = SimulatedTwitch(reactor, self.traffic, twitch_rules)
        self.kick = SimulatedKick(reactor, self.traffic, kick_rules)
        self.recent = SimulatedRecent(reactor, self.traffic)

    def start(self, options: argparse.Namespace) -> dict[str, int]:
        """Listen and start the traffic. Returns the ports."""
        tls = None if options.plain else loopback_certificate(options.ca).options()
        twitch = self.twitch.listen(options.twitch_port, tls, options.own_records)
        kick = self.kick.listen(options.kick_port)
        ports = {"twitch": twitch, "kick": kick}
        if options.recent_port is not None:
            ports["recent"] = self.recent.listen(options.recent_port)
        self.traffic.start()
        return ports

    async def stop(self) -> None:
        """Send the waiting events and let them arrive, then write the rest of the oracle."""
        self.traffic.stop()
        await gatherResults([self.twitch.finish(), self.kick.finish(), self.recent.stop()])
        self.oracle.close()


def main(argv: list[str]) -> int:
    """Run for the duration or until a signal. Returns the exit status."""
    options = arguments().parse_args(argv)
    faults: list[Fault] = []
    if options.faults:
        try:
            with open(options.faults, encoding="utf-8") as file:
                faults = read_faults(file.read())
        except (OSError, FaultsError) as error:
            print(f"{options.faults}: {error}", file=sys.stderr)
            return 1
    from twisted.internet import reactor

    try:
        simulation = Simulation(options, reactor)
        ports = simulation.start(options)
    except Exception as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    scheme = "irc" if options.plain else "ircs"
    say(
        f"Twitch: {scheme}://127.0.0.1:{ports['twitch']}"
        + ("" if options.plain else f" (authority: {options.ca})")
    )
    say(
        f"Kick: ws://127.0.0.1:{ports['kick']}/app/demo and http://127.0.0.1:{ports['kick']}/api/v2/channels/{{slug}}"
    )
    if "recent" in ports:
        say(f"Recent chat: http://127.0.0.1:{ports['recent']}/api/v2")
    if options.ports:
        with open(options.ports + ".tmp", "w", encoding="utf-8") as file:
            json.dump(ports, file)
        os.replace(options.ports + ".tmp", options.ports)
    schedule = Faults(reactor, {"twitch": simulation.twitch, "kick": simulation.kick}, options.seed, say)
    schedule.schedule(faults)
    if options.play:
        Playlist(options.play, schedule, say).follow(reactor)
    reactor.callLater(options.duration, reactor.stop)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(simulation.stop()))
    reactor.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    summary = {
        "events": simulation.oracle.n,
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "join_violations": simulation.twitch.violations,
    }
    say(json.dumps(summary))
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
