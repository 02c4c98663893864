"""What the archive server gives back of people who opted out: nothing, once they are on the list."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from chatlog.store.store import Head, StoreError
from chatlog.suppression.book import Book
from tests.archive.world import KEY
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, line, privmsg

DAY = "/channel/testchan/2026/3/1"
OWN = "/api/v1/archive"
AT = "2026-03-01T00:00:00.000Z"
REPLY = (
    "@badge-info=;badges=;color=;display-name=Bob;emotes=;flags=;id=reply;room-id=11111;"
    "reply-parent-display-name=Alice;reply-parent-msg-body=secret\\sword;reply-parent-msg-id=id-1000;"
    "reply-parent-user-id=22222;reply-parent-user-login=alice;tmi-sent-ts=1772323205000;user-id=5;user-type= "
    ":bob!bob@bob.tmi.twitch.tv PRIVMSG #testchan :@Alice no"
)
TIMEOUT = (
    "@ban-duration=600;room-id=11111;target-user-id=22222;tmi-sent-ts=1772323206000 "
    ":tmi.twitch.tv CLEARCHAT #testchan :alice"
)
#: Every way to ask for a person, by name and by id.
OF_PERSON = (
    "/list?channel=testchan&user{id}={who}",
    "/channel/testchan/user{id}/{who}",
    "/channel/testchan/user{id}/{who}?from=1772323200&to=1772409600",
    "/channel/testchan/user{id}/{who}/2026/3",
    "/channel/testchan/user{id}/{who}/2026/3/1?jsonBasic&gaps",
    "/channel/testchan/user{id}/{who}/random",
    "/channel/testchan/user{id}/{who}/stats",
    "/channelid/11111/user{id}/{who}/search?q=hello",
)
#: Everything that gives back records or counts.
ALL = (
    DAY,
    f"{DAY}?raw",
    f"{DAY}?json&reverse",
    f"{DAY}?ndjson",
    "/channel/testchan?from=1772323200&to=1772409600",
    "/channel/testchan/random?json",
    "/channel/testchan/stats",
    "/api/v2/recent-messages/testchan?before=1772409600000",
    f"{OWN}/rooms/twitch/testchan/messages?marks=1",
    f"{OWN}/rooms/twitch/testchan/messages?q=alice",
    f"{OWN}/rooms/twitch/testchan/messages?order=oldest&user=bob",
    f"{OWN}/search?q=a&from={AT}",
    f"{OWN}/search?type=timeout&from={AT}",
    f"{OWN}/users/twitch/bob?from={AT}",
    *(
        f"{OWN}/rooms/twitch/testchan/export?from={AT}&to=2026-03-02T00:00:00Z&format={form}&deleted=mark"
        for form in ("jsonl", "irc", "text", "csv", "chatjson")
    ),
)


class OptedOut(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        said = [privmsg(1000, "hello secret word"), privmsg(2000, "hello from bob", "bob", user_id="5")]
        said += [line(REPLY), line(TIMEOUT), privmsg(9000, "bye", "carl", user_id="6")]
        self.world.put(MARCH, said, room=ROOM)

    def opt_out(self, channel: str = "", platform: str = "twitch") -> None:
        self.world.opt_out("22222", "alice", channel=channel, platform=platform)
        self.world.now += 10.0

    def test_nothing_of_them_anywhere(self) -> None:
        """Neither id, name nor a word of theirs is in any answer, also not in what others answered them, nor
        is what they were told found by it; the others' records stay."""
        before = [self.ask(path) for path in ALL]
        self.assertTrue(any(b"secret word" in reply.body for reply in before))
        self.opt_out()
        for path, was in zip(ALL, before, strict=True):
            reply = self.ask(path)
            self.assertIn(reply.status, (200, 404), path)
            body = reply.body.replace(path.encode(), b"")
            for word in (b"secret", b"22222", b"alice", b"Alice"):
                self.assertNotIn(word, body, path)
            if b"hello from bob" in was.body and "random" not in path:
                self.assertIn(b"hello from bob", body, path)

    def test_asked_for(self) -> None:
        """Who asks for them by name or by id gets rustlog's answer; others are found as before."""
        others = [path.format(id=id, who=who) for path in OF_PERSON for id, who in (("", "bob"), ("id", "5"))]
        theirs = [
            path.format(id=id, who=who) for path in OF_PERSON for id, who in (("", "Alice"), ("id", "22222"))
        ]
        theirs.append("/namehistory/22222")
        for path in [*others, *theirs]:
            self.assertIn(self.ask(path.lower()).status, (200, 303), path)
        self.opt_out()
        for path in others:
            self.assertIn(self.ask(path).status, (200, 303), path)
        for path in theirs:
            reply = self.ask(path.lower().replace("jsonbasic", "jsonBasic"))
            self.assertEqual((reply.status, reply.body), (403, b"User or channel has opted out"), path)
            self.assertEqual(reply.headers["access-control-allow-origin"], "*")

    def test_own_api(self) -> None:
        """Our own API says it in words, and does not mix it up with silence."""
        self.opt_out()
        for who in ("alice", "id:22222"):
            reply = self.ask(f"{OWN}/users/twitch/{who}?from={AT}")
            self.assertEqual((reply.status, reply.code), (403, "opted_out"))
            for path in ("messages", "timeline"):
                query = f"user={who}&from={AT}&to=2026-03-02T00:00:00Z"
                reply = self.ask(f"{OWN}/rooms/twitch/testchan/{path}?{query}")
                self.assertEqual(reply.json["state"], "opted_out", path)
            lines = self.ask(f"{OWN}/search?user={who}&from={AT}").body.splitlines()
            self.assertTrue(orjson.loads(lines[-1])["end"]["opted_out"])
        lines = self.ask(f"{OWN}/search?user=nobody&from={AT}").body.splitlines()
        self.assertFalse(orjson.loads(lines[-1])["end"]["opted_out"])

    def test_timeline(self) -> None:
        """Counts are those of what is shown, so that a page finds every place."""
        path = f"{OWN}/rooms/twitch/testchan/timeline?from={AT}&to=2026-03-02T00:00:00Z"
        self.assertEqual(self.ask(path).json["total"], 5)
        self.opt_out()
        self.assertEqual(self.ask(path).json["total"], 3)
        self.assertEqual(self.ask(f"{path}&q=alice").json["total"], 0)

    def test_tags(self) -> None:
        """Whoever has an answer from before gets a new one, with a tag of its own."""
        self.put_manifest()
        tag = self.ask(DAY).headers["etag"]
        self.assertEqual(self.ask(DAY, f"If-None-Match: {tag}").status, 304)
        self.opt_out()
        reply = self.ask(DAY, f"If-None-Match: {tag}")
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.ask(DAY, f"If-None-Match: {reply.headers['etag']}").status, 304)

    def test_in_one_room(self) -> None:
        """Who opted out of another room is shown here, and so is who has the id on another platform."""
        self.opt_out("elsewhere")
        self.opt_out(platform="kick")
        self.assertIn("secret", self.text(DAY))
        self.opt_out("testchan")
        self.assertNotIn("secret", self.text(DAY))

    def test_a_name_that_changed_hands(self) -> None:
        """Somebody else who has the name now is shown, by name and by id."""
        self.world.put(MARCH + 3600.0, [privmsg(3_600_000, "new here", user_id="7")], room=ROOM)
        self.opt_out()
        self.assertIn("new here", self.text("/channel/testchan/user/alice/2026/3?gaps"))
        self.assertIn("new here", self.text("/channel/testchan/userid/7/2026/3"))

    def test_taken_off(self) -> None:
        """Who is taken off the list is shown again."""
        self.opt_out()
        Book(self.world.store, KEY).remove("twitch", "22222")
        self.world.now += 10.0
        self.assertIn("secret", self.text(DAY))

    def test_list_cannot_be_read(self) -> None:
        """If nobody knows who is on the list, nothing is shown; the list that is known stays in force."""
        listing = self.world.store.list

        def refuse(prefix: str = "") -> Iterator[Head]:
            if prefix.startswith("optout/"):
                raise StoreError("no")
            return listing(prefix)

        self.world.store.list = refuse  # type: ignore[method-assign]
        self.assertEqual(self.ask(DAY).status, 503)
        self.world.store.list = listing  # type: ignore[method-assign]
        self.opt_out()
        self.assertNotIn("secret", self.text(DAY))
        self.world.now += 11.0
        self.world.store.list = refuse  # type: ignore[method-assign]
        self.assertEqual(self.ask("/channel/testchan/user/alice/2026/3").status, 403)
