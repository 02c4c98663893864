"""One finished file on its way from ``open/`` to ``sealed/``."""

from __future__ import annotations

from collections.abc import Callable

from chatlog.files import Files
from chatlog.naming import parse_name
from chatlog.spool.stock import same


def seal(files: Files, path: Callable[..., str], name: str) -> str:
    """Move the file to where finished ones are, by ``path(area, name)``. Gives the name that it got,
    ``""`` if the very same file was sealed before. Raises OSError."""
    source, target = path("open", name), path("sealed", name)
    while files.exists(target):
        # Only a machine that crashed between the two directories can leave both.
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
                # NFS asks again when an answer is lost, and is told that it is gone already.
                return name
            raise
        # Somebody removed the directory under us.
        files.make_directories(path("sealed"))
        files.rename(source, target)
    return name
