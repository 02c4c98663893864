"""What a Twitch message costs from the bytes of a read to the encoded record.

    python -m bench.parse_twitch [messages]

Prints microseconds of CPU a message, the best of several runs, and the ratio to the least that any
recorder does: split the same bytes into lines and write those raw to a file; with the parser in Rust,
if it is installed; and what a chat message takes alone, in Python and in Rust. The lines are made up from
a seed, with all the tags that Twitch sends today; no figure is checked.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable

from chatlog import record
from chatlog.environment import ReadChat
from chatlog.twitch import events, irc
from chatlog.twitch.lines import LineSplitter
from chatlog.twitch.native import find

READ_SIZE = 65536
RUNS = 7
RECEIVED = "2026-01-15T20:00:00.250Z"

_TEXTS = (
    "that was so close, one more try and he has it",
    "LUL",
    "can somebody explain what just happened? I was getting food",
    "PogChamp PogChamp PogChamp PogChamp PogChamp PogChamp",
    "a las nueve de la noche empieza el torneo, ¿no? qué emoción",
    "это было очень близко, давай ещё раз",
    "ここから本番だね、頑張って",
    "오늘 방송 너무 재밌어요 ㅋㅋㅋㅋㅋ",
    "😂😂😂 no way 😂",
    'I said "never" and I meant it \\o/',
)
_BADGES = ("", "subscriber/12,premium/1", "moderator/1,subscriber/24", "vip/1,bits/1000", "turbo/1")


def sample_line(random: random.Random, number: int) -> bytes:
    """One line of a busy channel: 94 % chat, the rest time-outs, deletions, subscriptions."""
    login = f"viewer_{random.randrange(50_000)}"
    channel = f"channel{random.randrange(100)}"
    uuid = "-".join(f"{random.getrandbits(bits):0{bits // 4}x}" for bits in (32, 16, 16, 16, 48))
    user, room, sent = random.randrange(10**9), random.randrange(10**9), 1768507200000 + 7 * number
    text = random.choice(_TEXTS)
    chance = random.random()
    if chance < 0.03:
        return (
            f"@ban-duration=600;room-id={room};target-user-id={user};tmi-sent-ts={sent} "
            f":tmi.twitch.tv CLEARCHAT #{channel} :{login}"
        ).encode()
    if chance < 0.04:
        return (
            f"@login={login};room-id={room};target-msg-id={uuid};tmi-sent-ts={sent} "
            f":tmi.twitch.tv CLEARMSG #{channel} :{text}"
        ).encode()
    tags = {
        "badge-info": "subscriber/14",
        "badges": random.choice(_BADGES),
        "client-nonce": f"{random.getrandbits(128):032x}",
        "color": f"#{random.getrandbits(24):06X}",
        "display-name": login.title(),
        "emotes": "25:0-4,6-10" if random.random() < 0.3 else "",
        "first-msg": "0",
        "flags": "",
        "id": uuid,
        "mod": "0",
        "returning-chatter": "0",
        "room-id": str(room),
        "subscriber": "1",
        "tmi-sent-ts": str(sent),
        "turbo": "0",
        "user-id": str(user),
        "user-type": "",
        "vip": "0",
    }
    if chance < 0.06:
        tags |= {
            "login": login,
            "msg-id": "resub",
            "msg-param-cumulative-months": "14",
            "msg-param-sub-plan": "1000",
            "system-msg": f"{login} subscribed at Tier 1. They've subscribed for 14 months!",
        }
        return irc.format_line("USERNOTICE", f"#{channel}", text, source="tmi.twitch.tv", tags=tags)[:-2]
    if chance < 0.2:
        tags |= {
            "reply-parent-display-name": "Someone",
            "reply-parent-msg-body": random.choice(_TEXTS),
            "reply-parent-msg-id": uuid,
            "reply-parent-user-id": str(user),
            "reply-parent-user-login": "someone",
        }
    head = ";".join(f"{key}={irc.escape(value)}" for key, value in sorted(tags.items()))
    return f"@{head} :{login}!{login}@{login}.tmi.twitch.tv PRIVMSG #{channel} :{text}".encode()


def split_and_write(reads: list[bytes], fd: int) -> None:
    splitter = LineSplitter()
    for data in reads:
        os.write(fd, b"\n".join(splitter.feed(data)) + b"\n")


def plain(reads: list[bytes], encode: record.Encode, fd: int) -> None:
    """Every line by the general parser."""
    splitter = LineSplitter()
    for data in reads:
        encoded = []
        for line in splitter.feed(data):
            encoded.append(events.event_record(irc.parse(line), RECEIVED, encode))
        os.write(fd, b"".join(encoded))


def fast(reads: list[bytes], encode: record.Encode, fd: int, read_chat: ReadChat | None = None) -> None:
    """Ordinary chat the short way, the rest by the general parser: what the daemon does."""
    splitter = LineSplitter()
    short: Callable[..., tuple[str, bytes] | None] = read_chat or events.chat_record
    last = encode if read_chat is None else encode is record.encode_full
    for data in reads:
        encoded = []
        for line in splitter.feed(data):
            found = short(line, RECEIVED, last)
            if found is not None:
                encoded.append(found[1])
            else:
                encoded.append(events.event_record(irc.parse(line), RECEIVED, encode))
        os.write(fd, b"".join(encoded))


def best(run: Callable[[], object]) -> float:
    """CPU seconds of the fastest of several runs."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def main(count: int = 20_000) -> None:
    native = find(os.environ).read_chat
    source = random.Random(20260115)
    lines = [sample_line(source, number) for number in range(count)]
    stream = b"\r\n".join(lines) + b"\r\n"
    reads = [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]
    tags = sum(line.partition(b" ")[0].count(b";") + 1 for line in lines) / count
    short = sum(events.chat_record(line, RECEIVED, record.encode_full) is not None for line in lines)
    print(f"{count} messages, {len(stream) / count:.0f} bytes and {tags:.1f} tags each on average,")
    print(f"{100 * short / count:.1f} % of them ordinary chat (the short way)\n")

    null = os.open(os.devnull, os.O_WRONLY)
    with tempfile.TemporaryFile() as file:

        def to_file(run: Callable[[int], None]) -> None:
            os.ftruncate(file.fileno(), 0)
            run(file.fileno())

        base_null = best(lambda: split_and_write(reads, null))
        base_file = best(lambda: to_file(lambda fd: split_and_write(reads, fd)))
        print(f"{'':34}{'to /dev/null':>22}{'to a file':>22}")
        rows: list[tuple[str, Callable[[int], None]]] = [
            ("split, write raw", lambda fd: split_and_write(reads, fd)),
            ("general parser, full detail", lambda fd: plain(reads, record.encode_full, fd)),
            ("short way, full detail", lambda fd: fast(reads, record.encode_full, fd)),
            ("short way, basic detail", lambda fd: fast(reads, record.encode_basic, fd)),
        ]
        if native is not None:
            rows += [
                ("in Rust, full detail", lambda fd: fast(reads, record.encode_full, fd, native)),
                ("in Rust, basic detail", lambda fd: fast(reads, record.encode_basic, fd, native)),
            ]
        for name, run in rows:
            seconds_null = best(lambda run=run: run(null))  # type: ignore[misc]
            seconds_file = best(lambda run=run: to_file(run))  # type: ignore[misc]
            print(
                f"{name:34}{seconds_null / count * 1e6:8.2f} us  x {seconds_null / base_null:5.1f}  "
                f"{seconds_file / count * 1e6:8.2f} us  x {seconds_file / base_file:5.1f}"
            )
    os.close(null)
    chat = [line for line in lines if events.chat_record(line, RECEIVED, record.encode_full) is not None]
    alone = {
        "Python": best(lambda: [events.chat_record(line, RECEIVED, record.encode_full) for line in chat])
    }
    if native is not None:
        alone["Rust"] = best(lambda: [native(line, RECEIVED, True) for line in chat])
    told = ", ".join(f"{seconds / len(chat) * 1e6:.2f} us in {name}" for name, seconds in alone.items())
    print(f"\na chat message alone: {told}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
