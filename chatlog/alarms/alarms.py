"""Alarms: one line in the log when something begins to be wrong, and one when it is well again.

However many rooms are in the same trouble, it is one alarm for each platform. A trouble that is gone
for less than ``HOLD`` seconds was not gone, so that one that comes and goes does not fill the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.alarms.conditions import CODES, Condition, Observed, conditions
from chatlog.alarms.drift import Drift
from chatlog.alarms.troubles import Troubles
from chatlog.config.units import rough_duration
from chatlog.journal.journal import Key
from chatlog.printable import printable
from chatlog.services import Looks
from chatlog.status.status import Status

#: Seconds between two looks, and for which something has to be well before it is said to be.
EVERY = 5.0
HOLD = 30.0
#: Seconds between two looks at the coverage of the last hour.
COVERAGE_EVERY = 60.0
#: Seconds for which a store's word about our clock counts.
SKEWED_FOR = 600.0


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told when an alarm ``begins``, ``grows`` (it is about twice as many rooms or files as were
    told last) or ``ends``. ``since`` and ``at`` are seconds since the epoch, the latter now."""

    state: str
    code: str
    subject: str
    text: str
    count: int
    since: float
    at: float


@dataclass(slots=True)
class _Alarm:
    condition: Condition
    since: float
    #: When it was last seen to be so, by the clock.
    seen: float
    told: int


class Alarms(Service):
    """Looks at the facts of ``status`` every few seconds; ``notify`` gets every notice."""

    _log = Logger()
    name = "alarms"

    def __init__(
        self,
        status: Status,
        clock: IReactorTime,
        wall: Callable[[], float],
        notify: Callable[[Notice], object] = lambda notice: None,
    ) -> None:
        self._status = status
        self._clock = clock
        self._wall = wall
        self._notify = notify
        self._active: dict[tuple[str, str], _Alarm] = {}
        self._troubles = Troubles()
        self._poor: list[tuple[Key, float]] = []
        self._poor_at = clock.seconds()
        self._drift = Drift(clock.seconds())
        self._skews = 0
        self._skewed_at = float("-inf")
        self._looks = Looks(clock, EVERY, self._look)
        status.alarms = self.active

    def startService(self) -> None:
        super().startService()
        self._poor_at = self._clock.seconds()
        self._drift = Drift(self._clock.seconds())
        self._looks.start()

    def stopService(self) -> None:
        super().stopService()
        self._looks.stop()

    def active(self) -> list[dict[str, Any]]:
        """What is wrong at present, the latest last, ready for JSON: ``code``, ``meaning``, ``subject``
        (the platform, or ``""``), ``text``, ``count`` (of rooms or files; 0 where there is nothing to
        count), ``since`` (seconds since the epoch)."""
        return [
            {
                "code": alarm.condition.code,
                "meaning": CODES[alarm.condition.code],
                "subject": alarm.condition.subject,
                "text": alarm.condition.text,
                "count": alarm.condition.count,
                "since": alarm.since,
            }
            for alarm in self._active.values()
        ]

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self._clock.seconds()
        facts = self._status.snapshot()
        observed = self._observe(now, facts["clock"]["offset"])
        found = conditions(facts, observed, self._status.settings, now)
        current = {(each.code, each.subject): each for each in found}
        for key, condition in current.items():
            alarm = self._active.get(key)
            if alarm is None:
                self._begin(key, condition, now)
                continue
            alarm.condition = condition
            alarm.seen = now
            if condition.count >= 2 * alarm.told > 0:
                alarm.told = condition.count
                self._tell("grows", alarm)
        for key in [key for key in self._active if key not in current]:
            if now - self._active[key].seen >= HOLD:
                self._tell("ends", self._active.pop(key))

    def _observe(self, now: float, offset: float | None) -> Observed:
        settings = self._status.settings.alarms
        counters = self._status.counters
        self._troubles.look(self._status.pools, self._status.missing, now)
        if now - self._poor_at >= COVERAGE_EVERY:
            self._poor_at = now
            poor = self._status.poorly_covered(settings.coverage / 100)
            # Those that are refused or silent have an alarm of their own.
            self._poor = [(key, share) for key, share in poor if key not in self._troubles]
        if counters.upload_retries["clock"] != self._skews:
            self._skews = counters.upload_retries["clock"]
            self._skewed_at = now
        drift = self._drift.look(counters, now)
        unreadable = self._drift.unreadable(counters.unparsed, now)
        skewed = now - self._skewed_at < SKEWED_FOR
        return Observed(self._troubles, self._poor, drift, offset, skewed, unreadable)

    # -- telling -----------------------------------------------------------------------------------

    def _begin(self, key: tuple[str, str], condition: Condition, now: float) -> None:
        alarm = self._active[key] = _Alarm(condition, self._wall(), now, condition.count)
        self._tell("begins", alarm)

    def _tell(self, state: str, alarm: _Alarm) -> None:
        condition = alarm.condition
        at = self._wall()
        text = printable(condition.text, 500)
        fields = {"code": condition.code, "alarm": state, "subject": condition.subject, "text": text}
        where = "{subject}: " if condition.subject else ""
        if state == "ends":
            lasted = rough_duration(max(0.0, at - alarm.since))
            self._log.info(
                "{code} is over after {lasted}: " + where + "{text}",
                lasted=lasted,
                count=condition.count,
                **fields,
            )
        else:
            self._log.error("{code}: " + where + "{text}", count=condition.count, **fields)
        self._notify(Notice(state, condition.code, condition.subject, text, condition.count, alarm.since, at))
