"""Posts alarms to a webhook, for people who do not read logs.

The address is a secret, because everybody who has it can post. Notices wait in a short queue. They are sent
one at a time, with pauses, and repeated until the server accepts or finally refuses them.
"""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

import orjson
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.alarms.alarms import Notice
from chatlog.config.settings import AlarmSettings
from chatlog.network.http import HttpClient, RequestFailed
from chatlog.printable import printable
from chatlog.record import rfc3339
from chatlog.services import Backoff

#: The most notices that wait. Beyond that the oldest is dropped for a new one.
QUEUE = 100
#: Seconds between two posts, and until a post without an answer is given up.
EVERY = 2.0
ANSWER_WITHIN = 15.0
#: The first and the longest delay of a repetition, in seconds, and the longest that a server may ask for.
AGAIN = (2.0, 300.0)
LONGEST = 3600.0
#: The most bytes of an answer that are read. They are ignored.
_IGNORED = 65536
#: The most characters of a text; Discord accepts 2000.
_CHARACTERS = 1500


def shape_of(url: str) -> str:
    """``discord``, ``slack`` or ``json``: the format that the server at the address accepts."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host.endswith(("discord.com", "discordapp.com")):
        # At this address Discord accepts Slack's format.
        return "slack" if parts.path.rstrip("/").endswith("/slack") else "discord"
    return "slack" if host == "hooks.slack.com" else "json"


def body_of(shape: str, instance: str, notice: Notice) -> bytes:
    """The JSON for one notice."""
    if shape == "discord":
        # A text from a server must not mention (ping) anybody.
        return orjson.dumps({"content": _text(instance, notice), "allowed_mentions": {"parse": []}})
    if shape == "slack":
        text = _text(instance, notice)
        for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(character, written)
        return orjson.dumps({"text": text})
    return orjson.dumps(
        {
            "source": "chatlog",
            "instance": instance,
            "state": notice.state,
            "code": notice.code,
            "subject": notice.subject,
            "text": notice.text,
            "severity": notice.severity,
            "remedy": notice.remedy,
            "count": notice.count,
            "since": rfc3339(round(notice.since * 1000)),
            "at": rfc3339(round(notice.at * 1000)),
        }
    )


def _text(instance: str, notice: Notice) -> str:
    who = f"chatlog {instance}" if instance else "chatlog"
    where = f"{notice.subject}: " if notice.subject else ""
    when = rfc3339(round(notice.since * 1000))[:16].replace("T", " ")
    remedy = f". {notice.remedy}" if notice.remedy and notice.state != "ends" else ""
    text = f"{who}: {notice.code} {notice.state} (since {when} UTC): {where}{notice.text}{remedy}"
    return printable(text, _CHARACTERS)


class Webhook(Service):
    """Posts notices to ``settings.webhook``, if it is set. ``settings`` may be replaced at any time."""

    _log = Logger()
    name = "webhook"

    def __init__(
        self, settings: AlarmSettings, instance: str, client: HttpClient, clock: IReactorTime
    ) -> None:
        self.settings = settings
        self._instance = instance
        self._client = client
        self._clock = clock
        self._queue: deque[Notice] = deque()
        self._dropped = 0
        self._backoff = Backoff(*AGAIN)
        self._logged = ""
        self._sending: Deferred[None] | None = None

    def send(self, notice: Notice) -> None:
        """Post the notice as soon as possible."""
        if self.settings.webhook is None or not self.running:
            return
        if len(self._queue) >= QUEUE:
            # Not the first: it is being sent.
            del self._queue[1]
            self._dropped += 1
        self._queue.append(notice)
        if self._sending is None:
            sending = self._sending = Deferred.fromCoroutine(self._send_all())
            sending.addErrback(self._broke).addBoth(self._ended)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._queue.clear()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
        return succeed(None)

    def _broke(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.error("posting alarms failed: {kind}", kind=type(failure.value).__name__)

    def _ended(self, _: object) -> None:
        self._sending = None

    async def _send_all(self) -> None:
        while self._queue:
            secret = self.settings.webhook
            if secret is None:
                self._queue.clear()
                return
            wait = await self._send(secret.reveal(), self._queue[0])
            if wait is None:
                self._queue.popleft()
                self._backoff.reset()
                wait = EVERY
            await deferLater(self._clock, wait)

    async def _send(self, url: str, notice: Notice) -> float | None:
        """Post one notice. Returns None if it is accepted or finally refused, else the seconds until the next
        attempt."""
        configured = self.settings.webhook_format
        body = body_of(shape_of(url) if configured == "auto" else configured, self._instance, notice)
        try:
            status, again = await self._post(url, body)
        except CancelledError:
            raise
        except Exception as error:
            self._report(url, _words(error, url))
            return self._backoff.next()
        if 200 <= status < 300:
            self._report(url, "")
            return None
        if status == 429 or status == 408 or status >= 500:
            self._report(url, f"HTTP {status}")
            return max(self._backoff.next(), again)
        # Another attempt would be refused too.
        self._report(url, f"HTTP {status}; a refused alarm is not sent again", refused=True)
        return None

    async def _post(self, url: str, body: bytes) -> tuple[int, float]:
        """The status of the answer, and the seconds that the server asks to wait."""
        try:
            answer = await self._client.post(url, body, _IGNORED, ANSWER_WITHIN)
        except RequestFailed as error:
            if error.answer is None:
                raise
            # Only the status matters, so an answer that cannot be read is enough.
            answer = error.answer
        return answer.status, min(answer.retry_after, LONGEST)

    def _report(self, url: str, trouble: str, refused: bool = False) -> None:
        """Log once when posts begin to fail or to be refused, and once when they succeed again."""
        host = urlsplit(url).hostname or ""
        state = ("refuses" if refused else "fails") if trouble else ""
        if state and state != self._logged:
            self._log.error(
                "the webhook at {host} does not take alarms: {trouble}", host=host, trouble=trouble
            )
        elif self._logged and not state:
            self._log.info(
                "the webhook at {host} takes alarms again; {dropped} were dropped",
                host=host,
                dropped=self._dropped,
            )
            self._dropped = 0
        self._logged = state


def _words(error: Exception, url: str) -> str:
    """The text of an error, without the secret parts of the address."""
    text = str(error) or type(error).__name__
    parts = urlsplit(url)
    for secret in (url, parts.path, parts.query, parts.password or "", parts.username or ""):
        if len(secret) > 1:
            text = text.replace(secret, "***")
    return printable(text, 300)
