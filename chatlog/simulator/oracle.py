"""The oracle: a file with everything that was sent, for judging an archive.

One JSON object a line. An event:

    {"n": 7, "at": 1760000000123, "platform": "twitch", "channel": "room1", "id": "...", "type": "message",
     "text": "hello", "connection": 3}

``n`` counts up over everything, ``at`` is milliseconds since the epoch, ``type`` and ``text`` are those of a
correct record. Where it applies: ``key`` for events without an id (chat.record_key gives the same key for its
record), ``also`` with further connections that got the same event, ``dead`` when no connection that got it
could still be heard, ``greeting`` for the settings that follow a JOIN. ``channel`` is "" for an event without
a room. A note about a connection has ``note`` and ``connection`` instead of ``n``; one about a room on a
connection has ``platform`` and ``channel`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import orjson

from chatlog.simulator.chat import Said
from chatlog.simulator.rooms import Listener, Room


class Oracle:
    """Writes the sent events. Without a path it only counts.

    Lines are kept until ``flush``. Call it several times a second and at the end.
    """

    def __init__(self, path: str | None = None) -> None:
        self._file: BinaryIO | None = None if path is None else open(path, "wb")  # noqa: SIM115
        self._lines: list[bytes] = []
        #: The number of events.
        self.n = 0

    def sent(self, room: Room, ms: int, said: Said, listeners: Sequence[Listener], dead: bool) -> None:
        """``said`` was sent to ``listeners``; ``dead``: none of them can receive it any more."""
        self.n += 1
        if self._file is None:
            return
        _, id, type, text, key, topic = said
        if not dead and not key and len(listeners) == 1:
            self._lines.append(
                b'{"n":%d,"at":%d,%b,"id":"%b","type":"%b","text":%b,"connection":%d}\n'
                % (self.n, ms, room.oracle, id, type, text, listeners[0].number)
            )
            return
        where = room.oracle if topic >= 0 else b'"platform":"%b","channel":""' % room.platform.encode()
        more = b',"key":"%b"' % key if key else b""
        if len(listeners) > 1:
            more += b',"also":%b' % orjson.dumps([listener.number for listener in listeners[1:]])
        if dead:
            more += b',"dead":true'
        self._lines.append(
            b'{"n":%d,"at":%d,%b,"id":"%b","type":"%b","text":%b,"connection":%d%b}\n'
            % (self.n, ms, where, id, type, text, listeners[0].number, more)
        )

    def greeting(self, room: Room, ms: int, key: bytes, listener: Listener) -> None:
        """The settings of ``room`` were sent to ``listener``, which has just joined."""
        self.n += 1
        self._lines.append(
            b'{"n":%d,"at":%d,%b,"id":"","type":"room","text":"","connection":%d,"key":"%b","greeting":true}\n'
            % (self.n, ms, room.oracle, listener.number, key)
        )

    def note(self, what: str, connection: int, ms: int, since: int | None = None) -> None:
        """An event of a connection at ``ms``: ``opened``, ``closed`` (the last data may not have been read),
        ``cut`` (data since ``since`` may never have arrived). ``service``: the connection is not that of a
        recorder."""
        line = {"note": what, "connection": connection, "at": ms}
        if since is not None:
            line["since"] = since
        self._lines.append(orjson.dumps(line) + b"\n")

    def listening(self, room: Room, connection: int, ms: int, begins: bool) -> None:
        """From now on a connection gets the events of a room (``begins``), or no longer gets them: the notes
        ``joined`` and ``parted``."""
        note = b"joined" if begins else b"parted"
        self._lines.append(
            b'{"note":"%b","connection":%d,"at":%d,%b}\n' % (note, connection, ms, room.oracle)
        )

    def flush(self) -> None:
        """Write the waiting lines."""
        if self._file is not None and self._lines:
            self._file.write(b"".join(self._lines))
            self._file.flush()
        self._lines.clear()

    def close(self) -> None:
        """Write the waiting lines and close the file."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
