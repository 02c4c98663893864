"""Reads many answers at the same time, as one: while one of them waits for the store, others are read."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from chatlog.archive.ordering import Found
from chatlog.archive.reader import Answer

T = TypeVar("T")

#: The most answers that are read at the same time, each up to its first record.
AT_ONCE = 8
#: The same, if each is read to its end: then the processor is busy rather than the store.
WHOLE_AT_ONCE = 4


def merged(answers: Sequence[Answer], newest: bool, at_once: int = AT_ONCE) -> Generator[Found, None, None]:
    """The records of all answers in one order, those of the same time in the order of the answers. Each
    answer has to be in that order itself. Each is read up to its first record before the first one comes, and
    later only as far as needed. When the iteration ends, all answers have ended; if it is left early, they
    are cancelled. Raises what the answers raise."""
    streams = [iter(answer) for answer in answers]
    if len(streams) <= 1 or at_once <= 1:
        try:
            yield from heapq.merge(*streams, key=lambda found: found.time, reverse=newest)
        finally:
            _close(streams)
        return
    with ThreadPoolExecutor(min(at_once, len(streams)), "together") as threads:
        firsts = [threads.submit(next, stream, None) for stream in streams]
        try:
            with _cancelled_if_left(firsts, answers):
                ready = [_after(first, stream) for first, stream in zip(firsts, streams, strict=True)]
                yield from heapq.merge(*ready, key=lambda found: found.time, reverse=newest)
        finally:
            # A stream can only be closed while no thread reads it.
            threads.shutdown()
            _close(streams)


def each(
    answers: Sequence[Answer], use: Callable[[Answer], T], at_once: int = WHOLE_AT_ONCE
) -> Generator[T, None, None]:
    """The result of ``use`` for each answer, in their order; several are used at the same time, in threads.
    If the iteration is left early, all answers are cancelled. Raises what ``use`` and the answers raise."""
    with ThreadPoolExecutor(max(1, min(at_once, len(answers))), "each") as threads:
        made = [threads.submit(use, answer) for answer in answers]
        with _cancelled_if_left(made, answers):
            for one in made:
                yield one.result()


@contextmanager
def _cancelled_if_left(reading: Sequence[Future[Any]], answers: Sequence[Answer]) -> Iterator[None]:
    """Cancel the answers, which are being read, unless all goes well to its end."""
    try:
        yield
    except BaseException:
        for one, answer in zip(reading, answers, strict=True):
            one.cancel()
            answer.cancel()
        raise


def _after(first: Future[Found | None], stream: Iterator[Found]) -> Iterator[Found]:
    found = first.result()
    if found is not None:
        yield found
        yield from stream


def _close(streams: list[Iterator[Found]]) -> None:
    for stream in streams:
        with suppress(Exception):
            stream.close()  # type: ignore[attr-defined]
