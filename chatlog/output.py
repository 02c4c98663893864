"""Runs a program so that it ends with one sentence if its output cannot be written."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

#: The exit statuses: the output cannot be written; the command was interrupted, or the reader of its output
#: has ended, as shells expect it.
UNWRITTEN = 2
INTERRUPTED = 130


class OutputError(Exception):
    """The standard output cannot be written; the message says why. No OSError: what takes the store's or a
    file's errors must not take it."""


class _Output(io.FileIO):
    """A standard output that says so if it cannot be written."""

    def write(self, data: Any, /) -> int:
        """See FileIO. Raises OutputError; if the reader has ended, BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.strerror or str(error)) from None


def guarded(program: Callable[[], int]) -> NoReturn:
    """Run a program and end the process with its status, when all of its output is written. Meanwhile
    ``sys.stdout`` raises OutputError where it cannot be written, and nobody but this function takes it."""
    before = sys.stdout
    output = _guard(before)
    sys.stdout = output
    try:
        try:
            status = program()
        finally:
            output.flush()
    except BrokenPipeError:
        _give_up(output)
        status = INTERRUPTED
    except OutputError as error:
        _give_up(output)
        with suppress(OSError):
            print(f"cannot write the output: {error}", file=sys.stderr)
        status = UNWRITTEN
    finally:
        sys.stdout = before
    raise SystemExit(status)


def _guard(stream: Any) -> Any:
    if stream is None:
        # It was closed when the program began. Writing to what cannot be written fails as it should.
        closed = _Output(os.open(os.devnull, os.O_RDONLY), "w")
        return io.TextIOWrapper(io.BufferedWriter(closed), "utf-8")
    try:
        number = stream.fileno()
    except (AttributeError, OSError):
        # It is no file, but something in this process.
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number, "w", closefd=False)),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _give_up(output: Any) -> None:
    """Drop what is not written yet: else Python would try it again at its own end, and complain."""
    with suppress(OSError, OutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        output.flush()
