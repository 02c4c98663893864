"""The description of the API as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from chatlog import __version__
from chatlog.http.api import PAGE, SORTS
from chatlog.status.condition import CODES, SEVERITIES
from chatlog.status.room_problems import KINDS, UNWRITTEN
from chatlog.status.room_stats import STATES

_NAME_OF_PLATFORM = {"type": "string", "pattern": "^[a-z]+$", "description": "such as twitch and kick"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_NUMBER: dict[str, Any] = {"type": "number"}
_TEXT: dict[str, Any] = {"type": "string"}
_VERDICT = {
    "type": "object",
    "required": ["ok", "failing"],
    "properties": {
        "ok": {"type": "boolean"},
        "failing": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["part", "reason"],
                "properties": {name: {"type": "string"} for name in ("part", "reason", "code")},
            },
        },
    },
}
_SEVERITY = {"enum": list(SEVERITIES)}
_CONDITION = {
    "type": "object",
    "required": ["code", "severity", "subject", "since", "text", "remedy", "count", "raw"],
    "properties": {
        "code": {"enum": list(CODES)},
        "severity": _SEVERITY,
        "subject": _TEXT,
        "since": _NUMBER,
        "text": _TEXT,
        "remedy": _TEXT,
        "count": {"type": "integer"},
        "raw": _TEXT,
    },
}
_HEADLINE = {
    "type": "object",
    "required": ["severity", "text"],
    "properties": {"severity": _SEVERITY, "text": _TEXT},
}
_STATUS = {
    "type": "object",
    "required": ["headline", "conditions", "platforms"],
    "properties": {
        "headline": _HEADLINE,
        "conditions": {"type": "array", "items": _CONDITION},
        "platforms": {"type": "array", "items": {"type": "object"}},
    },
}
_ROOM = {
    "type": "object",
    "required": ["platform", "name", "state", "rate", "coverage_today", "gaps_today", "sparkline"],
    "properties": {
        "platform": _NAME_OF_PLATFORM,
        "name": _TEXT,
        "id": _TEXT,
        "state": {"enum": list(STATES)},
        "problem": {"enum": ["", *KINDS, UNWRITTEN]},
        "reason": _TEXT,
        "remedy": _TEXT,
        "raw": _TEXT,
        "acknowledged": {"type": "boolean"},
        "since": _NUMBER,
        "rate": _NUMBER,
        "last": {"type": ["number", "null"]},
        "records_today": {"type": "integer"},
        "gaps_today": {"type": "integer"},
        "coverage_today": _NUMBER,
        "coverage_hour": _NUMBER,
        "elsewhere": {
            "type": "array",
            "items": _TEXT,
            "description": "recorders that have it",
        },
        "sparkline": {"type": "array", "items": _NUMBER},
        "first": {"type": ["number", "null"]},
        "gaps_hour": {
            "type": "array",
            "items": {"type": "array", "prefixItems": [_NUMBER, {"type": ["number", "null"]}], "maxItems": 2},
        },
    },
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(status): _json("see error.message", _ERROR) for status in statuses}


_PLATFORM = {"name": "platform", "in": "path", "required": True, "schema": _NAME_OF_PLATFORM}
_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"},
}
_ID = {"type": ["integer", "null"], "minimum": 1, "maximum": 10**15}
_REFUSED = (401, 403, 413, 421, 507)
_TOKEN: list[dict[str, list[str]]] = [{"token": []}]


def _get(what: str, schema: dict[str, Any], *statuses: int, **more: Any) -> dict[str, Any]:
    return {"summary": what, "responses": {"200": _json(what, schema), **_errors(421, *statuses)}, **more}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_SOMETHING: dict[str, Any] = {"type": "object"}
_LISTING: dict[str, Any] = {
    "type": "object",
    "required": ["total", "matching", "rooms"],
    "properties": {
        "total": {"type": "integer"},
        "matching": {"type": "integer"},
        "rooms": {"type": "array", "items": _ROOM},
    },
}
_NEW_ROOM = {
    "anyOf": [
        {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "platform": {"const": "twitch"},
                "name": {"type": "string", "description": "a login, or the address of a channel"},
            },
        },
        {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "platform": {"const": "kick"},
                "name": {"type": "string", "description": "a slug, or the address of a channel"},
                "chatroom_id": _ID,
                "channel_id": _ID,
            },
        },
    ]
}
_CHANGED: dict[str, Any] = {
    "type": "object",
    "required": ["platform", "name"],
    "properties": {"platform": _TEXT, "name": _TEXT},
}

_NAMES: dict[str, Any] = {"type": "array", "items": _TEXT}
_WHERE: dict[str, Any] = {
    "type": "object",
    "required": ["platform", "name", "slot", "recorded_by", "meant_for"],
    "properties": {
        "platform": _TEXT,
        "name": _TEXT,
        "slot": {"type": "integer"},
        "recorded_by": _NAMES,
        "meant_for": _NAMES,
    },
}
_CLUSTER: dict[str, Any] = {
    "type": "object",
    "required": ["name", "member", "engine", "members", "slots", "short", "unassigned"],
    "properties": {
        "name": _TEXT,
        "member": _TEXT,
        "engine": {"type": "object", "required": ["place", "up", "age"]},
        "members": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "state", "zone", "rooms", "capacity", "age", "url"],
                "properties": {
                    "name": _TEXT,
                    "state": {"enum": ["active", "draining", "unwell", "unknown"]},
                    "zone": _TEXT,
                    "rooms": {"type": "integer"},
                    "capacity": {"type": "integer"},
                    "age": _NUMBER,
                    "url": _TEXT,
                },
            },
        },
        "slots": {"type": "object"},
        "short": {"type": "integer"},
        "unassigned": {"type": "integer"},
    },
}
_DRAINING: dict[str, Any] = {
    "type": "object",
    "required": ["draining"],
    "properties": {"draining": {"type": "boolean"}},
}

_PATHS: dict[str, Any] = {
    "/api/v1/status": {"get": _get("everything but the rooms", _STATUS, 304)},
    "/api/v1/headline": {"get": _get("the state in one sentence", _HEADLINE)},
    "/api/v1/conditions": {
        "get": _get("what is wrong, the worst first", {"type": "array", "items": _CONDITION})
    },
    "/api/v1/rooms": {
        "get": _get(
            "the rooms, a page at a time",
            _LISTING,
            304,
            400,
            parameters=[
                _query("q", _TEXT),
                _query("platform", _TEXT),
                _query("problems", _TEXT),
                _query("sort", {"enum": list(SORTS)}),
                _query("offset", {"type": "integer", "minimum": 0, "maximum": 10**6}),
                _query("limit", {"type": "integer", "minimum": 1, "maximum": PAGE}),
            ],
        ),
        "post": {
            "summary": "record a room from now on",
            "security": _TOKEN,
            "requestBody": {"required": True, "content": {"application/json": {"schema": _NEW_ROOM}}},
            "responses": {
                "200": _json("it was recorded already", _CHANGED),
                "201": _json("it is recorded from now on", _CHANGED),
                **_errors(400, 401, 403, 413, 421, 503, 507),
            },
        },
    },
    "/api/v1/rooms/{platform}/{name}": {
        "get": _get("one room", _ROOM, 400, 404, parameters=[_PLATFORM, _NAME]),
        "delete": {
            "summary": "record a room no longer",
            "security": _TOKEN,
            "parameters": [_PLATFORM, _NAME],
            "responses": {
                "200": _json("it is no longer recorded", _CHANGED),
                **_errors(400, 401, 403, 404, 413, 421, 503, 507),
            },
        },
    },
    "/api/v1/cluster": {"get": _get("the recorders that share their rooms", _CLUSTER, 409)},
    "/api/v1/cluster/rooms/{platform}/{name}": {
        "get": _get("who records a room", _WHERE, 404, 409, parameters=[_PLATFORM, _NAME])
    },
    "/api/v1/drain": {
        method: {
            "summary": what,
            "security": _TOKEN,
            "responses": {"202": _json("it has begun", _DRAINING), **_errors(*_REFUSED, 409)},
        }
        for method, what in (
            ("post", "hand all rooms over to the other recorders of the cluster"),
            ("delete", "take rooms again"),
        )
    },
    "/api/v1/rooms/{platform}/{name}/acknowledge": {
        method: {
            "summary": what,
            "security": _TOKEN,
            "parameters": [_PLATFORM, _NAME],
            "responses": {"200": _json("done", _CHANGED), **_errors(*statuses)},
        }
        for method, what, statuses in (
            ("post", "acknowledge that the room is not recorded", (*_REFUSED, 404, 409)),
            ("delete", "report the room again", (*_REFUSED, 404)),
        )
    },
    "/api/v1/rotate": {
        "post": {
            "summary": "finish all files now, so that they are uploaded",
            "security": _TOKEN,
            "responses": {"202": _json("begun", _SOMETHING), **_errors(401, 403, 413, 421)},
        }
    },
    "/api/v1/rooms/{platform}/{name}/live": {
        "get": {
            "summary": "a room's chat as it is recorded, as server-sent events",
            "description": "Each event is a record. An event `skipped` has the number of records that were "
            "left out because the client was too slow. The stream does not end by itself.",
            "parameters": [_PLATFORM, _NAME],
            "responses": {
                "200": {
                    "description": "the stream",
                    "content": {"text/event-stream": {"schema": _TEXT}},
                },
                **_errors(400, 404, 421, 503),
            },
        }
    },
    "/api/v1/openapi.json": {"get": _get("this description", _SOMETHING, 304)},
    **{
        f"/{name}": {
            "get": {
                "summary": what,
                "responses": {"200": _json("yes", _VERDICT), "503": _json("no", _VERDICT)},
            }
        }
        for name, what in (
            ("healthz", "whether the process can do its work"),
            ("readyz", "whether every room is recorded and stored"),
        )
    },
    "/metrics": {
        "get": {
            "summary": "the same for Prometheus",
            "responses": {"200": {"description": "metrics", "content": {"text/plain": {"schema": _TEXT}}}},
        }
    },
    **{
        f"/api/v1/{part}": {"get": _get(f"{part}, as in status", {"type": ["object", "array"]})}
        for part in ("connections", "uploads", "spool", "platforms", "process", "counters", "alarms")
    },
}


def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chatlog",
            "version": __version__,
            "description": "What the recorder knows of itself.",
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": _PATHS,
    }
