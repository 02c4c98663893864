"""The archive's pages, in a real browser."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any

from tests.archive_http.stage import MANY, ArchiveStage
from tests.http.chromium import Page, PageTrouble
from tests.http.sample_chat import HOSTILE
from tests.http.visitor import BROKEN, CONTRAST, NARROW, PHONE, Visitor

_ROWS = "document.querySelectorAll('#log li .when').length"
#: The times and texts of the rows that can be seen, the first first.
_SEEN = """(() => {
  const box = document.getElementById('log').getBoundingClientRect();
  const time = (node) => node.querySelector('time')?.textContent ?? '';
  const row = (node) => [node.getBoundingClientRect(), time(node), node.textContent];
  return [...document.querySelectorAll('#log li')].map(row)
    .filter(([at]) => at.bottom > box.top + 2 && at.top < box.bottom)
    .sort(([one], [other]) => one.top - other.top).map(([, time, text]) => [time, text]);
})()"""
#: How the word "today" and the number of its day lie: apart, and whole within the link that they are in.
_TODAY = """(() => {
  const word = document.querySelector('.calendar .day span');
  const range = document.createRange();
  range.selectNodeContents(word);
  const box = range.getBoundingClientRect();
  range.selectNode(word.previousSibling);
  const number = range.getBoundingClientRect();
  const link = word.closest('a').getBoundingClientRect();
  if (box.right > link.right || box.bottom > link.bottom) return 'cut off';
  return box.left >= number.right + 2 || box.top >= number.bottom - 1 ? 'apart' : 'run together';
})()"""
AXE = """axe.run(document).then(({ violations }) => violations.map((each) =>
  [each.id, each.impact, ...each.nodes.slice(0, 2).map((node) => node.html.slice(0, 90))].join(" ")))"""


class ArchiveChecks(Visitor):
    """Rooms, a room, a day, people, searches."""

    _stages: dict[str, ArchiveStage]
    _roots: list[str]

    def close(self) -> None:
        """End the browser, and take away the archives."""
        super().close()
        for root in getattr(self, "_roots", ()):
            shutil.rmtree(root, ignore_errors=True)

    def stage(self, kind: str = "", page: str | None = None) -> ArchiveStage:
        """The archive, made when somebody looks at it first."""
        if not hasattr(self, "_stages"):
            self._stages, self._roots = {}, []
        if kind not in self._stages:
            root = tempfile.mkdtemp(prefix="chatlog-archive-")
            self._roots.append(root)
            made = self.on_stage(lambda: ArchiveStage(self._reactor, root, page, kind).start())
            self._stages[kind] = made
        return self._stages[kind]

    def go(self, path: str, kind: str = "", **looks: Any) -> Page:
        """Open a page of the archive. Times are those of UTC."""
        stage = self.stage(kind)
        self.page.leave()
        self.page.look(**looks)
        self.page.open(f"http://127.0.0.1:{stage.port}{path}")
        return self.page

    def day(
        self, room: str = "twitch/amberfox", number: int = -2, hash: str = "", kind: str = "", **looks: Any
    ) -> Page:
        """A day of a room, as soon as there is something to see."""
        page = self.go(f"/rooms/{room}/{self.stage(kind).days.name(number)}{hash}", kind, **looks)
        page.until(f"{_ROWS} > 0 || !document.getElementById('statement').hidden", 20)
        return page

    def seen(self) -> Any:
        return self.page.run(_SEEN)

    def statement(self) -> str:
        self.page.until("!document.getElementById('statement').hidden")
        found: str = self.page.run("document.querySelector('#statement h2').textContent")
        return found

    def typed(self, id: str, text: str, key: str = "") -> None:
        """Write into a field, as somebody would."""
        self.page.run(f"document.getElementById('{id}').focus(); document.getElementById('{id}').select?.()")
        self.page.type(text)
        if key:
            self.page.press(key, {"Enter": 13, "Escape": 27}[key])

    # -- rooms and days ------------------------------------------------------------------------------

    def check_archive_rooms(self) -> None:
        """Rooms of all platforms with what was said and recorded lately; they are found by a part of the
        name, and lead to their calendars."""
        page = self.go("/")
        page.until("document.querySelectorAll('#list a').length === 6")
        find = "[...document.querySelectorAll('#list li')].find((each) => each.textContent.includes('{}'))"
        row, unknown = find.format("busy"), find.format("uncounted")
        self.same(page.run(f"{row}.querySelectorAll('.number')[0].textContent"), f"{MANY // 24 * 24:,}")
        self.same(page.run(f"{row}.querySelectorAll('.number')[1].textContent"), "100 %")
        self.same(page.run(f"{unknown}.querySelectorAll('.number')[0].textContent"), "not counted yet")
        self.picture("archive-rooms")
        self.typed("filter", "#AMB")
        page.until("document.querySelectorAll('#list a').length === 1")
        self.is_well()
        page.press("Enter", 13)
        page.until("location.pathname === '/rooms/twitch/amberfox'")

    def check_archive_calendar(self) -> None:
        """A month of days; how much of each was recorded is shown by shade, and said for those who do not see
        it."""
        page = self.go("/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('.calendar td a').length >= 28")
        day = self.stage().days.name(-2)
        page = self.go(f"/rooms/twitch/amberfox?month={day[:7]}")
        page.until("document.querySelectorAll('.calendar td a').length >= 28")
        link = f"document.querySelector('.calendar a[href$=\"{day}\"]')"
        self.same(page.run(f"{link}.parentElement.dataset.cover"), "most")
        words = page.run(f"{link}.querySelector('.hidden').textContent")
        for expected in ("records", "95.83 % recorded", "60 min missing (connection lost)"):
            if expected not in words:
                raise PageTrouble(f"{words!r} does not say {expected!r}")
        self.is_well()
        self.picture("archive-calendar")
        page.run(f"{link}.click()")
        page.until(f"location.pathname.endsWith('{day}')")
        for looks in ({}, PHONE, NARROW):
            page = self.go("/rooms/twitch/amberfox", **looks)
            page.until("document.querySelector('.calendar .day span') !== null")
            self.same((looks, page.run(_TODAY)), (looks, "apart"))
            self.picture(f"archive-calendar-{looks.get('width', 'wide')}")
        page = self.go("/rooms/twitch/uncounted")
        page.until("document.getElementById('facts').textContent.includes('1 record in')")

    def check_archive_states(self) -> None:
        """Before the archive began, a day that is all gap, one on which nobody recorded the room any more,
        one that is not over, one to come, and nothing like the filter: each is said in other words. A damaged
        file is named."""
        page = self.day(number=-40)
        self.same(self.statement(), "Before twitch/amberfox was recorded")
        page = self.day(number=-1)
        self.same(self.statement(), "Nothing was recorded on this day")
        if "restart" not in page.run("document.getElementById('statement').textContent"):
            raise PageTrouble("the cause is not said")
        page = self.day("twitch/gone", number=-5)
        self.same(self.statement(), "Nobody recorded this room on this day")
        if "until " not in page.run("document.getElementById('statement').textContent"):
            raise PageTrouble("the end of the recording is not said")
        page = self.day("twitch/gone", number=-6)
        page.until("document.querySelector('#log .gapbar') !== null")
        bar = page.run("document.querySelector('#log .gapbar').textContent")
        if not bar.startswith("Nobody recorded this room any more after 10:00:00 on"):
            raise PageTrouble(f"the end of the recording is not in {bar!r}")
        page = self.go("/rooms/twitch/gone")
        page.until("document.getElementById('facts').textContent.includes('and not since')")
        page = self.day("twitch/busy", number=-1)
        self.same(self.statement(), "Nobody recorded this room on this day")
        page = self.day(number=2)
        self.same(self.statement(), "This day has not begun")
        page = self.day("twitch/busy", number=0)
        self.same(self.statement(), "This day is not over, and nothing is recorded of it so far")
        page = self.day(number=0)
        page.until("document.getElementById('facts').textContent.includes('not over yet')")
        page = self.day()
        page.until("!document.getElementById('damage').hidden")
        if ".jsonl.zst is damaged" not in self.text("damage"):
            raise PageTrouble(f"not named: {self.text('damage')!r}")
        self.typed("filter", "nobody says that")
        self.same(self.statement(), "Nothing of this day is like that")
        self.is_well()

    def check_archive_empty(self) -> None:
        """An archive in which nothing is yet says so, and what to do."""
        page = self.go("/", "empty")
        page.until("!document.getElementById('statement').hidden")
        self.same(
            page.run("document.querySelector('#statement h2').textContent"), "Nothing is in this archive yet"
        )
        self.is_well()

    def check_archive_unknown(self) -> None:
        """A room that is not there is said so, and names that are near are links."""
        page = self.go("/rooms/twitch/amberfix")
        self.same(
            page.run("document.querySelector('h1').textContent"), "twitch/amberfix is not in this archive"
        )
        links = page.run("[...document.querySelectorAll('main a')].map((link) => link.textContent)")
        self.same(links, ["twitch/amberfox", "All rooms"])

    # -- a day ---------------------------------------------------------------------------------------

    def check_archive_day(self) -> None:
        """Chat as people know it: what moderators removed is marked, with who did it where the platform says;
        copies of other rooms are marked; what is missing is a bar with its cause."""
        page = self.day()
        self.picture("archive-day")
        self.jump("10:12")
        page.until("document.getElementById('log').textContent.includes('from elsewhere')")
        row = "[...document.querySelectorAll('#log li')].find((each) => each.textContent.includes('{}'))"
        done = row + "?.querySelector('.done')?.textContent"
        page.until(f"{done.format('something rude')} === 'deleted'")
        self.same(page.run(done.format("spam")), "timed out for 600 s")
        self.same(
            page.run(f"{row.format('from elsewhere')}.querySelector('.label').textContent"), "shared chat"
        )
        self.jump("12:00")
        page.until("document.querySelector('#log .gapbar') !== null")
        bar = page.run("document.querySelector('#log .gapbar').textContent")
        for expected in ("Not recorded for 60 min", "connection lost: reset by peer"):
            if expected not in bar:
                raise PageTrouble(f"{bar!r} does not say {expected!r}")
        self.picture("archive-gap")
        self.is_well()
        page = self.day("kick/birch-live")
        page.until(f"{done.format('KEKW')} === 'timed out for 300 s by mod_mary'")

    def jump(self, text: str) -> None:
        self.typed("jump", text, "Enter")

    def check_archive_places(self) -> None:
        """A time, a message's link, what it answers, the strip and the keys all lead to their place."""
        page = self.day()
        self.jump("10:05")
        page.wait(lambda: self.seen() and self.seen()[0][0] == "10:05:00", what="10:05")
        day = self.stage().days.name(-2)
        page = self.day(hash=f"#at={day}T10:03:20.000Z&id=m200")
        page.until("document.querySelector('#log li.found') !== null")
        self.same("word 200" in page.run("document.querySelector('#log li.found').textContent"), True)
        self.jump("10:12")
        page.until("document.querySelector('#log .reply a') !== null")
        page.run("document.querySelector('#log .reply a').click()")
        page.until("document.querySelector('#log li.found')?.textContent.includes('word 5')")
        page.run("document.getElementById('strip').focus()")
        page.press("End", 35)
        page.wait(lambda: self.seen() and "back" in self.seen()[0][1], what="the end of the day")
        page.run("document.getElementById('log').focus()")
        page.call("Input.dispatchKeyEvent", type="keyDown", key="g", text="g")
        page.wait(lambda: self.seen() and "word 0" in self.seen()[1][1], what="the beginning of the day")
        for _ in range(3):
            page.call("Input.dispatchKeyEvent", type="keyDown", key="j", text="j")
        page.until("document.querySelector('#log li.current')?.textContent.includes('word 2')")
        page.call("Input.dispatchKeyEvent", type="keyDown", key="?", text="?")
        page.until("document.getElementById('keys').open")
        page.press("Escape", 27)
        page.until("!document.getElementById('keys').open")
        self.is_well()

    def check_archive_wrong_time(self) -> None:
        """What is no time, and what is still to come, is said in words, until something else is written."""
        page = self.day()
        page.until(f"{_ROWS} > 0")
        said = "document.getElementById('wrong').textContent"
        self.jump("banana")
        page.until(f"{said} === 'Write a time, like 21:30 or 21:30:15'")
        self.jump("2999-01-01T21:30")
        page.until(f"{said} === '2999-01-01T21:30 is still to come'")
        self.picture("archive-wrong-time")
        self.same(page.run("document.getElementById('jump').getAttribute('aria-invalid')"), "true")
        self.jump("10:12")
        page.until("document.getElementById('wrong').hidden")
        self.same(page.run("document.getElementById('jump').getAttribute('aria-invalid')"), "false")
        self.is_well()

    def check_archive_filter(self) -> None:
        """What is typed is looked for in the whole day, by text, by person and by kind; Esc shows everything
        again, and a click on a hit's time leads to it among the others."""
        page = self.day()
        self.typed("filter", "WORD 59")
        page.until(f"{_ROWS} === 11")
        page.run(
            "[...document.querySelectorAll('#log .when')].find((each) => each.closest('li')"
            ".textContent.endsWith('word 593')).click()"
        )
        page.until("document.querySelector('#log li.found')?.textContent.includes('word 593')")
        page.until("document.getElementById('filter').value === ''")
        page.wait(lambda: any("word 592" in text for _, text in self.seen()), what="what stands around it")
        self.typed("filter", "@bob")
        page.until(f"{_ROWS} === 2")
        page.press("Escape", 27)
        page.until(f"{_ROWS} > 10")
        page.run(
            "document.getElementById('kinds').value = 'delete,timeout,ban,unban,clear';"
            "document.getElementById('kinds').dispatchEvent(new Event('change'))"
        )
        page.until(f"{_ROWS} === 2")
        self.is_well()

    def check_archive_person(self) -> None:
        """A name opens what is known of a person; from there only they are shown, or all that they wrote."""
        page = self.day()
        self.jump("10:12")
        page.until("[...document.querySelectorAll('#log a.who')].some((each) => each.textContent === 'carl')")
        page.run(
            "[...document.querySelectorAll('#log a.who')].find((each) => each.textContent === 'carl').click()"
        )
        page.until("document.getElementById('person').textContent.includes('time-out')")
        words = page.run("document.getElementById('person').textContent")
        for expected in ("carl", "twitch/amberfox", "1 message on 1 day", "1 time-out", "Moderation in"):
            if expected not in words:
                raise PageTrouble(f"{words!r} does not say {expected!r}")
        self.picture("archive-person")
        page.run("document.querySelector('#person button.main').click()")
        page.until(f"!document.getElementById('person').open && {_ROWS} === 2")
        page = self.go("/people/twitch/user3")
        page.until("document.querySelectorAll('#hits li').length > 50", 20)
        rooms = "[...document.querySelectorAll('#known h3')].map((each) => each.textContent).join()"
        page.until(f"{rooms} === 'twitch/busy,twitch/amberfox'", 20)
        self.is_well()

    def check_archive_stream_times(self) -> None:
        """Times since a stream began, with an offset; a time that is typed is then one of these."""
        page = self.day()
        page.run("document.getElementById('stream').open = true")
        self.typed("start", "09:00")
        self.typed("offset", "-60", "Enter")
        page.until("document.querySelector('#log .when').textContent === '0:59:00'")
        self.jump("1:02:00")
        page.wait(lambda: self.seen()[0][0] == "1:02:00", what="that time")
        if "start=" not in page.run("location.hash"):
            raise PageTrouble("the address does not keep it")
        page.run("document.getElementById('by-clock').click()")
        page.until("/^10:/.test(document.querySelector('#log .when').textContent)")
        self.is_well()

    def check_archive_exports(self) -> None:
        """The day, or what the filter finds of it, as a file in each form."""
        page = self.day()
        self.typed("filter", "word 59")
        page.until(f"{_ROWS} === 11")
        texts = page.run(
            "Promise.all([...document.querySelectorAll('#formats a')].map((link) => fetch(link.href).then("
            "async (answer) => [link.textContent, answer.status, await answer.text()])))"
        )
        self.same([name for name, _, _ in texts], ["Text", "CSV", "JSONL", "IRC", "Chat JSON"])
        for name, status, text in texts:
            self.same((name, status, text.count("word 59") >= 11), (name, 200, True))

    def check_archive_busy_day(self) -> None:
        """A day of 200,000 messages: the first are there at once, any place of it is at hand, and few are in
        the document."""
        self.stage()
        began = time.monotonic()
        page = self.day("twitch/busy")
        first = time.monotonic() - began
        page.until("document.getElementById('log').scrollHeight > 2e6", 30)
        for text in ("03:30", "21:45", "12:00"):
            asked = time.monotonic()
            self.jump(text)
            page.wait(lambda text=text: (self.seen() or [[""]])[0][0].startswith(text), what=text)  # type: ignore[misc]
            print(f"        {text} after {time.monotonic() - asked:.2f} s")
        print(f"        first rows after {first:.2f} s")
        page.run("document.getElementById('log').scrollTop = document.getElementById('log').scrollHeight")
        page.wait(
            lambda: "The day after" in str(self.seen()) or "end of the day" in str(self.seen()),
            what="the end",
        )
        if page.run("document.querySelectorAll('#log li').length") > 300:
            raise PageTrouble("too much is in the document")
        self.typed("filter", "@user96")
        page.until(f"document.getElementById('h-chat').textContent === '{stage_hits()} found'", 20)
        self.is_well()

    # -- searches ------------------------------------------------------------------------------------

    def check_archive_search(self) -> None:
        """A search over all rooms says what it found and what was missing on the way; a hit leads to its
        place."""
        page = self.go("/search?q=word%20599")
        page.until("document.querySelectorAll('#hits li').length === 1", 20)
        page.until("document.getElementById('stop').hidden")
        progress = self.text("progress")
        for expected in ("1 hit", "not recorded", "could not be read"):
            if expected not in progress:
                raise PageTrouble(f"{progress!r} does not say {expected!r}")
        self.picture("archive-search")
        self.is_well()
        page.run("document.querySelector('#hits .when').click()")
        page.until("document.querySelector('#log li.found')?.textContent.includes('word 599')", 20)
        page = self.go("/search?q=(&regex=1")
        page.until("document.getElementById('progress').dataset.level === 'bad'")

    # -- how it looks --------------------------------------------------------------------------------

    def check_archive_looks(self) -> None:
        """Every page can be read, dark and light, on a phone and at 320 pixels, and none is wider than its
        window."""
        day = self.stage().days.name(-2)
        paths = (
            "/",
            "/rooms/twitch/amberfox",
            f"/rooms/twitch/amberfox/{day}",
            "/people/twitch/carl",
            "/search?q=spam",
        )
        for name, looks in (
            ("light", {}),
            ("dark", {"dark": True}),
            ("phone", PHONE),
            ("phone-dark", {**PHONE, "dark": True}),
            ("narrow", NARROW),
        ):
            for path in paths:
                page = self.go(path, **looks)
                page.idle(1.0)
                self.is_well()
                self.same((path, page.run(CONTRAST)), (path, []))
                if "day" not in path and name == "narrow" and path == "/":
                    self.same(page.run(BROKEN), [])
                self.picture(f"archive{path.split('?')[0].replace('/', '-').replace(day, 'day')}-{name}")

    def check_archive_axe(self) -> None:
        """axe-core finds nothing to complain about, if it is at hand."""
        if self.axe is None:
            return
        day = self.stage().days.name(-2)
        for path, looks in (
            ("/", {}),
            ("/", {**PHONE, "dark": True}),
            ("/rooms/twitch/amberfox", {"dark": True}),
            (f"/rooms/twitch/amberfox/{day}", {}),
            (f"/rooms/twitch/amberfox/{day}", {**PHONE, "dark": True}),
            (f"/rooms/twitch/amberfox/{self.stage().days.name(-1)}", {}),
            ("/people/twitch/carl", PHONE),
            ("/search?q=spam", {}),
        ):
            page = self.go(path, **looks)
            page.idle(1.5)
            page.run(f"{self.axe}; 0")
            found = page.run(AXE)
            if found:
                raise PageTrouble(f"{path} {looks}: {found}")

    def check_archive_hostile(self) -> None:
        """Names, texts, badges and colours that are meant to become something else stay text."""
        page = self.day("twitch/hostile")
        page.until(f"{_ROWS} > 10")
        shown = ""
        for _ in range(20):
            shown += page.run("document.getElementById('log').textContent")
            page.run("document.getElementById('log').scrollTop += 600")
            page.idle(0.15)
        for text in HOSTILE[:5]:
            if text not in shown:
                raise PageTrouble(f"{text!r} is not shown as it was sent")
        self.is_well()
        inside = "[...document.querySelectorAll('#log *')]"
        names = set(page.run(f"{inside}.map((node) => node.localName)"))
        self.same(names - {"a", "b", "bdi", "div", "i", "li", "ol", "span", "time"}, set())
        styles = page.run(f"{inside}.map((node) => node.style.cssText).filter(Boolean)")
        odd = [
            style
            for style in styles
            if "url" in style or not style.startswith(("color: ", "transform: ", "height: "))
        ]
        self.same(odd, [])
        self.same(page.run("document.querySelectorAll('script').length"), 2)
        self.same(page.run("document.querySelectorAll('iframe, object, embed, base, style').length"), 0)
        if "owned" in page.run("document.title"):
            raise PageTrouble("a text has become a script")

    # -- beside a recorder ---------------------------------------------------------------------------

    def check_earlier(self) -> None:
        """The recorder's page of a room has what was said earlier from the archive server, each line once,
        whether or not anything was said since the file was begun; a name leads to the person there."""
        show = self.show("quiet")
        stage = self.stage("beside", f"127.0.0.1:{show.port}")
        self.on_stage(lambda: show.archive_at(f"127.0.0.1:{stage.port}"))
        page = self.open("quiet", "/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('#log .said').length > 50")
        self.same("today" in page.run("document.getElementById('log').textContent"), True)
        self.say("quiet", username="dora", user_id="4", type="message", message="live now", id="live1")
        page.until("document.getElementById('log').lastElementChild.textContent.includes('live now')", 5)
        profile = page.run("document.querySelector('#log a.who').href")
        if not profile.startswith(f"http://127.0.0.1:{stage.port}/people/twitch/id:1?room="):
            raise PageTrouble(profile)
        page.run("document.getElementById('log').scrollTop = 0; document.getElementById('earlier').click()")
        page.until("document.getElementById('log').textContent.includes('back 39')")
        texts = page.run("[...document.querySelectorAll('#log .said .text')].map((each) => each.textContent)")
        self.same(len([text for text in texts if text == "today 3"]), 1)
        self.picture("room-earlier")
        # With a line on the page, what is before that line is asked for.
        page = self.open("quiet", "/rooms/twitch/amberfox")
        page.until("document.getElementById('log').textContent.includes('live now')")
        page.until("document.querySelectorAll('#log .said').length > 50")
        self.same(page.run("document.getElementById('earlier').textContent"), "Earlier")
        page.run("document.getElementById('log').scrollTop = 0; document.getElementById('earlier').click()")
        page.until("document.getElementById('log').textContent.includes('back 39')")
        self.is_well()


def stage_hits() -> str:
    """How many messages of the busy day one of its people wrote."""
    each = MANY // 24
    return f"{24 * len(range(96, each, 97)):,}"
