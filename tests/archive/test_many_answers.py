"""Many answers, read as one."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.many_answers import each, merged
from chatlog.archive.question import Cancelled
from chatlog.store.store import StoreError


class Answer:
    """An answer with records of these times."""

    def __init__(self, times: list[bytes], error: Exception | None = None) -> None:
        self._times = times
        self._error = error
        self.is_cancelled = self.has_ended = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def __iter__(self) -> Any:
        try:
            for time in self._times:
                yield Found(time, self)
            if self._error is not None:
                raise self._error
        finally:
            self.has_ended = True


class Found:
    def __init__(self, time: bytes, answer: Answer) -> None:
        self.time = time
        self.answer = answer


class ManyAnswersTests(SynchronousTestCase):
    """Several answers as one."""

    TIMES: tuple[list[bytes], ...] = ([b"1", b"3", b"3"], [], [b"2", b"3"], [b"3"], [b"0", b"9"])

    def test_order(self) -> None:
        """The records come in order, those of one time in the order of the answers."""
        for newest in (False, True):
            for at_once in (1, 2, 8):
                answers: list[Any] = [Answer(sorted(times, reverse=newest)) for times in self.TIMES]
                records: Any = merged(answers, newest, at_once)
                found = [(each.time, answers.index(each.answer)) for each in records]
                every = [(time, n) for n, times in enumerate(self.TIMES) for time in times]
                self.assertEqual(found, sorted(every, key=lambda pair: pair[0], reverse=newest))
                self.assertTrue(all(answer.has_ended for answer in answers))

    def test_left_early(self) -> None:
        """Whoever needs no more ends all reading."""
        answers: list[Any] = [Answer(list(times)) for times in self.TIMES]
        records = merged(answers, False, 3)
        self.assertEqual(next(records).time, b"0")
        records.close()
        self.assertTrue(all(answer.is_cancelled for answer in answers))
        self.assertTrue(all(answer.has_ended for answer in answers))

    def test_each(self) -> None:
        """What is made of each answer comes in their order, and leaving early or an error ends all."""
        for at_once in (1, 3, 8):
            answers: list[Any] = [Answer(list(times)) for times in self.TIMES]
            counts = each(answers, lambda answer: len(list(answer)), at_once)
            self.assertEqual(list(counts), [len(times) for times in self.TIMES])
            answers = [
                Answer(list(times), StoreError("no answer") if times else None) for times in self.TIMES
            ]
            self.assertRaises(StoreError, list, each(answers, lambda answer: len(list(answer)), at_once))
            self.assertTrue(all(answer.is_cancelled for answer in answers))

    def test_an_error(self) -> None:
        """One that cannot be read ends all of them."""
        for error in (StoreError("no answer"), Cancelled()):
            answers: list[Any] = [
                Answer(list(times), error if n == 1 else None) for n, times in enumerate(self.TIMES)
            ]
            self.assertRaises(type(error), list, merged(answers, False, 3))
            self.assertTrue(all(answer.has_ended or answer.is_cancelled for answer in answers))
