"""The kinds of single values in the configuration.

A ``Kind`` reads the text of a value. If the text is wrong, it raises ValueError; the error's text is the
second half of a sentence that begins with the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chatlog import signing
from chatlog.config import remedies
from chatlog.config.addresses import (
    host_of,
    read_archive_url,
    read_bucket,
    read_host,
    read_irc,
    read_listen,
    read_lookup,
    read_webhook,
    show_irc,
    split,
    word,
)
from chatlog.config.engine_address import EngineAddress, read_engine
from chatlog.config.settings import Secret
from chatlog.config.units import parse_duration, parse_size, show_duration, show_size
from chatlog.naming import CHANNEL, INSTANCE
from chatlog.record import SERVER_CHANNEL

_LOGIN = re.compile(r"[a-z0-9_]{1,25}\Z")
_PREFIX = re.compile(r"[A-Za-z0-9_.=+,-]+(?:/[A-Za-z0-9_.=+,-]+)*\Z")
_SHELL_VARIABLE = re.compile(r"\$([A-Z][A-Z0-9_]*)\b")
_PUSHER_CHANNEL = re.compile(r"[A-Za-z0-9_=@,.;{}-]{1,164}\Z")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. ``show`` is the inverse of ``read``, for ``--check``. An empty value means the
    default, or None with ``empty_is_off``. ``fills`` names the fields of the settings if there are several or
    their name is not that of the key; ``read`` then returns one value for each. ``names``: the value is a
    channel's name, which people also write with a sign in front. ``computed`` is applied to a value from a
    variable of the environment, such as the name of a machine, which was not chosen for this key."""

    read: Callable[[str], Any]
    show: Callable[[Any], Any] = _same
    secret: bool = False
    empty_is_off: bool = False
    fills: tuple[str, ...] = ()
    names: bool = False
    computed: Callable[[str], str] = _same


def number(least: int, most: int, why: str = "") -> Kind:
    """A whole number within bounds; ``why`` is the reason for the bounds."""
    bounds = f"between {least} and {most}{f' ({why})' if why else ''}"

    def read(text: str) -> int:
        if re.match(r"-?[0-9]{1,15}\Z", text) is None:
            bare = re.sub(r"[,_' %]", "", text)
            fits = re.match(r"[0-9]{1,15}\Z", bare) and least <= int(bare) <= most
            raise ValueError(f"is not a whole number {bounds}{f'; write {bare}' if fits else ''}")
        if not least <= int(text) <= most:
            raise ValueError(f"is not {bounds}")
        return int(text)

    return Kind(read)


def duration(least: str, most: str, why: str = "") -> Kind:
    """A duration within bounds, in seconds."""
    in_days = parse_duration(least) >= 86400
    parse = partial(parse_duration, examples="30d, 90d or 365d") if in_days else parse_duration
    return _quantity(parse, show_duration, ("ms", "s", "m", "h", "d"), (least, most, why))


def size(least: str, most: str, why: str = "") -> Kind:
    """A size within bounds, in bytes."""
    units = ("KB", "MB", "GB", "TB", "KiB", "MiB", "GiB")
    return _quantity(parse_size, show_size, units, (least, most, why))


def _quantity(
    parse: Callable[[str], Any],
    show: Callable[[Any], str],
    units: Sequence[str],
    limits: tuple[str, str, str],
) -> Kind:
    least, most, why = limits

    def read(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError as error:
            raise ValueError(f"{error}{remedies.quantity(text, units)}") from None
        if not parse(least) <= value <= parse(most):
            raise ValueError(f"is not between {least} and {most}{f' ({why})' if why else ''}")
        return value

    return Kind(read, show)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is not one of {', '.join(words)}{remedies.choice(text, words)}")
        return text

    return Kind(read)


def _login(text: str) -> str:
    folded = text.lower()
    if folded == SERVER_CHANNEL:
        raise ValueError("is the name under which Chatlog itself keeps what belongs to no room")
    if _LOGIN.match(folded) is None:
        raise ValueError("is not a Twitch login (a-z, 0-9, _, at most 25)")
    return folded


def _slug(text: str) -> str:
    folded = text.lower()
    name, _, number_ = folded.partition(":")
    if number_.isdigit() and CHANNEL.match(name):
        raise ValueError(f"is not the name alone; write {remedies.kick_room(name, number_)}")
    if folded == SERVER_CHANNEL:
        raise ValueError("is the name under which Chatlog itself keeps what belongs to no room")
    if CHANNEL.match(folded) is None:
        raise ValueError("is not a Kick channel's name (a-z, 0-9, _, -, at most 64)")
    return folded


def _instance(text: str) -> str:
    if INSTANCE.match(text) is None:
        bare = re.sub(r"[^a-z0-9]", "", text.lower())[:32]
        raise ValueError(f"is not an instance name (a-z, 0-9, at most 32){f'; write {bare}' if bare else ''}")
    return text


def _cluster(text: str) -> str:
    if re.match(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", text) is None:
        raise ValueError("is not the name of a cluster (a-z, 0-9, - between them, at most 32)")
    return text


def _one_word(text: str) -> str:
    if re.match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", text) is None:
        raise ValueError("is not one word (letters, digits, . _ -, at most 64)")
    return text


def _engine(text: str) -> EngineAddress:
    if _SHELL_VARIABLE.fullmatch(text):
        raise ValueError("is the name of a variable, and a variable is written ${NAME}")
    return read_engine(text)


def _path(text: str) -> str:
    if text.startswith("~"):
        raise ValueError("begins with ~, which only a shell knows; write ${HOME}")
    if found := _SHELL_VARIABLE.match(text):
        raise ValueError(f"begins with a variable of a shell; write ${{{found[1]}}}")
    return text


def _secret(text: str, called: str = "secret") -> Secret:
    if _SHELL_VARIABLE.fullmatch(text):
        raise ValueError("is the name of a variable, and a variable is written ${NAME}")
    try:
        return Secret(word(text))
    except ValueError as error:
        raise ValueError(f"{error}; copy the {called} alone, without quotes or spaces") from None


def _signing_key(text: str) -> Secret:
    found = _secret(text) if _SHELL_VARIABLE.fullmatch(text) else Secret(text)
    signing.private_bytes(text)
    return found


def _optout_key(text: str) -> Secret:
    found = _secret(text)
    if re.match(r"[0-9a-f]{64}\Z", text) is None:
        raise ValueError("is no key: 64 hexadecimal digits, as openssl rand -hex 32 prints them")
    return found


def _token(text: str) -> Secret:
    bare = text[6:] if text[:6].lower() == "oauth:" else text
    if not bare:
        raise ValueError("has nothing behind oauth:")
    return _secret(bare, "token")


def _region(text: str) -> str:
    if re.match(r"[A-Za-z0-9-]{1,64}\Z", text) is None:
        raise ValueError("is not a region (letters, digits, -)")
    return text


def _prefix(text: str) -> str:
    bare = text.strip("/")
    if not bare:
        return ""
    if len(bare) > 512 or _PREFIX.match(bare) is None or {"..", "."} & set(bare.split("/")):
        raise ValueError("is not a prefix of keys (letters, digits, - _ . = + , and / between; no . or ..)")
    return bare


def _storage_class(text: str) -> str:
    # The store is not known here: see ``storage_classes``.
    if re.match(r"[A-Za-z][A-Za-z0-9_-]{1,39}\Z", text) is None:
        raise ValueError(
            "is not the name of a storage class; write it as the store does, such as STANDARD_IA"
        )
    return text.replace("-", "_")


def _kept(text: str) -> str:
    folded = text.strip().lower().lstrip("#@")
    platform, slash, name = folded.partition("/")
    if re.match(r"[a-z]{1,16}\Z", platform) is None or (slash and CHANNEL.match(name) is None):
        raise ValueError("is neither a room nor a platform; write twitch/NAME, twitch or default")
    return folded


def _keep(text: str) -> float:
    if text.lower() == "forever":
        return FOREVER
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise ValueError(
            f"is no duration such as 90d, and not forever{remedies.quantity(text, ('d',))}"
        ) from error
    if not 1 <= found / 86400.0 <= 36500 or found % 86400.0:
        raise ValueError("is not a number of whole days from 1d to 36500d; write 90d, or forever")
    return found


def show_keep(seconds: float) -> str:
    """How long records are kept, as written in the configuration: ``90d`` or ``forever``."""
    return "forever" if seconds == FOREVER else show_duration(seconds)


def url(*schemes: str) -> Kind:
    """An address of a server, without a user and without a query."""

    def read(text: str) -> str:
        host_of(split(text, *schemes))
        return word(text)

    return Kind(read)


def _subscription(text: str) -> str:
    rest = text.replace("{chatroom_id}", "").replace("{channel_id}", "")
    if rest == text or _PUSHER_CHANNEL.match(text) is None or set(rest) & set("{}"):
        raise ValueError("is not a Pusher channel with {chatroom_id} or {channel_id} in it")
    return text


def _yes_or_no(text: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("is neither true nor false")
    return known[text.lower()]


def _part_level(text: str) -> tuple[str, str]:
    part, _, level = (side.strip() for side in text.partition("="))
    if re.match(r"[a-z_]{1,32}\Z", part) is None or level not in LEVELS:
        meant = remedies.choice(level, LEVELS)
        words = f"is not part=level, such as twitch=debug; levels are {', '.join(LEVELS)}"
        raise ValueError(f"{words}{meant}")
    if part not in PARTS:
        raise ValueError(f"names no part of the log{remedies.choice(part, PARTS) or f'; parts are {_PARTS}'}")
    return part, level


#: The parts that write to the log: those of Chatlog, and the libraries below it.
PARTS = (
    *(
        "alarms",
        "archive_http",
        "cluster",
        "companion",
        "daemon",
        "http",
        "journal",
        "kick",
        "recorder",
        "reload",
    ),
    *("rooms", "services", "state", "suppression", "takeover", "twitch", "uploader"),
    *("autobahn", "stderr", "stdout", "twisted"),
)
_PARTS = ", ".join(PARTS)
#: The levels of the log, the lowest first.
LEVELS = ("debug", "info", "warn", "error", "critical")

#: The seconds for which records are kept that are never deleted.
FOREVER = float("inf")

LOGIN = Kind(_login, names=True)
SLUG = Kind(_slug, names=True)
NAME = Kind(_instance, computed=lambda text: text.replace("-", ""))
CLUSTER = Kind(_cluster)
ENGINE = Kind(_engine, secret=True)
WORD = Kind(_one_word)
PATH = Kind(_path)
SECRET = Kind(_secret, secret=True)
SIGNING_KEY = Kind(_signing_key, secret=True)
OPTOUT_KEY = Kind(_optout_key, secret=True)
TOKEN = Kind(_token, secret=True)
BUCKET = Kind(read_bucket)
REGION = Kind(_region)
PREFIX = Kind(_prefix)
IRC = Kind(read_irc, show_irc, fills=("host", "port", "tls"))
LOOKUP = Kind(read_lookup, empty_is_off=True)
SUBSCRIPTION = Kind(_subscription)
KEPT = Kind(_kept)
KEEP = Kind(_keep, show_keep)
CLASS = Kind(_storage_class)
ARCHIVE_URL = Kind(read_archive_url)
LISTEN = Kind(read_listen, empty_is_off=True)
YES_OR_NO = Kind(_yes_or_no)
HOST = Kind(read_host)
SECRET_URL = Kind(lambda text: Secret(read_webhook(text)), secret=True)
PART_LEVEL = Kind(_part_level, "=".join)
