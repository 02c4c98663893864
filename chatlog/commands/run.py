"""``chatlog run``: the recorder in the foreground, short for the twistd command."""

from __future__ import annotations

import os
import sys

import click

from chatlog.commands.options import config_option
from chatlog.one_value import Command


@click.command(cls=Command)
@config_option
@click.option(
    "--check", is_flag=True, help="Say what the configuration means and what is wrong with it, then exit."
)
@click.option("-v", "--verbose", is_flag=True, help="Log debug messages too.")
def run(path: str, check: bool, verbose: bool) -> None:
    """Record, in the foreground: the same as twistd -n --pidfile= chatlog --config PATH.

    Ctrl-C or SIGTERM ends it within two seconds, with everything on the disk; SIGHUP reads the
    configuration again.
    """
    from chatlog.foreground import become

    sys.stdout.flush()
    flags = ["--check"] * check + ["--verbose"] * verbose
    try:
        become(["--config", os.fspath(path), *flags])
    except OSError as error:
        raise click.ClickException(f"Python cannot be started: {error.strerror}") from None
