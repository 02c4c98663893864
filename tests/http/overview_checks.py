"""The page about everything, in a real browser."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from tests.http.chromium import PageTrouble
from tests.http.stage import Show
from tests.http.visitor import CONTRAST, ROWS, TEXT, Visitor

_FIGURES = re.compile(r"[\d.]+ (?:ms|s|min|h|days|B|KB|MB|GB)\b")


class OverviewChecks(Visitor):
    """What it shows, and how it looks."""

    def check_headline(self) -> None:
        """The first sentence is the recorder's own, and so is what is wrong, with what to do about it."""
        for scene in ("empty", "five", "refused", "full", "broken"):
            show = self.show(scene)
            page = self.open(scene)
            # How long something has lasted, and how much it is, is told anew every time.
            self._says_it(show)
            text, facts = self._shown(), self.on_stage(show.scene.status.snapshot)
            severity = facts["headline"]["severity"]
            self.same(_FIGURES.sub("", page.run("document.title")), f"{text} · Chatlog")
            self.same(page.run("document.getElementById('verdict').dataset.severity"), severity)
            shown = page.run(
                "[...document.querySelectorAll('#conditions li')].map((each) => each.textContent)"
            )
            for each, condition in zip(shown, facts["conditions"], strict=False):
                for words in (condition["subject"], condition["text"], condition["remedy"]):
                    if _FIGURES.sub("", words) not in _FIGURES.sub("", each):
                        raise PageTrouble(f"{words!r} is not in {each!r}")
            self.same(len(shown), min(6, len(facts["conditions"])))
            self.same(page.run("document.getElementById('problems').hidden"), not facts["conditions"])

    def _says_it(self, show: Show) -> None:
        self.page.wait(lambda: self._shown() == self._meant(show), 10, "the headline")

    def _shown(self) -> str:
        return _FIGURES.sub("", self.text("headline"))

    def _meant(self, show: Show) -> str:
        text: str = self.on_stage(show.scene.status.snapshot)["headline"]["text"]
        return _FIGURES.sub("", text)

    def check_sparklines(self) -> None:
        """Silence, a gap and unknown time look different, and a gap is described in words."""
        page = self.open("holes")
        page.until(f"{ROWS} === 3")
        script = """['amberfox', 'amberplays', 'amberlive'].map((name) => {
          const row = document.querySelector(`#table a[href$='${name}']`).closest('tr');
          const path = (kind) => row.querySelector(`.spark .${kind}`)?.getAttribute('d') ?? '';
          return [path('gap'), path('line'), row.querySelector('.trend').textContent];
        })"""
        first, silent, third = page.run(script)
        widths = [
            [float(width) for width in re.findall(r"h([\d.]+)v", gap)] for gap, _, _ in (first, silent, third)
        ]
        # Ten minutes of sixty, nothing, and the last fifteen, of 120 pixels.
        self.same([[round(width) for width in each] for each in widths], [[20], [], [30]])
        self.same([len(re.findall("M", line)) for _, line, _ in (first, silent, third)], [2, 1, 1])
        self.same(set(re.findall(r" ([\d.]+)", silent[1])), {"19.0"})
        self.same(first[2], "not recorded for 10 min of the last hour")
        self.picture("holes")
        self.is_well()

    def check_rooms(self) -> None:
        """Rooms can be found by name, those with problems alone, in the order of any column, by pages, and
        with the keyboard alone."""
        page = self.open("many")
        page.until(f"{ROWS} === 200")
        self.same(self.text("page"), "1 to 200 of 500")
        page.run("document.getElementById('after').click()")
        self.same(self.text("page"), "201 to 400 of 500")
        page.run("document.getElementById('only-problems').click()")
        self.same(page.run(ROWS), 2)
        self.same(self.text("shown"), "2 of 500 rooms")
        page.run("document.getElementById('only-problems').click()")
        page.run("document.getElementById('filter').focus()")
        page.type("CatT".replace("T", "4"))
        page.until(f"{ROWS} < 20")
        names = page.run("[...document.querySelectorAll('#table bdi')].map((name) => name.textContent)")
        if not names or any("cat4" not in name for name in names):
            raise PageTrouble(f"filter: {names}")
        self.same(page.run("location.hash"), "#filter=Cat4")
        page.run("document.getElementById('filter').value = ''")
        page.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
        # From the filter with the keyboard: the box, the button, then the heads of the columns.
        for _ in range(5):
            page.press("Tab", 9)
        self.same(page.run("document.activeElement.closest('th').dataset.sort"), "rate")
        page.run("document.activeElement.click()")
        self.same(page.run("document.querySelector('th[data-sort=rate]').ariaSort"), "descending")
        cells = page.run("[...document.querySelectorAll('#table tr')].map((row) => row.cells[3].textContent)")
        rates = [float(cell.replace(",", "")) for cell in cells]
        self.same(rates, sorted(rates, reverse=True))
        self.is_well()

    def check_thousands(self) -> None:
        """Ten thousand rooms are no more than a page of them at a time."""
        page = self.open("thousands")
        page.until("document.getElementById('page').textContent === '1 to 200 of 10,000'", 30)
        started = time.monotonic()
        page.run("document.querySelector('th[data-sort=rate] button').click()")
        took = time.monotonic() - started
        if took > 1:
            raise PageTrouble(f"sorting took {took:.1f} s")
        self.is_well()

    def check_silence(self) -> None:
        """A page in the background requests nothing, and goes on when it is shown again."""
        page = self.open("five")
        hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}});"
        notify = "document.dispatchEvent(new Event('visibilitychange'))"
        page.run(hide.format("true") + notify)
        page.idle(0.5)
        page.events.clear()
        page.idle(6)
        self.same(page.requests(), [])
        page.run(hide.format("false") + notify)
        page.wait(lambda: len(page.requests()) >= 2, 5)

    def check_no_answer(self) -> None:
        """A recorder that does not answer any more is said to be so in sight, however far somebody has
        scrolled: since when, and what to do. The tables are dim, and what they say gets older. It is well
        again by itself."""
        page = self.open("many")
        show = self.show("many")
        port = show.port
        page.until(f"{ROWS} === 200")
        page.run("scrollTo(0, 2000)")
        ages = """[...document.querySelectorAll('#table .last')].map((cell) => cell.textContent)
          .filter((age) => / s$/.test(age)).map((age) => parseFloat(age))"""
        self.on_stage(show.service.stopService)
        page.until(f"{TEXT.format('headline')}.startsWith('No answer from the recorder since ')", 20)
        self.same(page.run("document.getElementById('verdict').dataset.severity"), "critical")
        self.same(page.run("document.elementFromPoint(300, 12).closest('#verdict') !== null"), True)
        if "See whether it runs" not in self.text("advice"):
            raise PageTrouble(f"what to do: {self.text('advice')!r}")
        self.same(page.run(CONTRAST), [])
        dim = "getComputedStyle(document.querySelector('main')).filter"
        self.same(page.run(dim), "grayscale(1)")
        self.picture("no-answer")
        page.until(f"({ages}).length > 100", 20)
        before = page.run(ages)
        page.idle(3.5)
        after = page.run(ages)
        if not before or min(new - old for old, new in zip(before, after, strict=False)) < 2:
            raise PageTrouble(f"ages stand still: {before[:5]} {after[:5]}")

        def again() -> None:
            show.service.settings = replace(show.service.settings, listen=f"127.0.0.1:{port}")
            show.service.startService()

        self.on_stage(again)
        page.until(f"!{TEXT.format('headline')}.startsWith('No answer')", 20)
        self.same(page.run(dim), "none")
        self.same(self.text("advice"), "")

    def check_stuck(self) -> None:
        """A recorder that takes requests and never answers them is found out as one that is gone."""
        page = self.open("five")
        page.call("Fetch.enable", patterns=[{"urlPattern": "*/api/*"}])
        try:
            page.until(f"{TEXT.format('headline')}.startsWith('No answer from the recorder since ')", 15)
        finally:
            page.call("Fetch.disable")
        page.until(f"{TEXT.format('headline')} === 'Recording all 5 rooms'", 25)
