"""``python -m tests.clients.rustlog_api FILE ROOM ID USER USER_ID``: rustlog's routes as an OpenAPI document.

Schemathesis walks them. The facts are those of https://github.com/boring-nick/rustlog (``src/web``).
"""

from __future__ import annotations

import json
import sys
from typing import Any

_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_MESSAGE = {
    "type": "object",
    "required": ["text", "displayName", "timestamp", "id", "tags"],
    "properties": {
        "text": {"type": "string"},
        "displayName": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "id": {"type": "string"},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "username": {"type": "string"},
        "channel": {"type": "string"},
        "raw": {"type": "string"},
        "type": {"type": "integer"},
    },
}


def _objects(key: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [key], "properties": {key: {"type": "array", "items": item}}}


def _strings(*names: str, required: int = 0) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "required": list(names[:required]), "properties": properties}


_LOG = {**_TEXT, "application/json": {"schema": _objects("messages", _MESSAGE)}, "application/x-ndjson": {}}


def _is_one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def document(room: str, room_id: str, user: str, user_id: str) -> dict[str, Any]:
    """The document, with names that are there and others."""
    path = {
        "channel": _is_one_of(room, "not_recorded"),
        "channel_id": _is_one_of(room_id, "1"),
        "user": _is_one_of(user, "nobody"),
        "user_id": _is_one_of(user_id, "2"),
        "year": {"type": "integer", "minimum": 1, "maximum": 9999},
        "month": {"type": "integer", "minimum": 0, "maximum": 13},
        "day": {"type": "integer", "minimum": 0, "maximum": 32},
    }
    forms = {name: {"type": "string"} for name in ("json", "jsonBasic", "raw", "ndjson", "reverse")}
    numbers = {name: {"type": "integer", "minimum": 0, "maximum": 10_000} for name in ("limit", "offset")}
    range_ = {name: {"type": "string", "format": "date-time"} for name in ("from", "to")}
    paths: dict[str, Any] = {}

    def add(route: str, content: dict[str, Any], query: dict[str, Any], *more: int) -> None:
        given = [name for name in path if f"{{{name}}}" in route]
        parameters = [{"name": n, "in": "path", "required": True, "schema": path[n]} for n in given]
        parameters += [{"name": n, "in": "query", "schema": schema} for n, schema in query.items()]
        answers: dict[str, Any] = {"200": {"description": "found", "content": content}}
        for status in (400, 404, *more):
            answers[str(status)] = {"description": "an error in a line", "content": _TEXT}
        answers["default"] = {"description": "a redirect"}
        paths[route] = {"get": {"parameters": parameters, "responses": answers}}

    channels = _objects("channels", _strings("name", "userID", required=2))
    days = _objects("availableLogs", _strings("year", "month", "day", required=2))
    add("/channels", {"application/json": {"schema": channels}}, {})
    who = {"channel": path["channel"], "user": path["user"]}
    add("/list", {"application/json": {"schema": days}}, who)
    for c in ("channel/{channel}", "channelid/{channel_id}"):
        for u in ("", "/user/{user}", "/userid/{user_id}"):
            above = f"/{c}{u}"
            dated = "/{year}/{month}" if u else "/{year}/{month}/{day}"
            add(f"{above}{dated}", _LOG, {**forms, **numbers})
            add(above, _LOG, {**forms, **range_})
            add(f"{above}/random", _LOG, forms)
            add(f"{above}/stats", {"application/json": {"schema": {"type": "object"}}}, range_)
            if u:
                add(f"{above}/search", _LOG, {**forms, **numbers, "q": {"type": "string", "minLength": 1}})
    return {"openapi": "3.1.0", "info": {"title": "rustlog", "version": "1"}, "paths": paths}


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(document(*sys.argv[2:6]), file)
