"""Takes over, once, the state of the version before, which kept it in files of six formats:

    names  coverage  held  stored  stored.closed  kick_ids.json  rooms.yaml  acknowledged.json

The content of such a file is appended to the present state. When that is on the disk, the old file is
removed. A takeover that was cut off is repeated with the old files that are still there: the same content
twice means the same as once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from zlib import crc32

from twisted.logger import Logger

from chatlog.chunks import chunks_of
from chatlog.files import NO_SPACE, Files
from chatlog.record import from_json, to_line_exactly
from chatlog.spool.spool import Spool, SpoolError
from chatlog.state.state_file import StateFile, newer_state
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, name_of, row_of

_log = Logger()

#: Other files of that version: reserved space, and files that a process was writing when it died.
_REMAINS = (
    "coverage.ballast",
    "held.ballast",
    "stored.ballast",
    "stored.new",
    "acknowledged.json.new",
    *(f"{name}.tmp" for name in ("names", "coverage", "held", "kick_ids.json", "rooms.yaml")),
)


def take_over(spool: Spool) -> None:
    """Convert the state of the version before, if there is any. Raises SpoolError if that fails, and if the
    state is of a later version; then nothing is touched."""
    refusal = newer_state(spool.files, spool.directory)
    if refusal:
        raise SpoolError(refusal)
    try:
        spool.reserved.run(_take_over, spool.files, spool.directory)
    except OSError as error:
        remedy = "make room there, and start again" if error.errno in NO_SPACE else "start again"
        raise SpoolError(
            f"{error.filename or spool.directory}: the state of the version before cannot be taken over: "
            f"{error.strerror}; {remedy}"
        ) from error


def _take_over(files: Files, directory: str) -> None:
    taken = _removed(files, directory, _REMAINS)
    forms: tuple[tuple[str, str, Callable[[bytes], Iterable[object]]], ...] = (
        ("names", "names", _names),
        ("coverage", "coverage", _coverage),
        ("held", "deferred", _held),
        ("stored.closed", "stored", partial(_stored, partial(_free_name, files, directory))),
        ("stored", "stored", partial(_stored, str)),
        ("kick_ids.json", "kick_ids", _kick_ids),
        ("rooms.yaml", "rooms", _rooms),
        ("acknowledged.json", "acknowledged", _acknowledged),
    )
    for old, new, read in forms:
        path = os.path.join(directory, old)
        if not files.exists(path):
            continue
        taken += 1
        try:
            found = list(read(b"".join(chunks_of(files, path))))
        except (OSError, ValueError) as error:
            # The disk fails, a directory is in its place, or it is damaged.
            files.rename(path, f"{path}.broken")
            _log.error(
                "{path} cannot be understood, and is now {path}.broken: {error}; chatlog goes on without it",
                path=path,
                error=str(error),
            )
            continue
        state = StateFile(files, directory, new)
        state.replace([*(entry for _, entry in state.read()), *found])
        files.remove(path)
    if taken:
        # An old file that came back after a crash would count as a newer one.
        files.sync_directory(directory)
        _log.info("the state of the version before is taken over, to {directory}/state", directory=directory)


def _removed(files: Files, directory: str, names: Iterable[str]) -> int:
    count = 0
    for name in names:
        if files.exists(os.path.join(directory, name)):
            files.remove(os.path.join(directory, name))
            count += 1
    return count


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects."""
    for line in data.split(b"\n"):
        with suppress(ValueError):
            entry = from_json(line)
            if isinstance(entry, dict):
                yield entry


def _object(data: bytes) -> dict[str, Any]:
    content = from_json(data)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content


def _names(data: bytes) -> Iterator[object]:
    """``MINUTE N TOP``"""
    parts = data.decode("ascii").split()
    if parts:
        minute, n, top = parts
        yield {"minute": minute, "n": int(n), "top": int(top)}


def _coverage(data: bytes) -> Iterator[object]:
    """The lines of a flush, followed by one with their count and the number of the flush. After an incomplete
    flush nothing counts, until one with ``"all"``."""
    lines: list[dict[str, Any]] = []
    before: object = None
    broken = False
    for entry in _objects(data):
        lines.append(entry)
        if "alive" not in entry:
            continue
        number, count = entry.get("batch"), entry.get("lines", 0)
        follows = not isinstance(before, int) or number in (before, before + 1)
        whole = isinstance(count, int) and len(lines) > count
        broken = not whole or (not entry.get("all") and (broken or not follows))
        if not broken:
            yield _flush(lines[-1 - count :])
        before = number
        lines = []
    if lines and not broken:
        yield _flush(lines)


def _flush(lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    flush: dict[str, Any] = {"rooms": [], "links": []}
    for line in lines:
        if "room" in line:
            flush["rooms"].append(line)
        elif "link" in line:
            flush["links"].append(line)
        else:
            flush.update(
                {key: line[key] for key in ("boot", "since", "alive", "durable", "all") if key in line}
            )
    return flush


def _held(data: bytes) -> Iterator[object]:
    """``{"held": N, ..}`` and ``{"done": N}``"""
    waiting: dict[Any, object] = {}
    for entry in _objects(data):
        with suppress(TypeError, ValueError):
            if "done" in entry:
                waiting.pop(entry["done"], None)
            elif "held" in entry:
                # A unique number, and the same one if this entry comes again.
                waiting[entry["held"]] = {**entry, "deferred": 1 << 32 | crc32(to_line_exactly(entry))}
    yield from waiting.values()


def _stored(free_name: Callable[[HeadRow], str], data: bytes) -> Iterator[object]:
    """``{"from": T}`` and rows, or a complete manifest, which begins with its head."""
    others: list[dict[str, Any]] = []
    for entry in _objects(data):
        with suppress(ValueError):
            if isinstance(entry.get("from"), float) or isinstance(row_of(entry), ObjectRow):
                yield entry
            else:
                others.append(entry)
    head = row_of(others[0]) if others else None
    if isinstance(head, HeadRow):
        yield {"manifest": free_name(head), "until": head.until, "rows": others}


def _free_name(files: Files, directory: str, head: HeadRow) -> str:
    name = name_of(head)
    while files.exists(os.path.join(directory, "manifest", str(name))):
        name = name.numbered(name.n + 1)
    return str(name)


def _kick_ids(data: bytes) -> Iterator[object]:
    """``{SLUG: {"chatroom_id", "channel_id"}, ..}``"""
    for slug, ids in _object(data).items():
        if isinstance(ids, dict):
            yield {"slug": slug, "chatroom_id": ids.get("chatroom_id"), "channel_id": ids.get("channel_id")}


def _rooms(data: bytes) -> Iterator[object]:
    """``added`` and ``removed`` in YAML"""
    import yaml

    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from None
    if not isinstance(content, dict):
        raise ValueError("there must be keys with values")
    yield {"added": content.get("added"), "removed": content.get("removed")}


def _acknowledged(data: bytes) -> Iterator[object]:
    """``{PLATFORM: [NAME, ..]}``"""
    yield _object(data)
