"""Where file systems are mounted, and of what kind they are."""

from __future__ import annotations

import os.path
import posixpath
import re
from collections.abc import Iterator

#: /proc/mounts writes space, tab, line break, backslash and # as octal numbers: proc_pid_mounts(5).
_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")


def read_mounts(path: str = "/proc/mounts") -> str:
    """The system's table of mounts, ``""`` where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def mount_of(directory: str, mounts: str) -> tuple[str, str]:
    """Where the file system that holds ``directory`` is mounted, and its kind, both ``""`` if nobody knows;
    of two mounts in the same place the later one is seen. ``directory`` is absolute and without symbolic
    links; ``mounts`` is the text of /proc/mounts."""
    found = ("", "")
    # Two slashes in front may mean something else to POSIX, but not to Linux.
    path = "/" + posixpath.normpath(directory).lstrip("/")
    for place, kind in _table(mounts):
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    return found


def kind_of(directory: str) -> str:
    """Of what kind the file system is that holds the directory, ``""`` if nobody knows."""
    return mount_of(os.path.realpath(directory), read_mounts())[1]


def _table(mounts: str) -> Iterator[tuple[str, str]]:
    for line in mounts.split("\n"):
        words = line.split(" ")
        if len(words) >= 3 and words[1].startswith("/"):
            yield _ESCAPE.sub(lambda match: chr(int(match[1], 8)), words[1]), words[2]
