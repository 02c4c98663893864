"""Records as lines of text, for a terminal, a pipe or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatlog.archive.formats.irc import system_text
from chatlog.archive.gaps import Gap
from chatlog.archive.matching import badges_of
from chatlog.counted import many
from chatlog.printable import printable

#: Applies a style to a text: ``style(text, fg="red", dim=True)``. In a pipe it returns the text unchanged.
Style = Callable[..., str]

_BADGES = {
    "broadcaster": ("~", "red"),
    "staff": ("!", "magenta"),
    "admin": ("!", "magenta"),
    "moderator": ("@", "green"),
    "vip": ("+", "magenta"),
    "og": ("+", "magenta"),
    "subscriber": ("%", "blue"),
    "founder": ("%", "blue"),
    "bot": ("b", "cyan"),
}


def plain(text: str, **_: object) -> str:
    """The style for a pipe: plain text."""
    return text


class ChatText:
    """Formats records. ``shown_time(seconds)``: the time in front of a line. ``room``: whether the room is in
    front as well."""

    def __init__(self, style: Style, shown_time: Callable[[str], str], room: bool) -> None:
        self._style = style
        self._time = shown_time
        self._room = room

    def line(self, record: Mapping[str, Any], hit: str = "", mark: bool = False) -> str:
        """The line of one record. ``hit``: what moderators did to it. ``mark``: whether it is a result of the
        search."""
        head = self._style(self._time(str(record.get("timestamp", ""))), dim=True)
        if self._room:
            room = f"{record.get('platform', 'twitch')}/{record.get('channel', '')}"
            head += " " + self._style(printable(room), fg="cyan")
        kind = str(record.get("type", "message"))
        if kind in ("message", "action"):
            body = self._said(record, kind, hit)
        elif kind == "gap":
            return self._style(f"{head} --- {gap_text(record)} ---", fg="yellow")
        else:
            body = self._style(printable(self._happened(record, kind)), fg="bright_black")
        return f"{head} {'> ' if mark else ''}{body}"

    def _said(self, record: Mapping[str, Any], kind: str, hit: str) -> str:
        badges = dict.fromkeys(
            _BADGES[name] for badge in badges_of(dict(record)) if (name := badge.partition("/")[0]) in _BADGES
        )
        signs = "".join(self._style(sign, fg=color) for sign, color in badges)
        name = self._style(printable(display_name(record)), bold=True, fg=_color_of(record))
        text = printable(str(record.get("message", "")))
        if hit:
            text = f"{self._style(text, strikethrough=True, dim=True)} {self._style(f'[{hit}]', fg='red')}"
        return f"{signs}{name} {text}" if kind == "action" else f"{signs}{name}: {text}"

    def _happened(self, record: Mapping[str, Any], kind: str) -> str:
        said = system_text(record)
        text = str(record.get("message", ""))
        if kind == "delete" and text:
            text = f'"{text}"'
        who = str(record.get("username", ""))
        parts = [said or " ".join(part for part in (kind, who) if part), text]
        return f"* {': '.join(part for part in parts if part)}"


def gap_text(record: Mapping[str, Any]) -> str:
    """The text of a gap record."""
    details = record.get("details") or {}
    start, end = (str(details.get(key, ""))[11:19] for key in ("from", "to"))
    # If several recorders share a room, another one may have recorded it meanwhile.
    by = f" by {details['instance']}" if details.get("instance") else ""
    text = f"not recorded{by} from {start} to {end} UTC: {details.get('reason', '')}"
    back = details.get("backfilled")
    return printable(
        f"{text}; {many(back, 'message')} of it came back" if isinstance(back, int) and back else text
    )


def missing_text(gap: Gap, shown: Callable[[float], str]) -> str:
    """The text of a gap in an answer."""
    return printable(f"not recorded from {shown(gap.since)} to {shown(gap.until)}: {gap.reason}")


def display_name(record: Mapping[str, Any]) -> str:
    """The display name, with the login if that is another word."""
    login = str(record.get("username", ""))
    details = record.get("details") or {}
    sender = details.get("sender")
    given = details.get("display-name") or (sender.get("username") if isinstance(sender, dict) else "")
    name = str(given or login).strip() or login
    return name if name.lower() == login else f"{name} ({login})"


def _color_of(record: Mapping[str, Any]) -> tuple[int, int, int] | None:
    details = record.get("details") or {}
    sender = details.get("sender")
    identity = sender.get("identity") if isinstance(sender, dict) else None
    color = details.get("color") or (identity.get("color") if isinstance(identity, dict) else "")
    if not isinstance(color, str) or len(color) != 7:
        return None
    try:
        red, green, blue = bytes.fromhex(color[1:])
    except ValueError:
        return None
    # Dark colors are not readable on the black background of most terminals.
    lift = max(0, 110 - max(red, green, blue))
    return red + lift, green + lift, blue + lift
