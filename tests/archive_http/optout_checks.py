"""The archive's pages for everybody, and opting out, in a real browser."""

from __future__ import annotations

import re

from tests.archive_http.page_checks import AXE, ArchiveChecks
from tests.archive_http.stage import TOKEN
from tests.http.chromium import PageTrouble
from tests.http.visitor import BROKEN, CONTRAST, NARROW, PHONE

_ROWS = "document.querySelectorAll('#log li .when').length"
_CODE = "document.querySelector('.code code')?.textContent ?? ''"
_OPTED_OUT = "This person opted out"


class OptOutChecks(ArchiveChecks):
    """A public archive, of which user5 opted out."""

    def refused(self, *statuses: str) -> None:
        """The browser complains about refusals with these statuses and of nothing else."""
        odd = [each for each in self.page.complaints() if not any(status in each for status in statuses)]
        self.same(odd, [])
        self.same(self.page.run("document.documentElement.scrollWidth") <= self.page.width, True)

    def check_optout_page(self) -> None:
        """Every page leads to the one for opting out. It gives a code, each time another, without a script of
        its own; it can be read in every look, and works from a telephone."""
        page = self.go("/", "public")
        page.run("document.querySelector('header a[href=\"/optout\"]').click()")
        page.until("location.pathname === '/optout' && document.querySelector('form button') !== null")
        self.same(page.run("document.querySelectorAll('script').length"), 1)
        self.is_well()
        self.picture("optout-ask")
        codes = set()
        for _ in range(2):
            before = page.run(_CODE)
            page.run("document.querySelector('form button').click()")
            page.until(f"({_CODE}) !== '' && ({_CODE}) !== {before!r}")
            codes.add(page.run(_CODE))
            if not re.fullmatch(r"!chatlog optout [0-9a-z]{6}", page.run(_CODE)):
                raise PageTrouble(f"no code: {page.run(_CODE)!r}")
        self.same(len(codes), 2)
        for name, looks in (("light", {}), ("dark", {"dark": True}), ("phone", PHONE), ("narrow", NARROW)):
            page = self.go("/optout", "public", **looks)
            page.until("document.querySelector('form button') !== null")
            for step in ("ask", "code"):
                self.is_well()
                self.same((name, step, page.run(CONTRAST)), (name, step, []))
                self.same((name, step, page.run(BROKEN)), (name, step, []))
                self.picture(f"optout-{step}-{name}")
                if step == "ask":
                    page.run("document.querySelector('form button').click()")
                    page.until(f"({_CODE}) !== ''")
            if self.axe is not None and name in ("light", "phone"):
                page.run(f"{self.axe}; 0")
                self.same(page.run(AXE), [])

    def check_optout_link(self) -> None:
        """The link to it has room in the head of every page, on a telephone too."""
        day = self.stage("public").days.name(-2)
        room = "/rooms/twitch/amberfox"
        for path in ("/", "/search", room, f"{room}/{day}", f"/people/twitch/user3?room={room[7:]}"):
            for looks in (PHONE, NARROW):
                page = self.go(path, "public", **looks)
                page.until("document.querySelector('header a[href=\"/optout\"]') !== null")
                page.idle(0.3)
                self.is_well()
                self.same((path, page.run(CONTRAST)), (path, []))
                self.picture(f"optout-link{path.partition('?')[0].replace('/', '-')}-{looks['width']}")

    def check_optout_without_script(self) -> None:
        """The button is reached and pressed with the keyboard, and gives a code where no script runs."""
        self.page.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            page = self.go("/optout", "public")
            page.until("document.querySelector('form button') !== null")
            for _ in range(8):
                page.press("Tab", 9)
                if page.run("document.activeElement?.localName") == "button":
                    break
            page.press("Enter", 13)
            page.until(f"({_CODE}) !== ''")
            self.is_well()
        finally:
            self.page.call("Emulation.setScriptExecutionDisabled", value=False)

    def check_opted_out_person(self) -> None:
        """Who opted out is in no day, no answer and no count; a search, a filter and the page of the person
        say so in words."""
        page = self.day(kind="public")
        page.until(f"{_ROWS} > 10")
        self.typed("filter", "@user5")
        self.same(self.statement(), _OPTED_OUT)
        self.picture("opted-out-filter")
        page.press("Escape", 27)
        page.until(f"{_ROWS} > 10")
        self.typed("jump", "10:12", "Enter")
        page.until("document.getElementById('log').textContent.includes('an answer')")
        self.same("word 5 " in page.run("document.getElementById('log').textContent + ' '"), False)
        self.same("User5" in page.run("document.getElementById('log').textContent"), False)
        self.is_well()
        page = self.go("/people/twitch/id:15?room=twitch/amberfox", "public")
        page.until(f"document.getElementById('state').textContent.includes('{_OPTED_OUT}')", 20)
        page.until("document.getElementById('written').hidden", 20)
        self.picture("opted-out-person")
        self.refused("403 (Forbidden)")
        page = self.go("/search?user=user5&room=twitch/amberfox", "public")
        page.until(f"document.getElementById('progress').textContent.includes('{_OPTED_OUT}')", 20)
        self.is_well()

    def check_public_token(self) -> None:
        """All rooms at once are for whoever has the token: a search and a person ask for it, a wrong one is
        not taken, and with the right one they go on by themselves."""
        page = self.go("/search?q=word%20599", "public")
        page.until("document.querySelector('#progress button') !== null")
        self.picture("public-search")
        self.same(page.run("document.querySelectorAll('#hits li').length"), 0)
        self.refused("401 (Unauthorized)")
        page.run("document.querySelector('#progress button').click()")
        page.until("document.querySelector('dialog input') !== null")
        page.type("not the token")
        page.press("Enter", 13)
        trouble = "document.querySelector('dialog .trouble').textContent"
        page.until(f"{trouble} === 'That is not the token of this archive.'")
        page.type(TOKEN)
        page.press("Enter", 13)
        page.until("document.querySelectorAll('#hits li').length === 1", 20)
        page = self.go("/people/twitch/user3", "public")
        page.until("document.querySelectorAll('#known h3').length === 1", 20)
        page.run("sessionStorage.clear(); location.reload()")
        page.until("document.querySelector('#state button') !== null", 20)
        self.picture("public-person")
        self.same(page.run("document.querySelectorAll('#progress button').length"), 0)
        self.refused("401 (Unauthorized)")
        page = self.go("/search?q=word%20599&room=twitch/amberfox", "public")
        page.until("document.querySelectorAll('#hits li').length === 1", 20)
