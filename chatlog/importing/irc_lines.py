"""Makes items of lines of IRC, as justlog and rustlog keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlog.importing import server_notices
from chatlog.importing.items import Item, LineError, Maker
from chatlog.twitch import irc
from chatlog.twitch.events import chat_record, event_record, is_control


class IrcLines:
    """Reads the lines of one platform. There are servers that write Kick's chat as lines of IRC too."""

    def __init__(self, maker: Maker, platform: str = "twitch") -> None:
        self._maker = maker
        self._platform = platform
        self._record: dict[str, Any] = {}

    def item(self, line: bytes, where: str, before: str) -> Item | None:
        """The item of a line without its newline; None for a line that is no chat. ``before``: the time of
        the line before, for a line without a time. Raises LineError and Incomplete."""
        line = line.removesuffix(b"\r")
        if not line.strip():
            return None
        self._record = {}
        received = self._maker.received
        if chat_record(line, received, self._keep) is None:
            try:
                message = irc.parse(line)
            except irc.ParseError:
                raise LineError("not a line of IRC") from None
            if is_control(message.command):
                return None
            if not message.channel:
                raise LineError("not a line of a room's chat")
            tags = message.tags
            if message.command == "NOTICE" and server_notices.is_notice(tags, ""):
                channel, text = message.channel, message.params[-1]
                return server_notices.item_of(self._maker, self._platform, channel, tags, text, where)
            timed = bool(tags.get("tmi-sent-ts") or tags.get("rm-received-ts"))
            event_record(message, received if timed else before, self._keep)
        if not self._record["timestamp"] or self._record["timestamp"] == received:
            raise LineError("it has no time")
        return self._maker.item(self._record, where)

    def _keep(
        self,
        timestamp: str,
        channel: str,
        username: str,
        user_id: str,
        message: str,
        type: str,
        id: str,
        platform: str,
        channel_id: str,
        received: str,
        details: Mapping[str, Any],
    ) -> bytes:
        if "imported" in details:
            # A tag has the same name.
            details = {"@imported" if name == "imported" else name: details[name] for name in details}
        self._record = {
            "timestamp": timestamp,
            "channel": channel,
            "username": username,
            "user_id": user_id,
            "message": message,
            "type": type,
            "id": id,
            "platform": self._platform,
            "channel_id": channel_id,
            "details": details,
        }
        return b""
