"""Names of rooms and people in an archive, for completion in a shell. They come quickly or are left out:
completion does not wait for a distant store."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from io import StringIO
from threading import Thread
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

# Commands import modules when they run, because completion has to be quick.
if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.archive.room_files import Room
    from chatlog.suppression.suppressions import OptedOutPeople

#: The most seconds for completion, the most names, and the latest days in which rooms are looked for.
WITHIN = 1.5
MOST = 200
_DAYS = 7
#: The seconds back in which people are looked for, and the most bytes of records and the most rooms that are
#: read.
_BACK = 86400.0
_BYTES = 16 << 20
_ROOMS = 50
_USER = re.compile(rb'"username":"([^"\\]{1,64})"(?:,"user_id":"([^"\\]{0,64})")?')


def rooms_there(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The rooms of the archive that the command line names."""
    return _offered(context, lambda archive: rooms_of(archive, incomplete))


def users_there(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The people who wrote lately in the rooms that the command line names."""
    named = tuple(context.params.get("rooms") or ())
    return _offered(context, lambda archive: users_of(archive, named, incomplete, time.time()))


def _offered(context: click.Context, names: Callable[[Archive], Iterator[str]]) -> list[CompletionItem]:
    found: list[str] = []

    def search() -> None:
        from chatlog.commands.reading import opened

        # A message would disturb the command line.
        with suppress(Exception), redirect_stderr(StringIO()):
            archive = opened(context.params.get("path") or "chatlog.yaml", context.params.get("archive"))
            for name in names(archive):
                found.append(name)
                if len(found) >= MOST:
                    return

    thread = Thread(target=search, daemon=True)
    thread.start()
    thread.join(WITHIN)
    return [CompletionItem(name) for name in sorted(set(found))]


def rooms_of(archive: Archive, incomplete: str) -> Iterator[str]:
    """The rooms whose names, with or without the platform, begin with the text."""
    begun = incomplete.lower()
    for platform, name in archive.parts.rooms() | archive.catalog.all_rooms(_DAYS):
        for text in (f"{platform}/{name}", name) if begun else (f"{platform}/{name}",):
            if text.startswith(begun):
                yield text


def users_of(archive: Archive, rooms: tuple[str, ...], incomplete: str, now: float) -> Iterator[str]:
    """The people who wrote lately in these rooms, or in any, and whose names begin with the text. A prefix of
    the name (``twitch/``) stays."""
    from chatlog.archive import lines

    above, slash, begun = incomplete.rpartition("/")
    begun = begun.lower().lstrip("@")
    seen: set[str] = set()
    if not archive.parts.rooms() and (days := archive.catalog.days()):
        # Nothing is recorded now: use the latest records.
        now = min(now, lines.seconds(f"{days[-1]}T00:00:00Z") + _BACK)
    for who, block in _latest_blocks(archive, _chosen(archive, rooms, above), now):
        for found in set(_USER.findall(block)):
            name, id = (each.decode("utf-8", "replace") for each in found)
            if name in seen or not name.startswith(begun):
                continue
            seen.add(name)
            if who is None or not (who.has_id(id) if id else who.has_name(name.lower())):
                yield f"{above}{slash}{name}"


def _chosen(archive: Archive, rooms: tuple[str, ...], platform: str) -> list[Room]:
    there = sorted(archive.parts.rooms() | archive.catalog.all_rooms(1))
    wanted = {room.lower().lstrip("#") for room in rooms}
    return [
        room
        for room in there
        if (not wanted or room[1] in wanted or "/".join(room) in wanted) and platform in ("", room[0])
    ]


def _latest_blocks(
    archive: Archive, rooms: list[Room], now: float
) -> Iterator[tuple[OptedOutPeople | None, bytes]]:
    """Blocks of lines with the latest records of each room, up to the limit, and the people who opted out of
    it."""
    from chatlog.archive.room_files import PartError

    left = _BYTES
    for room in rooms[:_ROOMS]:
        for part in reversed(archive.parts.of_room(room, now - _BACK, now)):
            with suppress(PartError):
                for block in archive.parts.blocks(part):
                    yield archive.hidden.of_room(*room), block
                    left -= len(block)
            if left <= _BYTES - _BYTES // min(len(rooms), _ROOMS):
                break
        if left <= 0:
            return
