"""Records that no Chatlog wrote: any value of theirs may be of any kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from chatlog.commands.export import FORMATS
from chatlog.record import from_json
from tests.archive.world import MIDNIGHT, said
from tests.commands.test_reading import DAY, CommandTestCase

#: What a value may be instead of text or an object.
KINDS: tuple[object, ...] = (None, True, 3, 2.5, [], ["x"], {}, {"a": [1]}, "", "\0", "é", 10**30)
DETAILS = (
    "badges", "color", "emotes", "bits", "display-name", "sender", "params", "source", "msg-id", "system-msg",
    "target-msg-id", "ban-duration", "duration", "banned_by", "message", "from", "to", "reason", "instance",
    "raw", "raw_base64", "dropped", "backfilled",
)  # fmt: skip
TYPES = ("message", "delete", "timeout", "ban", "clear", "gap", "notice", "subscription", "raid", "unparsed")


def foreign() -> Iterator[bytes]:
    """Lines in each of which one value is of another kind, or is not there."""
    usual = from_json(said(MIDNIGHT, "hello", "ann", id="1"))
    for key in usual:
        yield from (_line({**usual, key: kind}) for kind in KINDS)
        yield _line({other: value for other, value in usual.items() if other != key})
    for number, key in enumerate(DETAILS * len(TYPES)):
        details = {**usual["details"], key: KINDS[number % len(KINDS)]}
        yield _line({**usual, "type": TYPES[number // len(DETAILS)], "details": details})
        nested = {**usual["details"], "sender": {"username": "ann", "identity": KINDS[number % len(KINDS)]}}
        yield _line({**usual, "details": nested})
    yield from (json.dumps(kind).encode() + b"\n" for kind in KINDS)


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class ForeignTests(CommandTestCase):
    """Every command gives what it can, and ends as it does with good records."""

    def setUp(self) -> None:
        super().setUp()
        for room in (("twitch", "a"), ("kick", "a")):
            lines = [
                line.replace(b'"platform":"twitch"', f'"platform":"{room[0]}"'.encode()) for line in foreign()
            ]
            self.world.put(MIDNIGHT, [*lines, said(MIDNIGHT + 60, "the last", "ann", id="9")], room=room)

    def check(self, *arguments: str) -> str:
        result = self.run_it(*arguments)
        self.assertIn(result.exit_code, (0, 1), (arguments, result.output[-300:]))
        self.assertIsNone(
            result.exception if not isinstance(result.exception, SystemExit) else None, arguments
        )
        return result.stdout

    def test_exports(self) -> None:
        """Every format, whatever is done with deleted messages; what is good is in it."""
        for platform in ("twitch", "kick"):
            for format in FORMATS:
                for deleted in ("keep", "mark", "drop"):
                    if format == "parquet" and deleted == "mark":
                        continue
                    path = Path(self.root, "out")
                    path.unlink(missing_ok=True)
                    arguments = (f"{platform}/a", "--since", DAY, "--format", format, "--deleted", deleted)
                    self.check("export", *arguments, "-o", str(path))
                    self.assertTrue(path.stat().st_size)
                    if format not in ("parquet",):
                        self.assertIn(b"the last", path.read_bytes())

    def test_questions(self) -> None:
        """A day, a text, a pattern, a person, a type, a badge."""
        for room in ("twitch/a", "kick/a"):
            self.assertIn("the last", self.check("log", room, DAY))
            asked = ("search", "--room", room, "--since", DAY, "--oldest", "--limit", "100000")
            for question in (("last",), ("l.st", "--regex"), ("--user", "ann"), ("--user", "id:a1")):
                self.assertIn("the last", self.check(*asked, *question))
            self.check(*asked, "--type", "ban", "--badge", "vip", "--context", "2")
            self.check("user", f"{room.split('/')[0]}/ann")
