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
    """The standard output cannot be written; the message says why. No OSError: code that handles the errors
    of a store or a file must not handle this one."""


class _Output(io.FileIO):
    """A standard output that raises OutputError if it cannot be written."""

    def write(self, data: Any, /) -> int:
        """See FileIO. Raises OutputError; if the reader has ended, BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.strerror or str(error)) from None


class _Complaints(io.FileIO):
    """A standard error that drops text that cannot be written. Only the exit status reports the failure
    then."""

    def write(self, data: Any, /) -> int:
        """See FileIO. Raises BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError:
            return len(data)


def guarded(program: Callable[[], int]) -> NoReturn:
    """Run a program and end the process with its status, when all of its output is written. Meanwhile
    ``sys.stdout`` raises OutputError if it cannot be written, and only this function handles that error. Text
    that cannot be written to ``sys.stderr`` is dropped."""
    before = sys.stdout, sys.stderr
    output = _output()
    sys.stdout = output
    if sys.stderr is not None:
        sys.stderr = _guard(sys.stderr, _Complaints)
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
        sys.stdout, sys.stderr = before
    raise SystemExit(status)


def _output() -> Any:
    if sys.stdout is None:
        # The standard output was closed when the program began. Every write to this descriptor fails, as it
        # should.
        closed = _Output(os.open(os.devnull, os.O_RDONLY), "w")
        return io.TextIOWrapper(io.BufferedWriter(closed), "utf-8")
    return _guard(sys.stdout, _Output)


def _guard(stream: Any, kind: type[io.FileIO]) -> Any:
    try:
        number = stream.fileno()
    except (AttributeError, OSError):
        # The stream is no file, but an object in this process.
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(kind(number, "w", closefd=False)),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _give_up(output: Any) -> None:
    """Drop the text that is not written yet. Otherwise Python would try to write it at its own end, and
    complain."""
    with suppress(OSError, OutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        output.flush()
