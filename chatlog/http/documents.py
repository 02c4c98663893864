"""The files of the pages (documents, styles, scripts), and the page for paths that do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files as package_files
from pathlib import PurePath
from urllib.parse import quote

from chatlog.http.answers import Answer, tagged

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_ASSETS = "/assets/"


class Documents:
    """The files in the ``assets`` directories of some packages, by name."""

    def __init__(self, *packages: str) -> None:
        self._files = {name: answer for package in packages for name, answer in _assets(package)}
        head, _, rest = self._files["missing.html"].body.decode("utf-8").partition("{what}")
        middle, _, foot = rest.partition("{ways}")
        self._missing = head, middle, foot

    def page(self, name: str) -> Answer:
        """The document of that name. Raises KeyError."""
        return self._files[name]

    def asset(self, path: str) -> Answer | None:
        """The file at a path below ``/assets/``; None if there is none."""
        return self._files.get(path.removeprefix(_ASSETS)) if path.startswith(_ASSETS) else None

    def missing(self, text: str, shown: str = "", ways: str = "") -> Answer:
        """A 404 page. ``shown``, the missing thing, precedes the text; ``ways`` are links, as HTML."""
        head, middle, foot = self._missing
        what = f"<bdi>{escape(shown)}</bdi> {escape(text)}" if shown else escape(text)
        body = f'{head}{what}{middle}{ways}<a href="/">All rooms</a>{foot}'
        return Answer(404, body.encode("utf-8"), _TYPES[".html"])


def links_to_rooms(rooms: list[tuple[str, str]]) -> str:
    """Links to the pages of rooms with a similar name, as HTML."""
    links = [f'<a href="/rooms/{quote(p)}/{quote(n)}">{escape(f"{p}/{n}")}</a>' for p, n in rooms]
    return f"Rooms with a similar name: {', '.join(links)}. " if links else ""


def _assets(package: str) -> Iterator[tuple[str, Answer]]:
    for file in (package_files(package) / "assets").iterdir():
        kind = _TYPES.get(PurePath(file.name).suffix)
        if kind is not None:
            yield file.name, tagged(Answer(200, file.read_bytes(), kind))
