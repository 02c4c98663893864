"""Whether a directory lasts: containers and small clouds throw their root file system away.

What was recorded and not uploaded yet is only in ``recorder.directory``. Where that lies on a file system
that a restart empties, it says so at the start instead of when it is too late.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping

from chatlog.config.settings import Settings
from chatlog.mounts import mount_of
from chatlog.printable import printable

#: Variables by which a platform is known that gives a fresh root file system to every start, what to call
#: it, and the remedy. fly.io: https://fly.io/docs/volumes/overview/; Heroku:
#: https://devcenter.heroku.com/articles/dynos#ephemeral-filesystem.
_PLATFORMS = (
    ("FLY_APP_NAME", "a fly.io machine", "mount a volume ([mounts] in fly.toml) and put the directory on it"),
    ("DYNO", "a Heroku dyno", "there is no volume here, so upload often (recorder.rotate_interval: 1m)"),
)
_CONTAINER = ("a container", "mount a volume and put the directory on it")
#: File systems whose contents are in memory.
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_OVERLAYS = frozenset({"overlay", "aufs", "fuse-overlayfs", "fuse.fuse-overlayfs"})


def warning(directory: str, environ: Mapping[str, str], mounts: str, key: str = "recorder.directory") -> str:
    """A sentence on what will be lost and what to do about it; ``""`` where ``directory`` lasts, or where
    nothing is known.

    ``directory`` is absolute and without symbolic links, and need not exist yet; ``mounts`` is the text of
    /proc/mounts, ``key`` what the configuration calls the directory.
    """
    place, kind = mount_of(directory, mounts)
    if not place:
        return ""
    shown = f"{key}: {printable(directory, 200)}"
    if kind in _IN_MEMORY:
        return (
            f"{shown} is in memory ({kind} at {printable(place, 200)}): a restart of the machine loses "
            "what was not uploaded; put the directory on a disk"
        )
    if place != "/":
        return ""
    what, remedy = next(
        ((what, remedy) for name, what, remedy in _PLATFORMS if environ.get(name)),
        _CONTAINER if kind in _OVERLAYS else ("", ""),
    )
    if not what:
        return ""
    return (
        f"{shown} is on the root file system of {what}, which is thrown away with it: a deploy or a restart "
        f"loses what was not uploaded; {remedy}"
    )


def warnings(settings: Settings, environ: Mapping[str, str], mounts: str) -> list[str]:
    """The sentences on all directories of ``settings`` that must last."""
    places = [("recorder.directory", settings.recorder.directory)]
    if settings.s3 is None and settings.archive.url is None:
        places.append(("archive.directory", settings.archive.directory))
    found = (warning(os.path.realpath(place), environ, mounts, key) for key, place in places)
    return [text for text in found if text]
