"""What is wrong on the stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatlog.rooms.pool import Pool
from tests.http.sample_chat import HOSTILE
from tests.scene import Scene


def _refuse(pool: Pool, name: str, reason: str) -> None:
    [link] = [link for link in pool.connections if name in link.subscriptions]
    pool.refused(link, name, reason)


def worry(scene: Scene) -> None:
    """Two rooms are refused, and files wait for the store."""
    twitch = scene.pools["twitch"]
    names = list(twitch.rooms)
    for name, reason in ((names[7], "msg_channel_suspended"), (names[60], "msg_banned")):
        _refuse(twitch, name, reason)
    scene.uploads.last_success = scene.now() - 240
    scene.uploads.waiting_files, scene.uploads.waiting_bytes = 12, 48_000_000
    scene.uploads.oldest_waiting = scene.now() - 130
    scene.counters.verified = scene.counters.uploaded = 4312


def refuse_three(scene: Scene) -> None:
    """Three of many rooms are not given to us."""
    twitch = scene.pools["twitch"]
    names = list(twitch.rooms)
    for at, reason in ((7, "msg_banned"), (60, "msg_channel_suspended"), (143, "msg_banned")):
        _refuse(twitch, names[at], reason)


def fill(scene: Scene) -> None:
    """The disk is full, and every write fails with that error."""
    scene.space = (0, 1_000_000_000)
    scene.recorder.shortage.trouble = "No space left on device"
    scene.recorder.shortage.since = scene.now()
    scene.recorder.flush = lambda: None  # type: ignore[method-assign]


def lose(scene: Scene) -> None:
    """An hour and a half of three rooms: one has a hole of ten minutes, one says nothing, and one has been
    missing for a quarter of an hour."""
    pools = scene.pools
    first, _, third = [(platform, name) for platform, pool in pools.items() for name in pool.rooms]

    def minutes(count: int, *talking: tuple[str, str]) -> None:
        for _ in range(count):
            for key in talking:
                scene.recorder.room(*key).written += 40
            scene.advance(60)

    minutes(45, first, third)
    _refuse(pools[first[0]], first[1], "msg_banned")
    minutes(10, third)
    [link] = [link for link in pools[first[0]].connections if first[1] in link.subscriptions]
    pools[first[0]].acknowledged(link, first[1])
    minutes(20, first, third)
    _refuse(pools[third[0]], third[1], "msg_banned")
    minutes(15, first)


def break_much(scene: Scene) -> None:
    """Nearly everything that can be wrong, at once."""
    for link in list(scene.pools["twitch"].connections):
        scene.down(link, "Connection refused by 192.0.2.7:6697", ago=12)
    kick = scene.pools["kick"]
    for at, name in enumerate(list(kick.rooms)):
        if at % 3 == 0:
            _refuse(kick, name, "subscription refused: 4009 connection is unauthorized")
    scene.missing["kick"] = {f"unheard-of-{n}": "looking it up was refused (HTTP 403)" for n in range(4)}
    uploads = scene.uploads
    uploads.state = "refused"
    uploads.last_error = "AccessDenied: User is not authorized to perform: s3:PutObject on chatlog-archive"
    uploads.waiting_files, uploads.waiting_bytes, uploads.quarantined = 1873, 1_780_000_000, 2
    uploads.oldest_waiting = scene.now() - 40_000
    scene.space = (12_000_000, 1_000_000_000)
    scene.recorder.shortage.trouble = "No space left on device"
    scene.counters.dropped["overflow"] = 5120
    scene.counters.gaps = 731


def be_hostile(scene: Scene) -> None:
    """A server and a store whose words are markup."""
    scene.uploads.state, scene.uploads.last_error = "refused", HOSTILE[0]
    twitch = scene.pools["twitch"]
    name = list(twitch.rooms)[1]
    twitch.refused(twitch.connections[0], name, HOSTILE[1])


#: By the name of the scene.
TROUBLES: Mapping[str, Callable[[Scene], None]] = {
    "broken": break_much,
    "full": fill,
    "holes": lose,
    "hostile": be_hostile,
    "many": worry,
    "refused": refuse_three,
}
#: Seconds that pass while the trouble comes about.
PASSED = {"holes": 5400.0}
