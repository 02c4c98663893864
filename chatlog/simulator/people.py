"""Invented people who chat: names, colours, badges. The same seed gives the same people."""

from __future__ import annotations

import random
from dataclasses import dataclass

import orjson

_FIRST_TEXT = """
amber brisk cedar dusty ember frosty gentle hollow ivory jolly kindly lunar misty noble odd plaid quiet rusty
silver tidy umber velvet windy young zesty pixel turbo salty sleepy cosmic"""
_SECOND_TEXT = """
otter badger comet dolmen elk ferret gecko heron ibis jackal kestrel lemur marmot newt ocelot puffin quokka
raven stoat tapir urchin vole wombat yak zebra biscuit kettle lantern noodle walnut"""
_FIRST, _SECOND = _FIRST_TEXT.split(), _SECOND_TEXT.split()
#: Display names in other scripts, which differ from the login.
_LOCALISED = (
    "달빛수달",
    "조용한너구리",
    "月のカワウソ",
    "静かな狸",
    "安静的水獭",
    "ТихийБарсук",
    "لوترا_القمر",
)
_COLOURS = (
    "#FF4500",
    "#1E90FF",
    "#9ACD32",
    "#8A2BE2",
    "#DAA520",
    "#5F9EA0",
    "#FF69B4",
    "#2E8B57",
    "#B22222",
    "",
)


@dataclass(slots=True)
class Person:
    """A person who chats, with the pieces of a wire line that are always the same for the person.

    On Twitch a line is ``head + nonce + looks + emotes + standing + id + rank + room-id + subscriber +
    time + tail``; on Kick ``sender`` is the JSON object, escaped for standing inside a string.
    """

    login: str
    display: str
    user_id: int
    head: bytes
    nonce: bool
    looks: bytes
    standing: bytes
    rank: bytes
    subscriber: bytes
    tail: bytes
    slug: str
    username: str
    sender: bytes
    tag_name: bytes
    source: bytes


def tag(value: str) -> bytes:
    """``value`` as the value of an IRC tag (ircv3.net/specs/extensions/message-tags)."""
    value = value.replace("\\", "\\\\").replace(";", "\\:").replace(" ", "\\s")
    return value.replace("\r", "\\r").replace("\n", "\\n").encode()


def inner(document: bytes) -> bytes:
    """A JSON document as Kick puts it inside a string: slashes escaped, then the whole escaped again."""
    text: bytes = orjson.dumps(document.replace(b"/", b"\\/").decode())
    return text[1:-1]


def make_people(seed: str, count: int = 500) -> list[Person]:
    """``count`` different people, always the same ones for the same ``seed``."""
    rng = random.Random(f"people {seed}")
    taken: set[str] = set()
    people: list[Person] = []
    while len(people) < count:
        words = (rng.choice(_FIRST), rng.choice(_SECOND))
        login = rng.choice(("{}{}", "{}_{}", "{}{}")).format(*words)
        if rng.random() < 0.6:
            login += str(rng.randrange(1, 9999))
        login = login[:25]
        if login not in taken:
            taken.add(login)
            people.append(_person(rng, login))
    return people


def _person(rng: random.Random, login: str) -> Person:
    display = _display_name(rng, login)
    user_id = rng.randrange(20_000_000, 1_400_000_000)
    months = rng.randrange(1, 96) if rng.random() < 0.35 else 0
    moderator = rng.random() < 0.03
    vip = not moderator and rng.random() < 0.03
    badges, info = _badges(rng, moderator, vip, months)
    colour = rng.choice(_COLOURS)
    turbo = "1" if rng.random() < 0.02 else "0"
    nonce = rng.random() < 0.6
    extra = ";vip=1" if vip else ""
    username = "".join(part.capitalize() for part in login.split("_")) if "_" not in login else login.title()
    slug = username.lower().replace("_", "-")
    sender = _kick_sender(rng, user_id, username, slug, colour, _kick_badges(moderator, vip, months))
    return Person(
        login=login,
        display=display,
        user_id=user_id,
        head=f"@badge-info={','.join(info)};badges={','.join(badges)}".encode()
        + (b";client-nonce=" if nonce else b""),
        nonce=nonce,
        looks=b";color=%b;display-name=%b;emotes=" % (colour.encode(), tag(display)),
        standing=b";first-msg=0;flags=;id=",
        rank=b";mod=%d;returning-chatter=0;room-id=" % moderator,
        subscriber=b";subscriber=%d;tmi-sent-ts=" % bool(months),
        tail=f";turbo={turbo};user-id={user_id};user-type={'mod' if moderator else ''}{extra}"
        f" :{login}!{login}@{login}.tmi.twitch.tv PRIVMSG #".encode(),
        slug=slug,
        username=username,
        sender=inner(sender),
        tag_name=tag(display),
        source=f":{login}!{login}@{login}.tmi.twitch.tv".encode(),
    )


def _display_name(rng: random.Random, login: str) -> str:
    display = login
    chance = rng.random()
    if chance < 0.5:
        display = "".join(part.capitalize() for part in login.split("_"))
        if display.lower() != login:
            display = login.capitalize()
    elif chance < 0.56:
        display = rng.choice(_LOCALISED) + str(rng.randrange(10, 99))
    elif chance < 0.57:
        display = display + " "
    elif chance < 0.58:
        display = ""
    return display


def _badges(rng: random.Random, moderator: bool, vip: bool, months: int) -> tuple[list[str], list[str]]:
    """The badges of a Twitch line, and their badge-info."""
    badges, info = [], []
    if moderator:
        badges.append("moderator/1")
    if vip:
        badges.append("vip/1")
    if months:
        badges.append(f"subscriber/{max(n for n in (0, 3, 6, 9, 12, 24, 36, 48, 60) if n <= months)}")
        info.append(f"subscriber/{months}")
    if rng.random() < 0.15:
        badges.append(rng.choice(("premium/1", "bits/1000", "sub-gifter/5", "glhf-pledge/1", "moments/3")))
    if rng.random() < 0.02:
        badges.append("predictions/blue-1")
        info.append(f"predictions/{tag('Will it work⸝ this time/today?').decode()}")
    return badges, info


def _kick_sender(
    rng: random.Random, user_id: int, username: str, slug: str, colour: str, badges: list[dict[str, object]]
) -> bytes:
    image = f"https://badges.example.net/chat/{user_id % 60}_{rng.getrandbits(64):016x}.png"
    document: bytes = orjson.dumps(
        {
            "id": user_id // 10,
            "username": username,
            "slug": slug,
            "identity": {
                "color": colour or "#75FD46",
                "badges": badges,
                "badges_v2": [
                    {
                        "name": "level",
                        "badge_type": "global",
                        "image_url": image,
                        "metadata": {"level": user_id % 60},
                        "selected": rng.random() < 0.5,
                        "sort_order": 1,
                    }
                ],
            },
        }
    )
    return document


def _kick_badges(moderator: bool, vip: bool, months: int) -> list[dict[str, object]]:
    badges: list[dict[str, object]] = []
    if moderator:
        badges.append({"type": "moderator", "text": "Moderator", "sort_order": 12})
    if vip:
        badges.append({"type": "vip", "text": "VIP", "sort_order": 11})
    if months:
        badges.append({"type": "subscriber", "text": "Subscriber", "count": months, "sort_order": 9})
    return badges
