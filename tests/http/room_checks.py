"""A room's page, in a real browser."""

from __future__ import annotations

import json

from tests.http.visitor import CONTRAST, TEXT, Visitor

#: The texts of the emotes in a message, by a vertical line, and everything else.
_WRITTEN = """import('/assets/text.js').then(({{ written }}) => [...written(...{}).childNodes].map((node) =>
  node.localName === 'i' ? `[${{node.textContent}}]` : node.textContent).join('|'))"""
_LINKED = """import('/assets/text.js').then(({{ written }}) => {{
  const made = written({}, 'twitch');
  const links = [...made.querySelectorAll('a')];
  const label = (node) => (node?.className?.includes('host') ? node.textContent : '');
  const leads = links.map((link) => [link.getAttribute('href'), label(link.nextSibling)]);
  const how = links.length ? [links[0].rel, links[0].target, links[0].dir] : [];
  for (const each of made.querySelectorAll('.host')) each.remove();
  return {{ links: leads, how, text: made.textContent }};
}})"""
#: Platform, message, Twitch's ranges, and what becomes of it: emotes in brackets.
EMOTES = (
    ("twitch", "Kappa", "25:0-4", "[Kappa]"),
    ("twitch", "a Kappa b Keepo", "1902:10-14/25:2-6", "a |[Kappa]| b |[Keepo]"),
    ("twitch", "LUL LUL", "425618:0-2,4-6", "[LUL]| |[LUL]"),
    ("twitch", "TKhi", "80481_/3:0-1", "[TK]|hi"),
    ("twitch", "👋🏽 PogChamp", "emotesv2_d2:3-10", "👋🏽 |[PogChamp]"),
    ("twitch", "short", "25:3-90", "short"),
    ("twitch", "short", "25:4-2", "short"),
    ("twitch", "overlap", "1:0-3/2:2-5", "[over]|lap"),
    ("twitch", "nonsense", "25:x-y,,/:/0-", "nonsense"),
    ("twitch", "object", {"0": 1}, "object"),
    ("twitch", "[emote:37226:KEKW]", "", "[emote:37226:KEKW]"),
    ("kick", "[emote:37226:KEKW] hi [emote:1:a-b]", "", "[KEKW]| hi |[a-b]"),
    ("kick", "[emote:37226:]", "", "[emote 37226]"),
    ("kick", "[emote:37226]", "", "[emote 37226]"),
    ("kick", "[emote:x:KEKW] [emote:1:", "", "[emote:x:KEKW] [emote:1:"),
    ("kick", "Kappa", "25:0-4", "Kappa"),
    ("twitch", "https://a.example/ Kappa", "25:19-23", "https://a.example/| |[Kappa]"),
)
#: A message, and its links: where each leads, and what is said about that.
LINKS: tuple[tuple[str, list[list[str]]], ...] = (
    ("see https://example.org/a?b=1#c now", [["https://example.org/a?b=1#c", ""]]),
    ("HTTP://Example.org.", [["http://example.org/", ""]]),
    (
        "(https://example.org/a_(b)), https://example.org!",
        [["https://example.org/a_(b)", ""], ["https://example.org/", ""]],
    ),
    ('"https://example.org/x"', [["https://example.org/x", ""]]),
    ("https://example.org:8443/x", [["https://example.org:8443/x", ""]]),
    ("https://example.org:443/x", [["https://example.org/x", ""]]),
    ("example.org www.example.org ftp://example.org mailto:a@example.org", []),
    ("javascript" + ":alert(1) data:text/html,x vbscript:x", []),
    ("https://", []),
    ("https:///x", [["https://x/", "leads to x"]]),
    ("https://example.org@evil.example/", []),
    ("https://example.org:80@evil.example/", []),
    ("https://example.org%40evil.example/", []),
    ("https://example.org\\@evil.example/", [["https://example.org/", ""]]),
    (
        "https://\u0440\u0430\u0443\u0440\u0430l.example/",
        [["https://xn--l-7sba6dbr.example/", "leads to xn--l-7sba6dbr.example"]],
    ),
    (
        "https://m\u00fcnchen.example/",
        [["https://xn--mnchen-3ya.example/", "leads to xn--mnchen-3ya.example"]],
    ),
    ("https://\uff45xample.org/", [["https://example.org/", "leads to example.org"]]),
    ("https://example\u3002org/", [["https://example.org/", "leads to example.org"]]),
    ("http://2130706433/", [["http://127.0.0.1/", "leads to 127.0.0.1"]]),
    ("http://%65xample.org/", [["http://example.org/", "leads to example.org"]]),
    ("https://example.org/\u202egnp.exe", []),
    ("\u202ehttps://example.org/", [["https://example.org/", ""]]),
    ("https://exa\u200bmple.org/", []),
    ("https://example.org/\u05d0\u05d1", [["https://example.org/%D7%90%D7%91", ""]]),
    ("https://example.org/" + "a" * 1900, [["https://example.org/" + "a" * 1900, ""]]),
    ("https://[::1]/x", [["https://[::1]/x", ""]]),
    ("https://exa mple.org", [["https://exa/", ""]]),
    ("xhttps://example.org", [["https://example.org/", ""]]),
    ("https://example.org<script>", [["https://example.org/", ""]]),
)


class RoomChecks(Visitor):
    """Its facts and its chat."""

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
            self.same(page.run(CONTRAST), [])
            self.picture(f"room-{name}")
        # Names keep to what can be read when evening comes.
        page.look(dark=True)
        page.until(f"{CONTRAST}.length === 0", 3)

    def check_emotes(self) -> None:
        """Emotes are marked alike on both platforms; where Twitch's ranges are wrong, the text is as it was
        sent, and what only looks like an emote of Kick is text on Twitch."""
        page = self.open("few")
        for platform, message, ranges, expected in EMOTES:
            found = page.run(_WRITTEN.format(json.dumps([message, platform, ranges])))
            self.same((message, ranges, found), (message, ranges, expected))

    def check_links(self) -> None:
        """What begins with http or https is a link that leads where it is written and takes nothing with it;
        everything else is text, and so is an address that is made to be taken for another."""
        page = self.open("few")
        for message, expected in LINKS:
            found = page.run(_LINKED.format(json.dumps(message)))
            self.same((message, found["links"]), (message, expected))
            # Nothing of the text is changed, left out or moved.
            self.same(found["text"], message)
        script = _LINKED.format(json.dumps("https://example.org/"))
        self.same(page.run(script)["how"], ["noopener noreferrer nofollow", "_blank", "ltr"])

    def check_following(self) -> None:
        """The chat scrolls with new messages until the user scrolls up; then it shows how many are new."""
        page = self.open("five", "/rooms/twitch/amberfox")
        page.until("document.querySelectorAll('#log li').length > 50", 30)
        distance = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)"
        self.same(page.run(f"{distance}(document.getElementById('log')) < 2"), True)
        page.run("document.getElementById('log').scrollTop = 0")
        page.until("!document.getElementById('newest').hidden")
        page.run("document.getElementById('newest').click()")
        page.until(f"{distance}(document.getElementById('log')) < 2")

    def check_not_recorded(self) -> None:
        """A room that is not recorded has no page: it is said so, rooms with a similar name are named, and
        it can be added from there."""
        page = self.visit("five", "/rooms/twitch/amberfax")
        self.same(page.run("document.querySelector('h1').textContent"), "twitch/amberfax is not recorded")
        links = page.run("[...document.querySelectorAll('main a')].map((link) => link.textContent)")
        self.same(links, ["twitch/amberfox", "Record it", "All rooms"])
        page.run("document.querySelectorAll('main a')[1].click()")
        page.until("document.querySelector('dialog') !== null")
        self.same(page.run("location.hash"), "")

    def check_removed(self) -> None:
        """A room that is removed while its page is open says so."""
        show = self.show("few")
        self.on_stage(show.scene.add, "shortlived")
        page = self.open("few", "/rooms/twitch/shortlived")
        self.on_stage(show.scene.pools["twitch"].remove, "shortlived")
        page.until(f"{TEXT.format('trouble')} === 'This room is not recorded any more.'", 15)

    def check_nothing(self) -> None:
        """An address that is none says so to people, and where to go on."""
        show = self.show("five")
        self.page.leave()
        self.page.open(f"http://127.0.0.1:{show.port}/no/such/page")
        self.same(self.page.run("document.querySelector('h1').textContent"), "There is nothing here")
        self.same(self.page.run("document.querySelector('main a').pathname"), "/")
