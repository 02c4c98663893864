"""Alarms: one line in the log when something begins to be wrong, and one when it is well again.

What is wrong is told by ``chatlog.status``. However many rooms are in the same trouble, it is one alarm for
each platform. A trouble that is gone for less than ``HOLD`` seconds was not gone, so that one that comes and
goes does not fill the log. What is only the effect of another trouble does not begin while that lasts, and
afterwards gets as long to pass, up to ``alarms.after``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.alarms.endings import ending
from chatlog.config.units import rough_duration
from chatlog.printable import printable
from chatlog.services import Poller
from chatlog.status.condition import CODES, CRITICAL, NOTE, SEVERITIES, Condition
from chatlog.status.conditions import is_hidden
from chatlog.status.status import Status

#: Seconds between two looks, and for which something has to be well before it is said to be.
EVERY = 5.0
HOLD = 30.0
#: Characters of a text that are told, and of a server's own words behind it.
_TEXT, _RAW = 500, 300


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told when an alarm ``begins``, ``grows`` (it is about twice as many rooms or files as were
    told last, or worse than it was) or ``ends``. ``since`` and ``at`` are seconds since the epoch, the
    latter now; ``remedy`` says what to do."""

    state: str
    code: str
    subject: str
    text: str
    count: int
    since: float
    at: float
    severity: str = CRITICAL
    remedy: str = ""


@dataclass(slots=True)
class _Effect:
    """When, by the clock, a condition began to be the effect of another, and when it was so last."""

    since: float
    seen: float


@dataclass(slots=True)
class _Alarm:
    condition: Condition
    #: When it was last seen to be so, by the clock.
    seen: float
    #: The count and the severity that were told last.
    told: int
    severity: str


class Alarms(Service):
    """Looks at the conditions of ``status`` every few seconds; ``notify`` gets every notice."""

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
        self._effects: dict[tuple[str, str], _Effect] = {}
        self._poller = Poller(clock, EVERY, self._poll)
        status.alarms = self.active

    def startService(self) -> None:
        super().startService()
        self._poller.start()

    def stopService(self) -> None:
        super().stopService()
        self._poller.stop()

    def active(self) -> list[dict[str, Any]]:
        """What is wrong at present, the latest last, ready for JSON: ``code``, ``meaning``, ``severity``,
        ``subject`` (the platform, or ``""``), ``text``, ``remedy``, ``raw``, ``count`` (of rooms or files; 0
        where there is nothing to count), ``since`` (seconds since the epoch)."""
        return [
            {**alarm.condition.facts, "meaning": CODES[alarm.condition.code]}
            for alarm in self._active.values()
        ]

    # -- looking -----------------------------------------------------------------------------------

    def _poll(self) -> None:
        now = self._clock.seconds()
        found = self._status.conditions()
        present = {each.key for each in found}
        for each in found:
            if each.explained:
                effect = self._effects.get(each.key)
                if effect is None or now - effect.seen > 2 * EVERY:
                    effect = self._effects[each.key] = _Effect(now, now)
                effect.seen = now
        current = {each.key: each for each in found if each.due}
        for key, condition in current.items():
            alarm = self._active.get(key)
            if alarm is not None:
                alarm.condition, alarm.seen = condition, now
                self._look_at_growth(alarm)
            elif not condition.explained and self._stands_alone(key, now):
                alarm = _Alarm(condition, now, condition.count, condition.severity)
                self._active[key] = alarm
                self._tell("begins", alarm)
        for key in [key for key in self._active if key not in current]:
            if is_hidden(key, present):
                # Nobody can see at present whether it is over.
                self._active[key].seen = now
            elif now - self._active[key].seen >= HOLD:
                self._tell("ends", self._active.pop(key))

    def _stands_alone(self, key: tuple[str, str], now: float) -> bool:
        """Whether a condition has outlasted what it was the effect of, if it was."""
        effect = self._effects.get(key)
        if effect is None:
            return True
        if now - effect.seen < min(effect.seen - effect.since, self._status.settings.alarms.after):
            return False
        del self._effects[key]
        return True

    def _look_at_growth(self, alarm: _Alarm) -> None:
        condition = alarm.condition
        worse = SEVERITIES.index(condition.severity) > SEVERITIES.index(alarm.severity)
        if not condition.explained and (worse or condition.count >= 2 * alarm.told > 0):
            alarm.told, alarm.severity = max(alarm.told, condition.count), condition.severity
            self._tell("grows", alarm)

    # -- telling -----------------------------------------------------------------------------------

    def _tell(self, state: str, alarm: _Alarm) -> None:
        condition = alarm.condition
        at = self._wall()
        text = condition.text
        if state == "ends":
            text = ending(condition, self._status.snapshot(), self._status.conditions())
        text = printable(text, _TEXT)
        fields = {
            "code": condition.code,
            "alarm": state,
            "subject": condition.subject,
            "text": text,
            "severity": condition.severity,
            "remedy": condition.remedy,
            "raw": printable(condition.raw, _RAW),
            "count": condition.count,
        }
        where = "{subject}: " if condition.subject else ""
        if state == "ends":
            lasted = rough_duration(max(0.0, at - condition.since))
            self._log.info("{code} is over after {lasted}: " + where + "{text}", lasted=lasted, **fields)
        else:
            # What a server said itself stands behind our words, for whoever looks for it.
            more = ". {remedy}" if condition.remedy else ""
            more += " [{raw}]" if condition.raw and condition.raw not in text else ""
            say = self._log.warn if condition.severity == NOTE else self._log.error
            say("{code}: " + where + "{text}" + more, **fields)
        self._notify(
            Notice(
                state,
                condition.code,
                condition.subject,
                text,
                condition.count,
                condition.since,
                at,
                condition.severity,
                condition.remedy,
            )
        )
