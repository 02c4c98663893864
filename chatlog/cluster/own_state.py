"""The state that a member needs at its next start: its identity, the slots that it recorded last, and the
rooms of the configuration that it applied last.

    cluster           {"cluster": "main", "identity": "5f..", "recorded": {"twitch": BITMAP, ..}}
    cluster_applied   {"cluster": "main", "rooms": {"twitch": ["ann"], "kick": [{"slug": "bob"}]}}
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from chatlog.cluster import slots
from chatlog.cluster.shared_rooms import Content, chunk_of, decode, encode
from chatlog.config.platform import Channel, Key, Registry
from chatlog.environment import Environment
from chatlog.state.state_file import StateFile


class OwnState:
    """The state of a member of ``cluster`` in the spool's ``directory``."""

    _log = Logger()

    def __init__(
        self,
        environment: Environment,
        directory: str,
        cluster: str,
        registry: Registry,
        identity: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._file = StateFile(environment.files, directory, "cluster")
        self._applied_file = StateFile(environment.files, directory, "cluster_applied")
        self._threads = environment.disk
        self._cluster = cluster
        self._registry = registry
        self._make_identity = identity
        self.identity = ""
        #: The slots that were recorded last, by platform.
        self.recorded: dict[str, int] = {}
        #: The rooms of the configuration that was applied last; None if none ever was.
        self.applied: dict[Key, Channel] | None = None
        #: Whether the state is of this cluster.
        self.ours = True
        self._saving = False
        self._unsaved: dict[str, int] | None = None

    def load(self) -> None:
        """Read the state of the earlier run. An identity is made if there is none."""
        entry = self._read(self._file)
        self.ours = not entry or entry.get("cluster") == self._cluster
        if self.ours and isinstance(entry.get("identity"), str) and entry["identity"].isalnum():
            self.identity = entry["identity"][:64]
        recorded = entry.get("recorded") if self.ours else None
        for platform, text in recorded.items() if isinstance(recorded, dict) else ():
            with suppress(ValueError):
                if platform in self._registry:
                    self.recorded[platform] = slots.decode(str(text))
        applied = self._read(self._applied_file)
        if applied.get("cluster") == self._cluster and isinstance(applied.get("rooms"), list):
            self.applied = {}
            for number, text in enumerate(applied["rooms"]):
                self.applied |= decode(str(text).encode(), number, self._registry).rooms
        if not self.identity:
            self.identity = self._make_identity()
            with suppress(OSError):
                # If this write fails, the next start counts as another member, and waits for the lease.
                self._file.keep(self._shown(self.recorded))

    def _read(self, file: StateFile) -> dict[str, Any]:
        try:
            entries = [entry for _, entry in file.read()]
        except OSError as error:
            self._log.warn(
                "{path} cannot be read, and is left out: {error}", path=file.path, error=str(error)
            )
            return {}
        return entries[-1] if entries and isinstance(entries[-1], dict) else {}

    def keep_recorded(self, recorded: Mapping[str, int]) -> None:
        """These slots are recorded now. A thread writes them soon."""
        if dict(recorded) == self.recorded:
            return
        self.recorded = dict(recorded)
        self._unsaved = self.recorded
        self._save()

    def _save(self) -> None:
        if self._saving or self._unsaved is None:
            return
        self._saving = True
        entry, self._unsaved = self._shown(self._unsaved), None
        done = self._threads.run(self._file.keep, entry)
        done.addErrback(
            lambda failure: self._log.warn(
                "{path} cannot be written: {error}", path=self._file.path, error=failure.getErrorMessage()
            )
        )
        done.addBoth(self._saved)

    def _saved(self, _: object) -> None:
        self._saving = False
        self._save()

    def keep_applied(self, rooms: Mapping[Key, Channel]) -> None:
        """The rooms of this configuration are in the shared list. Raises OSError."""
        chunks: dict[int, Content] = {}
        for key, channel in rooms.items():
            chunks.setdefault(chunk_of(*key), Content()).rooms[key] = channel
        texts = [
            encode(chunks[number], self._registry).decode() if number in chunks else ""
            for number in range(max(chunks, default=-1) + 1)
        ]
        self._applied_file.keep({"cluster": self._cluster, "rooms": texts})
        self.applied = dict(rooms)

    def _shown(self, recorded: Mapping[str, int]) -> dict[str, Any]:
        return {
            "cluster": self._cluster,
            "identity": self.identity,
            "recorded": {name: slots.encode(some) for name, some in sorted(recorded.items())},
        }
