"""What the way a connection ended asks of the client."""

from __future__ import annotations

import enum


class Closing(enum.Enum):
    """How soon to connect again."""

    #: Not soon: the server does not take the login, the key or the address as they are.
    REFUSED = "refused"
    #: After a growing delay of at least a second: the server is full.
    LATER = "later"
    #: After a growing delay.
    BACK_OFF = "back off"
    #: At once: the server has asked for it.
    AT_ONCE = "at once"
