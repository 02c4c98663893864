"""The ids and the Pusher channel of a room, for a visit to Kick."""

from __future__ import annotations

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.kick.lookup import ANSWER_LIMIT, ANSWER_WITHIN, LookupRefused, ids_in
from chatlog.network.dialing import Network
from chatlog.network.http import RequestFailed, http_client
from chatlog.rooms.visit import Steps, VisitFailed


class OneRoom:
    """The Pusher channel of one room, whose events are dropped."""

    def __init__(self, name: str, channel: str) -> None:
        self._name = name
        self.channel = channel

    def channels_of(self, name: str) -> list[str]:
        """The Pusher channel of the room."""
        return [self.channel]

    def room_of(self, channel: str) -> str:
        """The name of the room if ``channel`` is its channel, else ``""``."""
        return self._name if channel == self.channel else ""

    def event(self, *event: object) -> None:
        """Nothing is recorded."""

    not_understood = event


async def with_ids(settings: KickSettings, network: Network, steps: Steps) -> KickChannel:
    """A room whose ids are known, or else the first one with its ids looked up. Raises VisitFailed."""
    for channel in settings.channels:
        if channel.chatroom_id is not None:
            return channel
    channel = settings.channels[0]
    if settings.lookup is None:
        raise VisitFailed(f"{channel.slug} has no chatroom_id, and looking up is switched off")
    steps.now = f"looking up the ids of {channel.slug}"
    try:
        get = http_client(network).getter(ANSWER_LIMIT, ANSWER_WITHIN)
        answer = await get(settings.lookup.format(slug=channel.slug))
        chatroom_id, channel_id = ids_in(answer.status, answer.body)
    except (LookupRefused, RequestFailed) as error:
        raise VisitFailed(f"the ids of {channel.slug} cannot be looked up: {error}") from None
    return KickChannel(channel.slug, chatroom_id, channel_id)
