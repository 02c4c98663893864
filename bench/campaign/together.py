"""The course of a campaign of several recorders."""

from __future__ import annotations

import argparse
import random
import time

from bench.campaign.fleet import Fleet
from bench.campaign.fleet_faults import TURNS
from bench.campaign.union import report
from tests.processes import Failed, Stage, wait_for


def play(stage: Stage, options: argparse.Namespace) -> int:
    """Fight and report; the exit status."""
    began = time.monotonic()
    fleet = Fleet(stage, options, options.minutes * 60 + 3600)
    try:
        fleet.engine.start()
        for member in fleet.members:
            fleet.start(member)
        fleet.calm()
        fight(fleet, options)
        rest(fleet)
        return report(fleet, time.monotonic() - began)
    finally:
        fleet.close()


def fight(fleet: Fleet, options: argparse.Namespace) -> None:
    """Play turns until the time is over, each at least once."""
    end = time.monotonic() + options.minutes * 60
    order = random.Random(options.seed)
    while True:
        names = list(options.only or TURNS)
        order.shuffle(names)
        for name in names:
            fleet.say(name)
            with fleet.turn(name):
                try:
                    TURNS[name](fleet)
                    if name != "rooms" and fleet.rng.random() < 0.4:
                        fleet.change_rooms()
                    fleet.calm()
                    # Far enough from the next turn to be told from it.
                    time.sleep(3)
                except Failed as error:
                    fleet.problem(f"in {name}: {error}")
                    _mend(fleet)
        if time.monotonic() >= end:
            return


def _mend(fleet: Fleet) -> None:
    """Go on after a turn that did not end as it should."""
    fleet.engine.proceed()
    for member in fleet.members:
        for way in member.ways.values():
            way.go("pass")
        if not member.alive:
            fleet.start(member)


def rest(fleet: Fleet) -> None:
    """End the chat, let everything be stored, and end the members."""
    try:
        fleet.calm()
    except Failed as error:
        fleet.problem(f"in the end: {error}")
    fleet.simulator.end()
    waiting = [member for member in fleet.members if member.alive]
    try:
        wait_for("empty spools", lambda: not any(member.waiting() for member in waiting), 240, 0.5)
    except Failed as error:
        fleet.problem(f"{error}: {[(member.name, member.waiting()[:3]) for member in waiting]}")
    # The manifests.
    time.sleep(3)
    for member in waiting:
        assert member.process is not None
        member.process.send(15)
    time.sleep(1)
    for member in waiting:
        fleet.end(member)
