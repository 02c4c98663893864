"""The command ``chatlog``. Its recorder is the same as that of ``twistd chatlog``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from chatlog import __version__
from chatlog.commands.bundle import bundle
from chatlog.commands.cluster import cluster, drain
from chatlog.commands.compact import compact
from chatlog.commands.demo import demo
from chatlog.commands.erase import erase
from chatlog.commands.expire import expire
from chatlog.commands.export import export
from chatlog.commands.importing import import_
from chatlog.commands.log import log
from chatlog.commands.options import config_option, end, load
from chatlog.commands.optout import optout
from chatlog.commands.run import run
from chatlog.commands.running import rooms, status
from chatlog.commands.search import search
from chatlog.commands.tier import tier
from chatlog.commands.user import user
from chatlog.one_value import Group
from chatlog.output import INTERRUPTED, guarded
from chatlog.verify.command import verify

# Commands import what they need when they run, because completing a command line has to be quick.
if TYPE_CHECKING:
    from chatlog.config.settings import Settings

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(arguments: list[str] | None = None) -> NoReturn:
    """The console script."""
    guarded(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    # https://no-color.org: anything but an empty value.
    color = False if os.environ.get("NO_COLOR") else None
    try:
        status = commands.main(arguments, prog_name="chatlog", standalone_mode=False, color=color)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return status if isinstance(status, int) else 0


@click.group(cls=Group, context_settings=_CONTEXT, no_args_is_help=True)
@click.version_option(__version__, "-V", "--version", prog_name="chatlog", message="%(prog)s %(version)s")
def commands() -> None:
    """Record Twitch and Kick chat, and read and check what was recorded.

    To try it with invented chat: chatlog demo. To record: chatlog run, which is short for
    twistd -n --pidfile= chatlog --config chatlog.yaml

    Completions for bash: put eval "$(_CHATLOG_COMPLETE=bash_source chatlog)" into ~/.bashrc. For zsh and
    fish use zsh_source and fish_source.
    """


for command in (
    bundle,
    cluster,
    compact,
    demo,
    drain,
    erase,
    expire,
    export,
    import_,
    log,
    optout,
    rooms,
    run,
    search,
    status,
    tier,
    user,
    verify,
):
    commands.add_command(command)


@commands.command()
@config_option
@click.option("--online", is_flag=True, help="Also try the store, and a room of each platform.")
@click.option("-q", "--quiet", is_flag=True, help="Show only problems.")
def check(path: str, online: bool, quiet: bool) -> None:
    """Show what a configuration means, and its problems.

    With --online one object is written, read and deleted, and one room of each platform is joined. Nothing
    is recorded, and a running recorder is not disturbed. Exit status 0: no problem, 1: there is a problem.
    """
    from chatlog.preflight import examine

    settings = load(path)
    meaning, problems = examine(path, settings, os.environ)
    if not quiet:
        click.echo(meaning, nl=False)
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

    def report(result: Result) -> None:
        if not (quiet and result.fine):
            word = click.style("ok", fg="green") if result.fine else click.style("failed", fg="red")
            click.echo(f"{result.name}: {word}: {result.what}", err=not result.fine)

    def begin() -> None:
        checks = check_online(settings, reactor, time.time, open_store, report, proxies_in(os.environ)[0])
        checks.addCallback(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        raise click.exceptions.Abort
    return outcome[0]
