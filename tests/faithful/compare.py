"""``python tests/faithful/compare.py ORACLE HEARD PLATFORM``: did a public client understand what was sent?

ORACLE is the simulator's, HEARD what the client printed, one JSON object a line. Every message between
the first and the last that the client heard must have been heard once, with the same text and type.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

#: Fewer messages than this prove nothing.
LEAST = 100
#: Record types that a client reports as one.
USERNOTICE = {"subscription", "gift", "raid", "announcement", "event"}


def read(path: str) -> list[dict[str, Any]]:
    """The objects of a file, one a line."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def compare(sent: list[dict[str, Any]], heard: list[dict[str, Any]], platform: str) -> list[str]:
    """What is wrong, in words; nothing if all is well."""
    events = {
        (e["channel"], e["id"]): e for e in sent if e.get("platform") == platform and e.get("id") and "n" in e
    }
    chat = {key: e for key, e in events.items() if e["type"] in ("message", "action")}
    problems = []
    counts: Counter[tuple[str, str]] = Counter()
    for got in heard:
        if not got.get("id"):
            continue
        key = (got["channel"], got["id"])
        counts[key] += 1
        event = events.get(key)
        if event is None:
            problems.append(f"never sent: {got}")
        elif got["text"] != event["text"]:
            problems.append(f"text: sent {event['text']!r}, heard {got['text']!r}")
        elif got["type"] != event["type"] and not (
            got["type"] == "usernotice" and event["type"] in USERNOTICE
        ):
            problems.append(f"type: sent {event['type']}, heard {got['type']}")
    problems += [f"heard {count} times: {key}" for key, count in counts.items() if count > 1]
    numbers = [chat[key]["n"] for key in counts if key in chat]
    if len(numbers) < LEAST:
        return [*problems, f"only {len(numbers)} messages heard"]
    for key, event in chat.items():
        if min(numbers) <= event["n"] <= max(numbers) and key not in counts:
            problems.append(f"not heard: {event}")
    rooms = {channel for channel, _ in chat}
    joined = {got["channel"] for got in heard if got["type"] == "join"}
    problems += [f"no acknowledgement heard for {room}" for room in sorted(rooms - joined)]
    return problems


def main(arguments: list[str]) -> int:
    """Compare and say so; the exit status."""
    oracle, output, platform = arguments
    heard = read(output)
    problems = compare(read(oracle), heard, platform)
    for problem in problems[:10]:
        print(f"  {problem}")
    kinds = Counter(got["type"] for got in heard)
    print("  heard " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
