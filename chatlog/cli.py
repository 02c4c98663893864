"""``chatlog``: a recorder started and looked after from a terminal. It is ``twistd chatlog`` itself."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from chatlog import __version__
from chatlog.commands.demo import demo
from chatlog.commands.export import export
from chatlog.commands.importing import import_
from chatlog.commands.log import log
from chatlog.commands.options import config_option, end, load
from chatlog.commands.run import run
from chatlog.commands.running import rooms, status
from chatlog.commands.search import search
from chatlog.commands.user import user
from chatlog.verify.command import verify

# What a command needs is imported by the command: completing a line has to be quick.
if TYPE_CHECKING:
    from chatlog.config.settings import Settings

#: What a shell expects of a command that was interrupted.
INTERRUPTED = 130

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
    """Record Twitch and Kick chat, look after the recorder, and after its archive.

    To see how it is, with made-up chat: chatlog demo. To record: chatlog run, which is
    twistd -n chatlog --config chatlog.yaml

    Completions: eval "$(_CHATLOG_COMPLETE=bash_source chatlog)", in ~/.bashrc for good; zsh_source and
    fish_source are for these shells.
    """


for command in (demo, export, import_, log, rooms, run, search, status, user, verify):
    commands.add_command(command)


@commands.command()
@config_option
@click.option("--online", is_flag=True, help="Also try the store, and a room of each platform.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
def check(path: str, online: bool, quiet: bool) -> None:
    """Say what a configuration means, and what is wrong with it.

    With --online one object is written, read and deleted, and one room of each platform is joined;
    nothing is recorded, and a recorder that runs is not disturbed. Exit status 0: all is well, 1: it is
    not.
    """
    from chatlog.preflight import examine

    settings = load(path)
    told, problems = examine(path, settings, os.environ)
    if not quiet:
        click.echo(told, nl=False)
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
