"""What the commands have in common: where the configuration is, and what they end with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

# What a command needs is imported by the command: completing a line has to be quick.
if TYPE_CHECKING:
    from chatlog.config.settings import Settings

#: Exit status: a problem was found; it could not be found out.
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
