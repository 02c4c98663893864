"""Find the process that has a spool, without locking, making or changing anything."""

from __future__ import annotations

import os
from contextlib import suppress

#: Bytes of the file with the process's number that are read.
_LONGEST = 32


def running_in(directory: str) -> int | None:
    """The process number of the recorder that runs in this spool directory; None if none does."""
    try:
        fd = os.open(os.path.join(directory, "lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.read(fd, _LONGEST).strip()
        finally:
            os.close(fd)
    except OSError:
        return None
    pid = int(found) if found.isdigit() else 0
    return pid if pid > 0 and _is_recorder(pid) else None


def _is_recorder(pid: int) -> bool:
    """Whether the process exists and is a chatlog; another program may have the number by now."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        # The process exists and belongs to another user.
        pass
    except (OSError, OverflowError):
        return False
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        # As a word of its own: the environment may well lie below a directory of that name.
        return any(part.rpartition(b"/")[2] == b"chatlog" for part in file.read(4096).split(b"\0"))
    return True
