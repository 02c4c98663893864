"""Hostile names, texts and addresses on the pages, in a real browser."""

from __future__ import annotations

from tests.http.chromium import PageTrouble
from tests.http.sample_chat import HOSTILE
from tests.http.visitor import ROWS, Visitor


class HostileChecks(Visitor):
    """Texts stay texts."""

    def check_hostile(self) -> None:
        """Script and markup in names, messages, badges, colours and the words of servers stay text."""
        page = self.open("hostile")
        page.until(f"{ROWS} > 0")
        page.idle(2.5)
        self.is_harmless()
        self.picture("hostile")
        words = page.run("document.body.textContent")
        for text in HOSTILE[:2]:
            if text not in words:
                raise PageTrouble(f"{text!r} is not shown")
        page = self.open("hostile", "/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('#log li').length > 150", 60)
        self.is_harmless()
        self.picture("hostile-room")
        inside = "[...document.querySelectorAll('#lines *')]"
        names = page.run(f"{inside}.map((node) => node.localName)")
        self.same(set(names) - {"a", "bdi", "i", "li", "ol", "span", "time"}, set())
        attributes = page.run(f"{inside}.flatMap((node) => node.getAttributeNames())")
        self.same(
            set(attributes)
            - {
                *(
                    "class",
                    "data-badge",
                    "data-colour",
                    "datetime",
                    "dir",
                    "href",
                    "id",
                    "rel",
                    "style",
                    "target",
                    "title",
                )
            },
            set(),
        )
        styles = page.run(f"{inside}.map((node) => node.style.cssText).filter(Boolean)")
        if any("url" in style or not style.startswith("color: ") for style in styles):
            raise PageTrouble(f"styles: {styles}")
        shown = page.run("document.getElementById('log').textContent")
        for text in HOSTILE[:7]:
            if text not in shown:
                raise PageTrouble(f"{text!r} is not shown as it was sent")
        # A record that the page cannot make anything of does not keep the others away.
        page.until("document.getElementById('log').textContent.includes('cannot be shown')", 60)

    def is_harmless(self) -> None:
        """The page's own scripts are the only ones, and no text has become one."""
        self.is_well()
        page = self.page
        scripts = page.run("[...document.querySelectorAll('script')].map((node) => node.outerHTML)")
        self.same(len(scripts), 2)
        self.same(
            page.run(
                "document.querySelectorAll('iframe, object, embed, form:not(#add-form), base, style').length"
            ),
            0,
        )
        if "owned" in page.run("document.title"):
            raise PageTrouble("a text has become a script")
