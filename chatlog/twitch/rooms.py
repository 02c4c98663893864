"""The pool of Twitch's rooms, and its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatlog.config.settings import TwitchSettings
from chatlog.environment import Environment
from chatlog.network.dialing import Dials
from chatlog.rooms.chat_protocol import Owner
from chatlog.rooms.connections import Limits
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.reconnecting import CONNECT_WITHIN, Reconnecting
from chatlog.rooms.subscriptions import RecordSink, Room
from chatlog.twitch.client import TwitchProtocol
from chatlog.twitch.intake import Intake

PLATFORM = "twitch"


def dial(
    owner: Owner,
    settings: TwitchSettings,
    intake: Intake,
    environment: Environment,
    dials: Dials,
    wrap: Callable[[Reconnecting], Any],
) -> Reconnecting:
    """Begin to connect ``owner``. ``dials`` makes the connections; ``wrap(factory)`` puts TLS and pacing
    around the factory of one."""
    clock, wall = environment.reactor, environment.wall
    factory = Reconnecting(owner, lambda: TwitchProtocol(owner, intake, settings, clock, wall), clock)
    dials.connectTCP(settings.host, settings.port, wrap(factory), CONNECT_WITHIN)
    return factory


def twitch_pool(
    settings: TwitchSettings,
    environment: Environment,
    server_records: RecordSink,
    events: RoomEvents,
    dials: Dials,
    wrap: Callable[[Reconnecting], Any],
) -> Pool:
    """The pool of Twitch rooms, still empty. Records that belong to none of them go to ``server_records``."""
    rooms: dict[str, Room] = {}
    intake = Intake(rooms, server_records, environment)
    limits = Limits(settings.rooms_per_connection, settings.joins_per_10s, 10.0, settings.lanes)
    return Pool(
        PLATFORM,
        environment,
        lambda owner: dial(owner, settings, intake, environment, dials, wrap),
        events,
        limits,
        rooms,
    )
