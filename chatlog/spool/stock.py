"""Lists the files of a spool at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatlog.files import TEMPORARY, Files
from chatlog.naming import parse_name
from chatlog.spool.numbering import Numbering

#: The directories of a spool that hold recordings.
AREAS = ("open", "sealed", "packed", "torn")
#: Names that NFS and FUSE give to a removed file that is still open.
_KEPT_OPEN = (".nfs", ".fuse_hidden")


@dataclass(slots=True)
class Stock:
    """``leftovers`` are the names and sizes of the files that an earlier run left in ``open/``, sorted.
    ``unknown_files`` are entries of ``open/`` that no recorder made. ``usage`` is the bytes of all files that
    wait for their upload."""

    leftovers: list[tuple[str, int]] = field(default_factory=list)
    unknown_files: list[str] = field(default_factory=list)
    usage: int = 0


def take_stock(files: Files, path: Callable[..., str], numbering: Numbering) -> Stock:
    """List the spool; ``path(area, name)`` gives paths in it. ``numbering`` learns the names in use. Raises
    OSError."""
    stock = Stock()
    for area in AREAS:
        for entry in files.names(path(area)):
            if area == "open" and entry.endswith(f".jsonl{TEMPORARY}"):
                # A repair that an earlier run did not finish. It is done again.
                try:
                    files.remove(path(area, entry))
                except IsADirectoryError:
                    stock.unknown_files.append(entry)
                continue
            try:
                name = parse_name(entry[: entry.rfind(".jsonl") + 6])
            except ValueError:
                if area == "open" and not entry.startswith(_KEPT_OPEN):
                    stock.unknown_files.append(entry)
                continue
            numbering.saw(name)
            if area == "torn":
                continue
            size = files.size(path(area, entry))
            stock.usage += size
            if area == "open" and entry == str(name):
                stock.leftovers.append((entry, size))
            elif area == "open":
                stock.unknown_files.append(entry)
    stock.leftovers.sort()
    return stock


def same(files: Files, one: str, other: str) -> bool:
    """Whether two files have the same content. Raises OSError."""
    if files.size(one) != files.size(other):
        return False
    fds = [files.open_read(one), files.open_read(other)]
    try:
        while True:
            chunks = [files.read(fd, 1 << 20) for fd in fds]
            if chunks[0] != chunks[1]:
                return False
            if not chunks[0]:
                return True
    finally:
        for fd in fds:
            files.close(fd)
