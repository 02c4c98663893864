"""``chatlog cluster`` and ``chatlog drain``: the recorders that share their rooms."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from chatlog.commands.options import config_option, end, registry
from chatlog.commands.running import ask, client
from chatlog.config.room_names import parse_room
from chatlog.counted import many
from chatlog.one_value import Command
from chatlog.printable import printable

if TYPE_CHECKING:
    from chatlog.commands.api_client import ApiClient

#: Seconds between two requests while rooms are handed over.
_EVERY = 1.0


@click.command(cls=Command)
@config_option
@click.option("--room", "name", help="Show who records this room.")
@click.option("--json", "as_json", is_flag=True, help="The facts as JSON.")
def cluster(path: str, name: str | None, as_json: bool) -> None:
    """Show the recorders that share their rooms, as the one of this configuration knows them.

    Exit status 0: every room has its recorders, 1: not, 2: the recorder does not answer.
    """
    api = client(path)
    if name is not None:
        end(_where(api, name, as_json))
        return
    facts = ask(api.cluster)
    click.echo(json.dumps(facts) if as_json else _shown(cluster_lines(facts)), nl=as_json)
    end(is_whole(facts))


def _where(api: ApiClient, name: str, as_json: bool) -> bool:
    """Show which recorders have a room. Returns whether any has."""
    try:
        room = parse_room(name, registry(), "")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found: dict[str, Any] | None = ask(lambda: api.where(room.platform, room.name))
    if found is None:
        click.echo(f"{room.platform}/{room.name} is not on the list of the cluster", err=True)
        return False
    click.echo(json.dumps(found) if as_json else _shown(where_lines(found)), nl=as_json)
    return bool(found["recorded_by"])


@click.command(cls=Command)
@config_option
@click.option("--undo", is_flag=True, help="Take rooms again.")
@click.option("--wait", default=300, show_default=True, help="Seconds to wait until all are handed over.")
def drain(path: str, undo: bool, wait: int) -> None:
    """Hand all rooms over to the other recorders of the cluster.

    The recorder stays, without rooms, until it is stopped; nothing is missing then. SIGTERM does the same and
    ends it. Exit status 0: all rooms are handed over, 1: not in time, 2: the recorder does not answer.
    """
    api = client(path)
    ask(lambda: api.drain(not undo))
    if undo:
        click.echo("it takes rooms again")
        return
    until = time.monotonic() + wait
    while left := slots_left(ask(api.cluster)):
        if time.monotonic() >= until:
            click.echo(f"{left} slots are not handed over yet", err=True)
            end(False)
            return
        time.sleep(_EVERY)
    click.echo("all rooms are handed over; it can be stopped")


def is_whole(facts: dict[str, Any]) -> bool:
    """Whether every room has as many recorders as it should, and the others could replace any one of them."""
    return not (facts["short"] or facts["unassigned"] or facts["taken_since"]) and facts["engine"]["up"]


def slots_left(facts: dict[str, Any]) -> int:
    """How many slots the recorder still records."""
    return sum(sum(counts.values()) for counts in facts["slots"].values())


def cluster_lines(facts: dict[str, Any]) -> list[str]:
    """The cluster for people."""
    engine = facts["engine"]
    state = "answers" if engine["up"] else f"has not answered for {engine['age']:.0f} s ({engine['trouble']})"
    listed = facts["list"]
    lines = [
        f"cluster {facts['name']}: {many(listed['rooms'], 'room')}, each recorded by {facts['replicas']}",
        f"{engine['place']} {state}",
        "",
    ]
    table = [("recorder", "state", "zone", "rooms", "of at most", "last word", "page")]
    for member in facts["members"]:
        name = f"{member['name']}{' (this one)' if member['me'] else ''}"
        rooms, most = str(member["rooms"]), str(member["capacity"])
        age = f"{member['age']:.0f} s ago"
        table.append((name, member["state"], member["zone"] or "-", rooms, most, age, member["url"] or "-"))
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    lines.append("")
    for lost in facts["lost"]:
        lines.append(f"{lost['name']} is gone for {lost['for']:.0f} s")
    if facts["strangers"]:
        lines.append(f"not of this cluster's version: {', '.join(facts['strangers'])}")
    for platform, counts in facts["slots"].items():
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines.append(f"{platform}: slots of this one: {said}")
    lines.append(f"rooms short of recorders: {facts['short']}, without any: {facts['unassigned']}")
    return lines


def where_lines(found: dict[str, Any]) -> list[str]:
    """The recorders of a room, as lines for people."""
    by = ", ".join(found["recorded_by"]) or "nobody at the moment"
    meant = ", ".join(found["meant_for"]) or "nobody"
    return [
        f"{found['platform']}/{found['name']} is recorded by {by}",
        f"slot {found['slot']}, meant for {meant}",
    ]


def _shown(lines: list[str]) -> str:
    return "".join(f"{printable(line, 300).rstrip()}\n" for line in lines)
