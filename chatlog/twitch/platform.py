"""The platform Twitch. Modules for the network are imported when needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from chatlog.config import values
from chatlog.config.addresses import is_near
from chatlog.config.platform import Platform, Problem
from chatlog.config.schema import LANES, Items, Section
from chatlog.config.settings import BackfillSettings, TwitchSettings
from chatlog.config.values import number, url
from chatlog.config.wording import OPEN_EVERY, all_asked
from chatlog.counted import many
from chatlog.record import SERVER_CHANNEL

#: Seconds between two batches of JOINs.
JOIN_EVERY = 10.3
_ANONYMOUS = re.compile(r"justinfan[0-9]+\Z")
_BOTH = "give both, or neither to read anonymously"


class Twitch(Platform):
    """The platform Twitch. A room is a login."""

    name = "twitch"
    title = "Twitch"
    sites = ("twitch.tv",)
    sign = "#"
    section = Section(
        TwitchSettings,
        {
            "username": values.LOGIN,
            "oauth": values.TOKEN,
            "channels": Items(values.LOGIN, "logins"),
            "server": values.IRC,
            "ca_file": values.PATH,
            "rooms_per_connection": number(1, 100, "Twitch lets one account join 100 rooms"),
            "joins_per_10s": number(1, 2000, "Twitch's limit for verified bots; 20 for all others"),
            "lanes": LANES,
            "backfill": Section(
                BackfillSettings,
                {"url": url("https", "http"), "at_once": number(1, 4, "it is one person's service")},
                required=("url",),
                short="url",
            ),
        },
    )

    def read(self, name: str, **ids: int) -> str:
        return str(values.LOGIN.read(name))

    def contradictions(self, values: Mapping[str, Any], wrong: set[str]) -> Iterator[Problem]:
        username, oauth = values.get("username"), values.get("oauth")
        if oauth and not username and "twitch.username" not in wrong:
            yield "twitch.oauth", f"there is a token but no twitch.username; {_BOTH}"
        if username and not oauth and "twitch.oauth" not in wrong and not _ANONYMOUS.match(username):
            yield "twitch.username", f"there is a name but no twitch.oauth; {_BOTH}"
        host, _, tls = values.get("server", ("", 0, True))
        if oauth and not tls and not is_near(host):
            yield "twitch.server", "irc:// would send the token unencrypted over the network; write ircs://"

    def complete(self, values: dict[str, Any]) -> None:
        """An anonymous reader has no name."""
        if "oauth" not in values:
            values.pop("username", None)

    def sentences(self, settings: TwitchSettings) -> Iterator[str]:
        rooms = len(settings.channels)
        connections = ceil(rooms / settings.rooms_per_connection)
        way = "over TLS" if settings.tls else "without TLS"
        who = f"as {settings.username}" if settings.username else "anonymously"
        what = f"{many(rooms, 'room')} on {many(connections, 'connection')}"
        yield f"{what} to {settings.host}:{settings.port} {way}, {who}."
        batches = (ceil(rooms / settings.joins_per_10s) - 1) * JOIN_EVERY
        yield all_asked(rooms, max(batches, (connections - 1) * OPEN_EVERY))

    def source(self, settings: TwitchSettings, shared: Any) -> Any:
        from chatlog.network.tls import tls_wrapper
        from chatlog.rooms.subscriptions import Room
        from chatlog.sources import Source
        from chatlog.twitch.rooms import twitch_pool

        tls = tls_wrapper(settings.host, settings.ca_file) if settings.tls else None
        records_of = shared.records_of(self.name)
        pool = twitch_pool(
            settings,
            shared.environment,
            records_of(SERVER_CHANNEL),
            shared.events,
            shared.network.speaking("ircs" if settings.tls else "irc"),
            lambda factory: shared.wrap(factory if tls is None else tls(factory)),
        )

        def add(login: str) -> None:
            if login not in pool.rooms:
                pool.add(Room(login, records_of(login)))

        return Source(pool, pool, add, pool.remove, {})

    async def visit(self, settings: TwitchSettings, environment: Any, network: Any, steps: Any) -> str:
        """Log in, and join the first room."""
        from chatlog.network.tls import tls_wrapper
        from chatlog.reasons import of_room
        from chatlog.rooms.subscriptions import Room
        from chatlog.rooms.visit import Nowhere, Visit
        from chatlog.twitch.intake import Intake
        from chatlog.twitch.rooms import dial

        name = settings.channels[0]
        tls = tls_wrapper(settings.host, settings.ca_file) if settings.tls else None
        intake = Intake({name: Room(name, Nowhere())}, Nowhere(), environment)
        dials = network.speaking("ircs" if settings.tls else "irc")
        who = "anonymously" if settings.oauth is None else f"as {settings.username}"
        visit = Visit(
            f"{settings.host}:{settings.port}",
            name,
            f"logged in {who}, joined {name}",
            steps,
            lambda owner: dial(owner, settings, intake, environment, dials, tls or (lambda factory: factory)),
            lambda reason: of_room(self.name, reason, name).words,
        )
        return await visit.done


TWITCH = Twitch()
