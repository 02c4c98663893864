"""Reads YAML into a tree that knows the line of every value.

PyYAML's own loader forgets the lines, takes the last of two equal keys, turns ``no`` into False and ``0x10``
into 16, and follows aliases without bound. This tree is built from the parser's events instead. It keeps the
text of every value as written, and its line. Tags construct nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Environment
from dataclasses import dataclass, field
from typing import Any

import yaml

from chatlog.config.yaml_mistakes import LINE_BREAK, explain

#: A configuration of a hundred thousand rooms with ids has half of this.
MAX_BYTES = 10_000_000
#: Levels of nesting; a configuration has four.
MAX_DEPTH = 20

# The parser in C where PyYAML was built with it (twenty times faster), else the one in Python.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Characters that YAML does not allow (YAML 1.1, 5.1); the parsers report them without a line.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)(.*))?\Z", re.DOTALL)
#: The first bytes of programs, archives and images.
_BINARY = (
    b"\x7fELF",
    b"\x1f\x8b",
    b"\x89PNG",
    b"PK\x03\x04",
    b"\x28\xb5\x2f\xfd",
    b"%PDF-",
    b"SQLite format",
)
#: Values without quotes that mean "nothing" in YAML.
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class YamlError(Exception):
    """The text is not YAML, or is beyond a limit. ``line`` counts from 1; the text never quotes the file."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(slots=True)
class Scalar:
    """A single value: its text as written, and whether it has no quotes (``plain``)."""

    line: int
    text: str
    plain: bool

    def is_null(self, text: str) -> bool:
        """Whether the value means "nothing"; ``text`` is its text with the variables replaced."""
        return not text or (self.plain and text in _NULLS)


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys with their values. ``twice`` are repeated keys; the first value counts."""

    line: int
    entries: dict[str, tuple[int, Node]] = field(default_factory=dict)
    twice: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Unusable:
    """A part of YAML that is not supported here; ``why`` is a sentence."""

    line: int
    why: str


Node = Scalar | Sequence | Mapping | Unusable


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises YamlError."""
    if len(data) > MAX_BYTES:
        raise YamlError(1, f"the file has more than {MAX_BYTES} bytes, too many for a configuration")
    if other := _no_text(data):
        raise YamlError(1, other)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(line, "the file is not UTF-8 text; save it in that encoding") from None
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        line = len(LINE_BREAK.findall(text, 0, forbidden.start())) + 1
        code = f"U+{ord(forbidden[0]):04X}"
        raise YamlError(line, f"the file holds the control character {code}, which YAML does not allow")
    return text


def _no_text(data: bytes) -> str:
    """A sentence if the file has another encoding or is not text; ``""`` if that cannot be seen."""
    save = "save it as UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return f"the file is UTF-16 or UTF-32 text (some editors call it Unicode); {save}"
    start = data[:4000]
    for first in (0, 1):
        if len(start) > 8 and not any(start[first::2]) and start[1 - first :: 2].isascii():
            return f"the file is UTF-16 text; {save}"
    if start.startswith(_BINARY) or start.count(0) > len(start) // 10 + 1:
        return "the file is not text; name a configuration file"
    return ""


def compose(text: str, loader: Any = None) -> Node | None:
    """The tree of a document; None if the document is empty. Raises YamlError."""
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=loader or _LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from None
    except (yaml.YAMLError, ValueError):
        raise YamlError(composer.line, "from here on this is not YAML") from None
    return composer.root


class _Composer:
    """Builds the tree from events. It keeps a list of the open nodes, each with the key that waits for its
    value."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.line = 1
        self._open: list[tuple[Node, _Key]] = []

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentEndEvent):
            return
        if event.start_mark is not None:
            self.line = event.start_mark.line + 1
        line = self.line
        match event:
            case yaml.DocumentStartEvent():
                if self.root is not None:
                    raise YamlError(line, "a second YAML document begins here; there can be only one")
            case yaml.ScalarEvent():
                self._add(self._tagged(event) or Scalar(line, event.value, not event.style))
            case yaml.AliasEvent():
                self._add(Unusable(line, "YAML aliases are not supported; write the value out"))
            case yaml.SequenceStartEvent():
                self._enter(event, Sequence(line))
            case yaml.MappingStartEvent():
                self._enter(event, Mapping(line))
            case yaml.CollectionEndEvent():
                self._open.pop()

    def _tagged(self, event: yaml.NodeEvent) -> Unusable | None:
        if getattr(event, "tag", None) is None:
            return None
        return Unusable(self.line, "YAML tags are not supported; write the value without one")

    def _enter(self, event: yaml.NodeEvent, node: Sequence | Mapping) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(self.line, f"more than {MAX_DEPTH} levels of nesting")
        # The content after a tag is read into a node that is not part of the tree.
        self._add(self._tagged(event) or node)
        self._open.append((node, _Key()))

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif isinstance(parent, Mapping):
            key.pair(parent, node)


class _Key:
    """The key that waits for its value."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: Node | None = None

    def pair(self, mapping: Mapping, node: Node) -> None:
        if self._waiting is None:
            self._waiting = node
            return
        key, self._waiting = self._waiting, None
        if not isinstance(key, Scalar):
            raise YamlError(key.line, "a key must be a plain word")
        if key.text in mapping.entries:
            mapping.twice.append((key.line, key.text))
        else:
            mapping.entries[key.text] = (key.line, node)


def _explained(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    mark = error.problem_mark or error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    return YamlError(*explain(text, row, column, MAX_DEPTH))


def expand(text: str, environ: Environment[str, str]) -> str:
    """``text`` with its variables replaced, as in a shell: ``${NAME}``, ``${NAME:-default}`` with a default
    for an unset or empty variable, ``${NAME-default}`` with one for an unset variable. Inserted text is not
    expanded again. Raises ValueError, whose text is a sentence, for a variable that is not set."""

    def value(match: re.Match[str]) -> str:
        reference = _REFERENCE.match(match[1])
        if reference is None or not match[2] or "${" in match[1]:
            raise ValueError("a variable is written ${NAME} or ${NAME:-default}, and this is neither")
        name, how, default = reference.groups()
        found = environ.get(name)
        if how and (found is None or (how == ":-" and not found)):
            return default
        if found is None:
            raise ValueError(
                f"the environment variable {name} is not set; set it, or write ${{{name}:-}} where it may "
                "be left out"
            )
        return found

    return _VARIABLE.sub(value, text)
