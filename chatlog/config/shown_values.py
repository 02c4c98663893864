"""Parts of a wrong value as an error may show them: without credentials, cut, and with the value that was
probably meant."""

from __future__ import annotations

from chatlog.config import remedies, yaml_positions
from chatlog.config.masking import masked
from chatlog.config.schema import Items
from chatlog.config.values import Kind
from chatlog.config.yaml_positions import Node, Scalar
from chatlog.printable import printable

#: Characters of a value that an error shows.
_SHOWN = 40


def shown_value(node: Scalar, text: str, secret: bool) -> str:
    """The value as an error may show it. Values from the environment and values that look like a credential
    are not shown."""
    if is_secret(text, secret):
        return "the value"
    return quoted(text if text == node.text.strip() else node.text.strip())


def is_secret(text: str, secret: bool) -> bool:
    """Whether the value may be a credential. ``secret``: its key holds one."""
    return secret or "oauth:" in text.lower() or "@" in text


def quoted(text: str) -> str:
    """A text as an error may show it."""
    # Before it is cut: the beginning of a word does not look made up.
    return f'"{printable(masked(text), _SHOWN)}"'


def quoted_key(key: str) -> str:
    """A key as an error may show it. A key that is not a word may be a misplaced credential."""
    is_short = key.isprintable() and 0 < len(key) <= 25 and "oauth:" not in key.lower()
    return key if is_short else "(a key that is not shown)"


def meant_items(node: Node, path: str, shape: Items) -> str:
    """The remedy for something that should be a list."""
    key = path.rpartition(".")[2]
    if isinstance(node, Scalar) and "oauth:" not in node.text.lower() and "@" not in node.text:
        return remedies.write_list(key, node.text)
    if isinstance(node, yaml_positions.Mapping):
        pairs = _pairs(node)
        if len(pairs) == len(node.entries):
            return remedies.write_items(key, pairs, isinstance(shape.item, Kind) and shape.item.names)
    return ""


def meant_value(node: Node, path: str, kind: Kind) -> str:
    """The remedy for something that should be a single value."""
    if not isinstance(node, yaml_positions.Mapping):
        return ""
    key = path.rpartition(".")[2].partition("[")[0]
    return remedies.write_value(key, _pairs(node), kind.names and path.endswith("]"))


def _pairs(node: yaml_positions.Mapping) -> list[tuple[str, str]]:
    """The keys that have a single value, with its text."""
    values = [(name, child) for name, (_, child) in node.entries.items()]
    return [(name, child.text) for name, child in values if isinstance(child, Scalar)]
