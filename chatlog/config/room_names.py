"""Reads the name of a room as users write it: ``twitch/xqc``, ``#XQC``, or the channel's address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from chatlog.config.platform import Registry

#: Path segments that may precede a channel's name in an address.
_BEFORE = frozenset({"popout", "embed", "moderator", "u", "chat", "chatroom", "channel", "user"})
#: Path segments that are no channel's name.
_NO_CHANNELS = re.compile(
    r"(browse|categor(y|ies)|clips?|collections|communities|directory|downloads|drops|following|friends|"
    r"inventory|jobs|login|messages|p|prime|privacy-policy|search|settings|signup|store|subscriptions|team|"
    r"terms-of-service|turbo|videos?|wallet)\Z"
)
_PREFIX = re.compile(r"([a-z]+)\s*[/:]\s*(?!/)(.*)\Z", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(
    r"(?:[a-z][a-z+.-]*:)?//|(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?(?:[/?#]|\Z)", re.IGNORECASE
)
#: The most characters of the user's text that an error shows.
_SHOWN = 80


class RoomName(NamedTuple):
    """A room's platform and its name in lower case. The platform's rules for names are not checked."""

    platform: str
    name: str

    def __str__(self) -> str:
        return f"{self.platform}/{self.name}"


def is_address(text: str) -> bool:
    """Whether the text is the address of a web page."""
    return _ADDRESS.match(text.strip()) is not None


def parse_room(text: str, platforms: Registry, platform: str = "") -> RoomName:
    """The room that the text names; ``platform`` is its platform if that is known. Raises ValueError, whose
    text is a whole sentence."""
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    bare = text.strip().strip("<>\"'").rstrip(",;").strip()
    prefixed = _PREFIX.match(bare)
    prefix = prefixed[1].lower() if prefixed is not None else ""
    signed = next((each.name for each in platforms.values() if each.sign and bare.startswith(each.sign)), "")
    if prefixed is not None and prefix in platforms and is_address(prefixed[2]):
        found = parse_room(prefixed[2], platforms, prefix)
    elif prefixed is not None and prefix in platforms:
        found = RoomName(prefix, _bare(prefixed[2]))
    elif is_address(bare):
        found = _of_address(bare, shown, platforms)
    elif platform or signed:
        found = RoomName(platform or signed, _bare(bare))
    else:
        name = _bare(bare)
        fits = re.match(r"[a-z0-9_-]+\Z", name) is not None
        wrong = "names no platform that is recorded" if "/" in name else "does not say on which platform"
        rest = _written(platforms, name if fits else "NAME")
        raise ValueError(f"{shown} {wrong}; write {rest}, or the channel's address")
    if platform and found.platform != platform:
        theirs, ours = platforms[found.platform].title, platforms[platform].title
        raise ValueError(f"{shown} is a channel of {theirs}, and not of {ours}")
    if not found.name or "/" in found.name:
        rest = _written(platforms, "NAME")
        raise ValueError(f"{shown} is not a room; write {rest}, or the channel's address")
    return found


def name_alone(text: str, platforms: Registry, platform: str) -> str:
    """The name in ``NAME``, ``#NAME`` or ``@NAME``. Raises ValueError for the address of a channel and for
    ``twitch/NAME``, the form of the commands; the text has the name."""
    if is_address(text):
        try:
            found = parse_room(text, platforms)
        except ValueError:
            raise ValueError("is an address, but not that of a channel; write the channel's name") from None
        where = "" if found.platform == platform else f", which belongs to {found.platform}.channels"
        raise ValueError(f"is the address of a channel; write its name, {found.name}{where}")
    bare = re.sub(r"\A[#@](?=[A-Za-z0-9_-]+\Z)", "", text)
    prefix, _, name = bare.lower().partition("/")
    if prefix in platforms and re.match(r"[a-z0-9_-]+\Z", name):
        where = "" if prefix == platform else f", under {prefix}.channels"
        raise ValueError(f"is not the name alone; write {name}{where}")
    return bare


def _written(platforms: Registry, name: str) -> str:
    return " or ".join(f"{platform}/{name}" for platform in platforms)


def _bare(name: str) -> str:
    return name.strip().lstrip("#@").rstrip("/").lower()


def _of_address(text: str, shown: str, platforms: Registry) -> RoomName:
    whole = text if "//" in text else f"//{text}"
    try:
        parts = urlsplit(whole)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise ValueError(f"{shown} cannot be read as an address") from None
    sites = {site: platform for platform in platforms.values() for site in platform.sites}
    platform = next((sites[site] for site in sites if f".{host}".endswith(f".{site}")), None)
    if platform is None:
        known = " or ".join(f"{each.title} ({site})" for site, each in sites.items())
        raise ValueError(f"{shown} is not an address of {known}")
    asked = parse_qs(parts.query).get("channel", [])
    words = [unquote(word).lower() for word in parts.path.split("/") if word]
    while len(words) > 1 and words[0] in _BEFORE:
        words.pop(0)
    name = asked[0].lower() if asked else words[0] if words else ""
    if not name or _NO_CHANNELS.match(name) or host.startswith("clips."):
        raise ValueError(f"{shown} is an address of {platform.title}, but not that of a channel")
    return RoomName(platform.name, _bare(name))
