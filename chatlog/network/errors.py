"""Texts for failed connections."""

from __future__ import annotations

import errno

from twisted.internet import error

from chatlog.printable import printable

#: Texts for system errors that Twisted gives only by number.
_BY_NUMBER = {
    errno.ENETUNREACH: "this machine has no route to it",
    errno.EHOSTUNREACH: "this machine has no route to it",
    errno.EADDRNOTAVAIL: "this machine has no address of that family",
    errno.EAFNOSUPPORT: "this machine has no addresses of that family",
    errno.EACCES: "this machine does not allow it",
    errno.EPERM: "this machine does not allow it",
    errno.EMFILE: "this process has no file descriptor left",
    errno.ENFILE: "this machine has no file descriptor left",
}


class CannotConnect(error.ConnectError):
    """No connection could be made. The text says why, in one sentence without a full stop."""

    def __init__(self, why: str) -> None:
        super().__init__(string=why)
        self.why = why

    def __str__(self) -> str:
        return self.why


def words(reason: BaseException | None) -> str:
    """Why one attempt to connect failed."""
    if isinstance(reason, CannotConnect):
        return reason.why
    if isinstance(reason, error.ConnectionRefusedError):
        return "connection refused"
    if isinstance(reason, (error.TimeoutError, error.TCPTimedOutError)):
        return "no answer"
    if isinstance(reason, error.DNSLookupError):
        return f"the name has no address [{printable(str(reason), 200)}]"
    number = getattr(reason, "osError", None) or getattr(reason, "errno", None)
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    return f"it failed [{printable(str(reason), 200) or type(reason).__name__}]"
