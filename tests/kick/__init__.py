"""Frames of the form that Kick's Pusher server sends, with made-up people and ids."""

from __future__ import annotations

import json
from typing import Any

CHATROOM = "7070701"
CHANNEL = f"chatrooms.{CHATROOM}.v2"


def frame(name: str, payload: Any, channel: str | None = CHANNEL) -> bytes:
    """A frame with ``payload`` as JSON inside a string, as PHP writes it."""
    return plain(name, json.dumps(payload, separators=(",", ":")).replace("/", "\\/"), channel)


def plain(name: str, data: Any, channel: str | None = CHANNEL) -> bytes:
    """A frame with ``data`` as it is."""
    outer = {"event": name, "data": data}
    if channel is not None:
        outer["channel"] = channel
    return json.dumps(outer, separators=(",", ":"), ensure_ascii=False).encode()


def sender(name: str = "Night_Owl", slug: str | None = "night-owl", id_: Any = 5150) -> dict[str, Any]:
    """Somebody who chats."""
    person: dict[str, Any] = {"id": id_, "username": name}
    if slug is not None:
        person["slug"] = slug
    person["identity"] = {
        "color": "#75FD46",
        "badges": [{"type": "subscriber", "text": "Subscriber", "count": 4, "sort_order": 9}],
        "badges_v2": [
            {
                "name": "level",
                "badge_type": "global",
                "image_url": "https://cdn.example.net/badges/12_0000.png",
                "metadata": {"level": 12},
                "selected": True,
                "sort_order": 1,
            }
        ],
    }
    return person


def chat(**changes: Any) -> dict[str, Any]:
    """The payload of a chat message."""
    payload = {
        "id": "0b5f3a52-1111-4222-8333-444455556666",
        "chatroom_id": int(CHATROOM),
        "content": "good evening [emote:12345:exampleWave]",
        "type": "message",
        "created_at": "2026-02-03T04:05:06+00:00",
        "sender": sender(),
        "metadata": {"message_ref": "1770091506123"},
    }
    return payload | changes


def lookup_answer(chatroom_id: Any = 7001, channel_id: Any = 7000, **more: Any) -> bytes:
    """What the site says about a channel."""
    chatroom = {"id": chatroom_id, "channel_id": channel_id, "chat_mode": "public"}
    return json.dumps({"id": channel_id, "user_id": 5, "chatroom": chatroom} | more).encode()
