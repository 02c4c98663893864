"""What a platform is to the rest of Chatlog: an object that knows its keys, its names, how it is recorded.

A platform is registered by an instance of a subclass in ``platforms.PLATFORMS``; docs/extend.md has an
example. Nothing here holds state, and no import of this module brings a network with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

from chatlog.config.schema import Section

#: Platform and name of a room.
Key = tuple[str, str]
#: A key's path, and the rest of the sentence that says what is wrong with it.
Problem = tuple[str, str]
#: What the platform needs to record a room, as its configuration has it: a name, or an object with ids.
Channel = Any


class PlatformSettings(Protocol):
    """What the settings of every platform have."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The rooms of the configuration."""

    @property
    def ca_file(self) -> str | None:
        """The file with the authority of the server's certificate; None: those of the system."""


class Platform:
    """A platform whose rooms are recorded."""

    #: What it is called in keys, records, metrics, commands and the configuration: a-z.
    name: ClassVar[str]
    #: What people call it.
    title: ClassVar[str]
    #: The keys of its part of the configuration. Its settings satisfy PlatformSettings.
    section: ClassVar[Section]
    #: Host names of its site, without prefixes such as ``www.``.
    sites: ClassVar[tuple[str, ...]] = ()
    #: The sign that people write in front of a room's name, where no other platform has it; else ``""``.
    sign: ClassVar[str] = ""
    #: The ids that may be given with a room's name, all of them whole numbers.
    ids: ClassVar[tuple[str, ...]] = ()

    def settings(self) -> Any:
        """The settings of its part of a configuration that names none of its rooms."""
        return self.section.make(channels=())

    def read(self, name: str, **ids: int) -> Channel:
        """The room of that name. Raises ValueError; the text goes on after "the name"."""
        raise NotImplementedError

    def name_of(self, channel: Channel) -> str:
        """The name of a room in the configuration."""
        return str(channel)

    def ids_of(self, channel: Channel) -> dict[str, int]:
        """The ids that are given with it."""
        return {}

    def contradictions(self, values: Mapping[str, Any], wrong: set[str]) -> Iterator[Problem]:
        """What is contradictory in the values of its section; keys in ``wrong`` have a problem already."""
        return iter(())

    def complete(self, values: dict[str, Any]) -> None:
        """Change the values of its section as they imply each other."""

    def sentences(self, settings: Any) -> Iterator[str]:
        """What the recorder does with these settings."""
        return iter(())

    def has_id(self, kind: str) -> bool:
        """Whether two records of that type with the same id are copies of one event."""
        return True

    def source(self, settings: Any, shared: Any) -> Any:
        """The recorder of its rooms (a ``sources.Source``), made with what all share (``sources.Shared``)."""
        raise NotImplementedError

    async def visit(self, settings: Any, environment: Any, network: Any, steps: Any) -> str:
        """Ask its servers for one room, and say in words what came of it. Raises VisitFailed."""
        raise NotImplementedError


#: The platforms by their names.
Registry = Mapping[str, Platform]


def rooms_of(platforms: Registry, sections: Mapping[str, PlatformSettings]) -> dict[Key, Channel]:
    """The rooms of a configuration."""
    return {
        (name, platforms[name].name_of(channel)): channel
        for name, section in sections.items()
        for channel in section.channels
    }
