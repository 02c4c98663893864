"""How soon a client reconnects after a connection has ended."""

from __future__ import annotations

import enum


class Closing(enum.Enum):
    """How soon to connect again."""

    #: Not soon: the server refuses the login, the key or the address.
    REFUSED = "refused"
    #: After a growing delay of at least a second: the server is full.
    LATER = "later"
    #: After a growing delay.
    BACK_OFF = "back off"
    #: At once: the server asked for it.
    AT_ONCE = "at once"
