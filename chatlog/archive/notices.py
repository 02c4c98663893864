"""The words for gaps and unread files: those that an archive server writes into a log, so that an import of
that log recognises them (docs/http.md), and those for a file that could not be read."""

from __future__ import annotations

import re

from chatlog.archive.gaps import Unread
from chatlog.printable import printable

#: The beginning of every ``msg-id`` of a notice that an archive server adds.
PREFIX = "chatlog-"
#: The ``msg-id`` of a gap, of files that could not be read, and of an answer that ends early.
GAP, UNREAD, PARTIAL = f"{PREFIX}gap", f"{PREFIX}unread", f"{PREFIX}partial"
#: The parts of a 404 that say that there may be records nevertheless.
NOT_ALL_READ = "not everything could be read"
NOT_ALL_SEARCHED = "as far as was looked"
#: The meaning of a file that could not be read, for the reader of an answer.
_MEANS = "What could be read of it is here, the rest is missing; `chatlog verify` says more"
_LONGEST = 300
_KEY = re.compile(r"(?:[^/]+/)*\d{4}/\d\d/\d\d/[a-z]+/[a-z0-9_-]+/[^/]+\Z", re.ASCII)


def what_is_wrong(unread: Unread, name: str = "") -> str:
    """The file that could not be read, or another ``name`` of it, and what is wrong with it."""
    state = "is damaged" if unread.is_damaged else "cannot be read"
    return f"{printable(name or unread.name)} {state}: {printable(unread.why, _LONGEST)}"


def unread_text(unread: Unread, name: str = "") -> str:
    """The same, with what it means for an answer and what to do."""
    return f"{what_is_wrong(unread, name)}. {_MEANS}"


def public_name(unread: Unread) -> str:
    """The file's key, or its name alone if it is not stored yet: no paths of this machine."""
    return unread.name if _KEY.match(unread.name) else unread.name.rpartition("/")[2]
