"""A user who visits the pages with a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from twisted.internet.threads import blockingCallFromThread

from tests.http.chromium import Page, PageTrouble
from tests.http.stage import Show

#: Contrast of every text with what is behind it, as WCAG 2 counts it; lists those that have too little.
CONTRAST = """(() => {
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
#: Words that are broken within, though they would have had room on a line of their own.
BROKEN = """(() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const parent = node.parentElement;
    if (!parent.checkVisibility() || parent.closest("noscript, .hidden, select, textarea")) continue;
    for (const word of node.data.matchAll(/[^\\s\\/\\-]{2,}/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const parts = [...range.getClientRects()].filter((each) => each.width > 0);
      const lines = new Set(parts.map((each) => Math.round(each.top)));
      if (lines.size > 1 && word[0].length <= 24) found.push(word[0]);
    }
  }
  return [...new Set(found)];
})()"""
_TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter((node) => node.getBoundingClientRect().right > WIDTH + 0.5).slice(0, 3)
  .map((node) => node.outerHTML.slice(0, 80))"""
TEXT = "document.getElementById('{}').textContent"
ROWS = "document.querySelectorAll('#table tr').length"
WIDE: dict[str, Any] = {"width": 1280, "height": 900}
PHONE: dict[str, Any] = {"width": 360, "height": 740, "phone": True}
NARROW: dict[str, Any] = {"width": 320, "height": 640, "phone": True}


class Visitor:
    """What all checks do. ``pictures`` is a directory for screenshots, ``axe`` the text of axe-core."""

    def __init__(self, reactor: Any, program: str, pictures: str | None, axe: str | None = None) -> None:
        self._reactor = reactor
        self._program = program
        self._pictures = pictures
        self.axe = axe
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

    def visit(self, scene: str, path: str) -> Page:
        """A page that asks for nothing."""
        show = self.show(scene)
        self.page.leave()
        self.page.look()
        self.page.open(f"http://127.0.0.1:{show.port}{path}")
        return self.page

    def text(self, id: str) -> str:
        found: str = self.page.run(TEXT.format(id))
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
        # The browser's own pictures, of fields for days, are data.
        outside = [url for url in page.requests() if not url.startswith(("http://127.0.0.1:", "data:"))]
        self.same(outside, [])
        # The window of a phone shows all that is too wide, smaller: its own width tells nothing.
        wide = page.run("document.documentElement.scrollWidth") - page.width
        if wide > 0:
            out = page.run(_TOO_WIDE.replace("WIDTH", str(page.width)))
            raise PageTrouble(f"the page is {wide} pixels wider than the window: {out}")

    def say(self, scene: str, **record: Any) -> None:
        """A record arrives in the first room."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        line = orjson.dumps({"timestamp": now, "channel": "amberfox", "details": {}, **record}) + b"\n"
        show = self.show(scene)
        self.on_stage(lambda: show.scene.recorder.room("twitch", "amberfox").append(line))
