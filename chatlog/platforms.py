"""The platforms whose rooms are recorded: the one list of them. docs/extend.md says how to add one."""

from __future__ import annotations

from types import MappingProxyType

from chatlog.config.platform import Platform, Registry
from chatlog.kick.platform import KICK
from chatlog.twitch.platform import TWITCH


def registered(*platforms: Platform) -> Registry:
    """These platforms by their names, in this order."""
    return MappingProxyType({platform.name: platform for platform in platforms})


PLATFORMS = registered(TWITCH, KICK)
