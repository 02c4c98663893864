"""The part of a record that belongs to one person: the whole record, some fields, or nothing.

A person's own records are left out: their messages, and records about them alone (their time-out, the
deletion or the pin of their message). In a record of another person, only the fields that name or repeat the
person are blanked: the message that is replied to, who began the thread, who got a gift, who moderated. What
other people say in their own words stays. So does the room, which is no person here even where it has a
person's name.

People are known by their ids, for names change hands. A name counts only where the platform sends no id with
it.
Without Twisted, clock and state; the reader of a room, the recorder and erasure use the same rules.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from chatlog.record import from_json, to_line

#: The text that replaces a name in a platform's sentence.
REMOVED = "[removed]"

Record = Mapping[str, Any]


class Who(Protocol):
    """The person, or the people, whose records are looked for: of the record's platform and room."""

    def has_id(self, id: str) -> bool:
        """Whether this platform id, never ``""``, is one of these people's."""

    def has_name(self, name: str) -> bool:
        """Whether this name in lower case, never ``""``, is one of these people's."""

    def has_message(self, id: str) -> bool:
        """Whether the message with this id, never ``""``, is one of these people's."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person: the platform's ``id``, and the ``names`` in lower case; or just single ``messages`` by
    their ids."""

    id: str = ""
    names: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()

    def has_id(self, id: str) -> bool:
        """See ``Who``."""
        return id == self.id

    def has_name(self, name: str) -> bool:
        """See ``Who``."""
        return name in self.names

    def has_message(self, id: str) -> bool:
        """See ``Who``."""
        return id in self.messages


def redacted(record: Record, who: Who) -> Record | None:
    """The record without what belongs to ``who``: the same object if nothing does, None if all of it does."""
    details = record.get("details")
    if not isinstance(details, Mapping):
        details = {}
    if _is_of_person(record, details, who):
        return None
    if record.get("type") == "unparsed":
        return None if _in_raw(details, who) else record
    cleaned: dict[str, Any] = {}
    walk = _Walk(who)
    new = walk.mapping(details)
    if record.get("type") == "notice" and _MODERATION.search(str(details.get("msg-id", ""))):
        cleaned["message"] = walk.sentence(str(record.get("message", "")))
        if isinstance(params := new.get("params"), list):
            new = {**new, "params": [walk.sentence(str(part)) for part in params]}
    said = str(record.get("message", ""))
    if walk.answered and (match := _GREETING.match(said)) and match[1].lower() in walk.names:
        # Twitch puts the name before the text of an answer. The length stays: emotes are found by position.
        cleaned["message"] = "@" + "*" * len(match[1]) + said[match.end() :]
        if isinstance(params := new.get("params"), list):
            new = {**new, "params": [cleaned["message"] if part == said else part for part in params]}
    if new != details or _in_raw(details, who):
        cleaned["details"] = {key: value for key, value in new.items() if key not in _WHOLE}
    if all(record.get(key) == value for key, value in cleaned.items()):
        return record
    return {**record, **cleaned}


def redacted_line(line: bytes, who: Who) -> bytes | None:
    """The same for one line of an archive, with or without its newline: the same object if nothing belongs to
    ``who``, None if all of it does. A line that is no record stays unchanged, unless it names the person like
    an unparsed line of a platform."""
    try:
        record = from_json(line)
    except (ValueError, RecursionError):
        return None if named_in(line.decode("utf-8", "replace"), who) else line
    if not isinstance(record, dict):
        return line
    rest = redacted(record, who)
    if rest is record:
        return line
    if rest is None:
        return None
    return to_line(rest) if line.endswith(b"\n") else to_line(rest)[:-1]


def named_in(raw: str, who: Who) -> bool:
    """Whether a platform's line or frame that could not be parsed names the person outside of the text."""
    return any(
        (by == "id" and who.has_id(value)) or (by == "name" and who.has_name(value.lower()))
        for by, value in _named(raw)
    )


#: The keys of details that repeat a whole line or frame.
_WHOLE = frozenset({"raw", "raw_base64", "@raw", "@raw_base64"})
#: Notices of Twitch that name a person, by their ``msg-id``.
_MODERATION = re.compile("ban|timeout|delete|host|raid|mod_|mods|vip")
_GREETING = re.compile(r"@(\S+?)(?=[\s,:]|\Z)")
_ROLES = (
    "recipient|gifter|sender|target|user|moderator|host|raider|viewer|streamer|creator|follower|subscriber|winner"
    "|pinned_by|banned_by"
)
#: A key that holds a person's id or name: the beginning of the key says whose. All other ids are those of
#: messages, rooms, gifts, charities and the like.
_ID_KEY = re.compile(
    rf"(|msg-param-|reply-(?:thread-)?parent-|.*?(?:{_ROLES})[-_])(?:user[-_]?)?ids?\Z", re.IGNORECASE
)
_NAME_KEY = re.compile(
    r"(|.*?[-_])(?:(?:user[-_]?)?(?:login|display-?name)|user[-_]?names?|contributor-\d+)\Z"
    rf"|(.*?(?:{_ROLES})[-_])(?:names?|slug)\Z",
    re.IGNORECASE,
)
#: Keys with this beginning may be about several people and other things.
_MIXED = frozenset({"", "msg-param-"})
#: Keys with names and ids of things.
_THINGS = frozenset(
    {
        "id", "name", "room-id", "source-room-id", "source-id", "channel_id", "chatroom_id", "msg-id",
        "msg-param-id", "msg-param-ids", "msg-param-channel-display-name", "reply-parent-msg-id",
        "reply-thread-parent-msg-id", "target-msg-id", "channel_name", "channel_slug",
    }
)  # fmt: skip
#: Keys of objects that are no person, even if they have a person's name.
_ROOMS = frozenset({"channel", "chatroom", "livestream", "category", "categories", "gift", "emote", "badge"})
#: ``user-id=1``, ``"user_id":1``, ``"sender":{"id":1``, also where the JSON is a string in JSON;
#: ``login=ann``, ``:ann!ann@``, ``"username":"ann"``.
_NAMED = re.compile(
    r"(?:user-id=|recipient-id=|gifter-id=|user_id\\*\":\s*\\*\"?"
    r"|(?:sender|user|gifter|banned_by)\\*\":\s*\{\\*\"id\\*\":\s*\\*\"?)(\d+)"
    r"|(?:(?<![\w-])login=|user-login=|user-name=|display-name=|(?:username|slug)\\*\":\s*\\*\")([^\s;\"\\!=]+)"
    r"|(?:\A|\s):([^\s!]{1,80})!",
    re.IGNORECASE,
)


def _named(raw: str) -> Iterator[tuple[str, str]]:
    for match in _NAMED.finditer(raw):
        yield ("id", match[1]) if match[1] else ("name", match[2] or match[3])


def _in_raw(details: Record, who: Who) -> bool:
    for key in _WHOLE & details.keys():
        text = str(details[key])
        if key.endswith("base64"):
            with suppress(ValueError):
                text = base64.b64decode(text).decode("utf-8", "replace")
        if named_in(text, who):
            return True
    return False


def _id(value: object) -> str:
    return str(value) if type(value) in (int, str) else ""


def _is_of_person(record: Record, details: Record, who: Who) -> bool:
    user_id, name, id = (_id(record.get(key)) for key in ("user_id", "username", "id"))
    if user_id:
        if who.has_id(user_id):
            return True
    elif name and who.has_name(name.lower()):
        return True
    if id and who.has_message(id):
        return True
    kind = record.get("type")
    message = details.get("message")
    about = _id(details.get("target-msg-id"))
    if kind in ("delete", "pin") and isinstance(message, Mapping):
        about = _id(message.get("id"))
    if about and who.has_message(about):
        return True
    params = details.get("params")
    if details.get("command") in ("MODE", "HOSTTARGET") and isinstance(params, list):
        words = [str(part).split(" ")[0].lower() for part in params[1:]]
        return any(word and who.has_name(word) for word in words)
    return False


class _Walk:
    """Copies details without the person. ``names``: how the person is called in them, in lower case.
    ``answered``: whether the record answers the person."""

    def __init__(self, who: Who) -> None:
        self._who = who
        self.names: set[str] = set()
        self.answered = False

    def mapping(self, found: Record) -> Record:
        """The mapping without what belongs to the person; the same object if nothing does."""
        new = dict(found)
        for key, value in found.items():
            if isinstance(value, Mapping):
                if key not in _ROOMS:
                    new[key] = {} if self._is_person(value) else self.mapping(value)
            elif isinstance(value, list) and key != "params":
                new[key] = [self._item(item) for item in value]
        self._answer(found, new)
        for key in self._keys_of_person(found):
            new[key] = _blank(found[key], self._who)
        if self.names and isinstance(said := found.get("system-msg"), str):
            new["system-msg"] = self.sentence(said)
        return new if new != found else found

    def sentence(self, text: str) -> str:
        """A platform's sentence without the person's names."""
        return re.sub(r"\S+", self._word, text)

    def _word(self, match: re.Match[str]) -> str:
        word = match[0]
        bare = word.strip("@.,:;!?()\"'").removesuffix("'s")
        if bare and (bare.lower() in self.names or self._who.has_name(bare.lower())):
            return word.replace(bare, REMOVED)
        return word

    def _item(self, item: object) -> object:
        if isinstance(item, Mapping):
            return {} if self._is_person(item) else self.mapping(item)
        return [self._item(inner) for inner in item] if isinstance(item, list) else item

    def _is_person(self, found: Record) -> bool:
        """Whether an object is the person: has the id, or has the name and no id."""
        if "username" not in found and "slug" not in found:
            return False
        id = _id(found.get("id")) or _id(found.get("user_id"))
        names = {str(found[key]).lower() for key in ("username", "slug") if isinstance(found.get(key), str)}
        is_person = self._who.has_id(id) if id else any(name and self._who.has_name(name) for name in names)
        if is_person:
            self.names |= names - {""}
        return is_person

    def _answer(self, found: Record, new: dict[str, Any]) -> None:
        """Kick repeats the answered message and its sender in two fields: if one of them is the person's,
        both go."""
        said = found.get("original_message")
        if not isinstance(said, Mapping):
            return
        wrote = found.get("original_sender")
        id = _id(said.get("id"))
        if (id and self._who.has_message(id)) or (wrote and new.get("original_sender") == {}):
            new["original_message"], new["original_sender"] = {}, {}

    def _keys_of_person(self, found: Record) -> set[str]:
        """The keys that belong to the person. Keys that begin alike are about one person, and the id
        decides."""
        groups: dict[str, tuple[list[str], dict[str, list[str]]]] = {}
        for key, value in found.items():
            if key in _THINGS or isinstance(value, Mapping):
                continue
            values = [one for one in map(_id, value if isinstance(value, list) else [value]) if one]
            if match := _ID_KEY.match(key):
                groups.setdefault(match[1], ([], {}))[0].extend(values)
            elif match := _NAME_KEY.match(key):
                prefix = match[2] if match[1] is None else match[1]
                groups.setdefault(prefix, ([], {}))[1][key] = [one.lower() for one in values]
        found_keys: set[str] = set()
        for prefix, (ids, names) in groups.items():
            if ids:
                hit = any(map(self._who.has_id, ids))
            else:
                hit = any(self._who.has_name(name) for called in names.values() for name in called)
            about = _id(found.get(f"{prefix}msg-id")) if prefix.startswith("reply-") else ""
            if not (hit or (about and self._who.has_message(about))):
                continue
            self.answered |= prefix.startswith("reply-parent")
            for key in found:
                if key in _THINGS or not key.startswith(prefix):
                    continue
                called = names.get(key, [])
                own = bool(ids) and (key in names or bool((m := _ID_KEY.match(key)) and m[1] == prefix))
                if own or prefix not in _MIXED or any(map(self._who.has_name, called)):
                    found_keys.add(key)
                    self.names.update(name for name in called if len(called) == 1 or self._who.has_name(name))
        return found_keys


def _blank(value: object, who: Who) -> object:
    if isinstance(value, list):
        # A list of names or ids: only the person's go, and the others keep their places.
        return [_blank(item, who) if _is_of(item, who) else item for item in value]
    if isinstance(value, str):
        return ""
    return 0 if type(value) is int else value


def _is_of(value: object, who: Who) -> bool:
    text = _id(value)
    return bool(text) and (who.has_id(text) or who.has_name(text.lower()))
