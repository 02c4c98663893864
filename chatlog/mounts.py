"""Where file systems are mounted, and of what kind they are."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator

#: Where the system is told what to mount when it starts: fstab(5).
FSTAB = "/etc/fstab"
#: Both tables have space, tab, line break, backslash and # as octal numbers: proc_pid_mounts(5), fstab(5).
_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")


def read_mounts(path: str = "/proc/mounts") -> str:
    """The system's table of mounts, or what else is at ``path``; ``""`` where there is none."""
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


def unmounted(directory: str, mounts: str, fstab: str) -> str:
    """Where the file system belongs that is to hold ``directory`` by ``fstab`` and is not mounted; ``""`` if
    there is none, or nobody knows. The parameters are as those of ``mount_of``, ``fstab`` is the text of
    /etc/fstab."""
    present, _ = mount_of(directory, mounts)
    due, _ = mount_of(directory, "\n".join(_due(fstab)))
    return due if present and len(due) > len(present) else ""


def place_of(directory: str) -> str:
    """What the file system is known by that holds the directory, or would hold it: where it is mounted, or
    its number where there is no table of mounts. Raises OSError."""
    place, _ = mount_of(os.path.realpath(directory), read_mounts())
    return place or f"device {device_of(directory)}"


def device_of(path: str) -> int:
    """The number of the file system that holds the path, or would hold it. Raises OSError."""
    while not os.path.lexists(path):
        path = os.path.dirname(os.path.abspath(path))
    return os.stat(path).st_dev


def _due(fstab: str) -> Iterator[str]:
    """What is mounted without being asked for, one blank between the words of a line."""
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
