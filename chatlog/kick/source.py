"""Builds the source for Kick's rooms."""

from __future__ import annotations

from urllib.parse import urlsplit

from twisted.application.service import MultiService

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.kick.client import connect as connect_kick
from chatlog.kick.ids import ChannelIds, IdCache
from chatlog.kick.lookup import ANSWER_LIMIT, ANSWER_WITHIN
from chatlog.kick.rooms import KickRooms
from chatlog.network.http import http_client
from chatlog.network.tls import tls_wrapper
from chatlog.sources import Shared, Source


def kick_source(settings: KickSettings, shared: Shared) -> Source:
    """The source for Kick's rooms, still without rooms. ``add`` takes a KickChannel. Raises
    CertificateAuthorityError."""
    server = urlsplit(settings.server)
    tls = tls_wrapper(server.hostname or "", settings.ca_file)
    dials = shared.network.speaking(server.scheme)
    environment = shared.environment
    # For each channel that cannot be recorded yet, the reason.
    missing: dict[str, str] = {}
    rooms = KickRooms(
        settings,
        environment,
        shared.records_of("kick"),
        shared.events,
        missing,
        lambda factory: connect_kick(dials, factory, shared.wrap, tls),
    )
    ids = ChannelIds(
        settings.lookup,
        http_client(shared.network).getter(ANSWER_LIMIT, ANSWER_WITHIN),
        IdCache(environment.files, shared.directory),
        environment.reactor,
        rooms.add,
        missing,
        any("{channel_id}" in template for template in settings.subscribe),
    )
    together = MultiService()
    together.setName("kick")
    for part in (rooms.pool, rooms, ids):
        part.setServiceParent(together)

    def add(channel: KickChannel) -> None:
        ids.add(channel)

    def remove(slug: str) -> None:
        ids.remove(slug)
        rooms.remove(slug)

    return Source(together, rooms.pool, add, remove, missing)
