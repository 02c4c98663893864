"""The latest lines of a room: those of its open file, and of the file before it while the spool has it."""

from __future__ import annotations

from chatlog.files import Files
from chatlog.naming import parse_name
from chatlog.recorder.room import RoomBuffer

#: Bytes that are read of the end of a file, and lines that are handed on.
BYTES = 64 * 1024
LINES = 50


def tail(files: Files, directory: str, room: RoomBuffer) -> list[bytes]:
    """Up to LINES whole lines, each with its newline; none if no file can be read."""
    lines: list[bytes] = []
    if (file := room.file) is not None and file.size:
        lines = _end_of(files, f"{directory}/open/{file.name}", file.size)
    if len(lines) < LINES and (before := _last_sealed(files, directory, room)):
        lines = _end_of(files, before) + lines
    return lines[-LINES:]


def _last_sealed(files: Files, directory: str, room: RoomBuffer) -> str:
    """The path of the room's latest finished file; ``""`` if there is none that waits for its upload."""
    latest, path = ("", 0), ""
    try:
        names = files.names(f"{directory}/sealed")
    except OSError:
        return ""
    for name in names:
        if not name.startswith(f"{room.platform}_{room.channel}_"):
            continue
        try:
            parsed = parse_name(name)
        except ValueError:
            continue
        if (parsed.platform, parsed.channel) == (room.platform, room.channel):
            order = parsed.minute, parsed.n
            if order > latest:
                latest, path = order, f"{directory}/sealed/{name}"
    return path


def _end_of(files: Files, path: str, size: int | None = None) -> list[bytes]:
    try:
        size = files.size(path) if size is None else size
        fd = files.open_read(path)
    except OSError:
        return []
    try:
        start = max(0, size - BYTES)
        data = files.read_at(fd, size - start, start)
    except OSError:
        return []
    finally:
        files.close(fd)
    lines = data.splitlines(keepends=True)
    # The first line may be incomplete.
    return [line for line in lines[1 if start else 0 :] if line.endswith(b"\n")][-LINES:]
