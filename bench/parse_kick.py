"""How long a Kick frame takes from its bytes to its encoded record, per stage:
``python -m bench.parse_kick [frames]``. The base of the ratios is writing the same bytes raw."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import uuid
from collections.abc import Callable

from chatlog.counters import Counters
from chatlog.kick.events import EventRecords, chatroom_of, duplicate_key
from chatlog.kick.pusher import parse
from chatlog.record import encode_basic, encode_full

RECEIVED = "2026-01-02T03:04:05.678Z"
WORDS = ("gg", "lol", "what", "a", "play", "no", "way", "that", "was", "so", "good", "ñandú", "🔥", "ok")
SLUG, CHATROOM = "some_channel", 4204200


def frame(name: str, payload: dict[str, object]) -> bytes:
    """A frame as the server sends it: the payload as JSON in a string, slashes escaped."""
    data = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/")
    outer = {"event": f"App\\Events\\{name}", "data": data, "channel": f"chatrooms.{CHATROOM}.v2"}
    return json.dumps(outer, separators=(",", ":"), ensure_ascii=False).encode()


def chat(rng: random.Random) -> bytes:
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 14))]
    if rng.random() < 0.4:
        words.append(f"[emote:{rng.randint(1, 9999999)}:someEmote]")
    name = f"Viewer_{rng.randint(1, 99999)}"
    badges: list[dict[str, object]] = []
    if rng.random() < 0.4:
        months = rng.randint(1, 40)
        badges.append({"type": "subscriber", "text": "Subscriber", "count": months, "sort_order": 9})
    level = rng.randint(1, 60)
    image = f"https://cdn.example.net/chat/badges/{level}_{uuid.UUID(int=rng.getrandbits(128))}.png"
    metadata: dict[str, object] = {"message_ref": str(1790000000000 + rng.randint(0, 9999999))}
    payload: dict[str, object] = {
        "id": str(uuid.UUID(int=rng.getrandbits(128))),
        "chatroom_id": CHATROOM,
        "content": " ".join(words),
        "type": "message",
        "created_at": f"2026-01-02T03:04:{rng.randint(0, 59):02d}+00:00",
        "sender": {
            "id": rng.randint(1, 99999999),
            "username": name,
            "slug": name.lower().replace("_", "-"),
            "identity": {
                "color": f"#{rng.getrandbits(24):06X}",
                "badges": badges,
                "badges_v2": [
                    {
                        "name": "level",
                        "badge_type": "global",
                        "image_url": image,
                        "metadata": {"level": level},
                        "selected": rng.random() < 0.5,
                        "sort_order": 1,
                    }
                ],
            },
        },
        "metadata": metadata,
    }
    if rng.random() < 0.15:
        payload["type"] = "reply"
        metadata["original_sender"] = {"id": rng.randint(1, 99999999), "username": "Somebody"}
        metadata["original_message"] = {
            "id": str(uuid.UUID(int=rng.getrandbits(128))),
            "content": " ".join(rng.choice(WORDS) for _ in range(6)),
        }
    return frame("ChatMessageEvent", payload)


def deleted(rng: random.Random) -> bytes:
    payload: dict[str, object] = {
        "id": str(uuid.UUID(int=rng.getrandbits(128))),
        "message": {"id": str(uuid.UUID(int=rng.getrandbits(128)))},
        "aiModerated": False,
        "violatedRules": [],
    }
    return frame("MessageDeletedEvent", payload)


def frames(count: int, seed: int = 7) -> list[bytes]:
    """``count`` frames of a busy room: nearly all of them chat, some deletions."""
    rng = random.Random(seed)
    return [deleted(rng) if rng.random() < 0.03 else chat(rng) for _ in range(count)]


def per_frame(work: Callable[[list[bytes]], None], batch: list[bytes], rounds: int = 5) -> float:
    """The fastest round's time for one frame, in us."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work(batch)
        best = min(best, time.perf_counter() - start)
    return best / len(batch) * 1e6


def main(count: int = 20000) -> None:
    batch = frames(count)
    full = EventRecords(encode_full, Counters()).line
    basic = EventRecords(encode_basic, Counters()).line
    chatroom_id = str(CHATROOM)

    def raw(batch: list[bytes]) -> None:
        with open(os.devnull, "wb", buffering=0) as file:
            lines: list[bytes] = []
            for data in batch:
                lines.append(data + b"\n")
            file.write(b"".join(lines))

    def parsing(batch: list[bytes]) -> None:
        for data in batch:
            parse(data)

    def recording(batch: list[bytes]) -> None:
        lines: list[bytes] = []
        for data in batch:
            event = parse(data)
            assert event is not None
            chatroom_of(event)
            lines.append(full(event, data, SLUG, chatroom_id, RECEIVED))

    def recording_basic(batch: list[bytes]) -> None:
        for data in batch:
            event = parse(data)
            assert event is not None
            basic(event, data, SLUG, chatroom_id, RECEIVED)

    def keys(batch: list[bytes]) -> None:
        for data in batch:
            event = parse(data)
            assert event is not None
            duplicate_key(event, data)

    size = sum(map(len, batch)) / len(batch)
    base = per_frame(raw, batch)
    print(f"{count} frames of {size:.0f} bytes")
    print(f"written raw                       {base:6.2f} us a frame")
    for name, work in (
        ("parse", parsing),
        ("parse + record, full detail", recording),
        ("parse + record, basic detail", recording_basic),
        ("parse + duplicate key", keys),
    ):
        took = per_frame(work, batch)
        print(f"{name:32}  {took:6.2f} us a frame  {took / base:6.0f} x raw")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
