"""The interface of a platform: its configuration keys, its names of rooms, and its source.

A platform is registered by an instance of a subclass in ``platforms.PLATFORMS``; docs/extend.md has an
example. Nothing here has state, and importing this module imports no networking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

from chatlog.config.schema import Section

#: Platform and name of a room.
Key = tuple[str, str]
#: A key's path, and the rest of the sentence about its problem.
Problem = tuple[str, str]
#: A room as its platform's configuration has it: a name, or an object with ids.
Channel = Any


class PlatformSettings(Protocol):
    """The settings that every platform has."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The rooms of the configuration."""

    @property
    def ca_file(self) -> str | None:
        """The file with the authority of the server's certificate; None means the system's authorities."""


class Platform(ABC):
    """A platform whose rooms are recorded."""

    #: The platform's name in keys, records, metrics, commands and the configuration: a-z.
    name: ClassVar[str]
    #: The platform's name for people.
    title: ClassVar[str]
    #: The keys of the platform's section in the configuration. Its settings satisfy PlatformSettings.
    section: ClassVar[Section]
    #: The host names of the platform's site, without prefixes such as ``www.``.
    sites: ClassVar[tuple[str, ...]] = ()
    #: The sign in front of a room's name, if no other platform has it; else ``""``.
    sign: ClassVar[str] = ""
    #: The names of ids that may be given with a room's name; all ids are whole numbers.
    ids: ClassVar[tuple[str, ...]] = ()

    def settings(self) -> Any:
        """The settings if the configuration has no room of the platform."""
        return self.section.make(channels=())

    @abstractmethod
    def read(self, name: str, **ids: int) -> Channel:
        """The room of that name. Raises ValueError; its text continues "the name"."""

    def name_of(self, channel: Channel) -> str:
        """The name of a room in the configuration."""
        return str(channel)

    def ids_of(self, channel: Channel) -> dict[str, int]:
        """The ids that are given with the room."""
        return {}

    def contradictions(self, values: Mapping[str, Any], wrong: set[str]) -> Iterator[Problem]:
        """The contradictions in the values of the platform's section. Keys in ``wrong`` have a problem
        already."""
        return iter(())

    def complete(self, values: dict[str, Any]) -> None:  # noqa: B027  most have nothing to set
        """Set the values of the platform's section that follow from others."""

    def sentences(self, settings: Any) -> Iterator[str]:
        """Sentences that say what the recorder does with these settings."""
        return iter(())

    def has_id(self, kind: str) -> bool:
        """Whether two records of the type with the same id are copies of one event."""
        return True

    @abstractmethod
    def source(self, settings: Any, shared: Any) -> Any:
        """The source for the platform's rooms (a ``sources.Source``), made with the shared parts
        (``sources.Shared``)."""

    @abstractmethod
    async def visit(self, settings: Any, environment: Any, network: Any, steps: Any) -> str:
        """Connect for one room, and return the result in words. Raises VisitFailed."""


#: The platforms by their names.
Registry = Mapping[str, Platform]


def rooms_of(platforms: Registry, sections: Mapping[str, PlatformSettings]) -> dict[Key, Channel]:
    """The rooms of a configuration."""
    return {
        (name, platforms[name].name_of(channel)): channel
        for name, section in sections.items()
        for channel in section.channels
    }
