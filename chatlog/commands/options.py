"""The common parts of all commands: the configuration option and the exit status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import click

# Commands import what they need when they run, because completing a command line has to be quick.
if TYPE_CHECKING:
    from chatlog.config.platform import Registry
    from chatlog.config.settings import Settings

#: The exit statuses: a problem was found; the answer is unknown.
PROBLEM = 1
UNKNOWN = 2

config_option = click.option(
    "-c",
    "--config",
    "path",
    default="chatlog.yaml",
    show_default=True,
    type=click.Path(),
    help="The configuration file.",
)


def load(path: str, status: int = PROBLEM) -> Settings:
    """The settings in a file. If it has problems, prints all of them and ends the command with ``status``."""
    from chatlog import configuration as config

    try:
        return config.load(path, os.environ, platforms=registry())
    except config.ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise click.exceptions.Exit(status) from None


def registry() -> Registry:
    """The platforms that this command knows: those it was invoked with (``obj=``), or all platforms."""
    from chatlog.platforms import PLATFORMS

    given = click.get_current_context().obj
    return PLATFORMS if given is None else cast("Registry", given)


def end(fine: bool) -> None:
    """End the command with a failure unless all is well."""
    if not fine:
        raise click.exceptions.Exit(PROBLEM)
