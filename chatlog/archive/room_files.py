"""The files with a room's records: objects of the store, and files of a recorder on this machine.

A file keeps its name while it is written (``open/``), finished (``sealed/``), compressed (``packed/``) and
stored. A reader that lists these places in this order and unites equal names sees every file exactly once. A
file that has moved on before it is opened is looked for in the next places.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from chatlog.archive.blocks import BLOCK, whole_lines
from chatlog.archive.catalog import Catalog
from chatlog.archive.copies import stream_of
from chatlog.archive.damage import contents, records_alone
from chatlog.archive.gaps import Unread
from chatlog.archive.listings import Named, day_of, within
from chatlog.archive.read_ahead import Fetching, ReadAhead
from chatlog.archive.read_once import ReadOnce
from chatlog.archive.room_days import days_of, first_day, last_day
from chatlog.archive.spooled import Spooled
from chatlog.files import Files
from chatlog.naming import FileName, parse_name, utc_minute
from chatlog.store.store import MISSING, StoreError
from chatlog.uploader.bundle_table import Slice

#: Platform and channel.
Room = tuple[str, str]

#: The spool's directories, in the order in which a file moves through them.
AREAS = ("open", "sealed", "packed")
SUFFIXES = ("", ".gz", ".zst")
#: How often a file is looked for that moves meanwhile.
_MOVES = 3


class PartError(Exception):
    """A file that cannot be read, or not to its end; ``unread`` says which and why."""

    def __init__(self, unread: Unread) -> None:
        super().__init__(f"{unread.name}: {unread.why}")
        self.unread = unread


class Gone(Exception):
    """The file has moved on."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file. ``area``: the spool's directory in which it was seen, ``""`` for the store. ``suffix``: that
    of its compression. ``version``: what the store's listing says of its bytes; another one if they
    changed. ``place``: where they are in a bundle. ``copy``: 0 if it has the name alone; parts with one name
    and different bytes are counted from 1."""

    name: FileName
    area: str = ""
    suffix: str = ""
    version: str = ""
    place: Slice | None = None
    copy: int = 0

    @property
    def named(self) -> Named:
        """The same, of a stored file."""
        return Named(self.name, self.suffix, self.version, self.place, self.copy)

    @property
    def stream(self) -> str:
        """The parts of one stream were written one after the other: see ``copies``."""
        return stream_of(self.name.instance, self.copy)

    @property
    def minute(self) -> str:
        """When it was begun, as in its name."""
        return self.name.minute

    @property
    def order(self) -> tuple[str, int]:
        """A sort key: the parts of one instance sort as they were written."""
        return self.name.minute, self.name.n

    @property
    def size(self) -> int:
        """The size of a stored file in bytes, by the listing."""
        return int(self.version.partition(" ")[0]) if self.place is None else self.place.bytes


class Parts:
    """Finds and opens the parts of a store, and of the spool at ``directory`` if there is one. With
    ``ahead``, objects are fetched ahead."""

    def __init__(
        self, catalog: Catalog, files: Files, directory: str = "", ahead: ReadAhead | None = None
    ) -> None:
        self._catalog = catalog
        self._files = files
        self._directory = directory
        self._ahead = ahead
        #: The files that were seen in the spool.
        self.spooled = Spooled(catalog)

    def of_room(
        self,
        room: Room,
        since: float,
        until: float,
        is_known: Callable[[str, str], bool] = lambda day, digest: False,
        moment: int | None = None,
    ) -> list[Part]:
        """The parts that may hold records of that time, in the order in which they were written. Stored files
        of a day are left out if ``is_known`` says so (see ``Catalog.objects``, also for ``moment``) and no
        file of the day is in the spool. Raises StoreError."""
        # First the spool: a file that moves to the store meanwhile is seen twice, and never missed.
        spooled = self._spooled(room)
        found: dict[FileName, list[Part]] = {}
        here = {day_of(name.minute) for name in spooled}

        def alone(day: str, digest: str) -> bool:
            return day not in here and is_known(day, digest)

        for named in self._catalog.objects(room, since, until, alone, moment):
            found.setdefault(named.name, []).append(_stored(named))
        for name, part in spooled.items():
            stored = found.setdefault(name, [])
            if not stored or self._is_there(part):
                # Unless the recorder is about to remove it, the stored one is another file of that name.
                stored.append(replace(part, copy=len(stored) + 1 if stored else 0))
        kept = [part for name in within(found, since, until) for part in found[name]]
        return sorted(kept, key=lambda part: part.order)

    def by_recorder(self, room: Room, since: float, until: float) -> dict[str, list[Part]]:
        """The same by the instance that wrote them: by its streams, if it has several. Raises StoreError."""
        found: dict[str, list[Part]] = {}
        for part in self.of_room(room, since, until):
            found.setdefault(part.stream, []).append(part)
        return found

    def moment(self) -> int:
        """A number for this moment, for ``of_room``: listings from now on are reused for all rooms of a
        question."""
        return self._catalog.moment()

    def list_ahead(self, since: float, until: float, moment: int, is_indexed: Callable[[str], bool]) -> None:
        """See ``Catalog.list_ahead``."""
        # First the spool, as for a single room: the day of a file that leaves it meanwhile is listed again.
        before = self.spooled.before()
        now: dict[Room, set[FileName]] = {}
        for area in AREAS:
            for part in self._listed(area):
                now.setdefault((part.name.platform, part.name.channel), set()).add(part.name)
        self.spooled.saw(before, now)
        self._catalog.list_ahead(since, until, moment, is_indexed)

    def _is_there(self, part: Part) -> bool:
        return self._files.exists(f"{self._directory}/{part.area}/{part.name}{part.suffix}")

    def after(self, room: Room, until: float, instance: str, moment: int | None = None) -> Part | None:
        """The first part that an instance began after ``until``: it has the gap record if nothing was
        recorded before it. None if there is none, or only weeks later. For ``moment`` see
        ``Catalog.objects``. Raises StoreError."""
        minute = utc_minute(until)
        later = [part for part in self._spooled(room).values() if part.name.minute > minute]
        later += map(_stored, self._catalog.next_objects(room, until, instance, moment))
        later = [part for part in later if part.name.instance == instance]
        return min(later, key=lambda part: part.order, default=None)

    def rooms(self) -> set[Room]:
        """The rooms that have a file in the spool."""
        return {(part.name.platform, part.name.channel) for area in AREAS for part in self._listed(area)}

    def days_of(self, room: Room) -> list[str]:
        """The days on which files of a room began, oldest first. Raises StoreError."""
        return days_of(self._catalog, room, self._spooled(room))

    def first_day(self, room: Room, moment: int | None = None, since: str = "") -> str | None:
        """The first day, from a day on, on which a recorder began a file of a room; None if none did. For
        ``moment`` see ``of_room``. Raises StoreError."""
        return first_day(self._catalog, room, self._spooled(room), moment, since)

    def last_day(self, room: Room, moment: int | None = None, until: str = "9") -> str | None:
        """The last such day, up to and with ``until``."""
        return last_day(self._catalog, room, self._spooled(room), moment, until)

    def _spooled(self, room: Room) -> dict[FileName, Part]:
        """The room's files in the spool. Files that have left it since the last call are in the store, and
        perhaps in no cached listing."""
        before = self.spooled.of(room)
        spooled = {part.name: part for part in self._in_spool(room)}
        self.spooled.saw(before, {room: spooled})
        return spooled

    def _in_spool(self, room: Room) -> Iterator[Part]:
        # Of thousands of names, only few are parsed.
        beginning = f"{room[0]}_{room[1]}_"
        for area in AREAS:
            for part in self._listed(area, beginning):
                if (part.name.platform, part.name.channel) == room:
                    yield part

    def _listed(self, area: str, beginning: str = "") -> Iterator[Part]:
        if not self._directory:
            return
        try:
            names = self._files.names(f"{self._directory}/{area}")
        except OSError:
            return
        for name in names:
            if not name.startswith(beginning):
                continue
            for suffix in SUFFIXES:
                try:
                    yield Part(parse_name(name.removesuffix(suffix) if suffix else name), area, suffix)
                    break
                except ValueError:
                    continue

    # -- reading -------------------------------------------------------------------------------------

    def in_turn(
        self, parts: Sequence[Part], every_line: bool = False, depth: int = 1
    ) -> Generator[tuple[Part, Iterator[bytes]], None, None]:
        """The parts, each with its blocks; read the blocks before the next part. Closing the iterator ends
        all fetching. For ``depth`` see ``ReadAhead.of``."""
        once = ReadOnce(parts)
        if self._ahead is None:
            yield from ((part, self.blocks(part, None, every_line, once)) for part in parts)
            return
        fetching = self._ahead.of((part for part in parts if not part.area), self._stored, depth)
        try:
            for part in parts:
                yield part, self.blocks(part, fetching, every_line, once)
        finally:
            fetching.close()

    def blocks(
        self,
        part: Part,
        fetching: Fetching[Part] | None = None,
        every_line: bool = False,
        once: ReadOnce | None = None,
    ) -> Iterator[bytes]:
        """The part's whole lines, in blocks. Raises PartError, also in the middle of the file. Lines that are
        no records raise it after the last block. They are looked for in files that have no checksum, and with
        ``every_line`` in all: that takes half as long as to search the lines. A part that was replaced since
        it was listed, because a person was erased from it, gives the lines of its successor, unless ``once``
        has that already."""
        once = once or ReadOnce([part])
        for place in self._places(part, once):
            if place is None:
                return
            try:
                chunks = self._chunks(place, fetching)
                first = next(chunks, b"")
            except Gone:
                continue
            except (StoreError, OSError, ValueError) as error:
                raise self._error(place, error) from None
            blocks = whole_lines(chain((first,), chunks), place.area == "open")
            if place.area != "open" and (every_line or not place.suffix):
                blocks = records_alone(blocks)
            yield from self._guarded(place, blocks)
            return
        yield from self._successors(part, every_line, once)

    def _successors(self, part: Part, every_line: bool, once: ReadOnce) -> Iterator[bytes]:
        """The lines of the objects that replaced a part. Raises PartError if there are none."""
        try:
            found = self._catalog.successors(part.name)
        except StoreError as error:
            raise self._error(part, error) from None
        new = [_stored(named) for named in found if not once.has_name(named.name)]
        if not new:
            raise PartError(Unread(self._shown(part), "it is not there any more"))
        for each in sorted(new, key=lambda each: each.order):
            if each.name not in once.followed:
                once.followed.add(each.name)
                yield from self.blocks(each, None, every_line, once)

    def _guarded(self, part: Part, blocks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from blocks
        except (StoreError, OSError, ValueError) as error:
            raise self._error(part, error) from None

    def _error(self, part: Part, error: Exception) -> PartError:
        if isinstance(error, StoreError):
            return PartError(Unread(self._shown(part), error.advice))
        if isinstance(error, OSError):
            return PartError(Unread(self._shown(part), error.strerror or str(error)))
        return PartError(Unread(self._shown(part), str(error), is_damaged=True))

    def _places(self, part: Part, once: ReadOnce) -> Iterator[Part | None]:
        """The places where the part may be by now, beginning with the one in which it was seen; None if the
        answer reads the file there anyhow, as another of its parts."""
        later = AREAS[AREAS.index(part.area) :] if part.area else ()
        for area in later:
            suffixes = SUFFIXES[1:] if area == "packed" else ("",)
            for suffix in (part.suffix,) if area == part.area else suffixes:
                yield replace(part, area=area, suffix=suffix)
        if not part.area:
            yield part
        # The file has been stored since, or gone into a bundle. It may move again while it is looked for.
        for _ in range(_MOVES):
            found = self._catalog.find(part.name)
            others = [_stored(named) for named in found if not once.has(named)]
            if found and not others and part.area:
                yield None
            if not part.area:
                # Wherever it went, its bytes are the same.
                others = [each for each in others if (each.suffix, each.size) == (part.suffix, part.size)]
            if not others:
                return
            yield min(others, key=lambda each: each.copy != part.copy)

    def _stored(self, part: Part) -> Iterator[bytes]:
        return self._catalog.chunks(part.named)

    def _chunks(self, part: Part, fetching: Fetching[Part] | None) -> Iterator[bytes]:
        """Unpacked chunks. Raises Gone before the first if the part is not here."""
        if not part.area:
            try:
                stored = fetching.chunks(part) if fetching is not None else self._stored(part)
                yield from contents(stored, part.suffix)
            except StoreError as error:
                if error.kind == MISSING:
                    raise Gone from None
                raise
            return
        try:
            fd = self._files.open_read(f"{self._directory}/{part.area}/{part.name}{part.suffix}")
        except FileNotFoundError:
            raise Gone from None
        try:
            chunks = iter(lambda: self._files.read(fd, BLOCK), b"")
            # A file that is not packed yet may be empty.
            yield from contents(chunks, part.suffix) if part.suffix else chunks
        finally:
            self._files.close(fd)

    def _shown(self, part: Part) -> str:
        if part.area:
            return f"{self._directory}/{part.area}/{part.name}{part.suffix}"
        return part.name.key(suffix=part.suffix)


def _stored(named: Named) -> Part:
    return Part(named.name, "", named.suffix, named.version, named.place, named.copy)
