"""The words by which an archive server says in a log that something is missing, and an import of that log
recognises it (docs/http.md)."""

from __future__ import annotations

#: The beginning of every ``msg-id`` of a notice that an archive server adds.
PREFIX = "chatlog-"
#: The ``msg-id`` of a gap, of files that could not be read, and of an answer that ends early.
GAP, UNREAD, PARTIAL = f"{PREFIX}gap", f"{PREFIX}unread", f"{PREFIX}partial"
#: The parts of a 404 that say that there may be records nevertheless.
NOT_ALL_READ = "not everything could be read"
NOT_ALL_SEARCHED = "as far as was looked"
