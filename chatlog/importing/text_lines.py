"""Makes items of lines of text, as OverRustle kept them, and as justlog and rustlog show them.

[2017-06-04 00:00:03 UTC] ann: hello
[2017-06-04 00:00:03] #pixelharbor ann: hello
"""

from __future__ import annotations

import re

from chatlog.importing.items import Item, LineError, Maker

_LINE = re.compile(
    r"\[(\d{4}-\d\d?-\d\d?) (\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?(?: UTC)?\] "
    r"(?:#([A-Za-z0-9_-]{1,64}) )?([^\s:]{1,64}): ?(.*)",
    re.ASCII | re.DOTALL,
)
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)", re.ASCII)
_ACTION = re.compile("\x01?ACTION (.*?)\x01?\\Z", re.DOTALL)


def text_item(maker: Maker, line: bytes, where: str, platform: str, channel: str) -> Item | None:
    """The item of a line without its newline; None for an empty line. ``channel``: the room of lines that
    name none. Raises LineError."""
    text = line.decode("utf-8", "replace").removesuffix("\r")
    if not text.strip():
        return None
    match = _LINE.fullmatch(text)
    if match is None:
        raise LineError("not of the form [2017-06-04 00:00:03 UTC] name: text")
    day, clock, fraction, room, name, said = match.groups()
    room = (room or channel).lower()
    if not room:
        raise LineError("it names no room; say which one it is with --room")
    year, month, date = _DATE.fullmatch(day).groups()  # type: ignore[union-attr]
    time = f"{year}-{int(month):02d}-{int(date):02d}T{clock}.{(fraction or '').ljust(3, '0')}Z"
    check_time(time)
    action = _ACTION.match(said) if said.startswith(("\x01ACTION ", "ACTION ")) else None
    details = {"command": "PRIVMSG"} if name == name.lower() else {"display-name": name, "command": "PRIVMSG"}
    record = {
        "timestamp": time,
        "channel": room,
        "username": name.lower(),
        "user_id": "",
        "message": action[1] if action else said,
        "type": "action" if action else "message",
        "id": "",
        "platform": platform,
        "channel_id": "",
        "details": details,
    }
    return maker.item(record, where, whole_seconds=fraction is None)


def check_time(time: str) -> None:
    """Raises LineError for an impossible time."""
    from chatlog.verify.record_check import is_timestamp

    if not is_timestamp(time):
        raise LineError(f"{time[:40]!r} is not a time")
