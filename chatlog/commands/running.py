"""``chatlog status`` and ``chatlog rooms``: the state of the running recorder, and changes of its rooms."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from chatlog.commands.options import UNKNOWN, config_option, end, load, registry
from chatlog.config.room_names import RoomName, parse_room
from chatlog.one_value import Command, Group

# Commands import what they need when they run, because completing a command line has to be quick.
if TYPE_CHECKING:
    from chatlog.commands.api_client import ApiClient
    from chatlog.commands.rooms import Outcome
    from chatlog.commands.status_text import Line

#: Colours of lines by severity.
_COLORS: dict[str, dict[str, Any]] = {
    "ok": {},
    "note": {"fg": "yellow"},
    "warning": {"fg": "yellow", "bold": True},
    "critical": {"fg": "red", "bold": True},
    "remedy": {"dim": True},
    "title": {"dim": True},
}
#: Seconds that the recorder has for an answer to a shell completion.
_QUICK = 1.0


class Unanswered(click.ClickException):
    """The recorder does not answer, or refuses the request."""

    exit_code = UNKNOWN


def client(path: str) -> ApiClient:
    """A client for the recorder of a configuration."""
    from chatlog.commands.api_client import ApiClient

    http = load(path, UNKNOWN).http
    if http.listen is None:
        raise Unanswered("http.listen is switched off in the configuration, so there is nothing to ask")
    return ApiClient(http.listen, http.token)


def ask(call: Callable[[], Any]) -> Any:
    """The result of a request to the recorder. Ends the command if the request fails."""
    from chatlog.commands.api_client import ApiError

    try:
        return call()
    except ApiError as error:
        raise Unanswered(str(error)) from None


# -- status ------------------------------------------------------------------------------------------


@click.command(cls=Command)
@config_option
@click.option("-w", "--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The facts as JSON, one object a line.")
def status(path: str, watch: bool, as_json: bool) -> None:
    """Show the state of the recorder that runs with this configuration.

    Exit status 0: nothing needs attention, 1: something does, 2: the recorder does not answer.
    """
    api = client(path)
    if not watch:
        end(_show(ask(api.status), as_json))
    elif sys.stdout.isatty() and not as_json:
        _watch(api)
    else:
        _repeat(api, as_json)


def _watch(api: ApiClient) -> None:
    from chatlog.commands.watch import ENTER, LEAVE, Watch, resizes, terminal_size

    def write(text: str) -> None:
        click.echo(text, nl=False)

    write(ENTER)
    try:
        with resizes() as wait:
            Watch(api, write, _styled, terminal_size, wait).run()
    finally:
        write(LEAVE)


def _repeat(api: ApiClient, as_json: bool) -> None:
    """Print the state again and again, for a file or a pipe."""
    from chatlog.commands.api_client import ApiError
    from chatlog.commands.watch import EVERY

    first = True
    while True:
        if not first:
            time.sleep(EVERY)
            if not as_json:
                click.echo()
        first = False
        try:
            _show(api.status(), as_json)
        except ApiError as error:
            click.secho(str(error), fg="red", err=True)


def _show(facts: dict[str, Any], as_json: bool) -> bool:
    from chatlog.commands.status_text import is_well, status_lines

    if as_json:
        click.echo(json.dumps(facts, separators=(",", ":")))
        return is_well(facts)
    lines = list(status_lines(facts))
    width = max(len(line.about) for line in lines)
    for line in lines:
        about = f"{line.about:<{width}}  " if line.about or line.severity == "remedy" else ""
        click.echo(f"{about}{_styled(line)}")
    return is_well(facts)


def _styled(line: Line) -> str:
    return click.style(line.words, **_COLORS.get(line.severity, {})) if line.severity != "ok" else line.words


# -- rooms -------------------------------------------------------------------------------------------


@click.group(cls=Group, no_args_is_help=True)
def rooms() -> None:
    """Show and change the rooms of the running recorder.

    A room is twitch/NAME, kick/NAME, #NAME (on Twitch), or the address of the channel, in capital or small
    letters. Changes need http.token in the configuration.
    """


@rooms.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="The facts as JSON, one room a line.")
def list_rooms(path: str, as_json: bool) -> None:
    """List every room with its state, its messages of the last minute and its coverage of today."""
    from chatlog.commands.status_text import room_table

    found = ask(client(path).rooms)
    if as_json:
        for room in found:
            click.echo(json.dumps(room, separators=(",", ":")))
    else:
        for words, fine in room_table(found):
            click.echo(words if fine else click.style(words, fg="red"))


def parsed_rooms(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[RoomName, ...]:
    """The named rooms, each once. Raises BadParameter, which names every invalid name."""
    found: dict[RoomName, None] = {}
    problems = []
    for value in values:
        try:
            room = parse_room(value, registry())
        except ValueError as error:
            problems.append(str(error))
            continue
        try:
            registry()[room.platform].read(room.name)
        except ValueError as error:
            problems.append(f"{str(room)!r}: the name {error}")
            continue
        found[room] = None
    if problems:
        raise click.BadParameter("\n".join(problems))
    return tuple(found)


def completions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the running recorder's rooms; none if it does not answer at once."""
    from chatlog import configuration as config
    from chatlog.commands.api_client import ApiClient
    from chatlog.commands.completion import names

    try:
        path = str(context.params.get("path") or "chatlog.yaml")
        http = config.load(path, os.environ).http
        if http.listen is None:
            return []
        return [CompletionItem(name) for name in names(ApiClient(http.listen, within=_QUICK), incomplete)]
    except Exception:
        # An error message would disturb a completion.
        return []


_rooms = click.argument(
    "names",
    nargs=-1,
    required=True,
    callback=parsed_rooms,
    metavar="ROOM...",
    shell_complete=completions,
)


def _print(outcomes: Iterable[Outcome]) -> None:
    """Print a line for each outcome. Ends the command with status 1 if one is not as requested."""
    from chatlog.commands.api_client import ApiError

    fine = True
    try:
        for outcome in outcomes:
            words = outcome.words if outcome.fine else click.style(outcome.words, fg="red")
            click.echo(f"{outcome.room}: {words}")
            fine = fine and outcome.fine
    except ApiError as error:
        raise Unanswered(str(error)) from None
    end(fine)


@rooms.command("add")
@config_option
@_rooms
@click.option("--chatroom-id", type=click.IntRange(1), help="Kick's id of the chat room; else looked up.")
@click.option("--wait/--no-wait", default=True, help="Wait up to 15 seconds until the rooms are recorded.")
def add_rooms(path: str, names: tuple[RoomName, ...], chatroom_id: int | None, wait: bool) -> None:
    """Record rooms from now on, after restarts too, and show whether each is recorded.

    Needs http.token in the configuration. Exit status 0: all are recorded, 1: one is refused or still
    waited for, 2: a name is wrong, or the recorder does not answer.
    """
    from chatlog.commands import rooms as changes

    takes_ids = len(names) == 1 and "chatroom_id" in registry()[names[0].platform].ids
    if chatroom_id is not None and not takes_ids:
        raise click.UsageError("--chatroom-id is for one room of Kick")
    seconds = changes.WAIT if wait else 0.0
    _print(changes.add(client(path), names, chatroom_id, time.monotonic, time.sleep, seconds))


@rooms.command("remove")
@config_option
@_rooms
def remove_rooms(path: str, names: tuple[RoomName, ...]) -> None:
    """Stop recording rooms. What was recorded stays.

    Needs http.token in the configuration. Exit status 0: all are removed, 1: one was not on the list, 2: a
    name is wrong, or the recorder does not answer.
    """
    from chatlog.commands import rooms as changes

    _print(changes.remove(client(path), names))


@rooms.command("acknowledge")
@config_option
@_rooms
@click.option("--undo", is_flag=True, help="Report them again.")
def acknowledge_rooms(path: str, names: tuple[RoomName, ...], undo: bool) -> None:
    """Acknowledge that rooms are not recorded: alarms and the headline leave them out.

    It lasts until the room is recorded again. Needs http.token in the configuration. Exit status 0: done, 1:
    one of them is recorded or not on the list, 2: a name is wrong, or the recorder does not answer.
    """
    from chatlog.commands import rooms as changes

    _print(changes.acknowledge(client(path), names, not undo))
