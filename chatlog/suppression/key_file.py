"""Finds the key of the suppression list: in the configuration, or in a file beside the spool."""

from __future__ import annotations

import os
import stat

from chatlog.config.settings import Settings
from chatlog.suppression.names import Key, new_key


class KeyFileError(Exception):
    """The key file cannot be used; the message says what to do."""


def path_of(settings: Settings) -> str:
    """The file with the key, if the configuration has none."""
    return os.path.join(settings.recorder.directory, "optout.key")


def key_in(settings: Settings) -> Key | None:
    """The key of the configuration or the file; None if there is none yet. Raises KeyFileError."""
    if settings.archive.optout_key is not None:
        return Key(settings.archive.optout_key.reveal())
    path = path_of(settings)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise KeyFileError(f"{path} is no file")
        text = file.read(200)
    try:
        return Key(text.decode("ascii", "replace").strip())
    except ValueError:
        raise KeyFileError(
            f"{path} holds no key: put back the file that was there, or set archive.optout_key"
        ) from None


def key_for(settings: Settings) -> tuple[Key, str]:
    """The key, made now if there is none, and the path of the file if it was made now, else ``""``. Raises
    KeyFileError."""
    if (found := key_in(settings)) is not None:
        return found, ""
    path, text = path_of(settings), new_key()
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        unfinished = f"{path}.{os.getpid()}"
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "w", encoding="ascii") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            # If two processes do this, one makes the key, and the other uses it.
            os.link(unfinished, path)
        finally:
            os.unlink(unfinished)
    except FileExistsError:
        if (found := key_in(settings)) is not None:
            return found, ""
        raise KeyFileError(f"{path} cannot be written: it comes and goes") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from None
    return Key(text), path
