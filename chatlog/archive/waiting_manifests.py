"""The manifests of a recorder on this machine that wait because the store takes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatlog.archive.blocks import BLOCK
from chatlog.files import Files
from chatlog.naming import parse_manifest_name


@dataclass(frozen=True, slots=True)
class WaitingManifests:
    """The waiting manifests in the spool at ``directory``; none if it is ``""``."""

    files: Files
    directory: str = ""

    def of_day(self, day: str) -> Iterator[str]:
        """The names of the manifests of a day (``2025-12-29``); none if there is no such spool."""
        if not self.directory:
            return
        try:
            names = self.files.names(f"{self.directory}/manifest")
        except OSError:
            return
        for name in names:
            try:
                if parse_manifest_name(name).minute.startswith(day.replace("-", "")):
                    yield name
            except ValueError:
                continue

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a manifest. Raises OSError, also if it has been stored in the meantime."""
        fd = self.files.open_read(f"{self.directory}/manifest/{name}")
        try:
            yield from iter(lambda: self.files.read(fd, BLOCK), b"")
        finally:
            self.files.close(fd)
