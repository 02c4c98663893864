"""A changed configuration put in force while recording goes on.

Rooms come and go, intervals, limits and thresholds change; connections that stay are not touched. What
a running process cannot change is named, and takes effect at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from twisted.logger import Logger

from chatlog.config.config import ConfigError
from chatlog.config.settings import Settings

#: What can change without a new start: these keys and everything below them.
CHANGEABLE = (
    "twitch.channels",
    "kick.channels",
    "recorder.flush_interval",
    "recorder.sync_interval",
    "recorder.rotate_interval",
    "recorder.rotate_size",
    "recorder.max_size",
    "recorder.buffer_limit",
    "http.health",
    "alarms",
    "log.level",
    "log.levels",
)

#: Fields that are one key of the configuration together.
_TOGETHER = {"twitch.host": "twitch.server", "twitch.port": "twitch.server", "twitch.tls": "twitch.server"}


def changes(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The keys whose values differ, as dotted paths. A section that is only on one side is one key."""
    if old == new:
        return
    if is_dataclass(old) and type(old) is type(new):
        inside = f"{path}." if path else ""
        for field in fields(old):
            yield from changes(getattr(old, field.name), getattr(new, field.name), inside + field.name)
    else:
        yield path


def is_changeable(path: str) -> bool:
    """Whether the key can change while the process runs."""
    return any(path == key or path.startswith(f"{key}.") for key in CHANGEABLE)


def _changed(old: Settings, new: Settings) -> list[str]:
    return list(dict.fromkeys(_TOGETHER.get(key, key) for key in changes(old, new)))


def _is_immediate(key: str) -> bool:
    # A platform whose first room was just added brings its whole section along.
    return is_changeable(key) or key in ("twitch", "kick")


class Reload:
    """Reads the configuration again when it is called. ``load()`` gives the settings or raises
    ConfigError; ``apply(settings)`` puts in force what can be."""

    _log = Logger()

    def __init__(
        self, load: Callable[[], Settings], current: Settings, apply: Callable[[Settings], None]
    ) -> None:
        self._load = load
        #: What the process was started with is the measure for what needs a new start.
        self._started = self._in_force = current
        self._apply = apply

    def __call__(self) -> None:
        """Put a changed configuration in force; one with problems is reported and changes nothing."""
        try:
            new = self._load()
        except ConfigError as error:
            for problem in error.problems:
                self._log.error("{problem}", problem=problem)
            self._log.error("the configuration has problems; the one that was read before stays in force")
            return
        now = [key for key in _changed(self._in_force, new) if _is_immediate(key)]
        later = [key for key in _changed(self._started, new) if not _is_immediate(key)]
        self._in_force = new
        self._apply(new)
        if not now and not later:
            self._log.info("the configuration was read again; nothing has changed")
        if now:
            self._log.info("the configuration was read again; in force: {keys}", keys=", ".join(now))
        if later:
            self._log.warn("these keys take effect at the next start: {keys}", keys=", ".join(later))
