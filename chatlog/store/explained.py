"""Turns errors of the object-store library into StoreErrors with the store's own text, without secrets."""

from __future__ import annotations

import re
from contextlib import suppress

import orjson
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, UnauthenticatedError

from chatlog.printable import printable
from chatlog.store.answers import NO_STORE, answer_of
from chatlog.store.store import EXISTS, MISCONFIGURED, REFUSED, TRANSIENT, StoreError

_STATUS = re.compile(r"status code: (\d{3})(?: ([A-Za-z' -]+))?")
_BODY = re.compile(r"status code: \d{3}[^:]*: (.*)", re.DOTALL)
_CODE = re.compile(r"<Code>\s*([^<]{1,100}?)\s*</Code>", re.IGNORECASE)
_MESSAGE = re.compile(r"<Message>\s*([^<]{1,1000})</Message>", re.IGNORECASE)
_REGION = re.compile(r"<Region>([a-z0-9-]{2,40})</Region>")
_TITLE = re.compile(r"<(?:title|h1)[^>]*>\s*([^<]{1,200}?)\s*</", re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<html|<head|<body|<center|<h1)", re.IGNORECASE)
_CAUSE = re.compile(r'message: "([^"]{1,200})"')
_FAILED = re.compile(r"HTTP error: (.{1,200})\s*$")
_KIND = re.compile(r"kind: (Connect|Timeout|Request|Decode|Interrupted|Unknown)")
#: Amazon's metadata services, which the library asks for credentials when it has no others.
_ROLES = ("//169.254.169.254/", "//169.254.170.2/", "//169.254.170.23/")
_FLAW = re.compile(r"InvalidCertificate\(\s*(\w{1,60})")
_AUTHORITY = "name the file with its authority in SSL_CERT_FILE, or check this machine's clock"
_ELSEWHERE = "correct s3.endpoint and s3.region; the store's page of the bucket shows both"
_IN_FRONT = "what is in front of the store, a proxy or a firewall, refuses this; let it pass there"
_NO_CREDENTIALS = (
    "there are no credentials in the configuration or the environment, nor has the machine a role"
)
#: The fewest characters of a secret; no store issues shorter keys.
_SHORTEST_SECRET = 4
#: Parts of signed requests and their answers that show credentials.
_SECRETS = re.compile(
    r"(?i)(Signature=|Credential=|X-Amz-Signature=|X-Amz-Security-Token=|Authorization:? ?|sig=|"
    r"<AWSAccessKeyId>|<SignatureProvided>|<StringToSign>|<CanonicalRequest>)[^\s<&,\"]*"
)


def explained(error: Exception, secrets: tuple[str, ...] = ()) -> StoreError:
    """The StoreError that an error of the library means, without ``secrets`` in its text."""
    text = str(error)
    # Before the text is cut, so that no part of a secret remains.
    for secret in secrets:
        # A key of one or two letters is a mistake; replacing its letters would make the text unreadable.
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    head, _, debug = text.partition("\n\nDebug source:")
    if any(address in head for address in _ROLES):
        return StoreError(_NO_CREDENTIALS, REFUSED, "no credentials", of_all=True)
    status = _STATUS.search(head)
    if status is None:
        return _unanswered(error, head, debug)
    return _answered(error, int(status[1]), (status[2] or "").strip(), body_of(Exception(text)))


def _answered(error: Exception, number: int, reason: str, body: str) -> StoreError:
    code, said = _read(body)
    answer = answer_of(number, code, said)
    kind = answer.kind
    if kind == TRANSIENT and number == 409 and not code and isinstance(error, AlreadyExistsError):
        # The library asked for a new object, and the store answered with a conflict without a reason.
        kind = EXISTS
    remedy = answer.remedy
    if number == 403 and kind == REFUSED and not code and is_page(body):
        remedy = _IN_FRONT
    if region := _REGION.search(body):
        remedy = f"set s3.region: {region[1]}"
    name = code or reason
    words = clean(f"{number} {name}{f': {said}' if said else ''}")
    return StoreError(words, kind, clean(f"{number} {name}".strip()), remedy, answer.of_all)


def body_of(error: Exception) -> str:
    """The document that the store sent with an error, ``""`` if there was none."""
    body = _BODY.search(str(error).partition("\n\nDebug source:")[0])
    return body[1] if body else ""


def is_page(body: str) -> bool:
    """Whether the text begins like a web page."""
    return _PAGE.match(body) is not None


def _read(body: str) -> tuple[str, str]:
    """The code and the text of an answer: mostly XML, JSON from some stores, web pages from proxies."""
    code, message = _CODE.search(body), _MESSAGE.search(body)
    if code or message:
        return (code[1] if code else ""), (message[1].strip() if message else "")
    if is_page(body):
        title = _TITLE.search(body)
        return "", f"a web page, {title[1]!r}" if title else "a web page"
    with suppress(ValueError):
        found = orjson.loads(body)
        if isinstance(found, dict):
            return _from_json(found)
    return "", body.strip()[:200] if not body.lstrip().startswith("<") else ""


def _from_json(found: dict[str, object]) -> tuple[str, str]:
    inner = found.get("error", found)
    if not isinstance(inner, dict):
        return "", str(inner)[:200]
    code = inner.get("reason") or inner.get("code") or inner.get("Code") or ""
    reasons = inner.get("errors")
    if isinstance(reasons, list) and reasons and isinstance(reasons[0], dict):
        code = reasons[0].get("reason") or code
    message = inner.get("message") or inner.get("Message") or inner.get("error_description") or ""
    return ("" if isinstance(code, int) else str(code)[:100]), str(message)[:1000]


def _unanswered(error: Exception, head: str, debug: str) -> StoreError:
    """The error of a request that got no answer, or of an answer that the library does not show."""
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return StoreError(clean(head), REFUSED, "permission")
    if "redirect without LOCATION" in head or "following redirect" in head:
        words = (
            "the store sends us to another address: the bucket is in another region or at another endpoint"
        )
        return StoreError(words, MISCONFIGURED, "redirect", _ELSEWHERE, True)
    if "invalid list response" in head:
        words = "what answers there is not an object store: a list was asked for, and another document came"
        return StoreError(words, MISCONFIGURED, "no object store", NO_STORE, True)
    kind = _KIND.search(debug)
    cause = _CAUSE.search(debug)
    if "dns error" in debug or "failed to lookup address" in debug:
        said = f": {clean(cause[1])}" if cause else ""
        return StoreError(f"the store's name cannot be resolved{said}", TRANSIENT, "name lookup", of_all=True)
    if kind is not None and kind[1] == "Timeout":
        return StoreError("no answer in time", TRANSIENT, "timeout")
    if "certificate" in debug.lower():
        flaw = _FLAW.search(debug)
        said = cause[1] if cause else flaw[1] if flaw else ""
        words = clean(f"the store's certificate is not trusted{f': {said}' if said else ''}")
        return StoreError(words, REFUSED, "certificate", _AUTHORITY, True)
    if kind is not None and kind[1] == "Connect":
        said = f": {clean(cause[1])}" if cause else ""
        return StoreError(f"cannot connect{said}", TRANSIENT, "connect", of_all=True)
    failed = _FAILED.search(head)
    if cause is not None or failed is not None:
        said = clean(cause[1] if cause else failed[1] if failed else "")
        return StoreError(f"the connection failed: {said}", TRANSIENT, "connection")
    return StoreError(f"the request failed: {clean(head)}", TRANSIENT, "connection")


def clean(text: str) -> str:
    """The text as one bounded line for a log, without signatures."""
    return printable(_SECRETS.sub(r"\1***", " ".join(text.split())), 300)
