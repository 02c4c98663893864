"""The archive server's own API described for programs, as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from chatlog import __version__

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_NUMBER: dict[str, Any] = {"type": "number"}
_TIME: dict[str, Any] = {"type": "string", "description": "2025-12-29T10:30:45.123Z"}
_MAYBE_TIME: dict[str, Any] = {"type": ["string", "null"]}
_PLATFORMS = {"type": "string", "pattern": "^[a-z]+$", "description": "such as twitch and kick"}
_RECORD = {"type": "object", "description": "a record as it is in the archive"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_ERROR = _object(error=_object(code=_TEXT, message=_TEXT))
_ROOM = _object(platform=_PLATFORMS, name=_TEXT, id=_TEXT)
_GAP = {
    "type": "object",
    "required": ["from", "to", "seconds", "reason", "backfilled"],
    "properties": {
        "from": _TIME,
        "to": _TIME,
        "seconds": _NUMBER,
        "reason": _TEXT,
        "backfilled": {"type": "integer"},
        "room": _TEXT,
    },
}
_MAYBE_NUMBER = {"type": ["number", "null"]}
#: The figures of a day; null if they are not known.
_DAY = _object(
    day=_TEXT,
    records={"type": ["integer", "null"], "minimum": 0},
    recorded=_MAYBE_NUMBER,
    missing=_MAYBE_NUMBER,
    coverage=_MAYBE_NUMBER,
    reasons=_list(_TEXT),
    finished={"type": "boolean"},
)
_FILES = _list(_object(name=_TEXT, why=_TEXT, text=_TEXT))
_STATE = {"enum": ["complete", "unfinished", "before", "expired", "gap", "partial", "opted_out"]}
_TIMELINE = _object(
    platform=_PLATFORMS,
    name=_TEXT,
    **{"from": _TIME, "to": _TIME},
    step=_COUNT,
    total=_COUNT,
    counts=_list(_COUNT),
    seconds={"type": "object", "additionalProperties": _list(_COUNT)},
    state=_STATE,
    kept=_MAYBE_TIME,
    days=_object(first=_MAYBE_TIME, last=_MAYBE_TIME),
    ended=_MAYBE_TIME,
    gaps=_list(_GAP),
    unread=_FILES,
    partial=_MAYBE_TIME,
)
#: The records and the coverage of a day; null if they are not known.
_FIGURES = {"type": ["array", "null"], "items": {"type": ["number", "null"]}}
_MESSAGES = _object(
    platform=_PLATFORMS,
    name=_TEXT,
    state=_STATE,
    older=_MAYBE_TIME,
    newer=_MAYBE_TIME,
    gaps=_list(_GAP),
    unread=_COUNT,
    partial=_MAYBE_TIME,
    records=_list(_RECORD),
)
_PERSON = {
    "type": "object",
    "required": ["who", "names", "ids", "rooms", "from", "to", "partial"],
    "properties": {
        "who": _TEXT,
        "names": _list(_object(name=_TEXT, first=_TIME, last=_TIME)),
        "ids": _list(_object(id=_TEXT, first=_TIME, last=_TIME)),
        "rooms": _list({"type": "object"}),
        "from": _TIME,
        "to": _TIME,
        "partial": _MAYBE_TIME,
    },
}


def _answer(description: str, schema: dict[str, Any], type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {type: {"schema": schema}}}


def _query(name: str, description: str, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _get(summary: str, schema: dict[str, Any], *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    errors = {
        str(status): _answer("see error.message", _ERROR) for status in (400, 401, 403, 404, 421, 429, 503)
    }
    responses = {"200": _answer(summary, schema), **errors, **more}
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}


_IN_PATH = (
    {"name": "platform", "in": "path", "required": True, "schema": _PLATFORMS},
    {"name": "name", "in": "path", "required": True, "schema": {**_TEXT, "pattern": "^[a-z0-9_-]{1,64}$"}},
)
_WHO = {"name": "who", "in": "path", "required": True, "schema": {**_TEXT, "pattern": "^[^/]+$"}}
_RANGE = (
    _query("from", "RFC 3339 or Unix seconds"),
    _query("to", "the same; not in the range itself"),
)
_FILTER = (
    _query("q", "part of the text, whatever its case"),
    _query("regex", "1: q is a pattern in RE2's syntax"),
    _query("user", "names, or id:1234; several with commas"),
    _query("type", "kinds of records, with commas"),
    _query("badge", "of the author: moderator, subscriber/12"),
    _query("without", "a badge that they do not have"),
    _query("id", "ids of records, with commas"),
)
_ORDER = _query("order", "where to begin; newest without it", {"enum": ["newest", "oldest"]})
_LIMIT = _query("limit", "100 without it", {"type": "integer", "minimum": 1, "maximum": 1000})
_ROOMS = _query("room", "twitch/x, with commas; all rooms without it")
_PLATFORM = _query("platform", "only its rooms")
_ROOM_PATH, _OWN = "/api/v1/archive/rooms/{platform}/{name}", "/api/v1/archive"
_LINES = _answer(
    "a line for each record, for how far it has come, and for the end", _TEXT, "application/x-ndjson"
)

_EXPORT = (
    _query("format", "jsonl without it", {"enum": ["jsonl", "irc", "text", "csv", "chatjson"]}),
    _query(
        "deleted", "messages that moderators removed; keep without it", {"enum": ["keep", "drop", "mark"]}
    ),
    _query("start", "chatjson: when the video begins; from without it"),
    _query("offset", "chatjson: the chat is so many seconds later"),
)
_FILE = {"description": "the file", "content": {"*/*": {"schema": _TEXT}}}

_PATHS: dict[str, Any] = {
    f"{_OWN}/rooms": _get(
        "the rooms of the archive",
        _object(matching=_COUNT, rooms=_list(_ROOM)),
        _query("q", "part of the name"),
        _PLATFORM,
        _query("offset", "0 without it", _COUNT),
        _query("limit", "1000 without it", {"type": "integer", "minimum": 1, "maximum": 1000}),
    ),
    f"{_OWN}/overview": _get(
        "the rooms with records and coverage of the latest days, by the manifests",
        _object(
            matching=_COUNT,
            days=_list(_TEXT),
            rooms=_list(_object(platform=_PLATFORMS, name=_TEXT, days=_list(_FIGURES))),
        ),
        _query("q", "part of the name"),
        _query("days", "7 without it", {"type": "integer", "minimum": 0, "maximum": 31}),
        _query("offset", "0 without it", _COUNT),
        _query("limit", "1000 without it", {"type": "integer", "minimum": 1, "maximum": 1000}),
    ),
    f"{_ROOM_PATH}/days": _get(
        "the days of a month of a room, by the manifests",
        _object(
            platform=_PLATFORMS,
            name=_TEXT,
            id=_TEXT,
            first=_MAYBE_TIME,
            last=_MAYBE_TIME,
            ended=_MAYBE_TIME,
            months=_list(_TEXT),
            kept=_MAYBE_TIME,
            month=_TEXT,
            days=_list(_DAY),
        ),
        *_IN_PATH,
        _query("month", "2025-12; the latest without it"),
    ),
    f"{_ROOM_PATH}/messages": _get(
        "records of a room, a page at a time",
        _MESSAGES,
        *_IN_PATH,
        _query(
            "cursor",
            "older (with order=newest) or newer (with oldest) of an answer",
        ),
        *_RANGE,
        *_FILTER,
        _ORDER,
        _LIMIT,
        _query("marks", "1: also what moderators did to each, in marks, by its place in records"),
    ),
    f"{_ROOM_PATH}/timeline": _get(
        "how many records there are in each step of a time, busy ones by second, and what is missing",
        _TIMELINE,
        *_IN_PATH,
        *_RANGE,
        *_FILTER,
        _query("step", "seconds; 60 without it", {"type": "integer", "minimum": 1, "maximum": 86400}),
    ),
    f"{_ROOM_PATH}/export": {
        "get": {
            **_get("a file of a room and a time", _TEXT, *_IN_PATH, *_RANGE, *_FILTER, *_EXPORT)["get"],
            "responses": {**_get("", _TEXT)["get"]["responses"], "200": _FILE},
        }
    },
    f"{_OWN}/search": {
        "get": {
            **_get("search rooms", _TEXT, _ROOMS, _PLATFORM, *_FILTER, *_RANGE, _ORDER, _LIMIT)["get"],
            "responses": {
                **_get("", _TEXT)["get"]["responses"],
                "200": _LINES,
            },
        }
    },
    f"{_OWN}/users/{{platform}}/{{who}}": _get(
        "a person: rooms, names, days, moderation; of the last 90 days without a range",
        _PERSON,
        _IN_PATH[0],
        _WHO,
        _ROOMS,
        *_RANGE,
    ),
    f"{_OWN}/openapi.json": _get("this description", {"type": "object"}),
    "/healthz": _get("whether the server runs", _object(ok={"type": "boolean"})),
}


_OPTOUT = _object(platform=_PLATFORMS, room={"type": ["string", "null"]}, person=_TEXT)
_WHO_IS_ON_IT = _get(
    "how many people opted out, and of what; not who they are (needs the token)",
    _object(people=_COUNT, matching=_COUNT, trouble=_TEXT, optouts=_list(_OPTOUT)),
    _query("offset", "0 without it", _COUNT),
    _query("limit", "1000 without it", {"type": "integer", "minimum": 1, "maximum": 1000}),
)["get"]


def _change(summary: str, schema: dict[str, Any], statuses: tuple[int, ...], **more: Any) -> dict[str, Any]:
    refused = (400, 401, 403, 404, 409, 413, 421, 429, 503, 507)
    answers = {str(status): _answer("see error.message", _ERROR) for status in refused}
    answers |= {str(status): _answer(summary, schema) for status in statuses}
    return {"summary": f"{summary} (needs the token)", "responses": answers, **more}


_ADDING = _change(
    "nothing of a person is recorded or shown any more",
    _object(who=_TEXT, names=_list(_TEXT), room={"type": ["string", "null"]}, added={"type": "boolean"}),
    (200, 201),
    requestBody={
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["who"],
                    "properties": {
                        "who": {"type": "string", "description": "twitch/NAME or twitch/id:1234"},
                        "room": {"type": ["string", "null"], "description": "twitch/x; all without it"},
                    },
                }
            }
        },
    },
)
_REMOVING = _change(
    "a person is recorded and shown again",
    _object(who=_TEXT, room={"type": ["string", "null"]}, removed=_COUNT),
    (200,),
    parameters=[_IN_PATH[0], _WHO, _query("room", "only of this room's list: twitch/x")],
)
_PATHS |= {
    f"{_OWN}/optouts": {"get": _WHO_IS_ON_IT, "post": _ADDING},
    f"{_OWN}/optouts/{{platform}}/{{who}}": {"delete": _REMOVING},
}


def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chatlog's archive",
            "version": __version__,
            "description": "What was recorded, read back.",
        },
        "paths": _PATHS,
    }
