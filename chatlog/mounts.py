"""Reads the table of mounts: mount points and types of file systems."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator

#: The table of file systems that are mounted at boot: fstab(5).
FSTAB = "/etc/fstab"
#: Both tables write space, tab, newline, backslash and # in octal: proc_pid_mounts(5), fstab(5).
_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")


def read_mounts(path: str = "/proc/mounts") -> str:
    """The text of the table at ``path``; ``""`` if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def mount_of(directory: str, mounts: str) -> tuple[str, str]:
    """The mount point and the type of the file system that holds ``directory``, both ``""`` if unknown.

    ``directory`` is absolute and without symbolic links; ``mounts`` is the text of /proc/mounts. Of two
    mounts at the same place the later one counts.
    """
    found = ("", "")
    # POSIX allows a special meaning of two leading slashes; Linux has none.
    path = "/" + posixpath.normpath(directory).lstrip("/")
    for place, kind in _table(mounts):
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    return found


def kind_of(directory: str) -> str:
    """The type of the file system that holds the directory, ``""`` if unknown."""
    return mount_of(os.path.realpath(directory), read_mounts())[1]


def unmounted(directory: str, mounts: str, fstab: str) -> str:
    """The mount point of the file system that should hold ``directory`` according to ``fstab`` (the text of
    /etc/fstab) if it is not mounted; else, or if unknown, ``""``. The other parameters are those of
    ``mount_of``."""
    present, _ = mount_of(directory, mounts)
    due, _ = mount_of(directory, "\n".join(_due(fstab)))
    return due if present and len(due) > len(present) else ""


def place_of(directory: str) -> str:
    """A name for the file system that holds the directory, or would hold it: its mount point, or its device
    number if there is no table of mounts. Raises OSError."""
    place, _ = mount_of(os.path.realpath(directory), read_mounts())
    return place or f"device {device_of(directory)}"


def device_of(path: str) -> int:
    """The device number of the file system that holds the path, or would hold it. Raises OSError."""
    while not os.path.lexists(path):
        path = os.path.dirname(os.path.abspath(path))
    return os.stat(path).st_dev


def _due(fstab: str) -> Iterator[str]:
    """The lines of file systems that are mounted at boot, with one space between words."""
    for line in fstab.split("\n"):
        words = line.split()
        options = words[3].split(",") if len(words) > 3 else []
        if words and not words[0].startswith("#") and "noauto" not in options:
            yield " ".join(words)


def _table(mounts: str) -> Iterator[tuple[str, str]]:
    for line in mounts.split("\n"):
        words = line.split(" ")
        if len(words) >= 3 and words[1].startswith("/"):
            yield _ESCAPE.sub(lambda match: chr(int(match[1], 8)), words[1]), words[2]
