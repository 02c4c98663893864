"""A type of record has its place wherever types are told apart, or is left out there on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.formats.chatjson import comment
from chatlog.archive.formats.irc import irc_line, system_text
from chatlog.archive.moderation import HIT
from chatlog.archive_http.log_formats import COMMAND_NUMBERS
from chatlog.record import TYPES
from chatlog.twitch.events import KNOWN_COMMANDS

ROOT = Path(__file__).resolve().parents[1]
#: Commands of Twitch that log servers have no number for.
WITHOUT_NUMBER = frozenset({"HOSTTARGET", "MODE"})
#: What no person and no platform did in a chat, and what no rule knows.
_ASIDE = frozenset({"room", "notice", "unparsed", "gap"})
_UNKNOWN = frozenset({"event"})
_SAID = frozenset({"message", "action", "announcement"})
_MODERATION = frozenset({"delete", "timeout", "ban", "unban", "clear"})


class Place(NamedTuple):
    """Where types are told apart. ``has(type)``: whether it knows the type. ``left_out``: the types that it
    has nothing to say about, on purpose."""

    name: str
    has: Callable[[str], bool]
    left_out: frozenset[str]


def _in_script(type: str) -> bool:
    """Whether the pages have words for the type of a record."""
    script = (ROOT / "chatlog/http/assets/records.js").read_text("utf-8")
    said = re.search(r"const SAID = new Set\(\[(.*?)\]\)", script)
    return f'case "{type}":' in script or (said is not None and f'"{type}"' in said[1])


def _in_filter(name: str) -> Callable[[str], bool]:
    """Whether a type is in a filter of a page of the archive."""
    page = (ROOT / "chatlog/archive_http/assets" / name).read_text("utf-8")
    values = re.findall(r'<option value="([a-z,]+)">(?:Messages|Moderation|Events)</option>', page)
    types = {type for value in values for type in value.split(",")}
    return types.__contains__


PLACES = (
    Place("happening in chatlog/http/assets/records.js", _in_script, _UNKNOWN),
    Place("the filter of chatlog/archive_http/assets/search.html", _in_filter("search.html"), _ASIDE),
    Place("the filter of chatlog/archive_http/assets/day.html", _in_filter("day.html"), _ASIDE),
    Place(
        "_COMMENT_TYPES in chatlog/archive/formats/chatjson.py",
        lambda type: comment({"type": type, "message": "x"}, 0.0) is not None,
        _ASIDE | _UNKNOWN | _MODERATION | {"reward", "pin", "poll"},
    ),
    Place(
        "system_text in chatlog/archive/formats/irc.py",
        lambda type: system_text({"type": type}) != "",
        _ASIDE | _UNKNOWN | _SAID | {"poll"},
    ),
    Place(
        "the lines for Kick in chatlog/archive/formats/irc.py, which log servers give",
        lambda type: irc_line({"platform": "kick", "type": type}) != "",
        _ASIDE | _UNKNOWN | {"announcement", "unban"},
    ),
    Place(
        "HIT in chatlog/archive/moderation.py",
        HIT.__contains__,
        _ASIDE | _UNKNOWN | _MODERATION | {"gift", "raid", "reward", "pin", "poll"},
    ),
)


def forgotten(types: Collection[str]) -> Iterator[str]:
    """A sentence for every place that knows nothing of a type."""
    for type in sorted(types):
        for place in PLACES:
            if not place.has(type) and type not in place.left_out:
                yield (
                    f"{type!r} is a type of record (TYPES in chatlog/record.py), and it is not in "
                    f"{place.name}. Add it there; or, if it has no business there, to what that place "
                    f"leaves out, in {__name__}."
                )


class EventTypeTests(SynchronousTestCase):
    def test_every_type(self) -> None:
        """Every type has its words, its filter, and its line in what other programs read."""
        sentences = list(forgotten(TYPES))
        self.assertTrue(not sentences, "\n".join(sentences))

    def test_a_new_type(self) -> None:
        """A type that was added and put nowhere else is missed in every place."""
        sentences = list(forgotten([*TYPES, "hypetrain"]))
        self.assertEqual(len(sentences), len(PLACES))
        for place, sentence in zip(PLACES, sentences, strict=True):
            self.assertIn("'hypetrain' is a type of record", sentence)
            self.assertIn(place.name, sentence)

    def test_left_out(self) -> None:
        """What a place leaves out is a type, and is not there."""
        for place in PLACES:
            self.assertLessEqual(place.left_out, TYPES, place.name)
            self.assertEqual([type for type in sorted(place.left_out) if place.has(type)], [], place.name)

    def test_commands_of_twitch(self) -> None:
        """Every command of Twitch that becomes a record has its number in the logs of log servers."""
        without = KNOWN_COMMANDS - COMMAND_NUMBERS.keys()
        sentence = (
            "add them to COMMAND_NUMBERS in chatlog/archive_http/log_formats.py, so that log servers give "
            f"their records; or, if clients have no use for them, to WITHOUT_NUMBER in {__name__}"
        )
        self.assertEqual(without, WITHOUT_NUMBER, sentence)
