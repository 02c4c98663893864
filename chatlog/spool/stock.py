"""What is in a spool when a process takes it over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatlog.files import TEMPORARY, Files
from chatlog.naming import parse_name
from chatlog.spool.numbering import Numbering

#: The directories of a spool that hold recordings.
AREAS = ("open", "sealed", "packed", "torn")
#: What network file systems call a file that was removed while somebody had it open: NFS, FUSE.
_KEPT_OPEN = (".nfs", ".fuse_hidden")


@dataclass(slots=True)
class Stock:
    """``leftovers`` are names and sizes of the files that an earlier run left open, in order; ``strangers``
    are entries of ``open/`` that no recorder made; ``usage`` is the size of all recordings in bytes."""

    leftovers: list[tuple[str, int]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    usage: int = 0


def take_stock(files: Files, path: Callable[..., str], numbering: Numbering) -> Stock:
    """Look through the spool; ``path(area, name)`` is where its files are, and the names that are taken are
    shown to ``numbering``. Raises OSError."""
    stock = Stock()
    for area in AREAS:
        for entry in files.names(path(area)):
            if area == "open" and entry.endswith(f".jsonl{TEMPORARY}"):
                # Half of a repair that an earlier run did not end; it is done anew.
                try:
                    files.remove(path(area, entry))
                except IsADirectoryError:
                    stock.strangers.append(entry)
                continue
            try:
                name = parse_name(entry[: entry.rfind(".jsonl") + 6])
            except ValueError:
                if area == "open" and not entry.startswith(_KEPT_OPEN):
                    stock.strangers.append(entry)
                continue
            numbering.saw(name)
            if area == "torn":
                continue
            size = files.size(path(area, entry))
            stock.usage += size
            if area == "open" and entry == str(name):
                stock.leftovers.append((entry, size))
            elif area == "open":
                stock.strangers.append(entry)
    stock.leftovers.sort()
    return stock


def same(files: Files, one: str, other: str) -> bool:
    """Whether two files have the same contents. Raises OSError."""
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
