"""The suppression list in the store: reading, adding, removing. Everything here blocks."""

from __future__ import annotations

from collections.abc import Iterable

from chatlog.record import to_line
from chatlog.store.store import EXISTS, Store, StoreError
from chatlog.suppression.names import FOLDER, Entry, Key, check_of, entry_of
from chatlog.suppression.suppressions import Suppressions

#: The most entries that are read; a list is made by people, one by one.
MOST = 200_000


class ForeignKey(Exception):
    """The list was written with another key; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "the opt-out list of this archive was written with another key: set archive.optout_key to that "
            "key (it is in optout.key in the directory of the recorder that wrote the first entry)"
        )


def read_list(store: Store, key: Key | None) -> Suppressions:
    """The list. Raises StoreError."""
    objects = []
    for head in store.list(FOLDER):
        if entry_of(head.key) is not None or check_of(head.key):
            objects.append(head.key)
            if len(objects) > MOST:
                raise StoreError(f"there are more than {MOST} entries below {FOLDER}")
    return Suppressions(key, objects)


class Book:
    """Changes the list. ``at`` is the time as in records."""

    def __init__(self, store: Store, key: Key) -> None:
        self._store = store
        self._key = key

    def read(self) -> Suppressions:
        """The list. Raises StoreError."""
        return read_list(self._store, self._key)

    def add(
        self, platform: str, id: str, names: Iterable[str] = (), channel: str = "", at: str = "", by: str = ""
    ) -> bool:
        """Add a person, everywhere or in one room; ``by`` says how. Returns False if the person is there
        already. The names are stored first: a reader that sees the person then knows them. Raises StoreError
        and ForeignKey."""
        now = self.read()
        if not now.is_readable:
            raise ForeignKey
        person = self._key.of_id(id)
        about = to_line({"at": at, "by": by})
        self._put(self._key.check_key, b"", now.objects)
        for name in names:
            if name:
                named = Entry(platform, person, name=self._key.of_name(name.lower()))
                self._put(named.key, about, now.objects)
        return self._put(Entry(platform, person, channel).key, about, now.objects)

    def remove(self, platform: str, id: str, channel: str | None = None) -> int:
        """Remove a person: from one room's list, from that for everywhere (``""``), or, if None, from all.
        Returns how many of these lists the person was on. Raises StoreError and ForeignKey."""
        now = self.read()
        if not now.is_readable:
            raise ForeignKey
        person = self._key.of_id(id)
        entries = {entry for entry in now.entries if (entry.platform, entry.person) == (platform, person)}
        listed = {entry for entry in entries if not entry.name}
        gone = {entry for entry in listed if channel is None or entry.channel == channel}
        # The names go last, so that no person is on the list without them.
        last = {entry for entry in entries if entry.name} if gone == listed else set()
        for entry in [*sorted(gone), *sorted(last)]:
            self._store.delete(entry.key)
        return len(gone)

    def people_called(self, platform: str, name: str) -> set[str]:
        """The digests of the people on the list who have, or had, this name: see ``Entry.person``. Raises
        StoreError."""
        digest = self._key.of_name(name.lower())
        return {
            entry.person
            for entry in self.read().entries
            if entry.platform == platform and entry.name == digest
        }

    def remove_person(self, platform: str, person: str) -> int:
        """Remove all entries of a person, given by ``Entry.person``. Returns how many lists the person was
        on. Raises StoreError."""
        entries = [e for e in self.read().entries if (e.platform, e.person) == (platform, person)]
        for entry in sorted(entries, key=lambda entry: bool(entry.name)):
            self._store.delete(entry.key)
        return sum(not entry.name for entry in entries)

    def _put(self, key: str, data: bytes, there: frozenset[str]) -> bool:
        if key in there:
            return False
        try:
            self._store.put_new(key, data or b"\n", {})
        except StoreError as error:
            if error.kind != EXISTS:
                raise
            return False
        if self._store.head(key) is None:
            raise StoreError(f"{key} was stored, and is not there")
        return True
