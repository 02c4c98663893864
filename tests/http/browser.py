"""The pages in a real browser: what they show, and what they refuse to become.

``python -m tests.http.browser [--pictures DIRECTORY] [NAME ...]`` runs the checks, or those of these names.
The last line is "N passed, N failed"; the exit status is 0 only if none failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import orjson
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.http.chromium import Page, PageTrouble, installed
from tests.http.sayings import HOSTILE
from tests.http.stage import Show

#: Contrast of every text with what is behind it, as WCAG 2 counts it; lists those that have too little.
_CONTRAST = """(() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((x) => x / 255)
    .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((sum, x, at) => sum + x * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest(":disabled")) continue;
    if (node.closest(".gone, noscript") || node.getBoundingClientRect().width < 2) continue;
    const [text, back] = [light(numbers(getComputedStyle(node).color)), light(ground(node))];
    const contrast = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${texts.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...new Set(found)];
})()"""
_TEXT = "document.getElementById('{}').textContent"
_ROWS = "document.querySelectorAll('#table tr').length"


class Checks:
    """Every method whose name begins with ``check_`` is one check; its docstring says what it holds."""

    def __init__(self, reactor: Any, program: str, pictures: str | None) -> None:
        self._reactor = reactor
        self._program = program
        self._pictures = pictures
        self._shows: dict[str, Show] = {}
        self.page: Page = Page(program)

    def close(self) -> None:
        self.page.close()

    # -- doing -------------------------------------------------------------------------------------

    def on_stage(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call something where the recorder runs."""
        return blockingCallFromThread(self._reactor, call, *args)

    def show(self, scene: str) -> Show:
        if scene not in self._shows:
            self._shows[scene] = self.on_stage(lambda: Show(self._reactor, scene).start())
        return self._shows[scene]

    def open(self, scene: str, path: str = "/", **looks: Any) -> Page:
        show = self.show(scene)
        self.page.leave()
        self.page.look(**looks)
        self.page.open(f"http://127.0.0.1:{show.port}{path}")
        self.page.until("document.getElementById('pulse').dataset.state === 'live'")
        return self.page

    def text(self, id: str) -> str:
        found: str = self.page.run(_TEXT.format(id))
        return found

    def same(self, found: Any, expected: Any) -> None:
        if found != expected:
            raise PageTrouble(f"{found!r} is not {expected!r}")

    def picture(self, name: str) -> None:
        if self._pictures:
            self.page.shot(f"{self._pictures}/{name}.png")

    def is_well(self) -> None:
        """Nothing was complained about, nothing came from elsewhere, nothing is wider than the window."""
        page = self.page
        self.same(page.complaints(), [])
        outside = [url for url in page.requests() if not url.startswith("http://127.0.0.1:")]
        self.same(outside, [])
        wide = page.run("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            raise PageTrouble(f"the page is {wide} pixels wider than the window")

    def say(self, scene: str, **record: Any) -> None:
        """A record arrives in the first room."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        line = orjson.dumps({"timestamp": now, "channel": "amberfox", "details": {}, **record}) + b"\n"
        show = self.show(scene)
        self.on_stage(lambda: show.scene.recorder.room("twitch", "amberfox").append(line))

    # -- the page about everything ----------------------------------------------------------------

    def check_headline(self) -> None:
        """The first sentence says how many rooms are recorded, and what is wrong is said in words."""
        for scene, headline in (
            ("empty", "No room is to be recorded"),
            ("five", "Recording all 5 rooms"),
            ("many", "Recording 498 of 500 rooms"),
            ("broken", "Recording 66 of 504 rooms"),
        ):
            self.open(scene)
            self.page.until(f"{_TEXT.format('headline')} === '{headline}'")
            self.same(self.page.run("document.title"), f"{headline} · Chatlog")
        problems = self.text("problems")
        for words in ("AccessDenied", "Connection refused", "12.0 MB are free", "34 refused"):
            if words not in problems:
                raise PageTrouble(f"{words!r} is not in {problems!r}")

    def check_looks(self) -> None:
        """No scene is wider than a window or a phone, and every text can be read, dark and light."""
        for scene in ("empty", "five", "many", "broken"):
            for name, looks in (
                ("light", {}),
                ("dark", {"dark": True}),
                ("phone", {"width": 390, "height": 844, "phone": True}),
                ("phone-dark", {"width": 390, "height": 844, "phone": True, "dark": True}),
            ):
                page = self.open(scene, **looks)
                page.run("document.getElementById('connections-box').open = true")
                if scene != "empty":
                    page.until(f"{_ROWS} > 0")
                self.is_well()
                self.same(page.run(_CONTRAST), [])
                page.run("document.getElementById('connections-box').open = false")
                self.picture(f"{scene}-{name}")

    def check_rooms(self) -> None:
        """Rooms can be found by name, those with problems alone, in the order of any column, by pages, and
        with the keyboard alone."""
        page = self.open("many")
        page.until(f"{_ROWS} === 200")
        self.same(self.text("page"), "1 to 200 of 500")
        page.run("document.getElementById('after').click()")
        self.same(self.text("page"), "201 to 400 of 500")
        page.run("document.getElementById('only-problems').click()")
        self.same(page.run(_ROWS), 2)
        self.same(self.text("shown"), "2 of 500 rooms")
        page.run("document.getElementById('only-problems').click()")
        page.run("document.getElementById('filter').focus()")
        page.type("CatT".replace("T", "4"))
        page.until(f"{_ROWS} < 20")
        names = page.run("[...document.querySelectorAll('#table bdi')].map((name) => name.textContent)")
        if not names or any("cat4" not in name for name in names):
            raise PageTrouble(f"filter: {names}")
        self.same(page.run("location.hash"), "#filter=Cat4")
        page.run("document.getElementById('filter').value = ''")
        page.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
        # From the filter with the keyboard: the box, then the heads of the columns.
        for _ in range(4):
            page.press("Tab", 9)
        self.same(page.run("document.activeElement.closest('th').dataset.sort"), "rate")
        page.run("document.activeElement.click()")
        self.same(page.run("document.querySelector('th[data-sort=rate]').ariaSort"), "descending")
        cells = page.run("[...document.querySelectorAll('#table tr')].map((row) => row.cells[2].textContent)")
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
        """A page that nobody looks at asks for nothing, and goes on when it is looked at again."""
        page = self.open("five")
        hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}});"
        tell = "document.dispatchEvent(new Event('visibilitychange'))"
        page.run(hide.format("true") + tell)
        page.idle(0.5)
        page.events.clear()
        page.idle(6)
        self.same(page.requests(), [])
        page.run(hide.format("false") + tell)
        page.wait(lambda: len(page.requests()) >= 2, 5)

    def check_no_answer(self) -> None:
        """A recorder that does not answer is said to be so, loudly, and what was shown is not taken for
        the truth; it is well again by itself."""
        page = self.open("five")
        show = self.show("five")
        port = show.port
        self.on_stage(show.service.stopService)
        page.until(f"{_TEXT.format('headline')} === 'The recorder does not answer'", 20)
        self.same(page.run("document.getElementById('verdict').dataset.level"), "bad")

        def again() -> None:
            show.service._settings = type(show.service._settings)(listen=f"127.0.0.1:{port}")  # type: ignore[attr-defined]
            show.service.startService()

        self.on_stage(again)
        page.until(f"{_TEXT.format('headline')} === 'Recording all 5 rooms'", 20)

    # -- a room -----------------------------------------------------------------------------------

    def check_chat(self) -> None:
        """What is recorded is shown at once with badges, name and colour; what moderators take back is
        struck out."""
        page = self.open("quiet", "/rooms/twitch/amberfox")
        who = {"username": "ann", "user_id": "7", "type": "message"}
        looks = {"display-name": "Ann", "color": "#00FF00", "badges": "moderator/1,subscriber/12"}
        self.say("quiet", **who, message="first", id="m1", details={**looks, "badge-info": "subscriber/14"})
        self.say("quiet", **who, message="second", id="m2")
        self.say("quiet", username="bob", user_id="8", type="message", message="third", id="m3")
        page.until("document.querySelectorAll('#log .said').length === 3", 3)
        line = "document.querySelector('#log .said')"
        badges = page.run(f"[...{line}.querySelectorAll('.badge')].map((badge) => badge.textContent)")
        self.same(badges, ["mod", "sub 14"])
        self.same(page.run(f"{line}.querySelector('.who').textContent"), "Ann")
        gone = "[...document.querySelectorAll('#log .gone .text')].map((text) => text.textContent)"
        self.say("quiet", type="delete", username="", message="", details={"message": {"id": "m3"}})
        page.until("document.querySelectorAll('#log .gone').length === 1", 3)
        self.same(page.run(gone), ["third"])
        happened = "document.querySelector('#log li:last-child .happened').textContent"
        self.same(page.run(happened), "A message of bob")
        self.say("quiet", type="timeout", username="ann", user_id="7", details={"ban-duration": "600"})
        page.until("document.querySelectorAll('#log .gone').length === 3", 3)
        self.same(page.run(gone), ["first", "second", "third"])
        self.same(page.run(happened), "ann for 10 min")
        struck = "getComputedStyle(document.querySelector('#log .gone .text')).textDecorationLine"
        self.same(page.run(struck), "line-through")
        # Opened again: what was said before is there, once.
        page.call("Page.reload")
        page.until("document.querySelectorAll('#log .said').length === 3")
        self.same(page.run(gone), ["first", "second", "third"])
        self.is_well()

    def check_chat_looks(self) -> None:
        """Every line of a lively chat can be read, dark and light, also on a phone."""
        for name, looks in (
            ("light", {"width": 1100}),
            ("dark", {"width": 1100, "dark": True}),
            ("phone", {"width": 390, "height": 844, "phone": True}),
        ):
            page = self.open("five", "/rooms/twitch/amberfox", **looks)
            page.until("document.querySelectorAll('#log li').length > 60", 30)
            self.is_well()
            self.same(page.run(_CONTRAST), [])
            self.picture(f"room-{name}")
        # Names keep to what can be read when evening comes.
        page.look(dark=True)
        page.until(f"{_CONTRAST}.length === 0", 3)

    def check_following(self) -> None:
        """The chat follows what is new until somebody scrolls up, then says how much is new."""
        page = self.open("five", "/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('#log li').length > 50", 30)
        distance = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)"
        self.same(page.run(f"{distance}(document.getElementById('log')) < 2"), True)
        page.run("document.getElementById('log').scrollTop = 0")
        page.until("!document.getElementById('newest').hidden")
        page.run("document.getElementById('newest').click()")
        page.until(f"{distance}(document.getElementById('log')) < 2")

    def check_not_recorded(self) -> None:
        """A room that is not recorded says so."""
        show = self.show("five")
        self.page.leave()
        self.page.open(f"http://127.0.0.1:{show.port}/rooms/twitch/nobody")
        self.page.until(f"{_TEXT.format('trouble')} === 'This room is not recorded.'")

    def check_nothing(self) -> None:
        """An address that is none says so to people, and where to go on."""
        show = self.show("five")
        self.page.leave()
        self.page.open(f"http://127.0.0.1:{show.port}/no/such/page")
        self.same(self.page.run("document.querySelector('h1').textContent"), "There is nothing here")
        self.same(self.page.run("document.querySelector('main a').pathname"), "/")

    # -- what is hostile --------------------------------------------------------------------------

    def check_hostile(self) -> None:
        """Script and markup in names, messages, badges, colours and the words of servers stay text."""
        page = self.open("hostile")
        page.until(f"{_ROWS} > 0")
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
        inside = "[...document.querySelectorAll('#log *')]"
        names = page.run(f"{inside}.map((node) => node.localName)")
        self.same(set(names) - {"bdi", "i", "li", "span", "time"}, set())
        attributes = page.run(f"{inside}.flatMap((node) => node.getAttributeNames())")
        self.same(set(attributes) - {"class", "data-colour", "datetime", "style", "title"}, set())
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
        """The page's own script is the only one, and no text has become one."""
        self.is_well()
        page = self.page
        scripts = page.run("[...document.querySelectorAll('script')].map((node) => node.outerHTML)")
        self.same(len(scripts), 1)
        self.same(page.run("document.querySelectorAll('iframe, object, embed, form, base, style').length"), 0)
        if "owned" in page.run("document.title"):
            raise PageTrouble("a text has become a script")


def run(checks: Checks, names: list[str]) -> tuple[int, int]:
    """Run the checks; how many passed and failed."""
    passed = failed = 0
    for name in [name for name in dir(checks) if name.startswith("check_")]:
        if names and name.removeprefix("check_") not in names:
            continue
        try:
            getattr(checks, name)()
        except Exception as error:
            failed += 1
            print(f"failed  {name.removeprefix('check_')}: {error}", flush=True)
            if not isinstance(error, PageTrouble):
                traceback.print_exc()
        else:
            passed += 1
            print(f"ok      {name.removeprefix('check_')}", flush=True)
    return passed, failed


def main() -> None:
    """Run the checks in the browser that is installed."""
    from twisted.internet import reactor

    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", help="a directory for screenshots")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    program = installed()
    if program is None:
        sys.exit("there is no Chromium here")
    if arguments.pictures:
        os.makedirs(arguments.pictures, exist_ok=True)
    result = [0, 1]

    def work() -> None:
        checks = Checks(reactor, program, arguments.pictures)
        try:
            result[:] = run(checks, arguments.names)
        finally:
            checks.close()

    def end(outcome: Any) -> None:
        if outcome is not None:
            outcome.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: deferToThread(work).addBoth(end))
    reactor.run()
    print(f"{result[0]} passed, {result[1]} failed")
    sys.exit(bool(result[1]))


if __name__ == "__main__":
    main()
