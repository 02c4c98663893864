"""Suggests the key that may have been meant by an unknown one."""

from __future__ import annotations

import difflib

from chatlog.config import remedies
from chatlog.config.schema import Section
from chatlog.config.yaml_positions import Node, Scalar
from chatlog.near_names import near


def unknown_key(root: Section, section: Section, key: str, value: Node) -> str:
    """The problem text for an unknown key in a section of ``root``."""
    if key == "<<":
        return "YAML merge keys are not supported; write out the keys that are meant"
    if deceived := remedies.deceiving(key):
        return f"unknown key{deceived}"
    if "slug" in section.keys and key.lower() in ("name", "channel", "login"):
        return "unknown key; did you mean slug?"
    if "slug" in section.keys and isinstance(value, Scalar) and value.text.isdigit() and key.isascii():
        known = {"id": "chatroom_id or channel_id", "room": "chatroom_id"}.get(key.lower())
        if known is not None:
            return f"unknown key; did you mean {known}?"
        # Names of rooms such as ann are a part of a key too; who misspells a key begins it as it begins.
        meant = [known for known in near(key, section.keys) if known[:1] == key[:1].lower()]
        if meant:
            return f"unknown key; did you mean {' or '.join(meant)}?"
        if "id" not in key.lower():
            return f"unknown key; write {remedies.kick_room(key, value.text)}"
    return f"unknown key{_suggestion(root, section, key)}"


def _suggestion(root: Section, section: Section, key: str) -> str:
    """The key that may have been meant, or the known keys."""
    alike = difflib.get_close_matches(key.lower().replace("-", "_"), section.keys, 1, 0.6)
    if alike:
        return f"; did you mean {alike[0]}?"
    elsewhere = [
        name for name, inner in root.keys.items() if isinstance(inner, Section) and key in inner.keys
    ]
    if key in root.keys:
        return "; it belongs to the top level, so mind the indentation"
    known = f"; known are {', '.join(section.keys)}"
    if elsewhere:
        return f"{known}; or did you mean {' or '.join(f'{name}.{key}' for name in elsewhere)}?"
    return known
