"""What a single value of the configuration may be.

Every ``Kind`` reads the text of a value and raises ValueError otherwise; the error's text is the second
half of a sentence that begins with the value.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from chatlog.config.room_names import is_address, parse_room
from chatlog.config.settings import Secret
from chatlog.config.units import parse_duration, parse_size, show_duration, show_size
from chatlog.naming import CHANNEL, INSTANCE
from chatlog.record import SERVER_CHANNEL

_LOGIN = re.compile(r"[a-z0-9_]{1,25}\Z")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})\Z")
#: What a part of a name in a certificate may be, and the schemes that come with a certificate.
_LABEL = re.compile(r"(?:xn--|(?!..--))[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z|\Z")
_CERTIFIED = frozenset({"ircs", "wss"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
_PREFIX = re.compile(r"[A-Za-z0-9_.=+,-]+(?:/[A-Za-z0-9_.=+,-]+)*\Z")
_PUSHER_CHANNEL = re.compile(r"[A-Za-z0-9_=@,.;{}-]{1,164}\Z")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. ``show`` is the way back, for ``--check``. A value that is left empty has its
    default, but with ``empty_is_off`` it is None. ``fills`` names the fields of the settings that the
    value fills, if they are not called like the key: ``read`` then gives one value for each."""

    read: Callable[[str], Any]
    show: Callable[[Any], Any] = _same
    secret: bool = False
    empty_is_off: bool = False
    fills: tuple[str, ...] = ()


def number(least: int, most: int, why: str = "") -> Kind:
    """A whole number within bounds; ``why`` says where they come from."""

    def read(text: str) -> int:
        if re.match(r"-?[0-9]{1,15}\Z", text) is None:
            raise ValueError("is not a whole number")
        if not least <= int(text) <= most:
            raise ValueError(f"is not between {least} and {most}{f' ({why})' if why else ''}")
        return int(text)

    return Kind(read)


def duration(least: str, most: str, why: str = "") -> Kind:
    """A duration within bounds, in seconds."""
    return _quantity(parse_duration, show_duration, least, most, why)


def size(least: str, most: str, why: str = "") -> Kind:
    """A size within bounds, in bytes."""
    return _quantity(parse_size, show_size, least, most, why)


def _quantity(
    parse: Callable[[str], Any], show: Callable[[Any], str], least: str, most: str, why: str
) -> Kind:
    def read(text: str) -> Any:
        value = parse(text)
        if not parse(least) <= value <= parse(most):
            raise ValueError(f"is not between {least} and {most}{f' ({why})' if why else ''}")
        return value

    return Kind(read, show)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return text

    return Kind(read)


def _no_address(text: str, platform: str) -> None:
    """Whoever copies the address of a channel is told its name."""
    if is_address(text):
        try:
            found = parse_room(text)
        except ValueError:
            raise ValueError("is an address, but not that of a channel; write the channel's name") from None
        where = "" if found.platform == platform else f", which belongs to {found.platform}.channels"
        raise ValueError(f"is the address of a channel; write its name, {found.name}{where}")


def _login(text: str) -> str:
    _no_address(text, "twitch")
    folded = text.removeprefix("#").lower()
    if folded == SERVER_CHANNEL:
        raise ValueError("is the name under which Chatlog itself keeps what belongs to no room")
    if _LOGIN.match(folded) is None:
        raise ValueError("is not a Twitch login (a-z, 0-9, _, at most 25)")
    return folded


def _slug(text: str) -> str:
    _no_address(text, "kick")
    folded = text.lower()
    if folded == SERVER_CHANNEL:
        raise ValueError("is the name under which Chatlog itself keeps what belongs to no room")
    if CHANNEL.match(folded) is None:
        raise ValueError("is not a Kick channel's name (a-z, 0-9, _, -, at most 64)")
    return folded


def _instance(text: str) -> str:
    if INSTANCE.match(text) is None:
        raise ValueError("is not an instance name (a-z, 0-9, at most 32)")
    return text


def _path(text: str) -> str:
    if text.startswith("~"):
        raise ValueError("begins with ~, which only a shell knows; write ${HOME}")
    return text


def _word(text: str) -> str:
    if " " in text or not text.isascii():
        raise ValueError("holds a space or a character that is not ASCII")
    return text


def _secret(text: str) -> Secret:
    return Secret(_word(text))


def _token(text: str) -> Secret:
    bare = text[6:] if text[:6].lower() == "oauth:" else text
    if not bare:
        raise ValueError("has nothing behind oauth:")
    return Secret(_word(bare))


def _bucket(text: str) -> str:
    if _BUCKET.match(text) is None or ".." in text:
        raise ValueError("is not a bucket's name (letters, digits, - . _)")
    return text


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


def _split(text: str, *schemes: str) -> SplitResult:
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("cannot be read as an address") from None
    if parts.scheme not in schemes or "://" not in text:
        raise ValueError(f"is not an address that begins with {wanted}")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or a password; an address must not")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("has a ? or # part; leave it out")
    if port == 0:
        raise ValueError("has the port 0")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host.isascii():
        raise ValueError(f"has a server's name with letters that are not ASCII{_in_ascii(host)}")
    if not is_host(host):
        raise ValueError("names no server that could exist")
    if parts.scheme in _CERTIFIED and ":" not in host and not all(map(_LABEL.match, host.split("."))):
        raise ValueError("names a server by a name that no certificate can have; give it one without _")
    return host


def _in_ascii(host: str) -> str:
    try:
        return f"; write {host.encode('idna').decode('ascii')}"
    except UnicodeError:
        return ""


def is_host(host: str) -> bool:
    """Whether ``host`` has the form of a name or of an IP address."""
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    labels = host.split(".")
    return _HOST.match(host) is not None and ".." not in host and max(map(len, labels)) <= 63


def is_near(host: str) -> bool:
    """Whether ``host`` is this machine or one of a private network, so far as its name tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_loopback or address.is_private


def _irc(text: str) -> tuple[str, int, bool]:
    parts = _split(text, "ircs", "irc")
    if parts.path not in ("", "/"):
        raise ValueError("has a path; only a server and a port are wanted")
    tls = parts.scheme == "ircs"
    return _host(parts), parts.port or (6697 if tls else 6667), tls


def _show_irc(value: tuple[str, int, bool]) -> str:
    host, port, tls = value
    return f"{'ircs' if tls else 'irc'}://{f'[{host}]' if ':' in host else host}:{port}"


def url(*schemes: str) -> Kind:
    """An address of a server, without a user and without a query."""

    def read(text: str) -> str:
        _host(_split(text, *schemes))
        return _word(text)

    return Kind(read)


def _lookup(text: str) -> str:
    if text.count("{slug}") != 1 or set(text.replace("{slug}", "")) & set("{}"):
        raise ValueError("is not an address with {slug} in it")
    _host(_split(_word(text), "https", "http"))
    return text


def _subscription(text: str) -> str:
    rest = text.replace("{chatroom_id}", "").replace("{channel_id}", "")
    if rest == text or _PUSHER_CHANNEL.match(text) is None or set(rest) & set("{}"):
        raise ValueError("is not a Pusher channel with {chatroom_id} or {channel_id} in it")
    return text


def _archive_url(text: str) -> str:
    parts = _split(_word(text), "s3", "gs", "az", "file")
    if parts.scheme == "file":
        if parts.netloc or len(parts.path) < 2:
            raise ValueError("does not have the form file:///directory")
    else:
        _bucket(parts.netloc)
    if {"..", "."} & set(parts.path.split("/")):
        raise ValueError("has . or .. in its path")
    return text


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or re.match(r"[0-9]{1,5}\Z", port) is None or int(port) > 65535:
        raise ValueError("is not host:port, such as 127.0.0.1:8080")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not is_host(bare) or (":" in host and bare == host):
        raise ValueError("is not host:port, such as 127.0.0.1:8080, or [::]:8080 for all addresses")
    return text


def _yes_or_no(text: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("is neither true nor false")
    return known[text.lower()]


def _host_name(text: str) -> str:
    if not is_host(text):
        raise ValueError("is not a host name")
    return text.lower()


def _secret_url(text: str) -> Secret:
    word = _word(text)
    try:
        parts = urlsplit(word)
        fine = parts.scheme in ("https", "http") and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("is not an address that begins with https:// or http://")
    return Secret(word)


def _part_level(text: str) -> tuple[str, str]:
    part, _, level = (side.strip() for side in text.partition("="))
    if re.match(r"[a-z_]{1,32}\Z", part) is None or level not in LEVELS:
        raise ValueError(f"is not part=level, such as twitch=debug; levels are {', '.join(LEVELS)}")
    return part, level


#: What a line of the log may be, from the least on.
LEVELS = ("debug", "info", "warn", "error", "critical")

LOGIN = Kind(_login)
SLUG = Kind(_slug)
NAME = Kind(_instance)
PATH = Kind(_path)
WORD = Kind(_word)
SECRET = Kind(_secret, secret=True)
TOKEN = Kind(_token, secret=True)
BUCKET = Kind(_bucket)
REGION = Kind(_region)
PREFIX = Kind(_prefix)
IRC = Kind(_irc, _show_irc, fills=("host", "port", "tls"))
LOOKUP = Kind(_lookup, empty_is_off=True)
SUBSCRIPTION = Kind(_subscription)
ARCHIVE_URL = Kind(_archive_url)
LISTEN = Kind(_listen, empty_is_off=True)
YES_OR_NO = Kind(_yes_or_no)
HOST = Kind(_host_name)
SECRET_URL = Kind(_secret_url, secret=True)
PART_LEVEL = Kind(_part_level, "=".join)
