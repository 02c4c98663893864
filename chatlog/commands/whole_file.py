"""Writes a file that is there as a whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: The suffix of the file while it is written.
UNFINISHED = ".part"


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """Provides a file to write to, which has the name ``path`` if the block ends well; else nothing of it
    remains. A device or a pipe of that name is written to as it is. Raises OSError."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    unfinished = path + UNFINISHED
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise
