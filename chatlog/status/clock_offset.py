"""Compares this machine's clock with the platforms', by the messages that arrive.

Every message carries the platform's time. It arrives a little later, so it should look a little old,
and never as if it came from the future.
"""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from statistics import median

#: The most messages that are compared, one every few seconds, and the fewest that give a result.
SAMPLES = 12
ENOUGH = 5

_TIMESTAMP = re.compile(rb'\{"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"')


class ClockOffset:
    """Seconds by which our clock is ahead of the platforms', the way of a message included; the
    median, so that a few old messages do not matter."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=SAMPLES)
        self._latest = 0.0

    @property
    def seconds(self) -> float | None:
        """The offset in seconds; None until there were enough messages."""
        return round(median(self._offsets), 3) if len(self._offsets) >= ENOUGH else None

    def sample(self, line: bytes, at: float) -> None:
        """Take ``line``, an encoded record that was written at ``at``, as a sample. Skips records that are no
        chat messages, that arrived long after they were sent, or that were sampled before."""
        if at == self._latest:
            return
        self._latest = at
        match = _TIMESTAMP.match(line)
        # Records of basic detail have no type; all of them are messages. In a text the quotes of such a
        # pair would be escaped.
        if match is None or (b'"type":"' in line and b'"type":"message"' not in line):
            return
        if b'"backfilled":true' in line:
            return
        try:
            sent = datetime.fromisoformat(match[1].decode("ascii")).timestamp()
        except ValueError:
            return
        self._offsets.append(at - sent)
