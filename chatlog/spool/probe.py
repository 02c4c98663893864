"""Tries out, at the start, whether a file system is fit for a spool."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from chatlog.files import (
    DIRECTORY_SYNC,
    LOCKS,
    NO_DESCRIPTORS,
    NO_SPACE,
    NO_SUCH_CALL,
    SYNC,
    Files,
    write_whole,
)

#: Longer than any name in a spool (platform, channel, time, instance, number, endings).
LONGEST_NAME = 160
#: Errors that do not mean that the file system lacks something: they pass, or the disk is broken.
_TROUBLE = NO_DESCRIPTORS | {errno.EIO, errno.ESTALE}
_REMEDY = "put recorder.directory on a local disk"
_REMARKS = {
    SYNC: "does not force files to the disk ({error}): when the machine dies, more is lost than promised; "
    + _REMEDY,
    DIRECTORY_SYNC: "does not force the names of files to the disk ({error}): when the machine dies, the "
    "latest files may be lost; " + _REMEDY,
    LOCKS: "has no locks ({error}): a second chatlog on this machine is kept out of it all the same, but not "
    "one on another machine; " + _REMEDY,
}


class Unfit(Exception):
    """The file system cannot hold a spool. The text says what is not possible on it."""


def place_of(files: Files, directory: str) -> str:
    """The directory with the type of its file system, for messages."""
    kind = files.kind(directory)
    return f"{directory} ({kind})" if kind else directory


def moved_away(files: Files, directory: str, device: int) -> str:
    """A sentence if the directory leads to another file system than ``device``, so that the written files
    cannot be found there; ``""`` if it does not."""
    with suppress(OSError):
        if files.device(directory) != device:
            return (
                f"{directory} is on another file system than at the start: one was unmounted, or mounted "
                "over it, and what this run has not uploaded is on the first one; see that the right one is "
                "mounted before chatlog starts"
            )
    return ""


def examine(files: Files, source: str, target: str) -> list[str]:
    """Try out the file system of two directories; ``source`` and ``target`` are unused paths in them.

    Returns what the file system lacks, in sentences without a subject. On a full disk nothing can be tried,
    and the list is empty. Raises Unfit and OSError.
    """
    paths = source, target, _long_name(source)
    for path in paths:
        if files.exists(path):
            files.remove(path)
            if files.exists(path):
                raise Unfit("files cannot be removed")
    try:
        _try_out(files, source, target)
        return _names(files, paths[2])
    except OSError as error:
        if error.errno in NO_SPACE:
            return []
        raise
    finally:
        for path in paths:
            with suppress(OSError):
                if files.exists(path):
                    files.remove(path)


def remarks(files: Files) -> list[str]:
    """The calls that the file system lacks, in sentences without a subject."""
    return [_REMARKS[what].format(error=error) for what, error in files.lacking.items() if what in _REMARKS]


class _Trial:
    """Turns an OSError into Unfit; ``what`` is the text for the step that is being tried."""

    def __init__(self) -> None:
        self.what = ""

    def __enter__(self) -> _Trial:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if not isinstance(error, OSError) or error.errno in _TROUBLE | NO_SPACE:
            return
        if self.what or error.errno in NO_SUCH_CALL:
            raise Unfit(f"{self.what or 'no file can be made in it'} ({error.strerror})") from error


def _try_out(files: Files, source: str, target: str) -> None:
    with _Trial() as trial:
        fd = files.create(source)
        try:
            trial.what = "it creates a file that exists already"
            with suppress(FileExistsError):
                files.close(files.create(source))
                raise Unfit(trial.what)
            trial.what = "files cannot be written"
            write_whole(files, fd, b"one\n")
            files.sync(fd)
            trial.what = "files cannot be appended to after a sync"
            write_whole(files, fd, b"two\n")
            files.sync(fd)
        finally:
            files.close(fd)
        trial.what = "files cannot be opened again for appending"
        fd = files.reopen(source)
        try:
            write_whole(files, fd, b"half")
            trial.what = "the end of a file cannot be cut off"
            files.truncate(fd, 8)
            write_whole(files, fd, b"three\n")
            files.sync(fd)
        finally:
            files.close(fd)
        trial.what = "what is read is not what was written"
        if _content(files, source) != b"one\ntwo\nthree\n":
            raise Unfit(trial.what)
        trial.what = "files cannot be renamed"
        files.rename(source, target)
        if files.exists(source) or _content(files, target) != b"one\ntwo\nthree\n":
            raise Unfit(trial.what)
        trial.what = "a renamed file cannot replace another"
        files.close(files.create(source))
        files.rename(source, target)
        if files.exists(source) or files.size(target):
            raise Unfit(trial.what)
        trial.what = "directories cannot be listed"
        if os.path.basename(target) not in files.names(os.path.dirname(target)):
            raise Unfit("an existing file is not listed")
        trial.what = "files cannot be removed"
        files.remove(target)
        if files.exists(target):
            raise Unfit(trial.what)


def _content(files: Files, path: str) -> bytes:
    fd = files.open_read(path)
    try:
        return files.read(fd, 100)
    finally:
        files.close(fd)


def _long_name(path: str) -> str:
    return os.path.join(os.path.dirname(path), "probe".ljust(LONGEST_NAME, "-"))


def _names(files: Files, path: str) -> list[str]:
    try:
        files.close(files.create(path))
        files.remove(path)
    except OSError as error:
        if error.errno in _TROUBLE | NO_SPACE:
            raise
        return [
            f"takes no names of {LONGEST_NAME} characters ({error.strerror}): rooms with the longest names "
            f"may not be recorded; {_REMEDY}"
        ]
    return []
