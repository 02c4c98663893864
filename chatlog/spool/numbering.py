"""The numbers that keep the names of files unique, also across restarts and when the clock goes back.

A name carries the minute in which its file was opened. So two files of a room could only share a name if they
were opened in the same minute, or if the clock showed the same minute twice. The earlier file may be uploaded
and removed by then, so the files on the disk are not enough. Therefore the spool keeps a note of the latest
minute and of the numbers that it has used. The note has to be on the disk before a file leaves ``open/``;
until then the file itself shows that its name is taken.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chatlog.naming import FileName


class Numbering:
    """Chooses ``n`` of the next name.

    Invariants: no name in use, now or earlier, has a later minute than ``minute``; those of that minute have
    numbers up to ``n``; no name of any minute has a number above ``top``.
    """

    __slots__ = ("_base", "_current", "minute", "n", "top")

    def __init__(self) -> None:
        self.minute = ""
        self.n = 0
        self.top = 0
        # The minute of the latest choice, and the number up to which its names are taken.
        self._current = ""
        self._base = 0

    def used(self, minute: str, n: int) -> None:
        """A name with this minute and number is taken."""
        self.minute, self.n = max((self.minute, self.n), (minute, n))
        self.top = max(self.top, n)

    def saw(self, name: FileName) -> None:
        """A file of an earlier run has this name."""
        self.used(name.minute, name.n)

    def after(self, minute: str, last_minute: str, last_n: int) -> int:
        """The number for a room's file opened in ``minute``, when the room's last file was number
        ``last_n`` of ``last_minute``."""
        if minute != self._current:
            if minute > self.minute:
                self._base = 0
            elif minute == self.minute:
                self._base = self.n
            elif not self._current or minute < self._current:
                # The clock went back: these minutes were used before, with numbers up to ``top`` at most. The
                # base stays until the clock passes the latest minute used.
                self._base = self.top
            self._current = minute
        taken = last_n if last_minute == minute else 0
        return max(self._base, taken) + 1

    def note(self) -> dict[str, str | int]:
        """The note for the disk: the latest minute, the highest number in it, and the highest number of all.
        It is empty as long as no name was used."""
        return {"minute": self.minute, "n": self.n, "top": self.top} if self.minute else {}

    def read(self, note: Any) -> None:
        """Read the note of an earlier run. A damaged note is ignored; the files that are there still
        count."""
        with suppress(KeyError, TypeError, ValueError):
            minute, n, top = str(note["minute"]), int(note["n"]), int(note["top"])
            if len(minute) == 13:
                self.used(minute, n)
                self.top = max(self.top, top)
