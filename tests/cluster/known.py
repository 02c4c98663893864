"""What a recorder may know of its cluster."""

from __future__ import annotations

from typing import Any


def known(**changes: Any) -> dict[str, Any]:
    """The facts of a cluster that is well, with these changes."""
    member = {"unwell": [], "zone": "", "capacity": 10_000, "age": 1.0, "url": "", "version": "1", "list": 3}
    return {
        "name": "main",
        "member": "a",
        "replicas": 1,
        "list": {"version": 3, "rooms": 10},
        "engine": {"place": "redis://valkey:6379/0", "up": True, "age": 0.5, "trouble": ""},
        "taken_since": None,
        "draining": False,
        "members": [
            {"name": name, "me": name == "a", "state": state, "rooms": rooms, **member}
            for name, state, rooms in (("a", "active", 4), ("b", "active", 6), ("c", "draining", 0))
        ],
        "strangers": [],
        "lost": [],
        "taking_over": {},
        "slots": {"twitch": {"starting": 0, "held": 2048, "withdrawn": 0, "leaving": 0}},
        "short": 0,
        "unassigned": 0,
        "moves": {"takeover": 0, "assigned": 4096, "handover": 0, "given": 2048},
        "takeover_seconds": 0.0,
        **changes,
    }
