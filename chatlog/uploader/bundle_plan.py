"""Plans of bundles: which files go to the store together, as one object. A plan is on the disk before the
bundle is put.

    packed/{bundle}.jsonl.bundle       {"format": 1, "checked": .., "files": [name, ..]}
    packed/{bundle}.jsonl.bundled      the same, once they are in the store and written down

So after a crash the same files make the same bundle, byte for byte, which the store may have already. With
the second form on the disk they only have to be removed. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from chatlog.chunks import chunks_of
from chatlog.files import TEMPORARY, Files, NotCertain, replace_file
from chatlog.naming import BundleName, FileName, parse_bundle_name, parse_name
from chatlog.record import from_json, to_line

PLANNED, DONE = ".bundle", ".bundled"
#: The most files of one bundle, and the most bytes of them before they are compressed. The bundle is in
#: memory when it is put.
MOST_FILES = 1000
MOST_BYTES = 64 << 20


class Plan(NamedTuple):
    """The files of one bundle, the oldest first. ``checked``: none of their names is taken in the store."""

    name: BundleName
    files: tuple[str, ...]
    checked: bool = False


class Plans:
    """The plans in the spool at ``directory``. Every method may raise OSError."""

    def __init__(self, files: Files, directory: str) -> None:
        self._files = files
        self._directory = directory
        # The last number of a bundle that began in a minute, by instance and minute.
        self._numbers: dict[tuple[str, str], int] = {}

    def _path(self, area: str, name: str) -> str:
        return f"{self._directory}/{area}/{name}"

    def write(self, plan: Plan) -> None:
        """Write a plan, new or changed. It is on the disk after ``settle``."""
        self._files.make_directories(f"{self._directory}/packed")
        line = to_line({"format": 1, "checked": plan.checked, "files": list(plan.files)})
        with suppress(NotCertain):
            replace_file(self._files, self._path("packed", f"{plan.name}{PLANNED}"), [line])

    def settle(self) -> None:
        """Make sure that the plans are on the disk."""
        self._files.sync_directory(f"{self._directory}/packed")

    def read(self, name: str, form: str = PLANNED) -> Plan:
        """The plan of the bundle ``main_20251229_1030.jsonl``. Raises ValueError if it is damaged."""
        with closing(chunks_of(self._files, self._path("packed", f"{name}{form}"))) as chunks:
            found = from_json(b"".join(chunks))
        try:
            files = tuple(str(parse_name(each)) for each in found["files"])
            return Plan(parse_bundle_name(name), files, found["checked"] is True)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no plan of a bundle: {error}") from None

    def names(self) -> Iterator[tuple[str, str]]:
        """The bundles with a plan, each with its form. Removes the remains of an interrupted write."""
        with suppress(FileNotFoundError):
            for entry in self._files.names(f"{self._directory}/packed"):
                if entry.endswith(f".jsonl{PLANNED}{TEMPORARY}"):
                    self._files.remove(self._path("packed", entry))
                for form in (PLANNED, DONE):
                    if entry.endswith(f".jsonl{form}"):
                        yield entry.removesuffix(form), form

    def drop(self, name: str, form: str = PLANNED) -> None:
        """Remove a plan: its files are uploaded in other ways."""
        with suppress(FileNotFoundError):
            self._files.remove(self._path("packed", name + form))
            self._files.sync_directory(f"{self._directory}/packed")

    def is_done(self, name: str) -> bool:
        """Whether the files are in the store and written down."""
        return self._files.exists(self._path("packed", f"{name}{DONE}"))

    def done(self, name: BundleName) -> None:
        """The files are in the store and written down."""
        self._files.rename(self._path("packed", f"{name}{PLANNED}"), self._path("packed", f"{name}{DONE}"))

    def clear(self, name: str) -> int:
        """Remove the files of a bundle that is done, and its plan. Returns the freed bytes."""
        freed = 0
        plan = self.read(name, DONE)
        # No file may be gone as long as the plan may come back in its first form.
        self._files.sync_directory(f"{self._directory}/packed")
        for file in plan.files:
            for path in (
                self._path("sealed", file),
                *(self._path("packed", f"{file}{end}") for end in (".zst", ".gz")),
            ):
                with suppress(FileNotFoundError):
                    size = self._files.size(path)
                    self._files.remove(path)
                    freed += size
        # If a removed file comes back after the machine died, the plan still says that it is stored.
        for area in ("sealed", "packed"):
            with suppress(FileNotFoundError):
                self._files.sync_directory(f"{self._directory}/{area}")
        self._files.remove(self._path("packed", f"{name}{DONE}"))
        return freed

    def make(self, files: Iterable[tuple[str, int]], most: int = MOST_BYTES) -> Iterator[tuple[Plan, int]]:
        """Plan bundles for these files, each with its size, and write them down; the plans with the bytes of
        their files. The files of a bundle were begun in the same hour, and have at most ``most`` bytes."""
        for group, size in _groups(files, most):
            first = parse_name(group[0])
            name = self._free(BundleName(first.minute, instance=first.instance))
            plan = Plan(name, tuple(group))
            self.write(plan)
            yield plan, size

    def _free(self, name: BundleName) -> BundleName:
        """The bundle's name with a number that no other bundle has."""
        begun = name.instance, name.minute
        n = self._numbers.get(begun, 0) + 1
        while any(
            self._files.exists(self._path("packed", f"{name.numbered(n)}{form}")) for form in (PLANNED, DONE)
        ):
            n += 1
        self._numbers[begun] = n
        while len(self._numbers) > MOST_FILES:
            del self._numbers[next(iter(self._numbers))]
        return name.numbered(n)


def _groups(files: Iterable[tuple[str, int]], most: int) -> Iterator[tuple[list[str], int]]:
    groups: dict[tuple[str, str], list[tuple[FileName, int]]] = {}
    for text, size in files:
        name = parse_name(text)
        groups.setdefault((name.minute[:11], name.instance), []).append((name, size))
    for _, group in sorted(groups.items()):
        yield from _cut(sorted(group, key=_order), most)


def _cut(group: Sequence[tuple[FileName, int]], most: int) -> Iterator[tuple[list[str], int]]:
    names: list[str] = []
    total = 0
    for name, size in group:
        if names and (total + size > most or len(names) >= MOST_FILES):
            yield names, total
            names, total = [], 0
        names.append(str(name))
        total += size
    yield names, total


def _order(each: tuple[FileName, int]) -> tuple[str, str, str, int]:
    name = each[0]
    return name.minute, name.platform, name.channel, name.n
