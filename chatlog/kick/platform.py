"""The platform Kick. Modules for the network take 8 MB, so they are imported when needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from chatlog.config import values
from chatlog.config.platform import Platform, Problem
from chatlog.config.schema import LANES, Items, Section
from chatlog.config.settings import KickChannel, KickSettings
from chatlog.config.values import number, url
from chatlog.config.wording import OPEN_EVERY, all_asked
from chatlog.counted import many

#: The most subscriptions in a second, and seconds between two lookups of ids.
SUBSCRIPTIONS = 50
LOOKUP_EVERY = 0.35
#: The types of records whose id is known to be unique.
_WITH_ID = frozenset({"message", "delete", "timeout", "ban", "unban", "clear"})

CHANNEL = Section(
    KickChannel,
    {
        "slug": values.SLUG,
        "chatroom_id": number(1, 10**15),
        "channel_id": number(1, 10**15),
    },
    required=("slug",),
    short="slug",
)


class Kick(Platform):
    """The platform Kick. A room is a KickChannel."""

    name = "kick"
    title = "Kick"
    sites = ("kick.com",)
    ids = ("chatroom_id", "channel_id")
    section = Section(
        KickSettings,
        {
            "channels": Items(CHANNEL, "channels", lambda channel: channel.get("slug")),
            "server": url("wss", "ws"),
            "ca_file": values.PATH,
            "rooms_per_connection": number(1, 100, "so that one lost connection costs few rooms"),
            "lanes": LANES,
            "lookup": values.LOOKUP,
            "subscribe": Items(values.SUBSCRIPTION, "Pusher channels"),
        },
    )

    def read(self, name: str, **ids: int) -> KickChannel:
        return KickChannel(values.SLUG.read(name), **ids)

    def name_of(self, channel: KickChannel) -> str:
        return channel.slug

    def ids_of(self, channel: KickChannel) -> dict[str, int]:
        ids = {name: getattr(channel, name) for name in self.ids}
        return {name: id for name, id in ids.items() if id is not None}

    def contradictions(self, values: Mapping[str, Any], wrong: set[str]) -> Iterator[Problem]:
        if "kick.channels" in wrong:
            return
        names: dict[int, str] = {}
        for index, channel in enumerate(values.get("channels", ())):
            if (number := channel.get("chatroom_id")) is None:
                continue
            if number in names:
                yield f"kick.channels[{index}]", f"{names[number]} has the chatroom_id {number} already"
            names.setdefault(number, channel["slug"])
        if values.get("lookup", "") is not None:
            return
        for index, channel in enumerate(values.get("channels", ())):
            if "chatroom_id" not in channel:
                yield f"kick.channels[{index}]", "chatroom_id is required while kick.lookup is off"

    def sentences(self, settings: KickSettings) -> Iterator[str]:
        rooms = len(settings.channels)
        connections = ceil(rooms / settings.rooms_per_connection)
        unknown = sum(1 for channel in settings.channels if channel.chatroom_id is None)
        yield f"{many(rooms, 'room')} on {many(connections, 'connection')} to {settings.server}."
        waits = (rooms / SUBSCRIPTIONS, unknown * LOOKUP_EVERY, (connections - 1) * OPEN_EVERY)
        yield all_asked(rooms, max(waits))
        if unknown:
            what = many(unknown, "room")
            yield f"the ids of {what} are looked up at {settings.lookup}; Kick may refuse that."

    def has_id(self, kind: str) -> bool:
        return kind in _WITH_ID

    def source(self, settings: KickSettings, shared: Any) -> Any:
        from chatlog.kick.source import kick_source

        return kick_source(settings, shared)

    async def visit(self, settings: KickSettings, environment: Any, network: Any, steps: Any) -> str:
        """Find the ids of the first room, if they are not in the configuration, and subscribe to it."""
        from chatlog.kick.client import KickFactory, connect
        from chatlog.kick.visit import OneRoom, with_ids
        from chatlog.network.tls import tls_wrapper
        from chatlog.rooms.visit import Visit

        channel = await with_ids(settings, network, steps)
        server = urlsplit(settings.server)
        tls = tls_wrapper(server.hostname or "", settings.ca_file)
        ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
        room = OneRoom(channel.slug, settings.subscribe[0].format(**ids))
        success = f"connected, subscribed to {channel.slug} ({room.channel})"

        def dial(owner: Any) -> KickFactory:
            factory = KickFactory(owner, settings.server, room, room, environment)
            return connect(network.speaking(server.scheme), factory, lambda inner: inner, tls)

        return await Visit(server.hostname or settings.server, channel.slug, success, steps, dial).done


KICK = Kick()
