"""irc, the IRC library of PyPI: its client, with every message written to a file.

Arguments: HOST:PORT CA_FILE ROOMS SECONDS OUTPUT. It ends when standard input ends, or after SECONDS.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
from typing import Any

from irc.client import Reactor, ServerConnection  # type: ignore[import-not-found]
from irc.connection import Factory  # type: ignore[import-not-found]

#: The kinds of events that are chat: said, and with /me.
_CHAT = ("pubmsg", "action")


def main() -> None:
    """Join, write, end."""
    address, ca_file, rooms, seconds, path = sys.argv[1:]
    host, _, port = address.partition(":")
    context = ssl.create_default_context(cafile=ca_file)
    reactor = Reactor()
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    alarm = threading.Timer(float(seconds), over.set)
    alarm.daemon = True
    alarm.start()
    with open(path, "w", buffering=1 << 16, encoding="utf-8") as output:

        def said(connection: Any, event: Any) -> None:
            tags = {tag["key"]: tag["value"] for tag in event.tags}
            record = {
                "id": tags.get("id"),
                "timestamp": int(tags.get("tmi-sent-ts") or 0),
                "channel": event.target[1:],
                "user_id": tags.get("user-id"),
                "login": event.source.nick,
                "name": tags.get("display-name"),
                "color": tags.get("color"),
                "text": " ".join(event.arguments),
            }
            output.write(json.dumps(record, ensure_ascii=False) + "\n")

        for kind in _CHAT:
            reactor.add_global_handler(kind, said)
        server: ServerConnection = reactor.server()
        wrap = Factory(wrapper=lambda socket: context.wrap_socket(socket, server_hostname=host))
        server.connect(host, int(port), "justinfan12345", connect_factory=wrap)
        server.send_raw("CAP REQ :twitch.tv/tags twitch.tv/commands")
        for number in range(1, int(rooms) + 1):
            server.join(f"#room{number}")
        while not over.is_set():
            reactor.process_once(0.2)
    # The connection has no more to say; leaving at once keeps its end out of the figures.
    os._exit(0)


if __name__ == "__main__":
    main()
