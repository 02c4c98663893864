"""Records as rows of CSV (RFC 4180). A spreadsheet may mistake a text for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from chatlog.archive.matching import badges_of

HEADER = (
    "timestamp",
    "platform",
    "channel",
    "type",
    "username",
    "user_id",
    "display_name",
    "badges",
    "message",
    "moderation",
    "id",
    "received",
)
#: Excel, LibreOffice and Google treat a cell that begins with one of these as a formula. (OWASP, CSV
#: injection)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def header() -> str:
    """The first line with its newline."""
    return _row(HEADER)


def row(record: Mapping[str, Any], hit: str = "") -> str:
    """A record's row with its newline; ``hit``: what moderators did to it. A text that looks like a formula
    gets an apostrophe in front."""
    details = record.get("details") or {}
    sender = details.get("sender")
    name = details.get("display-name") or (sender.get("username") if isinstance(sender, dict) else "")
    message = record.get("message", "")
    if record.get("type") == "gap":
        by = f" by {details['instance']}" if details.get("instance") else ""
        span = f"from {details.get('from')} to {details.get('to')}"
        message = f"not recorded{by} {span}: {details.get('reason')}"
    cells = {
        **{key: record.get(key, "") for key in HEADER},
        "platform": record.get("platform", ""),
        "type": record.get("type", "message"),
        "display_name": name or "",
        "badges": ",".join(badges_of(dict(record))),
        "message": message,
        "moderation": hit,
    }
    return _row([_safe(str(cells[key])) for key in HEADER])


def _safe(cell: str) -> str:
    cell = cell.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(cells: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
