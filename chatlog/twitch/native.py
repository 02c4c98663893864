"""Finds the parser in Rust, which takes a fifth of the CPU for a chat message (``native/``, installed with
``pip install ./native``). Without it, and for each line that it does not parse, Python makes the same record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chatlog
from chatlog import record
from chatlog.environment import ReadChat
from chatlog.twitch import events, irc

#: The variable of the environment that turns the parser off, if its value is one of OFF.
SWITCH = "CHATLOG_NATIVE"
OFF = frozenset({"0", "off", "no", "false"})

_RECEIVED = "2026-01-15T20:00:00.250Z"
_SAMPLE = (
    "@badges={badges};id=00000000-0000-4000-8000-000000000001;room-id=1000001;tmi-sent-ts={sent};"
    "user-id=1000002 :some_viewer!some_viewer@some_viewer.tmi.twitch.tv PRIVMSG #someroom :{text}"
)
#: Lines of which both parsers have to make the same records. The parser in Rust must not leave the first one
#: to Python.
_SAMPLES = tuple(
    _SAMPLE.format(badges=badges, sent=sent, text=text).encode()
    for badges, sent, text in (
        ("subscriber/12,premium/1", "1768507199875", "hello there"),
        ("", "1768507199875", 'say "hi" \\o/ \t\x00\x7f é ここから 😂\u2028 :x '),
        (r'a\sb\:c\\s\r\n\"\é\u0041"\b\\', "1768507199875", ""),
        ("a=b", "1798761600000", "x"),
        ("x;badges=y", "1768507199875", "x"),
        ("x;command=y", "1768507199875", "x"),
        ("", "0000000000000", "x"),
        ("", "1768507199875", "\x01ACTION waves\x01"),
    )
)


class Found(NamedTuple):
    """``read_chat`` is None if Python parses; ``words`` say which parser is used. ``is_refused``: the parser
    in Rust is installed and cannot be used."""

    read_chat: ReadChat | None
    words: str
    is_refused: bool = False


def _load() -> object:
    import chatlog_native

    return chatlog_native


def find(environ: Mapping[str, str], load: Callable[[], Any] = _load) -> Found:
    """The parser in Rust, if it is installed and belongs to this version. ``load()`` imports it."""
    if environ.get(SWITCH, "").strip().lower() in OFF:
        return Found(None, f"chat is parsed in Python, because {SWITCH} says so")
    try:
        module = load()
    except ModuleNotFoundError as error:
        if error.name == "chatlog_native":
            return Found(None, "chat is parsed in Python; docs/performance.md says how to parse it in Rust")
        return _refused(str(error))
    except Exception as error:
        return _refused(str(error))
    its = getattr(module, "__version__", "of no version")
    if its != chatlog.__version__:
        return _refused(f"it is {its}, and this is Chatlog {chatlog.__version__}")
    try:
        read_chat: ReadChat = module.chat_record
        agrees = all(_agrees(read_chat, line, n == 0) for n, line in enumerate(_SAMPLES))
    except Exception as error:
        return _refused(str(error))
    if not agrees:
        return _refused("it makes other records than this Chatlog does")
    return Found(read_chat, f"chat is parsed in Rust (chatlog-native {its})")


def _agrees(read_chat: ReadChat, line: bytes, is_known: bool) -> bool:
    """Whether the parser in Rust makes the same of a line as Python. It may leave the line to Python, unless
    the line ``is_known``."""
    for full, encode in ((True, record.encode_full), (False, record.encode_basic)):
        found = read_chat(line, _RECEIVED, full)
        if found is None:
            if is_known:
                return False
        elif found != ("someroom", events.event_record(irc.parse(line), _RECEIVED, encode)):
            return False
    return True


def _refused(why: str) -> Found:
    words = f"chat is parsed in Python: chatlog-native cannot be used, {why}; run pip install ./native again"
    return Found(None, words, True)
