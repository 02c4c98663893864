"""A client for the HTTP API of a running recorder, with errors for people."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from chatlog import __version__
from chatlog.config.settings import Secret
from chatlog.printable import printable

#: Seconds that the recorder has for an answer.
WITHIN = 10.0
#: Rooms requested at a time.
PAGE = 1000
#: The most bytes of an answer that are read.
LONGEST = 64 << 20

#: Creates a connection to a host and a port.
Connect = Callable[[str, int], http.client.HTTPConnection]


class ApiError(Exception):
    """A request to the recorder failed. The text says why and what to do. ``status`` is the HTTP status, 0 if
    there was no answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status

    @property
    def of_room(self) -> bool:
        """Whether the error concerns only the named room."""
        return self.status in (400, 404, 409)


def connecting(within: float) -> Connect:
    """Creates connections with a time limit in seconds."""
    return lambda host, port: http.client.HTTPConnection(host, port, timeout=within)


class ApiClient:
    """The recorder that listens at ``listen`` (``host:port``); ``token`` is its ``http.token``."""

    def __init__(
        self, listen: str, token: Secret | None = None, connect: Connect | None = None, within: float = WITHIN
    ) -> None:
        """``within``: seconds that the recorder has for an answer."""
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        # A server that listens on every address listens on loopback too.
        self._host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._port = int(port)
        self._listen = listen
        self._token = token
        self._connect = connect or connecting(within)

    def status(self) -> dict[str, Any]:
        """The state, in the form of ``Status.snapshot``. Raises ApiError."""
        answer = self._ask("GET", "/api/v1/status")
        if not isinstance(answer, dict) or not isinstance(answer.get("platforms"), list):
            raise ApiError(f"{self._listen}: what answers there is not Chatlog")
        return answer

    def rooms(self) -> list[dict[str, Any]]:
        """Every room, as ``RoomStats.room`` has it. Raises ApiError."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        offset = matching = 0
        while offset <= matching:
            answer = self._ask("GET", f"/api/v1/rooms?offset={offset}&limit={PAGE}")
            rooms = answer.get("rooms") if isinstance(answer, dict) else None
            if not isinstance(rooms, list) or not all(isinstance(room, dict) for room in rooms):
                raise ApiError(f"{self._listen}: what answers there is not Chatlog")
            # Rooms that are added or removed meanwhile shift the others between pages.
            found.update({(str(room.get("platform")), str(room.get("name"))): room for room in rooms})
            if len(rooms) < PAGE:
                break
            offset += PAGE
            matching = answer["matching"] if isinstance(answer.get("matching"), int) else 0
        return list(found.values())

    def some_rooms(self, limit: int, sort: str, problems: bool = False) -> list[dict[str, Any]]:
        """The first ``limit`` rooms in the order of ``sort``; with ``problems``, only those with a problem.
        Raises ApiError."""
        query = f"limit={limit}&sort={sort}{'&problems=1' if problems else ''}"
        answer = self._ask("GET", f"/api/v1/rooms?{query}")
        rooms = answer.get("rooms") if isinstance(answer, dict) else None
        return [room for room in rooms if isinstance(room, dict)] if isinstance(rooms, list) else []

    def room(self, platform: str, name: str) -> dict[str, Any] | None:
        """One room, as ``RoomStats.room`` has it; None if it is not on the list. Raises ApiError."""
        try:
            answer = self._ask("GET", _path(platform, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        if not isinstance(answer, dict):
            raise ApiError(f"{self._listen}: what answers there is not Chatlog")
        return answer

    def add(self, platform: str, name: str, chatroom_id: int | None = None) -> bool:
        """Add a room. Returns False if it was on the list already. Raises ApiError."""
        room: dict[str, Any] = {"platform": platform, "name": name}
        if chatroom_id is not None:
            room["chatroom_id"] = chatroom_id
        answer = self._ask("POST", "/api/v1/rooms", room)
        return not isinstance(answer, dict) or answer.get("added") is not False

    def remove(self, platform: str, name: str) -> bool:
        """Remove a room. Returns False if it was not on the list. Raises ApiError."""
        try:
            self._ask("DELETE", _path(platform, name))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def rotate(self) -> None:
        """Ask the recorder to finish all files that it writes. Raises ApiError."""
        self._ask("POST", "/api/v1/rotate")

    def cluster(self) -> dict[str, Any]:
        """The cluster, as ``ClusterFacts`` has it. Raises ApiError."""
        answer = self._ask("GET", "/api/v1/cluster")
        if not isinstance(answer, dict) or not isinstance(answer.get("members"), list):
            raise ApiError(f"{self._listen}: what answers there is not Chatlog")
        return answer

    def where(self, platform: str, name: str) -> dict[str, Any] | None:
        """The recorders of a room; None if it is not on the list. Raises ApiError."""
        try:
            answer = self._ask("GET", _path(platform, name).replace("/rooms/", "/cluster/rooms/", 1))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return answer if isinstance(answer, dict) else None

    def drain(self, away: bool) -> None:
        """Let all rooms be handed over, or take rooms again. Raises ApiError."""
        self._ask("POST" if away else "DELETE", "/api/v1/drain")

    def acknowledge(self, platform: str, name: str, known: bool = True) -> None:
        """Acknowledge that a room is not recorded, or undo that. Raises ApiError."""
        self._ask("POST" if known else "DELETE", f"{_path(platform, name)}/acknowledge")

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        if method != "GET" and self._token is None:
            raise ApiError(
                "rooms cannot be changed, because the configuration has no http.token; set one and start the "
                "recorder again"
            )
        headers = {"User-Agent": f"chatlog/{__version__}", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        connection = self._connect(self._host, self._port)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read(LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ApiError(
                f"no answer from {self._listen} ({printable(str(words), 200)}); is the recorder running, and "
                "is this its http.listen? --config names its configuration"
            ) from None
        finally:
            connection.close()
        return self._answer(response.status, data)

    def _answer(self, status: int, data: bytes) -> Any:
        try:
            answer = json.loads(data) if data and len(data) <= LONGEST else None
        except (ValueError, RecursionError):
            answer = None
        if 200 <= status <= 299 and (answer is not None or not data):
            return answer
        words = ""
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            words = printable(str(answer["error"].get("message", "")), 500)
        if 200 <= status <= 299:
            words = "what answers there is not Chatlog"
        elif status in (401, 403):
            raise ApiError(
                f"the recorder at {self._listen} does not accept the http.token of this configuration; name "
                "the configuration that the recorder was started with, or start the recorder again",
                status,
            )
        if status in (400, 404, 409, 503) and words:
            raise ApiError(words, status)
        raise ApiError(f"{self._listen}: HTTP {status}{f': {words}' if words else ''}", status)


def _path(platform: str, name: str) -> str:
    return f"/api/v1/rooms/{quote(platform, '')}/{quote(name, '')}"
