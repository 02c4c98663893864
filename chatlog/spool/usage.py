"""The bytes of recordings in the spool: one count, updated by everything that writes or deletes files."""

from __future__ import annotations


class Usage:
    """The bytes in ``open/``, ``sealed/`` and ``packed/``. For the reactor's thread only."""

    def __init__(self) -> None:
        self.bytes = 0

    def measured(self, size: int) -> None:
        """The directories were listed: they hold ``size`` bytes."""
        self.bytes = size

    def changed(self, by: int) -> None:
        """A file grew by ``by`` bytes (shrank, if negative)."""
        self.bytes += by

    def freed(self, size: int) -> None:
        """``size`` bytes were deleted."""
        self.bytes -= size
