"""An archive with a person in all places in which one can be, in two instances, for erasure to be tested."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from chatlog.counters import Counters
from chatlog.kick.events import EventRecords
from chatlog.kick.pusher import Event
from chatlog.naming import FileName, utc_minute
from chatlog.record import encode_full, rfc3339
from chatlog.twitch import irc
from chatlog.twitch.events import event_record, unparsed_record
from chatlog.uploader.manifest_chain import Sealed
from chatlog.uploader.manifest_rows import BundledRow, HeadRow, ObjectRow, RoomRow, Row, encoded, name_of
from chatlog.uploader.packing import pack_data, unpacked
from tests.stores import MemoryStore

#: 2025-12-29T10:00:00Z, as seconds since the epoch.
TEN = 1767002400.0
HOUR = 3600.0
#: The person: id, name, name before, display name.
ID, NAME, OLD_NAME = "48151623", "hereandgone", "oncehere"
#: What nothing may contain afterwards.
TRACES = (ID, NAME, OLD_NAME, "farewell")
SUFFIX = ".zst"


def line(text: str, at: float, channel: str = "a") -> bytes:
    """The record of a line of IRC, in which TIME and NUM stand for what is different in each."""
    time = round(at * 1000)
    raw = text.replace("TIME", str(time)).replace("NUM", str(round(at) % 1000003)).encode()
    return event_record(irc.parse(raw), rfc3339(time), encode_full, channel, "7")


def said(name: str, id: str, words: str, at: float, tags: str = "") -> bytes:
    """A message in chat."""
    head = f"@{tags}id=m{len(name)}-NUM;room-id=7;display-name={name.title()};tmi-sent-ts=TIME;user-id={id}"
    return line(f"{head} :{name}!{name}@{name}.tmi.twitch.tv PRIVMSG #a :{words}", at)


def of_others(at: float) -> list[bytes]:
    """Records without the person, one of which has a text that is like an id."""
    return [said("ann", "1", "hello", at + n) for n in range(5)] + [
        line("@room-id=7;tmi-sent-ts=TIME :tmi.twitch.tv CLEARCHAT #a", at + 5),
        said("bob", "2", 'says \\"user_id\\":\\"9\\"', at + 6),
    ]


def own(at: float, name: str = NAME) -> list[bytes]:
    """What is the person's own: it goes as a whole."""
    return [
        said(name, ID, "farewell", at),
        line(
            f"@login={name};room-id=;target-msg-id=m-1;tmi-sent-ts=TIME :tmi.twitch.tv CLEARMSG #a :farewell",
            at,
        ),
        line(
            f"@ban-duration=60;room-id=7;target-user-id={ID};tmi-sent-ts=TIME "
            f":tmi.twitch.tv CLEARCHAT #a :{name}",
            at,
        ),
        line(f"@room-id=7;target-user-id={ID};tmi-sent-ts=TIME :tmi.twitch.tv CLEARCHAT #a :{name}", at + 1),
        line(
            f"@id=u-NUM;login={name};msg-id=raid;msg-param-login={name};msg-param-displayName={name};room-id=7;"
            f"system-msg=5\\sraiders\\sfrom\\s{name};tmi-sent-ts=TIME;user-id={ID} "
            ":tmi.twitch.tv USERNOTICE #a",
            at + 2,
        ),
        unparsed_record(
            f"@user-id={ID};broken :{name}!".encode(), rfc3339(round(at * 1000)), encode_full, "a"
        ),
    ]


def about(at: float) -> list[bytes]:
    """Records of others that name the person or repeat their words: they stay, without that."""
    reply = (
        f"reply-parent-display-name={NAME.title()};reply-parent-msg-body=farewell\\sall;reply-parent-msg-id=x;"
        f"reply-parent-user-id={ID};reply-parent-user-login={NAME};reply-thread-parent-user-id={ID};"
        f"reply-thread-parent-user-login={NAME};reply-thread-parent-display-name={NAME};"
    )
    strange = (
        f"@{reply}id=q-NUM;room-id=7;tmi-sent-ts=TIME;user-id=3 :cat!cat@cat.tmi.twitch.tv PRIVMSG #a :\xff"
    )
    raw = strange.replace("TIME", str(round(at * 1000) + 2000)).encode("latin-1")
    return [
        said("ann", "1", "I do not agree", at, reply),
        line(
            "@id=g-NUM;login=bob;msg-id=subgift;msg-param-recipient-display-name="
            + NAME
            + ";msg-param-recipient-id="
            f"{ID};msg-param-recipient-user-name={NAME};room-id=7;system-msg=Bob\\sgifted\\sa\\ssub\\sto\\s{NAME}!;"
            "tmi-sent-ts=TIME;user-id=2 :tmi.twitch.tv USERNOTICE #a",
            at + 1,
        ),
        event_record(irc.parse(raw), rfc3339(round(at * 1000)), encode_full, "a", "7"),
    ]


def on_kick(at: float) -> list[bytes]:
    """The same on Kick, with a deletion that has the message's id alone."""
    records = EventRecords(encode_full, Counters())
    person = {"id": int(ID), "username": NAME.title(), "slug": NAME}
    ann = {"id": 1, "username": "Ann", "slug": "ann"}

    def event(name: str, data: Mapping[str, object]) -> bytes:
        found = Event(f"App\\Events\\{name}", "chatrooms.9.v2", data)
        return records.line(found, b"{}", "k", "9", rfc3339(round(at * 1000)))

    message = {"id": "k-1", "content": "farewell", "sender": person}
    answer = {"original_sender": person, "original_message": {"id": "k-1", "content": "farewell"}}
    return [
        event("ChatMessageEvent", message),
        event("ChatMessageEvent", {"id": "k-2", "content": "no", "sender": ann, "metadata": answer}),
        event("MessageDeletedEvent", {"id": "d-1", "message": {"id": "k-1"}}),
        event("MessageDeletedEvent", {"id": "d-2", "message": {"id": "k-2"}}),
        event("UserBannedEvent", {"id": "b-1", "user": person, "banned_by": ann, "permanent": True}),
    ]


class People:
    """The archive in a store in memory, of two recorders, ``main`` and ``two``; each has a manifest for every
    hour."""

    def __init__(self, instances: Iterable[str] = ("", "two")) -> None:
        self.store = MemoryStore()
        for instance in instances:
            self._recorded(instance)

    def _recorded(self, instance: str) -> None:
        shift = 0.001 if instance else 0.0
        hours = [
            (TEN, "twitch", "a", own(TEN, OLD_NAME) + of_others(TEN + shift)),
            (TEN + HOUR, "twitch", "a", of_others(TEN + HOUR) + about(TEN + HOUR + 10 + shift)),
            (TEN + 2 * HOUR, "twitch", "a", of_others(TEN + 2 * HOUR)),
            (TEN + 3 * HOUR, "twitch", "a", own(TEN + 3 * HOUR + shift)),
            (
                TEN + 3 * HOUR,
                "twitch",
                "_server",
                [
                    line(
                        f":{NAME}!{NAME}@{NAME}.tmi.twitch.tv WHISPER me :farewell", TEN + 3 * HOUR, "_server"
                    )
                ],
            ),
            (TEN + 4 * HOUR, "kick", "k", on_kick(TEN + 4 * HOUR + shift)),
        ]
        rows = [
            self.put(FileName(platform, channel, utc_minute(at), instance), found)
            for at, platform, channel, found in hours
        ]
        # A second file of the same minute, and the first of one that began anew in it.
        rows.append(self.put(FileName("twitch", "a", utc_minute(TEN), instance, 2), of_others(TEN + 30)))
        self.manifest(TEN, TEN + 6 * HOUR, instance, rows)

    def put(self, name: FileName, found: Iterable[bytes]) -> ObjectRow:
        """An object."""
        key = name.key(suffix=SUFFIX)
        packed = pack_data(b"".join(found), SUFFIX)
        self.store.objects[key] = packed.data
        contents = packed.contents
        return ObjectRow(key, len(packed.data), packed.sha256, contents.lines, contents.first, contents.last)

    def manifest(
        self, since: float, until: float, instance: str, rows: Sequence[ObjectRow | BundledRow]
    ) -> None:
        """The manifest of a recorder."""
        head = HeadRow(since, until, "1.2.3", instance or "main")
        rooms = [RoomRow("twitch", "a", until - since, 0.0, "")]
        all_rows: list[Row] = [head, *rows, *rooms]
        data = b"".join(Sealed(map(encoded, all_rows), None))
        self.store.objects[name_of(head).key(SUFFIX)] = pack_data(data, SUFFIX).data

    def traces(self, of: Iterable[str] = TRACES) -> list[str]:
        """Every trace in everything that the store has: what is packed is unpacked, and base64 is read."""
        found = []
        for key, data in self.store.objects.items():
            text = data
            with suppress(ValueError):
                text = b"".join(unpacked([data], SUFFIX)) if key.endswith(SUFFIX) else data
            for whole in re.findall(rb'base64":"([^"]*)"', text):
                text += base64.b64decode(whole)
            folded = text.lower()
            found += [f"{trace} in {key}" for trace in of if trace.encode() in folded]
            found += [f"{trace} in the key {key}" for trace in of if trace in key]
        return found

    def lines(self) -> list[bytes]:
        """All lines of all recordings."""
        found: list[bytes] = []
        for key, data in self.store.objects.items():
            if key[:2] == "20":
                found += b"".join(unpacked([data], SUFFIX)).splitlines(keepends=True)
        return found

    def object(self, name: FileName) -> list[bytes]:
        """The lines of one object."""
        data = self.store.objects[name.key(suffix=SUFFIX)]
        return b"".join(unpacked([data], SUFFIX)).splitlines(keepends=True)

    def digest(self) -> str:
        """The same for the same objects."""
        whole = hashlib.sha256()
        for key in sorted(self.store.objects):
            whole.update(key.encode() + self.store.objects[key])
        return whole.hexdigest()


def pinned(at: float) -> list[bytes]:
    """On Kick, a pinned message of the person, and one of somebody else that the person pinned."""
    records = EventRecords(encode_full, Counters())
    person = {"id": int(ID), "username": NAME.title(), "slug": NAME}
    ann = {"id": 1, "username": "Ann", "slug": "ann"}
    found = []
    for number, (wrote, by) in enumerate(((person, ann), (ann, person))):
        message = {
            "id": f"p-{number}",
            "content": "farewell" if wrote is person else "hello",
            "sender": wrote,
        }
        data = {"message": message, "duration": "20", "pinnedBy": by}
        event = Event("App\\Events\\PinnedMessageCreatedEvent", "chatrooms.9.v2", data)
        found.append(records.line(event, b"{}", "k", "9", rfc3339(round((at + number) * 1000))))
    return found
