"""Lines that hypothesis makes up."""

from __future__ import annotations

from hypothesis import strategies as st

from chatlog.twitch import events
from tests.twitch.sample_lines import CHAT_TAGS, SENT

#: Pieces of chat lines that the short way must read right or leave alone.
_TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\n", codec="utf-8")),
    st.text(" :#\x01\r\0\"'\\;=@!ACTIONé"),
    st.builds("\x01ACTION {}\x01".format, st.text("ab \x01")),
)
_VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\n ;", codec="utf-8"), max_size=12),
    st.text('\\\\srn:"=,{}[]x1é\t\0', max_size=8),
    st.sampled_from(["", "0", SENT, "1", "9999999999999", '","id":"x', '"', "\\u0041", "\\/", "\\b", "a=b"]),
)
_KEYS = st.one_of(
    st.sampled_from([*CHAT_TAGS, *events.OWN_DETAILS, "", "@command", 'a"b', "a\\sb", "é", "x"]),
    st.text('ab-/+."\\', max_size=3),
)
_ITEMS = st.one_of(st.builds("{}={}".format, _KEYS, _VALUES), _KEYS, st.just(""))
_SOURCES = st.sampled_from(
    [
        *(":ab!ab@cd.tmi.twitch.tv", ":ab!abc@ab.tmi.twitch.tv", ":!ab@ab.tmi.twitch.tv", ":tmi.twitch.tv"),
        *(":é!é@é.tmi.twitch.tv", ":AB!AB@AB.tmi.twitch.tv", ":a!!a@a!.tmi.twitch.tv", ":a b", ":", ""),
    ]
)
_COMMANDS = st.sampled_from(
    ["PRIVMSG"] * 6 + ["USERNOTICE", "CLEARCHAT", "CLEARMSG", "privmsg", "PRIVMSG ", "X", ""]
)
_CHANNELS = st.sampled_from(
    ["#someroom"] * 4 + ["#SomeRoom", "#", "someroom", "#some#room", "#é", "#a b", "", "#-"]
)


@st.composite
def chat_lines(draw: st.DrawFn) -> bytes:
    """Lines that are nearly, or quite, ordinary chat."""
    items = [f"{key}={value}" for key, value in CHAT_TAGS.items()]
    for item in draw(st.lists(_ITEMS, max_size=3)):
        at = draw(st.integers(0, len(items)))
        items[at : at + draw(st.integers(0, 1))] = [item]
    source = draw(st.one_of(st.just(":ab!ab@ab.tmi.twitch.tv"), _SOURCES))
    space = draw(st.sampled_from([" "] * 8 + ["  ", "\t", ""]))
    colon = draw(st.sampled_from([":"] * 8 + ["", "::"]))
    parts = "@" + ";".join(items), source, draw(_COMMANDS), draw(_CHANNELS) + space + colon + draw(_TEXTS)
    line = " ".join(parts).replace("\n", "").encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.sampled_from([b"\xff", b"\xc3", b" ", b'"', b"\0", b"\\"])) + line[at:]
    return line
