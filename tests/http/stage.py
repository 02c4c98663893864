"""A recorder that goes through the motions, behind the real HTTP server on a real port.

``python -m tests.http.stage SCENE`` serves one for a browser or a fuzzer, and says where in its first line.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from chatlog.config.platform import Channel
from chatlog.config.settings import ArchiveSettings, HttpSettings, KickSettings, Secret, TwitchSettings
from chatlog.http.service import http_service
from chatlog.platforms import PLATFORMS
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList
from tests.http.sample_chat import sample_records
from tests.http.troubles import PASSED, TROUBLES
from tests.scene import HALF_PAST_TEN, Scene

#: What a client has to send to change anything.
TOKEN = "the token of the tests"
UMLAUT = "schlüssel-鍵"
#: Words that must be in no answer.
SECRETS = (TOKEN, "Traceback", "site-packages", "/chatlog/http/")


class Stage:
    """``scene`` is the recorder, ``port`` where it is served once ``start`` was called. The configuration has
    so many rooms of Twitch; ``rotated`` counts how often somebody asked for a rotation."""

    def __init__(self, reactor: Any, rooms: int = 3, wall: float = HALF_PAST_TEN, **http: Any) -> None:
        settings = HttpSettings(**{"listen": "127.0.0.1:0", "token": Secret(TOKEN), **http})
        twitch = TwitchSettings(tuple(f"room{n}" for n in range(rooms)))
        self.scene = Scene(
            0,
            wall,
            http=settings,
            platforms={"twitch": twitch, "kick": KickSettings(())},
        )
        self.scene.pools["kick"] = self.scene.new_pool("kick")
        rooms_wanted = RoomList(self.scene.recording.files, "/data", self.scene.settings, PLATFORMS)
        self.rooms = RoomChanges(rooms_wanted, self._added, self._removed)
        self.rotated = 0
        #: Rooms that were added, and for which the platform has not answered.
        self.added: list[tuple[str, str]] = []
        for n in range(rooms):
            self.scene.add(f"room{n}")
        self.scene.status.acknowledged = Acknowledged(self.scene.recording.files, "/data")
        recorder = self.scene.recorder
        recorder.rotate_now = self._rotate  # type: ignore[method-assign]
        self.service = http_service(
            self.scene.settings, reactor, self.scene.status, recorder, self.rooms, self.scene.recording.files
        )

    def start(self) -> Stage:
        self.scene.start()
        self.service.startService()
        return self

    @property
    def port(self) -> int:
        port: int = self.service.port.getHost().port
        return port

    def stop(self) -> Any:
        self.scene.stop()
        return self.service.stopService()

    def _added(self, platform: str, channel: Channel) -> None:
        name = channel if isinstance(channel, str) else channel.slug
        self.scene.add(name, platform)
        self.added.append((platform, name))

    def _removed(self, platform: str, name: str) -> None:
        pool = self.scene.pools[platform]
        if name in pool.rooms:
            pool.remove(name)

    def _rotate(self) -> None:
        self.rotated += 1


#: Rooms of a scene; 500 in all others.
_ROOMS = {
    "empty": 0,
    "quiet": 1,
    "few": 2,
    "tokenless": 1,
    "umlaut": 1,
    "five": 5,
    "hostile": 5,
    "holes": 3,
    "refused": 300,
    "thousands": 10_000,
}
SCENES = (
    "empty",
    "quiet",
    "few",
    "tokenless",
    "umlaut",
    "five",
    "many",
    "refused",
    "holes",
    "thousands",
    "broken",
    "full",
    "hostile",
)
#: Rooms of this name are refused to whoever adds them; others are recorded.
GHOST = "ghost"


class Show(Stage):
    """A stage whose time passes, for eyes and browsers."""

    def __init__(self, reactor: Any, scene: str, seed: int = 1, port: int = 0) -> None:
        tokens = {"tokenless": None, "umlaut": Secret(UMLAUT)}
        more: dict[str, Any] = {"token": tokens[scene]} if scene in tokens else {}
        super().__init__(reactor, 0, time.time() - PASSED.get(scene, 0), listen=f"127.0.0.1:{port}", **more)
        self._reactor = reactor
        self._random = random.Random(seed)
        self._busy: list[tuple[str, str, float]] = []
        self._kind = scene
        self._sample_records: dict[str, Iterator[dict[str, Any]]] = {}
        self._loop = LoopingCall(self._tick)
        self._call: IDelayedCall | None = None

    def start(self) -> Show:
        count = _ROOMS.get(self._kind, 500)
        self._people(count)
        super().start()
        self.scene.recorded()
        if self._kind != "holes":
            self._past()
        if self._kind in TROUBLES:
            TROUBLES[self._kind](self.scene)
        self._loop.start(0.5, now=False)
        return self

    def archive_at(self, listen: str) -> None:
        """From now on the archive is served there."""
        settings = self.scene.status.settings
        self.scene.status.settings = replace(settings, archive=ArchiveSettings(listen=listen))

    def _people(self, count: int) -> None:
        first = ("amber", "birch", "cobalt", "drift", "ember", "fjord", "gale", "harbor", "iris", "juniper")
        second = ("fox", "plays", "live", "tv", "games", "_cat", "_07", "speedruns", "radio", "cooks")
        names = [f"{a}{b}{n or ''}" for n in range(count // 100 + 1) for a in first for b in second]
        for at, name in enumerate(names[:count]):
            platform = "kick" if at % 5 == 4 else "twitch"
            name = name.replace("_", "-") if platform == "kick" else name
            self.scene.add(name, platform)
            self.scene.pools[platform].rooms[name].identifier = str(141_000_000 + 37 * at)
            self._busy.append((platform, name, min(900.0, 400 * self._random.paretovariate(0.9) / (1 + at))))

    def _past(self) -> None:
        """An hour and a half of messages, without the messages."""
        for minute in range(90):
            for platform, name, rate in self._busy:
                wave = 1 + 0.5 * random.Random(f"{name}{minute // 12}").random()
                self._count(platform, name, round(rate * wave * self._random.uniform(0.6, 1.3)))
            self.scene.recording.wall -= 60
            if len(self._busy) <= 500:
                self.scene.advance(60)
            else:
                self.scene.clock.advance(60)
                self.scene.recording.advance(0.5)
                self.scene.recording.wall -= 0.5

    def _count(self, platform: str, name: str, lines: int) -> None:
        room = self.scene.recorder.room(platform, name)
        if lines:
            room.written += lines
            room.written_at = self.scene.now()
            self.scene.counters.written += lines
            self.scene.counters.durable += lines
            self.scene.counters.written_bytes += 900 * lines

    def _tick(self) -> None:
        self.scene.cpu += 0.012
        if self._kind in ("quiet", "holes"):
            self._busy.clear()
        self._answer()
        for number, (platform, name, rate) in enumerate(self._busy):
            lines = self._random.random() < rate / 120 and max(1, round(rate / 120))
            if lines and (number < 5 or self._kind == "hostile"):
                self._say(platform, name, int(lines))
            elif lines:
                self._count(platform, name, int(lines))
        self.scene.advance(0.5)
        self.scene.recording.wall -= self.scene.now() - time.time()

    def _answer(self) -> None:
        """The platforms answer for rooms that were added a moment ago."""
        added, self.added = self.added, []
        for platform, name in added:
            pool = self.scene.pools[platform]
            for link in [link for link in pool.connections if name in link.subscriptions]:
                if not link.up:
                    self.scene.played.up(link)
                if name.startswith(GHOST):
                    pool.refused(link, name, "msg_channel_suspended")
                else:
                    pool.acknowledged(link, name)

    def _say(self, platform: str, name: str, lines: int) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        said = self._sample_records.get(name)
        if said is None:
            said = self._sample_records[name] = sample_records(self._random, hostile=self._kind == "hostile")
        for _ in range(lines):
            record = {"timestamp": now, "channel": name, **next(said)}
            record["platform"] = platform
            self.scene.recorder.room(platform, name).append(orjson.dumps(record) + b"\n")


def main() -> None:
    """Serve one scene until the process is ended."""
    from twisted.internet import reactor

    parser = argparse.ArgumentParser()
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    show = Show(reactor, arguments.scene, port=arguments.port).start()
    sys.stdout.write(f"{show.port}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
