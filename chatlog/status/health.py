"""Whether all is well, from the conditions of ``status``: alive, and recording as configured.

    verdict = alive(found)        # ok, failing: [(part, reason)], status 200 or 503, body

Alive means that this process can do its work; when it is not, a new start may help. Ready means that every
room is recorded and that the recordings arrive in the store; the remedy may lie outside of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from chatlog.status.condition import Condition


@dataclass(frozen=True, slots=True)
class Failing:
    """A part that is not well, and why, in words; ``code`` is the condition's."""

    part: str
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a health check; ``failing`` is empty if it passes."""

    failing: tuple[Failing, ...]

    @property
    def ok(self) -> bool:
        return not self.failing

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return 503 if self.failing else 200

    @property
    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        failing = [{"part": each.part, "reason": each.reason, "code": each.code} for each in self.failing]
        return {"ok": self.ok, "failing": failing}


def alive(found: Iterable[Condition]) -> Verdict:
    """The result of /healthz."""
    return _verdict(found, lambda each: not each.alive)


def ready(found: Iterable[Condition]) -> Verdict:
    """The result of /readyz: alive, recording and storing everything."""
    return _verdict(found, lambda each: not each.ready)


def _verdict(found: Iterable[Condition], fails: Callable[[Condition], bool]) -> Verdict:
    failing = [each for each in found if fails(each)]
    # An effect is left out if its cause is named. It is named if the cause is not part of this check.
    failing = [each for each in failing if not each.explained] or failing
    return Verdict(tuple(Failing(each.part, each.text, each.code) for each in failing))
