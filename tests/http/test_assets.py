"""The files of the page: whole, from here alone, and without the ways in which a text becomes markup."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import chatlog.archive_http
import chatlog.http
from tests.http.wire import SiteCase

ASSETS = Path(chatlog.http.__file__).parent / "assets"
#: Those of the archive's pages, which have the others beside them.
ARCHIVE = Path(chatlog.archive_http.__file__).parent / "assets"
#: What puts a text into a document, or runs it, as something other than a text.
DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML"
    r"|srcdoc|\beval\b|new Function|set(?:Timeout|Interval)\(\s*[\"'`]|import\(|\.cssText|javascript:"
)
#: Where an address may lead in the page's own markup.
OURS = re.compile(
    r"/$|/assets/[a-z_]+\.(?:css|js|svg)$|/api/v1/(?:status|rooms)$|#[a-z]+$"
    r"|/search$|/channels$|/api/v1/archive/rooms$"
)
#: The scripts of each page, but for those that every page has.
PAGES = {
    "index.html": ("app.js", "changes.js", "conditions.js", "rooms.js"),
    "room.html": ("room.js",),
}
SHARED = ("base.js", "headline.js")
ARCHIVE_PAGES = {
    "archive.html": ("archive.js",),
    "calendar.html": ("calendar.js",),
    "day.html": ("day.js", "exports.js", "keys.js", "stream_times.js", "strip.js", "whom.js"),
    "person.html": ("person.js", "finder.js"),
    "search.html": ("search.js", "finder.js"),
}


class Markup(HTMLParser):
    """The attributes and the inline text of scripts and styles in a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


def texts(kind: str) -> Iterator[tuple[str, str]]:
    """Names and texts of the assets of a kind."""
    found = sorted([*ASSETS.glob(f"*.{kind}"), *ARCHIVE.glob(f"*.{kind}")])
    assert found, kind
    for path in found:
        yield path.name, path.read_text("utf-8")


class AssetTests(SiteCase):
    """What the browser gets."""

    def test_all_are_served(self) -> None:
        """Every file is there under its name, byte for byte, and is not sent again while it is the same."""
        for path in ASSETS.iterdir():
            reply = self.ask(f"GET /assets/{path.name}")
            self.assertEqual((reply.status, reply.body), (200, path.read_bytes()), path.name)
            again = self.ask(f"GET /assets/{path.name}", f"If-None-Match: {reply.headers['etag']}")
            self.assertEqual((again.status, again.body), (304, b""), path.name)

    def test_nothing_from_elsewhere(self) -> None:
        """Documents refer to files that are here, and have no script, style or handler of their own: what
        the content security policy forbids, none of them needs."""
        for name, text in texts("html"):
            markup = Markup(text)
            self.assertEqual(markup.inline, [], name)
            for attribute, value in markup.attributes:
                self.assertFalse(attribute.startswith("on") or attribute == "style", f"{name}: {attribute}")
                if attribute in ("src", "href"):
                    self.assertRegex(value, OURS, name)
                    if value.startswith("/assets/"):
                        there = [(place / posixpath.basename(value)).is_file() for place in (ASSETS, ARCHIVE)]
                        self.assertEqual(sum(there), 1, value)
        for name, text in (*texts("css"), *texts("js")):
            self.assertNotRegex(text, r"@import|url\(|https?://(?!www\.w3\.org/)|[\"'`]//", name)

    def test_modules(self) -> None:
        """Scripts import what other scripts here export, and nothing else."""
        exported = {
            name: set(re.findall(r"^export (?:async )?(?:function\*?|const|class) ([$\w]+)", text, re.M))
            for name, text in texts("js")
        }
        for name, text in texts("js"):
            for names, module in re.findall(r"^import \{([^}]*)\} from \"([^\"]+)\";", text, re.M):
                wanted = {each.strip() for each in names.split(",")}
                self.assertLessEqual(wanted, exported[module.removeprefix("./")], name)
                for each in wanted:
                    self.assertRegex(text.replace(names, ""), rf"(?<![\w$]){re.escape(each)}(?![\w$])", name)

    def test_texts_stay_texts(self) -> None:
        """No script has a way to make markup or code of a text."""
        for name, text in texts("js"):
            self.assertNotRegex(text, DANGEROUS, name)

    def test_elements_that_are_looked_for(self) -> None:
        """What a script looks for by its id is in the page that runs it."""
        all_texts = {name: text for kind in ("html", "js") for name, text in texts(kind)}
        pages = [(page, (*scripts, *SHARED)) for page, scripts in PAGES.items()]
        for page, scripts in (*pages, *ARCHIVE_PAGES.items()):
            ids = set(re.findall(r'id="([\w-]+)"', all_texts[page]))
            for script in scripts:
                text = all_texts[script]
                wanted = set(re.findall(r'\$\("([\w-]+)"\)', text))
                self.assertTrue(wanted, script)
                self.assertLessEqual(wanted, ids, f"{script} of {page}")

    def test_an_address_that_is_none(self) -> None:
        """Browsers get a page with a way on, programs get JSON; both get 404."""
        reply = self.ask("GET /no/such/page", "Accept: text/html,*/*")
        self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html; charset=utf-8"))
        self.assertIn(b'<a href="/">All rooms</a>', reply.body)
        self.assertEqual(self.ask("GET /no/such/page").code, "not_found")
