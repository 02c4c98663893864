"""``chatlog``: looking after a recorder from a terminal. The recorder itself is ``twistd chatlog``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from chatlog import __version__
from chatlog.verify.command import verify

# What a command needs is imported by the command: completing a line has to be quick.
if TYPE_CHECKING:
    from chatlog.commands.api_client import ApiClient
    from chatlog.commands.status_text import Line
    from chatlog.config.settings import Settings

#: Exit status: a problem was found; it could not be found out.
PROBLEM = 1
UNKNOWN = 2
#: What a shell expects of a command that was interrupted.
INTERRUPTED = 130
#: Seconds between two looks of ``status --watch``.
EVERY = 2.0

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(arguments: list[str] | None = None) -> NoReturn:
    """The console script."""
    # https://no-color.org: anything but an empty value.
    color = False if os.environ.get("NO_COLOR") else None
    try:
        status = commands.main(arguments, prog_name="chatlog", standalone_mode=False, color=color)
    except click.exceptions.Abort:
        raise SystemExit(INTERRUPTED) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # Whoever read our output has had enough, and Python would complain at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(status if isinstance(status, int) else 0)


@click.group(context_settings=_CONTEXT, no_args_is_help=True)
@click.version_option(__version__, "-V", "--version", prog_name="chatlog", message="%(prog)s %(version)s")
def commands() -> None:
    """Look after a recorder of Twitch and Kick chat, and after its archive.

    The recorder itself is started with: twistd -n chatlog --config chatlog.yaml

    Completions: eval "$(_CHATLOG_COMPLETE=bash_source chatlog)", in ~/.bashrc for good; zsh_source and
    fish_source are for these shells.
    """


commands.add_command(verify)

_config = click.option(
    "-c",
    "--config",
    "path",
    default="chatlog.yaml",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="The configuration file.",
)


def load(path: str, status: int = PROBLEM) -> Settings:
    """The settings in a file. Ends the command with every problem there is, and with this status."""
    from chatlog.config import config

    try:
        return config.load(path, os.environ)
    except config.ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise click.exceptions.Exit(status) from None


def end(fine: bool) -> None:
    """End the command, if something is wrong."""
    if not fine:
        raise click.exceptions.Exit(PROBLEM)


@commands.command()
@_config
@click.option("--online", is_flag=True, help="Also try the store, and a room of each platform.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
def check(path: str, online: bool, quiet: bool) -> None:
    """Say what a configuration means, and what is wrong with it.

    With --online one object is written, read and deleted, and one room of each platform is joined;
    nothing is recorded, and a recorder that runs is not disturbed. Exit status 0: all is well, 1: it is
    not.
    """
    from chatlog.config import config
    from chatlog.network.proxies import proxies_in

    settings = load(path)
    proxies, problems, mind = proxies_in(os.environ)
    problems += config.check_directories(settings)
    if not quiet:
        click.echo(config.describe(settings), nl=False)
        for told in (*proxies.describe(), *(f"Mind: {warning}" for warning in mind)):
            click.echo(f"# {told}")
    for problem in problems:
        click.echo(problem, err=True)
    fine = not problems
    if online:
        fine = _check_online(settings, quiet) and fine
    end(fine)


def _check_online(settings: Settings, quiet: bool) -> bool:
    from twisted.internet import reactor as installed

    from chatlog.commands.online_check import Result, check_online
    from chatlog.network.proxies import proxies_in
    from chatlog.store.archive import open_store

    reactor: Any = installed
    outcome: list[bool] = []

    def tell(result: Result) -> None:
        if not (quiet and result.fine):
            word = click.style("ok", fg="green") if result.fine else click.style("failed", fg="red")
            click.echo(f"{result.name}: {word}: {result.what}", err=not result.fine)

    def begin() -> None:
        checks = check_online(settings, reactor, time.time, open_store, tell, proxies_in(os.environ)[0])
        checks.addCallback(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        raise click.exceptions.Abort
    return outcome[0]


# -- a running recorder ------------------------------------------------------------------------------


class Unanswered(click.ClickException):
    """The recorder could not be asked, or did not do what it was asked."""

    exit_code = UNKNOWN


def client(path: str) -> ApiClient:
    """Who talks to the recorder of a configuration."""
    from chatlog.commands.api_client import ApiClient

    http = load(path, UNKNOWN).http
    if http.listen is None:
        raise Unanswered("http.listen is switched off in the configuration: nobody can be asked")
    return ApiClient(http.listen, http.token)


def ask(call: Callable[[], Any]) -> Any:
    """What the recorder answers. Ends the command where it does not."""
    from chatlog.commands.api_client import ApiError

    try:
        return call()
    except ApiError as error:
        raise Unanswered(str(error)) from None


@commands.command()
@_config
@click.option("-w", "--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The facts as JSON, one object a line.")
def status(path: str, watch: bool, as_json: bool) -> None:
    """Say how the recorder that runs with this configuration is.

    Exit status 0: nothing is wrong, 1: something is, 2: the recorder does not answer.
    """
    from chatlog.commands.api_client import ApiError

    api = client(path)
    if not watch:
        end(_show(ask(api.status), as_json))
    while watch:
        try:
            facts = api.status()
        except ApiError as error:
            _clear(as_json)
            click.secho(str(error), fg="red", err=True)
        else:
            _clear(as_json)
            _show(facts, as_json)
        time.sleep(EVERY)


def _clear(as_json: bool) -> None:
    if not as_json and sys.stdout.isatty():
        click.clear()


def _show(facts: dict[str, Any], as_json: bool) -> bool:
    from chatlog.commands.status_text import status_lines

    lines = list(status_lines(facts))
    if as_json:
        click.echo(json.dumps(facts, separators=(",", ":")))
    else:
        width = max(len(line.about) for line in lines)
        for line in lines:
            click.echo(_styled(line, width))
    return all(line.fine for line in lines)


def _styled(line: Line, width: int) -> str:
    words = line.words if line.fine else click.style(line.words, fg="red")
    return f"{line.about:<{width}}  {words}" if line.about or not line.fine else line.words


@commands.group(no_args_is_help=True)
def rooms() -> None:
    """See and change the rooms of the recorder that runs."""


@rooms.command("list")
@_config
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


def parsed_room(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, str]:
    """Platform and name in ``twitch/name`` or ``kick/name``."""
    platform, _, name = value.partition("/")
    name = name.removeprefix("#").lower()
    if platform not in ("twitch", "kick") or not name or "/" in name:
        raise click.BadParameter(f"{value!r} is no room; write twitch/NAME or kick/NAME")
    return platform, name


_room = click.argument("room", callback=parsed_room, metavar="PLATFORM/ROOM")


@rooms.command("add")
@_config
@_room
@click.option("--chatroom-id", type=click.IntRange(1), help="Kick's id of the chat room; else looked up.")
def add_room(path: str, room: tuple[str, str], chatroom_id: int | None) -> None:
    """Record a room from now on, after restarts too. Needs http.token in the configuration."""
    if chatroom_id is not None and room[0] != "kick":
        raise click.UsageError("--chatroom-id is for rooms of Kick")
    new = ask(partial(client(path).add, *room, chatroom_id))
    click.echo(f"{room[0]}/{room[1]} is being recorded {'from now on' if new else 'already'}")


@rooms.command("remove")
@_config
@_room
def remove_room(path: str, room: tuple[str, str]) -> None:
    """Record a room no longer. What was recorded stays. Needs http.token in the configuration."""
    ask(partial(client(path).remove, *room))
    click.echo(f"{room[0]}/{room[1]} is not recorded any more")
