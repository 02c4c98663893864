"""Puts a changed configuration in force while recording goes on.

Rooms, intervals, limits and thresholds can change. Connections of rooms that stay are kept. Keys that a
running process cannot change are named in the log; they take effect at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol

from twisted.logger import Logger

from chatlog.alarms.webhook import Webhook
from chatlog.config.settings import Settings
from chatlog.configuration import ConfigError
from chatlog.daemon import Daemon
from chatlog.logs import Levels
from chatlog.network.tls import CertificateAuthorityError
from chatlog.recorder.recorder import Recorder
from chatlog.sources import Platforms
from chatlog.status.status import Status

#: The keys that can change without a restart, with all keys below them.
CHANGEABLE = (
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

#: Fields of the settings that come from one key of the configuration.
_TOGETHER = {"twitch.host": "twitch.server", "twitch.port": "twitch.server", "twitch.tls": "twitch.server"}


def changes(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The keys whose values differ, as dotted paths. A section that only one side has is one key."""
    if old == new:
        return
    if is_dataclass(old) and type(old) is type(new):
        inside = f"{path}." if path else ""
        for field in fields(old):
            yield from changes(getattr(old, field.name), getattr(new, field.name), inside + field.name)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        # The platforms, whose sections are keys of their own.
        for name in {**old, **new}:
            yield from changes(old.get(name), new.get(name), name)
    else:
        yield path


def is_changeable(path: str) -> bool:
    """Whether the key can change while the process runs. The rooms of every platform can."""
    rooms = path.partition(".")[2] == "channels"
    return rooms or any(path == key or path.startswith(f"{key}.") for key in CHANGEABLE)


def _changed(old: Settings, new: Settings) -> list[str]:
    return list(dict.fromkeys(_TOGETHER.get(key, key) for key in changes(old, new)))


def in_force(started: Settings, new: Settings) -> Settings:
    """The settings in force when a process that was started with ``started`` has read ``new``. Each platform
    decides itself which of its settings take effect."""
    settings = replace(started, platforms=new.platforms)
    for key in CHANGEABLE:
        settings = _with(settings, new, key.split("."))
    return settings


def _with(old: Any, new: Any, path: list[str]) -> Any:
    """``old`` with the value that ``new`` has at ``path``."""
    if old is None or new is None or not path:
        return new
    name, *rest = path
    return replace(old, **{name: _with(getattr(old, name), getattr(new, name), rest)})


def _with_sections(settings: Settings, platforms: Mapping[str, Any]) -> Settings:
    """``settings`` with a section for each of the ``platforms``: a platform can exist without one, if its
    rooms were added while running."""
    without = {name: type(section)(()) for name, section in platforms.items()}
    return replace(settings, platforms={**without, **settings.platforms})


class Reload:
    """Reads the configuration again when it is called.

    ``load()`` returns the settings, or raises ConfigError or CertificateAuthorityError. ``apply(settings)``
    puts them in force as far as possible. ``made()`` returns the sections with which the existing platforms
    were created; only a new platform uses its whole section.
    """

    _log = Logger()

    def __init__(
        self,
        load: Callable[[], Settings],
        current: Settings,
        apply: Callable[[Settings], None],
        made: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._load = load
        #: Keys that differ from the settings at the start need a restart.
        self._started = self._in_force = current
        self._apply = apply
        self._made = made

    def __call__(self) -> None:
        """Put a changed configuration in force. If it has problems, they are logged and nothing changes."""
        try:
            new = self._load()
        except (ConfigError, CertificateAuthorityError) as error:
            for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
                self._log.error("{problem}", problem=problem)
            self._log.error("the configuration has problems; the one that was read before stays in force")
            return
        made = dict(self._made())
        wanted = _with_sections(new, made)
        before = _with_sections(self._in_force, made)
        started = replace(self._started, platforms={**self._started.platforms, **made})

        def is_immediate(key: str) -> bool:
            platform = key.partition(".")[0]
            known = platform in wanted.platforms or platform in before.platforms
            return is_changeable(key) or (known and platform not in made)

        now = [key for key in _changed(before, wanted) if is_immediate(key)]
        later = [key for key in _changed(started, wanted) if not is_immediate(key)]
        if _backfill(self._started) != _backfill(new) and "twitch.backfill" not in later:
            # Backfill is created at the start only.
            later.append("twitch.backfill")
        try:
            self._apply(new)
        except Exception:
            self._log.failure("while putting the configuration in force; the next SIGHUP tries it again")
            return
        self._in_force = new
        if not now and not later:
            self._log.info("the configuration was read again; nothing has changed")
        if now:
            self._log.info("the configuration was read again; in force: {keys}", keys=", ".join(now))
        if later:
            self._log.warn("these keys take effect at the next start: {keys}", keys=", ".join(later))


def _backfill(settings: Settings) -> object:
    return getattr(settings.platforms.get("twitch"), "backfill", None)


class Rooms(Protocol):
    """The list of wanted rooms."""

    def reload(self, settings: Settings) -> None:
        """Use the rooms of another configuration."""


class InForce:
    """Puts a new configuration in force, as far as a running process can."""

    def __init__(
        self,
        started: Settings,
        daemon: Daemon,
        platforms: Platforms,
        rooms: Rooms,
        recorder: Recorder,
        status: Status,
        webhook: Webhook,
    ) -> None:
        self._started = started
        self._daemon = daemon
        self._platforms = platforms
        self._rooms = rooms
        self._recorder = recorder
        self._status = status
        self._webhook = webhook

    def made(self) -> Mapping[str, Any]:
        """The sections with which the existing platforms were created."""
        return self._platforms.made

    def apply(self, new: Settings) -> None:
        """Platforms and rooms first, then intervals, limits and thresholds."""
        self._platforms.reconfigure(new)
        self._rooms.reload(new)
        new = in_force(self._started, new)
        self._recorder.reconfigure(new.recorder)
        self._status.settings = new
        self._webhook.settings = new.alarms
        if self._daemon.console is not None:
            self._daemon.console.levels = Levels(new.log.level, new.log.levels)
