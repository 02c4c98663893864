"""Explains the errors of platforms, stores and disks in plain words, with a remedy.

    reason = of_room("twitch", "msg_banned", "xqc")
    reason.words        # "the account that reads is banned there"
    reason.remedy       # "Read anonymously: ..."

The words are half a sentence for behind a colon. The remedy is one or two whole sentences, ``""`` if there is
nothing to do. A reason that is in no row is quoted, so that nothing is hidden.

The module is longer because it is a table: all reasons are in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from chatlog.printable import printable

#: The most characters of a server's words that are quoted.
QUOTED = 200


class Reason(NamedTuple):
    """``known`` is False if ``words`` only quotes the original text."""

    words: str
    remedy: str = ""
    known: bool = True


_Rows = tuple[tuple[re.Pattern[str], str, str], ...]


def _rows(*rows: tuple[str, str, str]) -> _Rows:
    return tuple(
        (re.compile(pattern, re.IGNORECASE | re.DOTALL), words, todo) for pattern, words, todo in rows
    )


_SPELLING = "Check the spelling; a channel that was renamed has a new name."
_GONE = "Remove the room if it is gone for good; until then Chatlog tries it again from time to time."
_ANONYMOUS = (
    "Read anonymously: leave twitch.username and twitch.oauth out of the configuration. If they are not "
    "there, only Twitch can change it; Chatlog tries again by itself."
)
_NETWORK = "Look at the network of this machine first, then at the status page of {platform}."
_BY_HAND = (
    "Open https://kick.com/api/v2/channels/{name} in a browser, look for "
    '"chatroom":{{"id":NUMBER, and write {{slug: {name}, chatroom_id: NUMBER}} in kick.channels.'
)
_IDS = "Correct chatroom_id in kick.channels; docs/configuration.md says where to find it."

#: The reasons of a refusal in Twitch's NOTICE. (dev.twitch.tv/docs/chat/irc; the texts behind the
#: ids are in Twitch's own table)
_TWITCH = _rows(
    (r"msg_channel_suspended\Z", "Twitch has suspended the channel", _GONE),
    (r"tos_ban\Z", "Twitch has closed the channel for breaking its rules", _GONE),
    (r"msg_(banned|timedout)\Z", "the account that reads is banned there", _ANONYMOUS),
    (r"msg_channel_blocked\Z", "the account that reads is not in good standing there", _ANONYMOUS),
    (r"msg_room_not_found\Z", "Twitch knows no channel of that name", _SPELLING),
    (
        r"msg_concurrent_channel_limit_reached\Z",
        "the account has joined as many rooms as Twitch lets it",
        _ANONYMOUS,
    ),
    (r"msg_(verified_email|requires_verified_phone_number)\Z", "the account is not verified", _ANONYMOUS),
    (r"msg_suspended|no_permission\Z", "Twitch does not permit the account to read there", _ANONYMOUS),
    (r"(msg_\w+|[a-z]+_[a-z_]+)\Z", "Twitch refuses the room without saying why in words", _GONE),
)
#: States that pass by themselves and are no error of platform or network. Their texts may quote other
#: reasons.
_PROXY = _rows(
    (
        r"\A(?:cannot connect: )?(the proxy .+|what answers at .+ is not an HTTP proxy)\Z",
        "{1}",
        "Look at the proxy, and at the variable of the environment that names it.",
    ),
)
#: The results of the lookup of a Kick channel's ids, and the errors of Kick's server for subscriptions.
_KICK = _rows(
    (r"looking up its ids\Z", "its id is being looked up on Kick's site", ""),
    (r"looking up is switched off\Z", "its id is not known, and kick.lookup is switched off", _BY_HAND),
    (r"HTTP 404\b", "Kick knows no channel of that name", _SPELLING),
    (r"HTTP (401|403)\b|\ba web page", "Kick's site refuses programs on this machine", _BY_HAND),
    (r"HTTP 429\b", "Kick's site is asked too often from this address", _BY_HAND),
    (r"HTTP 5\d\d\b", "Kick's site has an internal error", _BY_HAND),
    (r"HTTP 3\d\d\b", "Kick's site has moved", _BY_HAND),
    (r"no (channel )?ids? in (it|the answer)", "Kick's site gives no id for the channel", _BY_HAND),
    (r"HTTP \d\d\d\b", "Kick's site gives no answer that can be used", _BY_HAND),
    (r"no answer (in|within) [\d.]+ s", "Kick's site does not answer", _BY_HAND),
    (
        r"has the same chatroom_id as (\S+)",
        "it has the same chatroom_id as {1}, so one of the two is wrong",
        _IDS,
    ),
    (
        r"AuthError|unauthori[sz]ed|\b40(09|1|3)\b",
        "Kick's server does not permit the subscription",
        _IDS,
    ),
)
#: Why a requested room is not recorded, on both platforms.
_ROOM = _rows(
    (
        r"no answer from the server|join not acknowledged",
        "{platform} does not answer, as for a channel that does not exist",
        _SPELLING,
    ),
    (r"parted", "{platform} has removed Chatlog from it", "Chatlog asks for it again by itself."),
)
#: Why there is no connection. The text of a library's error is searched for these patterns.
_CONNECTION = _rows(
    (
        r"login refused|login authentication failed|improperly formatted auth",
        "{platform} refuses the login",
        "Get a new token for twitch.oauth that belongs to twitch.username, or leave both out: reading needs "
        "no account. If neither is there, anonymous readers are turned away; Chatlog tries again by itself.",
    ),
    (
        r"(closed by|error from) the server: 4004\b",
        "{platform}'s server takes no more connections at present",
        "",
    ),
    (
        r"(closed by|error from) the server: 4000\b",
        "{platform}'s server takes connections with TLS only",
        "Write the server's address with wss://.",
    ),
    (
        r"(closed by|error from) the server: 40\d\d\b",
        "{platform} does not take this recorder's key",
        "{platform} may have a new address: look at kick.server, or for a newer Chatlog.",
    ),
    (r"(closed by|error from) the server: 41\d\d\b", "{platform}'s server is too busy", ""),
    (r"(closed by|error from) the server: 42\d\d\b", "{platform}'s server has closed the connection", ""),
    (r"(closed by|error from) the server", "{platform}'s server has closed the connection", ""),
    (r"connection (was )?refused", "{platform}'s server takes no connections (connection refused)", _NETWORK),
    (
        r"dns|getaddrinfo|name or service|name resolution|nodename|no address(es)? associated|not known\b|"
        r"has no address|name servers|cannot be the name",
        "the name of {platform}'s server cannot be found (DNS)",
        "Look at the DNS and the network of this machine.",
    ),
    (
        r"unreachable|no route to|network is down|no address(es)? of that family",
        "the network leads to no server of {platform}",
        "Look at the network and the firewall of this machine.",
    ),
    (
        r"certificate|hostname|VerificationError|self.signed",
        "the certificate of {platform}'s server is not accepted",
        "Look at the clock of this machine and at its certificates (ca-certificates); somebody may sit "
        "between.",
    ),
    (
        r"cannot be read as websocket|protocol violated|could not take",
        "what answers does not speak like {platform}'s server",
        "Look at the server's address in the configuration; somebody may sit between.",
    ),
    (
        r"\btls\b|\bssl\b|wrong version number|handshake",
        "what answers does not speak TLS as {platform}'s server does",
        "Look at the server's address in the configuration; somebody may sit between.",
    ),
    (r"timed? ?out|timeout|no answer", "{platform}'s server does not answer", _NETWORK),
    (
        r"this machine does not allow",
        "this machine does not allow the connection",
        "Look at the firewall and at the rights of the process.",
    ),
    (r"no file descriptor", "too many files are open", "Raise the limit of open files (LimitNOFILE)."),
    (
        r"no welcome from the server",
        "{platform}'s server takes the connection and then says nothing",
        _NETWORK,
    ),
    (r"\Areconnect\Z", "{platform} has asked to change the connection", ""),
    (r"\A(restart|crash)", "the recorder was not running", ""),
    (r"\Aremoved\Z", "it was not on the list of rooms", ""),
    (r"\Aclock\Z", "the clock of this machine was set", ""),
    (
        r"connection (lost|reset|aborted|done|closed)|broken pipe|broke off|not been closed cleanly",
        "the connection was lost",
        _NETWORK,
    ),
)
_DISK = _rows(
    (
        r"reached max_size",
        "the spool is full (recorder.max_size)",
        "See that the store takes files, or raise recorder.max_size if the disk has the space.",
    ),
    (
        r"no space left|disk is full|last space is needed|quota exceeded",
        "the disk is full",
        "Make room on the disk of recorder.directory, or make it larger.",
    ),
    (
        r"read-only",
        "the file system takes nothing any more (read-only)",
        "Look at the kernel's log: the disk may be failing.",
    ),
    (
        r"permission denied|not permitted",
        "the recorder may not write there",
        "Give it the right to write in recorder.directory.",
    ),
    (r"too many open files", "too many files are open", "Raise the limit of open files (LimitNOFILE)."),
    (
        r"stale|transport endpoint|not connected|no such device",
        "the file system is gone",
        "Look at the mount of recorder.directory.",
    ),
    (
        r"sync has not come back|not known to be on the disk",
        "the disk does not confirm what is written",
        "Look at the disk: it is overloaded or failing.",
    ),
    (
        r"input/output error|i/o error",
        "the disk reports errors",
        "Look at the kernel's log: the disk is probably failing.",
    ),
    (r"no such file or directory", "the directory of the spool is gone", "Look at recorder.directory."),
)
#: Begins the reason if the spool of this machine, and not the store, is why a file is not uploaded.
SPOOL = "recorder.directory: "
#: Why a file of the spool cannot be read, or not be packed or removed.
_SPOOL_FILE = _rows(
    (
        r"permission denied|not permitted",
        "the recorder may not read it, or not write in the spool",
        "Give the recorder the right to read and write in recorder.directory.",
    ),
    (
        r"read-only",
        "the file system of the spool is read-only",
        "Look at the mount of recorder.directory, and at the kernel's log: the disk may be failing.",
    ),
)
_FULL = re.compile(r"max_size|no space left|disk is full|last space|quota exceeded", re.IGNORECASE)
#: A store's answer begins with the status. A number elsewhere in it is a size or part of a name.
_STORE = _rows(
    (
        r"\A403\b.{0,40}\ba web page",
        "something in front of the store, a proxy or a firewall, refuses it",
        "Let it pass there.",
    ),
    (
        r"is not an object store|\A30[23]\b|\A[24]\d\d\b.{0,40}\ba web page",
        "what answers at its address is not an object store",
        "Look at s3.endpoint, and at what lies between.",
    ),
    (
        r"read back compressed",
        "a proxy in front of it compresses what is read",
        "Switch off compression in that proxy.",
    ),
    (
        r"there are no credentials",
        "there are no credentials for it",
        "Set access_key_id and secret_access_key.",
    ),
    (
        r"time.{0,10}skewed|RequestExpired|clock",
        "it says that the time of the requests is wrong",
        "Set the clock of this machine (NTP).",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|AuthenticationFailed|"
        r"NotAuthorized|Unauthorized|\A401\b|credential|invalid_grant",
        "it does not take the credentials",
        "Correct access_key_id and secret_access_key; new environment variables need a new start.",
    ),
    (
        r"NoSuchBucket|bucket.{0,40}(not exist|not found)|ContainerNotFound|container.{0,40}not exist",
        "there is no such bucket",
        "Correct the name of the bucket, or make it.",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|wrong region|to another address|\A30[178]\b",
        "the bucket lies at another endpoint or in another region",
        "Correct s3.endpoint and s3.region.",
    ),
    (
        r"QuotaExceeded|StorageFull|Insufficient.?Storage|cap[ _]?exceeded|exceeds? (the )?\w{0,20} ?quota|"
        r"quota (is |has been )?exceeded|\A507\b",
        "it is full",
        "Make room in the store, or raise its quota.",
    ),
    (
        r"MethodNotAllowed|path.?style|\A405\b",
        "it does not take requests of this form",
        "Look at s3.endpoint, and at s3.addressing: some stores take virtual-hosted addresses only.",
    ),
    (
        r"EntityTooLarge|\A413\b",
        "something on the way takes no file of this size",
        "Raise the proxy's limit, or lower recorder.rotate_size.",
    ),
    (
        r"AccessDenied|AllAccessDisabled|Forbidden|\A403\b",
        "it does not permit the upload",
        "Let the credentials write, read and list in the bucket.",
    ),
    (
        r"permission denied|not permitted",
        "the recorder may not write there",
        "Give it the right to write in archive.directory.",
    ),
    (
        r"permission",
        "it does not permit the upload",
        "Let the credentials write, read and list in the bucket.",
    ),
    (r"SlowDown|TooManyRequests|\A429\b", "it asks for fewer requests", ""),
    (r"\A5\d\d\b|InternalError|ServiceUnavailable", "it has an error of its own", ""),
    (
        r"no space left|quota",
        "the disk of the archive is full",
        "Make room on the disk of archive.directory.",
    ),
    (r"read-only", "the disk of the archive is read-only", "Look at the mount of archive.directory."),
    (r"connection (was )?refused", "nothing answers at its address", "Look at s3.endpoint and the network."),
    (
        r"dns|name or service|name resolution|failed to lookup",
        "its name cannot be found (DNS)",
        "Look at s3.endpoint and at the DNS of this machine.",
    ),
    (r"certificate|\btls\b|\bssl\b", "its certificate is not accepted", "Look at s3.endpoint and the clock."),
    (r"timed? ?out|timeout", "it does not answer in time", "Look at the network of this machine."),
    (
        r"connect|error sending request|network",
        "it cannot be reached",
        "Look at s3.endpoint and the network.",
    ),
)


def with_code(reason: Reason, raw: str) -> str:
    """The words for the log, followed by the original text if it differs."""
    said = printable(raw, QUOTED)
    return f"{reason.words} [{said}]" if raw and said not in reason.words else reason.words


NAMES = {"twitch": "Twitch", "kick": "Kick"}
#: Reasons that only one platform gives.
_OWN: dict[str, _Rows] = {"twitch": _TWITCH, "kick": _KICK}


def name_of(platform: str) -> str:
    """The platform's name for people."""
    return NAMES.get(platform, platform.capitalize())


def of_room(platform: str, raw: str, name: str = "") -> Reason:
    """Why a room is not recorded. ``raw``: the reason from the platform, the lookup or the connection."""
    raw = raw.removeprefix("refused: ")
    own = _OWN.get(platform, ())
    unknown = f"{name_of(platform)} says: {{raw}}"
    return _found((_PROXY, own, _ROOM, _CONNECTION), raw, unknown, platform=name_of(platform), name=name)


def of_lookup(raw: str, name: str) -> Reason:
    """Why the ids of a Kick channel are not known."""
    reason = _found((_PROXY, _KICK), raw, "Kick's site says: {raw}", platform="Kick", name=name)
    if not reason.known and of_connection("kick", raw).known:
        return Reason("Kick's site, which knows its id, cannot be reached", _BY_HAND.format(name=name))
    return reason


def of_connection(platform: str, raw: str) -> Reason:
    """Why there is no connection to a platform."""
    return _found((_PROXY, _CONNECTION), raw, "{raw}", platform=name_of(platform))


def of_disk(raw: str) -> Reason:
    """Why something cannot be written."""
    return _found((_DISK,), raw, "{raw}")


def is_full(raw: str) -> bool:
    """Whether nothing can be written because the disk is full."""
    return _FULL.search(raw) is not None


def of_store(raw: str) -> Reason:
    """Why a store does not accept files."""
    return _found((_STORE,), raw, "it says: {raw}")


def of_file(raw: str) -> Reason:
    """Why a file is not uploaded. ``raw`` begins with ``SPOOL`` if the store is not the cause."""
    if not raw.startswith(SPOOL):
        return of_store(raw)
    return _found((_SPOOL_FILE, _DISK), raw.removeprefix(SPOOL), "{raw}")


def _found(tables: Iterable[_Rows], raw: str, unknown: str, **fields: str) -> Reason:
    for table in tables:
        for pattern, words, remedy in table:
            match = pattern.search(raw)
            if match is not None:
                groups = [match[0], *(group or "" for group in match.groups())]
                return Reason(_filled(words, groups, fields), _filled(remedy, groups, fields))
    if not raw:
        return Reason("", known=False)
    return Reason(unknown.format(raw=printable(raw, QUOTED)), known=False)


def _filled(text: str, groups: list[str], fields: dict[str, str]) -> str:
    # A server's words may be part of a text, but are never used as a template.
    return text.format(
        *(printable(group, QUOTED) for group in groups), **{"platform": "", "name": "", **fields}
    )
