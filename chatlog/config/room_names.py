"""Reads the name of a room as users write it: ``twitch/xqc``, ``#XQC``, or the channel's address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

PLATFORMS = ("twitch", "kick")
_CALLED = {"twitch": "Twitch", "kick": "Kick"}
#: Host names of the platforms, without prefixes such as ``www.``.
_SERVERS = {"twitch.tv": "twitch", "kick.com": "kick"}
#: Path segments that may precede a channel's name in an address.
_BEFORE = frozenset({"popout", "embed", "moderator", "u", "chat", "chatroom", "channel", "user"})
#: Path segments that are no channel's name.
_NO_CHANNELS = re.compile(
    r"(browse|categor(y|ies)|clips?|collections|communities|directory|downloads|drops|following|friends|"
    r"inventory|jobs|login|messages|p|prime|privacy-policy|search|settings|signup|store|subscriptions|team|"
    r"terms-of-service|turbo|videos?|wallet)\Z"
)
_PREFIX = re.compile(r"(twitch|kick)\s*[/:]\s*(?!/)(.*)\Z", re.IGNORECASE | re.DOTALL)
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


def parse_room(text: str, platform: str = "") -> RoomName:
    """The room that the text names; ``platform`` is its platform if that is known. Raises ValueError, whose
    text is a whole sentence."""
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    bare = text.strip().strip("<>\"'").rstrip(",;").strip()
    prefixed = _PREFIX.match(bare)
    if prefixed is not None and is_address(prefixed[2]):
        found = parse_room(prefixed[2], prefixed[1].lower())
    elif prefixed is not None:
        found = RoomName(prefixed[1].lower(), _bare(prefixed[2]))
    elif is_address(bare):
        found = _of_address(bare, shown)
    elif platform or bare.startswith("#"):
        # Only Twitch uses ``#``.
        found = RoomName(platform or "twitch", _bare(bare))
    else:
        name = _bare(bare)
        fits = re.match(r"[a-z0-9_-]+\Z", name) is not None
        rest = f"write twitch/{name} or kick/{name}" if fits else "write twitch/NAME or kick/NAME"
        wrong = "names no platform that is recorded" if "/" in name else "does not say on which platform"
        raise ValueError(f"{shown} {wrong}; {rest}, or the channel's address")
    if platform and found.platform != platform:
        raise ValueError(f"{shown} is a channel of {_CALLED[found.platform]}, and not of {_CALLED[platform]}")
    if not found.name or "/" in found.name:
        raise ValueError(f"{shown} is not a room; write twitch/NAME or kick/NAME, or the channel's address")
    return found


def _bare(name: str) -> str:
    return name.strip().lstrip("#@").rstrip("/").lower()


def _of_address(text: str, shown: str) -> RoomName:
    whole = text if "//" in text else f"//{text}"
    try:
        parts = urlsplit(whole)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise ValueError(f"{shown} cannot be read as an address") from None
    platform = next((_SERVERS[server] for server in _SERVERS if f".{host}".endswith(f".{server}")), None)
    if platform is None:
        raise ValueError(f"{shown} is not an address of Twitch (twitch.tv) or Kick (kick.com)")
    asked = parse_qs(parts.query).get("channel", [])
    words = [unquote(word).lower() for word in parts.path.split("/") if word]
    while len(words) > 1 and words[0] in _BEFORE:
        words.pop(0)
    name = asked[0].lower() if asked else words[0] if words else ""
    if not name or _NO_CHANNELS.match(name) or host.startswith("clips."):
        raise ValueError(f"{shown} is an address of {_CALLED[platform]}, but not that of a channel")
    return RoomName(platform, _bare(name))
