"""Puts file and line in front of problems that are found after the configuration was read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from chatlog.config import yaml_positions
from chatlog.config.config import local, read_file
from chatlog.config.yaml_positions import Node, YamlError
from chatlog.printable import printable

_KEY = re.compile(r"([a-z0-9_]+(?:\.[a-z0-9_]+)*): ")


def placed(path: str, problems: Sequence[str], read: Callable[[str], bytes] = read_file) -> list[str]:
    """The problems, those that begin with a key of the file that is read for ``path`` with file and line in
    front. A key that is not in the file has its default, and no line."""
    if not problems:
        return []
    path = local(path)
    try:
        root = yaml_positions.compose(yaml_positions.decode(read(path)))
    except (OSError, ValueError, YamlError):
        # The file has changed since the settings were read.
        return list(problems)
    shown = printable(path, 200)
    found = []
    for problem in problems:
        key = _KEY.match(problem)
        line = _line_of(root, key[1]) if key else 0
        found.append(f"{shown}:{line}: {problem}" if line else problem)
    return found


def _line_of(node: Node | None, key: str) -> int:
    """The line of a key, with dots between those that lead to it; 0 if it is not there."""
    line = 0
    for part in key.split("."):
        if not isinstance(node, yaml_positions.Mapping) or part not in node.entries:
            return 0
        line, node = node.entries[part]
    return line
