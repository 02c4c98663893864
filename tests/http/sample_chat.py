"""Sample records of chat, and hostile ones that try to attack a browser."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

#: Texts that are markup, script or worse, wherever somebody puts them in without care. Were any of them
#: to run, the title of the document would change.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "javascript:document.title='owned'//",
    "\"><svg onload=document.title='owned'>",
    "'-document.title='owned'-'",
    "{{constructor.constructor('document.title=1')()}}",
    "</textarea></title><iframe srcdoc='<script>parent.document.title=1</script>'>",
    "\u202eevil\u202c \u2066left\u2069 \u200b\u200f",
    "Z\u0351\u036b\u0343\u036a\u0302" * 20,
    "\ufdfd" * 30,
    "a" * 1900,
    "line\u2028separator\u2029 and \x00\x01\x1b[31m control",
    "data: fake\n\nevent: skipped\ndata: 99\n\n",
)
#: A value that a page's script cannot make a text of.
UNPRINTABLE = {"toString": 1, "valueOf": 1}
_PLAIN = (
    "that was close",
    "LUL",
    "what a save!",
    "hello from Porto 👋",
    "KEKW KEKW KEKW",
    "gg",
    "first time here, hi",
    "can somebody say what the score is? I came in late and have no idea what is going on",
    "これは面白い",
    "Ça va être serré",
    "o7",
    "the music is so good today",
    "lag?",
    "no lag here",
    "POGGERS",
    "he did it again, the same corner, the same car, every single time",
    "🔥🔥🔥",
    "+1",
    "true",
    "[emote:37226:KEKW]",
    "the clip: https://clips.example.com/TameKnottyOwl?from=chat (thanks!)",
    "is https://\u0440\u0430\u0443\u0440\u0430l.example real?",
)
#: Where the emotes of some texts are, as Twitch says it.
_EMOTES = {
    "LUL": "425618:0-2",
    "KEKW KEKW KEKW": "emotesv2_5fb6:0-3,5-8,10-13",
    "hello from Porto 👋": "",
    "POGGERS": "80481_/3:0-6",
}
_NAMES = (
    "Mossy_Lantern",
    "kite_runner7",
    "Sablefin",
    "ottersday",
    "NorthByNora",
    "plumtree",
    "Quilla",
    "zeke_of_oz",
    "日向ぼっこ",
    "TinRobin",
    "halfpastnine",
    "Umbra",
)
_COLOURS = ("#1E90FF", "#FF4500", "#2E8B57", "#B22222", "#8A2BE2", "#DAA520", "", "#000033", "#FFFF66")
_BADGES = (
    "",
    "",
    "subscriber/6",
    "moderator/1,subscriber/24",
    "vip/1",
    "broadcaster/1,premium/1",
    "bits/1000",
    "subscriber/3",
)


def sample_records(rng: random.Random, hostile: bool = False) -> Iterator[dict[str, Any]]:
    """Records without end, each without its time and channel."""
    last: dict[str, Any] = {}
    for number in itertools.count():
        name = rng.choice(_NAMES)
        text = rng.choice(_PLAIN)
        details: dict[str, Any] = {
            "command": "PRIVMSG",
            "display-name": name,
            "color": rng.choice(_COLOURS),
            "badges": rng.choice(_BADGES),
            "badge-info": "subscriber/27",
            "emotes": _EMOTES.get(text, ""),
        }
        if hostile and number % 2:
            text = HOSTILE[(number // 2) % len(HOSTILE)]
            details["display-name"] = name = HOSTILE[(number // 2 + 3) % len(HOSTILE)]
            details["color"] = "red;background:url(//example.invalid)"
            details["badges"] = f"{HOSTILE[1]}/1,{HOSTILE[0]}/2"
            details["reply-parent-msg-body"] = HOSTILE[1]
            details["reply-parent-display-name"] = HOSTILE[0]
        if hostile and number % 4 == 2:
            details["color"] = details["badges"] = UNPRINTABLE
            details["metadata"] = {"original_sender": {"username": UNPRINTABLE}}
        record = {
            "username": name.lower(),
            "user_id": str(1000 + sum(map(ord, name)) % 900),
            "message": text,
            "type": "action" if rng.random() < 0.03 else "message",
            "id": f"{number:08x}",
            "details": details,
        }
        kind = rng.random()
        if kind > 0.9:
            record = _event(kind, record, last, hostile)
        else:
            last = record
        yield record


def _event(kind: float, record: dict[str, Any], last: dict[str, Any], hostile: bool) -> dict[str, Any]:
    words = HOSTILE[0] if hostile else ""
    who = record["details"]["display-name"]
    if kind > 0.985 and last:
        return {**last, "type": "delete", "id": "", "details": {"target-msg-id": last["id"]}}
    if kind > 0.97 and last:
        return {**last, "type": "timeout", "message": "", "id": "", "details": {"ban-duration": "600"}}
    if kind > 0.955:
        words = words or f"{who} subscribed at Tier 1. 7 months in a row!"
        details = {**record["details"], "system-msg": words}
        return {**record, "type": "subscription", "details": details}
    if kind > 0.945:
        details = {"number_viewers": UNPRINTABLE} if hostile else {"system-msg": f"213 raiders from {who}"}
        return {**record, "type": "raid", "message": "", "details": details}
    if kind > 0.935:
        return {**record, "type": "announcement", "message": words or "Two more rounds, then we cook."}
    if kind > 0.93:
        details = {"from": "2026-01-01T10:20:00.000Z", "to": "2026-01-01T10:20:42.000Z"}
        details["reason"] = words or "connection lost"
        return {**record, "type": "gap", "message": "", "details": details}
    if kind > 0.925:
        return {**record, "type": "room", "message": "", "details": {"emote-only": "1", "slow": "0"}}
    reply = {"reply-parent-display-name": "Quilla", "reply-parent-msg-body": "who won the last one?"}
    return {**record, "details": {**reply, **record["details"]}}
