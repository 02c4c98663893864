"""The texts of messages: a pool, with the form of each platform prepared."""

from __future__ import annotations

import random
from dataclasses import dataclass

import orjson

from chatlog.simulator.people import inner, tag

_WORDS_TEXT = """
gg nice wow no way what a play lol that was so close how did he do it again clip go left right chat he is
right behind you the boss is easy just dodge hello everyone first time here love this game song name anyone
know the setup keyboard what rank is this run pb pace reset sadge again hype lets go one more game please
stay hydrated good night from work thanks for the stream see you tomorrow same time"""
_WORDS = _WORDS_TEXT.split()
#: Word, id on Twitch, id on Kick.
_EMOTES = (
    ("Kappa", "25", 37221),
    ("LUL", "425618", 37226),
    ("otterWave", "emotesv2_0c1f5a8e7b3d4f2a9e6d1b7c8a5f4e3d", 391402),
    ("lanternHype", "301876543", 391407),
    ("lanternHype_TK", "301876543_TK", 391408),
    ("noodleStare/3", "80977_/3", 391411),
)
#: How often they are used, in proportion: an id with a slash is rare.
_WEIGHTS = (20, 20, 20, 20, 10, 1)
_PHRASES = (
    "안녕하세요 여러분",
    "방송 재밌어요 ㅋㅋㅋㅋㅋ",
    "こんばんは、今日もよろしく",
    "草草草草",
    "今天的直播真不错",
    "Привет всем, как дела?",
    "ну это было сильно",
    "مرحبا بالجميع كيف الحال",
    "שלום לכולם",
    "सबको नमस्ते",
    "สวัสดีครับ",
    "¿Qué pasó? ¡Vamos, ñandú!",
    "Größe ändert nichts, schöne Grüße",
    "nådde du fram till slut",
    "👨‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇫🇮",
    "🔥🔥🔥 GO GO GO 🔥🔥🔥",
    "e\u0301 is not \u00e9",
    "Z̸̢̛a̴l̷g̶o̵ text",
    "same again \U000e0000",
    "same again \u034f",
    "tail \U000e0021",
    "line\u2028separator and\u0085next line",
    "vertical\x0btab and\x1cfile separator and\ttab",
    'he said "hi" and left \\o/ C:\\new\\table',
    '{"json": true, "text": "%s {user}"}',
    "; drop table students; -- a=b;c=d",
    ":starts with a colon",
    "two  spaces   and one behind ",
    "https://example.net/clip?v=abc&t=1#x <b>bold</b> &amp;",
    "!rank",
    "?",
    "@everyone #hashtag $100 50%",
    "\x02bold\x0f \x7f",
    "W" * 120,
)
_BRAILLE = "⠄⣿⣾⡿⠛⠋⢸⡇⠈⣀⣤⣶⡆⢀"


@dataclass(slots=True)
class Text:
    """One text. ``raw``, ``emotes`` and ``tagged`` (as a tag's value) are for Twitch, ``content`` (escaped
    twice) for Kick; ``json`` and ``kick_json`` are the correct ``message`` of a record."""

    raw: bytes
    emotes: bytes
    tagged: bytes
    json: bytes
    content: bytes
    kick_json: bytes
    kick: str


def make_texts(seed: str, count: int = 2000) -> list[Text]:
    """``count`` texts, the same ones for the same ``seed``; about one in 150 is near the longest
    that Twitch accepts."""
    rng = random.Random(f"texts {seed}")
    texts = [_text(phrase) for phrase in _PHRASES]
    while len(texts) < count:
        chance = rng.random()
        if chance < 0.007:
            texts.append(_text(_braille(rng)))
        elif chance < 0.1:
            texts.append(_text(rng.choice(_PHRASES) + " " + _sentence(rng, 3)))
        else:
            texts.append(_text(_sentence(rng, rng.choice((1, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20)))))
    return texts


def plain_text(words: str) -> Text:
    """The forms of a given text."""
    return _text(words)


def _sentence(rng: random.Random, length: int) -> str:
    words = []
    for _ in range(length):
        chance = rng.random()
        if chance < 0.1:
            words.append(rng.choices(_EMOTES, _WEIGHTS)[0][0])
        elif chance < 0.13:
            words.append(rng.choice(("😂", "💀", "❤️", "👏", "🥺")))
        else:
            word = rng.choice(_WORDS)
            words.append(word.upper() if chance > 0.93 else word)
    return " ".join(words)


def _braille(rng: random.Random) -> str:
    """A picture of 15 rows of braille, close to Twitch's 500 characters, 1500 bytes and more."""
    return " ".join("".join(rng.choices(_BRAILLE, k=30)) for _ in range(16))


def _text(text: str) -> Text:
    places: dict[str, list[str]] = {}
    kick_words = []
    position = 0
    for word in text.split(" "):
        kick_words.append(word)
        for name, twitch_id, kick_id in _EMOTES:
            if word == name:
                # Positions count code points; both ends are included.
                places.setdefault(twitch_id, []).append(f"{position}-{position + len(word) - 1}")
                kick_words[-1] = f"[emote:{kick_id}:{name}]"
        position += len(word) + 1
    kick = " ".join(kick_words)
    kick_json: bytes = orjson.dumps(kick)
    return Text(
        raw=text.encode(),
        emotes="/".join(f"{emote}:{','.join(found)}" for emote, found in places.items()).encode(),
        tagged=tag(text),
        json=orjson.dumps(text),
        content=inner(kick_json[1:-1]),
        kick_json=kick_json,
        kick=kick,
    )
