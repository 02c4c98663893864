"""The daemon without its tick: woken for every message, as Twisted reads by itself. For comparison only.
Takes the arguments of twistd."""

from __future__ import annotations

from typing import Any

from twisted.scripts.twistd import run

from chatlog.network import pacing


def begin(transport: Any) -> None:
    """Pace nothing."""


if __name__ == "__main__":
    pacing.begin = begin
    run()
