"""Who may ask the archive server for what."""

from __future__ import annotations

from typing import Any

from chatlog.archive_http.asked import ALL_ROOMS, EVERYBODY, READ, Asked, Refused, Route
from chatlog.config.settings import ArchiveSettings, HttpSettings
from chatlog.http.guard import has_token, is_cross_site


class Access:
    """``archive`` says whether everybody may read it, and look through all rooms."""

    def __init__(self, http: HttpSettings, archive: ArchiveSettings = ArchiveSettings()) -> None:  # noqa: B008
        self.http = http
        #: Whether all rooms may be looked through without the token.
        self.all_rooms = archive.public_search or not archive.public

    def check(self, request: Any, asked: Asked, route: Route) -> None:
        """Check whether the request may be answered. Raises Refused if it may not."""
        if route.who == EVERYBODY or (route.who == ALL_ROOMS and self._is_open(asked)):
            return
        if asked.method not in READ and is_cross_site(
            request.getHeader("host") or "", request.getHeader("origin"), request.getHeader("sec-fetch-site")
        ):
            raise Refused(403, "cross_site", "another site's page may change nothing here")
        what = "one room at a time can be looked through here" if route.who == ALL_ROOMS else ""
        if self.http.token is None:
            why = "for more, the configuration needs an http.token" if what else ""
            text = f"{what}; {why}" if what else "this needs a token, and the configuration has no http.token"
            raise Refused(403, "no_token", text)
        if not has_token(request.getHeader("authorization"), self.http):
            text = "send the configured http.token as Authorization: Bearer"
            text = f"{what} (room=); to look through all of them, {text}" if what else text
            raise Refused(401, "wrong_token", text, {"WWW-Authenticate": "Bearer"})

    def _is_open(self, asked: Asked) -> bool:
        named = [name for name in asked.query.get("room", "").split(",") if name.strip()]
        return self.all_rooms or len(named) == 1
