"""Looks up the ids of Kick channels, as far as possible.

A subscription needs the chatroom id, which is in the site's own API and not in the official one. The site's
API is unsupported and often refuses programs, so ids in the configuration always win, ids once found are kept
on disk for good (they do not change when a channel is renamed), and a lookup that is refused is tried again
more and more slowly. Rooms that are recorded already do not depend on lookups.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatlog.config.settings import KickChannel
from chatlog.files import Files
from chatlog.kick.lookup import LookupRefused, ids_in, positive
from chatlog.kick.pusher import readable
from chatlog.network.http import Get
from chatlog.reasons import of_lookup, with_code
from chatlog.services import Backoff
from chatlog.state.state_file import StateFile

#: Seconds between two lookups.
GAP = 0.35
#: The first and the longest delay in seconds after a look-up without a result.
AGAIN = (60.0, 3600.0)
#: The most channels that are kept.
REMEMBERED = 10_000
#: The remedy for a channel that Kick does not know.
_UNKNOWN = "Kick knows no channel of that name: check the spelling, and whether the channel was renamed"


def remedy(slug: str) -> str:
    """The remedy if a channel's ids cannot be looked up."""
    return (
        f"Open https://kick.com/api/v2/channels/{slug} in a browser, look for "
        f'"chatroom":{{"id":NUMBER, and write {{slug: {slug}, chatroom_id: NUMBER}} in chatlog.yaml'
    )


class IdCache:
    """The found ids of at most ``most`` channels, kept in the state."""

    _log = Logger()

    def __init__(self, files: Files, directory: str, most: int = REMEMBERED) -> None:
        self._file = StateFile(files, directory, "kick_ids")
        self._most = most
        self._known: dict[str, tuple[int, int | None]] = {}
        # The number of lines in the file, with those of ids that were replaced or dropped since.
        self._lines = 0
        self._reported = False

    def load(self) -> None:
        """Read the ids that earlier runs have found. Ids that cannot be read are looked up again."""
        with suppress(OSError):
            for _, entry in self._file.read():
                self._lines += 1
                if isinstance(entry, dict) and isinstance(entry.get("slug"), str):
                    chatroom_id = positive(entry.get("chatroom_id"))
                    if chatroom_id is not None:
                        self._remember(entry["slug"], (chatroom_id, positive(entry.get("channel_id"))))
            if self._lines > len(self._known):
                self._write_anew()

    def get(self, slug: str) -> tuple[int, int | None] | None:
        """The chatroom id and, if it is known, the channel id."""
        return self._known.get(slug)

    def put(self, slug: str, ids: tuple[int, int | None]) -> None:
        """Keep ``ids``; the oldest are dropped when there are too many."""
        self._remember(slug, ids)
        try:
            # Entries that a crash damages are looked up again.
            self._file.append(_entry((slug, ids)))
            self._lines += 1
            if self._lines > 2 * self._most:
                self._write_anew()
            self._reported = False
        except OSError as error:
            if not self._reported:
                self._reported = True
                self._log.warn(
                    "kick: ids cannot be kept in {path}: {error}", path=self._file.path, error=error
                )

    def _remember(self, slug: str, ids: tuple[int, int | None]) -> None:
        self._known.pop(slug, None)
        while len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[slug] = ids

    def _write_anew(self) -> None:
        self._file.replace(map(_entry, self._known.items()), durable=False)
        self._lines = len(self._known)


def _entry(known: tuple[str, tuple[int, int | None]]) -> dict[str, str | int | None]:
    slug, (chatroom_id, channel_id) = known
    return {"slug": slug, "chatroom_id": chatroom_id, "channel_id": channel_id}


@dataclass(slots=True)
class _Wanted:
    """A channel with unknown ids. ``due`` is when it may be looked up."""

    channel: KickChannel
    due: float
    turn: int
    again: Backoff
    reported: bool = False


class ChannelIds(Service):
    """A service that finds the ids of channels. ``found`` is called as soon as a channel's chatroom id is
    known: at once if the configuration or the cache has it. If the channel id is needed too and found later,
    ``found`` is called once more.

    One lookup at a time. An answer about one channel delays only that channel; any other failure delays all
    of them.
    """

    _log = Logger()
    name = "kick ids"

    def __init__(
        self,
        lookup: str | None,
        get: Get,
        cache: IdCache,
        clock: IReactorTime,
        found: Callable[[KickChannel], None],
        missing: dict[str, str],
        needs_channel_id: bool = False,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``lookup`` is the address with ``{slug}`` in it; None turns look-ups off."""
        self._lookup = lookup
        self._get = get
        self._cache = cache
        self._clock = clock
        self._found = found
        self._needs_channel_id = needs_channel_id
        self._wanted: dict[str, _Wanted] = {}
        self._turns = 0
        self._uniform = uniform
        self._block = Backoff(*AGAIN, uniform)
        self._blocked_until = float("-inf")
        self._refused = False
        self._asked_at = float("-inf")
        self._timer: IDelayedCall | None = None
        self._asking: Deferred[None] | None = None
        self._early: list[KickChannel] = []
        self._missing_reported = False
        #: Why channels have no ids yet, by their names.
        self.missing = missing

    def startService(self) -> None:
        super().startService()
        self._cache.load()
        early, self._early = self._early, []
        for channel in early:
            self.add(channel)
        self._plan()

    def stopService(self) -> None:
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def add(self, channel: KickChannel) -> None:
        """Find the ids of ``channel`` when the service runs. Ids that it has are never looked up."""
        if not self.running:
            self._early.append(channel)
            return
        known = self._completed(channel)
        if known.chatroom_id is not None:
            self._deliver(known)
        if known.chatroom_id is None or (self._needs_channel_id and known.channel_id is None):
            self._want(known)

    def remove(self, slug: str) -> None:
        """Stop looking for the channel."""
        self._wanted.pop(slug, None)
        self.missing.pop(slug, None)
        self._plan()

    def _completed(self, channel: KickChannel) -> KickChannel:
        ids = self._cache.get(channel.slug)
        if ids is None:
            return channel
        return replace(
            channel,
            chatroom_id=channel.chatroom_id if channel.chatroom_id is not None else ids[0],
            channel_id=channel.channel_id if channel.channel_id is not None else ids[1],
        )

    def _want(self, channel: KickChannel) -> None:
        slug = channel.slug
        if self._lookup is None:
            self.missing[slug] = "looking up is switched off"
            if not self._missing_reported:
                self._missing_reported = True
                self._log.warn(
                    "kick: {slug} has not all its ids, and looking up is switched off. {remedy}",
                    slug=slug,
                    remedy=remedy(slug),
                )
            return
        self._turns += 1
        self.missing[slug] = "looking up its ids"
        again = Backoff(*AGAIN, self._uniform)
        self._wanted[slug] = _Wanted(channel, self._clock.seconds(), self._turns, again)
        self._plan()

    def _plan(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if not self.running or self._asking is not None or not self._wanted:
            return
        due = min(wanted.due for wanted in self._wanted.values())
        when = max(due, self._asked_at + GAP, self._blocked_until)
        self._timer = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._ask)

    def _ask(self) -> None:
        self._timer = None
        wanted = min(self._wanted.values(), key=lambda wanted: (wanted.due, wanted.turn))
        self._asked_at = self._clock.seconds()
        asking = Deferred.fromCoroutine(self._look_up(wanted))
        if not asking.called:
            self._asking = asking
        asking.addErrback(lambda failure: self._log.failure("kick: while looking up ids", failure))

    async def _look_up(self, wanted: _Wanted) -> None:
        assert self._lookup is not None
        slug = wanted.channel.slug
        try:
            answer = await self._get(self._lookup.replace("{slug}", quote(slug, safe="")))
            ids = ids_in(answer.status, answer.body)
        except CancelledError:
            return
        except LookupRefused as error:
            if error.missing:
                self._answered()
            self._put_off(wanted, str(error), error.missing, unknown=error.missing)
        except Exception as error:
            self._put_off(wanted, readable(str(error)) or type(error).__name__, False)
        else:
            self._take(slug, ids)
        finally:
            self._asking = None
        self._plan()

    def _take(self, slug: str, ids: tuple[int, int | None]) -> None:
        self._answered()
        wanted = self._wanted.get(slug)
        self._cache.put(slug, ids)
        if wanted is None:
            return
        if self._needs_channel_id and ids[1] is None:
            self._put_off(wanted, "no channel id in the answer", True)
            if wanted.channel.chatroom_id is not None:
                return
        else:
            del self._wanted[slug]
            self.missing.pop(slug, None)
        wanted.channel = self._completed(wanted.channel)
        self._deliver(wanted.channel)

    def _deliver(self, channel: KickChannel) -> None:
        try:
            self._found(channel)
        except Exception:
            # An error with one channel must not keep the others from being looked up.
            self._log.failure("kick: while taking the ids of {slug}", slug=channel.slug)

    def _answered(self) -> None:
        """The site answers look-ups."""
        self._block.reset()
        if self._refused:
            self._refused = False
            self._log.info("kick: looking up ids works again")

    def _put_off(self, wanted: _Wanted, reason: str, alone: bool, unknown: bool = False) -> None:
        slug = wanted.channel.slug
        if self._wanted.get(slug) is not wanted:
            return
        now = self._clock.seconds()
        self._turns += 1
        wanted.turn = self._turns
        self.missing[slug] = reason
        if alone:
            wanted.due = now + wanted.again.next()
            if not wanted.reported:
                wanted.reported = True
                self._log.warn(
                    "kick: {slug} cannot be looked up: {reason}; it is tried again from time to time. "
                    "{remedy}",
                    slug=slug,
                    reason=with_code(of_lookup(reason, slug), reason),
                    remedy=_UNKNOWN if unknown else remedy(slug),
                )
            return
        # After all the others: a channel that is always refused must not delay them.
        wanted.due = now
        self._blocked_until = now + self._block.next()
        if not self._refused:
            self._refused = True
            names = list(self._wanted)
            self._log.warn(
                "kick: {slug} could not be looked up: {reason}. Without their ids are {count} channels: "
                "{channels}. It is tried again from time to time. {remedy}",
                slug=slug,
                reason=with_code(of_lookup(reason, slug), reason),
                count=len(names),
                channels=", ".join(names[:20]) + (", ..." if len(names) > 20 else ""),
                remedy=remedy(slug),
            )
