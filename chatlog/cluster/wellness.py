"""Whether this member records enough rooms of its platforms. A member that records less than half of them for
long is replaced, if another member can do it."""

from __future__ import annotations

#: Seconds for which less than half is recorded.
POOR = 30.0
#: Seconds until a platform without rooms is tried again, and the longest such time.
AGAIN, LONGEST = 60.0, 900.0
#: Seconds for which the platform has to be well before the next time without rooms is short again.
STEADY = 600.0


class Wellness:
    """The wellness of one platform. Times are seconds of the member's clock."""

    def __init__(self) -> None:
        self._poor_since: float | None = None
        self._well_since: float | None = None
        self._again_at = 0.0
        self._wait = AGAIN
        self.unwell = False

    def judge(self, now: float, wanted: int, recorded: int, disk: bool) -> bool:
        """Whether too few rooms of the platform are recorded: ``recorded`` of ``wanted``. ``disk``: whether
        the disk accepts writes."""
        poor = not disk or (wanted > 0 and 2 * recorded < wanted)
        if not poor:
            self._poor_since = None
        elif self._poor_since is None:
            self._poor_since = now
        if not self.unwell:
            if poor and self._poor_since is not None and now - self._poor_since >= POOR:
                self._fall_ill(now)
        elif wanted > 0 and not poor:
            self._recover(now)
        elif wanted == 0 and disk and now >= self._again_at:
            # Only rooms show whether the platform can be recorded again.
            self._recover(now)
            self._poor_since = None
        return self.unwell

    def _fall_ill(self, now: float) -> None:
        steady = self._well_since is None or now - self._well_since >= STEADY
        self._wait = AGAIN if steady else min(2 * self._wait, LONGEST)
        self.unwell, self._again_at = True, now + self._wait

    def _recover(self, now: float) -> None:
        self.unwell, self._well_since = False, now
