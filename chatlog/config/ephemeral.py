"""Finds directories that do not last: containers and small clouds discard their root file system.

Recordings that are not uploaded yet are only in ``recorder.directory``. If that is on a file system that a
restart empties, a warning at the start says so, before it is too late. There is also a warning for a file
system that is known to give trouble.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from chatlog.config.settings import Settings
from chatlog.mounts import mount_of, unmounted
from chatlog.printable import printable

#: Platforms with a new root file system at every start: the variable that shows it, the platform's name, the
#: remedy. fly.io: https://fly.io/docs/volumes/overview/; Heroku:
#: https://devcenter.heroku.com/articles/dynos#ephemeral-filesystem.
_PLATFORMS = (
    ("FLY_APP_NAME", "a fly.io machine", "mount a volume ([mounts] in fly.toml) and put the directory on it"),
    ("DYNO", "a Heroku dyno", "there is no volume here, so upload often (recorder.rotate_interval: 1m)"),
)
_CONTAINER = ("a container", "mount a volume and put the directory on it")
#: File systems in memory.
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_OVERLAYS = frozenset({"overlay", "aufs", "fuse-overlayfs", "fuse.fuse-overlayfs"})
#: Mounted buckets: an object cannot be appended to or renamed.
_BUCKETS = frozenset(
    f"fuse.{name}"
    for name in (
        "s3fs",
        "gcsfuse",
        "mountpoint-s3",
        "goofys",
        "geesefs",
        "rclone",
        "blobfuse",
        "blobfuse2",
        "ossfs",
    )
) | {"mountpoint-s3"}
#: File systems of another machine, or of the host of a virtual one.
_ELSEWHERE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "vboxsf", "prl_fs", "afs", "ncpfs"})
_ELSEWHERE_FUSE = ("fuse.sshfs", "fuse.vmhgfs", "fuse.davfs", "fuse.curlftpfs", "fuse.grpcfuse", "fuse.osxfs")


def warning(directory: str, environ: Mapping[str, str], mounts: str, key: str = "recorder.directory") -> str:
    """A sentence that says what will be lost and what to do; ``""`` if ``directory`` lasts, or if that is
    unknown.

    ``directory`` is absolute and without symbolic links, and need not exist yet; ``mounts`` is the text of
    /proc/mounts, ``key`` is the key of the directory in the configuration.
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


def unsuited(directory: str, mounts: str, key: str = "recorder.directory") -> str:
    """A sentence about a file system that is known to be unfit for a spool or an archive, with what to do;
    else ``""``. The start tries out what the file system can really do."""
    _, kind = mount_of(directory, mounts)
    shown = f"{key}: {printable(directory, 200)}"
    if kind in _BUCKETS:
        remedy = "name the bucket in archive.url (or s3) instead"
        if key == "recorder.directory":
            remedy = f"put the directory on a local disk, and {remedy}"
        return f"{shown} is a bucket that looks like a directory ({kind}): writes may be lost; {remedy}"
    if key == "recorder.directory" and (kind in _ELSEWHERE or kind.startswith(_ELSEWHERE_FUSE)):
        return (
            f"{shown} is on another machine, or on the host of this one ({kind}): recording depends on it, "
            "and on locks and syncs that reach so far; put the directory on a local disk"
        )
    return ""


def missing(directory: str, mounts: str, fstab: str, key: str = "recorder.directory") -> str:
    """A sentence if the file system for ``directory`` is in /etc/fstab (whose text is ``fstab``) and is not
    mounted; else ``""``."""
    place = unmounted(directory, mounts, fstab)
    if not place:
        return ""
    shown, place = f"{key}: {printable(directory, 200)}", printable(place, 200)
    then = (
        "nothing is stored until it is mounted"
        if key != "recorder.directory"
        else "what is recorded now is out of sight once it is; end chatlog, mount it, and start chatlog again"
    )
    return f"{shown} belongs to {place}, which is in /etc/fstab and is not mounted; {then}"


def warnings(settings: Settings, environ: Mapping[str, str], mounts: str, fstab: str = "") -> list[str]:
    """All sentences about the directories of ``settings``."""
    places = [("recorder.directory", settings.recorder.directory)]
    url = settings.archive.url
    if settings.s3 is None and url is None:
        places.append(("archive.directory", settings.archive.directory))
    elif settings.s3 is None and url is not None and url.startswith("file://"):
        places.append(("archive.url", unquote(urlsplit(url).path)))
    found = []
    for key, place in places:
        path = os.path.realpath(place)
        found += [warning(path, environ, mounts, key), unsuited(path, mounts, key)]
        found.append(missing(path, mounts, fstab, key))
    return [text for text in found if text]
