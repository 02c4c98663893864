"""Adding and removing rooms on the page, in a real browser."""

from __future__ import annotations

from urllib.parse import unquote_plus

from tests.http.chromium import Page, PageTrouble
from tests.http.stage import GHOST, TOKEN, UMLAUT
from tests.http.visitor import ROWS, Visitor

_OUTCOME = """[...document.querySelectorAll('#outcomes li')].map((item) =>
  [item.querySelector('.subject').textContent, item.querySelector('.words').textContent])"""
_NAMES = "[...document.querySelectorAll('#table bdi')].map((name) => name.textContent)"
_CHANNELS = "import('/assets/channels.js').then((module) => module.channels({!r}, {!r}))"
#: What somebody writes, and the channel that it is on the platform that is chosen; None for none.
CHANNELS = (
    ("shroud", "twitch/shroud"),
    ("#Shroud", "twitch/shroud"),
    ("@SHROUD", "twitch/shroud"),
    ("kick/XQC", "kick/xqc"),
    ("Kick:xqc", "kick/xqc"),
    ("twitch/#shroud", "twitch/shroud"),
    ("https://www.twitch.tv/Shroud", "twitch/shroud"),
    ("http://twitch.tv/shroud/", "twitch/shroud"),
    ("twitch.tv/shroud/videos?filter=all", "twitch/shroud"),
    ("https://m.twitch.tv/shroud#x", "twitch/shroud"),
    ("https://www.twitch.tv/popout/shroud/chat?popout=", "twitch/shroud"),
    ("https://dashboard.twitch.tv/u/shroud/stream-manager", "twitch/shroud"),
    ("https://player.twitch.tv/?channel=Shroud&parent=example.org", "twitch/shroud"),
    ("https://kick.com/train-wrecks_tv", "kick/train-wrecks_tv"),
    ("kick.com/popout/xqc/chat", "kick/xqc"),
    ("KICK.COM/XQC", "kick/xqc"),
    ("https://www.twitch.tv/", None),
    ("https://www.twitch.tv/directory/all", None),
    ("https://kick.com/browse", None),
    ("https://eviltwitch.tv/shroud", None),
    ("https://twitch.tv.example.org/shroud", None),
    ("https://youtube.com/@someone", None),
    ("youtube/someone", None),
    ("with.dots", None),
    ("train-wrecks", None),
    ("a" * 26, None),
    ("kick/" + "a" * 65, None),
    ("日向", None),
    ("https://", None),
)


class ChangeChecks(Visitor):
    """Only a user with the token can change what is recorded."""

    def check_channels(self) -> None:
        """A channel may be named in every usual form and in any case; a wrong name is reported."""
        page = self.open("few")
        for text, expected in CHANNELS:
            found = page.run(_CHANNELS.format(text, "twitch"))
            names = [f"{each['platform']}/{each['name']}" if "name" in each else None for each in found]
            if names != [expected] or (expected is None and "trouble" not in found[0]):
                raise PageTrouble(f"{text}: {found}")
        several = "shroud, #xqc\n<https://kick.com/xqc>; 'Shroud'"
        found = page.run(_CHANNELS.format(several, "kick"))
        self.same([(each["platform"], each["name"]) for each in found], [("kick", "shroud"), ("kick", "xqc")])

    def check_adding(self) -> None:
        """Several rooms are added at once, once the token is known, and what becomes of each is told: one
        is recorded, one is refused, one is no room at all. The token is kept for the tab and nowhere else,
        and is in no address."""
        page = self.open("few")
        page.until(f"{ROWS} === 2")
        self._enter(page)
        page.until("document.activeElement.id === 'names'")
        page.type(f"Room10 #room2 https://kick.com/{GHOST}-1 https://kick.com/browse twitch/amberfox")
        page.run("document.querySelector('#add-form button.main').click()")
        recorded = f"{_OUTCOME}.filter(([, words]) => words === 'is being recorded')"
        page.until(f"{_OUTCOME}.length === 5 && {recorded}.length === 3", 15)
        page.until(f"{_OUTCOME}[2][1].startsWith('is not recorded: ')", 10)
        outcome = dict(page.run(_OUTCOME))
        self.same(
            sorted(outcome),
            [
                "https://kick.com/browse",
                f"kick/{GHOST}-1",
                "twitch/amberfox",
                "twitch/room10",
                "twitch/room2",
            ],
        )
        self.same(outcome["https://kick.com/browse"], "is an address, but not that of a channel")
        # They are in the table, and room2 comes before room10.
        page.until(f"{ROWS} === 5", 10)
        page.run("document.querySelector('th[data-sort=name] button').click()")
        self.same(page.run(_NAMES), ["amberfox", "amberplays", f"{GHOST}-1", "room2", "room10"])
        self.picture("adding")
        self._is_secret(page)
        # After a reload the token is still known; in another tab it would not be.
        page.call("Page.reload")
        page.until("document.getElementById('pulse')?.dataset.state === 'live'")
        page.run("document.getElementById('change').click()")
        page.until("!document.getElementById('changing').hidden")
        self._remove(page)

    def _remove(self, page: Page) -> None:
        """Several rooms are chosen in the table and removed at once, after a question."""
        page.until(f"{ROWS} === 5")
        for name in ("room2", "room10"):
            page.run(f"document.querySelector('[aria-label=\"Choose twitch/{name}\"]').click()")
        self.same(self.text("how-many"), "2 rooms chosen")
        page.run("document.getElementById('stop').click()")
        self.same(
            self.text("question"), "Stop recording twitch/room2, twitch/room10? What is recorded stays."
        )
        self.same(page.run("document.activeElement.id"), "keep")
        self.picture("removing")
        page.run("document.getElementById('really').click()")
        page.until(f"{ROWS} === 3", 10)
        self.same(self.text("told"), "2 rooms are not recorded any more.")
        self.same(page.run("document.getElementById('chosen').hidden"), True)
        page.run("document.getElementById('forget').click()")
        self.same(page.run("[sessionStorage.length, document.getElementById('changing').hidden]"), [0, True])

    def _enter(self, page: Page) -> None:
        """The token is asked for; a wrong one is not taken."""
        page.run("document.getElementById('change').focus()")
        page.press("Enter", 13)
        page.until("document.querySelector('dialog input') === document.activeElement")
        page.type("not the token")
        page.press("Enter", 13)
        trouble = "document.querySelector('dialog .trouble').textContent"
        page.until(f"{trouble} === 'That is not the token of this recorder.'")
        page.type(TOKEN)
        self.picture("token")
        page.press("Enter", 13)
        page.until("!document.getElementById('changing').hidden")

    def _is_secret(self, page: Page) -> None:
        addresses = [*page.requests(), page.run("location.href")]
        if any("the tests" in unquote_plus(address) for address in addresses):
            raise PageTrouble(f"the token is in {addresses}")
        self.same(page.run("JSON.stringify(localStorage).includes('token of')"), False)
        self.same(page.run("document.documentElement.outerHTML.includes('token of the tests')"), False)
        self.same(page.run("document.cookie"), "")

    def check_acknowledging(self) -> None:
        """A refused room that somebody knows of colours nothing any more; that can be taken back, in the
        table and on the room's own page."""
        page = self.open("refused")
        page.until(f"{ROWS} === 200")
        self.same(self.text("problem-count"), "3")
        before = self.text("headline")
        names = page.run(_NAMES)[:3]
        self._enter(page)
        for name in names:
            page.run(f"document.querySelector('[aria-label=\"Choose twitch/{name}\"]').click()")
        page.run("document.getElementById('acknowledge').click()")
        page.until("document.getElementById('problem-count').textContent === '0'", 10)
        page.until(f"document.getElementById('headline').textContent !== {before!r}", 10)
        self.same(page.run("document.getElementById('verdict').dataset.severity"), "ok")
        self.picture("acknowledged")
        page.run(f"location.href = '/rooms/twitch/{names[0]}'")
        back = "document.getElementById('acknowledge')"
        page.until(f"{back}?.textContent === 'Take back acknowledgement' && !{back}.hidden", 10)
        page.run(f"{back}.click()")
        page.until(f"{back}.textContent === 'Acknowledge'", 10)
        known = self.show("refused").scene.status.acknowledged
        assert known is not None
        self.same(sorted(known), sorted(("twitch", name) for name in names[1:]))
        self.on_stage(known.over, [("twitch", name) for name in names])

    def check_no_token(self) -> None:
        """A recorder without a token says that nothing can be changed, and how that is mended."""
        page = self.open("tokenless")
        page.run("document.getElementById('change').click()")
        page.until("document.querySelector('dialog input') !== null")
        page.type("anything")
        page.press("Enter", 13)
        page.until("document.querySelector('dialog .trouble').textContent.includes('http.token')")
        page.press("Escape", 27)
        page.until("!document.querySelector('dialog')")
        self.same(page.run("document.getElementById('changing').hidden"), True)

    def check_token_letters(self) -> None:
        """A token may have any letters; it is sent as the bytes that it is."""
        page = self.open("umlaut")
        page.run("document.getElementById('change').click()")
        page.until("document.querySelector('dialog input') !== null")
        page.type(UMLAUT)
        page.press("Enter", 13)
        page.until("!document.getElementById('changing').hidden")
        page.run("document.getElementById('forget').click()")
