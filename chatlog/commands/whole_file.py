"""Writes a file that exists only as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: The suffix of the file while it is written.
UNFINISHED = ".part"


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """Provides a file to write to, which gets the name ``path`` if the block ends without an error; otherwise
    it is removed. A device or a pipe of that name is written directly. Raises OSError."""
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
