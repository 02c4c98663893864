"""How the pages look, in a real browser: narrow and wide, light and dark, by which clock, and for whom."""

from __future__ import annotations

from tests.http.chromium import Page, PageTrouble
from tests.http.visitor import BROKEN, CONTRAST, NARROW, PHONE, ROWS, WIDE, Visitor

_AXE = """axe.run(document).then(({ violations }) => violations.map((each) =>
  [each.id, each.impact, ...each.nodes.slice(0, 2).map((node) => node.html.slice(0, 90))].join(" ")))"""
_GROUND = "getComputedStyle(document.body).backgroundColor"
_TOP = "Math.round(document.{}.getBoundingClientRect().{})"


class LookChecks(Visitor):
    """What can be seen by whom."""

    def check_looks(self) -> None:
        """No scene is wider than a window or a phone, and every text can be read, dark and light."""
        for scene in ("empty", "five", "refused", "full", "broken"):
            for name, looks in (
                ("light", {}),
                ("dark", {"dark": True}),
                ("phone", PHONE),
                ("phone-dark", {**PHONE, "dark": True}),
            ):
                page = self.open(scene, **looks)
                page.run("document.getElementById('connections-box').open = true")
                if scene != "empty":
                    page.until(f"{ROWS} > 0")
                self.is_well()
                self.same(page.run(CONTRAST), [])
                page.run("document.getElementById('connections-box').open = false")
                self.picture(f"{scene}-{name}")

    def check_narrow(self) -> None:
        """At 320 pixels nothing has to be scrolled sideways, and no word is broken that fits on a line; the
        same for a phone, a tablet and a small window."""
        for looks in (NARROW, PHONE, {"width": 700, "height": 900}, {"width": 1000, "height": 700}):
            for scene, path in (
                ("five", "/"),
                ("refused", "/"),
                ("broken", "/"),
                ("five", "/rooms/twitch/amberfox"),
            ):
                page = self.open(scene, path, **looks)
                if path == "/":
                    page.until(f"{ROWS} > 0")
                    page.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
                    page.run("document.getElementById('listing').dataset.choosing = '1'")
                else:
                    page.until("document.querySelectorAll('#log li').length > 20", 30)
                self.is_well()
                broken = page.run(BROKEN) if path == "/" else []
                if broken:
                    raise PageTrouble(f"{scene}, {looks['width']} pixels: broken words: {broken}")
        self.picture("narrow")

    def check_sticky(self) -> None:
        """However far the user scrolls, the headline and the heads of the columns stay in sight."""
        for looks in (WIDE, PHONE):
            page = self.open("refused", **looks)
            page.until(f"{ROWS} > 100")
            page.run("scrollTo(0, 3000)")
            page.until("scrollY > 2900")
            head = "querySelector('#listing th.number')"
            self.same(page.run(_TOP.format("getElementById('verdict')", "top")), 0)
            under = page.run(_TOP.format("getElementById('verdict')", "bottom"))
            top = page.run(_TOP.format(head, "top"))
            if not under - 1 <= top <= under + 12:
                raise PageTrouble(f"the heads are at {top}, the headline ends at {under}")
            seen = (
                "document.elementFromPoint({0}.getBoundingClientRect().x + 5, {1} + 8).closest('th') === {0}"
            )
            self.same(page.run(seen.format(f"document.{head}", top)), True)

    def check_theme(self) -> None:
        """Light and dark follow the system until somebody chooses; the choice is kept, and comes before
        anything is drawn. Names in a chat can be read at once."""
        page = self.open("five")
        light = page.run(_GROUND)
        page.look(dark=True)
        dark = page.run(_GROUND)
        self.same(light == dark, False)
        self._choose(page, "theme", "light")
        self.same(page.run(_GROUND), light)
        page.call("Page.reload")
        page.until("document.getElementById('pulse')?.dataset.state === 'live'")
        self.same((page.run(_GROUND), page.run("document.getElementById('theme').value")), (light, "light"))
        page = self.open("five", "/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('#log .who').length > 30", 30)
        self._choose(page, "theme", "dark")
        self.same(page.run(_GROUND), dark)
        page.until(f"{CONTRAST}.length === 0", 3)
        self._choose(page, "theme", "")
        self.same(page.run(_GROUND), light)

    def check_clock(self) -> None:
        """Times are told by this machine's clock, and it is said how far that is from UTC; one switch, which
        is kept, tells them by UTC."""
        page = self.page
        page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        try:
            page = self.open("five", "/rooms/twitch/amberfox")
            page.until("document.querySelectorAll('#log time').length > 5", 30)
            script = "({ textContent, dateTime }) => [textContent, dateTime.slice(11, 19)]"
            first = f"({script})(document.querySelector('#log time'))"
            local, utc = page.run(first)
            self.same(page.run("document.querySelector('#clock option').textContent"), "Local, UTC+5:30")
            self.same((int(local[3:5]) - int(utc[3:5])) % 60, 30)
            self._choose(page, "clock", "utc")
            shown, utc = page.run(first)
            self.same(shown, utc)
            page.call("Page.reload")
            page.until("document.querySelectorAll('#log time').length > 5", 30)
            shown, utc = page.run(first)
            self.same(shown, utc)
            self._choose(page, "clock", "")
        finally:
            page.call("Emulation.setTimezoneOverride", timezoneId="")

    def check_motion(self) -> None:
        """Nothing moves for those who do not want that."""
        page = self.open("five")
        moves = "(node) => getComputedStyle(node).transitionDuration !== '0s'"
        moving = (
            f"document.getAnimations().length + [...document.querySelectorAll('*')].filter({moves}).length"
        )
        features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        page.call("Emulation.setEmulatedMedia", features=features)
        self.same(page.run(moving), 0)

    def check_axe(self) -> None:
        """axe-core finds nothing to complain about, if it is at hand."""
        if self.axe is None:
            return
        for scene, path, looks in (
            ("broken", "/", {}),
            ("refused", "/", PHONE),
            ("five", "/rooms/twitch/amberfox", {"dark": True}),
            ("five", "/no/such/page", {}),
            ("five", "/rooms/twitch/nosuch", {}),
        ):
            if "such" in path:
                page = self.visit(scene, path)
            else:
                page = self.open(scene, path, **looks)
                page.idle(1.5)
            page.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            page.run(f"{self.axe}; 0")
            found = page.run(_AXE)
            if found:
                raise PageTrouble(f"{scene} {path}: {found}")

    def _choose(self, page: Page, switch: str, value: str) -> None:
        node = f"document.getElementById('{switch}')"
        page.run(f"{node}.value = '{value}'; {node}.dispatchEvent(new Event('change'))")
