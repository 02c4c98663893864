"""Finds out which person is meant by a name or an id, from the records of an archive."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from chatlog.archive.lines import record_of
from chatlog.archive.matching import Filter
from chatlog.archive.people import Person, person_of
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.archive.room_files import Room


class KnownPerson(NamedTuple):
    """The person that is meant, with all names in lower case."""

    platform: str
    id: str
    names: tuple[str, ...]


class NotClear(Exception):
    """Nobody has the name, or several people had it: ``ids``, each with the time at which the name was seen
    last."""

    def __init__(self, ids: dict[str, str]) -> None:
        super().__init__("nobody" if not ids else "several people")
        self.ids = ids


def parsed_person(text: str, platforms: Container[str]) -> tuple[str, str]:
    """The platform, and the name in lower case or ``id:1234``, of ``twitch/NAME`` or ``twitch/id:1234``.
    Raises ValueError with a sentence."""
    platform, slash, name = text.strip().lower().partition("/")
    name = name.lstrip("@")
    if not slash or platform not in platforms or not name or name == "id:" or len(name) > 100 or "/" in name:
        raise ValueError(
            f"{text!r} does not say who is meant; write twitch/NAME, kick/NAME or twitch/id:1234"
        )
    if name.startswith("id:") and not (name[3:].isascii() and name[3:].isdigit()):
        raise ValueError(f"{text!r}: an id is a number, as in {platform}/id:1234")
    return platform, name


def find_person(
    reader: Reader, rooms: Iterable[Room], platform: str, user: str, since: float, until: float
) -> KnownPerson:
    """The person with a name, or an id (``id:1234``), and every name that the records of the rooms have for
    the id. Raises NotClear for a name of nobody or of several people, and StoreError."""
    there = sorted(room for room in rooms if room[0] == platform)
    moment = reader.moment()
    reader.list_ahead(there, since, until, moment)

    def look(wanted: str) -> Person:
        question = Question(("", ""), since, until, Filter(users=(wanted,)), moment=moment)
        return person_of(_records(reader, there, question))

    found, id = look(user), user.removeprefix("id:")
    if user.startswith("id:"):
        return KnownPerson(platform, id, _lower(found.names))
    if len(found.ids) != 1:
        latest = sorted(found.ids.items(), key=lambda item: item[1][1])
        raise NotClear({id: last for id, (_, last) in latest})
    [id] = found.ids
    return KnownPerson(platform, id, _lower({user, *look(f"id:{id}").names}))


def _lower(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in names}))


def _records(reader: Reader, rooms: list[Room], question: Question) -> Iterator[dict[str, Any]]:
    for room in rooms:
        for found in reader.ask(replace(question, room=room)):
            if (record := record_of(found.line)) is not None:
                yield record
