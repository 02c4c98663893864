"""From Twitch's lines to records: what happens in rooms besides chat, and what is no record."""

from __future__ import annotations

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from chatlog import record
from chatlog.twitch import events, irc
from chatlog.twitch.lines import MAX_LINE, Oversized
from tests.twitch.sample_lines import (
    CHAT_TAGS,
    RECEIVED,
    SENT,
    SENT_AS_TIME,
    chat,
    line_parts,
    recorded,
    usernotice,
)


class RoomEventTests(SynchronousTestCase):
    """What happens in a room besides chat."""

    def test_usernotice_types(self) -> None:
        """Every kind of USERNOTICE has its type, and an unknown one is an event."""
        kinds = {
            "subscription": "sub resub extendsub primepaidupgrade giftpaidupgrade anongiftpaidupgrade",
            "gift": "subgift submysterygift anonsubgift anonsubmysterygift rewardgift standardpayforward "
            "communitypayforward",
            "raid": "raid unraid",
            "announcement": "announcement",
            "event": "ritual bitsbadgetier viewermilestone modiversary socialsharingbadge charitydonation "
            "midnightsquid onetapstreakstarted onetapgiftredeemed onetapbreakpointachieved "
            "onetapstreakexpired not_yet_invented",
        }
        for expected, names in kinds.items():
            for name in names.split():
                self.assertEqual(recorded(usernotice(name))["type"], expected, name)
                shared = usernotice("sharedchatnotice", source_msg_id=name)
                self.assertEqual(recorded(shared)["type"], expected, name)
        self.assertEqual(recorded(usernotice("sharedchatnotice"))["type"], "event")
        self.assertEqual(recorded(b":tmi.twitch.tv USERNOTICE #someroom")["type"], "event")

    def test_usernotice(self) -> None:
        """A USERNOTICE is about the person of its login tag; the text is what that person wrote."""
        found = recorded(usernotice("resub", "thanks: for all"))
        self.assertEqual(
            [found[key] for key in ("timestamp", "channel", "username", "user_id", "message", "channel_id")],
            [SENT_AS_TIME, "someroom", "some_viewer", "1000002", "thanks: for all", "1000001"],
        )
        self.assertEqual(found["id"], CHAT_TAGS["id"])
        self.assertEqual(found["details"]["system-msg"], "Something happened!")
        self.assertEqual(found["details"]["command"], "USERNOTICE")
        self.assertEqual(set(found["details"]) - set(CHAT_TAGS), {"login", "msg-id", "system-msg", "command"})
        self.assertEqual(recorded(usernotice("resub"))["message"], "")

    def test_times_that_can_be_none(self) -> None:
        """A time before there was Twitch, or more than a year ahead, is not taken, for ordinary chat neither:
        the service's that replays it is, or that of the arrival. One that is merely old is."""
        for sent, time in (
            ("0", RECEIVED),
            ("-5", RECEIVED),
            ("1", RECEIVED),
            ("1000000000000", RECEIVED),
            ("1306886399999", RECEIVED),
            ("1306886400000", "2011-06-01T00:00:00.000Z"),
            ("1800035999999", "2027-01-15T17:59:59.999Z"),
            ("1800050000000", RECEIVED),
            ("4070908800000", RECEIVED),
            ("9999999999999", RECEIVED),
            ("9" * 400, RECEIVED),
        ):
            self.assertEqual(recorded(chat(tmi_sent_ts=sent))["timestamp"], time, sent)
            both = recorded(usernotice("raid", tmi_sent_ts=sent, rm_received_ts="1768507200000"))
            expected = "2026-01-15T20:00:00.000Z" if time == RECEIVED else time
            self.assertEqual(both["timestamp"], expected, sent)

    def test_usernotice_action(self) -> None:
        """The /me of a subscriber's text is removed from the text and stays in the parameters."""
        found = recorded(usernotice("resub", "\x01ACTION waves\x01"))
        self.assertEqual((found["message"], found["type"]), ("waves", "subscription"))
        self.assertEqual(found["details"]["params"], ["#someroom", "\x01ACTION waves\x01"])

    def test_single_word_without_colon(self) -> None:
        """A text of one word may come without its colon."""
        found = recorded(b"@login=ab;msg-id=announcement :tmi.twitch.tv USERNOTICE #someroom hello")
        self.assertEqual((found["message"], found["type"]), ("hello", "announcement"))
        found = recorded(b"@target-user-id=5;ban-duration=1 :tmi.twitch.tv CLEARCHAT #someroom troll")
        self.assertEqual((found["username"], found["type"]), ("troll", "timeout"))

    def test_clearchat(self) -> None:
        """A time-out, a ban and a cleared room are told apart; the record is about the target."""
        for tags, target, kind, username, user_id in [
            ("ban-duration=600;room-id=9;target-user-id=5;", " :troll", "timeout", "troll", "5"),
            ("room-id=9;target-user-id=5;", " :troll", "ban", "troll", "5"),
            ("ban-duration=;room-id=9;target-user-id=5;", " :troll", "ban", "troll", "5"),
            ("room-id=9;target-user-id=5;", "", "ban", "", "5"),
            ("room-id=9;", "", "clear", "", ""),
            ("id=x;user-id=6;login=mod;room-id=9;", "", "clear", "", ""),
        ]:
            line = f"@{tags}tmi-sent-ts={SENT} :tmi.twitch.tv CLEARCHAT #someroom{target}".encode()
            found = recorded(line)
            self.assertEqual(
                [
                    found[key]
                    for key in ("type", "username", "user_id", "message", "id", "channel_id", "timestamp")
                ],
                [kind, username, user_id, "", "", "9", SENT_AS_TIME],
                line,
            )
            self.assertNotIn("params", found["details"])
        self.assertEqual(recorded(b":tmi.twitch.tv CLEARCHAT #someroom")["type"], "clear")

    def test_clearmsg(self) -> None:
        """A deletion names the author and the text; the deleted id stays in the details."""
        tags = f"@id=u-2;login=ab;room-id=;target-msg-id=u-1;tmi-sent-ts={SENT}"
        line = f"{tags} :tmi.twitch.tv CLEARMSG #someroom :oops"
        found = recorded(line.encode(), channel_id="1000001")
        self.assertEqual(
            [
                found[key]
                for key in ("type", "username", "user_id", "message", "id", "channel_id", "timestamp")
            ],
            ["delete", "ab", "", "oops", "", "1000001", SENT_AS_TIME],
        )
        self.assertEqual(found["details"]["target-msg-id"], "u-1")
        found = recorded(line.replace("oops", "\x01ACTION waves\x01").encode())
        self.assertEqual((found["type"], found["message"]), ("delete", "waves"))

    def test_room_and_notice(self) -> None:
        """Room settings and notices carry the arrival time, for Twitch gives none."""
        found = recorded(b"@room-id=9;slow=5 :tmi.twitch.tv ROOMSTATE #someroom")
        self.assertEqual(
            (found["type"], found["message"], found["channel_id"], found["timestamp"]),
            ("room", "", "9", RECEIVED),
        )
        self.assertEqual(found["details"], {"room-id": "9", "slow": "5", "command": "ROOMSTATE"})
        found = recorded(b"@msg-id=slow_on :tmi.twitch.tv NOTICE #someroom :Slow mode is on.", channel_id="9")
        self.assertEqual(
            (found["type"], found["message"], found["channel_id"], found["id"]),
            ("notice", "Slow mode is on.", "9", ""),
        )
        self.assertEqual(found["details"], {"msg-id": "slow_on", "command": "NOTICE"})

    def test_channel_id(self) -> None:
        """The line's own room id goes first; the known one stands in where the line has none."""
        self.assertEqual(recorded(chat(), channel_id="5")["channel_id"], "1000001")
        self.assertEqual(recorded(chat(room_id=""), channel_id="5")["channel_id"], "5")
        self.assertEqual(recorded(usernotice("raid", room_id=""), channel_id="5")["channel_id"], "5")

    def test_unknown_commands(self) -> None:
        """A command that nobody knows is an event with all that it said."""
        for line, params in [
            ("@a=b :tmi.twitch.tv HOSTTARGET #someroom :other 3", ["#someroom", "other 3"]),
            ("@a=b :tmi.twitch.tv NEWTHING #someroom x :y z", ["#someroom", "x", "y z"]),
        ]:
            found = recorded(line.encode())
            self.assertEqual((found["type"], found["message"], found["channel"]), ("event", "", "someroom"))
            self.assertEqual(found["details"]["params"], params)
            self.assertEqual(found["details"]["a"], "b")
        found = recorded(b":jtv MODE #someroom +o ab")
        self.assertEqual(
            found["details"], {"command": "MODE", "source": "jtv", "params": ["#someroom", "+o", "ab"]}
        )

    def test_server_room(self) -> None:
        """What belongs to no recorded room goes to the platform's own room, with all that it said."""
        found = recorded(b":tmi.twitch.tv NOTICE * :Login authentication failed")
        self.assertEqual((found["channel"], found["type"]), ("_server", "notice"))
        self.assertEqual(found["details"]["params"], ["*", "Login authentication failed"])
        found = recorded(b"@user-id=5 :ab!ab@ab.tmi.twitch.tv WHISPER cd :psst: hey")
        self.assertEqual(
            [found[key] for key in ("channel", "type", "username", "user_id", "message")],
            ["_server", "event", "ab", "5", "psst: hey"],
        )
        self.assertEqual(
            found["details"], {"user-id": "5", "command": "WHISPER", "params": ["cd", "psst: hey"]}
        )
        found = recorded(chat(), channel="_server")
        self.assertEqual(found["channel"], "_server")
        self.assertEqual(found["details"]["params"], ["#someroom", "hello there"])

    def test_not_utf8(self) -> None:
        """A line that is not UTF-8 is readable, and whole in base64."""
        for line in (chat("caf\0").replace(b"\0", b"\xe9"), chat(flags="X").replace(b"X", b"\xff\xfe")):
            self.assertIsNone(events.chat_record(line, RECEIVED, record.encode_full))
            found = recorded(line)
            self.assertEqual((found["type"], found["username"]), ("message", "some_viewer"))
            self.assertIn("\ufffd", found["message"] + found["details"]["flags"])
            self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), line)
        self.assertNotIn("raw_base64", recorded(chat("é"))["details"])

    def test_nothing_is_lost(self) -> None:
        """From the record of any of these lines the whole line can be told."""
        for line in [
            chat(),
            chat("\x01ACTION waves\x01"),
            chat("\x01ACTION waves"),
            chat("x", command="y", raw="z"),
            usernotice("raid"),
            usernotice("resub", ""),
            usernotice("resub", "\x01ACTION \x01"),
            b"@a=b :tmi.twitch.tv CLEARCHAT #someroom :",
            b"@target-user-id=1 :tmi.twitch.tv CLEARCHAT #someroom troll extra",
            b"@login=ab :other.server CLEARMSG #someroom :text",
            b"@room-id=9 :tmi.twitch.tv ROOMSTATE #someroom :unexpected",
            b"NOTICE #someroom :no source",
            b":a!a@a.tmi.twitch.tv WHISPER b :c",
            b"NEW",
        ]:
            message = irc.parse(line)
            self.assertEqual(
                line_parts(recorded(line)),
                (message.tags, message.source, message.command, message.params),
                line,
            )


class TalkTests(SynchronousTestCase):
    """What is no record."""

    def test_talk(self) -> None:
        """The protocol's own talk is told from what happens in rooms."""
        for command in [*events.CONTROL, "001", "353", "366", "421"]:
            self.assertTrue(events.is_control(command), command)
        for command in [*events.KNOWN_COMMANDS, "NEW", "12", "1234"]:
            self.assertFalse(events.is_control(command), command)
        self.assertEqual(
            events.CONTROL,
            {"CAP", "PING", "PONG", "RECONNECT", "JOIN", "PART", "USERSTATE", "GLOBALUSERSTATE"},
        )

    def test_unknown_kinds(self) -> None:
        """Commands and kinds of USERNOTICE that no rule knows are named."""
        for line in (chat(), b"PING", b"001 x", usernotice("raid"), usernotice("ritual")):
            self.assertEqual(events.unknown_kind(irc.parse(line)), "", line)
        shared = usernotice("sharedchatnotice", source_msg_id="sub")
        self.assertEqual(events.unknown_kind(irc.parse(shared)), "")
        for line, kind in (
            (b"NEWTHING #someroom", "NEWTHING"),
            (b"USERNOTICE #someroom", "USERNOTICE"),
            (usernotice("not_yet_invented"), "not_yet_invented"),
            (usernotice("sharedchatnotice", source_msg_id="new"), "new"),
        ):
            self.assertEqual(events.unknown_kind(irc.parse(line)), kind)

    def test_known_kinds(self) -> None:
        """Every kind of USERNOTICE that is public by now is known, also where another room shares it."""
        kinds = (
            "sub resub extendsub subgift submysterygift anonsubgift anonsubmysterygift giftpaidupgrade "
            "anongiftpaidupgrade primepaidupgrade rewardgift standardpayforward communitypayforward raid "
            "unraid ritual bitsbadgetier announcement charitydonation viewermilestone modiversary "
            "socialsharingbadge midnightsquid onetapstreakstarted onetapgiftredeemed "
            "onetapbreakpointachieved onetapstreakexpired"
        )
        for kind in kinds.split():
            for line in (usernotice(kind), usernotice("sharedchatnotice", source_msg_id=kind)):
                self.assertEqual(events.unknown_kind(irc.parse(line)), "", line)


class UnparsedTests(SynchronousTestCase):
    """Lines that are no messages."""

    def test_unparsed(self) -> None:
        """A line that cannot be understood is recorded as it came."""
        found = json.loads(events.unparsed_record(b"@only=tags", RECEIVED, record.encode_full))
        self.assertEqual(
            found,
            {
                "timestamp": RECEIVED,
                "channel": "_server",
                "username": "",
                "user_id": "",
                "message": "",
                "type": "unparsed",
                "id": "",
                "platform": "twitch",
                "channel_id": "",
                "received": RECEIVED,
                "details": {"raw": "@only=tags"},
            },
        )

    def test_not_utf8(self) -> None:
        """Its bytes are whole where they are not UTF-8."""
        found = json.loads(events.unparsed_record(b"\x16\x03\xff", RECEIVED, record.encode_full))
        self.assertEqual(found["details"]["raw"], "\x16\x03\ufffd")
        self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), b"\x16\x03\xff")

    def test_oversized(self) -> None:
        """The head of an overlong line is recorded and marked, in the room that it names."""
        line = Oversized(chat("x" * MAX_LINE)[:MAX_LINE])
        self.assertIsNone(events.chat_record(line, RECEIVED, record.encode_full))
        self.assertEqual(events.channel_of(line), "someroom")
        found = json.loads(events.unparsed_record(line, RECEIVED, record.encode_full, "someroom", "1000001"))
        self.assertEqual(
            (found["channel"], found["channel_id"], found["type"]), ("someroom", "1000001", "unparsed")
        )
        self.assertEqual(found["details"], {"raw": line.decode(), "oversized": True})

    def test_channel_of(self) -> None:
        """No channel is found where there is none."""
        for line in (
            b"",
            b"@only=tags",
            b"PING",
            Oversized(b"x" * MAX_LINE),
            Oversized(b"@" + b"x" * MAX_LINE),
        ):
            self.assertEqual(events.channel_of(line), "")

    def test_basic_detail(self) -> None:
        """Basic detail has chat only."""
        self.assertEqual(events.unparsed_record(b"x", RECEIVED, record.encode_basic), b"")


class DedupTests(SynchronousTestCase):
    """Copies of one event, over two connections."""

    def key(self, line: bytes | str) -> object:
        return events.dedup_key(irc.parse(line if isinstance(line, bytes) else line.encode()))

    def test_id(self) -> None:
        """What has an id is known by it, whatever the order of its tags."""
        self.assertEqual(
            self.key(chat()), self.key(b"@id=" + CHAT_TAGS["id"].encode() + b" PRIVMSG #someroom :x")
        )
        self.assertNotEqual(self.key(chat()), self.key(chat(id="another")))

    def test_deletion(self) -> None:
        """A deletion is known by what it deletes and when, and is not taken for the deleted message; a
        message can be deleted twice."""
        deletion = f"@login=ab;target-msg-id={CHAT_TAGS['id']};tmi-sent-ts=1 CLEARMSG #someroom :x"
        self.assertEqual(self.key(deletion), self.key(deletion.replace("login=ab;", "")))
        self.assertNotEqual(self.key(deletion), self.key(chat()))
        self.assertNotEqual(self.key(deletion), self.key(deletion.replace("ts=1", "ts=2")))

    def test_clearchat(self) -> None:
        """Room, target, duration and time tell one CLEARCHAT from another."""
        line = "@ban-duration=1;room-id=9;tmi-sent-ts=5 :tmi.twitch.tv CLEARCHAT #someroom :troll"
        self.assertEqual(self.key(line), self.key(line.replace("room-id=9;", "").replace(":troll", "troll")))
        for old, new in [
            ("=1;", "=2;"),
            ("ts=5", "ts=6"),
            ("#someroom", "#other"),
            ("troll", "imp"),
            (" :troll", ""),
        ]:
            self.assertNotEqual(self.key(line), self.key(line.replace(old, new)), new)

    def test_whole_line(self) -> None:
        """What has nothing of the kind is known by the whole line."""
        for line in (
            b"@id= PRIVMSG #someroom :x",
            b"@room-id=9 ROOMSTATE #someroom",
            b"CLEARMSG #someroom :x",
        ):
            self.assertEqual(self.key(line), line)

    def test_hashable(self) -> None:
        """Keys can be kept in a set."""
        keys = {
            self.key(chat()),
            self.key(b"CLEARCHAT #someroom"),
            self.key(b"@target-msg-id=5 CLEARMSG #a :x"),
        }
        self.assertEqual(len(keys), 3)
