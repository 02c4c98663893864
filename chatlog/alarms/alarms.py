"""Alarms: one log line when a condition begins, and one when it ends.

The conditions come from ``chatlog.status``. Rooms in the same trouble share one alarm a platform. An alarm
ends when its condition has been absent for ``HOLD`` seconds, so that a trouble that comes and goes does not
fill the log. A condition that is only the effect of another one raises no alarm while the other lasts.
Afterwards it has the same time again to pass, at most ``alarms.after``.
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

#: Seconds between two polls.
EVERY = 5.0
#: Seconds for which a condition has to be absent before its alarm ends.
HOLD = 30.0
#: The most characters of a text, and of the server's own words after it.
_TEXT, _RAW = 500, 300


@dataclass(frozen=True, slots=True)
class Notice:
    """A report that an alarm ``begins``, ``grows`` or ``ends``. An alarm grows if it concerns at least twice
    as many rooms or files as last reported, or has become more severe. ``since`` and ``at`` are seconds since
    the epoch; ``at`` is the time of the report. ``remedy`` says what to do."""

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
    """When a condition was first and last seen as the effect of another one, by the clock."""

    since: float
    seen: float


@dataclass(slots=True)
class _Alarm:
    condition: Condition
    #: When the condition was last present, by the clock.
    seen: float
    #: The count and the severity that were last reported.
    reported: int
    severity: str


class Alarms(Service):
    """Polls the conditions of ``status``; ``notify`` gets every notice."""

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
        """The present alarms, the latest last, ready for JSON: ``code``, ``meaning``, ``severity``,
        ``subject`` (the platform, or ``""``), ``text``, ``remedy``, ``raw``, ``count`` (rooms or files, 0 if
        nothing is counted), ``since`` (seconds since the epoch)."""
        return [
            {**alarm.condition.facts, "meaning": CODES[alarm.condition.code]}
            for alarm in self._active.values()
        ]

    # -- polling -----------------------------------------------------------------------------------

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
                self._check_growth(alarm)
            elif not condition.explained and self._stands_alone(key, now):
                alarm = _Alarm(condition, now, condition.count, condition.severity)
                self._active[key] = alarm
                self._report("begins", alarm)
        for key in [key for key in self._active if key not in current]:
            if is_hidden(key, present):
                # At present it is unknown whether the condition has ended.
                self._active[key].seen = now
            elif now - self._active[key].seen >= HOLD:
                self._report("ends", self._active.pop(key))

    def _stands_alone(self, key: tuple[str, str], now: float) -> bool:
        """Whether a condition is not the effect of another one, or has outlasted it long enough."""
        effect = self._effects.get(key)
        if effect is None:
            return True
        if now - effect.seen < min(effect.seen - effect.since, self._status.settings.alarms.after):
            return False
        del self._effects[key]
        return True

    def _check_growth(self, alarm: _Alarm) -> None:
        condition = alarm.condition
        worse = SEVERITIES.index(condition.severity) > SEVERITIES.index(alarm.severity)
        if not condition.explained and (worse or condition.count >= 2 * alarm.reported > 0):
            alarm.reported, alarm.severity = max(alarm.reported, condition.count), condition.severity
            self._report("grows", alarm)

    # -- reporting ---------------------------------------------------------------------------------

    def _report(self, state: str, alarm: _Alarm) -> None:
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
            # The server's own words follow ours, so that they can be searched for.
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
