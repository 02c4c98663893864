"""Sources on the disk: justlog's directories, OverRustle's files, and files of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from chatlog.importing.files import signature, without_packing
from chatlog.importing.irc_lines import IrcLines
from chatlog.importing.items import Item, Maker
from chatlog.importing.json_lines import JsonLines
from chatlog.importing.source import ImportReport, ReadLine, SourceError, Unit, items_of_file
from chatlog.importing.text_lines import text_item
from chatlog.naming import CHANNEL, parse_name

#: justlog's files: for a channel and day, and for a person and month.
_CHANNEL_FILE = re.compile(r".*/(\d+)/(\d{4})/(\d{1,2})/(\d{1,2})/channel\.txt(?:\.gz)?\Z", re.ASCII)
_USER_FILE = re.compile(r".*/(\d+)/(\d{4})/(\d{1,2})/([^/]+)\.txt(?:\.gz)?\Z", re.ASCII)
#: OverRustle's files of a day, and its directory of a channel.
_DAY_FILE = re.compile(r"\d{4}-\d\d-\d\d\.txt(?:\.gz)?\Z", re.ASCII)
_CHATLOG = re.compile(r"(.+?) chatlog\Z")


def justlog(directory: str, maker: Maker) -> Iterator[Unit]:
    """The files below justlog's ``logsDirectory``: the days of each channel, then the lines that only the
    files of people have. Raises SourceError."""
    root = _directory(directory)
    lines = IrcLines(maker)
    for folder in _folders(root):
        people: list[tuple[Path, str]] = []
        for path in _files(folder, ".txt"):
            full = str(path.absolute())
            if match := _CHANNEL_FILE.match(full):
                first = f"{match[2]}-{int(match[3]):02d}-{int(match[4]):02d}T00:00:00.000Z"
                yield _unit(root, [(path, first)], "justlog", "", lines.item)
            elif match := _USER_FILE.match(full):
                people.append((path, f"{match[2]}-{int(match[3]):02d}-01T00:00:00.000Z"))
        if people:
            yield _unit(root, people, "justlog", "", lines.item)


def overrustle(given: tuple[str, ...], maker: Maker, platform: str, channel: str) -> Iterator[Unit]:
    """Files of text, or directories of them. ``channel``: their room; ``""`` means the room of their
    directory. Raises SourceError."""
    for root, folder, paths in _given(given, ".txt"):
        room = channel or _channel_of(folder)

        def read(line: bytes, where: str, before: str, room: str = room) -> Item | None:
            return text_item(maker, line, where, platform, room)

        # The file of a day is a unit by itself. All other files are one unit: they may have lines of any day.
        for path in paths:
            if _DAY_FILE.match(path.name):
                yield _unit(root, [(path, "")], "overrustle", f"{platform}/{room}", read)
        if others := [(path, "") for path in paths if not _DAY_FILE.match(path.name)]:
            yield _unit(root, others, "overrustle", f"{platform}/{room}", read)


def jsonl(given: tuple[str, ...], maker: Maker, platform: str, channel: str) -> Iterator[Unit]:
    """Files of JSON Lines, or directories of them. ``platform`` and ``channel``: the room of lines that do
    not name one; a file with one of Chatlog's names has its room in the name. Raises SourceError."""
    for root, folder, paths in _given(given, ".jsonl", ".ndjson", ".json"):
        if folder.name == "manifest" or "manifest" in folder.relative_to(root).parts:
            continue
        by_room: dict[tuple[str, str], list[Path]] = {}
        for path in paths:
            by_room.setdefault(_room_of(path, platform, channel), []).append(path)
        for room, of_room in by_room.items():
            lines = JsonLines(maker, *room)

            def read(line: bytes, where: str, before: str, lines: JsonLines = lines) -> Item | None:
                return lines.item(line, where)

            yield _unit(root, [(path, "") for path in of_room], "jsonl", "/".join(room), read)


def _unit(root: Path, files: list[tuple[Path, str]], name: str, room: str, read: ReadLine) -> Unit:
    """A unit of files of one directory, each with the time at which it begins. ``room``: that of lines that
    do not name one; for another room, the files are imported again."""
    label = _label(root, files[0][0] if len(files) == 1 else files[0][0].parent)
    return Unit(
        f"{name} {label}",
        signature((path for path, _ in files), room),
        partial(_items, root, files, name, read),
    )


def _items(
    root: Path,
    files: list[tuple[Path, str]],
    name: str,
    read: ReadLine,
    report: ImportReport,
) -> Iterator[Item]:
    for path, first in files:
        label = _label(root, path)
        yield from items_of_file(path, label, f"{name} {label}", first, read, report)


def _label(root: Path, path: Path) -> str:
    """The label of a file: its path from the given directory."""
    try:
        below = path.relative_to(root)
    except ValueError:
        below = Path(path.name)
    return str(below) if str(below) != "." else path.name


def _directory(given: str) -> Path:
    root = Path(given)
    if not root.is_dir():
        what = "is a file" if root.exists() else "is not there"
        raise SourceError(f"{given} {what}; name the directory that justlog's logsDirectory is")
    return root


def _folders(root: Path) -> Iterator[Path]:
    """The directory and all below it, each after those in it, in natural order. Raises SourceError if one
    cannot be listed."""
    try:
        below = sorted(
            (path for path in root.iterdir() if path.is_dir()), key=lambda path: _natural(path.name)
        )
    except OSError as error:
        raise SourceError(f"{root} cannot be looked into: {error.strerror}") from None
    for folder in below:
        if not folder.is_symlink():
            yield from _folders(folder)
    yield root


def _files(folder: Path, *endings: str) -> list[Path]:
    """The files of a directory with these suffixes, compressed or not, in order."""
    found = [path for path in folder.iterdir() if without_packing(path.name).endswith(endings)]
    return sorted((path for path in found if path.is_file()), key=lambda path: _natural(path.name))


def _given(given: tuple[str, ...], *endings: str) -> Iterator[tuple[Path, Path, list[Path]]]:
    """A path that the user named, as (where labels begin, directory, files in it). Raises SourceError."""
    alone: dict[Path, list[Path]] = {}
    for name in given:
        path = Path(name)
        if path.is_dir():
            for folder in _folders(path):
                if files := _files(folder, *endings):
                    yield path, folder, files
        elif path.is_file():
            alone.setdefault(path.parent, []).append(path)
        else:
            raise SourceError(f"{name} is not there")
    for folder, files in alone.items():
        yield folder, folder, files


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d{1,18})", name)]


def _channel_of(folder: Path) -> str:
    """The channel of OverRustle's ``Pixelharbor chatlog/June 2017``; ``""`` if no directory names it."""
    for part in reversed(folder.absolute().parts):
        if match := _CHATLOG.match(part):
            name = match[1].lower()
            return name if CHANNEL.match(name) else ""
    return ""


def _room_of(path: Path, platform: str, channel: str) -> tuple[str, str]:
    try:
        name = parse_name(without_packing(path.name))
    except ValueError:
        return platform, channel
    return name.platform, channel or name.channel
