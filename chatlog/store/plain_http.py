"""Plain HTTP requests, for answers of a store that the object-store library hides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from chatlog.printable import printable
from chatlog.store.answers import answer_of
from chatlog.store.store import MISSING, REFUSED, TRANSIENT, StoreError

_WITHIN = 30.0
_CHUNK = 1 << 20
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,80})\s*</Code>")
_ENDPOINT = re.compile(r"<Endpoint>\s*([A-Za-z0-9.:-]{3,253})\s*</Endpoint>")
_REGION = re.compile(r"<Region>\s*([a-z0-9-]{2,40})\s*</Region>")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z")
_WORD = re.compile(r"[a-z0-9-]{2,40}\Z")


class Elsewhere(NamedTuple):
    """The place of a bucket, according to the store: host, region and scheme, each ``""`` if not said.
    ``path`` is False if the redirect leads to something other than the object."""

    host: str
    region: str
    scheme: str = ""
    path: bool = True


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """Follow no redirect."""


def elsewhere(url: str) -> Elsewhere:
    """The right place of a bucket, from the store's redirect of ``url``. Raises nothing."""
    try:
        with build_opener(_NoRedirect).open(Request(url), timeout=_WITHIN):
            return Elsewhere("", "")
    except HTTPError as error:
        with error:
            headers, body = error.headers, error.read(65536).decode("utf-8", "replace")
    except (OSError, HTTPException, ValueError):
        return Elsewhere("", "")
    endpoint, named = _ENDPOINT.search(body), _REGION.search(body)
    said = str(headers.get("x-amz-bucket-region", ""))
    region = named[1] if named else said if _WORD.match(said) else ""
    if endpoint:
        return Elsewhere(endpoint[1], region)
    try:
        target = urlsplit(urljoin(url, str(headers.get("Location", ""))))
    except ValueError:
        return Elsewhere("", region)
    if not headers.get("Location"):
        return Elsewhere("", region)
    # If the bucket moves from the path into the host name, the rest of the path stays the same.
    same = urlsplit(url).path.endswith(target.path) and len(target.path) > 1
    fits = _HOST.match(target.netloc) is not None and target.scheme in ("http", "https")
    return Elsewhere(target.netloc if fits and same else "", region, target.scheme if fits else "", same)


def fetched(url: str) -> Iterator[bytes]:
    """The bytes at an address, without regard to the headers of the answer. Raises StoreError."""
    try:
        with build_opener(_NoRedirect).open(Request(url), timeout=_WITHIN) as answer:
            while chunk := answer.read(_CHUNK):
                yield chunk
    except HTTPError as error:
        error.close()
        kind = MISSING if error.code == 404 else REFUSED if error.code < 500 else TRANSIENT
        raise StoreError(f"{error.code} {error.reason}", kind, str(error.code)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise StoreError(f"the connection failed: {type(error).__name__}", TRANSIENT, "connection") from None


def answered(method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str] | None:
    """The headers of the answer to a request without a body; None if there is no such object. Raises
    StoreError."""
    request = Request(url, method=method, headers=dict(headers))
    if method == "PUT":
        request.add_header("Content-Length", "0")
    try:
        with build_opener(_NoRedirect).open(request, timeout=_WITHIN) as answer:
            return {name.lower(): value for name, value in answer.headers.items()}
    except HTTPError as error:
        with error:
            body = error.read(65536).decode("utf-8", "replace")
        if error.code == 404 and method == "HEAD":
            return None
        named = _CODE.search(body)
        code = named[1] if named else str(error.headers.get("x-ms-error-code", ""))
        found = answer_of(error.code, code, "")
        text = f"{error.code} {printable(code or str(error.reason), 100)}"
        raise StoreError(text, found.kind, text, found.remedy, found.of_all) from None
    except (OSError, HTTPException, ValueError) as error:
        raise StoreError(f"the connection failed: {type(error).__name__}", TRANSIENT, "connection") from None
