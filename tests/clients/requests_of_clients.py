"""``python -m tests.clients.requests_of_clients ADDRESS ARCHIVE``: what the clients that people have ask for.

What they need of the answers is compared with the records themselves. They are justlog's and rustlog's
frontends, best-logs, justgrep, Supibot, tv.supa.sh, ChatTrace, Chatterino and DankChat. Lines are parsed by
``irctokens``, which knows nothing of this project.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import irctokens  # type: ignore[import-not-found]
import zstandard

ROOM = "room1"
#: Supibot's, for the text of a log.
_SUPIBOT = re.compile(r"^\[(?P<date>[\d\-\s:]+)]\s+#\w+\s+(?P<username>\w+):\s+(?P<message>.+?)$")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[str]:
        # Texts hold characters that Python takes for ends of lines.
        return [line for line in self.body.decode().split("\r\n") if line]


class Clients:
    """What each client does, over one server. ``records`` are those of ROOM, in order."""

    def __init__(self, address: str, records: list[dict[str, Any]]) -> None:
        self._address = address.rstrip("/")
        self.records = records
        self.chat = [record for record in records if record["type"] == "message" and record["id"]]
        self.id = self.chat[0]["channel_id"]
        self.days = sorted({record["timestamp"][:10] for record in records})
        (self.user, _), *_ = Counter(record["username"] for record in self.chat).most_common(1)
        self.user_id = next(r["user_id"] for r in self.chat if r["username"] == self.user)

    def ask(self, path: str, **headers: str) -> Reply:
        request = urllib.request.Request(self._address + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Reply(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _lower(error.headers), error.read())

    def _of_month(self, day: str) -> list[dict[str, Any]]:
        return [r for r in self.chat if r["timestamp"][:7] == day[:7] and r["username"] == self.user]

    # -- the clients -----------------------------------------------------------------------------------

    def justlog_frontend(self) -> None:
        """/channels, /list with either kind of name, a person's months in both orders, emotes and colours."""
        channels = self.ask("/channels").json["channels"]
        assert {"name": ROOM, "userID": self.id} in channels, channels
        for who in (f"channel={ROOM}&user={self.user}", f"channelid={self.id}&userid={self.user_id}"):
            months = self.ask(f"/list?{who}").json["availableLogs"]
            assert months and all(isinstance(month["year"], str) for month in months), months
            assert all(not month["month"].startswith("0") for month in months), months
        self._months(
            "json=1", ("text", "displayName", "timestamp", "id", "tags", "username", "channel", "raw")
        )

    def rustlog_frontend(self) -> None:
        """The same with jsonBasic, which has five keys."""
        self._months("jsonBasic=1", ("text", "displayName", "timestamp", "id", "tags"))

    def _months(self, form: str, keys: tuple[str, ...]) -> None:
        year, month = self.days[0][:4], int(self.days[0][5:7])
        for above in (f"/channel/{ROOM}/user/{self.user}", f"/channelid/{self.id}/userid/{self.user_id}"):
            found = self.ask(f"{above}/{year}/{month}?{form}").json["messages"]
            assert set(keys) <= set(found[0]), found[0]
            said = [m["text"] for m in found if m["tags"].get("id") in {r["id"] for r in self.chat}]
            assert said == [r["message"] for r in self._of_month(self.days[0])], above
            assert all(m["tags"]["room-id"] == self.id and "color" in m["tags"] for m in found if m["id"])
            back = self.ask(f"{above}/{year}/{month}?{form}&reverse=1").json["messages"]
            assert [m["id"] for m in back] == [m["id"] for m in found][::-1]

    def best_logs(self) -> None:
        """Within its time: the list (a 2xx means that there are logs), and a day with limit, raw and reverse.
        Never a page where an API is asked."""
        began = time.monotonic()
        listed = self.ask(f"/list?channel={ROOM}")
        assert listed.status == 200 and time.monotonic() - began < 5.0
        assert self.ask("/list?channel=not_recorded_here").status == 404
        day = listed.json["availableLogs"][0]
        reply = self.ask(f"/channel/{ROOM}/{day['year']}/{day['month']}/{day['day']}?limit=5&raw&reverse")
        assert reply.headers["content-type"].startswith("text/plain") and len(reply.lines) == 5
        assert self.ask(f"/namehistory/{self.user_id}").json[0]["user_login"] == self.user

    def justgrep(self) -> None:
        """Raw lines that parse, with the time in a tag, newest first; a day without logs is a 404."""
        for day in self.days:
            year, month, date = day.split("-")
            lines = self.ask(f"/channel/{ROOM}/{year}/{int(month)}/{int(date)}?raw&reverse").lines
            tags = [irctokens.tokenise(line).tags or {} for line in lines]
            sent = [int(each["tmi-sent-ts"]) for each in tags if "tmi-sent-ts" in each]
            assert sent == sorted(sent, reverse=True), day
            self._same_chat(
                [line for line in lines[::-1]], [r for r in self.chat if r["timestamp"][:10] == day]
            )
        assert self.ask(f"/channel/{ROOM}/2015/1/1?raw&reverse").status == 404

    def _same_chat(self, lines: list[str], wanted: list[dict[str, Any]]) -> None:
        """An independent parser reads the same out of the lines as is recorded."""
        parsed = [irctokens.tokenise(line) for line in lines]
        chat = [line for line in parsed if _is_chat(line)]
        found = [(line.tags["id"], line.hostmask.nickname, line.params[1]) for line in chat]
        assert found == [(r["id"], r["username"], r["message"]) for r in wanted], (len(found), len(wanted))
        tags = {key: value for key, value in chat[0].tags.items() if value is not None}
        details = {k: v for k, v in wanted[0]["details"].items() if k != "command" and v != ""}
        assert {k: v for k, v in tags.items() if v != ""} == details, (tags, details)

    def supibot(self) -> None:
        """The text of a day, which it takes apart with a pattern of its own."""
        year, month, date = self.days[-1].split("-")
        lines = self.ask(f"/channelid/{self.id}/{year}/{int(month)}/{int(date)}?reverse=1&limit=50").lines
        wanted = [r for r in self.records if r["timestamp"][:10] == self.days[-1]]
        said = {(r["username"], r["message"].strip()) for r in wanted}
        found = [match for line in lines if (match := _SUPIBOT.match(line))]
        assert len(found) > 25, lines[:3]
        chat = [match for match in found if (match["username"], match["message"].strip()) in said]
        assert len(chat) > 25, [match.groups() for match in found[:3]]

    def tv_supa(self) -> None:
        """A range by RFC 3339, the end not in it; search and counts."""
        since, until = (self.chat[at]["timestamp"] for at in (10, 40))
        found = self.ask(f"/channel/{ROOM}?jsonBasic=true&from={since}&to={until}").json["messages"]
        wanted = [r["id"] for r in self.chat if since <= r["timestamp"] < until]
        assert [m["id"] for m in found if m["id"] in wanted] == wanted
        text = max(self._of_month(self.days[0]), key=lambda r: len(r["message"]))["message"]
        word = max(re.findall(r"[a-z]+", text.lower()), key=len)
        hits = self.ask(f"/channel/{ROOM}/user/{self.user}/search?q={word.upper()}&jsonBasic=1").json[
            "messages"
        ]
        assert hits and all(word in m["text"].casefold() for m in hits)
        counted = self.ask(f"/channel/{ROOM}/stats").json
        assert counted["messageCount"] >= len(self.chat) and len(counted["topChatters"]) == 5

    def chattrace(self) -> None:
        """From the page of another site: CORS, a person's day, 404 for nobody."""
        origin = {"Origin": "https://www.twitch.tv"}
        year, month, date = self._of_month(self.days[0])[0]["timestamp"][:10].split("-")
        above = f"/channel/{ROOM}/user/{self.user}/{year}/{int(month)}"
        for path in (above, f"{above}/{int(date)}"):
            reply = self.ask(f"{path}?jsonBasic=1", **origin)
            assert reply.headers["access-control-allow-origin"] == "*" and reply.json["messages"], path
        assert self.ask(f"/channel/{ROOM}/user/nobody_at_all/{year}/{int(month)}?jsonBasic=1").status == 404

    def chatterino(self) -> None:
        """recent-messages as Chatterino and DankChat load them: the oldest first, each line marked as
        historical, with when it was received; before and after in milliseconds."""
        last = int(self.chat[-1]["details"]["tmi-sent-ts"])
        first = int(self.chat[-100]["details"]["tmi-sent-ts"])
        path = f"/api/v2/recent-messages/{ROOM}?limit=800&after={first - 1}&before={last + 1}"
        answer = self.ask(path).json
        assert (answer["error"], answer["error_code"]) == (None, None), answer
        lines = [irctokens.tokenise(line) for line in answer["messages"]]
        assert all(line.tags["historical"] == "1" and line.tags["rm-received-ts"].isdigit() for line in lines)
        said = [line.tags["id"] for line in lines if _is_chat(line)]
        assert said == [r["id"] for r in self.chat[-100:]], (len(said), said[:2])
        assert self.ask("/api/v2/recent-messages/not_here").json["error_code"] == "channel_not_joined"

    def bots(self) -> None:
        """One message at random, of a room and of a person."""
        for path in (f"/channel/{ROOM}/random", f"/channel/{ROOM}/user/{self.user}/random"):
            assert len(self.ask(f"{path}?raw").lines) == 1


def _is_chat(line: irctokens.Line) -> bool:
    """Whether a line is a message that has an id, and no /me."""
    said = line.command == "PRIVMSG" and not line.params[1].startswith("\x01")
    return said and bool(line.tags and line.tags.get("id"))


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def records_of(archive: str) -> list[dict[str, Any]]:
    """The records of ROOM, read without anything of this project."""
    found = []
    for path in sorted(Path(archive).glob(f"[0-9]*/*/*/twitch/{ROOM}/*.jsonl.zst")):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        found += [json.loads(line) for line in data.split(b"\n") if line]
    return sorted(found, key=lambda record: str(record["timestamp"]))


def main(address: str, archive: str) -> int:
    """Be each client; the exit status."""
    clients = Clients(address, records_of(archive))
    failed = 0
    for be in (
        clients.justlog_frontend,
        clients.rustlog_frontend,
        clients.best_logs,
        clients.justgrep,
        clients.supibot,
        clients.tv_supa,
        clients.chattrace,
        clients.chatterino,
        clients.bots,
    ):
        try:
            be()
            print(f"ok   {be.__name__}: {(be.__doc__ or '').split('.')[0].split(':')[0]}")
        except Exception as error:
            failed += 1
            print(f"fail {be.__name__}: {type(error).__name__}: {str(error)[:500]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
