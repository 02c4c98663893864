"""Reads filters, the order and switches from a query."""

from __future__ import annotations

from chatlog.archive.matching import Filter
from chatlog.archive_http.asked import Asked, Refused


def asked_filter(asked: Asked) -> Filter:
    """``q`` (with ``regex`` a pattern), ``user``, ``type``, ``badge``, ``without``, ``id``."""
    query = asked.query
    text, regex = query.get("q", ""), is_on(asked, "regex")
    return Filter(
        text="" if regex else text,
        regex=text if regex else "",
        users=tuple(user.lower().lstrip("@") for user in _listed(query.get("user", ""))),
        types=tuple(_listed(query.get("type", ""))),
        badge=query.get("badge", ""),
        without=query.get("without", ""),
        ids=tuple(_listed(query.get("id", ""))),
    )


def is_on(asked: Asked, name: str) -> bool:
    """Whether a switch was given and is not off."""
    return asked.query.get(name, "0") not in ("0", "false", "")


def is_newest(asked: Asked) -> bool:
    """Whether the newest records come first, which is the default. Raises Refused."""
    order = asked.query.get("order", "newest")
    if order not in ("newest", "oldest"):
        raise Refused(400, "bad_query", "order is newest or oldest")
    return order == "newest"


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()][:100]
