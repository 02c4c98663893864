"""Moves one finished file from ``open/`` to ``sealed/``."""

from __future__ import annotations

from collections.abc import Callable

from chatlog.files import Files
from chatlog.naming import parse_name
from chatlog.spool.stock import same


def seal(files: Files, path: Callable[..., str], name: str) -> str:
    """Move the file to ``sealed/``; ``path(area, name)`` gives paths in the spool.

    Returns the file's new name, which has another number if the name was taken; ``""`` if an identical file
    is in ``sealed/`` already. Raises OSError.
    """
    source, target = path("open", name), path("sealed", name)
    while files.exists(target):
        # Both can exist only if the machine crashed after one directory was synced and before the other was.
        if same(files, source, target):
            files.remove(source)
            return ""
        parts = parse_name(name)
        name = str(parts.numbered(parts.n + 1))
        target = path("sealed", name)
    try:
        files.rename(source, target)
    except FileNotFoundError:
        if not files.exists(source):
            if files.exists(target):
                # NFS repeats a request whose answer was lost; the second answer says "no such file".
                return name
            raise
        # The directory itself was removed.
        files.make_directories(path("sealed"))
        files.rename(source, target)
    return name
