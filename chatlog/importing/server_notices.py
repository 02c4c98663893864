"""Notices that a Chatlog server adds to its answers (docs/http.md). They are no chat: a gap becomes a gap
record, and the others say that the answer is not complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlog.archive.notices import GAP, NOT_ALL_READ, NOT_ALL_SEARCHED, PREFIX
from chatlog.importing.items import Item, LineError, Maker
from chatlog.verify.record_check import is_timestamp

#: The most characters of a server's sentence that are shown.
_LONGEST = 300


class Incomplete(Exception):
    """The server says that its answer is not complete; the message is its sentence."""


def check_empty_answer(answer: str) -> None:
    """Raises Incomplete if a server that found nothing says that it could not look everywhere."""
    if any(words in answer for words in (NOT_ALL_READ, NOT_ALL_SEARCHED)):
        raise Incomplete(answer[:_LONGEST])


def is_notice(tags: Mapping[str, Any], username: str) -> bool:
    """Whether the line with these tags or details is such a notice. A notice has no author."""
    return not username and str(tags.get("msg-id", "")).startswith(PREFIX)


def item_of(
    maker: Maker, platform: str, channel: str, tags: Mapping[str, Any], text: str, where: str
) -> Item:
    """The gap record for a notice of a gap. Raises Incomplete for any other notice, and LineError."""
    if tags["msg-id"] != GAP:
        raise Incomplete(text[:_LONGEST])
    since, until = str(tags.get("gap-from", "")), str(tags.get("gap-to", ""))
    if not (is_timestamp(since) and is_timestamp(until) and since <= until):
        raise LineError("a notice of a gap without its times")
    record = {
        "timestamp": until,
        "channel": channel,
        "username": "",
        "user_id": "",
        "message": "",
        "type": "gap",
        "id": "",
        "platform": platform,
        "channel_id": "",
        "details": {
            "from": since,
            "to": until,
            "reason": str(tags.get("gap-reason", "")),
            "backfilled": 0,
        },
    }
    return maker.item(record, where)
