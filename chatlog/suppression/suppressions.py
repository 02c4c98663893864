"""The people of a suppression list, as records are compared with them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import cached_property

from chatlog.suppression.names import Entry, Key, check_of, entry_of

#: The most ids whose digests are remembered for a room's list, and the most names that records have taught.
REMEMBERED = 20_000


class OptedOutPeople:
    """The people of one platform who opted out of one room, or of all rooms: a ``Who`` for
    ``chatlog.redaction``."""

    def __init__(self, key: Key, people: Collection[str], names: dict[str, set[str]]) -> None:
        self._key = key
        self._people = people
        self._names = names
        self._ids: dict[str, bool] = {}
        self._learned: dict[str, bool] = {}

    def has_id(self, id: str) -> bool:
        """Whether the person with this id opted out."""
        known = self._ids.get(id)
        if known is None:
            if len(self._ids) >= REMEMBERED:
                self._ids.clear()
            known = self._ids[id] = self._key.of_id(id) in self._people
        return known

    def has_name(self, name: str) -> bool:
        """Whether a person of this name opted out, as far as the names are known."""
        known = self._learned.get(name)
        if known is None:
            if len(self._learned) >= REMEMBERED:
                self._learned.clear()
            people = self._names.get(self._key.of_name(name), set())
            known = self._learned[name] = any(person in self._people for person in people)
        return known

    def has(self, user: str) -> bool:
        """Whether a person opted out: a name in lower case, or ``id:1234``."""
        return self.has_id(user[3:]) if user.startswith("id:") else self.has_name(user)

    def has_message(self, id: str) -> bool:
        """Messages are not listed."""
        return False

    def learn(self, name: str) -> None:
        """Note a name of a person who opted out."""
        self._learned[name] = True


class Suppressions:
    """A list, from the keys of its objects. ``key`` is None if this machine has none: then the people cannot
    be recognised."""

    def __init__(self, key: Key | None = None, objects: Iterable[str] = ()) -> None:
        self.key = key
        self.objects = frozenset(objects)
        self.entries = frozenset(entry for entry in map(entry_of, self.objects) if entry is not None)
        #: The checks of the keys with which the list was written.
        self.checks = frozenset(check for check in map(check_of, self.objects) if check)
        self._everywhere: dict[str, set[str]] = {}
        self._rooms: dict[tuple[str, str], set[str]] = {}
        self._names: dict[str, dict[str, set[str]]] = {}
        for entry in self.entries:
            self._add(entry)
        self._made: dict[tuple[str, str], OptedOutPeople] = {}

    def _add(self, entry: Entry) -> None:
        if entry.name:
            self._names.setdefault(entry.platform, {}).setdefault(entry.name, set()).add(entry.person)
        elif entry.channel:
            self._rooms.setdefault((entry.platform, entry.channel), set()).add(entry.person)
        else:
            self._everywhere.setdefault(entry.platform, set()).add(entry.person)

    @property
    def people(self) -> int:
        """How many opted out, of one room or of all."""
        return len({(entry.platform, entry.person) for entry in self.entries if not entry.name})

    @property
    def is_readable(self) -> bool:
        """Whether this machine's key is the one with which the list was written."""
        if not self.people:
            return True
        return self.key is not None and self.checks <= {self.key.check}

    @property
    def trouble(self) -> str:
        """Why the people on the list cannot be recognised; ``""`` if they can, or if the list is empty."""
        if self.is_readable:
            return ""
        if self.key is None:
            return "there is no archive.optout_key, and no optout.key in recorder.directory"
        return "the list was written with another key than the one here"

    @cached_property
    def version(self) -> str:
        """Differs between two lists, and between two keys; ``""`` for an empty list."""
        if not self.entries:
            return ""
        key = self.key.check if self.key is not None else ""
        return hashlib.sha256("\n".join([key, *sorted(self.objects)]).encode()).hexdigest()[:16]

    def who(self, platform: str, channel: str = "") -> OptedOutPeople | None:
        """The people who opted out of this room, or, without ``channel``, of all rooms; None if there are
        none."""
        if self.key is None:
            return None
        everywhere = self._everywhere.get(platform)
        here = self._rooms.get((platform, channel)) if channel else None
        if not (everywhere or here):
            return None
        room = (platform, channel if here else "")
        found = self._made.get(room)
        if found is None:
            people = (everywhere or set()) | (here or set())
            found = self._made[room] = OptedOutPeople(self.key, people, self._names.get(platform, {}))
        return found
