"""chatlog.yaml to settings. Every problem is found in one go, with its key and its line.

Values are read from their text as it was written, never from the value that YAML would make of it, so that a
channel may be called ``123``, ``no`` or ``null``. ``schema`` says what each key may hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chatlog.config import remedies, yaml_positions
from chatlog.config.contradictions import contradictions
from chatlog.config.masking import masked_behind_path, secrets_in
from chatlog.config.platform import Registry
from chatlog.config.room_names import name_alone
from chatlog.config.schema import Items, Section, Shape, Table, root_of
from chatlog.config.settings import RecorderSettings, Settings
from chatlog.config.shown_values import is_secret, meant_items, meant_value, quoted, quoted_key, shown_value
from chatlog.config.unknown_keys import unknown_key
from chatlog.config.values import Kind
from chatlog.config.yaml_positions import MAX_BYTES, Node, Scalar, Sequence, Unusable, YamlError
from chatlog.printable import printable

#: Characters of a single value that are read at most.
_LONGEST = 4096


class ConfigError(Exception):
    """A configuration that cannot be used. ``problems`` are sentences, in the order of the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_file(path: str) -> bytes:
    """The file's bytes, at most one more than is allowed. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def local(path: str) -> str:
    """The file that is read for ``path``: ``NAME.local.yaml`` if it exists beside ``NAME.yaml``. So users
    need not change a file that comes with Chatlog."""
    stem, ending = os.path.splitext(path)
    own = f"{stem}.local{ending}"
    return own if "\0" not in path and os.path.lexists(own) else path


def read_for(path: str) -> str:
    """A sentence that names the file that is read for ``path``."""
    own = local(path)
    instead = "" if own == path else f", which takes the place of {printable(path, 200)}"
    return f"From {printable(own, 200)}{instead}."


def load(
    path: str,
    environ: Mapping[str, str],
    platforms: Registry,
    read: Callable[[str], bytes] = read_file,
) -> Settings:
    """The settings in the file that is read for ``path``. Raises ConfigError."""
    path = local(path)
    shown = printable(path, 200)
    try:
        data = read(path)
    except FileNotFoundError:
        raise ConfigError([f"{shown}: there is no such file; name yours with --config"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{shown}: this is a directory; name the file in it"]) from None
    except PermissionError:
        raise ConfigError([f"{shown}: this user may not read the file; look at its owner and mode"]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError([f"{shown}: the file cannot be read: {reason}"]) from None
    return parse(data, environ, platforms, shown)


def parse(
    data: bytes, environ: Mapping[str, str], platforms: Registry, name: str = "chatlog.yaml"
) -> Settings:
    """The settings in a file's bytes; errors call the file ``name``. Raises ConfigError."""
    try:
        text = yaml_positions.decode(data)
        node = yaml_positions.compose(text)
    except YamlError as error:
        raise ConfigError([f"{name}:{error.line}: {error}"]) from None
    root = root_of({name: platform.section for name, platform in platforms.items()})
    reader = _Reader(environ, root, platforms)
    tree = None if node is None else reader.section(root, node, "")
    if tree is None and not reader.problems:
        raise ConfigError([f"{name}: the file is empty; the example that comes with Chatlog is chatlog.yaml"])
    if tree is not None:
        _check_together(reader, tree, platforms)
    if tree is None or reader.problems:
        reader.problems.sort(key=lambda problem: problem[0])
        keys = frozenset(_keys(root))
        secrets = secrets_in(text, keys)
        raise ConfigError(
            [
                f"{name}{f':{line}' if line else ''}: {masked_behind_path(said, secrets, keys)}"
                for line, said in reader.problems
            ]
        )
    settings: Settings = _build(root, _completed(tree, platforms))
    return settings


def _keys(section: Section) -> Iterator[str]:
    """The names of all keys in a section."""
    for key, shape in section.keys.items():
        yield key
        inner = shape.item if isinstance(shape, Items) else shape
        if isinstance(inner, Section):
            yield from _keys(inner)


class _Reader:
    """Reads the tree by the schema. ``problems`` are pairs of line (0: unknown) and sentence, ``lines`` the
    lines of the keys, ``wrong`` the keys that have a problem."""

    def __init__(self, environ: Mapping[str, str], root: Section, platforms: Registry) -> None:
        self.problems: list[tuple[int, str]] = []
        self.lines: dict[str, int] = {}
        self.wrong: set[str] = set()
        self._environ = environ
        self._root = root
        self._platforms = platforms

    def problem(self, path: str, text: str, line: int | None = None) -> None:
        """Add a problem with the key ``path``. Without ``line``, it is the key's line."""
        self.wrong.add(path)
        where = self.lines.get(path, 0) if line is None else line
        self.problems.append((where, f"{path}: {text}" if path else text))

    def section(self, section: Section, node: Node, path: str) -> dict[str, Any] | None:
        """The values of a mapping's keys, without missing, empty and wrong ones; None if the mapping itself
        is missing, empty or wrong."""
        if isinstance(node, Scalar):
            short = section.keys.get(section.short)
            if isinstance(short, Kind):
                value = self._value(short, node, path)
                return None if value is None else {section.short: value}
            if self._is_empty(node, path):
                return None
        if not isinstance(node, yaml_positions.Mapping):
            self._wrong_form(node, path, "keys with values", self._meant_keys(section, node))
            return None
        inside = f"{path}." if path else ""
        for line, key in node.twice:
            first = node.entries[key][0]
            self.problem(inside + quoted_key(key), f"the key is given twice; first in line {first}", line)
        found: dict[str, Any] = {}
        for key, (line, child) in node.entries.items():
            shape = section.keys.get(key)
            if shape is None:
                self.wrong.add(path)
                self.problem(inside + quoted_key(key), unknown_key(self._root, section, key, child), line)
                continue
            self.lines[inside + key] = line
            value = self._any(shape, child, inside + key)
            if value is not None:
                found[key] = None if value is _OFF else value
        for key in section.required:
            if key not in found and inside + key not in self.wrong:
                self.problem(inside + key, "this key is required", self.lines.get(inside + key, node.line))
        return found

    def _any(self, shape: Shape, node: Node, path: str) -> Any:
        if isinstance(shape, Section):
            return self.section(shape, node, path)
        if isinstance(shape, Items):
            return self._items(shape, node, path)
        if isinstance(shape, Table):
            return self._table(shape, node, path)
        return self._value(shape, node, path)

    def _table(self, shape: Table, node: Node, path: str) -> dict[str, Any] | None:
        if isinstance(node, Scalar) and self._is_empty(node, path):
            return None
        if not isinstance(node, yaml_positions.Mapping):
            self._wrong_form(node, path, "keys with values")
            return None
        found: dict[str, Any] = {}
        for line, key in node.twice:
            self.problem(path, f"{quoted(key)} is given twice", line)
        for key, (line, child) in node.entries.items():
            try:
                name = shape.key.read(key)
            except ValueError as error:
                self.problem(path, f"{quoted(key)} {error}", line)
                continue
            place = f"{path}.{name}"
            if name in found:
                self.problem(place, "this is given twice", line)
                continue
            self.lines[place] = line
            value = self._value(shape.value, child, place)
            if value is not None:
                found[name] = value
        return found

    def _items(self, shape: Items, node: Node, path: str) -> list[Any] | None:
        if isinstance(node, Scalar) and self._is_empty(node, path):
            return None
        if not isinstance(node, Sequence):
            self._wrong_form(node, path, f"a list of {shape.called}", meant_items(node, path, shape))
            return None
        found: list[Any] = []
        seen: dict[Any, int] = {}
        for index, child in enumerate(node.items):
            place = f"{path}[{index}]"
            self.lines[place] = child.line
            if isinstance(child, Scalar) and not child.text.strip():
                self.problem(place, "the item is empty (# begins a comment where it is not quoted)")
                self.wrong.add(path)
                continue
            known = len(self.problems)
            value = self._any(shape.item, child, place)
            if len(self.problems) > known:
                self.wrong.add(path)
                continue
            identity = shape.identity(value)
            if identity in seen:
                first = f"first in line {seen[identity]}"
                self.problem(place, f"{quoted(str(identity))} is in the list twice; {first}")
            else:
                seen[identity] = child.line
                found.append(value)
        return found

    def _value(self, kind: Kind, node: Node, path: str) -> Any:
        if not isinstance(node, Scalar):
            self._wrong_form(node, path, "a single value", meant_value(node, path, kind))
            return None
        text = self._text(node, path, kind.secret)
        if text is None:
            return None
        # An item of a list cannot be left out: a room may have the name "null".
        if node.is_null(text) and not (text and path.endswith("]")):
            return _OFF if kind.empty_is_off else None
        try:
            if text != node.text.strip():
                text = kind.computed(text)
            if kind.names:
                return kind.read(name_alone(text, self._platforms, path.partition(".")[0]))
            return kind.read(text)
        except ValueError as error:
            plain = text == node.text.strip() and not is_secret(text, kind.secret)
            said = str(error) if plain else str(error).partition("; write ")[0]
            hints = (remedies.variable, remedies.deceiving, remedies.dashes) if plain else ()
            remedy = next((found for found in (hint(text) for hint in hints) if found), "")
            self.problem(path, f"{shown_value(node, text, kind.secret)} {said}{remedy}")
            return None

    def _is_empty(self, node: Scalar, path: str) -> bool:
        """Whether nothing is given for a list or a mapping. Also True if that cannot be found out, which is
        then reported as a problem."""
        text = self._text(node, path, True)
        return text is None or node.is_null(text)

    def _text(self, node: Scalar, path: str, secret: bool) -> str | None:
        """The value's text with its environment variables replaced and without surrounding space."""
        try:
            text = yaml_positions.expand(node.text, self._environ).strip()
        except ValueError as error:
            self.problem(path, str(error))
            return None
        if len(text) > _LONGEST:
            self.problem(path, f"the value has more than {_LONGEST} characters")
            return None
        if not text.isprintable():
            wrong = "a line break or a control character"
            remedy = remedies.deceiving(text)
            self.problem(path, f"{shown_value(node, text, secret)} holds {wrong}{remedy}")
            return None
        return text

    def _wrong_form(self, node: Node, path: str, wanted: str, remedy: str = "") -> None:
        if isinstance(node, Unusable):
            self.problem(path, node.why, node.line)
            return
        forms = {Scalar: "a single value", Sequence: "a list", yaml_positions.Mapping: "keys with values"}
        self.problem(path, f"this must be {wanted}, not {forms[type(node)]}{remedy}", node.line)

    @staticmethod
    def _meant_keys(section: Section, node: Node) -> str:
        if isinstance(node, Scalar) and node.text:
            return remedies.write_keys(node.text, list(section.keys))
        lists = isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items)
        return "; write channels: in front of the list" if lists and "channels" in section.keys else ""


class _Off:
    """The type of ``_OFF``: the key is given and its value is empty on purpose."""


_OFF = _Off()


def _check_together(reader: _Reader, tree: dict[str, Any], platforms: Registry) -> None:
    """Report values that contradict each other, except for keys that are wrong already."""
    for path, text in contradictions(tree, reader.wrong, platforms):
        place = path
        while place not in reader.lines and "." in place:
            place = place.rpartition(".")[0]
        reader.problem(path, text, reader.lines.get(place, 0))


def _completed(tree: dict[str, Any], platforms: Registry) -> dict[str, Any]:
    """The tree with its consequences: a platform without rooms is removed, a small spool has small files."""
    for name, platform in platforms.items():
        if name in tree and tree.get("cluster"):
            # Its rooms come from the other recorders too.
            tree[name].setdefault("channels", [])
            platform.complete(tree[name])
        elif not tree.get(name, {}).get("channels"):
            tree.pop(name, None)
        else:
            platform.complete(tree[name])
    recorder = tree.get("recorder", {})
    if "max_size" in recorder:
        largest: int = recorder["max_size"] // 4
        recorder.setdefault("rotate_size", min(RecorderSettings().rotate_size, largest))
    return tree


def _build(section: Section, tree: dict[str, Any]) -> Any:
    """The settings for a tree of values."""
    arguments: dict[str, Any] = {}
    for key, value in tree.items():
        shape = section.keys[key]
        if isinstance(shape, Section):
            arguments[key] = _build(shape, value)
        elif isinstance(shape, Items):
            item = shape.item
            arguments[key] = tuple(_build(item, v) if isinstance(item, Section) else v for v in value)
        elif isinstance(shape, Table):
            arguments[key] = tuple(value.items())
        elif shape.fills:
            arguments.update(zip(shape.fills, value, strict=True))
        else:
            arguments[key] = value
    return section.make(**arguments)
