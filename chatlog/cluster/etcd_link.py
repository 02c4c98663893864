"""Requests to etcd's JSON gateway (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/).

Keys and values are base64, and 64-bit numbers are text. Fields that are zero are left out.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from chatlog.cluster.engine import EngineAway
from chatlog.cluster.redis_words import certificate_remedy
from chatlog.config.engine_address import EngineAddress
from chatlog.network.dialing import Network
from chatlog.network.http import Answer, RequestFailed
from chatlog.network.kept_http import KeptHttp
from chatlog.printable import printable

PASSWORD = "look at the user and the password in cluster.engine"
REACH = "start it, or look at its address in cluster.engine, and whether it has TLS (etcd+https://) or not"
SILENT = "look at its log: it answers nobody while too few of its servers are there"
#: The most bytes of an answer.
_MOST_BYTES = 128 * 1024 * 1024
#: Seconds to connect to one of several servers.
_CONNECT_WITHIN = 1.5
#: The least time that a request is given, in seconds.
_LEAST = 0.05

#: etcd's words for a token that is no longer valid (etcd/api/v3rpc/rpctypes/error.go).
_TOKEN_GONE = (
    "invalid auth token",
    "user name is empty",
    "revision of auth store is old",
    "user name not found",
)
#: A part of etcd's words, their meaning, and what to do.
_MEANINGS = (
    ("authentication failed", "it refuses the user or the password", PASSWORD),
    ("user name is empty", "it wants a user and a password", "write etcd+https://user:password@host"),
    ("authentication is not enabled", "it knows no users, and one is given", PASSWORD),
    (
        "permission denied",
        "the user may not do what is needed",
        "allow it: etcdctl role grant-permission ROLE readwrite chatlog/ --prefix",
    ),
    (
        "database space exceeded",
        "its space is full, and it takes nothing",
        "compact it, defragment it, disarm",
    ),
    ("mvcc: database space", "its space is full, and it takes nothing", "compact it, defragment it, disarm"),
    (
        "no leader",
        "it has no quorum: too few of its servers are there",
        "start the others, or look at their log",
    ),
    (
        "etcdserver: request timed out",
        "it has no quorum, or is too slow",
        "start the others, or look at its disk",
    ),
    ("leader changed", "it has just got another leader", "wait"),
    ("request is too large", "it takes no requests of the size", "raise its --max-request-bytes"),
    ("too many requests", "it is overloaded", "see what else uses it"),
    (
        "client sent an HTTP request to an HTTPS server",
        "it wants TLS",
        "write etcd+https:// in cluster.engine",
    ),
)


class EtcdRefusal(EngineAway):
    """etcd's own error. ``said``: its words."""

    def __init__(self, status: int, said: str) -> None:
        meaning = next((row[1:] for row in _MEANINGS if row[0] in said.lower()), None)
        if meaning is None:
            meaning = f"it answers with {status} [{printable(said, 200)}]", ""
        super().__init__(*meaning)
        self.said = said


class EtcdLink:
    """Asks one of several servers; the next one, once one has not answered."""

    def __init__(self, address: EngineAddress, network: Network, ca_file: str | None) -> None:
        scheme = "https" if address.tls else "http"
        self._bases = [
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host, port in address.servers
        ]
        self._address = address
        self._clock = network.reactor
        self._http = KeptHttp(network, ca_file, _CONNECT_WITHIN)
        self._at = 0
        self._token = ""
        self._closed = False

    def until(self, within: float) -> float:
        """The moment by which requests have to be answered."""
        now: float = self._clock.seconds()
        return now + within

    async def ask(self, path: str, body: Mapping[str, Any], until: float) -> dict[str, Any]:
        """Make a request, as the user that is configured. Raises EngineAway."""
        if self._address.password and not self._token:
            await self._login(until)
        try:
            return await self._post(path, body, until)
        except EtcdRefusal as refusal:
            if not self._address.password or not any(each in refusal.said for each in _TOKEN_GONE):
                raise
        await self._login(until)
        return await self._post(path, body, until)

    async def version(self, until: float) -> str:
        """The server's version, which needs no login."""
        answer = await self._request("GET", "/version", b"", until)
        said = _object(answer.body).get("etcdserver", "")
        if not isinstance(said, str) or not said:
            raise EngineAway("it does not answer as etcd does")
        return said

    async def close(self) -> None:
        """End all connections. Requests that are waiting run into their limits."""
        self._closed = True
        await self._http.close()

    async def _login(self, until: float) -> None:
        self._token = ""
        login = {"name": self._address.user, "password": self._address.password}
        token = (await self._post("/v3/auth/authenticate", login, until)).get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise EngineAway("it does not answer as etcd does")
        self._token = token

    async def _post(self, path: str, body: Mapping[str, Any], until: float) -> dict[str, Any]:
        answer = await self._request("POST", path, json.dumps(body).encode("ascii"), until)
        found = _object(answer.body)
        if answer.status == 200 and "error" not in found:
            return found
        said = found.get("error", "") or found.get("message", "") or answer.body.decode("utf-8", "replace")
        if isinstance(said, dict):
            said = said.get("message", "")
        raise EtcdRefusal(answer.status, str(said))

    async def _request(self, method: str, path: str, body: bytes, until: float) -> Answer:
        if self._closed:
            raise EngineAway("it is closed")
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": self._token} if self._token else {}
        )
        for untried in reversed(range(len(self._bases))):
            left = max(_LEAST, until - self._clock.seconds())
            at = self._at
            url = self._bases[at % len(self._bases)] + path
            try:
                return await self._http.client.request(method, url, _MOST_BYTES, left, headers, body)
            except RequestFailed as error:
                if at == self._at:
                    self._at += 1
                # Otherwise the request may have been carried out, and the time is over.
                unreached = str(error).startswith("cannot connect")
                if not untried or not unreached:
                    why = str(error).replace("cannot connect", "it cannot be reached", 1)
                    advice = SILENT if why.startswith("no answer") else REACH
                    raise EngineAway(why, certificate_remedy(why) or advice) from None
        raise AssertionError("there is no server")


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty one if there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# -- requests and answers --------------------------------------------------------------------------------


def encode(data: bytes) -> str:
    """Bytes in a request."""
    return b64encode(data).decode("ascii")


def put_of(key: bytes, value: bytes, lease: str = "") -> dict[str, Any]:
    """The operation that puts a value under a key."""
    return {"requestPut": {"key": encode(key), "value": encode(value), **({"lease": lease} if lease else {})}}


def get_of(key: bytes, prefix: bool = False) -> dict[str, Any]:
    """The operation that reads a key, or all keys that begin with it."""
    end = {"range_end": encode(key[:-1] + bytes([key[-1] + 1]))} if prefix else {}
    return {"requestRange": {"key": encode(key), **end}}


def unchanged(key: bytes, revision: int) -> dict[str, Any]:
    """The comparison that a key was changed last at this revision; 0: that the key does not exist."""
    return {"key": encode(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}


def exists(key: bytes) -> dict[str, Any]:
    """The comparison that a key exists."""
    return {"key": encode(key), "target": "CREATE", "result": "GREATER", "create_revision": "0"}


class Value:
    """A key with its data, and the revision at which it was changed last."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.key = b64decode(entry["key"])
        self.data = b64decode(entry.get("value", ""))
        self.revision = int(entry["mod_revision"])


def ranges(answer: Mapping[str, Any]) -> list[list[Value]]:
    """The results of the reads of a transaction, in order. Raises EngineAway."""
    try:
        found = [each["response_range"] for each in answer.get("responses", []) if "response_range" in each]
        return [[Value(entry) for entry in each.get("kvs", [])] for each in found]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EngineAway("it does not answer as etcd does") from None
