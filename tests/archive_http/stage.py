"""An archive of the last days behind the real archive server on a real port, for a browser."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatlog.archive_http.tap import ArchiveServer
from chatlog.config.settings import ArchiveSettings, HttpSettings, Secret, Settings
from chatlog.record import encode_full, rfc3339
from chatlog.rooms.gap import gap_line
from chatlog.timeline.timeline import Gap
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, Row, encoded
from tests.archive.world import World
from tests.http.sample_chat import sample_records

DAY, HOUR = 86400.0, 3600.0
ROOM, BIG, BAD, KICK = (
    ("twitch", "amberfox"),
    ("twitch", "busy"),
    ("twitch", "hostile"),
    ("kick", "birch-live"),
)
NEW = ("twitch", "uncounted")
#: A room that nobody has recorded for days.
GONE = ("twitch", "gone")
#: What opens more of a public archive.
TOKEN = "the token of the stage"
#: Messages of the busiest day.
MANY = 200_000
_WORDS = ("hello", "there", "this", "was", "good", "game", "that", "clip", "again", "never", "easy", "go")


class Days:
    """``today`` is when the day of UTC began; the days before it have negative numbers."""

    def __init__(self) -> None:
        self.today = time.time() // DAY * DAY

    def at(self, number: int, hours: float = 0.0) -> float:
        """A time of a day."""
        return self.today + number * DAY + hours * HOUR

    def name(self, number: int) -> str:
        """A day as paths have it."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.at(number)))


def record(room: tuple[str, str], at: float, **more: Any) -> bytes:
    """A record's line."""
    facts = {"user": "ann", "user_id": "1", "text": "", "type": "message", "id": "", **more}
    when = rfc3339(round(at * 1000))
    details = {"command": "PRIVMSG", "room-id": "7", **facts.get("details", {})}
    return encode_full(
        when,
        room[1],
        facts["user"],
        facts["user_id"],
        facts["text"],
        facts["type"],
        facts["id"],
        room[0],
        "7",
        when,
        details,
    )


class ArchiveStage:
    """``port`` is where the archive is served once ``start`` was called; ``page`` is where a recorder's page
    is that may read it. ``kind``: ``empty``, or ``public``: a small one for everybody, of which somebody
    opted out."""

    def __init__(self, reactor: Any, root: str, page: str | None = None, kind: str = "") -> None:
        self.days = Days()
        self.world = World(root, time.time())
        self._objects: dict[int, list[Row]] = {}
        archive = ArchiveSettings()
        if kind != "empty":
            self._lively()
        if kind == "public":
            self.world.opt_out("15", "user5")
            archive = ArchiveSettings(optout_key=Secret("ab" * 32), public=True)
        elif kind != "empty":
            self._hostile()
            self._busy()
            self._gone()
        if kind != "empty":
            self._manifests()
        settings = Settings(http=HttpSettings(listen="127.0.0.1:0", token=Secret(TOKEN)), archive=archive)
        self.server = ArchiveServer(self.world.opened(time.time), settings, reactor, page=page)

    def start(self) -> ArchiveStage:
        self.server.startService()
        return self

    @property
    def port(self) -> int:
        port: int = self.server.http.port.getHost().port
        return port

    def _put(self, room: tuple[str, str], day: int, hours: float, lines: list[bytes]) -> str:
        path = self.world.put(self.days.at(day, hours), lines, room=room)
        key = path.partition("/archive/")[2]
        self._objects.setdefault(day, []).append(ObjectRow(key, 1, "0" * 64, len(lines), "x", "y"))
        return path

    def _lively(self) -> None:
        """A room with everything that a day may hold: the day before yesterday; yesterday nothing was
        recorded, and today is not over."""
        at = self.days.at
        said = [
            record(
                ROOM,
                at(-2, 10) + n,
                user=f"user{n % 7}",
                user_id=str(10 + n % 7),
                text=f"word {n}",
                id=f"m{n}",
            )
            for n in range(600)
        ]
        reply = {
            "reply-parent-msg-id": "m5",
            "reply-parent-display-name": "User5",
            "reply-parent-msg-body": "word 5",
        }
        said += [
            record(ROOM, at(-2, 10.2), text="an answer", id="r1", details=reply),
            record(ROOM, at(-2, 10.2) + 1, text="from elsewhere", id="s1", details={"source-room-id": "99"}),
            record(ROOM, at(-2, 10.2) + 2, user="bob", user_id="2", text="something rude", id="d1"),
            record(
                ROOM,
                at(-2, 10.2) + 3,
                user="bob",
                user_id="2",
                text="",
                type="delete",
                details={"target-msg-id": "d1"},
            ),
            record(ROOM, at(-2, 10.2) + 4, user="carl", user_id="3", text="spam", id="t1"),
            record(
                ROOM,
                at(-2, 10.2) + 5,
                user="carl",
                user_id="3",
                type="timeout",
                details={"ban-duration": "600"},
            ),
        ]
        self._put(ROOM, -2, 10, said)
        hole = Gap(at(-2, 12), at(-2, 13), "connection lost: reset by peer")
        back = [record(ROOM, at(-2, 13) + n, text=f"back {n}", id=f"b{n}") for n in range(40)]
        self._put(ROOM, -2, 13, [gap_line(encode_full, *ROOM, "7", hole), *back])
        path = self._put(ROOM, -2, 15, [record(ROOM, at(-2, 15), text="lost")])
        Path(path).write_bytes(b"this is no zstd")
        night = Gap(at(-2, 23.99), at(0), "restart")
        now = min(time.time() - 1, at(0, 1))
        today = [
            record(ROOM, at(0) + 0.2 * n, text=f"today {n}", id=f"n{n}")
            for n in range(80)
            if at(0) + 0.2 * n < now
        ]
        self._put(ROOM, 0, 0, [gap_line(encode_full, *ROOM, "7", night), *today])
        banned = {"banned_by": {"username": "mod_mary"}, "duration": 5, "event": "UserBannedEvent"}
        self._put(
            KICK,
            -2,
            9,
            [
                record(KICK, at(-2, 9), user="zed", user_id="9", text="[emote:37226:KEKW] hi", id="k1"),
                record(KICK, at(-2, 9) + 5, user="zed", user_id="9", type="timeout", details=banned),
            ],
        )

    def _hostile(self) -> None:
        made = sample_records(random.Random(1), hostile=True)
        lines = []
        for n in range(300):
            said = next(made)
            lines.append(
                record(
                    BAD,
                    self.days.at(-2, 8) + n,
                    user=said.get("username", ""),
                    user_id=said.get("user_id", ""),
                    text=said.get("message", ""),
                    type=said.get("type", "message"),
                    id=said.get("id", ""),
                    details=said["details"] if isinstance(said.get("details"), dict) else {},
                )
            )
        self._put(BAD, -2, 8, lines)
        # Of this one no manifest tells yet.
        self.world.put(self.days.at(-2), [record(NEW, self.days.at(-2), text="hi")], room=NEW)

    def _gone(self) -> None:
        lines = [record(GONE, self.days.at(-6, hour), text=f"at {hour}", id=f"g{hour}") for hour in range(10)]
        self.world.put(self.days.at(-6), lines, room=GONE)
        self._manifest(-6, 10 * HOUR, [RoomRow(*GONE, 10 * HOUR, 0.0, "")])

    def _busy(self) -> None:
        for hour, lines in self._hours():
            self._put(BIG, -2, hour, lines)

    def _hours(self) -> Iterator[tuple[int, list[bytes]]]:
        each = MANY // 24
        chosen = random.Random(2)
        texts = [" ".join(chosen.choices(_WORDS, k=chosen.randint(1, 20))) for _ in range(500)]
        for hour in range(24):
            begin = self.days.at(-2, hour)
            yield (
                hour,
                [
                    record(
                        BIG,
                        begin + n * HOUR / each,
                        user=f"user{n % 97}",
                        user_id=str(n % 97),
                        text=texts[n % 500],
                        id=f"{hour}-{n}",
                    )
                    for n in range(each)
                ],
            )

    def _manifests(self) -> None:
        for day, objects in self._objects.items():
            passed = min(DAY, max(60.0, time.time() - self.days.at(day)))
            is_over = passed == DAY
            rows: list[Row] = [
                RoomRow(*ROOM, passed - 3600.0, 3600.0, "connection lost")
                if is_over
                else RoomRow(*ROOM, passed, 0.0, ""),
                RoomRow(*BIG, passed, 0.0, ""),
                RoomRow(*KICK, 3600.0 if is_over else 0.0, passed - 3600.0 if is_over else passed, "refused"),
                *objects,
            ]
            self._manifest(day, passed, rows)

    def _manifest(self, day: int, seconds: float, rows: list[Row]) -> None:
        at, name = self.days.at(day), self.days.name(day)
        key = f"manifest/{name.replace('-', '/')}/main_{name.replace('-', '')}_0000.jsonl"
        head = HeadRow(at, at + seconds, "1", "main")
        self.world.store.put_new(key, b"".join(encoded(row) for row in (head, *rows)), {})
