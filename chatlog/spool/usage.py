"""How many bytes of recordings the spool holds: one count, kept up to date by those who write and delete."""

from __future__ import annotations


class Usage:
    """The bytes in ``open/``, ``sealed/`` and ``packed/``. Belongs to the reactor's thread."""

    def __init__(self) -> None:
        self.bytes = 0

    def measured(self, size: int) -> None:
        """The directories were looked at: they hold ``size`` bytes."""
        self.bytes = size

    def changed(self, by: int) -> None:
        """A file became larger by so many bytes (smaller, if negative)."""
        self.bytes += by

    def freed(self, size: int) -> None:
        """``size`` bytes were deleted."""
        self.bytes -= size
