"""A room's chat in a browser, as it is recorded."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatlog.http.live import ALIVE_EVERY, AT_ONCE, BACKLOG, STALLED, VIEWERS, Live
from chatlog.recorder.room import RoomBuffer
from chatlog.suppression.left_out import LeftOut
from chatlog.suppression.names import Entry, Key
from chatlog.suppression.suppressions import Suppressions
from tests.http.wire import Connection, SiteCase

HEAD = "GET /api/v1/rooms/twitch/{} HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Asking:
    """The request of a browser."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.gone: Deferred[None] = Deferred()
        self.channel: Any = self
        self.producer: Any = None

    def setHeader(self, name: str, value: str) -> None:
        """See ``twisted.web.http.Request``."""

    def setTimeout(self, seconds: None) -> None:
        """See ``twisted.web.http.HTTPChannel``."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def notifyFinish(self) -> Deferred[None]:
        return self.gone


class LiveCase(SiteCase):
    """Three rooms, and browsers that show them."""

    def setUp(self) -> None:
        super().setUp()
        self.scene.recorded()

    def look(self, name: str = "room0", full: int = 1 << 30) -> Connection:
        """A browser that shows a room."""
        return self.connect(full).send(HEAD.format(f"{name}/live"))

    def room(self, name: str = "room0") -> RoomBuffer:
        return self.scene.recorder.room("twitch", name)

    def say(self, *texts: str, room: str = "room0") -> None:
        """Add a message and write it."""
        for text in texts:
            self.room(room).append(f'{{"message":"{text}"}}\n'.encode())
        self.scene.advance(0.5)


def events(connection: Connection) -> list[str]:
    """Everything that the browser received since the last call, comments included."""
    rest = connection.take()
    if rest.startswith(b"HTTP/"):
        rest = rest.partition(b"\r\n\r\n")[2]
    found = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    assert found.endswith(b"\n\n") or not found
    return found.decode().split("\n\n")[:-1]


class ChatTests(LiveCase):
    """What a browser receives."""

    def test_lines(self) -> None:
        """Every record as it was written, byte for byte, in its order, each as an event of its own; other
        rooms' are not among them."""
        browser = self.look()
        self.assertEqual(events(browser), ["retry: 3000"])
        self.say("one", "two")
        self.say("elsewhere", room="room1")
        self.say("three")
        expected = [f'data: {{"message":"{text}"}}' for text in ("one", "two", "three")]
        self.assertEqual(events(browser), expected)

    def test_somebody_opts_out(self) -> None:
        """When somebody opts out, every page that is open begins anew, also one that reads nothing at the
        moment; whoever comes later, and pages before, are not disturbed."""
        left_out = LeftOut()
        live = Live(self.files, "/data", self.scene.clock, left_out)
        requests = [Asking(), Asking()]
        for request in requests:
            live.watch(request, self.room())
        requests[1].producer.pauseProducing()
        self.scene.clock.advance(ALIVE_EVERY)
        self.assertNotIn(b"event: anew", b"".join(requests[0].written))
        key = Key("0" * 64)
        left_out.suppressions = Suppressions(key, [Entry("twitch", key.of_id("1")).key])
        self.scene.clock.advance(ALIVE_EVERY)
        requests[1].producer.resumeProducing()
        for request in requests:
            self.assertEqual(b"".join(request.written).count(b"event: anew"), 1)
        self.scene.clock.advance(ALIVE_EVERY)
        self.assertEqual(b"".join(requests[0].written).count(b"event: anew"), 1)
        for request in requests:
            request.gone.callback(None)

    def test_headers(self) -> None:
        """It is an event stream that is not cached and that no proxy buffers."""
        head = self.look().take().split(b"\r\n\r\n")[0].decode().lower()
        for expected in (
            "http/1.1 200",
            "content-type: text/event-stream",
            "cache-control: no-store",
            "x-accel-buffering: no",
            "x-content-type-options: nosniff",
            "default-src 'none'",
        ):
            self.assertIn(expected, head)
        self.assertNotIn("server:", head)

    def test_what_was_said_before(self) -> None:
        """A browser begins with the latest fifty lines of the open file, and misses none after them."""
        self.say(*(f"old {n}" for n in range(60)))
        browser = self.look()
        self.say("new")
        found = events(browser)
        self.assertEqual(len(found), 52)
        self.assertEqual(found[1], 'data: {"message":"old 10"}')
        self.assertEqual(found[-2:], ['data: {"message":"old 59"}', 'data: {"message":"new"}'])

    def test_opted_out(self) -> None:
        """What somebody said who opted out since is not shown, and neither are they in an answer."""
        key = Key("ab" * 32)
        said = '{"timestamp":"2025-12-29T10:30:00.000Z","channel":"room0","username":"%s","user_id":"%s",'
        said += '"message":"%s","type":"message","id":"m","platform":"twitch","details":{%s}}\n'
        reply = '"reply-parent-user-id":"1","reply-parent-msg-body":"secret"'
        for facts in (("ann", "1", "secret", ""), ("bob", "2", "yes", reply), ("carl", "3", "hello", "")):
            self.room().append((said % facts).encode())
        self.scene.advance(0.5)
        self.left_out.suppressions = Suppressions(key, [Entry("twitch", key.of_id("1")).key])
        shown = "".join(events(self.look()))
        self.assertNotIn("secret", shown)
        for text in ("yes", "hello"):
            self.assertIn(text, shown)

    def test_after_a_rotation(self) -> None:
        """A browser that comes just after a file was finished begins with what that ends with."""
        self.say(*(f"old {n}" for n in range(60)))
        self.say("elsewhere", room="room1")
        self.scene.recorder.rotate_now()
        self.scene.advance(1.0)
        self.assertEqual(events(self.look())[1:], [f'data: {{"message":"old {n}"}}' for n in range(10, 60)])
        self.say("new")
        found = events(self.look())[1:]
        self.assertEqual(
            (len(found), found[0], found[-1]), (50, 'data: {"message":"old 11"}', 'data: {"message":"new"}')
        )

    def test_long_lines_before(self) -> None:
        """Of long lines there are fewer, and none is cut off."""
        self.say(*(f"{n}" + "x" * 5000 for n in range(40)))
        found = events(self.look())[1:]
        self.assertEqual(len(found), 13)
        for line in found:
            self.assertTrue(line.startswith('data: {"message":"'), line[:30])
        self.assertTrue(found[-1].startswith('data: {"message":"39x'))

    def test_waiting_lines_before(self) -> None:
        """What has arrived and is not written yet comes when it is written, and not twice."""
        self.say("written")
        self.room().append(b'{"message":"waits"}\n')
        browser = self.look()
        self.scene.advance(0.5)
        self.assertEqual(events(browser)[1:], ['data: {"message":"written"}', 'data: {"message":"waits"}'])

    def test_file_that_cannot_be_read(self) -> None:
        """Then it begins with the next message."""
        self.say("old")
        descriptors = len(self.files.fds)
        for broken in ("open_read", "read"):

            def refuse(operation: str, path: str, broken: str = broken) -> None:
                if operation == broken:
                    raise OSError(errno.EIO, "Input/output error", path)

            self.files.rule = refuse
            self.assertEqual(events(self.look()), ["retry: 3000"])
        self.assertEqual(len(self.files.fds), descriptors)

    def test_signs_of_life(self) -> None:
        """A quiet room is not silent: something comes before a proxy gives up."""
        browser = self.look()
        events(browser)
        self.scene.advance(ALIVE_EVERY * 2)
        self.assertEqual(events(browser), [": alive", ": alive"])
        self.assertFalse(browser.closed)

    def test_several(self) -> None:
        """All viewers of a room receive the same."""
        first, second, other = self.look(), self.look(), self.look("room1")
        self.say("one")
        self.assertEqual(events(first)[1:], ['data: {"message":"one"}'])
        self.assertEqual(events(second)[1:], ['data: {"message":"one"}'])
        self.assertEqual(events(other)[1:], [])

    def test_room_that_is_not_recorded(self) -> None:
        """Such a room does not exist."""
        for name in ("nobody", "%2e%2e", "room0%0a", "ROOM0"):
            [reply] = self.look(name).replies()
            self.assertEqual(reply.status, 404, name)
        self.assertNotIn("nobody", [room.channel for room in self.scene.recorder])


class WatchTests(LiveCase):
    """What it costs the recorder."""

    def test_only_while_somebody_looks(self) -> None:
        """A room is watched from when the first looks until the last has gone."""
        self.assertIsNone(self.room().watch)
        first, second = self.look(), self.look()
        self.assertIsNotNone(self.room().watch)
        self.assertIsNone(self.room("room1").watch)
        first.leave()
        self.say("still here")
        self.assertEqual(events(second)[1:], ['data: {"message":"still here"}'])
        second.leave()
        self.assertIsNone(self.room().watch)
        self.assertEqual(len(self.live), 0)

    def test_nothing_runs_on(self) -> None:
        """After the last viewer has gone, no timer is left."""
        self.scene.advance(1)
        before = len(self.scene.clock.getDelayedCalls())
        browser = self.look()
        self.assertGreater(len(self.scene.clock.getDelayedCalls()), before)
        browser.leave()
        self.assertEqual(len(self.scene.clock.getDelayedCalls()), before)

    def test_same_handle(self) -> None:
        """It is the very room that the sources write to that is watched."""
        room = self.room()
        self.look()
        self.assertIs(self.room(), room)

    def test_broken_viewer(self) -> None:
        """Whatever goes wrong with a browser, the records are written, once, and the browser is dropped."""
        good, bad = self.look(), self.look()

        def fail(data: bytes) -> None:
            raise RuntimeError("this browser cannot be written to")

        bad.protocol.writeSequence = fail
        self.say("one")
        self.say("two")
        self.scene.advance(0)
        self.assertTrue(bad.lost)
        self.assertEqual(events(good)[1:], ['data: {"message":"one"}', 'data: {"message":"two"}'])
        self.assertEqual(self.room().written, 2)
        self.assertTrue(self.flushLoggedErrors(RuntimeError))

    def test_too_many(self) -> None:
        """One more than may look at the same time is told to come back; when one has gone, there is a
        place."""
        browsers = [self.look(f"room{n % 3}") for n in range(VIEWERS)]
        [reply] = self.look().replies()
        self.assertEqual((reply.status, reply.code), (503, "too_many_viewers"))
        self.assertEqual(reply.headers["retry-after"], "30")
        browsers[7].leave()
        self.assertTrue(self.look().take().startswith(b"HTTP/1.1 200"))

    def test_pipelined_behind(self) -> None:
        """What a browser sends behind its request for the chat is not kept without bound."""
        browser = self.look()
        for _ in range(100):
            browser.send(b"x" * 10_000)
        self.assertLess(sum(map(len, browser.protocol._dataBuffer)) + len(browser.protocol._buffer), 40_000)
        self.say("one")
        self.assertEqual(events(browser)[1:], ['data: {"message":"one"}'])


class SlowTests(LiveCase):
    """Browsers that do not keep up."""

    def test_waits(self) -> None:
        """What a browser does not take for a while waits for it, in order."""
        browser = self.look(full=1000)
        self.say(*(f"{n}" + "x" * 100 for n in range(20)))
        before = len(browser.transport.value())
        self.say("later")
        self.say("last")
        self.assertEqual(len(browser.transport.value()), before)
        texts = [event[18:20] for event in events(browser)[1:]]
        self.assertEqual(texts[:3] + texts[-1:], ["0x", "1x", "2x", "19"])
        self.assertEqual(events(browser), ['data: {"message":"later"}', 'data: {"message":"last"}'])

    def test_left_out(self) -> None:
        """When too much waits the rest is left out, and the browser is told how much; what comes after
        that is whole again. Nothing that was left out is missing in the recording."""
        browser = self.look(full=1000)
        self.say(*("x" * 1000 for _ in range(2)))
        self.say(*(f"{n:04}" + "x" * 996 for n in range(400)))
        self.say("short")
        sent = len(browser.transport.value())
        self.assertLess(sent, 4000)
        found: list[str] = []
        while latest := events(browser):
            found += latest
        shown = [event for event in found if event.startswith("data: ")]
        self.assertLessEqual(sum(map(len, shown)) - sent, BACKLOG)
        [skipped] = [event for event in found if event.startswith("event: skipped")]
        self.assertEqual(skipped, f"event: skipped\ndata: {403 - len(shown)}")
        self.assertEqual(found[-1], skipped)
        self.assertTrue(shown[-1].startswith(f'data: {{"message":"{len(shown) - 3:04}x'))
        self.say("after")
        self.assertEqual(events(browser), ['data: {"message":"after"}'])
        self.assertEqual(self.room().written, 404)

    def test_much_at_once(self) -> None:
        """Of megabytes that are written at once, as after a disk that was full, a browser that takes
        everything is shown the first ones, and one that takes little holds no more than its share; both
        are told how many are missing, and every one of them is recorded."""
        quick, slow = self.look(), self.look(full=1000)
        self.say(*(f"{n:05}" + "x" * 995 for n in range(2000)))
        for browser in quick, slow:
            self.assertLess(len(browser.transport.value()), AT_ONCE + BACKLOG)
            found: list[str] = []
            while latest := events(browser):
                found += latest
            shown = [event for event in found if event.startswith("data: ")]
            self.assertEqual([event[18:23] for event in shown], [f"{n:05}" for n in range(len(shown))])
            self.assertGreater(len(shown), 100)
            # What was sent, and what waited.
            self.assertLess(sum(map(len, shown)), AT_ONCE + BACKLOG)
            self.assertEqual(found[-1], f"event: skipped\ndata: {2000 - len(shown)}")
        self.say("after")
        for browser in quick, slow:
            self.assertEqual(events(browser), ['data: {"message":"after"}'])
        self.assertEqual(self.room().written, 2001)

    def test_much_at_once_while_waiting(self) -> None:
        """A browser with waiting data learns of every message that it does not receive."""
        browser = self.look(full=1000)
        self.say("x" * 2000)
        self.say(*("y" * 1000 for _ in range(2000)))
        found: list[str] = []
        while latest := events(browser):
            found += latest
        shown = sum(event.startswith("data: ") for event in found)
        self.assertEqual(found[-1], f"event: skipped\ndata: {2001 - shown}")

    def test_stalled(self) -> None:
        """A browser that takes nothing for half a minute is dropped, and the room is not watched for it."""
        browser, other = self.look(full=1000), self.look()
        self.say("x" * 2000)
        self.scene.advance(STALLED - ALIVE_EVERY)
        self.assertFalse(browser.lost)
        self.scene.advance(2 * ALIVE_EVERY)
        self.assertTrue(browser.lost)
        self.assertEqual(len(self.live), 1)
        events(other)
        self.say("one")
        self.assertEqual(events(other), ['data: {"message":"one"}'])

    def test_slow_but_alive(self) -> None:
        """A browser that takes something now and then stays."""
        browser = self.look(full=1000)
        for _ in range(10):
            self.say("x" * 2000)
            self.scene.advance(ALIVE_EVERY)
            browser.take()
        self.assertFalse(browser.lost)

    def test_others_do_not_wait(self) -> None:
        """A stalled browser does not delay the others."""
        stalled, other = self.look(full=100), self.look()
        events(other)
        for n in range(50):
            self.say(f"{n}")
            self.assertEqual(events(other)[-1], f'data: {{"message":"{n}"}}')
        self.assertLess(len(stalled.transport.value()), 3000)

    def test_gone_while_waiting(self) -> None:
        """A browser that goes while something waits for it leaves nothing behind."""
        browser = self.look(full=100)
        self.say(*("x" * 100 for _ in range(100)))
        browser.protocol.connectionLost(Failure(ConnectionResetError()))
        browser.lost = True
        self.assertEqual((len(self.live), self.room().watch), (0, None))
        self.say("one")
        self.assertEqual(self.room().written, 101)
