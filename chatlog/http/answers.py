"""The answers to requests."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
#: Smaller answers (bytes) are not compressed.
_WORTH_PACKING = 1000
#: Level 3 makes the status a tenth smaller and takes twice as long.
LEVEL = 1


@dataclass(slots=True)
class Answer:
    """Status, body and content type. With ``etag``, a repeated request for an unchanged answer gets 304."""

    status: int
    body: bytes
    type: str
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    packed: bytes | None = None

    def compressed(self) -> bytes | None:
        """The body compressed with gzip, computed once; None if it is too short for that."""
        if self.packed is None and len(self.body) >= _WORTH_PACKING:
            self.packed = gzip.compress(self.body, LEVEL, mtime=0)
        return self.packed


def json_answer(status: int, value: Any) -> Answer:
    """A value as JSON."""
    return Answer(status, orjson.dumps(value) + b"\n", JSON)


def error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error: ``code`` is for programs, ``message`` for people."""
    answer = json_answer(status, {"error": {"code": code, "message": message}})
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


def tagged(answer: Answer) -> Answer:
    """The answer with an ETag of its body. It is weak, because it is the same with and without gzip."""
    answer.etag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    return answer
