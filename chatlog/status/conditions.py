"""The present conditions, collected from the rules (``room_rules``, ``machine_rules``, ``cluster_rules``).
Health checks, alarms, metrics, the terminal and the page only show it.

    found = conditions(facts, observed, settings)
    headline(facts, found)              # {"severity": "note", "text": "Recording 297 of 300 rooms; ..."}

A condition has a code that stays the same, and says in words what is wrong and what to do. A condition that
is only the effect of another one is ``explained`` by it, and is not shown while that lasts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

from chatlog.config.settings import Settings
from chatlog.status.cluster_rules import cluster_rules
from chatlog.status.condition import (
    CAUSES,
    CRITICAL,
    NOTE,
    OK,
    SEVERITIES,
    WHERE,
    Condition,
    Facts,
    Observed,
)
from chatlog.status.machine_rules import machine_rules
from chatlog.status.room_rules import room_rules


def conditions(facts: Facts, observed: Observed, settings: Settings) -> list[Condition]:
    """All present conditions, effects included, the worst first."""
    found = [*machine_rules(facts, observed, settings), *room_rules(facts, observed, settings)]
    found += cluster_rules(facts)
    return sorted(explain(found), key=lambda each: -SEVERITIES.index(each.severity))


def explain(found: list[Condition]) -> Iterator[Condition]:
    """The same conditions, effects marked with their causes."""
    present = {each.key for each in found}
    for each in found:
        cause = _cause(each.key, present)
        yield replace(each, explained=cause) if cause else each


def is_hidden(key: tuple[str, str], present: Container[tuple[str, str]]) -> bool:
    """Whether one of the conditions that are ``present`` would explain the one with this key."""
    return bool(_cause(key, present))


def _cause(key: tuple[str, str], present: Container[tuple[str, str]]) -> str:
    code, subject = key
    causes = CAUSES.get(code, ())
    return next((c for c in causes if (c, subject) in present or (c, "") in present), "")


def unexplained(found: Iterable[Condition]) -> list[Condition]:
    """The conditions that are shown: those that are not effects of others."""
    return [each for each in found if not each.explained]


def worst(found: Iterable[Condition]) -> str:
    """The highest severity."""
    return max((each.severity for each in found), key=SEVERITIES.index, default=OK)


def headline(facts: Facts, found: Iterable[Condition]) -> dict[str, str]:
    """The state of the recorder in one sentence, with its severity."""
    shown = unexplained(found)
    stopped = next((each for each in shown if each.severity == CRITICAL and each.code in _STOPPED), None)
    if stopped is not None:
        return {"severity": CRITICAL, "text": "; ".join([stopped.brief, *_more(len(shown) - 1)])}
    rooms = sum(platform["rooms"] for platform in facts["platforms"])
    recorded = sum(platform["recorded"] for platform in facts["platforms"])
    acknowledged = sum(platform["acknowledged"] for platform in facts["platforms"])
    severity = worst(shown) if rooms else max(worst(shown), NOTE, key=SEVERITIES.index)
    text = _recording(rooms, recorded, facts.get("cluster") is not None)
    briefs = [each.brief for each in shown if each.brief and each.severity == severity][:_NAMED]
    more = _more(len(shown) - len(briefs))
    if acknowledged and recorded < rooms and severity in (OK, NOTE):
        briefs.append(_acknowledged(acknowledged, rooms - recorded))
    return {"severity": severity, "text": "; ".join([text, *briefs, *more])}


#: The most conditions that the headline names; it counts the others.
_NAMED = 2
#: Conditions in which nothing is written.
_STOPPED = ("DISK_TROUBLE", "RECORDER_STALLED")


def _recording(rooms: int, recorded: int, shared: bool) -> str:
    if not rooms:
        return "No room of the cluster is recorded here" if shared else "No room is on the list"
    if recorded == rooms:
        return "Recording the one room" if rooms == 1 else f"Recording all {rooms} rooms"
    if not recorded:
        return "The one room is not recorded" if rooms == 1 else f"None of {rooms} rooms is recorded"
    return f"Recording {recorded} of {rooms} rooms"


def _more(count: int) -> list[str]:
    """The text for the conditions that are not named."""
    return [f"{count} more{WHERE}"] if count > 0 else []


def _acknowledged(known: int, missing: int) -> str:
    are = "is" if known == 1 else "are"
    if known < missing:
        return f"{known} of the others {are} acknowledged"
    return f"the other {are} acknowledged" if known == 1 else f"the other {known} {are} acknowledged"
