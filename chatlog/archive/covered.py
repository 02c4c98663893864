"""What an index says of a file besides its people and words: all that a reader needs to leave it out.

A file is known again by its name, the suffix of its compression, and its size: no name is ever used for other
records, and what is erased or cut makes a new file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from chatlog.archive.gaps import Gap
from chatlog.archive.parts import Part


class Covered(NamedTuple):
    """``reached``: the time that its records had reached, as in their lines; None if it could not be read
    when the index was made. ``gaps``: those of its gap records."""

    suffix: str
    size: int
    reached: bytes | None
    gaps: tuple[Gap, ...] = ()


def as_json(files: dict[str, Covered]) -> str:
    """Files by their names, as the index has them."""
    return orjson.dumps([[name, *_values(each)] for name, each in sorted(files.items())]).decode()


def _values(covered: Covered) -> list[Any]:
    reached = None if covered.reached is None else covered.reached.decode("ascii")
    return [covered.suffix, covered.size, reached, [list(gap) for gap in covered.gaps]]


def from_json(text: str) -> dict[str, Covered]:
    """The same back. Raises ValueError."""
    found = {}
    try:
        for name, suffix, size, reached, gaps in orjson.loads(text):
            come = None if reached is None else reached.encode("ascii")
            found[name] = Covered(suffix, size, come, tuple(Gap(*gap) for gap in gaps))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return found


def short_name(part: Part) -> str:
    """The name of a part without what all files of its room have in common; with a number if several have
    it."""
    begin = len(part.name.platform) + len(part.name.channel) + 2
    number = f" {part.copy}" if part.copy else ""
    return f"{str(part.name)[begin : -len('.jsonl')]}{number}"


def is_same(part: Part, covered: Covered) -> bool:
    """Whether the stored part is the file that the index knows."""
    return not part.area and (part.suffix, part.size) == (covered.suffix, covered.size)


def listed(parts: Iterable[Part]) -> set[tuple[str, str, int]]:
    """Parts as an index would know them."""
    return {(short_name(part), part.suffix, part.size) for part in parts}
